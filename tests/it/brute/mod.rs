//! An enumerator of all interleavings of a scenario, written to disagree: it shares no code with the search it checks.
//!
//! In: a scenario. Out: how many interleavings there are, what they end with, and which invariants fail. It walks
//! every sequence of steps depth first, executes every message anew in a fresh instance, and merges and prunes
//! nothing, so it is good for a few thousand interleavings. Of canloom it uses the scenario (its values and
//! expressions) and the text of an outcome; the message semantics is its own, from the interface specification.
//!
//! ```text
//! module, memory     what of a canister outlives a message
//! host, ic0*         one message in a fresh instance           message   what goes in and out
//! world              the state                                 step, steps   which are possible
//! relation, settle   what a step does                          change    what is done to a canister as a whole
//! resume             what a response does                  tasks     timers, heartbeats, inspection
//! turns              context switches
//! recording          of methods that take seconds
//! setup, observe     the first world; observations of a world
//! mod                the walk
//! ```

mod change;
#[cfg(test)]
mod hooks;
mod host;
mod ic0;
mod ic0_call;
mod ic0_system;
mod memory;
mod message;
mod module;
mod observe;
mod recording;
mod relation;
mod resume;
mod settle;
mod setup;
mod step;
mod steps;
mod tasks;
#[cfg(test)]
mod tests;
mod turns;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use canloom::scenario::{Bounds, CallView, Scenario, View, When};
use canloom::trace::Outcome;

use host::{Host, START_NS};
use relation::Relation;
use world::World;

/// What keeps an enumeration affordable.
#[derive(Clone, Default)]
pub struct Limits {
    /// Methods that take seconds, each by its canister's name: run once for equal states, then replayed.
    pub recorded: BTreeSet<(String, String)>,
    /// The enumeration panics when there are more interleavings; none means any number.
    pub interleavings_max: Option<u64>,
}

/// What an enumeration found.
#[derive(Debug, Default)]
pub struct Found {
    /// Sequences of steps to a complete world. One that goes on with a late start counts again at its end.
    pub interleavings: u64,
    /// What the quiet worlds look like, by calls started (at least one) and faults spent.
    pub outcomes: BTreeMap<(u32, u32), BTreeSet<String>>,
    /// The invariants that fail somewhere, by name.
    pub violated: BTreeSet<String>,
    /// For each of them the least faults, calls, context switches (0 if they are not bounded) and steps, in this order, after
    /// which it fails.
    pub least: BTreeMap<String, (u32, u32, u32, u32)>,
    /// The invariants of `sometimes` that are true somewhere.
    pub seen: BTreeSet<String>,
    /// Steps taken, with repetition: the edges of the tree.
    pub steps: u64,
    /// Of which kinds they are.
    pub kinds: BTreeSet<&'static str>,
    /// Whether the scenario's bound on chains, or that on timers, cut a path short.
    pub is_cut: bool,
    /// Whether something was possible within the scenario's bounds that is not within narrower ones.
    pub is_narrowed: bool,
}

/// Walks all interleavings.
///
/// # Panics
///
/// A canister cannot be loaded, its installation traps, a setup call is rejected, or a limit is passed.
pub fn enumerate(scenario: &Scenario, limits: &Limits) -> Found {
    Enumerator::new(scenario, limits).within(scenario.bounds)
}

/// Walks the interleavings of one scenario within several bounds.
pub struct Enumerator<'a> {
    scenario: &'a Scenario,
    limits: &'a Limits,
    hosts: Vec<Vec<Host>>,
}

impl<'a> Enumerator<'a> {
    /// Loads the canisters.
    pub fn new(scenario: &'a Scenario, limits: &'a Limits) -> Self {
        Self { scenario, limits, hosts: Relation::load(scenario) }
    }

    /// As [`enumerate`].
    pub fn within(&self, bounds: Bounds) -> Found {
        let scenario = Scenario { bounds, ..self.scenario.clone() };
        walk(Relation::new(&scenario, self.hosts.clone(), &self.limits.recorded), self.limits)
    }
}

