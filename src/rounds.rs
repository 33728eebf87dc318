//! The order in which a replica delivers messages, round by round, as far as it follows from what a driver does.
//!
//! In: an operation of a [`crate::script`]. Out: the kernel's steps that it comes to, in the order in which a replica makes
//! them. The kernel says what each step does; here is said which one comes next (semantics 3.2). A round is a breadth-first
//! evaluation: each canister executes all that waits for it, then what was sent is handed over, until nothing is left.
//!
//! ```text
//! layout    where the canisters are          queue     what waits for a canister
//! execute   one message is executed: which step it is, and what it sends
//! round     one round of a subnet            transport how messages get from one canister to another
//! driver    what a driver does beside letting rounds pass
//! search    the shortest script to a violation             class     which kind of order a violation needs
//! ```
//!
//! Left out: what a replica does when it runs out of memory or queues are full; rounds are those of an application subnet
//! with a few canisters. Where several canisters send messages by stream in one round, a replica begins with one
//! of them that depends on the time; here it is the one with the lowest id. Turns stand where a fresh canister has them.

pub mod class;
mod driver;
mod execute;
mod layout;
mod queue;
mod round;
pub mod search;
mod transport;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::engine::embedded::Embedded;
use crate::kernel::{Kernel, Refusal, Unsupported, World};
use crate::schedule::{Step, StepKind, Task};
use crate::script::{Op, Script};

use execute::Playing;
pub use layout::Layout;
use queue::{Inbox, Item};

/// What the rounds are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// The class of a violation: built-in canisters are canisters like any other.
    Label,
    /// A script for PocketIC: built-in canisters are stand-ins, played by the driver.
    PocketIc,
    /// A script for a test that stands alone: canisters that answer by themselves stand at the place of built-in ones.
    Test,
}

/// Why an operation cannot be played.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stuck {
    /// A replica would not do it, or a driver cannot.
    #[error("{0}")]
    Order(String),
    /// A bound of the scenario keeps a message from being executed that a replica would execute.
    #[error("{0}")]
    Bound(String),
    /// The engine cannot tell what the IC would do.
    #[error("{0}")]
    Unsupported(#[from] Unsupported),
}

impl Stuck {
    fn order<T>(why: impl Into<String>) -> Result<T, Stuck> {
        Err(Stuck::Order(why.into()))
    }
}

impl From<Refusal> for Stuck {
    fn from(refusal: Refusal) -> Stuck {
        match refusal {
            Refusal::Bound(_) => Stuck::Bound(refusal.to_string()),
            Refusal::Missing(_) | Refusal::Rule(_) => Stuck::Order(refusal.to_string()),
        }
    }
}

/// Which of a canister's timer, heartbeat and messages goes first in a round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum TaskTurn {
    #[default]
    Timer,
    Heartbeat,
    Message,
}

/// An execution that takes more than one round.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Long {
    step: Step,
    /// Rounds in which it still runs.
    rounds: u64,
}

/// A request that waits for the driver.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Held {
    item: Item,
    /// Whether it is an HTTP outcall; else it is for a stand-in.
    is_outcall: bool,
    /// Ends of ticks since it arrived, 2 for more.
    age: u8,
    is_served: bool,
    is_answered: bool,
    /// Ticks until the answer is in the stand-in's hands.
    answer_in: Option<u8>,
}

impl Held {
    fn name(&self, kernel: &Kernel) -> Step {
        Step::new(kernel.root(self.item.tree), self.item.path.clone(), StepKind::Request)
    }

    /// Whether it has an answer that was not given, and the stand-in has waited long enough for the driver to give it.
    fn can_be_answered(&self) -> bool {
        !self.is_outcall && self.is_answered && self.answer_in.is_none() && self.age >= 2
    }
}

/// What is on its way between canisters, and whose turn it is: with a [`World`], all that the order of messages depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rounds {
    layout: Arc<Layout>,
    /// Faults that strike their message when it is due, in place of its delivery.
    faults: Arc<Vec<Step>>,
    /// Calls that the next round takes in.
    submitted: Vec<Step>,
    /// By canister.
    inboxes: Vec<Inbox>,
    /// Requests to the management canister, by subnet.
    managers: Vec<Inbox>,
    /// By sender and receiver: what was sent and is not handed over.
    outputs: BTreeMap<(u16, u16), VecDeque<Item>>,
    /// By subnets from and to.
    streams: BTreeMap<(u8, u8), VecDeque<Item>>,
    /// By canister.
    turns: Vec<TaskTurn>,
    /// By canister.
    long: Vec<Option<Long>>,
    held: Vec<Held>,
    frozen: BTreeSet<u16>,
}

