//! Takes from a sampled schedule what its violation does not need.
//!
//! In: a schedule that violates an invariant. Out: a schedule that still does, ends where it is violated first, and is a
//! replay of the canisters like any other. Whole calls and tasks go first, then single steps; a fault may turn into
//! the delivery that it replaced. This makes a finding readable; it is not the shortest one.

use crate::engine::embedded::Embedded;
use crate::explore::look::{Successor, add_met, look};
use crate::explore::{Finding, Grade, Rank};
use crate::invariant::Before;
use crate::kernel::Unsupported;
use crate::schedule::{Root, Schedule, Step, StepKind};

/// Steps beyond which single ones are not tried: the effort grows with the square.
const STEPS_MAX: usize = 400;

/// A schedule as it was followed, up to the violation.
struct Followed {
    steps: Vec<Step>,
    faults: u32,
    calls: u32,
    switches: Option<u32>,
    callback_traps: bool,
    error: Option<String>,
    met: Vec<(usize, Rank)>,
}

impl Followed {
    fn rank(&self) -> (u32, u32, Option<u32>, usize) {
        (self.faults, self.calls, self.switches, self.steps.len())
    }
}

/// The steps of a path: positions among the choices of each world on the way.
///
/// # Errors
/// If a canister asks for something that the engine does not offer; likewise below.
pub fn steps(engine: &mut Embedded, path: &[u32]) -> Result<Vec<Step>, Unsupported> {
    let mut world = engine.start().clone();
    let mut choices = Vec::new();
    let mut steps = Vec::with_capacity(path.len());
    for &position in path {
        engine.kernel.choices(&world, &mut choices)?;
        let choice = choices[position as usize];
        steps.push(engine.kernel.name(&world, &choice));
        world = engine.kernel.apply(&world, &choice)?.0;
    }
    Ok(steps)
}

/// The finding that is left of these steps, if those of them that are possible violate the invariant; `worlds` violate it in all.
///
/// # Errors
/// If a canister asks for something that the engine does not offer.
pub fn trim(
    engine: &mut Embedded,
    invariant: usize,
    steps: &[Step],
    worlds: u64,
) -> Result<Option<Finding>, Unsupported> {
    let Some(mut best) = follow(engine, invariant, steps)? else { return Ok(None) };
    loop {
        let before = best.rank();
        for candidate in without_roots(&best.steps) {
            accept(engine, invariant, &candidate, &mut best)?;
        }
        let mut at = 0;
        while at < best.steps.len() && best.steps.len() <= STEPS_MAX {
            let mut candidate = best.steps.clone();
            if let Some(step) = instead(&candidate[at]) {
                candidate[at] = step;
                accept(engine, invariant, &candidate, &mut best)?;
            }
            if at < best.steps.len() {
                let mut candidate = best.steps.clone();
                candidate.remove(at);
                accept(engine, invariant, &candidate, &mut best)?;
            }
            at += 1;
        }
        if best.rank() == before {
            break;
        }
    }
    let Followed { steps, faults, calls, switches, callback_traps, error, met } = best;
    let grade = Grade::of(&steps, callback_traps, faults);
    let steps = engine.kernel.in_order_of_start(steps);
    let deliveries = steps.iter().filter(|step| step.is_delivery()).count() as u32;
    let (schedule, order) = (Schedule { steps }, Vec::new());
    let also = Vec::new();
    let finding =
        Finding { invariant, schedule, order, calls, switches, deliveries, faults, grade, worlds, error, met, also };
    Ok(Some(finding))
}

fn accept(engine: &mut Embedded, invariant: usize, candidate: &[Step], best: &mut Followed) -> Result<(), Unsupported> {
    if let Some(followed) = follow(engine, invariant, candidate)?
        && followed.rank() < best.rank()
    {
        *best = followed;
    }
    Ok(())
}

/// For each call and task: the steps without its own.
fn without_roots(steps: &[Step]) -> Vec<Vec<Step>> {
    let mut roots: Vec<&Root> = steps.iter().map(|step| &step.root).collect();
    roots.sort();
    roots.dedup();
    roots.into_iter().map(|root| steps.iter().filter(|step| step.root != *root).cloned().collect()).collect()
}

/// The delivery that a fault took the place of.
fn instead(step: &Step) -> Option<Step> {
    let kind = match step.kind {
        StepKind::Reject(_) | StepKind::BusinessError | StepKind::Lie => StepKind::Request,
        StepKind::Trap => StepKind::Response,
        _ => return None,
    };
    Some(Step { kind, ..step.clone() })
}

/// Makes those of the steps that are possible, until the invariant is violated; `None` if it never is.
fn follow(engine: &mut Embedded, invariant: usize, steps: &[Step]) -> Result<Option<Followed>, Unsupported> {
    let mut world = engine.start().clone();
    let mut choices = Vec::new();
    let mut made = Vec::with_capacity(steps.len());
    let mut callback_traps = false;
    let mut met = Vec::new();
    let mut waiting = steps.iter();
    loop {
        engine.kernel.choices(&world, &mut choices)?;
        let look = look(engine, &world, &choices)?;
        look.add_met(Successor::new(engine, &world, made.len() as u32, 1).rank, &mut met);
        if let Some((_, error)) = look.violated.into_iter().find(|(at, _)| *at == invariant) {
            let (calls, faults) = look.spent;
            let switches = engine.scenario.bounds.switches.map(|_| u32::from(world.switches()));
            return Ok(Some(Followed { steps: made, faults, calls, switches, callback_traps, error, met }));
        }
        let possible = waiting.by_ref().find_map(|step| Some((step, engine.kernel.find(&world, step).ok()?)));
        let Some((step, choice)) = possible else { return Ok(None) };
        let (next, happened) = engine.kernel.apply(&world, &choice)?;
        let traps = happened.delivery().is_some_and(|delivery| delivery.effects.trap.is_some());
        callback_traps |= traps && step.runs_callback();
        made.push(step.clone());
        let broken = match Before::of(engine, &world)? {
            Some(before) => before.broken(engine, &next)?,
            None => Vec::new(),
        };
        world = next;
        if !broken.is_empty() {
            let rank = Successor::new(engine, &world, made.len() as u32, 1).rank;
            add_met(broken.iter().map(|broken| broken.invariant), rank, &mut met);
        }
        if let Some(broken) = broken.into_iter().find(|broken| broken.invariant == invariant) {
            let (calls, faults) = (engine.kernel.started(&world), world.faulted());
            let switches = engine.scenario.bounds.switches.map(|_| u32::from(world.switches()));
            let error = broken.error;
            return Ok(Some(Followed { steps: made, faults, calls, switches, callback_traps, error, met }));
        }
    }
}
