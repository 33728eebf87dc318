//! The steps of a world as a scheduler sees them.
//!
//! In: a world's choices. Out: [`Offer`]s, messages apart from extra steps. Numbers stand for names: an offer has the same
//! ones in every world and in every run of the scenario.

use xxhash_rust::xxh3::xxh3_64;

use crate::engine::embedded::Embedded;
use crate::kernel::{Choice, Kernel, MANAGEMENT, Target, World};
use crate::schedule::{StepKind, Task};
use crate::scheduler::{Class, EVERYWHERE, Offer, mix};

/// What a scenario fixes about the offers of all its worlds.
pub struct Offers {
    /// By tree: its family.
    families: Vec<u32>,
    family_count: u32,
}

impl Offers {
    /// Those of a scenario.
    pub fn new(engine: &Embedded) -> Offers {
        let kernel = &engine.kernel;
        let mut kinds: Vec<(usize, Option<(u16, Task)>)> = Vec::new();
        let kind = |tree: usize| match kernel.task(tree as u32) {
            None => (kernel.calls()[tree].entry, None),
            Some(task) => (0, Some((task.canister, task.task))),
        };
        let family = |tree: usize| {
            let kind = kind(tree);
            let known = kinds.iter().position(|other| *other == kind);
            known.unwrap_or_else(|| {
                kinds.push(kind);
                kinds.len() - 1
            }) as u32
        };
        let families = (0..engine.start().trees.len()).map(family).collect();
        Offers { families, family_count: kinds.len() as u32 }
    }

    /// Most faults, time steps and optional steps that a schedule may have.
    pub fn most_extras(engine: &Embedded) -> [u32; 3] {
        let kernel = &engine.kernel;
        let budget: u32 = kernel.faults().iter().map(|fault| u32::from(fault.budget)).sum();
        let times = engine.scenario.times.iter().map(|time| time.max).sum();
        let trees = 0..engine.start().trees.len() as u32;
        let heartbeats =
            trees.filter(|&tree| kernel.task(tree).is_some_and(|task| task.task == Task::Heartbeat)).count();
        let snapshots =
            kernel.faults().iter().filter(|fault| fault.changes.iter().any(|c| c.first() == Task::Snapshot));
        [budget.min(kernel.limits().faults), times, (heartbeats + snapshots.count()) as u32]
    }

    /// Messages, and extra steps.
    pub fn of(&self, engine: &Embedded, world: &World, choices: &[Choice]) -> (Box<[Offer]>, Box<[Offer]>) {
        let offers =
            choices.iter().enumerate().map(|(at, choice)| self.offer(&engine.kernel, world, choice, at as u32));
        let (messages, extras): (Vec<Offer>, Vec<Offer>) = offers.partition(|offer| offer.class == Class::Message);
        (messages.into(), extras.into())
    }

    fn offer(&self, kernel: &Kernel, world: &World, choice: &Choice, position: u32) -> Offer {
        let trees = self.families.len() as u32;
        let mut class = if choice.fault.is_some() { Class::Fault } else { Class::Message };
        let mut name = mix(kind_number(choice.kind));
        let mut add = |part: u32| name = mix(name.wrapping_add(u64::from(part) + 1));
        let (chain, canister) = match choice.target {
            Target::Root(tree) => {
                add(tree);
                if let Some((_, arg)) = choice.message.and_then(|message| kernel.call_text(message)) {
                    add(xxh3_64(arg) as u32);
                }
                let canister = match kernel.task(tree) {
                    None => kernel.calls()[tree as usize].canister,
                    Some(task) => {
                        if task.task == Task::Heartbeat && class == Class::Message {
                            class = Class::Optional;
                        }
                        task.canister
                    }
                };
                (tree, canister)
            }
            Target::Request { tree, request } => {
                let request = &kernel.tree(world.trees[tree as usize]).requests[request as usize];
                add(tree);
                request.path.segments().iter().for_each(|&segment| add(segment));
                let by_caller = request.queued.is_none() || choice.kind == StepKind::Expire;
                (tree, if by_caller { request.caller } else { request.callee })
            }
            Target::Clock(entry) => {
                class = Class::Time;
                add(u32::MAX);
                add(entry);
                (trees, EVERYWHERE)
            }
            Target::Canister { canister, task } => {
                if task == Task::Load {
                    class = Class::Optional;
                }
                add(u32::MAX - 1);
                add(u32::from(canister));
                add(task as u32);
                (trees + 1 + u32::from(canister), canister)
            }
        };
        Offer {
            event: name,
            class,
            is_root: !matches!(choice.target, Target::Request { .. }),
            canister: if canister == MANAGEMENT { EVERYWHERE } else { canister },
            chain,
            family: self.families.get(chain as usize).copied().unwrap_or(self.family_count + chain - trees),
            multiplicity: choice.multiplicity,
            position,
        }
    }
}

/// Tells the steps of one message apart.
fn kind_number(kind: StepKind) -> u64 {
    match kind {
        StepKind::Submit => 1,
        StepKind::Start => 2,
        StepKind::Request => 3,
        StepKind::Response => 4,
        StepKind::Expire => 5,
        StepKind::BusinessError => 6,
        StepKind::Lie => 7,
        StepKind::Trap => 8,
        StepKind::Reject(code) => 16 + u64::from(code),
        StepKind::PerformFails(n) => 512 + u64::from(n),
    }
}
