//! Calls of a scenario: those of the setup, those explored, and the queries that observe.
//!
//! Each names a canister and a method and carries encoded arguments, checked against the canister's `did` if it has one.

use candid::Principal;

use super::candid_text;
use super::cast::Cast;
use super::document::{Table, Text};
use super::error::ScenarioError;
use super::expr::Reply;
use super::load::CALLS_MAX;
use super::names::{check_identifier, check_name};
use super::path::ValuePath;

/// Most setup calls, and most observations.
const ITEMS_MAX: usize = 256;
/// Most texts of `expect_err`.
const REFUSALS_MAX: usize = 64;
/// Longest method name.
const METHOD_MAX: usize = 200;

pub(crate) const CALL_KEYS: &[&str] = &["id", "to", "method", "by", "args", "max", "after", "expect_err"];
const CALL_KEYS_LATER: &[&str] = &["gen", "capture"];

/// A call made before the exploration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetupCall {
    /// Index of the canister called.
    pub canister: usize,
    /// The method.
    pub method: String,
    /// The caller: an actor or a canister.
    pub by: Principal,
    /// Candid bytes of the arguments.
    pub args: Vec<u8>,
}

/// A query, or an update on a copy of the state, whose reply is read in every world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Its name, an identifier of expressions.
    pub name: String,
    /// Index of the canister asked.
    pub canister: usize,
    /// The method.
    pub method: String,
    /// Whether it is called as an update; what it does is dropped.
    pub is_update: bool,
    /// Candid bytes of the arguments.
    pub args: Vec<u8>,
    /// Where in the reply the value is; the whole first value if absent.
    pub path: Option<ValuePath>,
    /// Line of the file, from 1.
    pub line: usize,
}

/// A call that is explored, as often as `max` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallEntry {
    /// Its id, for expressions, `after` and reports.
    pub id: String,
    /// Index of the canister called.
    pub canister: usize,
    /// The method.
    pub method: String,
    /// Indexes of the actors that call in turn; at least one.
    pub by: Vec<usize>,
    /// Candid bytes of the arguments.
    pub args: Vec<u8>,
    /// The arguments as the file has them.
    pub args_text: String,
    /// Number of instances, 1 to 64.
    pub max: u32,
    /// Index of the entry that must be answered before this one starts; these references have no cycle.
    pub after: Option<usize>,
    /// Texts that make an error answer a refusal, which is expected; none is empty.
    pub expect_err: Vec<String>,
    /// Line of the file, from 1.
    pub line: usize,
}

impl CallEntry {
    /// Whether this answer to the call is an error that the scenario expects.
    pub fn is_refusal(&self, reply: &Reply) -> bool {
        reply.is_refusal(&self.expect_err)
    }
}

/// Finds `[observe.*]` and makes their names known.
pub(crate) fn observation_tables<'a>(
    root: &Table<'a>,
    cast: &mut Cast,
) -> Result<Vec<(Text<'a>, Table<'a>)>, ScenarioError> {
    let tables = root.named_tables("observe", ITEMS_MAX)?;
    for (name, table) in &tables {
        check_identifier(name.value).map_err(|problem| name.error(problem))?;
        table.check_keys(&["from", "query", "update", "args", "path"], &[])?;
        if cast.names.principal(name.value).is_ok() {
            let text = format!("`{0}` is also an actor or a canister; rename `[observe.{0}]`", name.value);
            return Err(name.error(text));
        }
        cast.names.observations.push(name.value.to_string());
    }
    Ok(tables)
}

/// Finds `[[call]]` and makes their ids known.
pub(crate) fn call_tables<'a>(root: &Table<'a>, cast: &mut Cast) -> Result<Vec<Table<'a>>, ScenarioError> {
    let tables = root.array_of_tables("call", CALLS_MAX as usize)?;
    if tables.is_empty() {
        return Err(root.error("nothing to explore: add a `[[call]]` with `id`, `to`, `method` and `by`"));
    }
    for table in &tables {
        table.check_keys(CALL_KEYS, CALL_KEYS_LATER)?;
        let id = table.required_text("id", "\"withdraw\"")?;
        check_name(id.value).map_err(|problem| id.error(problem))?;
        if cast.names.call(id.value).is_ok() {
            return Err(id.error(format!("there is another call `{}`; give one of them another `id`", id.value)));
        }
        cast.names.calls.push(id.value.to_string());
        cast.names.refusals.push(refusals(table)?);
    }
    Ok(tables)
}

fn refusals(table: &Table<'_>) -> Result<Vec<String>, ScenarioError> {
    let Some(texts) = table.texts("expect_err", REFUSALS_MAX)? else { return Ok(Vec::new()) };
    if let Some(empty) = texts.iter().find(|text| text.value.is_empty()) {
        return Err(empty.error("every error contains the empty text; write a part of the errors that are expected"));
    }
    Ok(texts.iter().map(|text| text.value.to_string()).collect())
}

/// Reads `[[setup]]`.
pub(crate) fn setup(root: &Table<'_>, cast: &Cast) -> Result<Vec<SetupCall>, ScenarioError> {
    let read = |table: Table<'_>| {
        table.check_keys(&["to", "method", "by", "args"], &["capture"])?;
        let target = Target::read(&table, "to", "method", cast)?;
        let by = table.required_text("by", "\"alice\"")?;
        let by = cast.names.principal(by.value).map_err(|problem| by.error(problem))?;
        Ok(SetupCall { canister: target.canister, method: target.method, by, args: target.args })
    };
    root.array_of_tables("setup", ITEMS_MAX)?.into_iter().map(read).collect()
}

