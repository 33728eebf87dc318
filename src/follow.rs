//! Follows a replica: all worlds that it may be in, by what was done to it and what it was seen to do.
//!
//! A replica shows little: after a round, values of queries and answers to calls. It may have delivered messages in any order
//! that is legal; how it chooses is its own business. In: what a driver did, and what was seen after each round. Out: the worlds
//! that all of this leads to, and a schedule that leads to one of them. If there is none, the replica did what the kernel says
//! is impossible: one of the two is wrong. This is the claim `outcomes(PocketIC) ⊆ outcomes(embedded)`, checked at every
//! round and not only at the end (trace inclusion; Tretmans, "Conformance testing with labelled transition systems", 1996,
//! calls the set of worlds `after`).

mod round;
mod serve;

use std::collections::BTreeSet;

use crate::engine::embedded::Embedded;
use crate::invariant;
use crate::kernel::{Unsupported, World};
use crate::oracle;
use crate::scenario::{CallState, Expect, Reply, Value, When};
use crate::schedule::{Path, Root, Schedule, Step};

pub use serve::{Served, Waiting};

/// Most worlds that are looked at for one round.
const WORLDS_MAX: usize = 200_000;

/// Unloaded rounds without any change after which all messages have arrived: two subnets need two of them.
const PATIENCE: u32 = 3;
/// Likewise, where an execution takes more than one round: the longest one takes 20.
const LONG_PATIENCE: u32 = 24;
/// Instructions of an execution that may take more than one round.
const LONG: u64 = 1_000_000_000;

/// No step led here.
const START: u32 = u32::MAX;

/// What was seen of a replica after a round.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Its time, in nanoseconds since 1970: that of all messages of the round.
    pub time_ns: u64,
    /// Values of the observations, in file order; `None` where the replica does not show one.
    pub observations: Vec<Option<Value>>,
    /// Answers to the call instances.
    pub replies: Vec<Option<Reply>>,
}

/// Why a replica is not followed any further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// It did what cannot be.
    #[error("the replica did what the embedded engine says cannot happen: {0}")]
    Diverged(String),
    /// It may be in too many worlds.
    #[error("one round can lead to more than {WORLDS_MAX} worlds: send fewer calls at a time")]
    TooMany,
    /// The engine cannot tell what may happen.
    #[error("{0}")]
    Unsupported(#[from] Unsupported),
    /// What the driver did does not fit here.
    #[error("{0}")]
    Misplaced(String),
}

/// A world that a replica may be in, and the last step on the way there.
#[derive(Clone, Debug)]
struct Place {
    world: World,
    last: u32,
    /// Requests that the driver has executed.
    served: Vec<Request>,
}

/// A request that the driver has executed. Which one it is the replica does not say: of two that are alike it shows the order
/// and not the names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Request {
    /// How the driver refers to it.
    key: u32,
    /// Its name in this world.
    name: Name,
    /// Whether its response may be delivered.
    is_answered: bool,
}

/// A request's name.
type Name = (Root, Path);

impl Place {
    /// The world with what else matters, as bytes.
    fn encode(&self, out: &mut Vec<u8>) {
        use std::io::Write as _;
        self.world.encode(out);
        for Request { key, name: (root, path), is_answered } in &self.served {
            write!(out, "{key}:{root}{path}:{is_answered};").expect("a vector takes all bytes");
        }
    }
}

/// The worlds that a replica may be in.
#[derive(Clone, Debug)]
pub struct Follower {
    places: Vec<Place>,
    /// Steps, each with the one before it.
    made: Vec<(u32, Step)>,
    /// By canister: whether the driver plays it.
    stand_ins: Vec<bool>,
    /// By canister: whether it has too few cycles to execute anything.
    frozen: Vec<bool>,
    /// Starts of calls that were sent and may not have begun.
    sent: BTreeSet<Step>,
    /// Rounds since something else was seen or done.
    still: u32,
    last_seen: Option<Seen>,
    /// Whether an execution takes more than one round.
    is_slow: bool,
}

