//! The cast of a scenario: canisters and actors, their names and their principals.
//!
//! Ids are decided before any Candid is read, because arguments may name every canister and actor of the file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candid::Principal;

use super::builtin::{self, Builtin};
use super::candid_text;
use super::document::{Table, Text};
use super::error::ScenarioError;
use super::interface::{self, Interface};
use super::names::{Names, automatic_actor_id, automatic_canister_id, check_name};
use super::stub::{self, StubReplies};
use super::suggest::{hint, shorten};

/// Most canisters, and most actors.
const MEMBERS_MAX: usize = 64;

/// Most environment variables of a canister, and most bytes of a name and of a value.
const ENV_MAX: usize = 20;
const ENV_BYTES_MAX: usize = 128;

pub(crate) const CANISTER_KEYS: &[&str] = &[
    "wasm",
    "builtin",
    "replies",
    "id",
    "init",
    "controllers",
    "env",
    "did",
    "wasm_memory_limit",
    "wasm_memory_threshold",
];
const CANISTER_KEYS_LATER: &[&str] = &["mode"];

/// A canister that is installed before the setup calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canister {
    /// Its name in the file.
    pub name: String,
    /// Its id, from the file or as PocketIC would give it.
    pub id: Principal,
    /// Whether nothing but its place in the file decided its id.
    pub has_automatic_id: bool,
    /// What it runs.
    pub code: Code,
    /// Candid bytes of the init argument.
    pub init: Vec<u8>,
    /// Its controllers in file order; may be empty.
    pub controllers: Vec<Principal>,
    /// Its environment variables by name.
    pub env: BTreeMap<String, String>,
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
    /// A built-in that does with each method what the file says.
    Stub(StubReplies),
    /// A built-in token ledger after ICRC-1.
    Icrc1Ledger,
    /// A built-in token ledger after ICRC-1 and ICRC-2.
    Icrc2Ledger,
    /// The ICP ledger, built in.
    IcpLedger,
    /// The cycles minting canister, built in.
    Cmc,
    /// The exchange rate canister, built in.
    Xrc,
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
    /// Names of the values that setup calls capture, and those of calls, as often as they are captured.
    pub(crate) captured: Vec<String>,
    pub(crate) captured_by_calls: Vec<String>,
}

/// Reads `[canister.*]` and `[actor.*]`.
///
/// `ids` are taken instead of automatic ones, by the canister's name.
pub(crate) fn read(root: &Table<'_>, ids: &BTreeMap<String, Principal>) -> Result<Cast, ScenarioError> {
    let canisters = root.named_tables("canister", MEMBERS_MAX)?;
    let actors = root.named_tables("actor", MEMBERS_MAX)?;
    if canisters.is_empty() {
        return Err(
            root.error("a scenario needs a canister, for example `[canister.vault]` with `wasm = \"vault.wasm\"`")
        );
    }
    let mut names = Names::default();
    let automatic = read_canister_ids(&canisters, ids, &mut names)?;
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
        captured: Vec::new(),
        captured_by_calls: Vec::new(),
        names,
    };
    // Before any code is read: a stub may call a canister that stands below it.
    for (_, table) in &canisters {
        cast.interfaces.push(read_interface(table)?);
    }
    for ((name, table), has_automatic_id) in canisters.iter().zip(automatic) {
        let canister = read_canister(name, table, &cast.names, &cast.interfaces)?;
        cast.canisters.push(Canister { has_automatic_id, ..canister });
    }
    Ok(cast)
}

/// Gives each canister its id; says which of them are automatic.
fn read_canister_ids(
    canisters: &[(Text<'_>, Table<'_>)],
    ids: &BTreeMap<String, Principal>,
    names: &mut Names,
) -> Result<Vec<bool>, ScenarioError> {
    let mut automatic = Vec::with_capacity(canisters.len());
    for (name, table) in canisters {
        check_name(name.value).map_err(|problem| name.error(problem))?;
        table.check_keys(CANISTER_KEYS, CANISTER_KEYS_LATER)?;
        let text = table.text("id")?;
        let given = match (&text, read_builtin(table)?.and_then(|builtin| builtin.mainnet_id())) {
            (Some(text), _) => Some(canister_id(text)?),
            (None, mainnet) => mainnet,
        };
        automatic.push(given.is_none());
        let nth = automatic.iter().filter(|is_automatic| **is_automatic).count();
        let id =
            given.or_else(|| ids.get(name.value).copied()).unwrap_or_else(|| automatic_canister_id(nth as u64 - 1));
        if let Some((other, _)) = names.canisters.iter().find(|(_, other)| *other == id) {
            let problem = format!(
                "the canisters `{other}` and `{}` have one id, {id}; give one of them another `id`",
                name.value
            );
            return Err(text.as_ref().unwrap_or(name).error(problem));
        }
        names.canisters.push((name.value.to_string(), id));
    }
    Ok(automatic)
}

