//! Worlds that schedules of one thread pass through, each looked at and offered once.
//!
//! In: worlds and positions of choices. Out: [`Node`]s with their offers, and where each choice leads. A second schedule
//! that comes to a known world finds its verdicts there: they depend on the world alone. Worlds have the names of calls that
//! they have outside, so offers and steps need no permutation; what counts as one world is its canonical form, as in
//! the search.

use hashbrown::{HashMap, HashTable};
use smallvec::SmallVec;
use xxhash_rust::xxh3::{Xxh3Builder, xxh3_64};

use super::offers::Offers;
use crate::engine::embedded::Embedded;
use crate::explore::coverage::Observer;
use crate::explore::look::look;
use crate::explore::tally::Tally;
use crate::invariant::Before;
use crate::kernel::{Choice, Happened, Unsupported, World};
use crate::schedule::Step;
use crate::scheduler::Offer;

/// Looks at steps and worlds when they are met first, for its own purposes.
pub trait Watch {
    /// A step, with the worlds before and after it; the number is kept with it.
    fn step(&mut self, engine: &Embedded, before: &World, choice: &Choice, happened: &Happened) -> u32;

    /// A world; the number is kept with it.
    ///
    /// # Errors
    /// If a query asks for something that the engine does not offer.
    fn world(&mut self, engine: &mut Embedded, world: &World) -> Result<u32, Unsupported>;
}

/// Nobody looks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nobody;

impl Watch for Nobody {
    fn step(&mut self, _: &Embedded, _: &World, _: &Choice, _: &Happened) -> u32 {
        0
    }

    fn world(&mut self, _: &mut Embedded, _: &World) -> Result<u32, Unsupported> {
        Ok(0)
    }
}

/// Worlds kept with their offers; beyond this all are forgotten, and those that are passed again are built again.
const NODES_MAX: usize = 1 << 17;
/// An edge that nobody has taken yet.
const UNKNOWN: u32 = u32::MAX;

/// A world with all that schedules ask of it.
pub struct Node {
    key: Box<[u8]>,
    choices: Vec<Choice>,
    edges: Vec<Edge>,
    /// What a scheduler orders.
    pub messages: Box<[Offer]>,
    /// Faults, time steps, optional steps.
    pub extras: Box<[Offer]>,
    /// Faults spent and calls started.
    pub spent: (u16, u16),
    /// Position among the distinct worlds.
    pub seen: u32,
    /// What was shown to who watches.
    pub shown: u32,
}

#[derive(Clone, Copy)]
struct Edge {
    to: u32,
    delivers: bool,
    /// Whether [`Atlas::broken`] has something of it.
    breaks: bool,
    /// Whether somebody has looked at what was shown.
    looked_at: bool,
    /// What was shown to who watches.
    shown: u32,
}

impl Edge {
    const UNKNOWN: Edge = Edge { to: UNKNOWN, delivers: false, breaks: false, looked_at: false, shown: 0 };
}

/// What was seen in a distinct world.
#[derive(Clone, Default)]
pub struct Seen {
    /// Invariants that are violated, by position.
    pub violated: SmallVec<[u16; 2]>,
    /// Invariants of steps that a step from here violated that was made.
    pub broken: SmallVec<[u16; 2]>,
    /// Whether an execution is complete here.
    pub complete: bool,
    /// Faults spent.
    pub faults: u16,
}

/// The worlds.
pub struct Atlas<W = Nobody> {
    /// Who watches.
    pub watch: W,
    nodes: Vec<Node>,
    table: HashTable<u32>,
    offers: Offers,
    positions: HashMap<Box<[u8]>, u32, Xxh3Builder>,
    seen: Vec<Seen>,
    /// By world and choice: invariants that the step violates.
    broken: HashMap<(u32, u32), SmallVec<[u16; 2]>, Xxh3Builder>,
    /// By world and number of a step: the choice that it is there, or [`UNKNOWN`].
    named: HashMap<(u32, u32), u32, Xxh3Builder>,
    /// What was seen in the distinct worlds, violations apart.
    pub tally: Tally,
    observer: Observer,
    key: Vec<u8>,
    choices: Vec<Choice>,
}

