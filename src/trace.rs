//! What an execution leaves behind: its trace, step by step, and its outcome.
//!
//! In: what an engine saw. Out: values that can be compared and printed; nothing in them differs between two runs.

use std::fmt;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use crate::scenario::{CallState, CallView, Reply, Scenario, Value};
use crate::schedule::Step;

/// What one complete execution ended with, as one line of text.
///
/// Observations in file order, then the started calls sorted; reject codes without their text and no times, so that
/// engines which word a reject differently still agree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Outcome {
    text: String,
}

impl Outcome {
    /// The outcome of an execution that ended with these observations (one per `[observe]`) and these calls.
    pub fn new(scenario: &Scenario, observations: &[Arc<Value>], calls: &[CallView]) -> Outcome {
        let observed: Vec<String> = scenario
            .observations
            .iter()
            .zip(observations)
            .map(|(observation, value)| format!("{} = {value}", observation.name))
            .collect();
        let mut ended: Vec<String> = calls
            .iter()
            .filter_map(|call| {
                let id = &scenario.calls[call.entry].id;
                match &call.state {
                    CallState::NotStarted => None,
                    CallState::Open => Some(format!("{id} unanswered")),
                    CallState::Done(reply) => Some(match reply.as_ref() {
                        Reply::Replied(value, _) => format!("{id} = {value}"),
                        Reply::Rejected { code, .. } => format!("{id} rejected {code}"),
                    }),
                }
            })
            .collect();
        ended.sort();
        Outcome { text: format!("{} | {}", observed.join("; "), ended.join("; ")) }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What one execution did, step by step. Equal schedules of a scenario give equal traces, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Names of the observations, in file order.
    pub names: Vec<String>,
    /// Their values before the first step.
    pub start: Vec<Arc<Value>>,
    /// What happened.
    pub events: Vec<Event>,
}

/// One step of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its name.
    pub step: Step,
    /// Who acts and who is acted upon, by name: for diagrams.
    pub from: String,
    /// See `from`.
    pub to: String,
    /// What the message is, or what the fault does.
    pub what: String,
    /// Whether a fault of the scenario pays for it.
    pub is_fault: bool,
    /// What came of it, where no canister executed a message that awaits.
    pub outcome: Option<String>,
    /// The requests it sent.
    pub sent: Vec<Sent>,
    /// The answer it gave: to which call, and what.
    pub answer: Option<(String, String)>,
    /// Why it was undone.
    pub trap: Option<String>,
    /// Whether cleanup ran: `Ok` if it returned, else its error.
    pub cleanup: Option<Result<(), String>>,
    /// Whether its call context now waits for responses: an await point.
    pub awaits: bool,
    /// Lines it printed.
    pub log: Vec<String>,
    /// Values of the observations after it.
    pub observations: Vec<Arc<Value>>,
    /// Hash of the world after it.
    pub world: u128,
    /// Hash of its name, this world and the link of the event before: equal links mean equal ways up to here.
    pub link: u64,
}

/// A request that a delivery sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its name.
    pub name: String,
    /// Canister and method.
    pub to: String,
    /// Its argument.
    pub arg: String,
    /// Whether the caller waits at most until a deadline.
    pub bounded: bool,
}

impl Trace {
    /// Adds an event, linked to the one before.
    pub fn push(&mut self, event: Event) {
        let before = self.events.last().map_or(0, |event| event.link);
        let mut bytes = before.to_le_bytes().to_vec();
        bytes.extend(event.world.to_le_bytes());
        bytes.extend(event.step.to_string().into_bytes());
        self.events.push(Event { link: xxh3_64(&bytes), ..event });
    }

    /// The first event, by position, that another trace of the same schedule does not have.
    pub fn first_difference(&self, other: &Trace) -> Option<usize> {
        let most = self.events.len().max(other.events.len());
        (0..most).find(|&at| match (self.events.get(at), other.events.get(at)) {
            // Links say that the ways are the same; what was seen on them must be, too.
            (Some(one), Some(other)) => one != other,
            _ => true,
        })
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = |values: &[Arc<Value>]| {
            let pairs = self.names.iter().zip(values).map(|(name, value)| format!("{name} = {value}"));
            pairs.collect::<Vec<_>>().join(", ")
        };
        writeln!(f, "start: {}", values(&self.start))?;
        for event in &self.events {
            writeln!(f, "{}: {} -> {}: {}", event.step, event.from, event.to, event.what)?;
            if let Some(outcome) = &event.outcome {
                writeln!(f, "  {outcome}")?;
            }
            for sent in &event.sent {
                let wait = if sent.bounded { "bounded" } else { "unbounded" };
                writeln!(f, "  sends {} {}({}), {wait} wait", sent.name, sent.to, sent.arg)?;
            }
            if let Some(trap) = &event.trap {
                writeln!(f, "  traps: {trap}")?;
            }
            match &event.cleanup {
                Some(Ok(())) => writeln!(f, "  cleanup runs")?,
                Some(Err(error)) => writeln!(f, "  cleanup traps: {error}")?,
                None => {}
            }
            if let Some((to, answer)) = &event.answer {
                writeln!(f, "  answers {to}: {answer}")?;
            }
            if event.awaits {
                writeln!(f, "  awaits")?;
            }
            for line in &event.log {
                writeln!(f, "  prints {line:?}")?;
            }
            writeln!(f, "  {}", values(&event.observations))?;
            writeln!(f, "  world {:032x}, link {:016x}", event.world, event.link)?;
        }
        Ok(())
    }
}
