//! The cast of a scenario: canisters and actors, their names and their principals.
//!
//! Ids are decided before any Candid is read, because arguments may name every canister and actor of the file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candid::Principal;

use super::candid_text;
use super::document::{Table, Text};
use super::error::ScenarioError;
use super::interface::Interface;
use super::names::{Names, automatic_actor_id, automatic_canister_id, check_name};
use super::suggest::{hint, shorten};

/// Most canisters, and most actors.
const MEMBERS_MAX: usize = 64;

const CANISTER_KEYS: &[&str] =
    &["wasm", "builtin", "replies", "id", "init", "controllers", "did", "wasm_memory_limit", "wasm_memory_threshold"];
/// Most methods that a stub answers.
const REPLIES_MAX: usize = 256;
const CANISTER_KEYS_LATER: &[&str] = &["mode"];

/// Names of built-in canisters.
const BUILTINS: [&str; 2] = ["stub", "icrc1-ledger"];

/// A canister that is installed before the setup calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canister {
    /// Its name in the file.
    pub name: String,
    /// Its id, from the file or as PocketIC would give it.
    pub id: Principal,
    /// What it runs.
    pub code: Code,
    /// Candid bytes of the init argument.
    pub init: Vec<u8>,
    /// Its controllers in file order; may be empty.
    pub controllers: Vec<Principal>,
    /// Bytes of heap beyond which update calls trap, where the file says.
    pub wasm_memory_limit: Option<u32>,
    /// Bytes left below that limit from which on the low-memory hook runs, where the file says.
    pub wasm_memory_threshold: Option<u32>,
}

/// What a canister runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Code {
    /// A wasm module, its path resolved against the scenario's folder; not opened here.
    Wasm(PathBuf),
    /// A built-in that answers each method with a fixed reply, as Candid.
    Stub(BTreeMap<String, Vec<u8>>),
    /// A built-in token ledger.
    Icrc1Ledger,
}

/// Somebody who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Its name in the file; no canister has the same one.
    pub name: String,
    /// Its principal.
    pub id: Principal,
}

/// Canisters, actors and what is known of them.
#[derive(Debug)]
pub(crate) struct Cast {
    pub(crate) names: Names,
    pub(crate) canisters: Vec<Canister>,
    pub(crate) actors: Vec<Actor>,
    /// The `.did` file of each canister that has one.
    pub(crate) interfaces: Vec<Option<Interface>>,
}

/// Reads `[canister.*]` and `[actor.*]`.
pub(crate) fn read(root: &Table<'_>) -> Result<Cast, ScenarioError> {
    let canisters = root.named_tables("canister", MEMBERS_MAX)?;
    let actors = root.named_tables("actor", MEMBERS_MAX)?;
    if canisters.is_empty() {
        return Err(
            root.error("a scenario needs a canister, for example `[canister.vault]` with `wasm = \"vault.wasm\"`")
        );
    }
    let mut names = Names::default();
    read_canister_ids(&canisters, &mut names)?;
    for (name, table) in &actors {
        check_name(name.value).map_err(|problem| name.error(problem))?;
        if names.canister(name.value).is_ok() {
            let text = format!("`{0}` is a canister too; rename `[actor.{0}]`", name.value);
            return Err(name.error(text));
        }
        table.check_keys(&["principal"], &[])?;
        let id = actor_id(name.value, table.text("principal")?, &names)?;
        names.actors.push((name.value.to_string(), id));
    }
    let mut cast = Cast {
        canisters: Vec::new(),
        actors: names.actors.iter().map(|(name, id)| Actor { name: name.clone(), id: *id }).collect(),
        interfaces: Vec::new(),
        names,
    };
    for (name, table) in &canisters {
        let (canister, interface) = read_canister(name, table, &cast.names)?;
        cast.canisters.push(canister);
        cast.interfaces.push(interface);
    }
    Ok(cast)
}

fn read_canister_ids(canisters: &[(Text<'_>, Table<'_>)], names: &mut Names) -> Result<(), ScenarioError> {
    let mut automatic = 0;
    for (name, table) in canisters {
        check_name(name.value).map_err(|problem| name.error(problem))?;
        table.check_keys(CANISTER_KEYS, CANISTER_KEYS_LATER)?;
        let text = table.text("id")?;
        let id = match &text {
            Some(text) => canister_id(text)?,
            None => {
                automatic += 1;
                automatic_canister_id(automatic - 1)
            }
        };
        if let Some((other, _)) = names.canisters.iter().find(|(_, other)| *other == id) {
            let problem = format!(
                "the canisters `{other}` and `{}` have one id, {id}; give one of them another `id`",
                name.value
            );
            return Err(text.as_ref().unwrap_or(name).error(problem));
        }
        names.canisters.push((name.value.to_string(), id));
    }
    Ok(())
}

