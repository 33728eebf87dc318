//! Generic oracles: properties that every canister should have, checked without a text from the user.
//!
//! In: a world and what is seen in it. Out: why it violates an oracle, or nothing. Each verdict is a function of the world, so
//! it is found, counted, shrunk and replayed like that on an invariant. What a world is compared with are executions in which
//! one call runs after the other ([`Sequence`]).
//!
//! | oracle | violated where |
//! |---|---|
//! | serializable | no faults, no SYS_UNKNOWN, all calls answered, and no order one after the other answers and shows the same; calls that answered with an error may have been left out of it |
//! | err-is-noop | one call ran alone, answered with an error without SYS_UNKNOWN and injected traps, and observations are not as before; not even when its canister's timers have run |
//! | probe | at rest, after due timers, a call that is made again fails as it never fails one after the other |
//! | no-callback-trap | a callback has trapped that no fault made trap |
//! | stop-terminates | nothing moves, and a canister waits without a bound for a call that is never answered |
//! | all-calls-answered | likewise, and it is an open call; or a canister never answered and the system did |

mod closure;

use std::sync::Arc;

use crate::engine::embedded::Embedded;
use crate::engine::embedded::alone::{Alone, AtRest};
use crate::engine::embedded::sequence::{Answered, Sequence};
use crate::invariant::{self, Violation};
use crate::kernel::tree::Context;
use crate::kernel::world::NOT_STARTED;
use crate::kernel::{Change, Marks, Response, Unsupported, World};
use crate::scenario::{Invariant, Oracle, Rule, Value, View};

/// Time that passes, at least, round by round, before a failure or a change counts: from a second to four months, each with
/// the timers and heartbeats that run then. Locks that expire, retries that back off and repairs are correct.
const ROUNDS_NS: [u64; 8] = {
    const S: u64 = 1_000_000_000;
    [S, 10 * S, 100 * S, 1_000 * S, 10_000 * S, 100_000 * S, 1_000_000 * S, 10_000_000 * S]
};
/// Most combinations of calls with an error that may have been left out.
const CHOICES_MAX: usize = 1 << 16;

/// Whether an invariant of either kind is violated in a world with this view. `complete`: nothing must happen any more and no
/// call can begin.
///
/// # Errors
/// If a guest cannot tell what the IC would do.
pub fn violation(
    engine: &mut Embedded,
    world: &World,
    view: &View<'_>,
    complete: bool,
    invariant: &Invariant,
) -> Result<Option<Violation>, Unsupported> {
    let oracle = match &invariant.rule {
        Rule::Expr(expr) => return Ok(invariant::violation(invariant, expr, view, complete)),
        Rule::Closure(closure) if invariant::applies(invariant.when, view, complete) => {
            return Ok(closure::ask(engine, world, view, closure)?.map(|reason| Violation { error: Some(reason) }));
        }
        Rule::Closure(_) => return Ok(None),
        Rule::Oracle(oracle) => oracle,
    };
    let observations = view.observations;
    let reason = match oracle {
        Oracle::NoCallbackTrap { canister } => callback_trap(engine, world, *canister),
        _ if !view.quiet => None,
        Oracle::StopTerminates { canister } => waits_for_ever(engine, world, *canister as u16),
        Oracle::AllCallsAnswered { entries } => unanswered(engine, world, entries),
        Oracle::Serializable { ignore, replies } => {
            // One time step may end two waits together, which one after the other need one each.
            let has_expired = has_mark(engine, world, Marks::has_unknown);
            let is_known = !has_untried_argument(engine, world);
            let is_comparable =
                world.faulted() == 0 && !has_expired && is_known && Alone::is_at_rest(&engine.kernel, world);
            if !is_comparable { None } else { not_serializable(engine, world, observations, ignore, *replies)? }
        }
        Oracle::ErrIsNoop { entries, ignore } => effect_of_error(engine, world, observations, entries, ignore)?,
        Oracle::Probe { entries, allow } => {
            let is_gone = |change| matches!(change, Change::Reinstall | Change::Uninstall | Change::SnapshotLoad);
            let excuses = has_mark(engine, world, Marks::has_unknown) || was_administered(engine, world, is_gone);
            let is_known = !has_untried_argument(engine, world);
            let is_judged = !excuses && is_known && Alone::is_at_rest(&engine.kernel, world);
            // What is not offered to a call that is made again says nothing of the canister.
            if is_judged { stuck(engine, world, entries, allow).unwrap_or(None) } else { None }
        }
    };
    Ok(reason.map(|reason| Violation { error: Some(reason) }))
}

