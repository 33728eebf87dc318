//! Follows a schedule as far as it is possible: for canisters that no longer do what they did.
//!
//! In: an installed scenario and a schedule. Out: the trace. Steps that are not possible are left out; afterwards whatever is in
//! flight is delivered, first in, first out, until nothing must happen.

use crate::engine::embedded::Embedded;
use crate::kernel::{Choice, Target, World};
use crate::schedule::{Schedule, Step, StepKind};
use crate::trace::Trace;

use super::describe::describe;
use super::replay::{ReplayError, Replayed, check, check_step};

/// Most steps after those of the schedule: canisters may call each other without end.
const MORE_STEPS: usize = 10_000;

/// Makes the steps of a schedule that are possible, then delivers what is in flight, and checks one invariant after each step.
///
/// # Errors
/// If the engine cannot tell what the IC would do.
pub fn lenient(engine: &mut Embedded, schedule: &Schedule, invariant: Option<usize>) -> Result<Replayed, ReplayError> {
    let world = engine.start().clone();
    let names = engine.scenario.observed_names();
    let start = engine.observe(&world)?;
    let mut replayed =
        Replayed { trace: Trace { names, start, events: Vec::new() }, violated: None, values: Vec::new() };
    check(engine, &world, invariant, &mut replayed)?;
    let mut following = Following { engine, invariant, world, replayed, waiting: Vec::new() };
    for step in &schedule.steps {
        if let Ok(choice) = following.engine.kernel.find(&following.world, step) {
            following.make(step, &choice)?;
        }
    }
    for _ in 0..MORE_STEPS {
        let Some(step) = following.first()? else { break };
        let found = following.engine.kernel.find(&following.world, &step);
        following.waiting.retain(|other| *other != step);
        if let Ok(choice) = found {
            following.make(&step, &choice)?;
        }
    }
    Ok(following.replayed)
}

struct Following<'a> {
    engine: &'a mut Embedded,
    invariant: Option<usize>,
    world: World,
    replayed: Replayed,
    /// Deliveries that became possible, oldest first.
    waiting: Vec<Step>,
}

impl Following<'_> {
    fn make(&mut self, step: &Step, choice: &Choice) -> Result<(), ReplayError> {
        let (next, happened) = self.engine.kernel.apply(&self.world, choice)?;
        let mut event = describe(self.engine, &self.world, &next, step, choice, &happened);
        event.observations = self.engine.observe(&next)?;
        self.replayed.trace.events.push(event);
        check_step(self.engine, &self.world, &next, self.invariant, &mut self.replayed)?;
        self.world = next;
        check(self.engine, &self.world, self.invariant, &mut self.replayed)?;
        self.note()
    }

    /// Notes what has become possible.
    fn note(&mut self) -> Result<(), ReplayError> {
        let mut choices = Vec::new();
        self.engine.kernel.choices(&self.world, &mut choices)?;
        let is_delivery = |choice: &&Choice| {
            let is_message = matches!(choice.target, Target::Request { .. })
                && matches!(choice.kind, StepKind::Request | StepKind::Response);
            choice.fault.is_none() && is_message
        };
        let mut names: Vec<Step> = Vec::new();
        for choice in choices.iter().filter(is_delivery) {
            names.push(self.engine.kernel.name(&self.world, choice));
        }
        self.waiting.retain(|step| names.contains(step));
        for name in names {
            if !self.waiting.contains(&name) {
                self.waiting.push(name);
            }
        }
        Ok(())
    }

    /// What has waited longest, as long as something must happen.
    fn first(&mut self) -> Result<Option<Step>, ReplayError> {
        self.note()?;
        let is_over = self.engine.kernel.is_quiescent(&self.world);
        Ok(if is_over { None } else { self.waiting.first().cloned() })
    }
}