fn walk(relation: Relation<'_>, limits: &Limits) -> Found {
    let first = setup::first(&relation);
    let mut walk = Walk { relation, limits, found: Found::default() };
    walk.visit(&first);
    walk.found
}

struct Walk<'a> {
    relation: Relation<'a>,
    limits: &'a Limits,
    found: Found,
}

impl Walk<'_> {
    fn visit(&mut self, world: &World) {
        let scenario = self.relation.scenario;
        let (bounds, own) = (&scenario.bounds, &scenario.own_bounds);
        let is_complete = self.relation.starts(world, bounds).is_empty() && self.relation.is_quiet(world);
        self.found.is_cut |= self.relation.is_cut_by_timers(world) && bounds.timers == own.timers;
        let is_too_long = world.queues.values().flatten().any(|request| request.depth > bounds.depth);
        self.found.is_cut |= is_too_long && bounds.depth == own.depth;
        let is_final = is_complete && self.relation.starts(world, own).is_empty();
        self.check(world, is_final);
        if is_complete {
            self.found.interleavings += 1;
            let max = self.limits.interleavings_max.unwrap_or(u64::MAX);
            assert!(self.found.interleavings <= max, "too many interleavings");
        }
        let steps = self.relation.steps(world);
        let wide = Bounds { switches: None, ..*own };
        if *bounds != wide {
            self.found.is_narrowed |= self.relation.steps_within(world, &wide).len() > steps.len();
        }
        for step in steps {
            self.found.steps += 1;
            self.found.kinds.insert(step.kind());
            let mut next = world.clone();
            self.relation.apply(&mut next, &step);
            observe::refresh(&self.relation, Some(world), &mut next);
            self.check_step(world, &next);
            self.visit(&next);
        }
    }

    fn view<'w>(&self, world: &'w World) -> View<'w> {
        View {
            observations: &world.observed,
            calls: &world.calls,
            quiet: self.relation.is_quiet(world),
            faulted: world.faults(),
            now_s: (world.now_ns - START_NS) / 1_000_000_000,
        }
    }

    fn check_step(&mut self, before: &World, world: &World) {
        for invariant in &self.relation.scenario.invariants {
            let Some(expr) = invariant.expr().filter(|_| invariant.when == When::Step) else { continue };
            if !expr.eval_step(&self.view(before), &self.view(world)).unwrap_or(false) {
                self.violated(&invariant.name, world);
            }
        }
    }

    /// An invariant fails in this world, or by the step to it.
    fn violated(&mut self, name: &str, world: &World) {
        let switches = self.relation.scenario.bounds.switches.map_or(0, |_| world.switches);
        let here = (world.faults(), world.started(), switches, world.steps);
        self.found.violated.insert(name.to_string());
        let least = self.found.least.entry(name.to_string()).or_insert(here);
        *least = here.min(*least);
    }

    fn check(&mut self, world: &World, is_final: bool) {
        let scenario = self.relation.scenario;
        let quiet = self.relation.is_quiet(world);
        let faults = world.faults();
        let started = world.started();
        let calls: &[CallView] = &world.calls;
        let view = self.view(world);
        for invariant in &scenario.invariants {
            // Generic oracles have tests of their own.
            let Some(expr) = invariant.expr() else { continue };
            let is_due = match invariant.when {
                When::Always | When::Sometimes => true,
                When::Quiescent => quiet,
                When::Final => is_final,
                When::Step => false,
            };
            if !is_due {
                continue;
            }
            let is_true = expr.eval(&view).unwrap_or(false);
            let name = invariant.name.clone();
            if matches!(invariant.when, When::Sometimes) {
                if is_true {
                    self.found.seen.insert(name);
                }
            } else if !is_true {
                self.violated(&name, world);
            }
        }
        if quiet && started > 0 {
            let outcome = Outcome::new(scenario, &world.observed, calls).to_string();
            let outcomes = self.found.outcomes.entry((started, faults)).or_default();
            outcomes.insert(outcome);
        }
    }
}
