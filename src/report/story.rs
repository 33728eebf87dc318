//! A counterexample as a document: everything that a picture of it shows, by names and numbers.
//!
//! In: a replay and its explanation. Out: a [`Story`], which the HTML page draws and the Mermaid diagram is written from. Texts in
//! it are those of the trace; whoever shows them escapes them.

use serde::Serialize;

use crate::counterexample::play::{Play, items, play};
use crate::counterexample::{Cause, Counterexample, Replayed};
use crate::engine::embedded::Embedded;
use crate::explain::{Explanation, Share};
use crate::explore::Grade;
use crate::kernel::world::NOT_STARTED;
use crate::kernel::{Unsupported, World};
use crate::scenario::Value;
use crate::schedule::{Path, Root, StepKind};
use crate::trace::{Event, Trace};

use super::text::{cut, grouped_big, headline_and_details};
use super::{grade, when_word};

/// Longest label of an arrow.
const LABEL_MAX: usize = 60;

/// A counterexample to be drawn.
#[derive(Clone, Debug, Serialize)]
pub struct Story {
    /// Name of the scenario.
    pub scenario: String,
    /// What it is about; may be empty.
    pub about: String,
    /// Where the counterexample lies.
    pub file: Option<String>,
    /// Name of the invariant.
    pub invariant: String,
    /// What it demands.
    pub rule: String,
    /// `always`, `step`, `quiescent`, `final`.
    pub when: &'static str,
    /// A to D.
    pub grade: &'static str,
    /// Weakest class of orders that violates it.
    pub class: Option<&'static str>,
    /// What is known about simpler ones.
    pub minimal: Option<&'static str>,
    /// What happens, in two sentences.
    pub summary: Vec<String>,
    /// The await that the violation hangs on.
    pub await_point: Option<Point>,
    /// Who acts and is acted upon, in order of appearance.
    pub lanes: Vec<String>,
    /// The observations at the start.
    pub start: Vec<Observed>,
    /// The steps.
    pub steps: Vec<Shown>,
    /// Open calls.
    pub bars: Vec<Bar>,
    /// The await that is open, and what runs meanwhile.
    pub race: Option<Race>,
    /// Pairs of steps whose order matters.
    pub pairs: Vec<Flip>,
    /// Where it is violated.
    pub violation: Violated,
    /// Observations that are numbers, over the steps.
    pub plots: Vec<Plot>,
}

/// An await point.
#[derive(Clone, Debug, Serialize)]
pub struct Point {
    /// Its name.
    pub name: String,
    /// Its place in the source.
    pub place: Option<String>,
}

/// An observation.
#[derive(Clone, Debug, Serialize)]
pub struct Observed {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Its value before the step, if that was another one.
    pub before: Option<String>,
}

/// A step.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    /// From 1.
    pub number: usize,
    /// Its name.
    pub name: String,
    /// Who acts.
    pub from: String,
    /// Who is acted upon.
    pub to: String,
    /// `call`, `request`, `response`, `fault`, `task`, `time`, `change`.
    pub kind: &'static str,
    /// In few words.
    pub label: String,
    /// In a line.
    pub headline: String,
    /// What came of it.
    pub details: Vec<String>,
    /// Whether a fault pays for it.
    pub fault: bool,
    /// Whether the message is lost or rejected.
    pub lost: bool,
    /// Whether what ran trapped.
    pub trapped: bool,
    /// The observations after it.
    pub values: Vec<Observed>,
    /// Messages on their way after it, and calls that run.
    pub in_flight: Vec<InFlight>,
    /// The share of interleavings that violate the invariant from here on.
    pub share: Option<Part>,
}

/// A message on its way.
#[derive(Clone, Debug, Serialize)]
pub struct InFlight {
    /// Name of the request.
    pub name: String,
    /// Who sent it.
    pub from: String,
    /// Whom it goes to.
    pub to: String,
    /// Method and argument.
    pub what: String,
    /// `request waits`, `running`, `response waits`.
    pub state: &'static str,
}

/// A share of interleavings.
#[derive(Clone, Debug, Serialize)]
pub struct Part {
    /// In percent.
    pub percent: f64,
    /// As two numbers.
    pub text: String,
}

/// An open call.
#[derive(Clone, Debug, Serialize)]
pub struct Bar {
    /// On which canister.
    pub lane: String,
    /// Which call, and its method.
    pub label: String,
    /// Step that opens it, from 1.
    pub from: usize,
    /// Step that ends it; `None`: it stays open.
    pub to: Option<usize>,
}

/// What ran while an await was open.
#[derive(Clone, Debug, Serialize)]
pub struct Race {
    /// Step that ends with the await, from 1.
    pub await_from: usize,
    /// Step that goes on after it.
    pub await_to: Option<usize>,
    /// Steps that ran meanwhile and matter.
    pub between: Vec<usize>,
    /// In words.
    pub text: String,
}

/// Two steps whose order matters, from 1.
#[derive(Clone, Debug, Serialize)]
pub struct Flip {
    /// The earlier one.
    pub first: usize,
    /// The later one.
    pub second: usize,
    /// In words.
    pub text: String,
}

