//! Faults that the exploration may inject: on an edge between two canisters, in callbacks, or on a canister as a whole.
//!
//! `unknown_dropped`, `unknown_running`, `unknown_executed` and `unknown_late` are other names of `sys_unknown`: the step
//! is the same, and what the callee did until then follows from the order of deliveries.

use std::path::PathBuf;

use super::calls::check_method;
use super::candid_text;
use super::cast::{self, Cast};
use super::document::{Table, Text};
use super::error::ScenarioError;
use super::load::FAULTS_MAX;
use super::suggest::{hint, shorten};

/// Most kinds of one `[[fault]]`.
const ITEMS_MAX: usize = 64;
/// Most faults: a request keeps the ones that match it as bits of 32.
const TABLES_MAX: usize = 32;

/// Where a kind of fault can strike.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Where {
    Edge,
    Callback,
    Canister,
}

pub(crate) const KINDS: &[(&str, FaultKind, Where)] = &[
    ("clean_reject", FaultKind::Reject { code: 2 }, Where::Edge),
    ("clean_reject_1", FaultKind::Reject { code: 1 }, Where::Edge),
    ("clean_reject_2", FaultKind::Reject { code: 2 }, Where::Edge),
    ("clean_reject_3", FaultKind::Reject { code: 3 }, Where::Edge),
    ("canister_error", FaultKind::Reject { code: 5 }, Where::Edge),
    ("sys_unknown", FaultKind::Unknown, Where::Edge),
    ("unknown_dropped", FaultKind::Unknown, Where::Edge),
    ("unknown_running", FaultKind::Unknown, Where::Edge),
    ("unknown_executed", FaultKind::Unknown, Where::Edge),
    ("unknown_late", FaultKind::Unknown, Where::Edge),
    ("business_err", FaultKind::BusinessError, Where::Edge),
    ("lie", FaultKind::Lie, Where::Edge),
    ("perform_failed", FaultKind::PerformFailed, Where::Edge),
    ("trap", FaultKind::Trap, Where::Callback),
    ("stop", FaultKind::Stop, Where::Canister),
    ("stop_start", FaultKind::StopStart, Where::Canister),
    ("stop_upgrade_start", FaultKind::StopUpgradeStart, Where::Canister),
    ("upgrade_no_stop", FaultKind::UpgradeNoStop, Where::Canister),
    ("reinstall", FaultKind::Reinstall, Where::Canister),
    ("uninstall", FaultKind::Uninstall, Where::Canister),
    ("snapshot_load", FaultKind::SnapshotLoad, Where::Canister),
];
const KINDS_LATER: &[&str] = &["never_reply", "reenter"];
pub(crate) const KEYS: &[&str] = &["edge", "at", "kinds", "budget", "business_err", "lie", "wasm", "arg"];
const KEYS_LATER: &[&str] = &["reenter"];

/// Kinds that install a module.
const INSTALLS: [FaultKind; 3] = [FaultKind::StopUpgradeStart, FaultKind::UpgradeNoStop, FaultKind::Reinstall];
/// Kinds that stop a canister in order to start it again.
const RESTARTS: [FaultKind; 2] = [FaultKind::StopStart, FaultKind::StopUpgradeStart];

/// Names of the management canister as the receiver of an edge.
const MANAGEMENT: [&str; 2] = ["management", "aaaaa-aa"];

/// Something that may go wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub place: FaultPlace,
    /// What may happen; at least one kind, none twice.
    pub kinds: Vec<FaultKind>,
    /// Candid bytes that `business_err` answers with.
    pub business_error: Option<Vec<u8>>,
    /// Candid bytes that `lie` answers with.
    pub lie: Option<Vec<u8>>,
    /// The module of an upgrade or a reinstallation, its path resolved against the scenario's folder; the canister's own if
    /// there is none.
    pub wasm: Option<PathBuf>,
    /// Candid bytes of its argument.
    pub arg: Vec<u8>,
    /// How often on one path, over all kinds together; 1 to 8.
    pub budget: u32,
    /// Line of the file, from 1.
    pub line: usize,
}

impl Fault {
    fn installs(&self) -> bool {
        self.kinds.iter().any(|kind| INSTALLS.contains(kind))
    }
}

