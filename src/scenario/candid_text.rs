//! Candid arguments as text: `${name}` replaced, parsed, typed by a `.did` file where there is one, encoded.
//!
//! 1. `${name}` becomes the principal of that actor or canister, or a generated or captured value; an [`OffsetMap`]
//!    remembers the places.
//! 2. Comments become spaces, and texts that nest too deep or are too long are refused: the parser would recurse.
//! 3. The parser's offset leads back through both to line and column of the scenario file.
//! 4. With a signature the values take its types; without one, a bare number is an `int`, so write `5 : nat64`.

use candid::IDLArgs;
use candid::types::{Type, TypeEnv};
use candid_parser::token::{Token, Tokenizer};

use super::builtin;
use super::document::Text;
use super::error::ScenarioError;
use super::filling::Filling;
use super::names::Names;
use super::position::OffsetMap;
use super::suggest::{hint, shorten};

/// Longest Candid text after `${}` is replaced.
const LENGTH_MAX: usize = 256 * 1024;
/// Deepest nesting of brackets, `opt` and `vec`.
const DEPTH_MAX: usize = 64;
/// Most digits of one number.
const DIGITS_MAX: usize = 1000;

/// Argument types and the type definitions they refer to.
pub(crate) struct Signature<'a> {
    pub(crate) env: &'a TypeEnv,
    pub(crate) types: &'a [Type],
    /// What takes the arguments, as `method transfer`.
    pub(crate) what: String,
    /// Whether it is a built-in, whose arguments are read as [`builtin::fit`] says.
    pub(crate) is_builtin: bool,
}

/// A problem at a byte of a text.
pub(crate) type Problem = (usize, String);

/// The bytes of the Candid arguments that `text` describes.
pub(crate) fn encode(
    text: &Text<'_>,
    names: &Names,
    signature: Option<Signature<'_>>,
) -> Result<Vec<u8>, ScenarioError> {
    encode_str(text.value, names, &[], signature).map_err(|(offset, problem)| text.error_at(offset, problem))
}

/// The bytes of `()`.
pub(crate) fn no_arguments() -> Vec<u8> {
    b"DIDL\0\0".to_vec()
}

/// The bytes of `()` for whatever takes them; all arguments must be optional.
pub(crate) fn default_arguments(signature: Option<Signature<'_>>) -> Result<Vec<u8>, String> {
    match signature {
        Some(signature) => typed(IDLArgs { args: Vec::new() }, &signature)
            .map_err(|problem| format!("without `args` the call passes `()`: {}", one_line(&problem))),
        None => Ok(no_arguments()),
    }
}

/// The same for a text in which these values stand for names, too.
pub(crate) fn encode_str(
    text: &str,
    names: &Names,
    fillings: &[(&str, &Filling)],
    signature: Option<Signature<'_>>,
) -> Result<Vec<u8>, Problem> {
    let (replaced, map) = substitute(text, names, fillings, signature.is_some())?;
    let blanked = blank_comments(&replaced);
    let back = |(offset, problem): Problem| (map.original(offset), problem);
    check_size(&blanked).map_err(back)?;
    let args = candid_parser::parse_idl_args(&blanked).map_err(|error| {
        let (offset, problem) = describe(&error);
        if blanked.trim_start().starts_with('(') {
            back((offset, format!("not Candid: {problem}")))
        } else {
            (0, "not Candid: arguments stand in parentheses, as in `(5 : nat64)` or `()`".to_string())
        }
    })?;
    let encoded = match signature {
        Some(signature) => typed(args, &signature),
        None => args.to_bytes().map_err(|error| error.to_string()),
    };
    encoded.map_err(|problem| (0, format!("not Candid: {}", one_line(&problem))))
}

