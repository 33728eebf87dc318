//! What a stub does with a call: `[canister.NAME.replies]`.
//!
//! In: for each method a text, a table, or a list of these, which are for its calls in turn. Out: [`StubAnswer`]s with all
//! Candid encoded and canisters as indexes. Whether a method that is called exists is asked when canisters are installed.

use std::collections::BTreeMap;

use super::calls::check_method;
use super::candid_text;
use super::document::{Item, Table};
use super::error::ScenarioError;
use super::interface::Interface;
use super::names::Names;
use super::suggest::shorten;

/// Most methods that a stub answers.
const METHODS_MAX: usize = 256;
/// Most answers that a method has in turn.
const TURNS_MAX: usize = 256;

const KINDS: [&str; 4] = ["reject", "trap", "hold", "call"];
const EXAMPLE: &str =
    "`{ reject = \"text\" }`, `{ trap = \"text\" }`, `{ hold = true }` or `{ call = \"canister.method\" }`";

/// What a stub does with one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StubAnswer {
    /// Replies these Candid bytes.
    Reply(Vec<u8>),
    /// Rejects with code 4 and this text.
    Reject(String),
    /// Traps with this text.
    Trap(String),
    /// Never answers.
    Hold,
    /// Calls, and replies when the answer has come.
    Call(StubCall),
}

/// A call that a stub makes before it replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StubCall {
    /// Index of the canister called.
    pub canister: usize,
    /// The method.
    pub method: String,
    /// Candid bytes of the arguments.
    pub args: Vec<u8>,
    /// Candid bytes of the stub's own reply.
    pub then: Vec<u8>,
    /// Line of the file, from 1.
    pub line: usize,
}

/// Answers by method, each at least one: the first is for the method's first call, the last for all further ones.
pub type StubReplies = BTreeMap<String, Vec<StubAnswer>>;

/// Reads the `replies` of a stub.
pub(crate) fn replies(
    table: &Table<'_>,
    names: &Names,
    interfaces: &[Option<Interface>],
) -> Result<StubReplies, ScenarioError> {
    let mut replies = BTreeMap::new();
    for (method, item) in table.all_items(METHODS_MAX)? {
        check_method(method.value).map_err(|problem| method.error(problem))?;
        let turns = item.turns(TURNS_MAX)?;
        let answers = turns.iter().map(|turn| answer(turn, names, interfaces)).collect::<Result<Vec<_>, _>>()?;
        replies.insert(method.value.to_string(), answers);
    }
    Ok(replies)
}

fn answer(item: &Item<'_>, names: &Names, interfaces: &[Option<Interface>]) -> Result<StubAnswer, ScenarioError> {
    let table = match item {
        Item::Text(text) => return Ok(StubAnswer::Reply(candid_text::encode(text, names, None)?)),
        Item::Table(table) => table,
        Item::List(place, _) => return Err(place.error("a list in a list; write the answers in one list")),
    };
    table.check_keys(&["reject", "trap", "hold", "call", "args", "then"], &[])?;
    let kinds: Vec<&str> = KINDS.into_iter().filter(|kind| table.has(kind)).collect();
    let [kind] = kinds[..] else {
        let text = if kinds.is_empty() { "says nothing" } else { "says more than one thing" };
        return Err(table.error(format!("{} {text}; write a Candid text, {EXAMPLE}", table.what)));
    };
    if kind != "call"
        && let Some(key) = ["args", "then"].into_iter().find(|key| table.has(key))
    {
        return Err(table.error_at_key(key, format!("`{key}` belongs to `call`; remove it")));
    }
    Ok(match kind {
        "reject" => StubAnswer::Reject(table.required_text(kind, "\"text\"")?.value.to_string()),
        "trap" => StubAnswer::Trap(table.required_text(kind, "\"text\"")?.value.to_string()),
        "hold" if table.boolean(kind)? == Some(true) => StubAnswer::Hold,
        "hold" => return Err(table.error_at_key(kind, "`hold = false` says nothing; remove it")),
        _ => StubAnswer::Call(call(table, names, interfaces)?),
    })
}

fn call(table: &Table<'_>, names: &Names, interfaces: &[Option<Interface>]) -> Result<StubCall, ScenarioError> {
    let target = table.required_text("call", "\"vault.withdraw\"")?;
    let Some((canister, method)) = target.value.split_once('.') else {
        return Err(target.error(format!("`{}` is not a call; write `canister.method`", shorten(target.value))));
    };
    let canister = names.canister(canister.trim()).map_err(|problem| target.error(problem))?;
    let method = method.trim();
    check_method(method).map_err(|problem| target.error(problem))?;
    let signature = match &interfaces[canister] {
        Some(did) => Some(did.method(method).map_err(|problem| target.error(problem))?.0),
        None => None,
    };
    let args = match table.text("args")? {
        Some(text) => candid_text::encode(&text, names, signature)?,
        None => candid_text::default_arguments(signature).map_err(|problem| target.error(problem))?,
    };
    let then = match table.text("then")? {
        Some(text) => candid_text::encode(&text, names, None)?,
        None => candid_text::no_arguments(),
    };
    Ok(StubCall { canister, method: method.to_string(), args, then, line: target.line() })
}