/// Where a fault strikes; canisters by position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultPlace {
    /// Calls of one method from one canister to another.
    Edge {
        /// The calling canister.
        caller: usize,
        /// The canister called, may be the caller itself; `None` for the management canister.
        callee: Option<usize>,
        /// The method called.
        method: String,
    },
    /// Callbacks of this canister.
    Callback(usize),
    /// This canister as a whole.
    Canister(usize),
}

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// The callee never sees the request, and the caller gets a reject.
    Reject {
        /// Reject code: 1, 2 or 3, which are clean, or 5.
        code: u8,
    },
    /// The caller gets SYS_UNKNOWN (code 6); the callee may or may not execute the request, before or after that.
    Unknown,
    /// The callee answers with an error of its own and does nothing.
    BusinessError,
    /// The callee answers with a reply and does nothing.
    Lie,
    /// `call_perform` fails: the call is not made.
    PerformFailed,
    /// A callback traps.
    Trap,
    /// The canister stops for good.
    Stop,
    /// It stops, and is started again at any time later.
    StopStart,
    /// It stops; when it has stopped it is upgraded and started.
    StopUpgradeStart,
    /// It is upgraded while calls are in flight.
    UpgradeNoStop,
    /// It is installed anew while calls are in flight.
    Reinstall,
    /// Its module is removed.
    Uninstall,
    /// A snapshot is taken, and loaded at any time later.
    SnapshotLoad,
}

/// Reads `[[fault]]`.
pub(crate) fn read(root: &Table<'_>, cast: &Cast) -> Result<Vec<Fault>, ScenarioError> {
    let tables = root.array_of_tables("fault", TABLES_MAX)?;
    let mut faults: Vec<Fault> = Vec::new();
    for table in &tables {
        let fault = fault(table, cast)?;
        if let Some((key, other)) = faults.iter().find_map(|other| Some((conflict(&fault, other)?, other))) {
            let text = format!(
                "the fault in line {} strikes at the same place with another `{key}`, and only one of them would be tried; \
                 write a scenario for each",
                other.line
            );
            return Err(table.error_at_key(key, text));
        }
        faults.push(fault);
    }
    Ok(faults)
}

/// A key with which two faults would do different things as one and the same step.
fn conflict(a: &Fault, b: &Fault) -> Option<&'static str> {
    if a.place != b.place {
        return None;
    }
    let differ = |x: &Option<Vec<u8>>, y: &Option<Vec<u8>>| x.is_some() && y.is_some() && x != y;
    let both_install = a.installs() && b.installs();
    [
        ("business_err", differ(&a.business_error, &b.business_error)),
        ("lie", differ(&a.lie, &b.lie)),
        ("wasm", both_install && a.wasm != b.wasm),
        ("arg", both_install && a.arg != b.arg),
    ]
    .into_iter()
    .find_map(|(key, conflicts)| conflicts.then_some(key))
}

fn fault(table: &Table<'_>, cast: &Cast) -> Result<Fault, ScenarioError> {
    table.check_keys(KEYS, KEYS_LATER)?;
    let (place, wanted) = match (table.text("edge")?, table.text("at")?) {
        (Some(_), Some(at)) => return Err(at.error("a fault has either `edge` or `at`; remove one")),
        (None, Some(at)) => read_at(&at, cast)?,
        (Some(edge), None) => (read_edge(&edge, edge.value, cast)?, Where::Edge),
        (None, None) => return Err(table.missing("edge", "\"vault -> ledger.icrc1_transfer\"")),
    };
    let kinds = read_kinds(table, wanted)?;
    let scripted = |key: &str, kind: FaultKind| match (table.text(key)?, kinds.contains(&kind)) {
        (Some(text), true) => candid_text::encode(&text, &cast.names, None).map(Some),
        (Some(text), false) => Err(text.error(format!("`{key}` needs \"{key}\" among the `kinds`"))),
        (None, true) => Err(table.missing(key, "'(variant { Err = \"busy\" })'")),
        (None, false) => Ok(None),
    };
    if !kinds.iter().any(|kind| INSTALLS.contains(kind)) {
        for key in ["wasm", "arg"] {
            if let Some(text) = table.text(key)? {
                return Err(text.error(format!("`{key}` belongs to a fault that upgrades or reinstalls")));
            }
        }
    }
    Ok(Fault {
        place,
        business_error: scripted("business_err", FaultKind::BusinessError)?,
        lie: scripted("lie", FaultKind::Lie)?,
        wasm: table.text("wasm")?.map(|wasm| cast::beside(table, wasm.value)),
        arg: match table.text("arg")? {
            Some(arg) => candid_text::encode(&arg, &cast.names, None)?,
            None => candid_text::no_arguments(),
        },
        kinds,
        budget: table.integer("budget", 1..=FAULTS_MAX)?.unwrap_or(1),
        line: table.line(),
    })
}

