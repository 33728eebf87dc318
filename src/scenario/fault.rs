//! Faults that the exploration may inject, each on one edge between two canisters.
//!
//! `unknown_dropped`, `unknown_running`, `unknown_executed` and `unknown_late` are other names of `sys_unknown`: the step
//! is the same, and what the callee did until then follows from the order of deliveries.

use super::calls::check_method;
use super::cast::Cast;
use super::document::{Table, Text};
use super::error::ScenarioError;
use super::load::FAULTS_MAX;
use super::suggest::{hint, shorten};

/// Most `[[fault]]`, and most kinds of one.
const ITEMS_MAX: usize = 64;
/// Most faults: a request keeps the ones that match it as bits of 32.
const TABLES_MAX: usize = 32;

const KINDS: &[(&str, FaultKind)] = &[
    ("clean_reject", FaultKind::CleanReject { code: 2 }),
    ("clean_reject_1", FaultKind::CleanReject { code: 1 }),
    ("clean_reject_2", FaultKind::CleanReject { code: 2 }),
    ("clean_reject_3", FaultKind::CleanReject { code: 3 }),
    ("sys_unknown", FaultKind::Unknown),
    ("unknown_dropped", FaultKind::Unknown),
    ("unknown_running", FaultKind::Unknown),
    ("unknown_executed", FaultKind::Unknown),
    ("unknown_late", FaultKind::Unknown),
];
const KINDS_LATER: &[&str] = &[
    "business_err",
    "perform_failed",
    "never_reply",
    "lie",
    "reenter",
    "trap",
    "stop_upgrade_start",
    "upgrade_no_stop",
];
const KEYS_LATER: &[&str] = &["at", "business_err", "lie", "reenter"];

/// Something that may go wrong with calls of one method from one canister to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Index of the calling canister.
    pub caller: usize,
    /// Index of the canister called; may be the caller itself.
    pub callee: usize,
    /// The method called.
    pub method: String,
    /// What may happen; at least one kind, none twice.
    pub kinds: Vec<FaultKind>,
    /// How often on one path, over all kinds together; 1 to 8.
    pub budget: u32,
    /// Line of the file, from 1.
    pub line: usize,
}

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// The callee never sees the request, and the caller gets a reject.
    CleanReject {
        /// Reject code: 1, 2 or 3.
        code: u8,
    },
    /// The caller gets SYS_UNKNOWN (code 6); the callee may or may not execute the request, before or after that.
    Unknown,
}

/// Reads `[[fault]]`.
pub(crate) fn read(root: &Table<'_>, cast: &Cast) -> Result<Vec<Fault>, ScenarioError> {
    root.array_of_tables("fault", TABLES_MAX)?.iter().map(|table| fault(table, cast)).collect()
}

fn fault(table: &Table<'_>, cast: &Cast) -> Result<Fault, ScenarioError> {
    table.check_keys(&["edge", "kinds", "budget"], KEYS_LATER)?;
    let edge = table.required_text("edge", "\"vault -> ledger.icrc1_transfer\"")?;
    let (caller, callee, method) = read_edge(&edge, cast)?;
    let example = "[\"clean_reject\"]";
    let texts = table.texts("kinds", ITEMS_MAX)?.ok_or_else(|| table.missing("kinds", example))?;
    let mut kinds = Vec::new();
    for text in &texts {
        let kind = kind(text)?;
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    if kinds.is_empty() {
        return Err(table.error_at_key("kinds", format!("`kinds` is empty; for example `kinds = {example}`")));
    }
    let budget = table.integer("budget", 1..=FAULTS_MAX)?.unwrap_or(1);
    Ok(Fault { caller, callee, method, kinds, budget, line: table.line() })
}

/// `caller -> callee.method`; canister names have no dot, so the first dot ends the callee.
fn read_edge(edge: &Text<'_>, cast: &Cast) -> Result<(usize, usize, String), ScenarioError> {
    let parts = edge.value.split_once("->").and_then(|(caller, rest)| Some((caller, rest.split_once('.')?)));
    let Some((caller, (callee, method))) = parts else {
        let text = format!("`{}` is not an edge; write `caller -> callee.method`", shorten(edge.value));
        return Err(edge.error(text));
    };
    let canister = |part: &str, from: usize| {
        let place = from + part.len() - part.trim_start().len();
        cast.names.canister(part.trim()).map_err(|problem| edge.error_at(place, problem))
    };
    let method = method.trim();
    check_method(method).map_err(|problem| edge.error(problem))?;
    let callee = (callee, caller.len() + 2);
    Ok((canister(caller, 0)?, canister(callee.0, callee.1)?, method.to_string()))
}

fn kind(text: &Text<'_>) -> Result<FaultKind, ScenarioError> {
    if let Some((_, kind)) = KINDS.iter().find(|(name, _)| *name == text.value) {
        return Ok(*kind);
    }
    if KINDS_LATER.contains(&text.value) {
        return Err(text.error(format!("the fault `{}` is not offered yet; remove it", text.value)));
    }
    let known = KINDS.iter().map(|(name, _)| *name).chain(KINDS_LATER.iter().copied());
    Err(text.error(format!("unknown fault `{}`{}", shorten(text.value), hint(text.value, known))))
}