/// Where an invariant is violated.
#[derive(Clone, Debug, Serialize)]
pub struct Violated {
    /// After this step, from 1; 0 at the start.
    pub step: usize,
    /// What is violated, with values.
    pub text: String,
}

/// A number over the steps.
#[derive(Clone, Debug, Serialize)]
pub struct Plot {
    /// Name of the observation.
    pub name: String,
    /// At the start, then after each step; `None` where it is no number.
    pub points: Vec<Option<f64>>,
}

/// What is known of a counterexample beside its replay.
#[derive(Clone, Debug)]
pub struct Known<'a> {
    /// What it says.
    pub counterexample: &'a Counterexample,
    /// Where it lies.
    pub file: Option<String>,
    /// Its invariant, by position.
    pub invariant: usize,
    /// Its explanation.
    pub explanation: &'a Explanation,
    /// What it needs.
    pub grade: Grade,
    /// Weakest class of orders.
    pub class: Option<&'static str>,
    /// What is known about simpler ones.
    pub minimal: Option<&'static str>,
}

impl Story {
    /// The story of a replay.
    ///
    /// # Errors
    /// If a canister asks for something that the engine does not offer.
    pub fn new(engine: &mut Embedded, replayed: &Replayed, known: &Known<'_>) -> Result<Story, Unsupported> {
        let played = play(engine, &items(&known.counterexample.schedule.steps), None, Some(known.invariant))?;
        let scenario = engine.scenario.clone();
        let invariant = &scenario.invariants[known.invariant];
        let trace = &replayed.trace;
        let Explanation { guilty, place, pairs, shares, sentences } = known.explanation;
        let first = &guilty[0];
        let violated = replayed.violated.clone().unwrap_or((trace.events.len(), None));
        let values: Vec<String> = replayed.values.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        let text = match violated.1 {
            Some(why) => format!("{}: {}", invariant.text, cut(&why)),
            None if values.is_empty() => invariant.text.clone(),
            None => format!("{} with {}", invariant.text, cut(&values.join(", "))),
        };
        let race = match (&first.cause, first.sent) {
            (Cause::Race(between) | Cause::Reentry(between), Some(sent)) => Some(Race {
                await_from: sent + 1,
                await_to: first.back.map(|back| back + 1),
                between: between.iter().map(|at| at + 1).collect(),
                text: sentences.first().cloned().unwrap_or_default(),
            }),
            _ => None,
        };
        Ok(Story {
            scenario: scenario.name.clone(),
            about: scenario.about.clone(),
            file: known.file.clone(),
            invariant: invariant.name.clone(),
            rule: invariant.text.clone(),
            when: when_word(invariant.when),
            grade: grade(known.grade),
            class: known.class,
            minimal: known.minimal,
            summary: sentences.clone(),
            await_point: Some(Point { name: first.point.name.clone(), place: place.as_ref().map(ToString::to_string) }),
            lanes: lanes(trace),
            start: observed(trace, &trace.start, None),
            steps: steps(engine, trace, &played, shares.as_deref()),
            bars: bars(engine, &played),
            race,
            pairs: pairs.iter().map(|pair| flip(trace, pair.first, pair.second)).collect(),
            violation: Violated { step: violated.0, text },
            plots: plots(trace),
        })
    }
}

/// Who acts and is acted upon; time passes for all of them, and the system only starts what a canister does by itself.
fn lanes(trace: &Trace) -> Vec<String> {
    let mut lanes: Vec<String> = Vec::new();
    for name in trace.events.iter().flat_map(|event| [&event.from, &event.to]) {
        if !lanes.contains(name) && !["time", "system"].contains(&name.as_str()) {
            lanes.push(name.clone());
        }
    }
    lanes
}

fn observed(trace: &Trace, now: &[std::sync::Arc<Value>], before: Option<&[std::sync::Arc<Value>]>) -> Vec<Observed> {
    let one = |(at, (name, value)): (usize, (&String, &std::sync::Arc<Value>))| Observed {
        name: name.clone(),
        value: value.to_string(),
        before: before.filter(|before| before[at] != *value).map(|before| before[at].to_string()),
    };
    trace.names.iter().zip(now).enumerate().map(one).collect()
}

fn steps(engine: &Embedded, trace: &Trace, played: &Play, shares: Option<&[Share]>) -> Vec<Shown> {
    let mut before = &trace.start;
    let mut all = Vec::with_capacity(trace.events.len());
    for (at, event) in trace.events.iter().enumerate() {
        let (headline, details) = headline_and_details(event);
        let share = shares.and_then(|shares| shares.get(at + 1)).map(|share| Part {
            percent: (share.percent() * 100.0).round() / 100.0,
            text: format!("{} of {}", grouped_big(&share.violating), grouped_big(&share.all)),
        });
        all.push(Shown {
            number: at + 1,
            name: event.step.to_string(),
            from: event.from.clone(),
            to: event.to.clone(),
            kind: kind(event),
            label: label(event),
            headline,
            details,
            fault: event.is_fault,
            lost: is_lost(event),
            trapped: event.trap.is_some(),
            values: observed(trace, &event.observations, Some(before)),
            in_flight: in_flight(engine, trace, world_after(played, at)),
            share,
        });
        before = &event.observations;
    }
    all
}