fn typed(args: IDLArgs, signature: &Signature<'_>) -> Result<Vec<u8>, String> {
    let (given, wanted) = (args.args.len(), signature.types.len());
    if given > wanted {
        return Err(format!("{} takes {wanted} arguments, not {given}", signature.what));
    }
    let args = if signature.is_builtin {
        builtin::fit(args, signature.env, signature.types)
            .map_err(|problem| format!("{}: {problem}", signature.what))?
    } else {
        args
    };
    args.annotate_types(true, signature.env, signature.types)
        .and_then(|args| args.to_bytes_with_types(signature.env, signature.types))
        .map_err(|error| format!("{}: {error}", signature.what))
}

/// The names in `${name}`, in order of appearance, as often as they appear.
pub(crate) fn names_used(text: &str) -> Vec<String> {
    let after = text.split("${").skip(1);
    after.filter_map(|rest| rest.split_once('}')).map(|(name, _)| name.to_string()).collect()
}

/// Refuses a `${name}` that is neither one of these nor an actor or a canister.
pub(crate) fn check_names<'a>(text: &str, names: &Names, known: impl Iterator<Item = &'a str>) -> Result<(), Problem> {
    let any = Filling::of_text("null", &Names::default());
    let fillings: Vec<(&str, &Filling)> = known.map(|name| (name, &any)).collect();
    substitute(text, names, &fillings, true).map(drop)
}

/// A text that is no Candid, with the principal of an actor or canister in place of each `${name}`.
pub(crate) fn filled(text: &str, names: &Names) -> Result<String, Problem> {
    substitute(text, names, &[], false).map(|(filled, _)| filled)
}

/// Replaces each `${name}`.
fn substitute(
    text: &str,
    names: &Names,
    fillings: &[(&str, &Filling)],
    is_typed: bool,
) -> Result<(String, OffsetMap), Problem> {
    let mut out = String::new();
    let mut map = OffsetMap::default();
    let mut at = 0;
    while let Some(found) = text[at..].find("${") {
        let start = at + found;
        map.push(out.len(), at, true);
        out.push_str(&text[at..start]);
        let Some(length) = text[start..].find('}') else {
            return Err((start, "`${` without `}`; write `${name}` with the name of an actor or canister".to_string()));
        };
        let name = &text[start + 2..start + length];
        map.push(out.len(), start, false);
        at = start + length + 1;
        match fillings.iter().find(|(other, _)| *other == name) {
            Some((_, value)) if is_in_quotes(text, start) => out.push_str(&value.quoted),
            // Around it stands what the value is, or the `did` says it.
            Some((_, value)) if is_typed || text[at..].trim_start().starts_with(':') => out.push_str(&value.plain),
            Some((_, value)) => out.push_str(&value.typed),
            None => out.push_str(&principal(name, names, fillings).map_err(|problem| (start, problem))?),
        }
        if out.len() > LENGTH_MAX {
            break;
        }
    }
    map.push(out.len(), at, true);
    out.push_str(&text[at..]);
    if out.len() > LENGTH_MAX {
        return Err((0, format!("this Candid text is longer than {} KiB", LENGTH_MAX / 1024)));
    }
    Ok((out, map))
}

fn principal(name: &str, names: &Names, fillings: &[(&str, &Filling)]) -> Result<String, String> {
    names.principal(name).map(|id| id.to_text()).map_err(|problem| {
        if fillings.is_empty() {
            return problem;
        }
        let known = fillings.iter().map(|(name, _)| *name);
        let known = known.chain(names.actors.iter().chain(&names.canisters).map(|(name, _)| name.as_str()));
        format!("unknown value, actor or canister `{}`{}", shorten(name), hint(name, known))
    })
}

/// Whether a byte of a text lies within a string.
fn is_in_quotes(text: &str, at: usize) -> bool {
    let blanked = blank_comments(text);
    let mut start = 0;
    while let Some(found) = blanked.as_bytes()[start..at].iter().position(|byte| *byte == b'"') {
        let end = end_of_string(blanked.as_bytes(), start + found);
        if end > at {
            return true;
        }
        start = end;
    }
    false
}