/// The invariants that are violated in a world, by position, or whether one of them is; those of steps are not among them.
///
/// # Errors
/// As [`violation`].
pub fn violated_in(
    engine: &mut Embedded,
    world: &World,
    only: Option<usize>,
) -> Result<Vec<(usize, Option<String>)>, Unsupported> {
    let observations = engine.observe(world)?;
    let calls = engine.calls(world);
    let view = engine.view(world, &observations, &calls);
    let mut choices = Vec::new();
    engine.kernel.choices(world, &mut choices)?;
    let is_final = engine.kernel.is_complete(world, &choices) && !engine.kernel.cuts(world)?.a_start();
    let scenario = engine.scenario.clone();
    let mut violated = Vec::new();
    for (at, invariant) in scenario.invariants.iter().enumerate().filter(|(at, _)| only.is_none_or(|only| only == *at))
    {
        if let Some(violation) = violation(engine, world, &view, is_final, invariant)? {
            violated.push((at, violation.error));
        }
    }
    Ok(violated)
}

/// The oracles of a scenario that say nothing because what they compare with was cut short, by position.
pub fn undecided(engine: &Embedded) -> Vec<usize> {
    let scenario = &engine.scenario;
    let compares = |(_, invariant): &(usize, &Invariant)| invariant.oracle().is_some_and(Oracle::compares);
    let comparing: Vec<usize> = scenario.invariants.iter().enumerate().filter(compares).map(|(at, _)| at).collect();
    if engine.is_sequence_cut() { comparing } else { Vec::new() }
}

/// Whether somebody has done such a thing to a canister as a whole, as far as the faults that were spent tell.
fn was_administered(engine: &Embedded, world: &World, is_wanted: impl Fn(Change) -> bool) -> bool {
    let faults = engine.kernel.faults().iter().zip(&world.faults);
    faults.filter(|(_, spent)| **spent > 0).any(|(fault, _)| fault.changes.iter().any(|&change| is_wanted(change)))
}

/// Whether a call has an argument that is not among those that are tried: what such calls do one after the other was not
/// worked out.
fn has_untried_argument(engine: &Embedded, world: &World) -> bool {
    let started = world.trees.iter().enumerate().filter(|(_, tree)| **tree != NOT_STARTED);
    let own = engine.kernel.calls().len();
    started.take_while(|(at, _)| *at < own).any(|(at, &tree)| engine.kernel.is_untried(at, tree))
}

fn has_mark(engine: &Embedded, world: &World, is_wanted: impl Fn(Marks) -> bool) -> bool {
    let mut started = world.trees.iter().filter(|tree| **tree != NOT_STARTED);
    started.any(|&tree| is_wanted(engine.kernel.tree(tree).marks))
}

fn callback_trap(engine: &Embedded, world: &World, canister: usize) -> Option<String> {
    let traps = has_mark(engine, world, |marks| marks.has_trap(canister as u16));
    traps.then(|| format!("a callback of {} trapped", engine.canister_name(canister as u16)))
}

fn waits_for_ever(engine: &Embedded, world: &World, canister: u16) -> Option<String> {
    let waits = |&tree: &u32| {
        let tree = engine.kernel.tree(tree);
        let of_canister = |at: &usize| tree.contexts[*at].canister == canister && !tree.contexts[*at].held;
        (0..tree.contexts.len()).filter(of_canister).any(|at| tree.waits_for_ever(at))
    };
    let mut started = world.trees.iter().filter(|tree| **tree != NOT_STARTED);
    let name = engine.canister_name(canister);
    started.any(waits).then(|| {
        format!("{name} waits without a bound for a call that is never answered: it cannot be stopped, so not upgraded safely")
    })
}

