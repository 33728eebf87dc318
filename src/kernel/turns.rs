//! Context switches: how often a chain of messages is left while it could go on.
//!
//! In: a world and a step. Out: whether the step is a switch, and whose turn it is afterwards. A chain is a tree: a call or
//! a task with all that it causes. A delivery of one chain is a switch if the last delivery was of another, and that one
//! could go on: a message of it, which somebody waits for, could be delivered now. That is a preemption as of Musuvathi and
//! Qadeer ("Iterative context bounding for systematic testing of multithreaded programs", PLDI 2007); most bugs of
//! concurrent programs need few of them. A chain that has ended, or waits for another one, is left for nothing. So is one of
//! which there is only an expired request: nobody waits for that, and it need not start.
//!
//! What happens to messages and canisters from outside is no delivery and takes no turn: rejects, expiry, answers in a
//! callee's place, time, administration. A fault that strikes in a delivery (a trap, a call that cannot be performed) is
//! that delivery.

use crate::schedule::{Step, StepKind};

use super::world::{Turns, World};
use super::{Choice, Kernel, Refusal};

impl Kernel {
    /// Whether a step leaves a chain that could go on. Never so where switches are not counted.
    pub(super) fn is_switch(&self, world: &World, choice: &Choice) -> bool {
        let last = world.turns.and_then(|turns| turns.last);
        match (last, chain(choice)) {
            (Some(last), Some(tree)) => last != tree && self.can_go_on(world, last),
            _ => false,
        }
    }

    /// Takes those steps away that would be a switch too many.
    pub(super) fn within_switches(&self, world: &World, choices: &mut Vec<Choice>) {
        if !self.may_switch(world) && world.turns.and_then(|turns| turns.last).is_some() {
            choices.retain(|choice| !self.is_switch(world, choice));
        }
    }

    /// Whether one more switch fits into the bound.
    pub(super) fn may_switch(&self, world: &World) -> bool {
        self.plan.limits.switches.is_none_or(|most| world.switches() < most)
    }

    /// Whether a step that is legal otherwise is within the bound on switches.
    pub(super) fn may_take_turn(&self, world: &World, choice: &Choice, step: &Step) -> Result<(), Refusal> {
        match self.plan.limits.switches {
            Some(most) if !self.may_switch(world) && self.is_switch(world, choice) => {
                Err(Refusal::Bound(format!("{step} would be one context switch more than the {most} allowed")))
            }
            _ => Ok(()),
        }
    }

    /// Says in `next`, where a step of `world` leads, whose turn it is now.
    pub(super) fn take_turn(&self, world: &World, choice: &Choice, next: &mut World) {
        let Some(before) = world.turns else { return };
        let switched = self.is_switch(world, choice);
        // A chain of which nothing is left is forgotten, so that worlds that differ in nothing else are one.
        let last = chain(choice).or(before.last).filter(|&tree| !self.has_ended(next, tree));
        next.turns = Some(Turns { last, switches: before.switches.saturating_add(u8::from(switched)) });
    }

    fn can_go_on(&self, world: &World, tree: u32) -> bool {
        let progress = self.tree(world.trees[tree as usize]);
        let starts = || progress.submitted && self.may_start(world, tree as usize).is_ok();
        starts()
            || progress.requests.iter().any(|request| {
                request.callback.as_ref().is_some_and(|callback| {
                    callback.response.is_some()
                        || request.queued.is_some() && self.may_deliver(world, tree, request).is_ok()
                })
            })
    }

    fn has_ended(&self, world: &World, tree: u32) -> bool {
        let progress = self.tree(world.trees[tree as usize]);
        !progress.submitted && progress.requests.iter().all(|request| request.callback.is_none())
    }
}

/// The chain of which a step is a delivery.
fn chain(choice: &Choice) -> Option<u32> {
    let delivers = matches!(
        choice.kind,
        StepKind::Submit
            | StepKind::Start
            | StepKind::Request
            | StepKind::Response
            | StepKind::Trap
            | StepKind::PerformFails(_)
    );
    choice.tree().filter(|_| delivers)
}
