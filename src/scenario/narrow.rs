//! Bounds by name, and bounds narrower than a scenario's.
//!
//! In: a scenario and numbers for some of its bounds. Out: the scenario with these bounds; it keeps its own beside them, since
//! what the narrower ones cut off belongs to the question that it asks. A bound can be narrowed, never widened.

use serde::{Deserialize, Serialize};

use super::load::SWITCHES_MAX;
use super::{Bounds, Scenario};

/// A bound that can be narrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BoundName {
    /// Calls started.
    Calls,
    /// Calls open at a time.
    InFlight,
    /// Faults.
    Faults,
    /// Context switches.
    Switches,
    /// Messages in a chain that cause each other.
    Depth,
    /// Time steps in all.
    Time,
    /// Firings of each canister's timer.
    Timers,
    /// Heartbeats of each canister.
    Heartbeats,
}

/// Why a bound cannot be set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BoundError {
    /// Wider than the scenario's.
    #[error("the bound {}={asked} is wider than the scenario, which allows {own}; it can only be narrowed", name.word())]
    Wider {
        /// Which bound.
        name: BoundName,
        /// What was asked for.
        asked: u32,
        /// What the scenario allows.
        own: u32,
    },
    /// More context switches than are counted.
    #[error("the bound switches={asked} is more than can be counted, which is {SWITCHES_MAX}")]
    Uncounted {
        /// What was asked for.
        asked: u32,
    },
    /// Nothing could happen.
    #[error("the bound {}={asked} leaves nothing to explore; it is 1 at least", name.word())]
    Nothing {
        /// Which bound.
        name: BoundName,
        /// What was asked for.
        asked: u32,
    },
}

impl BoundName {
    /// All of them.
    pub const ALL: [BoundName; 8] = [
        BoundName::Calls,
        BoundName::InFlight,
        BoundName::Faults,
        BoundName::Switches,
        BoundName::Depth,
        BoundName::Time,
        BoundName::Timers,
        BoundName::Heartbeats,
    ];

    /// Its word on the command line and in reports.
    pub fn word(self) -> &'static str {
        match self {
            BoundName::Calls => "calls",
            BoundName::InFlight => "in_flight",
            BoundName::Faults => "faults",
            BoundName::Switches => "switches",
            BoundName::Depth => "depth",
            BoundName::Time => "time",
            BoundName::Timers => "timers",
            BoundName::Heartbeats => "heartbeats",
        }
    }

    /// The bound of this word.
    pub fn of_word(word: &str) -> Option<BoundName> {
        BoundName::ALL.into_iter().find(|name| name.word() == word)
    }
}

impl Bounds {
    /// The number of a bound; `None` for context switches without one.
    pub fn get(&self, name: BoundName) -> Option<u32> {
        match name {
            BoundName::Calls => Some(self.calls),
            BoundName::InFlight => Some(self.in_flight),
            BoundName::Faults => Some(self.faults),
            BoundName::Switches => self.switches,
            BoundName::Depth => Some(self.depth),
            BoundName::Time => Some(self.times),
            BoundName::Timers => Some(self.timers),
            BoundName::Heartbeats => Some(self.heartbeats),
        }
    }

    fn set(&mut self, name: BoundName, most: u32) {
        match name {
            BoundName::Calls => self.calls = most,
            BoundName::InFlight => self.in_flight = most,
            BoundName::Faults => self.faults = most,
            BoundName::Switches => self.switches = Some(most),
            BoundName::Depth => self.depth = most,
            BoundName::Time => self.times = most,
            BoundName::Timers => self.timers = most,
            BoundName::Heartbeats => self.heartbeats = most,
        }
    }
}

impl Scenario {
    /// Narrows one of the bounds. One as wide as the scenario's changes nothing.
    ///
    /// # Errors
    /// If it is wider than the scenario's, or nothing could happen within it.
    pub fn narrow(&mut self, name: BoundName, most: u32) -> Result<(), BoundError> {
        match self.own_bounds.get(name) {
            Some(own) if most > own => return Err(BoundError::Wider { name, asked: most, own }),
            None if most > SWITCHES_MAX => return Err(BoundError::Uncounted { asked: most }),
            _ => {}
        }
        if most == 0 && matches!(name, BoundName::Calls | BoundName::InFlight | BoundName::Depth) {
            return Err(BoundError::Nothing { name, asked: most });
        }
        self.bounds.set(name, most);
        Ok(())
    }
}
