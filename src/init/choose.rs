//! What is proposed of all that was tried: calls, faults, time.
//!
//! In: what calls did. Out: [`Chosen`]. Calls that reach another canister come first, of each method the arguments with which
//! it gets furthest. What is observed, and what should balance, is decided in `observe`.

use std::time::Duration;

use crate::kernel::{MANAGEMENT, World};
use crate::scenario::{Labels, Value};
use crate::schedule::Task;

use super::draft::{ACTORS, Draft, Kind};
use super::observe::{self, Book, Observed};
use super::stand::{Sent, Stand, Try};
use super::survey::{Found, Known, Outcome, SLOW};

/// Most methods that are called, calls that can be made, and tables of faults.
const METHODS_MAX: usize = 4;
const INSTANCES_MAX: usize = 7;
const EDGES_MAX: usize = 5;
/// Methods beside those that await: what they change in between matters.
const FILLERS_MAX: usize = 2;
/// Longest time that is let pass.
const WAIT_MAX_S: u64 = 366 * 24 * 3600;

/// What is proposed.
pub(super) struct Chosen {
    pub(super) calls: Vec<Call>,
    pub(super) observed: Vec<Observed>,
    pub(super) edges: Vec<Edge>,
    /// Seconds after which a timer is due.
    pub(super) wait_s: Option<u64>,
    /// Whether a heartbeat calls another canister: then two of them can overlap.
    pub(super) heartbeats: bool,
    /// Update methods that nothing calls, and why.
    pub(super) left_out: Vec<(String, &'static str)>,
    /// Addresses that are asked.
    pub(super) urls: Vec<String>,
    pub(super) book: Option<Book>,
}

/// A call.
pub(super) struct Call {
    pub(super) id: String,
    pub(super) method: String,
    pub(super) args: String,
    pub(super) by: Vec<&'static str>,
    pub(super) max: usize,
    /// Whether it reaches another canister, by itself or by a timer or heartbeat after it.
    pub(super) reaches: bool,
    /// Whether it awaits another canister by itself.
    pub(super) awaits: bool,
}

/// Where a call between canisters may fail.
pub(super) struct Edge {
    pub(super) callee: String,
    pub(super) method: String,
    pub(super) is_bounded: bool,
    /// An error that the callee may answer with.
    pub(super) error: Option<&'static str>,
}

/// Chooses; the draft is that of what was found.
pub(super) fn choose(found: Found) -> (Draft, Chosen) {
    let Found { draft, queries, updates, known: Known { mut stand, outcomes: all }, .. } = found;
    let (draft, queries) = (&draft, queries.as_slice());
    let fits = |outcome: &Outcome| draft.is_settled(&outcome.call.args);
    let (mut outcomes, strays): (Vec<Outcome>, Vec<Outcome>) =
        all.into_iter().filter(fits).partition(|outcome| !outcome.tried.strays());
    if outcomes.is_empty() {
        outcomes = strays;
    }
    let first = stand.first();
    let sources = observe::sources(draft, queries);
    let book = observe::find_book(&mut stand, &sources, &first, &outcomes);
    let balances = |stand: &mut Stand, outcome: &Outcome| {
        book.as_ref().is_none_or(|book| book.is_equal(stand, &sources, outcome.tried.end()))
    };
    let mut methods: Vec<Vec<&Outcome>> = Vec::new();
    let mut fillers = 0;
    for of_method in ranked(&outcomes) {
        let best = of_method[0];
        if !best.tried.reaches() {
            let is_setup = draft.setup.iter().any(|setup| setup.method == best.call.method);
            let is_useful = (best.changes && !is_setup || methods.is_empty()) && balances(&mut stand, best);
            if !is_useful || fillers == FILLERS_MAX {
                continue;
            }
            fillers += 1;
        }
        methods.push(of_method);
        if methods.len() == METHODS_MAX {
            break;
        }
    }
    let calls = calls(&mut stand, &first, &methods);
    let left_out = left_out(draft, &updates, &outcomes, &calls);
    let made: Vec<&Outcome> = methods.iter().flatten().copied().collect();
    let mut sent: Vec<Sent> = made.iter().flat_map(|outcome| outcome.tried.sent.iter().cloned()).collect();
    let mut waits: Vec<Duration> = made.iter().filter_map(|outcome| outcome.tried.wait).collect();
    let ends = made.iter().map(|outcome| outcome.tried.rest().clone());
    for world in std::iter::once(first.clone()).chain(ends) {
        if let Ok((by_tasks, wait)) = stand.tasks(&world) {
            sent.extend(by_tasks);
            waits.extend(wait);
        }
    }
    let seconds = waits.iter().map(|wait| wait.as_nanos().div_ceil(1_000_000_000) as u64);
    let wait_s = seconds.filter(|s| (1..=WAIT_MAX_S).contains(s)).max();
    let edges = edges(draft, &sent);
    let mut is_bounded = edges.iter().filter(|edge| edge.is_bounded);
    let is_doubtful =
        is_bounded.any(|edge| draft.others.iter().any(|other| other.is_ledger() && other.name == edge.callee));
    let (observed, book) = observe::choose(draft, &mut stand, &sources, &made, book, is_doubtful);
    let heartbeats = sent.iter().any(|sent| sent.reaches() && sent.task == Some(Task::Heartbeat));
    let chosen = Chosen { calls, observed, edges, wait_s, heartbeats, left_out, urls: urls(&sent), book };
    (draft.clone(), chosen)
}

/// The methods that are neither called nor part of the setup.
fn left_out(draft: &Draft, updates: &[String], outcomes: &[Outcome], calls: &[Call]) -> Vec<(String, &'static str)> {
    let mut left_out = Vec::new();
    for method in updates {
        let is_setup = draft.setup.iter().any(|setup| setup.to == draft.name && setup.method == *method);
        if is_setup || calls.iter().any(|call| call.method == *method) {
            continue;
        }
        let mut own = outcomes.iter().filter(|outcome| outcome.call.method == *method).peekable();
        let why = if own.peek().is_none() {
            "no argument got anywhere"
        } else if own.clone().all(|outcome| !outcome.tried.is_ok()) {
            "answered with errors only"
        } else if own.any(|outcome| outcome.changes || outcome.tried.reaches()) {
            "get less far than the others"
        } else {
            "change nothing that a query shows"
        };
        left_out.push((method.clone(), why));
    }
    left_out
}

/// The calls of each method, the furthest first; methods that get furthest first.
fn ranked(outcomes: &[Outcome]) -> Vec<Vec<&Outcome>> {
    let mut methods: Vec<Vec<&Outcome>> = Vec::new();
    for outcome in outcomes {
        match methods.iter_mut().find(|known| known[0].call.method == outcome.call.method) {
            Some(known) => known.push(outcome),
            None => methods.push(vec![outcome]),
        }
    }
    methods.iter_mut().for_each(|known| known.sort_by_key(|outcome| std::cmp::Reverse(outcome.points())));
    methods.sort_by_key(|known| std::cmp::Reverse(known[0].points()));
    methods
}

/// Tables of calls: of each method the best arguments, of the first ones a second list of arguments that gets as far.
fn calls(stand: &mut Stand, first: &World, methods: &[Vec<&Outcome>]) -> Vec<Call> {
    let any_awaits = methods.iter().any(|of_method| of_method[0].tried.reaches());
    let mut calls: Vec<Call> = Vec::new();
    for of_method in methods {
        let best = of_method[0];
        let mut by = vec![best.call.by];
        // Another caller is worth the effort where the canister tells them apart.
        if calls.is_empty() {
            by.extend(other_caller(stand, first, best));
        }
        calls.push(call(best, by, ""));
    }
    // What races with itself first: by one caller and by two, then the other methods, then other arguments.
    let mut left = INSTANCES_MAX.saturating_sub(calls.len());
    for at in std::iter::once(0).chain(0..calls.len()) {
        let Call { by, max, reaches, .. } = &mut calls[at];
        let most = if *reaches || !any_awaits { by.len() + 1 } else { 1 };
        if left > 0 && *max < most {
            *max += 1;
            left -= 1;
        }
    }
    for of_method in methods {
        let best = of_method[0];
        let second = of_method[1..].iter().find(|other| other.points() == best.points());
        if let Some(second) = second.filter(|_| left > 0 && (best.tried.reaches() || !any_awaits)) {
            left -= 1;
            calls.push(call(second, vec![second.call.by], "-2"));
        }
    }
    // Two that can each be made alone and not both: what was checked before an await is not so after it.
    for second in calls.iter_mut().skip(methods.len()).take(left) {
        second.max = 2;
    }
    calls
}

fn call(outcome: &Outcome, by: Vec<&'static str>, suffix: &str) -> Call {
    let Try { method, args, .. } = outcome.call.clone();
    let (reaches, awaits) = (outcome.tried.reaches(), outcome.tried.awaits());
    Call { id: call_id(&method, suffix), method, args, by, max: 1, reaches, awaits }
}

/// Another actor with whom a call gets as far and leaves the canister in another state.
fn other_caller(stand: &mut Stand, first: &World, outcome: &Outcome) -> Option<&'static str> {
    if outcome.call.by != ACTORS[0] || outcome.took > SLOW {
        return None;
    }
    let call = Try { by: ACTORS[1], ..outcome.call.clone() };
    let can = stand.plan(std::slice::from_ref(&call));
    let tried = stand.run(first, 0).ok().filter(|_| can[0])?;
    let is_alike = tried.reaches() == outcome.tried.reaches() && tried.is_ok() == outcome.tried.is_ok();
    let differs = tried.end().canisters[0].memory != outcome.tried.end().canisters[0].memory;
    (is_alike && differs).then_some(ACTORS[1])
}

