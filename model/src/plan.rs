//! What each call does in its turns, where it has a choice: decided outside loom.
//!
//! loom decides which call has the next turn, and nothing else. Where the call itself can do more than one thing then (be
//! delivered or suffer a fault; handle a late request before or after a callback), a [`Plan`] decides. So every execution is one plan and
//! one order of turns, and belongs to no other pair:
//!
//! 1. Without an entry, a turn makes the first delivery that the call can make; a call that need not go on ends.
//! 2. An entry makes another step instead. Where that step is impossible, or is what would happen anyway, the execution
//!    belongs to another plan and is cut.
//! 3. Exploring a plan shows which other steps its calls could have made; each gives a plan with one entry more.
//!
//! The faults of the IC become entries like this, for the first request `0.1` of call 0 (turn 0 is its start):
//!
//! | what happens | turns of call 0 | entries |
//! |---|---|---|
//! | nothing | `0`, `0.1`, `0.1r` | |
//! | clean reject | `0`, `0.1j`, `0.1r` | turn 1: `0.1j` |
//! | SYS_UNKNOWN, executed before | `0`, `0.1`, `0.1x`, `0.1r` | turn 2: `0.1x` |
//! | SYS_UNKNOWN, executed late, before the callback | `0`, `0.1x`, `0.1`, `0.1r` | turn 1: `0.1x` |
//! | SYS_UNKNOWN, executed late, after the callback | `0`, `0.1x`, `0.1r`, `0.1` | turn 1: `0.1x`, turn 2: `0.1r`, turn 3: `0.1` |
//! | SYS_UNKNOWN, dropped | `0`, `0.1x`, `0.1r` | turn 1: `0.1x`, turn 2: `0.1r` |

use std::collections::BTreeMap;
use std::fmt;

use canloom::schedule::Step;

/// Calls that take part, and their choices.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Plan {
    /// Call instances, ascending.
    pub calls: Vec<usize>,
    /// Other steps than the first delivery, by call and number of its turn, from 0.
    pub entries: BTreeMap<(usize, usize), Step>,
}

impl Plan {
    /// The plan of these calls in which every choice is the first.
    pub fn of(calls: Vec<usize>) -> Plan {
        Plan { calls, entries: BTreeMap::new() }
    }

    /// This plan with one more entry.
    pub fn with(&self, at: (usize, usize), step: Step) -> Plan {
        let mut plan = self.clone();
        plan.entries.insert(at, step);
        plan
    }

    /// Faults that every complete execution of the plan has.
    pub fn faults(&self) -> u32 {
        self.entries.values().filter(|step| !step.is_delivery()).count() as u32
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "calls {:?}", self.calls)?;
        self.entries.iter().try_for_each(|((call, turn), step)| write!(f, ", turn {turn} of call {call}: {step}"))
    }
}