/// The same text with spaces for comments, so that offsets stay; the tokenizer recurses once per comment.
pub(crate) fn blank_comments(text: &str) -> String {
    let mut out = text.as_bytes().to_vec();
    let mut at = 0;
    while at < out.len() {
        let end = match (out[at], out.get(at + 1)) {
            (b'"', _) => {
                at = end_of_string(&out, at);
                continue;
            }
            (b'/', Some(b'/')) => text.as_bytes()[at..].iter().position(|b| *b == b'\n').map_or(out.len(), |i| at + i),
            (b'/', Some(b'*')) => end_of_block_comment(&out, at),
            _ => at,
        };
        out[at..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        at = end.max(at + 1);
    }
    // Comments are blanked whole, so no character was cut.
    String::from_utf8(out).unwrap_or_else(|_| text.to_string())
}

fn end_of_string(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < text.len() && text[at] != b'"' {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(text.len())
}

/// Block comments nest; one that is not closed is left for the parser to complain about.
fn end_of_block_comment(text: &[u8], start: usize) -> usize {
    let (mut depth, mut at) = (0, start);
    while at + 1 < text.len() {
        match &text[at..at + 2] {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    start
}

/// Refuses what would make the parser, or whoever walks its result, recurse or compute without bound.
pub(crate) fn check_size(text: &str) -> Result<(), Problem> {
    // Per open bracket the depth outside it; `opt` and `vec` nest without brackets.
    let (mut outer, mut depth) = (Vec::new(), 0);
    for token in Tokenizer::new(text) {
        // What is not a token is the parser's to report.
        let Ok((start, token, _)) = token else {
            return Ok(());
        };
        match token {
            Token::LParen | Token::LBrace => {
                outer.push(depth);
                depth += 1;
            }
            Token::Opt | Token::Vec => depth += 1,
            Token::RParen | Token::RBrace => depth = outer.pop().unwrap_or(0),
            Token::Semi | Token::Comma => depth = outer.last().map_or(0, |outside| outside + 1),
            Token::Decimal(digits) | Token::Hex(digits) | Token::Float(digits) if digits.len() > DIGITS_MAX => {
                return Err((start, format!("a number has at most {DIGITS_MAX} digits")));
            }
            // The parser strips `0x` only, and takes what is left for digits.
            Token::Hex(digits) if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                return Err((start, "a number in hex begins with `0x`, in lower case".to_string()));
            }
            _ => {}
        }
        if depth > DEPTH_MAX {
            return Err((start, format!("Candid nests at most {DEPTH_MAX} levels deep")));
        }
    }
    Ok(())
}

/// Offset and text of what the Candid parser complains about.
pub(crate) fn describe(error: &candid_parser::Error) -> Problem {
    let report = error.report();
    let (offset, mut text) = match report.labels.first() {
        Some(label) => (label.range.start, lowercase_first(&label.message)),
        None => (0, report.message.clone()),
    };
    // A long list of what could stand there helps nobody.
    if let Some(note) = report.notes.first().filter(|note| note.len() < 120) {
        text = format!("{text}, {}", lowercase_first(&one_line(note)));
    }
    (offset, one_line(&text))
}

fn lowercase_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_lowercase().chain(chars).collect())
}

/// Messages of the Candid library run over several lines and repeat the user's text.
fn one_line(text: &str) -> String {
    let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if joined.len() > 240 {
        format!("{}...", joined.chars().take(240).collect::<String>())
    } else {
        shorten_controls(&joined)
    }
}

fn shorten_controls(text: &str) -> String {
    if text.chars().any(char::is_control) { shorten(text) } else { text.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::names::{automatic_actor_id, automatic_canister_id};
    use crate::scenario::value::Value;
    use proptest::prelude::*;

    fn names() -> Names {
        Names {
            canisters: vec![("vault".into(), automatic_canister_id(0))],
            actors: vec![("alice".into(), automatic_actor_id("alice"))],
            ..Names::default()
        }
    }

    fn encoded(text: &str) -> Result<String, Problem> {
        encode_str(text, &names(), &[], None).map(|bytes| Value::decode(&bytes).unwrap().to_string())
    }

    #[test]
    fn names_become_principals() {
        assert_eq!(encoded(r#"(principal "${vault}")"#).unwrap(), "lxzze-o7777-77777-aaaaa-cai");
        assert_eq!(encoded(r#"("$5 {x}")"#).unwrap(), r#""$5 {x}""#);
        assert_eq!(encode_str("()", &names(), &[], None).unwrap(), no_arguments());
    }

    #[test]
    fn problems_are_placed_in_the_text_as_written() {
        let problem = |text: &str| encoded(text).unwrap_err();
        assert_eq!(
            problem(r#"(principal "${valt}")"#),
            (12, "unknown actor or canister `valt`, did you mean `vault`?".into())
        );
        assert_eq!(
            problem(r#"("${vault")"#),
            (2, "`${` without `}`; write `${name}` with the name of an actor or canister".into())
        );
        assert_eq!(problem(r#"("${vault}", 5 : nonat)"#), (17, "not Candid: unbound type identifier nonat".into()));
        assert_eq!(
            problem(r#"("${vault}", 5 6)"#),
            (15, "not Candid: unexpected token, expects one of \")\", \",\", \":\"".into())
        );
        assert_eq!(
            problem("5 : nat"),
            (0, "not Candid: arguments stand in parentheses, as in `(5 : nat64)` or `()`".into())
        );
        assert_eq!(problem("(-1 : nat8)").0, 1);
        assert_eq!(problem("(/* open"), (1, "not Candid: unclosed comment".into()));
    }

    #[test]
    fn numbers_in_hex_are_read_or_refused() {
        assert_eq!(encoded("(0xfF)").unwrap(), encoded("(255)").unwrap());
        let refused = (1, "a number in hex begins with `0x`, in lower case".to_string());
        assert_eq!(encoded("(0XfF)").unwrap_err(), refused);
        assert_eq!(encoded("(-0X1)").unwrap_err(), (2, refused.1));
    }

    #[test]
    fn comments_are_no_problem_however_many() {
        assert_eq!(encoded(&format!("({} 5)", "// é\n".repeat(20_000))).unwrap(), "5");
        assert_eq!(encoded("(/* a /* b */ \" */ 5, \"// x\")").unwrap(), "5");
    }

    #[test]
    fn hostile_texts_are_refused() {
        let problem = |text: String| encoded(&text).unwrap_err().1;
        assert_eq!(problem(format!("({}5)", "opt ".repeat(10_000))), "Candid nests at most 64 levels deep");
        assert_eq!(problem("(".repeat(10_000)), "Candid nests at most 64 levels deep");
        assert_eq!(problem(format!("({})", "9".repeat(1001))), "a number has at most 1000 digits");
        assert_eq!(problem(format!("(\"{}\")", "9".repeat(300_000))), "this Candid text is longer than 256 KiB");
        assert_eq!(problem(format!("({})", "\"${alice}\",".repeat(9_000))), "this Candid text is longer than 256 KiB");
        assert!(encoded(&format!("({})", "opt 5, ".repeat(100))).is_ok());
    }

    proptest! {
        #[test]
        fn random_candid_never_panics(words in proptest::collection::vec(proptest::sample::select(vec![
            "(", ")", "{", "}", ";", ",", ":", "=", "opt", "vec", "record", "variant", "1", "-", "1.5", "nat8", "nat", "blob",
            "\"a\"", "\"\\ff\"", "null", "true", "a", "principal", "\"aaaaa-aa\"", "func", "service", ".", "text", "reserved", "empty",
        ]), 0..12)) {
            let _ = encoded(&format!("({})", words.join(" ")));
        }
    }
}