/// A name for a call.
fn call_id(method: &str, suffix: &str) -> String {
    let fitting = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' };
    let name: String = method.chars().take(50).map(fitting).collect();
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    format!("{}{name}{suffix}", if begins { "" } else { "call_" })
}

fn edges(draft: &Draft, sent: &[Sent]) -> Vec<Edge> {
    let mut edges: Vec<Edge> = Vec::new();
    for sent in sent {
        let other = sent.callee.and_then(|callee| draft.others.get(callee.wrapping_sub(1)));
        let callee = match (sent.callee, other) {
            (Some(callee), _) if callee == usize::from(MANAGEMENT) => "management".to_string(),
            (_, Some(other)) => other.name.clone(),
            _ => continue,
        };
        let is_offered = match other {
            Some(other) => other.kind.offers(&sent.method),
            None => crate::kernel::MANAGEMENT_METHODS.contains(&sent.method.as_str()),
        };
        if let Some(known) = edges.iter_mut().find(|edge| edge.callee == callee && edge.method == sent.method) {
            known.is_bounded |= sent.is_bounded;
        } else if is_offered && edges.len() < EDGES_MAX {
            let error = other.and_then(|other| error(&other.kind, &sent.method));
            edges.push(Edge { callee, method: sent.method.clone(), is_bounded: sent.is_bounded, error });
        }
    }
    edges
}

/// An error that a ledger may answer with at any time.
fn error(kind: &Kind, method: &str) -> Option<&'static str> {
    let is_ledger = matches!(kind, Kind::Ledger { .. } | Kind::IcpLedger { .. });
    match method {
        "icrc1_transfer" | "icrc2_transfer_from" | "icrc2_approve" if is_ledger => {
            Some("(variant { Err = variant { TemporarilyUnavailable } })")
        }
        "transfer" if is_ledger => {
            Some("(variant { Err = variant { InsufficientFunds = record { balance = record { e8s = 0 : nat64 } } } })")
        }
        _ => None,
    }
}

/// Addresses of HTTP outcalls.
fn urls(sent: &[Sent]) -> Vec<String> {
    let mut labels = Labels::common();
    labels.add("url");
    let mut urls: Vec<String> = Vec::new();
    for sent in sent.iter().filter(|sent| sent.callee == Some(usize::from(MANAGEMENT)) && sent.method == "http_request")
    {
        if let Ok(Value::Record(fields)) = Value::decode_with(&sent.arg, &labels)
            && let Some(Value::Text(url)) = fields.get("url")
            && !urls.contains(url)
        {
            urls.push(url.clone());
        }
    }
    urls
}
