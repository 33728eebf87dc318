//! The names of a scenario: what `${name}`, `by`, `to`, `after` and expressions may refer to, and the principals behind them.
//!
//! Also where principals come from that the user did not write: a canister's automatic id and an actor's stable one.

use candid::Principal;
use sha2::{Digest, Sha224};

use super::suggest::{hint, shorten};

/// Every name of a scenario, in file order; an index here is an index into the scenario's vectors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Canisters and their ids.
    pub canisters: Vec<(String, Principal)>,
    /// Actors and their principals.
    pub actors: Vec<(String, Principal)>,
    /// Observations, then ghosts.
    pub observations: Vec<String>,
    /// Ids of call entries.
    pub calls: Vec<String>,
    /// For each of them the texts that make an error a refusal.
    pub refusals: Vec<Vec<String>>,
}

impl Names {
    pub(crate) fn canister(&self, name: &str) -> Result<usize, String> {
        find("canister", name, self.canisters.iter().map(|(name, _)| name.as_str()))
    }

    pub(crate) fn actor(&self, name: &str) -> Result<usize, String> {
        find("actor", name, self.actors.iter().map(|(name, _)| name.as_str()))
    }

    pub(crate) fn call(&self, id: &str) -> Result<usize, String> {
        find("call", id, self.calls.iter().map(String::as_str))
    }

    /// The principal of an actor or a canister; no name stands for both.
    pub(crate) fn principal(&self, name: &str) -> Result<Principal, String> {
        let all = || self.actors.iter().chain(&self.canisters);
        let index = find("actor or canister", name, all().map(|(name, _)| name.as_str()))?;
        all().nth(index).map(|(_, id)| *id).ok_or_else(|| format!("bug in canloom: no principal {index}"))
    }
}

fn find<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Result<usize, String> {
    let position = known.clone().position(|candidate| candidate == name);
    position.ok_or_else(|| format!("unknown {what} `{}`{}", shorten(name), hint(name, known)))
}

/// Words that mean something else in an expression.
const RESERVED: &[&str] = &[
    "and",
    "or",
    "not",
    "in",
    "true",
    "false",
    "null",
    "it",
    "open",
    "done",
    "ok",
    "err",
    "refused",
    "count",
    "sum",
    "quiet",
    "faulted",
    "now",
    "before",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];
/// Longest name.
const NAME_MAX: usize = 64;

/// Refuses what is not a name: letters, digits, `_` and `-`, starting with a letter or `_`, at most 64 long.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let mut chars = name.chars();
    let starts = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if starts && name.len() <= NAME_MAX && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
        return Ok(());
    }
    Err(format!("`{}` is not a name; use up to {NAME_MAX} letters, digits, `_` and `-`, a letter first", shorten(name)))
}

/// [`check_name`] for names that stand by themselves in expressions.
pub(crate) fn check_identifier(name: &str) -> Result<(), String> {
    check_name(name)?;
    if name.contains('-') {
        return Err(format!("`{name}` would be a subtraction in an expression; use `_` instead of `-`"));
    }
    if name.starts_with("__") || RESERVED.contains(&name) {
        return Err(format!("`{name}` has another meaning in expressions; choose another name"));
    }
    Ok(())
}

/// Id of the `n`-th canister without an `id` (from 0), as a PocketIC application subnet hands them out.
pub(crate) fn automatic_canister_id(n: u64) -> Principal {
    let mut bytes = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1];
    bytes[..8].copy_from_slice(&(0xFFFF_FFFF_FFE0_0000 + n).to_be_bytes());
    Principal::from_slice(&bytes)
}

/// Principal of an actor: looks like a self-authenticating one, and depends on the name only.
pub(crate) fn automatic_actor_id(name: &str) -> Principal {
    let mut bytes = [2; 29];
    bytes[..28].copy_from_slice(&Sha224::digest(format!("canloom actor {name}")));
    Principal::from_slice(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn automatic_canister_ids_are_those_of_pocket_ic() {
        assert_eq!(automatic_canister_id(0).to_text(), "lxzze-o7777-77777-aaaaa-cai");
        assert_eq!(automatic_canister_id(1).to_text(), "lqy7q-dh777-77777-aaaaq-cai");
    }

    #[test]
    fn an_actor_has_one_principal_for_ever() {
        let alice = automatic_actor_id("alice");
        assert_eq!(alice.as_slice().len(), 29);
        assert_eq!(alice.as_slice()[28], 2);
        assert_eq!(alice, automatic_actor_id("alice"));
        assert_ne!(alice, automatic_actor_id("bob"));
    }

    #[test]
    fn unknown_names_come_with_the_nearest_one() {
        let names = Names {
            canisters: vec![("vault".into(), automatic_canister_id(0))],
            actors: vec![("alice".into(), automatic_actor_id("alice"))],
            ..Names::default()
        };
        assert_eq!(names.canister("valt").unwrap_err(), "unknown canister `valt`, did you mean `vault`?");
        assert_eq!(names.actor("bob").unwrap_err(), "unknown actor `bob`; there is `alice`");
        assert_eq!(names.principal("vualt").unwrap_err(), "unknown actor or canister `vualt`, did you mean `vault`?");
        assert_eq!(names.principal("vault").unwrap(), automatic_canister_id(0));
        assert_eq!(names.call("foo").unwrap_err(), "unknown call `foo`");
    }

    #[test]
    fn names_are_ascii_words_and_observations_are_not_words_of_the_language() {
        assert!(check_name("token-0_a").is_ok());
        let rule = "is not a name; use up to 64 letters, digits, `_` and `-`, a letter first";
        for bad in ["", "0a", "a.b", "é"] {
            assert_eq!(check_name(bad).unwrap_err(), format!("`{bad}` {rule}"));
        }
        assert_eq!(
            check_identifier("a-b").unwrap_err(),
            "`a-b` would be a subtraction in an expression; use `_` instead of `-`"
        );
        assert_eq!(
            check_identifier("quiet").unwrap_err(),
            "`quiet` has another meaning in expressions; choose another name"
        );
    }
}
