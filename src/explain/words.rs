//! A violation in two sentences: what got stale while what waited, and what was done with it.
//!
//! In: the await that a violation hangs on, and the replay. Out: sentences with the names and values of the trace. What a canister
//! read is not seen, only what the observations were then; the words say no more than that.

use crate::counterexample::{Cause, Guilty, Replayed};
use crate::engine::embedded::Embedded;
use crate::schedule::{Root, Step};
use crate::trace::{Event, Trace};

use super::Place;

/// Most observations that a sentence lists, and longest value in it.
const LISTED_MAX: usize = 3;
const VALUE_MAX: usize = 60;

/// The sentences.
pub(super) fn sentences(
    engine: &Embedded,
    invariant: usize,
    replayed: &Replayed,
    guilty: &Guilty,
    place: Option<&Place>,
) -> Vec<String> {
    let trace = &replayed.trace;
    let events = &trace.events;
    let callee = guilty.point.name.rsplit_once(" -> ").map(|(_, callee)| callee);
    let waiting = guilty.sent.map(|sent| who(engine, &events[sent].step));
    let at = place.map_or_else(String::new, |place| format!(" ({place})"));
    let first = match (&guilty.cause, &waiting, callee) {
        (Cause::Race(between), Some(waiting), Some(callee)) => {
            let sent = guilty.sent.unwrap_or(0);
            let end = guilty.back.unwrap_or(events.len());
            let changes = changes(trace, sent + 1, end);
            let others = others(engine, events, between);
            let meanwhile = match changes.is_empty() {
                true => format!("{others} ran ({})", listed(between.iter().map(|at| format!("step {}", at + 1)))),
                false => format!("{others} changed {}", listed(changes.iter().map(|change| change.text.clone()))),
            };
            let seen = listed(changes.iter().map(|change| format!("{} = {}", change.name, change.old)));
            let seen = if seen.is_empty() { String::new() } else { format!(", when {seen}") };
            format!("{waiting} ran up to its await on {callee}{at}{seen}; while it waited, {meanwhile}.")
        }
        (Cause::Reentry(between), Some(waiting), Some(callee)) => {
            let steps = listed(between.iter().map(|at| format!("step {}", at + 1)));
            format!("While {waiting} waits for {callee}{at}, the callee calls back into its canister ({steps}).")
        }
        (Cause::Fault(step), Some(waiting), Some(callee)) if guilty.sent.is_some_and(|sent| sent < *step) => {
            format!(
                "While {waiting} waits for {callee}{at}, this happens at step {}: {}.",
                step + 1,
                happens(&events[*step])
            )
        }
        (Cause::Fault(step), ..) => format!("This happens at step {}: {}.", step + 1, happens(&events[*step])),
        (_, Some(waiting), Some(callee)) => {
            format!(
                "No other call and no fault is needed: {waiting} does it by itself, around its await on {callee}{at}."
            )
        }
        _ => match events.last() {
            Some(event) => {
                format!("No other call and no fault is needed: {} does it by itself.", who(engine, &event.step))
            }
            None => "The canisters begin with it, before anything happens.".to_string(),
        },
    };
    vec![first, second(engine, invariant, replayed, guilty)]
}

/// What was done with it.
fn second(engine: &Embedded, invariant: usize, replayed: &Replayed, guilty: &Guilty) -> String {
    let trace = &replayed.trace;
    let rule = &engine.scenario.invariants[invariant].text;
    let (step, why) = replayed.violated.clone().unwrap_or((trace.events.len(), None));
    let shown = listed(replayed.values.iter().map(|(name, value)| format!("{name} = {}", short(&value.to_string()))));
    let with = if shown.is_empty() { String::new() } else { format!(", with {shown}") };
    let broken = match why {
        Some(why) => format!("after step {step} {rule} is violated: {}", short(&why)),
        None => format!("after step {step} {rule} does not hold{with}"),
    };
    match guilty.back {
        Some(back) => {
            let changes = changes(trace, back, back + 1);
            let did = match changes.is_empty() {
                true => "it went on".to_string(),
                false => format!("it went on and changed {}", listed(changes.into_iter().map(|change| change.text))),
            };
            let race = matches!(guilty.cause, Cause::Race(_));
            let as_if = if race { ", with what it knew from before" } else { "" };
            format!("At step {} {did}{as_if}; {broken}.", back + 1)
        }
        None if guilty.sent.is_some() => format!("It still waits; {broken}."),
        None => format!("{}.", capitalized(&broken)),
    }
}

/// A chain of messages by what it begins with.
fn who(engine: &Embedded, step: &Step) -> String {
    match &step.root {
        Root::Call(call) => {
            let Some(spec) = engine.kernel.calls().get(*call as usize) else { return format!("call {call}") };
            format!("call {call} ({}.{})", engine.canister_name(spec.canister), spec.method)
        }
        Root::Task { canister, task, n } if task.is_message() => {
            format!("{} {n} of {canister}", task_word(task.word()))
        }
        Root::Task { canister, .. } => format!("the administrator of {canister}"),
        Root::Time(_) => "time".to_string(),
    }
}

fn task_word(word: &str) -> &'static str {
    match word {
        "t" => "timer",
        "h" => "heartbeat",
        _ => "low-memory hook",
    }
}

/// The chains of messages that these steps belong to, each once.
fn others(engine: &Embedded, events: &[Event], steps: &[usize]) -> String {
    let mut names: Vec<String> = Vec::new();
    for &at in steps {
        let name = who(engine, &events[at].step);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    listed(names.into_iter())
}

fn happens(event: &Event) -> String {
    short(&event.what.replacen("fault: ", "", 1))
}

/// An observation that changed.
struct Change {
    name: String,
    old: String,
    text: String,
}

/// Observations that differ between the world after so many steps and the one after so many.
fn changes(trace: &Trace, from: usize, to: usize) -> Vec<Change> {
    let values = |steps: usize| if steps == 0 { &trace.start } else { &trace.events[steps - 1].observations };
    let pairs = values(from).iter().zip(values(to)).zip(&trace.names);
    pairs
        .filter(|((old, new), _)| old != new)
        .map(|((old, new), name)| {
            let (old, new) = (short(&old.to_string()), short(&new.to_string()));
            Change { name: name.clone(), text: format!("{name} from {old} to {new}"), old }
        })
        .collect()
}

fn listed(items: impl Iterator<Item = String>) -> String {
    let mut items: Vec<String> = items.collect();
    if items.len() > LISTED_MAX {
        let more = items.len() - LISTED_MAX;
        items.truncate(LISTED_MAX);
        items.push(format!("{more} more"));
    }
    match items.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

fn short(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match line.char_indices().nth(VALUE_MAX) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
