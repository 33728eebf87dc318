//! Executions in which one chain of messages runs at a time: what a world is compared with.
//!
//! In: canister states at rest. Out: the worlds in which one more call, task or time step may end when nothing runs beside it
//! ([`Alone::after`]), and what a call that is made again answers ([`Alone::probe`]). No faults happen here. The kernel is a fork
//! with a plan of its own: canister states are those of the search, its worlds are not.

use std::collections::HashSet;

use candid::Principal;

use crate::kernel::world::{CanisterState, NOT_STARTED};
use crate::kernel::{CallSpec, Choice, Kernel, Limits, Plan, Status, Target, Unsupported, World};
use crate::schedule::Task;

/// Worlds that one chain of messages may pass through, and steps of a probe.
const CHAIN_MAX: usize = 4_096;
/// Firings of timers that are planned at least: rounds of [`Alone::let_time_pass`] begin anew each time.
const TIMERS: u32 = 8;

/// A kernel for executions one after the other.
pub struct Alone {
    kernel: Kernel,
    /// Calls of the scenario; probes come behind them.
    own: usize,
    /// What each probe makes again: the entry and the caller of a call, with each argument that it may have. A call that takes
    /// values from the answers of others is not made again.
    pub probes: Vec<Probe>,
}

/// A call that is made again at rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Index of the call entry.
    pub entry: usize,
    /// Who calls.
    pub caller: Principal,
}

/// Canister states at rest, and the time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AtRest {
    /// One for each canister.
    pub canisters: Vec<CanisterState>,
    /// Nanoseconds since 1970.
    pub time_ns: u64,
}

/// There are more executions one after the other than are looked at, a bound cuts one short, or one needs what is not offered:
/// nothing is said of what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut;

impl From<Unsupported> for Cut {
    fn from(_: Unsupported) -> Cut {
        Cut
    }
}

impl Alone {
    /// A fork of a planned kernel; `limits` are the scenario's own.
    pub fn new(kernel: &Kernel, limits: Limits) -> Alone {
        let plan = kernel.planned();
        let mut calls = plan.calls.clone();
        let own = calls.len();
        let mut probes = Vec::new();
        for (at, call) in plan.calls.iter().enumerate() {
            // What a call takes from answers is not known at rest; one with bad values was refused when it was installed.
            let Ok(Some(variants)) = kernel.variants_anywhere(at) else { continue };
            for (variant, _) in variants.iter() {
                let is_known = |(spec, probe): (&CallSpec, &Probe)| {
                    (probe.entry, spec.caller) == (call.entry, call.caller)
                        && (spec.canister, &spec.method, &spec.arg[..])
                            == (call.canister, &call.method, &variant.arg[..])
                };
                if calls[own..].iter().zip(&probes).any(is_known) {
                    continue;
                }
                probes.push(Probe { entry: call.entry, caller: call.caller });
                // No instance of an entry of the scenario: it is not interchangeable with one.
                let (entry, arg) = (usize::MAX - probes.len(), variant.arg.to_vec());
                calls.push(CallSpec { entry, arg, chosen: None, after: Vec::new(), ..call.clone() });
            }
        }
        let limits = Limits {
            in_flight: u32::MAX,
            faults: 0,
            switches: None,
            timers: limits.timers.max(TIMERS),
            heartbeats: limits.heartbeats.max(1),
            ..limits
        };
        // One after the other, interchangeable actors come in any order.
        let (faults, symmetric) = (Vec::new(), Vec::new());
        let plan = Plan { calls, faults, symmetric, limits, wide: limits, ..plan.clone() };
        let mut kernel = kernel.fork();
        kernel.plan(plan);
        Alone { kernel, own, probes }
    }

    /// The same for another thread: what one has executed, the other need not.
    pub fn fork(&self) -> Alone {
        Alone { kernel: self.kernel.fork(), own: self.own, probes: self.probes.clone() }
    }

    /// The first world of executions one after the other.
    pub fn start(&self, from: &World) -> World {
        let mut world = self.kernel.start(from.canisters.clone(), from.time_ns);
        self.kernel.canonicalize(&mut world);
        world
    }

    /// Number of calls of the scenario: the first trees of a world.
    pub fn own_calls(&self) -> usize {
        self.own
    }

    /// Whether nothing has to happen.
    pub fn is_quiescent(&self, world: &World) -> bool {
        self.kernel.is_quiescent(world)
    }

    /// The worlds in which one more call of the scenario, task or time step may come to rest, from a world at rest; each once.
    ///
    /// # Errors
    /// If not all of them are looked at.
    pub fn after(&mut self, world: &World) -> Result<Vec<World>, Cut> {
        let mut choices = Vec::new();
        self.kernel.choices(world, &mut choices)?;
        let own = self.own as u32;
        let probes = own..own + self.probes.len() as u32;
        let begins = |choice: &Choice| !matches!(choice.target, Target::Root(tree) if probes.contains(&tree));
        let mut ends = Vec::new();
        for choice in choices.into_iter().filter(begins) {
            let (next, _) = self.kernel.apply(world, &choice)?;
            self.come_to_rest(next, &mut ends)?;
        }
        Ok(ends)
    }