impl<W: Watch> Atlas<W> {
    /// No world yet.
    pub fn new(engine: &Embedded, watch: W) -> Atlas<W> {
        Atlas {
            watch,
            nodes: Vec::new(),
            table: HashTable::new(),
            offers: Offers::new(engine),
            positions: HashMap::default(),
            seen: Vec::new(),
            broken: HashMap::default(),
            named: HashMap::default(),
            tally: Tally::new(&engine.scenario.invariants),
            observer: Observer::default(),
            key: Vec::new(),
            choices: Vec::new(),
        }
    }

    /// The world in which nothing has happened. Numbers of worlds given out before are void.
    ///
    /// # Errors
    /// If a query asks for something that the engine does not offer; likewise below.
    pub fn start(&mut self, engine: &mut Embedded) -> Result<u32, Unsupported> {
        if self.nodes.len() > NODES_MAX {
            self.forget();
        }
        if self.nodes.is_empty() {
            let world = engine.start().clone();
            return self.add(engine, &world);
        }
        Ok(0)
    }

    /// Forgets all worlds; their numbers are void.
    pub fn forget(&mut self) {
        self.nodes.clear();
        self.table.clear();
        self.broken.clear();
        self.named.clear();
    }

    /// Bytes that worlds take here, roughly.
    pub fn bytes(&self) -> u64 {
        let of_node = |choices: usize| {
            (size_of::<Node>() + choices * (size_of::<Choice>() + size_of::<Edge>() + size_of::<Offer>())) as u64
        };
        let choices = self.nodes.first().map_or(0, |node| node.choices.len());
        let key = self.nodes.first().map_or(0, |node| node.key.len() as u64);
        self.nodes.len() as u64 * (of_node(choices) + key) + self.seen.len() as u64 * (size_of::<Seen>() as u64 + key)
    }

    /// A world by its number.
    pub fn node(&self, at: u32) -> &Node {
        &self.nodes[at as usize]
    }

    /// What was seen in a world.
    pub fn seen(&self, at: u32) -> &Seen {
        &self.seen[self.nodes[at as usize].seen as usize]
    }

    /// Invariants that a step violates that was made: the choice at this position.
    pub fn broken(&self, at: u32, position: u32) -> &[u16] {
        if !self.nodes[at as usize].edges[position as usize].breaks {
            return &[];
        }
        self.broken.get(&(at, position)).map_or(&[], |broken| broken)
    }

    /// Distinct worlds: encoded canonical form, and what was seen.
    pub fn worlds(&self) -> impl Iterator<Item = (&[u8], &Seen)> {
        self.positions.iter().map(|(key, &at)| (&**key, &self.seen[at as usize]))
    }

    /// The position of a step among the choices of a world, if it is possible there. `number` stands for the step in every
    /// call. A start may have an argument that is not among those that are tried; from then on it is a choice, too.
    pub fn position(&mut self, engine: &mut Embedded, at: u32, number: u32, step: &Step) -> Option<u32> {
        if let Some(&known) = self.named.get(&(at, number)) {
            return Some(known).filter(|&position| position != UNKNOWN);
        }
        let node = &mut self.nodes[at as usize];
        let world = World::decode(&node.key, engine.start().shape());
        let position = engine.kernel.find(&world, step).ok().map(|choice| {
            let is_same = |other: &Choice| Choice { multiplicity: choice.multiplicity, ..*other } == choice;
            let known = node.choices.iter().position(is_same);
            known.unwrap_or_else(|| {
                node.choices.push(choice);
                node.edges.push(Edge::UNKNOWN);
                node.choices.len() - 1
            }) as u32
        });
        self.named.insert((at, number), position.unwrap_or(UNKNOWN));
        position
    }

    /// The name of the choice at this position.
    pub fn name(&self, engine: &Embedded, at: u32, position: u32) -> Step {
        let node = &self.nodes[at as usize];
        let world = World::decode(&node.key, engine.start().shape());
        engine.kernel.name(&world, &node.choices[position as usize])
    }

    /// Whether this is asked of a step for the first time.
    pub fn is_first_look(&mut self, at: u32, position: u32) -> bool {
        !std::mem::replace(&mut self.nodes[at as usize].edges[position as usize].looked_at, true)
    }