fn canister_id(text: &Text<'_>) -> Result<Principal, ScenarioError> {
    let id = Principal::from_text(text.value).map_err(|error| {
        text.error(format!(
            "`{}` is not a canister id: {}; write one as `rrkah-fqaaa-aaaaa-aaaaq-cai`, or remove `id`",
            shorten(text.value),
            error.to_string().trim_end_matches('.')
        ))
    })?;
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

/// The built-in that a canister is; `None` for wasm and stubs.
fn read_builtin(table: &Table<'_>) -> Result<Option<Builtin>, ScenarioError> {
    match table.text("builtin")? {
        Some(text) => builtin::find(text.value).map_err(|problem| text.error(problem)),
        None => Ok(None),
    }
}

fn read_interface(table: &Table<'_>) -> Result<Option<Interface>, ScenarioError> {
    match table.text("did")? {
        Some(did) => {
            let interface = Interface::read(&beside(table, did.value), &interface::FILE);
            interface.map(Some).map_err(|problem| did.error(problem))
        }
        None => Ok(read_builtin(table)?.map(|builtin| builtin.interface())),
    }
}

fn read_canister(
    name: &Text<'_>,
    table: &Table<'_>,
    names: &Names,
    interfaces: &[Option<Interface>],
) -> Result<Canister, ScenarioError> {
    let index = names.canister(name.value).map_err(|problem| name.error(problem))?;
    let code = read_code(name, table, names, interfaces)?;
    // A `did` may say less of a built-in than it knows of itself.
    let own = read_builtin(table)?.map(|builtin| builtin.interface());
    let interface = own.as_ref().or(interfaces[index].as_ref());
    let signature = interface.and_then(Interface::init);
    let init = match table.text("init")? {
        Some(init) => candid_text::encode(&init, names, signature)?,
        None => candid_text::no_arguments(),
    };
    let mut controllers = Vec::new();
    for controller in table.texts("controllers", MEMBERS_MAX)?.unwrap_or_default() {
        let problem = format!("`{}` is neither an actor, a canister nor a principal", shorten(controller.value));
        controllers.push(named_or_written(&controller, names, &problem)?);
    }
    Ok(Canister {
        name: name.value.to_string(),
        id: names.canisters[index].1,
        has_automatic_id: false,
        code,
        init,
        controllers,
        env: read_env(table, names)?,
        wasm_memory_limit: table.integer("wasm_memory_limit", 0..=u32::MAX)?,
        wasm_memory_threshold: table.integer("wasm_memory_threshold", 0..=u32::MAX)?,
    })
}

/// Environment variables, within the bounds of replicas (`MAX_ENVIRONMENT_VARIABLES` and the like in
/// `rs/config/src/execution_environment.rs`).
fn read_env(table: &Table<'_>, names: &Names) -> Result<BTreeMap<String, String>, ScenarioError> {
    let Some(variables) = table.table("env")? else { return Ok(BTreeMap::new()) };
    if table.has("builtin") {
        return Err(variables.error("a canister with `builtin` reads no environment variables; remove `env`"));
    }
    let mut env = BTreeMap::new();
    for (name, text) in variables.all_texts(ENV_MAX)? {
        if name.value.is_empty() {
            return Err(name.error("the name of an environment variable is empty; write one"));
        }
        let value = candid_text::filled(text.value, names);
        let value = value.map_err(|(offset, problem)| text.error_at(offset, problem))?;
        for (place, what, part) in [(&name, "name", name.value), (&text, "value", &value)] {
            if part.len() > ENV_BYTES_MAX {
                let length = part.len();
                let problem = format!(
                    "the {what} of an environment variable has {length} bytes, at most {ENV_BYTES_MAX} are possible; shorten it"
                );
                return Err(place.error(problem));
            }
        }
        env.insert(name.value.to_string(), value);
    }
    Ok(env)
}

/// What a canister runs: `wasm`, or `builtin` with the `replies` of a stub.
fn read_code(
    name: &Text<'_>,
    table: &Table<'_>,
    names: &Names,
    interfaces: &[Option<Interface>],
) -> Result<Code, ScenarioError> {
    let replies = table.table("replies")?;
    if table.has("builtin") {
        if let Some(wasm) = table.text("wasm")? {
            return Err(wasm.error("a canister has either `wasm` or `builtin`; remove one"));
        }
        return match (read_builtin(table)?, replies) {
            (None, Some(replies)) => stub::replies(&replies, names, interfaces).map(Code::Stub),
            (None, None) => Ok(Code::Stub(StubReplies::new())),
            (Some(_), Some(replies)) => Err(replies.error("only a stub has `replies`; remove them")),
            (Some(builtin), None) => Ok(builtin.code),
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
