//! One world: what is seen in it, and where its steps lead.
//!
//! In: a world. Out: a [`Look`], and the worlds one step further. Both depend on nothing but the world, so any thread may
//! take any world.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::coverage::{News, Observer};
use super::graph::Rank;
use crate::engine::embedded::Embedded;
use crate::invariant::{self, Before};
use crate::kernel::{Choice, Cuts, Unsupported, World};
use crate::oracle;
use crate::scenario::{CallState, CallView};

/// Which entries have an instance that was started, answered without an error, answered with one: bit i for entry i.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exercised {
    /// Started.
    pub started: u64,
    /// Answered without an error.
    pub ok: u64,
    /// Answered with one.
    pub err: u64,
}

impl Exercised {
    /// What became of these calls.
    pub fn of(calls: &[CallView]) -> Exercised {
        let mut all = Exercised::default();
        for call in calls {
            let bit = 1 << call.entry;
            match &call.state {
                CallState::NotStarted => continue,
                CallState::Open => {}
                CallState::Done(reply) if reply.is_error() => all.err |= bit,
                CallState::Done(_) => all.ok |= bit,
            }
            all.started |= bit;
        }
        all
    }

    /// What either says.
    pub fn or(self, other: Exercised) -> Exercised {
        Exercised { started: self.started | other.started, ok: self.ok | other.ok, err: self.err | other.err }
    }
}

/// What is seen in a world.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Look {
    /// Calls started and faults spent.
    pub spent: (u32, u32),
    /// Whether an execution is complete here.
    pub complete: bool,
    /// Whether a chain of messages could go on but for the bound on depth.
    pub cut_by_depth: bool,
    /// Whether a timer could fire but for the bound on timers.
    pub cut_by_timers: bool,
    /// What bounds cut off that are narrower than the scenario's.
    pub cuts: Cuts,
    /// Canisters whose timer is set, with the nanoseconds left.
    pub timers: Vec<(u16, u64)>,
    /// The outcome, if nothing must happen any more and a call has started.
    pub outcome: Option<String>,
    /// What became of the entries' instances.
    pub exercised: Exercised,
    /// Invariants that are violated, by position, with the reason if they cannot be evaluated.
    pub violated: Vec<(usize, Option<String>)>,
    /// `sometimes` that are seen, by position.
    pub seen: Vec<usize>,
    /// Invariants of steps that steps from here violate: for each of them the simplest of these steps.
    pub broken: Vec<BrokenStep>,
}

/// A step that violates an invariant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenStep {
    /// Position of the invariant.
    pub invariant: usize,
    /// How simple the world after the step is.
    pub rank: Rank,
    /// Which of the world's choices the step is.
    pub ordinal: u32,
}

impl BrokenStep {
    /// Adds it to those of its world, unless a simpler step violates the same invariant.
    fn add_to(self, steps: &mut Vec<BrokenStep>) {
        match steps.iter_mut().find(|other| other.invariant == self.invariant) {
            // Steps come in the order of the choices, so of equal ones the first stays.
            Some(other) if self.rank < other.rank => *other = self,
            Some(_) => {}
            None => steps.push(self),
        }
    }
}

impl Look {
    /// Adds the invariants violated here to those that are violated on a way, unless they were before.
    pub fn add_met(&self, rank: Rank, met: &mut Vec<(usize, Rank)>) {
        add_met(self.violated.iter().map(|(invariant, _)| *invariant), rank, met);
    }
}

/// Adds invariants that are violated at this rank to those that were met before.
pub fn add_met(violated: impl Iterator<Item = usize>, rank: Rank, met: &mut Vec<(usize, Rank)>) {
    for invariant in violated {
        if met.iter().all(|(other, _)| *other != invariant) {
            met.push((invariant, rank));
        }
    }
}

/// Where a step of a world leads.
pub struct Successor {
    /// The world, as [`World::encode`] writes it.
    pub key: Vec<u8>,
    /// A hash of that.
    pub hash: u64,
    /// Faults spent, calls started and context switches there, and the steps of this path.
    pub rank: Rank,
    /// How many equal steps this one stands for.
    pub multiplicity: u32,
}

