//! What bounds cut off that narrow a search: a run says so, since it is complete only within them.
//!
//! In: a world. Out: which of the narrowed bounds kept a step from it that is legal otherwise. Where several did, each is
//! named. Nothing is executed that the search does not execute too.

use serde::{Deserialize, Serialize};

use crate::schedule::{StepKind, Task};

use super::world::{NOT_STARTED, World};
use super::{Choice, Kernel, Limits, Target, Unsupported};

/// Bounds that cut something off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cuts {
    /// Calls started.
    pub calls: bool,
    /// Calls open at a time.
    pub in_flight: bool,
    /// Faults.
    pub faults: bool,
    /// Context switches.
    pub switches: bool,
    /// Length of a chain.
    pub depth: bool,
    /// Time steps.
    pub times: bool,
    /// Firings of a timer.
    pub timers: bool,
    /// Heartbeats.
    pub heartbeats: bool,
}

impl Cuts {
    /// Whether a call could start but for them: then nothing is final, however complete it is within these bounds.
    pub fn a_start(&self) -> bool {
        self.calls || self.in_flight
    }

    /// What either cut off.
    pub fn or(self, other: Cuts) -> Cuts {
        Cuts {
            calls: self.calls || other.calls,
            in_flight: self.in_flight || other.in_flight,
            faults: self.faults || other.faults,
            switches: self.switches || other.switches,
            depth: self.depth || other.depth,
            times: self.times || other.times,
            timers: self.timers || other.timers,
            heartbeats: self.heartbeats || other.heartbeats,
        }
    }
}

impl Kernel {
    /// Which narrowed bounds keep a step from a world.
    ///
    /// # Errors
    /// As [`Kernel::choices`].
    pub fn cuts(&mut self, world: &World) -> Result<Cuts, Unsupported> {
        let (narrow, wide) = (self.plan.limits, self.plan.wide);
        if narrow == wide {
            return Ok(Cuts::default());
        }
        let canisters = 0..self.guests.len() as u16;
        let mut cuts = Cuts {
            depth: narrow.depth < wide.depth && self.is_cut_by_depth(world),
            timers: narrow.timers < wide.timers && self.is_cut_by_timers(world),
            heartbeats: narrow.heartbeats < wide.heartbeats
                && canisters.clone().any(|canister| self.is_last_heartbeat(world, canister)),
            ..Cuts::default()
        };
        let mut choices = Vec::new();
        // Tasks keep their trees, and with them their bounds.
        self.plan.limits = Limits { depth: narrow.depth, ..wide };
        let listed = self.plain_choices(world, &mut choices);
        let may_fault = self.may_fault(world);
        self.plan.limits = narrow;
        listed?;
        choices.retain(|choice| {
            let cut = self.cuts_of(world, choice);
            cuts = cuts.or(cut);
            cut == Cuts::default()
        });
        if may_fault && !self.may_fault(world) {
            let legal = choices.len();
            self.failing_performs(world, &mut choices)?;
            cuts.faults |= choices.len() > legal;
        }
        Ok(cuts)
    }

    /// Whether a canister could have a heartbeat but for the bound on them.
    fn is_last_heartbeat(&self, world: &World, canister: u16) -> bool {
        self.next_task(world, canister, Task::Heartbeat).is_none()
            && self.may_run(world, canister, Task::Heartbeat).is_ok()
    }

    /// Which bounds forbid a step that the rules allow.
    fn cuts_of(&self, world: &World, choice: &Choice) -> Cuts {
        let limits = self.plan.limits;
        let begins_call = match (choice.target, choice.kind) {
            (Target::Root(tree), StepKind::Start | StepKind::Submit) => {
                self.task(tree).is_none() && world.trees[tree as usize] == NOT_STARTED
            }
            _ => false,
        };
        Cuts {
            calls: begins_call && self.started(world) >= limits.calls,
            in_flight: begins_call && self.open_calls(world) >= limits.in_flight,
            faults: choice.fault.is_some() && !self.may_fault(world),
            switches: !self.may_switch(world) && self.is_switch(world, choice),
            times: matches!(choice.target, Target::Clock(_)) && !self.may_pass_time(world),
            ..Cuts::default()
        }
    }
}
