//! How simple a counterexample is.
//!
//! In: a schedule as it was followed. Out: a [`Size`], the least of which is the simplest: what the search takes first, then
//! what makes a schedule easy to read.

use crate::counterexample::play::Play;
use crate::engine::embedded::Embedded;
use crate::explore::Rank;
use crate::explore::look::Successor;
use crate::schedule::{Step, StepKind};

/// Simplest first, by one after the other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size {
    /// Faults, calls, bounded context switches and steps: the order of the search.
    pub rank: Rank,
    /// Where the schedule goes over from one chain of messages to another.
    pub switches: u32,
    /// Pairs of messages that are delivered in another order than the one in which they were sent.
    pub overtakings: u32,
    /// Length of the arguments' values, then the values.
    pub values: (usize, Vec<String>),
}

impl Size {
    /// The size of a schedule.
    pub(crate) fn of(engine: &Embedded, play: &Play) -> Size {
        let rank = Successor::new(engine, &play.last, play.made.len() as u32, 1).rank;
        let steps: Vec<&Step> = play.made.iter().map(|made| &made.step).collect();
        let values: Vec<String> = steps
            .iter()
            .flat_map(|step| step.values.iter())
            .map(|(_, value)| format!("{:06} {value}", value.len()))
            .collect();
        let length = steps.iter().flat_map(|step| step.values.iter()).map(|(_, value)| value.len()).sum();
        Size { rank, switches: switches(&steps), overtakings: overtakings(&steps), values: (length, values) }
    }
}

/// How often a schedule goes over from one chain of messages to another.
pub fn switches(steps: &[&Step]) -> u32 {
    steps.windows(2).filter(|pair| pair[0].root != pair[1].root).count() as u32
}

/// Pairs of messages that overtake each other: the one that was sent later is delivered first.
fn overtakings(steps: &[&Step]) -> u32 {
    // Sent by the last step before it on which it depends; calls come from outside, whenever they like.
    let sent: Vec<Option<usize>> = steps
        .iter()
        .enumerate()
        .map(|(at, step)| {
            let depends = |&other: &usize| steps[other].root == step.root && step.path.follows(&steps[other].path);
            (0..at).rev().find(depends).filter(|_| step.kind != StepKind::Start)
        })
        .collect();
    let mut pairs = 0;
    for (at, sent_late) in sent.iter().enumerate() {
        let Some(late) = sent_late else { continue };
        pairs += sent[at + 1..].iter().flatten().filter(|early| *early < late).count();
    }
    pairs as u32
}