    /// Adds the worlds in which what runs in a world may come to rest, in canonical form.
    fn come_to_rest(&mut self, from: World, ends: &mut Vec<World>) -> Result<(), Cut> {
        let mut seen = HashSet::new();
        let mut waiting = vec![from];
        let mut choices = Vec::new();
        while let Some(mut world) = waiting.pop() {
            self.kernel.canonicalize(&mut world);
            if !seen.insert(world.clone()) {
                continue;
            }
            if seen.len() > CHAIN_MAX {
                return Err(Cut);
            }
            self.going_on(&world, &mut choices)?;
            if choices.is_empty() {
                if self.kernel.is_cut_by_depth(&world) || self.kernel.is_cut_by_timers(&world) {
                    return Err(Cut);
                }
                if !ends.contains(&world) {
                    ends.push(world);
                }
                continue;
            }
            for choice in &choices {
                waiting.push(self.kernel.apply(&world, choice)?.0);
            }
        }
        Ok(())
    }

    /// The steps of chains that have begun, and time that may pass meanwhile, last; none at rest.
    fn going_on(&mut self, world: &World, choices: &mut Vec<Choice>) -> Result<(), Unsupported> {
        self.kernel.choices(world, choices)?;
        choices.retain(|choice| match choice.target {
            Target::Clock(_) => true,
            _ => choice.tree().is_some_and(|tree| world.trees[tree as usize] != NOT_STARTED),
        });
        // An expired request that nobody waits for may start, and need not.
        if !world.trees.iter().any(|&tree| self.kernel.is_busy(tree)) {
            choices.clear();
        }
        Ok(())
    }

    /// What a call that is made again at rest answers, as an interned response, with its messages in order of arrival; `None`
    /// if it is not answered.
    ///
    /// # Errors
    /// If a guest cannot tell what the IC would do.
    pub fn probe(&mut self, rest: &AtRest, probe: usize) -> Result<Option<u32>, Unsupported> {
        let mut world = self.kernel.start(rest.canisters.clone(), rest.time_ns);
        let tree = self.own + probe;
        self.run(&mut world, tree as u32)?;
        Ok(self.kernel.answer(world.trees[tree]))
    }

    /// Lets time pass, at least so much and until the next timer that is set, and runs the timers that are due and a heartbeat
    /// of each canister, one after the other.
    ///
    /// # Errors
    /// If a guest cannot tell what the IC would do.
    pub fn let_time_pass(&mut self, rest: &AtRest, least_ns: u64) -> Result<AtRest, Unsupported> {
        let mut world = self.kernel.start(rest.canisters.clone(), rest.time_ns);
        let canisters = 0..world.canisters.len() as u16;
        let next = canisters.clone().filter_map(|canister| self.kernel.timer(&world, canister)).min();
        world.time_ns = world.time_ns.saturating_add(next.unwrap_or(0).max(least_ns));
        let due: Vec<u16> = canisters.filter(|&canister| self.kernel.timer(&world, canister) == Some(0)).collect();
        let mut choices = Vec::new();
        self.kernel.choices(&world, &mut choices)?;
        for choice in choices {
            let Target::Root(tree) = choice.target else { continue };
            let Some(task) = self.kernel.task(tree) else { continue };
            if task.task != Task::Timer || due.contains(&task.canister) {
                self.run(&mut world, tree)?;
            }
        }
        Ok(AtRest { canisters: world.canisters, time_ns: world.time_ns })
    }

    /// Begins a chain and runs it to its end, first message first.
    fn run(&mut self, world: &mut World, tree: u32) -> Result<(), Unsupported> {
        let mut choices = Vec::new();
        self.kernel.choices(world, &mut choices)?;
        let Some(begin) = choices.iter().find(|choice| choice.target == Target::Root(tree)) else { return Ok(()) };
        *world = self.kernel.apply(world, begin)?.0;
        for _ in 0..CHAIN_MAX {
            self.going_on(world, &mut choices)?;
            let passes_time = |choice: &&Choice| matches!(choice.target, Target::Clock(_));
            let Some(next) = choices.first().filter(|choice| !passes_time(choice)) else { break };
            *world = self.kernel.apply(world, next)?.0;
        }
        Ok(())
    }

    /// Whether all canisters run, and no call or task has anything left: what comes then depends on the canister states alone.
    pub fn is_at_rest(kernel: &Kernel, world: &World) -> bool {
        let is_over = |&tree: &u32| tree == NOT_STARTED || kernel.tree(tree).contexts.is_empty();
        let runs = |&state: &CanisterState| matches!(kernel.system(state).status, Status::Running | Status::Absent);
        kernel.is_quiescent(world) && world.trees.iter().all(is_over) && world.canisters.iter().all(runs)
    }
}