/// A world, looked at and expanded.
pub struct Visit {
    /// What is seen.
    pub look: Look,
    /// What its steps add to the interleaving coverage.
    pub news: Vec<News>,
    /// Where its choices lead, in their order.
    pub successors: Vec<Successor>,
    /// Steps that executed a message, memoized ones included.
    pub deliveries: u64,
}

/// Observes a world and evaluates every invariant. `choices` are all of its legal steps.
///
/// # Errors
/// If a query asks for something that the engine does not offer.
pub fn look(engine: &mut Embedded, world: &World, choices: &[Choice]) -> Result<Look, Unsupported> {
    let observations = engine.observe(world)?;
    let calls = engine.calls(world);
    let view = engine.view(world, &observations, &calls);
    let cuts = engine.kernel.cuts(world)?;
    let kernel = &engine.kernel;
    let complete = kernel.is_complete(world, choices);
    let is_final = complete && !cuts.a_start();
    let started = kernel.started(world);
    let timers = (0..world.canisters.len() as u16).filter_map(|at| Some((at, kernel.timer(world, at)?)));
    let timers = timers.collect();
    let (cut_by_depth, cut_by_timers) = (kernel.is_cut_by_depth(world), kernel.is_cut_by_timers(world));
    let scenario = engine.scenario.clone();
    let mut violated = Vec::new();
    for (at, invariant) in scenario.invariants.iter().enumerate() {
        if let Some(violation) = oracle::violation(engine, world, &view, is_final, invariant)? {
            violated.push((at, violation.error));
        }
    }
    let invariants = scenario.invariants.iter().enumerate();
    let seen = invariants.filter(|(_, invariant)| invariant::is_seen(invariant, &view));
    let has_outcome = view.quiet && started > 0;
    Ok(Look {
        spent: (started, world.faulted()),
        complete,
        cut_by_depth: cut_by_depth && !cuts.depth,
        cut_by_timers: cut_by_timers && !cuts.timers,
        cuts,
        timers,
        exercised: Exercised::of(&calls),
        violated,
        seen: seen.map(|(at, _)| at).collect(),
        broken: Vec::new(),
        outcome: has_outcome.then(|| engine.outcome(&observations, &calls).to_string()),
    })
}

/// What a thread keeps from one world to the next.
#[derive(Default)]
pub struct Visitor {
    choices: Vec<Choice>,
    observer: Observer,
}

/// Looks at a world that is reached by so many steps, and makes each of its own.
///
/// # Errors
/// If a canister asks for something that the engine does not offer.
pub fn visit(engine: &mut Embedded, world: &World, steps: u32, visitor: &mut Visitor) -> Result<Visit, Unsupported> {
    let Visitor { choices, observer } = visitor;
    engine.kernel.choices(world, choices)?;
    let mut look = look(engine, world, choices)?;
    let observed = Before::of(engine, world)?;
    let mut successors = Vec::with_capacity(choices.len());
    let mut deliveries = 0;
    for (ordinal, choice) in choices.iter().enumerate() {
        let before = engine.kernel.executed();
        let (mut next, happened) = engine.kernel.apply(world, choice)?;
        if engine.kernel.executed() != before {
            // The world will be looked at anyway, and now the canister's instance is in that state.
            engine.observe(&next)?;
        }
        deliveries += u64::from(happened.delivery().is_some());
        observer.step(&engine.kernel, world, choice, &next);
        engine.kernel.canonicalize(&mut next);
        let successor = Successor::new(engine, &next, steps + 1, choice.multiplicity);
        if let Some(observed) = &observed {
            for broken in observed.broken(engine, &next)? {
                let step = BrokenStep { invariant: broken.invariant, rank: successor.rank, ordinal: ordinal as u32 };
                step.add_to(&mut look.broken);
            }
        }
        successors.push(successor);
    }
    Ok(Visit { look, news: observer.take(), successors, deliveries })
}

impl Successor {
    /// A world in canonical form, reached by so many steps.
    pub fn new(engine: &Embedded, world: &World, steps: u32, multiplicity: u32) -> Successor {
        let mut key = Vec::with_capacity(64);
        world.encode(&mut key);
        let calls = engine.kernel.started(world) as u16;
        let rank = Rank { faults: world.faulted() as u16, calls, switches: world.switches(), steps };
        Successor { hash: xxh3_64(&key), key, rank, multiplicity }
    }
}