fn unanswered(engine: &Embedded, world: &World, entries: &[usize]) -> Option<String> {
    let kernel = &engine.kernel;
    for (at, call) in kernel.calls().iter().enumerate().filter(|(_, call)| entries.contains(&call.entry)) {
        let tree = world.trees[at];
        if tree == NOT_STARTED {
            continue;
        }
        let name = kernel.canister_name(call.canister);
        match kernel.answer(tree).map(|answer| kernel.response(answer)) {
            Some(Response::Reject { code: 5, text }) if text.starts_with("IC0506: ") => {
                return Some(format!("{name} never answers call {at}, so the system rejects it"));
            }
            Some(_) => {}
            None => {
                let tree = kernel.tree(tree);
                let is_own = |context: &Context| context.path.depth() == 0 && !context.held;
                if tree.contexts.first().is_some_and(is_own) && tree.waits_for_ever(0) {
                    return Some(format!("call {at} is never answered"));
                }
            }
        }
    }
    None
}

fn not_serializable(
    engine: &mut Embedded,
    world: &World,
    observations: &[Arc<Value>],
    ignore: &[usize],
    replies: bool,
) -> Result<Option<String>, Unsupported> {
    let sequence = engine.sequence();
    let own = engine.kernel.calls().len();
    let Some(calls) = engine.answered(&world.trees[..own]) else { return Ok(None) };
    if sequence.is_cut {
        return Ok(None);
    }
    // A call that answered with an error, or with `false`, may be one that did nothing.
    let (mut sure, mut errors) = (Vec::new(), Vec::new());
    for call in calls {
        if engine.may_refuse(call.3) { errors.push(call) } else { sure.push(call) }
    }
    let mut same_calls = false;
    for mut made in with_some_of(&errors) {
        made.extend(&sure);
        made.sort_unstable();
        let rests = if replies {
            sequence.rests(&world.times, &made)
        } else {
            &sequence.whatever_answered(&world.times, &made)
        };
        same_calls |= !rests.is_empty();
        if rests.iter().any(|rest| are_equal(rest, observations, ignore)) {
            return Ok(None);
        }
    }
    Ok(Some(
        match same_calls {
            true => "made one after the other, the same calls with the same answers never show these observations",
            false => "made one after the other, the same calls are never answered like this",
        }
        .to_string(),
    ))
}

/// Each choice of some of these calls, which are sorted, all of them first; equal ones are told apart by their number only.
fn with_some_of(calls: &[Answered]) -> Vec<Vec<Answered>> {
    let mut choices = vec![Vec::new()];
    for equal in calls.chunk_by(|a, b| a == b) {
        let longer = |chosen: &Vec<Answered>| {
            let with = |n: usize| [chosen.as_slice(), &equal[..n]].concat();
            (0..=equal.len()).rev().map(with).collect::<Vec<_>>()
        };
        choices = choices.iter().flat_map(longer).collect();
        // What the bounds of a scenario allow is less: at most 64 calls, of few kinds of errors.
        choices.truncate(CHOICES_MAX);
    }
    choices
}

fn are_equal(a: &[Arc<Value>], b: &[Arc<Value>], ignore: &[usize]) -> bool {
    a.iter().zip(b).enumerate().all(|(at, (a, b))| ignore.contains(&at) || a == b)
}

