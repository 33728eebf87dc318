//! Ghosts: sums that the harness keeps of what really happened between two canisters.
//!
//! In: `[ghost.*]` of a file. Out: [`Ghost`]s, each of which says what a message on its edge makes of its sum. When a message
//! counts is decided by the kernel; left out: messages that come from outside, which are calls.

use candid::Principal;
use num_bigint::BigInt;

use super::cast::Cast;
use super::document::{Table, Text};
use super::error::ScenarioError;
use super::expr::{Expr, MessageView, Purpose};
use super::fault::{FaultPlace, read_edge};
use super::names::check_identifier;
use super::suggest::{hint, shorten};
use super::value::{Labels, Value};

/// Most `[ghost.*]`.
const TABLES_MAX: usize = 64;
pub(crate) const KEYS: &[&str] = &["on", "when", "add"];
/// The method that is answered long after it was executed, without a context that could tell.
const ANSWERED_LATE: &str = "stop_canister";

/// A sum over the messages on an edge; 0 at the start.
#[derive(Clone, Debug)]
pub struct Ghost {
    /// Its name, an identifier of expressions.
    pub name: String,
    /// The calling canister.
    pub caller: usize,
    /// The canister called; `None` for the management canister.
    pub callee: Option<usize>,
    /// The method called.
    pub method: String,
    /// Which moment of a message counts.
    pub at: GhostAt,
    /// Which messages count; all of them if absent.
    when: Option<Expr>,
    /// What each adds; 1 if absent.
    add: Option<Expr>,
    /// Line of the file, from 1.
    pub line: usize,
}

/// When a message counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GhostAt {
    /// When the callee has executed it and replied, and the reply is no error, whether or not the caller learns of it.
    Effect,
    /// When a reply that is no error is delivered to the caller's callback.
    Reply,
}

impl Ghost {
    /// The sum after a message that was replied to; `None` if it does not count. `arg` and `reply` are Candid bytes.
    ///
    /// A sum that could not be formed is [`Value::Failed`] and stays so.
    pub fn after(&self, sum: &Value, arg: &[u8], reply: &[u8], by: Principal, labels: &Labels) -> Option<Value> {
        let Value::Int(sum) = sum else { return None };
        let reply = Value::decode_with(reply, labels).unwrap_or_else(Value::Failed);
        if reply.is_err() {
            return None;
        }
        let args = Value::decode_args(arg, labels).unwrap_or_else(Value::Failed);
        let message = MessageView { args: &args, reply: &reply, by: &Value::Principal(by) };
        let failed =
            |key: &str, problem: String| Some(Value::Failed(format!("`{key}` of the ghost failed: {problem}")));
        match self.when.as_ref().map_or(Ok(true), |when| when.eval_message(&message)) {
            Ok(true) => {}
            Ok(false) => return None,
            Err(problem) => return failed("when", problem),
        }
        match self.add.as_ref().map_or(Ok(BigInt::from(1)), |add| add.number_of_message(&message)) {
            Ok(number) => Some(Value::Int(sum + number)),
            Err(problem) => failed("add", problem),
        }
    }

    /// Whether its expressions name this actor.
    pub(crate) fn names_actor(&self, name: &str) -> bool {
        self.when.iter().chain(&self.add).any(|expr| expr.names_actor(name))
    }

    /// Names of fields that its expressions follow.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &str> {
        self.when.iter().chain(&self.add).flat_map(|expr| expr.fields())
    }
}

/// Finds `[ghost.*]` and makes their names known, after those of the observations.
pub(crate) fn tables<'a>(root: &Table<'a>, cast: &mut Cast) -> Result<Vec<(Text<'a>, Table<'a>)>, ScenarioError> {
    let tables = root.named_tables("ghost", TABLES_MAX)?;
    for (name, table) in &tables {
        check_identifier(name.value).map_err(|problem| name.error(problem))?;
        table.check_keys(KEYS, &[])?;
        let what = match name.value {
            taken if cast.names.principal(taken).is_ok() => "an actor or a canister",
            taken if cast.names.observations.iter().any(|other| other == taken) => "an observation",
            _ => continue,
        };
        return Err(name.error(format!("`{0}` is also {what}; rename `[ghost.{0}]`", name.value)));
    }
    cast.names.observations.extend(tables.iter().map(|(name, _)| name.value.to_string()));
    Ok(tables)
}

/// Reads the tables found by [`tables`].
pub(crate) fn read(tables: &[(Text<'_>, Table<'_>)], cast: &Cast) -> Result<Vec<Ghost>, ScenarioError> {
    tables.iter().map(|(name, table)| ghost(name.value, table, cast)).collect()
}

fn ghost(name: &str, table: &Table<'_>, cast: &Cast) -> Result<Ghost, ScenarioError> {
    let example = "\"vault -> ledger.icrc1_transfer:effect\"";
    let on = table.required_text("on", example)?;
    let Some((edge, at)) = on.value.rsplit_once(':') else {
        let text = format!("`on` ends with `:effect` or `:reply`, for example `on = {example}`");
        return Err(on.error(text));
    };
    let at = match at {
        "effect" => GhostAt::Effect,
        "reply" => GhostAt::Reply,
        other => {
            let text = format!("`on` cannot end with `:{}`{}", shorten(other), hint(other, ["effect", "reply"]));
            return Err(on.error(text));
        }
    };
    let FaultPlace::Edge { caller, callee, method } = read_edge(&on, edge, cast)? else {
        unreachable!("bug in canloom: an edge is an edge")
    };
    if let Some(interface) = callee.and_then(|callee| cast.interfaces[callee].as_ref()) {
        interface.method(&method).map_err(|problem| on.error(problem))?;
    }
    if callee.is_none() && at == GhostAt::Effect && method == ANSWERED_LATE {
        let text = format!("`{ANSWERED_LATE}` is answered when the canister has stopped; count it with `:reply`");
        return Err(on.error(text));
    }
    let expr = |key: &str, purpose: Purpose| {
        let Some(text) = table.text(key)? else { return Ok(None) };
        let expr = Expr::parse_for(text.value, &cast.names, purpose);
        expr.map(Some).map_err(|error| text.error_at(error.offset, error.text))
    };
    let (when, add) = (expr("when", Purpose::When)?, expr("add", Purpose::Add)?);
    Ok(Ghost { name: name.to_string(), caller, callee, method, at, when, add, line: table.line() })
}
