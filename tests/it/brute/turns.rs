//! Context switches, counted along a path: a delivery of one chain while another one, of the last delivery, could go on.
//!
//! A chain is all that comes of one call from outside, or of one task; contexts, callbacks and requests carry its number. It
//! can go on if one of its messages that somebody waits for can be delivered, or its inspected call can start.

use super::relation::Relation;
use super::step::Step;
use super::world::World;

/// More than there are calls.
const FIRST_TASK: u32 = 1_000;

/// The chain of a call instance.
pub fn of_call(call: usize) -> u32 {
    call as u32
}

/// The chain of the n-th task.
pub fn of_task(n: u32) -> u32 {
    FIRST_TASK + n
}

impl Relation<'_> {
    /// Counts a step, before it is made.
    pub fn take_turn(&self, world: &mut World, step: &Step) {
        let Some(chain) = chain(world, step) else { return };
        let is_left = |last: u32| last != chain && self.can_go_on(world, last);
        if world.last_chain.is_some_and(is_left) {
            world.switches += 1;
        }
        world.last_chain = Some(chain);
    }

    /// Removes the steps that would be a switch too many.
    pub fn keep_to_turn(&self, world: &World, switches_max: Option<u32>, steps: &mut Vec<Step>) {
        if let (Some(most), Some(last)) = (switches_max, world.last_chain)
            && world.switches >= most
            && self.can_go_on(world, last)
        {
            steps.retain(|step| chain(world, step).is_none_or(|chain| chain == last));
        }
    }

    fn can_go_on(&self, world: &World, chain_left: u32) -> bool {
        let is_awaited = |step: &Step| match step {
            Step::Request(pair, place) => world.callbacks.contains_key(&world.queues[pair][*place].callback),
            _ => true,
        };
        let mut messages = self.deliveries(world, self.scenario.bounds.depth).into_iter();
        world.submitted.get(chain_left as usize) == Some(&true)
            || messages.any(|step| chain(world, &step) == Some(chain_left) && is_awaited(&step))
    }
}

/// The chain of which a step is a delivery. What happens from outside is none.
fn chain(world: &World, step: &Step) -> Option<u32> {
    match step {
        Step::Submit(call, _) | Step::Start(call, _) => Some(of_call(*call)),
        Step::Task(..) => Some(of_task(world.tasks + 1)),
        Step::Request(pair, place) => Some(world.queues[pair][*place].chain),
        Step::Response(callback) | Step::Trap { callback, .. } => Some(world.callbacks[callback].chain),
        Step::PerformFails { of, .. } => chain(world, of),
        Step::Expire { .. } | Step::Time(_) | Step::Reject { .. } | Step::Script { .. } | Step::Change { .. } => None,
    }
}
