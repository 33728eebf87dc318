//! Who chooses the next step of a sampled schedule.
//!
//! In: the steps that are possible, as [`Offer`]s. Out: which of them is made. A scheduler knows neither canisters nor
//! kernel; its choices depend on the seed, the number of the schedule and what earlier batches of schedules taught
//! ([`Experience`]), so a schedule can be made again. Left out: making the steps (`sample`), and whether an optional step is
//! made at all ([`Extras`]). Docs: docs/sampling.md.

mod experience;
mod extras;
mod generator;
mod pct;
mod pos;
mod random;

use std::sync::Arc;

pub use experience::{Experience, Record};
pub use extras::Extras;
pub use generator::{Generator, mix};
pub use pct::Pct;
pub use pos::Pos;
pub use random::Random;

/// The canister of steps that any canister may notice.
pub const EVERYWHERE: u16 = u16::MAX;

/// What a step is to a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A message: what a scheduler orders.
    Message,
    /// A fault.
    Fault,
    /// Time passes.
    Time,
    /// A step that nothing waits for: a heartbeat, the loading of a snapshot.
    Optional,
}

/// One possible step, as a scheduler sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Stands for the step's name: the same wherever the step is possible.
    pub event: u64,
    /// What the step is.
    pub class: Class,
    /// Whether a chain of messages begins here.
    pub is_root: bool,
    /// The canister that executes it, or [`EVERYWHERE`].
    pub canister: u16,
    /// The call or task that it belongs to, from 0.
    pub chain: u32,
    /// Calls of one entry, and tasks of one kind of a canister, are of one family, from 0.
    pub family: u32,
    /// How many equal steps it stands for: starts of interchangeable calls.
    pub multiplicity: u32,
    /// Its position among the possible steps of the world.
    pub position: u32,
}

/// Chooses among messages.
pub trait Scheduler: Send {
    /// A schedule of this number begins.
    fn begin(&mut self, schedule: u64, experience: &Arc<Experience>);

    /// Which of these messages is next; there is at least one.
    fn next(&mut self, messages: &[Offer]) -> usize;
}

/// How schedules are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// [`Random`].
    Random,
    /// [`Pos`].
    Pos,
    /// [`Pct`].
    Pct,
    /// These three in turns.
    Turns,
}

impl Strategy {
    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Strategy::Random => "random",
            Strategy::Pos => "pos",
            Strategy::Pct => "pct",
            Strategy::Turns => "random, pos, pct in turns",
        }
    }

    /// Its schedulers: schedule `n` is made by number `n` modulo their count.
    pub fn schedulers(self, seed: u64) -> Vec<Box<dyn Scheduler>> {
        let all = [Strategy::Random, Strategy::Pos, Strategy::Pct];
        match self {
            Strategy::Random => vec![Box::new(Random::new(seed))],
            Strategy::Pos => vec![Box::new(Pos::new(seed))],
            Strategy::Pct => vec![Box::new(Pct::new(seed))],
            Strategy::Turns => all.into_iter().flat_map(|one| one.schedulers(seed)).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