impl Follower {
    /// Follows a replica on which the scenario was just installed; the engine tells its calls apart from now on.
    pub fn new(engine: &mut Embedded, stand_ins: Vec<bool>) -> Follower {
        engine.kernel.tell_calls_apart();
        Follower {
            places: vec![Place { world: engine.start().clone(), last: START, served: Vec::new() }],
            made: Vec::new(),
            frozen: vec![false; stand_ins.len()],
            stand_ins,
            sent: BTreeSet::new(),
            still: 0,
            last_seen: None,
            is_slow: false,
        }
    }

    /// The worlds, at least one.
    pub fn worlds(&self) -> impl Iterator<Item = &World> {
        self.places.iter().map(|place| &place.world)
    }

    /// The first of them.
    pub fn world(&self) -> &World {
        &self.places[0].world
    }

    /// A schedule that leads to the first of the worlds.
    pub fn schedule(&self) -> Schedule {
        let mut steps = Vec::new();
        let mut at = self.places[0].last;
        while at != START {
            let (before, step) = &self.made[at as usize];
            steps.push(step.clone());
            at = *before;
        }
        steps.reverse();
        Schedule { steps }
    }

    /// A call was sent: a round will start it.
    pub fn send(&mut self, step: Step) {
        self.still = 0;
        self.sent.insert(step);
    }

    /// Whether a call that was sent may not have begun.
    pub fn has_sent(&self) -> bool {
        !self.sent.is_empty()
    }

    /// A canister has too few cycles from now on, or enough again.
    pub fn freeze(&mut self, canister: usize, is_frozen: bool) {
        self.still = 0;
        self.frozen[canister] = is_frozen;
    }

    /// A step that the driver made itself: it goes for all worlds in which it is possible.
    ///
    /// # Errors
    /// If it is possible in none.
    pub fn make(&mut self, engine: &mut Embedded, step: &Step) -> Result<(), Lost> {
        self.still = 0;
        let mut places = Vec::new();
        let mut refusal = None;
        for place in std::mem::take(&mut self.places) {
            match engine.kernel.find(&place.world, step) {
                Ok(choice) => {
                    let world = engine.kernel.apply(&place.world, &choice)?.0;
                    places.push(Place { world, last: self.note(place.last, step.clone()), ..place });
                }
                Err(error) => refusal = Some(error),
            }
        }
        self.places = places;
        match (self.places.is_empty(), refusal) {
            (true, Some(refusal)) => Err(Lost::Misplaced(format!("{step}: {refusal}"))),
            _ => Ok(()),
        }
    }

    fn note(&mut self, before: u32, step: Step) -> u32 {
        self.made.push((before, step));
        self.made.len() as u32 - 1
    }

    /// Keeps the worlds that show what was seen.
    fn keep(&mut self, engine: &mut Embedded, seen: &Seen) -> Result<(), Lost> {
        let mut kept = Vec::new();
        let mut mismatches: Vec<String> = Vec::new();
        let tried = self.places.len();
        for place in std::mem::take(&mut self.places) {
            match mismatch(engine, &place.world, seen)? {
                None => kept.push(place),
                Some(text) if mismatches.len() < 3 && !mismatches.contains(&text) => mismatches.push(text),
                Some(_) => {}
            }
        }
        self.places = kept;
        if self.places.is_empty() {
            let text = format!("none of {tried} worlds shows what it shows; {}", mismatches.join("; "));
            return Err(Lost::Diverged(text));
        }
        Ok(())
    }

    /// Keeps the worlds that show what is seen now, with no message delivered since.
    ///
    /// # Errors
    /// If there is none.
    pub fn look(&mut self, engine: &mut Embedded, seen: &Seen) -> Result<(), Lost> {
        for place in &mut self.places {
            place.world.time_ns = seen.time_ns;
        }
        self.keep(engine, seen)
    }

