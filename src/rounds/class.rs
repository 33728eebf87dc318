//! Classes of orders: what a replica must be doing for a violation to happen on it.
//!
//! In: a schedule that violates an invariant. Out: the weakest [`Class`] in which an order of the same calls, faults and time
//! steps violates it, with a script. A class speaks of the order of messages, not of who causes a fault: faults on messages
//! strike as in the schedule, when their message is due.

use std::fmt;

use crate::engine::embedded::Embedded;
use crate::kernel::Unsupported;
use crate::schedule::{Schedule, Step};
use crate::script::Script;

use super::Aim;
use super::search::{Planned, plan};

/// What it takes for an order of messages to happen on a replica; each class contains those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Rounds that run to their end, on one subnet.
    IdleRound,
    /// Rounds that other work fills, on one subnet.
    LoadedRound,
    /// Canisters on several subnets.
    CrossSubnet,
    /// The interface specification allows the order, and no replica makes it within the bounds.
    SpecOnly,
}

impl Class {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Class::IdleRound => "idle-round",
            Class::LoadedRound => "loaded-round",
            Class::CrossSubnet => "cross-subnet",
            Class::SpecOnly => "spec-only",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The class of a violation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labelled {
    /// The class; `None` if none was found and the search did not end.
    pub class: Option<Class>,
    /// Whether the search for a weaker class did not end, so that the class may be too strong.
    pub is_cut: bool,
    /// What a driver would do, if it is a class that replicas have. Faults on messages are not part of it.
    pub script: Option<Script>,
    /// The steps that it comes to.
    pub steps: Vec<Step>,
}

/// Labels a schedule that violates an invariant, by position. Bounds are to be set as for [`plan`].
///
/// # Errors
/// If a canister asks for something that the engine does not offer.
pub fn classify(engine: &mut Embedded, schedule: &Schedule, invariant: usize) -> Result<Labelled, Unsupported> {
    Ok(match plan(engine, schedule, invariant, Aim::Label)? {
        Planned::Found { class, script, steps, is_cut } => {
            Labelled { class: Some(class), is_cut, script: Some(script), steps }
        }
        Planned::NotFound { is_cut } => {
            Labelled { class: (!is_cut).then_some(Class::SpecOnly), is_cut, script: None, steps: Vec::new() }
        }
        // It is a schedule of other canisters: nothing is known of it.
        Planned::NotExpressible { .. } => Labelled { class: None, is_cut: false, script: None, steps: Vec::new() },
    })
}