    /// What was shown of a step that was made.
    pub fn shown(&self, at: u32, position: u32) -> u32 {
        self.nodes[at as usize].edges[position as usize].shown
    }

    /// What a step did that was made. It is made again; the kernel remembers executions.
    pub fn happened(&self, engine: &mut Embedded, at: u32, position: u32) -> Result<Happened, Unsupported> {
        let node = &self.nodes[at as usize];
        let world = World::decode(&node.key, engine.start().shape());
        engine.kernel.apply(&world, &node.choices[position as usize]).map(|(_, happened)| happened)
    }

    /// Makes the choice at this position; returns the next world, and whether a message was executed.
    pub fn step(&mut self, engine: &mut Embedded, at: u32, position: u32) -> Result<(u32, bool), Unsupported> {
        let node = &self.nodes[at as usize];
        let known = node.edges[position as usize];
        if known.to != UNKNOWN {
            return Ok((known.to, known.delivers));
        }
        let choice = node.choices[position as usize];
        let world = World::decode(&node.key, engine.start().shape());
        let (next, happened) = engine.kernel.apply(&world, &choice)?;
        let delivers = happened.delivery().is_some();
        self.observer.step(&engine.kernel, &world, &choice, &next);
        self.tally.coverage.add(self.observer.take());
        let broken: SmallVec<[u16; 2]> = match Before::of(engine, &world)? {
            Some(before) => before.broken(engine, &next)?.iter().map(|broken| broken.invariant as u16).collect(),
            None => SmallVec::new(),
        };
        let shown = self.watch.step(engine, &world, &choice, &happened);
        let to = self.add(engine, &next)?;
        let node = &mut self.nodes[at as usize];
        node.edges[position as usize] = Edge { to, delivers, breaks: !broken.is_empty(), looked_at: false, shown };
        if !broken.is_empty() {
            let seen = &mut self.seen[node.seen as usize];
            seen.broken.extend(broken.iter().copied().filter(|at| !seen.broken.contains(at)).collect::<Vec<_>>());
            self.broken.insert((at, position), broken);
        }
        Ok((to, delivers))
    }

    fn add(&mut self, engine: &mut Embedded, world: &World) -> Result<u32, Unsupported> {
        world.encode(&mut self.key);
        let hash = xxh3_64(&self.key);
        if let Some(&at) = self.table.find(hash, |&at| *self.nodes[at as usize].key == *self.key) {
            return Ok(at);
        }
        let key: Box<[u8]> = self.key.as_slice().into();
        let mut choices = std::mem::take(&mut self.choices);
        engine.kernel.choices(world, &mut choices)?;
        let seen = self.look(engine, world, &choices)?;
        let (messages, extras) = self.offers.of(engine, world, &choices);
        let spent = (world.faulted() as u16, engine.kernel.started(world) as u16);
        let shown = self.watch.world(engine, world)?;
        let edges = vec![Edge::UNKNOWN; choices.len()];
        let at = self.nodes.len() as u32;
        let copied = choices.clone();
        self.nodes.push(Node { key, choices: copied, edges, messages, extras, spent, seen, shown });
        self.choices = choices;
        let nodes = &self.nodes;
        self.table.insert_unique(hash, at, |&at| xxh3_64(&nodes[at as usize].key));
        Ok(at)
    }

    /// Looks at a world, unless its canonical form was looked at before; `self.key` holds the world.
    fn look(&mut self, engine: &mut Embedded, world: &World, choices: &[Choice]) -> Result<u32, Unsupported> {
        let mut canonical = world.clone();
        if engine.kernel.canonicalize(&mut canonical).is_some() {
            canonical.encode(&mut self.key);
        }
        if let Some(&at) = self.positions.get(self.key.as_slice()) {
            return Ok(at);
        }
        let mut look = look(engine, world, choices)?;
        let violated = std::mem::take(&mut look.violated).into_iter().map(|(at, _)| at as u16).collect();
        let at = self.seen.len() as u32;
        let broken = SmallVec::new();
        self.seen.push(Seen { violated, broken, complete: look.complete, faults: look.spent.1 as u16 });
        self.positions.insert(self.key.as_slice().into(), at);
        self.tally.add(0, Default::default(), look);
        Ok(at)
    }
}
