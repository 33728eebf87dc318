//! What a step does to a world.
//!
//! In: a world and one of its choices. Out: the next world (not yet in canonical form) and what happened. Deliveries are in
//! [`super::deliver`], faults on requests in [`super::fault`], what is done to a canister as a whole in [`super::change`].

use std::sync::Arc;

use crate::schedule::{Path, StepKind};

use super::memo::Effects;
use super::world::World;
use super::{Choice, Kernel, Target, Unsupported};

/// What one delivery did: for traces and reports.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Where.
    pub canister: u16,
    /// The message that was executed.
    pub message: u32,
    /// Its effects.
    pub effects: Arc<Effects>,
    /// The cleanup that ran because the callback trapped.
    pub cleanup: Option<Arc<Effects>>,
    /// How the call context was answered by this delivery: which context, with which response.
    pub answered: Option<(Path, u32)>,
    /// Whether the call context still waits for responses: this is an await point.
    pub awaits: bool,
    /// Whether a response was given that nobody receives: the call expired before.
    pub dropped: bool,
}

/// What came of a step.
#[derive(Clone, Debug)]
pub enum Happened {
    /// A canister executed a message.
    Delivery(Delivery),
    /// The system acted, and no canister executed a message that awaits: in words.
    System(String),
    /// Only what the step's name says.
    Nothing,
}

impl Happened {
    /// The delivery, if a canister executed a message.
    pub fn delivery(&self) -> Option<&Delivery> {
        match self {
            Happened::Delivery(delivery) => Some(delivery),
            Happened::System(_) | Happened::Nothing => None,
        }
    }
}

impl Kernel {
    /// Makes a step.
    ///
    /// # Errors
    /// If a guest cannot tell what the IC would do.
    pub fn apply(&mut self, world: &World, choice: &Choice) -> Result<(World, Happened), Unsupported> {
        self.make(world, choice).map_err(|error| {
            // Which step it was matters only where the engine is in doubt.
            let step =
                if error.is_contradiction { format!("step `{}`: ", self.name(world, choice)) } else { String::new() };
            Unsupported { what: step + &error.what, ..error }
        })
    }

    fn make(&mut self, world: &World, choice: &Choice) -> Result<(World, Happened), Unsupported> {
        let mut next = world.clone();
        if let Some(fault) = choice.fault {
            next.faults[usize::from(fault)] += 1;
        }
        let perform_fails = if let StepKind::PerformFails(n) = choice.kind { n } else { 0 };
        let happened = match choice.target {
            Target::Root(tree) => match (self.task(tree).copied(), choice.kind) {
                (Some(task), _) => self.run_task(&mut next, tree, &task, perform_fails)?,
                (None, StepKind::Submit) => self.submit(&mut next, tree, choice.message)?,
                (None, _) => self.deliver_ingress(&mut next, tree, choice.message, perform_fails)?,
            },
            Target::Request { tree, request } => {
                self.act_on_request(&mut next, tree, request, choice, perform_fails)?
            }
            Target::Clock(entry) => {
                next.times[entry as usize] += 1;
                next.time_ns = next.time_ns.saturating_add(self.plan.times[entry as usize].advance_ns);
                Happened::Nothing
            }
            Target::Canister { canister, task } => self.change(&mut next, canister, task, choice.fault)?,
        };
        if let (Some(_), Some(at), true) = (choice.fault, choice.tree(), self.plan.marks) {
            let mut tree = self.tree(next.trees[at as usize]).as_ref().clone();
            tree.marks.add_fault();
            next.trees[at as usize] = self.tables.intern_tree(tree);
        }
        self.stop_what_is_idle(&mut next);
        self.take_turn(world, choice, &mut next);
        Ok((next, happened))
    }

    fn act_on_request(
        &mut self,
        world: &mut World,
        tree: u32,
        at: u32,
        choice: &Choice,
        perform_fails: u32,
    ) -> Result<Happened, Unsupported> {
        let request = self.tree(world.trees[tree as usize]).requests[at as usize].clone();
        match choice.kind {
            StepKind::Request => self.deliver_request(world, tree, &request, perform_fails),
            StepKind::PerformFails(_) if request.queued.is_some() => {
                self.deliver_request(world, tree, &request, perform_fails)
            }
            StepKind::Reject(code) => {
                self.reject(world, tree, &request, code);
                Ok(Happened::Nothing)
            }
            StepKind::Expire => {
                self.expire(world, tree, &request);
                Ok(Happened::Nothing)
            }
            StepKind::BusinessError | StepKind::Lie => {
                let fault = choice.fault.expect("bug in canloom: a scripted answer is a fault");
                self.answer_by_script(world, tree, &request, choice.kind, fault);
                Ok(Happened::Nothing)
            }
            StepKind::Start | StepKind::Submit | StepKind::Response | StepKind::Trap | StepKind::PerformFails(_) => {
                let traps = choice.kind == StepKind::Trap;
                self.deliver_response(world, tree, &request, perform_fails, traps)
            }
        }
    }
}
