//! The shortest script after which an invariant is violated.
//!
//! In: a schedule that violates it. Out: a [`Script`] that makes the same calls with the same values, lets the same time pass
//! and suffers the same faults, in an order that rounds produce; or why there is none. Breadth first by number of operations,
//! over worlds together with what is on its way. For a driver a violation counts where it can see it, at the end of a tick or
//! change with all canisters at work; for a class, which speaks of the order of messages, after any of them.

mod recipe;
mod verdict;

use std::collections::{HashSet, VecDeque};

use crate::engine::embedded::Embedded;
use crate::kernel::intern::content_hash;
use crate::kernel::{Unsupported, World};
use crate::schedule::{Schedule, Step};
use crate::script::{Op, Script};

use super::class::Class;
use super::{Aim, Layout, Played, Rounds, Stuck};
use recipe::{Left, Recipe};
use verdict::Verdicts;

/// Most nodes of one search.
const NODES_MAX: usize = 100_000;

/// What became of the search for a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Planned {
    /// There is one.
    Found {
        /// What it needs of a replica.
        class: Class,
        /// The script, with its layout.
        script: Script,
        /// The steps that it comes to; for a class, up to the violation, which may be in the midst of the last operation.
        steps: Vec<Step>,
        /// Whether the search in a weaker class did not end.
        is_cut: bool,
    },
    /// No order that rounds produce violates the invariant.
    NotFound {
        /// Whether a search did not end, so that there may be one.
        is_cut: bool,
    },
    /// Something in the schedule is nothing that a driver can bring about.
    NotExpressible {
        /// What, in a sentence.
        reason: String,
    },
}

/// Looks for a script for a schedule that violates an invariant, by position.
///
/// Heartbeats and timers run in every round in which they are due, so the bounds of the engine's scenario must leave room for
/// them: open it with `bounds.heartbeats` and `bounds.timers`, and `own_bounds` likewise, at several times what the schedule
/// has (a few ticks more than it has steps). Orders in which more would run are left out.
///
/// # Errors
/// If a canister asks for something that the engine does not offer.
pub fn plan(engine: &mut Embedded, schedule: &Schedule, invariant: usize, aim: Aim) -> Result<Planned, Unsupported> {
    let mut engine = engine.fork();
    engine.kernel.tell_calls_apart();
    let recipe = match Recipe::of(&mut engine, schedule, aim)? {
        Ok(recipe) => recipe,
        Err(reason) => return Ok(Planned::NotExpressible { reason }),
    };
    let mut is_cut = false;
    for (class, apart) in places(&engine) {
        let script = Script { apart, stand_ins: recipe.stand_ins.clone(), ops: Vec::new() };
        let layout = Layout::new(&engine, &script, aim).expect("bug in canloom: names of the scenario's own canisters");
        let rounds = Rounds::new(layout).with_faults(recipe.faults.clone());
        let mut search = Search::new(&mut engine, &recipe, invariant, aim, class != Class::IdleRound);
        match search.run(rounds)? {
            Some((ops, steps)) => return Ok(Planned::Found { class, script: Script { ops, ..script }, steps, is_cut }),
            None => is_cut |= search.is_cut,
        }
    }
    Ok(Planned::NotFound { is_cut })
}

/// Which canisters are apart, by class, weakest first.
fn places(engine: &Embedded) -> Vec<(Class, Vec<String>)> {
    let mut places = vec![(Class::IdleRound, Vec::new()), (Class::LoadedRound, Vec::new())];
    let names: Vec<String> = engine.scenario.canisters.iter().map(|canister| canister.name.clone()).collect();
    if names.len() > 1 {
        places.extend(names.iter().map(|name| (Class::CrossSubnet, vec![name.clone()])));
        places.push((Class::CrossSubnet, names));
    }
    places
}

/// Operations, and the steps that they come to.
type Way = (Vec<Op>, Vec<Step>);

/// A node that was reached: from which one, by which operation, and the steps that it came to.
struct Reached {
    from: usize,
    op: Op,
    steps: Vec<Step>,
}

/// A node to go on from.
struct Node {
    at: usize,
    world: World,
    rounds: Rounds,
    left: Left,
}