fn canister_id(text: &Text<'_>) -> Result<Principal, ScenarioError> {
    let id = Principal::from_text(text.value)
        .map_err(|error| text.error(format!("`{}` is not a canister id: {error}", shorten(text.value))))?;
    if id == Principal::management_canister() || id == Principal::anonymous() {
        return Err(text.error(format!("`{id}` cannot be the id of a canister; remove `id` for an automatic one")));
    }
    Ok(id)
}

fn actor_id(name: &str, principal: Option<Text<'_>>, names: &Names) -> Result<Principal, ScenarioError> {
    let Some(text) = principal else {
        return Ok(automatic_actor_id(name));
    };
    match text.value {
        "auto" => Ok(automatic_actor_id(name)),
        "anonymous" => Ok(Principal::anonymous()),
        other => named_or_written(
            &text,
            names,
            &format!("`{}` is neither \"auto\", \"anonymous\", a canister nor a principal", shorten(other)),
        ),
    }
}

fn named_or_written(text: &Text<'_>, names: &Names, problem: &str) -> Result<Principal, ScenarioError> {
    if let Ok(id) = names.principal(text.value) {
        return Ok(id);
    }
    Principal::from_text(text.value).map_err(|_| {
        let known = names.actors.iter().chain(&names.canisters).map(|(name, _)| name.as_str());
        text.error(format!("{problem}{}", hint(text.value, known)))
    })
}

fn read_canister(
    name: &Text<'_>,
    table: &Table<'_>,
    names: &Names,
) -> Result<(Canister, Option<Interface>), ScenarioError> {
    let id = names.principal(name.value).map_err(|problem| name.error(problem))?;
    let code = read_code(name, table, names)?;
    let interface = match table.text("did")? {
        Some(did) => Some(Interface::read(&beside(table, did.value)).map_err(|problem| did.error(problem))?),
        None => None,
    };
    let init = match table.text("init")? {
        Some(init) => candid_text::encode(&init, names, interface.as_ref().and_then(Interface::init))?,
        None => candid_text::no_arguments(),
    };
    let mut controllers = Vec::new();
    for controller in table.texts("controllers", MEMBERS_MAX)?.unwrap_or_default() {
        let problem = format!("`{}` is neither an actor, a canister nor a principal", shorten(controller.value));
        controllers.push(named_or_written(&controller, names, &problem)?);
    }
    let canister = Canister {
        name: name.value.to_string(),
        id,
        code,
        init,
        controllers,
        wasm_memory_limit: table.integer("wasm_memory_limit", 0..=u32::MAX)?,
        wasm_memory_threshold: table.integer("wasm_memory_threshold", 0..=u32::MAX)?,
    };
    Ok((canister, interface))
}

/// What a canister runs: `wasm`, or `builtin` with the `replies` of a stub.
fn read_code(name: &Text<'_>, table: &Table<'_>, names: &Names) -> Result<Code, ScenarioError> {
    let replies = table.table("replies")?;
    if let Some(builtin) = table.text("builtin")? {
        if let Some(wasm) = table.text("wasm")? {
            return Err(wasm.error("a canister has either `wasm` or `builtin`; remove one"));
        }
        return match builtin.value {
            "stub" => {
                let mut coded = BTreeMap::new();
                for (method, reply) in
                    replies.map_or_else(|| Ok(Vec::new()), |table: Table<'_>| table.all_texts(REPLIES_MAX))?
                {
                    coded.insert(method.value.to_string(), candid_text::encode(&reply, names, None)?);
                }
                Ok(Code::Stub(coded))
            }
            "icrc1-ledger" => match replies {
                Some(replies) => Err(replies.error("only a stub has `replies`; remove them")),
                None => Ok(Code::Icrc1Ledger),
            },
            other => {
                let text = format!("there is no built-in `{}`; there are {}", shorten(other), BUILTINS.join(", "));
                Err(builtin.error(text))
            }
        };
    }
    if let Some(replies) = replies {
        return Err(replies.error("`replies` belong to a canister with `builtin = \"stub\"`"));
    }
    let wasm = table.required_text("wasm", &format!("\"{}.wasm\"", name.value))?;
    if wasm.value.trim().is_empty() {
        return Err(wasm.error("`wasm` is empty; write the path of the canister's module"));
    }
    Ok(Code::Wasm(beside(table, wasm.value)))
}

/// A path of the file, relative to the folder of the scenario.
pub(crate) fn beside(table: &Table<'_>, path: &str) -> PathBuf {
    table.source.file.parent().unwrap_or(Path::new("")).join(path)
}