/// The world after a step.
fn world_after(played: &Play, at: usize) -> &World {
    played.made.get(at + 1).map_or(&played.last, |made| &made.before)
}

fn kind(event: &Event) -> &'static str {
    match (&event.step.root, event.step.kind) {
        _ if event.is_fault => "fault",
        (Root::Time(_), _) => "time",
        (Root::Task { task, .. }, StepKind::Start) if !task.is_message() => "change",
        (Root::Task { .. }, StepKind::Start) => "task",
        (_, StepKind::Start | StepKind::Submit) => "call",
        (_, StepKind::Request) => "request",
        _ => "response",
    }
}

fn is_lost(event: &Event) -> bool {
    matches!(event.step.kind, StepKind::Reject(_) | StepKind::Expire | StepKind::BusinessError | StepKind::Lie)
}

fn label(event: &Event) -> String {
    let text: String = event.what.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = text.split("  [").next().unwrap_or_default();
    match text.char_indices().nth(LABEL_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_string(),
    }
}

fn in_flight(engine: &Embedded, trace: &Trace, world: &World) -> Vec<InFlight> {
    let mut all = Vec::new();
    for (at, &tree) in world.trees.iter().enumerate().filter(|(_, tree)| **tree != NOT_STARTED) {
        let root = engine.kernel.root(at as u32);
        for request in &engine.kernel.tree(tree).requests {
            let name = format!("{root}{}", request.path);
            let answered = request.callback.as_ref().is_some_and(|callback| callback.response.is_some());
            let state = match (request.queued.is_some(), answered) {
                (true, _) => "request waits",
                (false, true) => "response waits",
                (false, false) => "running",
            };
            let sent = trace.events.iter().flat_map(|event| &event.sent).find(|sent| sent.name == name);
            let what = sent.map_or_else(String::new, |sent| cut(&format!("{}({})", sent.to, sent.arg)));
            let (from, to) = (engine.canister_name(request.caller), engine.canister_name(request.callee));
            all.push(InFlight { name, from: from.to_string(), to: to.to_string(), what, state });
        }
    }
    all
}

/// Open calls: contexts that there are after a step, and those that begin and end with it.
fn bars(engine: &Embedded, played: &Play) -> Vec<Bar> {
    let mut open: Vec<(Root, Path, usize)> = Vec::new();
    let mut bars: Vec<Bar> = Vec::new();
    for (at, made) in played.made.iter().enumerate() {
        let world = world_after(played, at);
        let mut now: Vec<(Root, Path)> = Vec::new();
        for (tree_at, &tree) in world.trees.iter().enumerate().filter(|(_, tree)| **tree != NOT_STARTED) {
            let root = engine.kernel.root(tree_at as u32);
            let contexts = engine.kernel.tree(tree).contexts.iter();
            now.extend(contexts.map(|context| (root.clone(), context.path.clone())));
        }
        open.retain(|(root, path, bar)| {
            let stays = now.iter().any(|(other, context)| other == root && context == path);
            if !stays {
                bars[*bar].to = Some(at + 1);
            }
            stays
        });
        let Some(delivery) = made.happened.delivery() else { continue };
        let (root, path) = (&made.step.root, made.step.path.context());
        let is_first =
            !made.step.path.is_response() && open.iter().all(|(other, known, _)| other != root || *known != path);
        if is_first {
            let stays = now.iter().any(|(other, context)| other == root && *context == path);
            bars.push(Bar {
                lane: engine.canister_name(delivery.canister).to_string(),
                label: format!("{root}{path}"),
                from: at + 1,
                to: (!stays).then_some(at + 1),
            });
            if stays {
                open.push((root.clone(), path, bars.len() - 1));
            }
        }
    }
    bars
}

fn flip(trace: &Trace, first: usize, second: usize) -> Flip {
    let name = |at: usize| format!("step {} ({})", at + 1, trace.events[at].step);
    let text = format!("with {} before {} the invariant holds", name(second), name(first));
    Flip { first: first + 1, second: second + 1, text }
}

fn plots(trace: &Trace) -> Vec<Plot> {
    let number = |value: &Value| match value {
        Value::Int(n) => n.to_string().parse::<f64>().ok().filter(|n| n.is_finite()),
        Value::Float(bits) => Some(f64::from_bits(*bits)).filter(|n| n.is_finite()),
        _ => None,
    };
    let all = std::iter::once(&trace.start).chain(trace.events.iter().map(|event| &event.observations));
    let all: Vec<_> = all.collect();
    let plot = |(at, name): (usize, &String)| {
        let points: Vec<Option<f64>> = all.iter().map(|values| number(&values[at])).collect();
        points.iter().any(Option::is_some).then(|| Plot { name: name.clone(), points })
    };
    trace.names.iter().enumerate().filter_map(plot).collect()
}