    /// Invariants that are violated in every world that the replica may be in, with what is said of the first. Those of steps
    /// are not among them: a round makes many steps at once.
    ///
    /// # Errors
    /// If the engine cannot tell.
    pub fn violated(&self, engine: &mut Embedded) -> Result<Vec<(usize, Option<String>)>, Unsupported> {
        let mut violated: Option<Vec<(usize, Option<String>)>> = None;
        for world in self.worlds() {
            let scenario = engine.scenario.clone();
            let mut here = oracle::violated_in(engine, world, None)?;
            here.retain(|(at, _)| scenario.invariants[*at].expect == Expect::Holds);
            violated = Some(match violated {
                None => here,
                Some(mut all) => {
                    all.retain(|(at, _)| here.iter().any(|(other, _)| other == at));
                    all
                }
            });
        }
        Ok(violated.unwrap_or_default())
    }

    /// `sometimes` that are seen in every world that the replica may be in.
    ///
    /// # Errors
    /// If the engine cannot tell.
    pub fn seen(&self, engine: &mut Embedded) -> Result<Vec<usize>, Unsupported> {
        let scenario = engine.scenario.clone();
        let wanted = scenario.invariants.iter().enumerate().filter(|(_, invariant)| invariant.when == When::Sometimes);
        let mut seen: Vec<usize> = wanted.map(|(at, _)| at).collect();
        for world in self.worlds() {
            let observations = engine.observe(world)?;
            let calls = engine.calls(world);
            let view = engine.view(world, &observations, &calls);
            seen.retain(|&at| invariant::is_seen(&scenario.invariants[at], &view));
        }
        Ok(seen)
    }

    /// Whether nothing moves: as many rounds have passed without a change as any message takes.
    pub fn is_still(&self) -> bool {
        self.still >= if self.is_slow { LONG_PATIENCE } else { PATIENCE }
    }

    /// Whether nothing must happen any more in any of the worlds, and no call that was sent waits for its start.
    pub fn is_quiet(&self, engine: &Embedded) -> bool {
        self.sent.is_empty() && self.worlds().all(|world| engine.kernel.is_quiescent(world))
    }
}

/// What a world shows that the replica does not, if anything.
fn mismatch(engine: &mut Embedded, world: &World, seen: &Seen) -> Result<Option<String>, Unsupported> {
    let calls = engine.calls(world);
    for (at, (call, reply)) in calls.iter().zip(&seen.replies).enumerate() {
        let ours = match &call.state {
            CallState::Done(reply) => Some(reply.as_ref()),
            CallState::NotStarted | CallState::Open => None,
        };
        if !agree(ours, reply.as_ref()) {
            let text = |reply: Option<&Reply>| reply.map_or("no answer".to_string(), shown);
            return Ok(Some(format!("call {at}: replica {}, we {}", text(reply.as_ref()), text(ours))));
        }
    }
    let observations = engine.observe(world)?;
    let names = &engine.scenario.observations;
    for ((name, ours), theirs) in names.iter().zip(&observations).zip(&seen.observations) {
        if let Some(theirs) = theirs
            && !values_agree(ours, theirs)
        {
            return Ok(Some(format!("{}: replica {theirs}, we {ours}", name.name)));
        }
    }
    Ok(None)
}

/// Whether two answers are the same, but for the text of a reject.
fn agree(ours: Option<&Reply>, theirs: Option<&Reply>) -> bool {
    match (ours, theirs) {
        (None, None) => true,
        (Some(Reply::Replied(_, ours)), Some(Reply::Replied(_, theirs))) => ours == theirs,
        (Some(Reply::Rejected { code: ours, .. }), Some(Reply::Rejected { code: theirs, .. })) => ours == theirs,
        _ => false,
    }
}

fn values_agree(ours: &Value, theirs: &Value) -> bool {
    matches!((ours, theirs), (Value::Failed(_), Value::Failed(_))) || ours == theirs
}

fn shown(reply: &Reply) -> String {
    match reply {
        Reply::Replied(value, _) => format!("reply ({value})"),
        Reply::Rejected { code, text } => format!("reject {code}: {text}"),
    }
}