struct Search<'a> {
    engine: &'a mut Embedded,
    recipe: &'a Recipe,
    aim: Aim,
    has_load: bool,
    verdicts: Verdicts,
    reached: Vec<Reached>,
    known: HashSet<u128>,
    is_cut: bool,
}

impl<'a> Search<'a> {
    fn new(engine: &'a mut Embedded, recipe: &'a Recipe, invariant: usize, aim: Aim, has_load: bool) -> Search<'a> {
        let verdicts = Verdicts::new(invariant);
        let (reached, known) = (Vec::new(), HashSet::new());
        Search { engine, recipe, aim, has_load, verdicts, reached, known, is_cut: false }
    }

    fn run(&mut self, rounds: Rounds) -> Result<Option<Way>, Unsupported> {
        let first = Node { at: 0, world: self.engine.start().clone(), rounds, left: Left::default() };
        self.reached.push(Reached { from: 0, op: Op::Tick { loaded: false }, steps: Vec::new() });
        self.known.insert(content_hash(&(&first.world, &first.rounds, &first.left)));
        let mut waiting = VecDeque::from([first]);
        while let Some(node) = waiting.pop_front() {
            for (op, left) in self.recipe.offers(&node.left, &node.rounds, &self.engine.kernel, self.has_load) {
                let mut rounds = node.rounds.clone();
                let played = match rounds.play_through(self.engine, &node.world, &op) {
                    Ok(played) => played,
                    Err(Stuck::Unsupported(error)) => return Err(error),
                    Err(Stuck::Order(_) | Stuck::Bound(_)) => continue,
                };
                let violated = self.violated(&node.world, &op, &played, &rounds)?;
                let Played { world, mut steps, .. } = played;
                let is_new = self.known.insert(content_hash(&(&world, &rounds, &left)));
                if violated.is_none() && (!is_new || self.reached.len() == NODES_MAX) {
                    self.is_cut |= is_new;
                    continue;
                }
                let at = self.reached.len();
                if let Some(made) = violated {
                    steps.truncate(made);
                    self.reached.push(Reached { from: node.at, op, steps });
                    return Ok(Some(self.path(at)));
                }
                self.reached.push(Reached { from: node.at, op, steps });
                waiting.push_back(Node { at, world, rounds, left });
            }
        }
        Ok(None)
    }

    /// After how many steps of an operation the invariant is violated, if it is, where the aim can see it.
    fn violated(
        &mut self,
        before: &World,
        op: &Op,
        played: &Played,
        rounds: &Rounds,
    ) -> Result<Option<usize>, Unsupported> {
        if self.aim == Aim::Label {
            let mut before = before;
            for (at, world) in played.worlds.iter().enumerate() {
                if self.verdicts.is_violated(self.engine, before, world, 1)? {
                    return Ok(Some(at + 1));
                }
                before = world;
            }
            return Ok(None);
        }
        let is_seen = matches!(op, Op::Tick { .. } | Op::Change(_)) && self.can_be_seen(&played.world, rounds);
        let steps = played.steps.len();
        let is_violated = is_seen && self.verdicts.is_violated(self.engine, before, &played.world, steps)?;
        Ok(is_violated.then_some(steps))
    }

    /// Whether a driver can read what the observations read.
    fn can_be_seen(&self, world: &World, rounds: &Rounds) -> bool {
        if rounds.has_frozen() {
            return false;
        }
        let observations = &self.engine.scenario.observations;
        let is_running = |canister: usize| self.engine.kernel.is_running(world, canister as u16);
        observations.iter().all(|observation| is_running(observation.canister))
    }

    /// Operations and steps that lead to a node.
    fn path(&self, at: usize) -> Way {
        let mut nodes = Vec::new();
        let mut at = at;
        while at != 0 {
            nodes.push(&self.reached[at]);
            at = self.reached[at].from;
        }
        nodes.reverse();
        let ops = nodes.iter().map(|node| node.op.clone()).collect();
        (ops, nodes.iter().flat_map(|node| node.steps.iter().cloned()).collect())
    }
}
