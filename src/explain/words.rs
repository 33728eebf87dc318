//! A violation in two sentences: what got stale while what waited, and what was done with it.
//!
//! In: the await that a violation hangs on, and the replay. Out: sentences with the names and values of the trace. What a canister
//! read is not seen, only what the observations were then; the words say no more than that.

use std::sync::Arc;

use crate::counterexample::{Cause, Guilty, Replayed};
use crate::engine::embedded::Embedded;
use crate::scenario::Value;
use crate::schedule::{Root, Step};
use crate::trace::{Event, Trace};

use super::Place;

/// Most observations that a sentence lists, and longest value in it.
const LISTED_MAX: usize = 3;
const VALUE_MAX: usize = 120;

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
            let changes = changes_by(trace, between);
            let after = values(trace, guilty.sent.map_or(0, |sent| sent + 1));
            let sent = guilty.sent.unwrap_or(0);
            let meanwhile = match changes.is_empty() {
                true => {
                    let steps = listed(between.iter().map(|at| format!("step {}", at + 1)));
                    format!("{} ({steps})", ran(engine, events, sent, between))
                }
                false => {
                    let changed = listed(changes.iter().map(|change| change.text.clone()));
                    format!("{} changed {changed}", others(engine, events, between))
                }
            };
            let seen = trace.names.iter().zip(after).filter(|(name, _)| changes.iter().any(|it| it.name == **name));
            let seen = listed(seen.map(|(name, value)| format!("{name} = {}", short(&value.to_string()))));
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
        (_, waiting, callee) => match (events.last(), waiting, callee) {
            (None, ..) => "The canisters begin with it, before anything happens.".to_string(),
            (Some(_), Some(waiting), Some(callee)) if is_alone(events) => {
                format!(
                    "No other call and no fault is needed: {waiting} does it by itself, around its await on {callee}{at}."
                )
            }
            (Some(event), ..) if is_alone(events) => {
                format!("No other call and no fault is needed: {} does it by itself.", who(engine, &event.step))
            }
            _ => {
                let all: Vec<usize> = (0..events.len()).collect();
                let others = others(engine, events, &all);
                format!("No await has to be open for it and no fault is needed: {others} do it one after the other.")
            }
        },
    };
    // What was cut ends with dots already.
    let ended = |text: String| text.strip_suffix("....").map_or(text.clone(), |text| format!("{text}..."));
    let mut all = vec![ended(capitalized(&first)), ended(second(engine, invariant, replayed, guilty))];
    all.splice(1..1, faults(events, &guilty.cause).map(ended));
    all
}

/// The faults without which it would not happen, where the first sentence is about something else.
fn faults(events: &[Event], cause: &Cause) -> Option<String> {
    let told = if let Cause::Fault(step) = cause { Some(*step) } else { None };
    let others = events.iter().enumerate().filter(|(at, event)| event.is_fault && Some(*at) != told);
    let others: Vec<String> = others.map(|(at, event)| format!("{} at step {}", happens(event), at + 1)).collect();
    let and = if told.is_some() { "It also takes" } else { "It takes a fault, too" };
    let sign = if told.is_some() { " " } else { ": " };
    (!others.is_empty()).then(|| format!("{and}{sign}{}.", listed(others.into_iter())))
}

/// What was done with it.
fn second(engine: &Embedded, invariant: usize, replayed: &Replayed, guilty: &Guilty) -> String {
    let trace = &replayed.trace;
    let rule = &engine.scenario.invariants[invariant].text;
    let (step, why) = replayed.violated.clone().unwrap_or((trace.events.len(), None));
    let shown = listed(replayed.values.iter().map(|(name, value)| format!("{name} = {}", short(&value.to_string()))));
    let with = if shown.is_empty() { String::new() } else { format!(", with {shown}") };
    let broken = match why {
        Some(why) => format!("after step {step} \"{rule}\" is violated: {}", short(&why)),
        None => format!("after step {step} {rule} does not hold{with}"),
    };
    match guilty.back {
        Some(back) => {
            let changes = changes(trace, back, back + 1);
            let went_on = match (&trace.events[back].trap, &trace.events[back].cleanup) {
                (None, _) => "it went on",
                (Some(_), None) => "its callback trapped and was undone",
                (Some(_), Some(Err(_))) => "its callback and then its cleanup trapped, and both were undone",
                (Some(_), Some(Ok(()))) => "its callback trapped and was undone, then its cleanup ran",
            };
            let did = match changes.is_empty() {
                true => went_on.to_string(),
                false => format!("{went_on} and changed {}", listed(changes.into_iter().map(|change| change.text))),
            };
            let race = matches!(guilty.cause, Cause::Race(_));
            let as_if = if race && trace.events[back].trap.is_none() { ", with what it knew from before" } else { "" };
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

/// What these steps were while the context of another one waited.
fn ran(engine: &Embedded, events: &[Event], sent: usize, steps: &[usize]) -> String {
    let mut all: Vec<String> = Vec::new();
    for &at in steps {
        let event = &events[at];
        let what = event.what.split(", while it waits").next().unwrap_or_default();
        let text = match &event.step.root {
            root if *root == events[sent].step.root => "another request of the same call was on its way".to_string(),
            Root::Task { task, .. } if !task.is_message() => format!("{} {what}", event.to),
            Root::Time(_) => what.to_string(),
            _ => format!("{} ran", who(engine, &event.step)),
        };
        if !all.contains(&text) {
            all.push(text);
        }
    }
    listed(all.into_iter())
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
    new: String,
    text: String,
}

impl Change {
    fn new(name: String, old: String, new: String) -> Change {
        let text = format!("{name} from {old} to {new}");
        Change { name, old, new, text }
    }
}

/// The observations after so many steps.
fn values(trace: &Trace, steps: usize) -> &[Arc<Value>] {
    if steps == 0 { &trace.start } else { &trace.events[steps - 1].observations }
}

/// Whether all steps belong to one chain of messages.
fn is_alone(events: &[Event]) -> bool {
    events.windows(2).all(|pair| pair[0].step.root == pair[1].step.root)
}

/// Observations that differ between the world after so many steps and the one after so many.
fn changes(trace: &Trace, from: usize, to: usize) -> Vec<Change> {
    let pairs = values(trace, from).iter().zip(values(trace, to)).zip(&trace.names);
    pairs
        .filter(|((old, new), _)| old != new)
        .map(|((old, new), name)| Change::new(name.clone(), short(&old.to_string()), short(&new.to_string())))
        .collect()
}

/// Observations that these steps changed: from what the first of them found to what the last of them left.
fn changes_by(trace: &Trace, steps: &[usize]) -> Vec<Change> {
    let mut all: Vec<(String, String, String)> = Vec::new();
    for &at in steps {
        for change in changes(trace, at, at + 1) {
            // What others changed in between is not theirs.
            match all.iter_mut().rev().find(|(name, _, new)| *name == change.name && *new == change.old) {
                Some((_, _, new)) => *new = change.new,
                None => all.push((change.name, change.old, change.new)),
            }
        }
    }
    all.retain(|(_, old, new)| old != new);
    all.into_iter().map(|(name, old, new)| Change::new(name, old, new)).collect()
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