impl Rounds {
    /// Nothing is on its way.
    pub fn new(layout: Layout) -> Rounds {
        let canisters = layout.subnets.len();
        Rounds {
            inboxes: vec![Inbox::default(); canisters],
            managers: vec![Inbox::default(); usize::from(layout.count())],
            turns: vec![TaskTurn::default(); canisters],
            long: vec![None; canisters],
            layout: Arc::new(layout),
            faults: Arc::default(),
            submitted: Vec::new(),
            outputs: BTreeMap::new(),
            streams: BTreeMap::new(),
            held: Vec::new(),
            frozen: BTreeSet::new(),
        }
    }

    /// From now on these faults strike their messages when they are due, in place of their delivery, whoever causes them.
    pub fn with_faults(self, faults: Vec<Step>) -> Rounds {
        Rounds { faults: Arc::new(faults), ..self }
    }

    /// Plays one operation in a world. Out: the world after it, and the steps in the order in which they are made; both start at
    /// what earlier operations led to. If it cannot be played, nothing has changed.
    ///
    /// Calls must be told apart ([`crate::kernel::Kernel::tell_calls_apart`]), and worlds not brought into canonical form. The
    /// steps replay from the first world as they are, but for expiries after [`Op::Advance`], which the scenario's faults must
    /// pay for then, and timers that became due by it.
    ///
    /// # Errors
    /// Why it cannot be played.
    pub fn play(&mut self, engine: &mut Embedded, world: &World, op: &Op) -> Result<(World, Vec<Step>), Stuck> {
        let Played { world, steps, .. } = self.play_through(engine, world, op)?;
        Ok((world, steps))
    }

    /// Likewise, with the world after each step.
    fn play_through(&mut self, engine: &mut Embedded, world: &World, op: &Op) -> Result<Played, Stuck> {
        let played = Played { world: world.clone(), steps: Vec::new(), worlds: Vec::new() };
        let mut playing = Playing { engine, rounds: self.clone(), played };
        playing.play(op)?;
        *self = playing.rounds;
        Ok(playing.played)
    }

    /// Whether a canister has too few cycles to execute anything.
    pub fn is_frozen(&self, canister: u16) -> bool {
        self.frozen.contains(&canister)
    }

    /// Whether any has.
    pub fn has_frozen(&self) -> bool {
        !self.frozen.is_empty()
    }

    /// Requests that wait to be served, by the names of their deliveries.
    pub fn to_serve(&self, kernel: &Kernel) -> Vec<Step> {
        self.held.iter().filter(|held| !held.is_served).map(|held| held.name(kernel)).collect()
    }

    /// Requests that can be answered now, likewise.
    pub fn to_answer(&self, kernel: &Kernel) -> Vec<Step> {
        self.held.iter().filter(|held| held.can_be_answered()).map(|held| held.name(kernel)).collect()
    }

    /// Where the canisters are.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }
}

/// The last world of a script, and for each operation the steps that it came to.
pub type PlayedScript = (World, Vec<Vec<Step>>);

/// Plays a whole script. Out: the last world, and for each operation the steps that it came to.
///
/// # Errors
/// The position of the operation that cannot be played, from 0, and why; 0 if the script names a canister that there is not.
pub fn play(
    engine: &mut Embedded,
    script: &Script,
    faults: Vec<Step>,
    aim: Aim,
) -> Result<PlayedScript, (usize, Stuck)> {
    let layout = Layout::new(engine, script, aim).map_err(|why| (0, Stuck::Order(why)))?;
    let mut rounds = Rounds::new(layout).with_faults(faults);
    let mut world = engine.start().clone();
    let mut all = Vec::with_capacity(script.ops.len());
    for (at, op) in script.ops.iter().enumerate() {
        let (next, steps) = rounds.play(engine, &world, op).map_err(|stuck| (at, stuck))?;
        world = next;
        all.push(steps);
    }
    Ok((world, all))
}

/// What an operation came to.
struct Played {
    /// The world after it.
    world: World,
    steps: Vec<Step>,
    /// By step: the world after it.
    worlds: Vec<World>,
}

/// The tasks of a canister in one round.
type Tasks = VecDeque<Task>;