fn effect_of_error(
    engine: &mut Embedded,
    world: &World,
    observations: &[Arc<Value>],
    entries: &[usize],
    ignore: &[usize],
) -> Result<Option<String>, Unsupported> {
    let own = engine.kernel.calls().len();
    let mut started = (0..own).filter(|&at| world.trees[at] != NOT_STARTED);
    let (Some(at), None) = (started.next(), started.next()) else { return Ok(None) };
    if !entries.contains(&engine.kernel.calls()[at].entry) {
        return Ok(None);
    }
    let Some(answer) = engine.kernel.answer(world.trees[at]) else { return Ok(None) };
    // What became of an unknown outcome, or of a trap that no code can foresee, is not the canister's to undo; a fault must
    // have struck the call itself, and nobody may have changed the canister meanwhile.
    let excuses = |marks: Marks| marks.has_unknown() || marks.has_injected();
    let is_struck = world.faulted() == 0 || engine.kernel.tree(world.trees[at]).marks.has_fault();
    let is_judged = is_struck && !has_mark(engine, world, excuses) && !was_administered(engine, world, |_| true);
    if !is_judged || !engine.reply(answer).is_error() {
        return Ok(None);
    }
    let sequence = engine.sequence();
    let before = sequence.rests(&world.times, &[]);
    let is_as_before = |now: &[Arc<Value>]| before.iter().any(|before| are_equal(before, now, ignore));
    if sequence.is_cut || is_as_before(observations) {
        return Ok(None);
    }
    if Alone::is_at_rest(&engine.kernel, world) {
        let mut rest = AtRest { canisters: world.canisters.clone(), time_ns: world.time_ns };
        for least_ns in ROUNDS_NS {
            // What is not offered when time passes says nothing of the canister.
            let Ok(next) = engine.alone().let_time_pass(&rest, least_ns) else { return Ok(None) };
            rest = next;
            let later = World { canisters: rest.canisters.clone(), time_ns: rest.time_ns, ..world.clone() };
            if is_as_before(&engine.observe(&later)?) {
                return Ok(None);
            }
        }
    }
    let names = engine.scenario.observations.iter().map(|observation| &observation.name);
    let first = before.first();
    let changed = |at: &usize| !ignore.contains(at) && first.is_some_and(|first| first[*at] != observations[*at]);
    let changes: Vec<String> = (names.enumerate().filter(|(at, _)| changed(at)))
        .map(|(at, name)| {
            let before = first.map_or_else(String::new, |first| first[at].to_string());
            format!("{name} was {before} and is {}", observations[at])
        })
        .collect();
    Ok(Some(format!("call {at} answered with an error, and {}", changes.join(", "))))
}

fn stuck(
    engine: &mut Embedded,
    world: &World,
    entries: &[usize],
    allow: &[String],
) -> Result<Option<String>, Unsupported> {
    let sequence = engine.sequence();
    if sequence.is_cut {
        return Ok(None);
    }
    let first = AtRest { canisters: world.canisters.clone(), time_ns: world.time_ns };
    let probes = engine.alone().probes.iter().enumerate();
    let probes: Vec<usize> = probes.filter(|(_, probe)| entries.contains(&probe.entry)).map(|(at, _)| at).collect();
    for probe in probes {
        let Some(failure) = new_failure(engine, &sequence, &first, probe, allow)? else { continue };
        let mut rest = first.clone();
        let mut is_stuck = true;
        for least_ns in ROUNDS_NS {
            rest = engine.alone().let_time_pass(&rest, least_ns)?;
            if new_failure(engine, &sequence, &rest, probe, allow)?.is_none() {
                is_stuck = false;
                break;
            }
        }
        if is_stuck {
            let entry = engine.alone().probes[probe].entry;
            let id = &engine.scenario.calls[entry].id;
            return Ok(Some(format!(
                "nothing is on its way, and `{id}` made now fails: {failure}; it never does when calls are made one after the other"
            )));
        }
    }
    Ok(None)
}

/// How a call fails that is made again here, if it does, and never one after the other.
fn new_failure(
    engine: &mut Embedded,
    sequence: &Sequence,
    rest: &AtRest,
    probe: usize,
    allow: &[String],
) -> Result<Option<String>, Unsupported> {
    let probed = engine.probe(rest, probe)?;
    let Some(kind) = probed.failure() else { return Ok(None) };
    let text = probed.text();
    let is_allowed = sequence.fails(probe, &kind) || allow.iter().any(|allowed| text.contains(allowed));
    Ok((!is_allowed).then_some(text))
}