/// Reads the tables found by [`observation_tables`].
pub(crate) fn observations(tables: &[(Text<'_>, Table<'_>)], cast: &Cast) -> Result<Vec<Observation>, ScenarioError> {
    let read = |(name, table): &(Text<'_>, Table<'_>)| {
        if let (true, Some(update)) = (table.has("query"), table.text("update")?) {
            return Err(update.error("an observation has either `query` or `update`; remove one"));
        }
        let is_update = table.has("update");
        let key = if is_update { "update" } else { "query" };
        let target = Target::read(table, "from", key, cast)?;
        if target.is_query == Some(is_update) {
            return Err(table.error_at_key(key, observed_as(&target.method, is_update)));
        }
        let path = match table.text("path")? {
            Some(text) => {
                Some(ValuePath::parse(text.value).map_err(|(offset, problem)| text.error_at(offset, problem))?)
            }
            None => None,
        };
        let Target { canister, method, args, .. } = target;
        Ok(Observation { name: name.value.to_string(), canister, method, is_update, args, path, line: table.line() })
    };
    tables.iter().map(read).collect()
}

/// What is said of a method that is observed as what it is not.
pub(crate) fn observed_as(method: &str, is_update: bool) -> String {
    if is_update {
        format!("`{method}` is a query method; write `query = \"{method}\"`")
    } else {
        format!("`{method}` is not a query method; write `update = \"{method}\"`, which runs it on a copy of the state")
    }
}

/// Reads the tables found by [`call_tables`].
pub(crate) fn calls(tables: &[Table<'_>], cast: &Cast) -> Result<Vec<CallEntry>, ScenarioError> {
    let mut calls = Vec::new();
    let mut instances = 0;
    for (table, id) in tables.iter().zip(&cast.names.calls) {
        let target = Target::read(table, "to", "method", cast)?;
        let by = callers(table, cast)?;
        let max = table.integer("max", 1..=CALLS_MAX)?.unwrap_or(1);
        instances += max;
        if instances > CALLS_MAX {
            let text = format!("more than {CALLS_MAX} calls in all; lower the `max` of some");
            return Err(table.error_at_key("max", text));
        }
        let after = match table.text("after")? {
            Some(text) => Some(cast.names.call(text.value).map_err(|problem| text.error(problem))?),
            None => None,
        };
        let Target { canister, method, args, args_text, .. } = target;
        let (id, line, expect_err) = (id.clone(), table.line(), cast.names.refusals[calls.len()].clone());
        calls.push(CallEntry { id, canister, method, by, args, args_text, max, after, expect_err, line });
    }
    check_cycles(tables, &calls)?;
    Ok(calls)
}

fn callers(table: &Table<'_>, cast: &Cast) -> Result<Vec<usize>, ScenarioError> {
    let example = "[\"alice\"]";
    let texts = table.texts("by", CALLS_MAX as usize)?.ok_or_else(|| table.missing("by", example))?;
    if texts.is_empty() {
        return Err(table.error_at_key("by", format!("`by` is empty; name who calls, for example `by = {example}`")));
    }
    let actor = |text: &Text<'_>| {
        cast.names.actor(text.value).map_err(|problem| {
            let remedy = if cast.names.actors.is_empty() { "; add `[actor.alice]`" } else { "" };
            text.error(format!("{problem}{remedy}"))
        })
    };
    texts.iter().map(actor).collect()
}

/// Each entry waits for one other at most, so a cycle is a path that comes back.
fn check_cycles(tables: &[Table<'_>], calls: &[CallEntry]) -> Result<(), ScenarioError> {
    for (start, table) in tables.iter().enumerate() {
        let mut path = vec![calls[start].id.as_str()];
        let mut at = calls[start].after;
        while let Some(next) = at.filter(|_| path.len() <= calls.len()) {
            path.push(&calls[next].id);
            if next == start {
                let text = format!("`after` goes in a circle: {}; remove one of them", path.join(" after "));
                return Err(table.error_at_key("after", text));
            }
            at = calls[next].after;
        }
    }
    Ok(())
}

/// Canister, method and arguments.
struct Target {
    canister: usize,
    method: String,
    args: Vec<u8>,
    args_text: String,
    /// Whether the canister's `did` calls the method a query.
    is_query: Option<bool>,
}

impl Target {
    fn read(table: &Table<'_>, canister_key: &str, method_key: &str, cast: &Cast) -> Result<Target, ScenarioError> {
        let first = cast.names.canisters.first().map_or("vault", |(name, _)| name.as_str());
        let text = table.required_text(canister_key, &format!("\"{first}\""))?;
        let canister = cast.names.canister(text.value).map_err(|problem| text.error(problem))?;
        let method = table.required_text(method_key, "\"get_balance\"")?;
        check_method(method.value).map_err(|problem| method.error(problem))?;
        let (signature, is_query) = match &cast.interfaces[canister] {
            Some(did) => {
                let (signature, is_query) = did.method(method.value).map_err(|problem| method.error(problem))?;
                (Some(signature), Some(is_query))
            }
            None => (None, None),
        };
        let (args, args_text) = match table.text("args")? {
            Some(text) => (candid_text::encode(&text, &cast.names, signature)?, text.value),
            None => (candid_text::default_arguments(signature).map_err(|problem| method.error(problem))?, "()"),
        };
        Ok(Target { canister, method: method.value.to_string(), args, args_text: args_text.to_string(), is_query })
    }
}

/// Refuses an empty or an overlong method name; the IC allows any other text.
pub(crate) fn check_method(method: &str) -> Result<(), String> {
    if method.is_empty() || method.len() > METHOD_MAX {
        return Err(format!("a method name has 1 to {METHOD_MAX} bytes"));
    }
    Ok(())
}