fn read_kinds(table: &Table<'_>, wanted: Where) -> Result<Vec<FaultKind>, ScenarioError> {
    let example = match wanted {
        Where::Edge => "[\"clean_reject\"]",
        Where::Callback => "[\"trap\"]",
        Where::Canister => "[\"stop_upgrade_start\"]",
    };
    let texts = table.texts("kinds", ITEMS_MAX)?.ok_or_else(|| table.missing("kinds", example))?;
    let mut kinds = Vec::new();
    for text in &texts {
        let kind = kind(text, wanted)?;
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    if kinds.contains(&FaultKind::Stop) && kinds.iter().any(|kind| RESTARTS.contains(kind)) {
        let text =
            "`stop` is for good and cannot stand beside a kind that starts the canister again; write two scenarios";
        return Err(table.error_at_key("kinds", text));
    }
    if kinds.is_empty() {
        return Err(table.error_at_key("kinds", format!("`kinds` is empty; for example `kinds = {example}`")));
    }
    Ok(kinds)
}

/// `canister.callback`, or `canister.upgrade` and, to the same effect, the name of the canister alone.
fn read_at(at: &Text<'_>, cast: &Cast) -> Result<(FaultPlace, Where), ScenarioError> {
    let (canister, part) = at.value.split_once('.').unwrap_or((at.value, "upgrade"));
    let canister = cast.names.canister(canister.trim()).map_err(|problem| at.error(problem))?;
    match part.trim() {
        "callback" => Ok((FaultPlace::Callback(canister), Where::Callback)),
        "upgrade" => Ok((FaultPlace::Canister(canister), Where::Canister)),
        other => {
            let text = format!("unknown place `{}`; write `canister.callback` or `canister.upgrade`", shorten(other));
            Err(at.error(text))
        }
    }
}

/// `caller -> callee.method`, which `edge` is or begins with; canister names have no dot, so the first dot ends the callee.
pub(crate) fn read_edge(edge: &Text<'_>, value: &str, cast: &Cast) -> Result<FaultPlace, ScenarioError> {
    let parts = value.split_once("->").and_then(|(caller, rest)| Some((caller, rest.split_once('.')?)));
    let Some((caller, (callee, method))) = parts else {
        let text = format!("`{}` is not an edge; write `caller -> callee.method`", shorten(value));
        return Err(edge.error(text));
    };
    let canister = |part: &str, from: usize| {
        let place = from + part.len() - part.trim_start().len();
        cast.names.canister(part.trim()).map_err(|problem| edge.error_at(place, problem))
    };
    let method = method.trim();
    check_method(method).map_err(|problem| edge.error(problem))?;
    let at = caller.len() + 2;
    let caller = canister(caller, 0)?;
    let is_management = MANAGEMENT.contains(&callee.trim()) && cast.names.canister(callee.trim()).is_err();
    let callee = if is_management { None } else { Some(canister(callee, at)?) };
    Ok(FaultPlace::Edge { caller, callee, method: method.to_string() })
}

fn kind(text: &Text<'_>, wanted: Where) -> Result<FaultKind, ScenarioError> {
    if let Some((_, kind, place)) = KINDS.iter().find(|(name, _, _)| *name == text.value) {
        if *place == wanted {
            return Ok(*kind);
        }
        let place = match place {
            Where::Edge => "edge = \"vault -> ledger.icrc1_transfer\"",
            Where::Callback => "at = \"vault.callback\"",
            Where::Canister => "at = \"vault.upgrade\"",
        };
        return Err(text.error(format!("the fault `{}` belongs to another place, as in `{place}`", text.value)));
    }
    if KINDS_LATER.contains(&text.value) {
        return Err(text.error(format!("the fault `{}` is not offered yet; remove it", text.value)));
    }
    let known = KINDS.iter().map(|(name, _, _)| *name).chain(KINDS_LATER.iter().copied());
    Err(text.error(format!("unknown fault `{}`{}", shorten(text.value), hint(text.value, known))))
}
