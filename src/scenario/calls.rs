//! Calls of a scenario: those of the setup, those explored, and the queries that observe.
//!
//! Each names a canister and a method and carries encoded arguments, checked against the canister's `did` if it has one.

use std::collections::BTreeSet;

use candid::Principal;

use super::candid_text;
use super::capture::{self, Capture};
use super::cast::Cast;
use super::document::{Table, Text};
use super::error::ScenarioError;
use super::expr::Reply;
use super::generator::{self, VARIANTS_MAX};
use super::load::CALLS_MAX;
use super::names::{check_identifier, check_name};
use super::path::ValuePath;
use super::template::{Template, too_many};

/// Most setup calls, and most observations.
const ITEMS_MAX: usize = 256;
/// Most texts of `expect_err`.
const REFUSALS_MAX: usize = 64;
/// Longest method name.
const METHOD_MAX: usize = 200;

pub(crate) const CALL_KEYS: &[&str] =
    &["id", "to", "method", "by", "args", "gen", "capture", "max", "after", "expect_err"];

/// A call made before the exploration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetupCall {
    /// Index of the canister called.
    pub canister: usize,
    /// The method.
    pub method: String,
    /// The caller: an actor or a canister.
    pub by: Principal,
    /// Candid bytes of the arguments; empty where there is a template.
    pub args: Vec<u8>,
    /// How the arguments are made of values that earlier calls captured.
    pub template: Option<Template>,
    /// What is taken out of the reply.
    pub captures: Vec<Capture>,
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
    /// Candid bytes of the arguments; empty where there is a template.
    pub args: Vec<u8>,
    /// How the arguments are made of values that setup calls captured.
    pub template: Option<Template>,
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
    /// Candid bytes of the arguments; empty where there is a template.
    pub args: Vec<u8>,
    /// How the arguments are made of generated and captured values, at the start of the call.
    pub template: Option<Template>,
    /// What is taken out of replies.
    pub captures: Vec<Capture>,
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
    // Timers and heartbeats run by themselves.
    let explore = root.table("explore")?;
    let has_tasks = |explore: &Table<'_>| explore.has("heartbeats") || explore.has("timers");
    if tables.is_empty() && !root.has("time") && !explore.as_ref().is_some_and(has_tasks) {
        return Err(root.error("nothing to explore: add a `[[call]]` with `id`, `to`, `method` and `by`"));
    }
    for table in &tables {
        table.check_keys(CALL_KEYS, &[])?;
        let id = table.required_text("id", "\"withdraw\"")?;
        check_name(id.value).map_err(|problem| id.error(problem))?;
        if cast.names.call(id.value).is_ok() {
            return Err(id.error(format!("there is another call `{}`; give one of them another `id`", id.value)));
        }
        cast.names.calls.push(id.value.to_string());
        cast.names.refusals.push(refusals(table)?);
        let captures = capture::read(table, &cast.names)?;
        cast.captured_by_calls.extend(captures.into_iter().map(|capture| capture.name));
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
pub(crate) fn setup(root: &Table<'_>, cast: &mut Cast) -> Result<Vec<SetupCall>, ScenarioError> {
    let read = |table: Table<'_>| {
        table.check_keys(&["to", "method", "by", "args", "capture"], &[])?;
        let target = Target::read(&table, "to", "method", cast)?;
        let by = table.required_text("by", "\"alice\"")?;
        let by = cast.names.principal(by.value).map_err(|problem| by.error(problem))?;
        let captures = capture::read(&table, &cast.names)?;
        cast.captured.extend(captures.iter().map(|capture| capture.name.clone()));
        let Target { canister, method, args, template, .. } = target;
        Ok(SetupCall { canister, method, by, args, template, captures })
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
        let Target { canister, method, args, template, .. } = target;
        Ok(Observation {
            name: name.value.to_string(),
            canister,
            method,
            is_update,
            args,
            template,
            path,
            line: table.line(),
        })
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
        let captures = capture::read(table, &cast.names)?;
        let Target { canister, method, args, args_text, template, .. } = target;
        let (id, line, expect_err) = (id.clone(), table.line(), cast.names.refusals[calls.len()].clone());
        calls.push(CallEntry {
            id,
            canister,
            method,
            by,
            args,
            template,
            captures,
            args_text,
            max,
            after,
            expect_err,
            line,
        });
    }
    check_cycles(tables, &calls)?;
    check_captures(tables, &calls, cast)?;
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

/// A call that needs a value must not be the only way to it, or it never starts.
fn check_captures(tables: &[Table<'_>], calls: &[CallEntry], cast: &Cast) -> Result<(), ScenarioError> {
    let mut given: BTreeSet<&str> = cast.captured.iter().map(String::as_str).collect();
    let missing = |given: &BTreeSet<&str>, call: &CallEntry| {
        let needed = call.template.iter().flat_map(Template::captured);
        needed.into_iter().find(|name| !given.contains(name.as_str())).cloned()
    };
    loop {
        let start = calls.iter().filter(|call| missing(&given, call).is_none());
        let more: Vec<&str> = start.flat_map(|call| &call.captures).map(|capture| capture.name.as_str()).collect();
        let known = given.len();
        given.extend(more);
        if given.len() == known {
            break;
        }
    }
    for (table, call) in tables.iter().zip(calls) {
        if let Some(name) = missing(&given, call) {
            let text = format!("the call never starts: `{name}` is captured only by calls that need it first");
            return Err(table.error_at_key("args", text));
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
    /// In place of `args`, if these depend on generated or captured values.
    template: Option<Template>,
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
        let written = table.text("args")?;
        let template = Target::template(table, cast, canister, method.value, written.as_ref())?;
        let (args, args_text) = match (&template, written) {
            (Some(_), written) => (Vec::new(), written.map_or(WHOLE, |text| text.value)),
            (None, Some(text)) => (candid_text::encode(&text, &cast.names, signature)?, text.value),
            (None, None) => (candid_text::default_arguments(signature).map_err(|problem| method.error(problem))?, "()"),
        };
        let (method, args_text) = (method.value.to_string(), args_text.to_string());
        Ok(Target { canister, method, args, args_text, template, is_query })
    }

    /// How the arguments are made, if they depend on generated or captured values.
    fn template(
        table: &Table<'_>,
        cast: &Cast,
        canister: usize,
        method: &str,
        written: Option<&Text<'_>>,
    ) -> Result<Option<Template>, ScenarioError> {
        let is_call = table.has("id");
        let types = cast.interfaces[canister].as_ref().map(|did| did.kept(method));
        let name = &cast.names.canisters[canister].0;
        let generators = generator::read(table, &cast.names, types.as_ref(), name, written.is_some())?;
        let mut captured = cast.captured.clone();
        if is_call {
            captured.extend(cast.captured_by_calls.iter().cloned());
        } else if let Some(text) = written {
            one_value_each(text, cast)?;
        }
        if let Some(both) = generators.iter().find(|generator| captured.contains(&generator.name)) {
            let text = format!("`{0}` is also captured; rename `gen.{0}`", both.name);
            return Err(table.error_at_key("gen", text));
        }
        let (text, place) = match written {
            Some(text) => (text.value, table.place_of("args")),
            None => (WHOLE, table.place_of("gen")),
        };
        let is_used = !generators.is_empty();
        let template = Template::new(text, &cast.names, types, generators, &captured, place);
        if !is_used && template.captured().is_empty() {
            return Ok(None);
        }
        if let Some(unused) = template.unused() {
            let text = format!("`gen.{unused}` is not used; write `${{{unused}}}` in `args`, or remove it");
            return Err(table.error_at_key("gen", text));
        }
        if template.count() > VARIANTS_MAX {
            return Err(table.error_at_key("gen", too_many(template.count())));
        }
        template.check().map_err(|(offset, problem)| match written {
            Some(text) => text.error_at(offset, problem),
            None => table.error_at_key("gen", problem),
        })?;
        Ok(Some(template))
    }
}

/// The text of arguments that are generated as a whole.
const WHOLE: &str = "${args}";

/// Refuses captured values that a setup call or an observation cannot have: it is made once, with one value.
fn one_value_each(text: &Text<'_>, cast: &Cast) -> Result<(), ScenarioError> {
    for name in candid_text::names_used(text.value) {
        let by_setup = cast.captured.iter().filter(|other| **other == name).count();
        if by_setup > 1 {
            let problem =
                format!("`{name}` is captured more than once, and one value is needed here; rename one of them");
            return Err(text.error(problem));
        }
        if by_setup == 0 && cast.captured_by_calls.contains(&name) {
            return Err(text.error(format!("`{name}` is captured by a call; only calls can use it")));
        }
    }
    Ok(())
}

/// Refuses an empty or an overlong method name; the IC allows any other text.
pub(crate) fn check_method(method: &str) -> Result<(), String> {
    if method.is_empty() || method.len() > METHOD_MAX {
        return Err(format!("a method name has 1 to {METHOD_MAX} bytes"));
    }
    Ok(())
}
