//! Schedules, walked through worlds that are remembered.
//!
//! In: steps by name, or draws. Out: which of them were made, what was shown on the way, what was violated. A step that was
//! made before in the same world is looked up, whatever schedule led there.

use std::sync::Arc;

use hashbrown::HashMap;
use xxhash_rust::xxh3::Xxh3Builder;

use super::feedback::Feedback;
use super::input::{Draws, Input, STEPS_MAX};
use crate::engine::allowance::{Allowance, Ceiling};
use crate::engine::embedded::{Embedded, Modules};
use crate::kernel::Unsupported;
use crate::sample::atlas::Atlas;
use crate::scenario::{Code, Scenario};
use crate::schedule::{Root, Step};

/// Bytes of states and worlds at which all of them are forgotten.
const MEMORY: u64 = 768 << 20;

/// What one schedule did.
#[derive(Clone, Debug, Default)]
pub struct Walked {
    /// For each step the world before it and its position among the choices there.
    pub made: Vec<(u32, u32)>,
    /// The world after the last one.
    pub end: u32,
    /// Positions, in the input, of those of its steps that were made.
    pub used: Vec<usize>,
    /// How many of its steps were not possible.
    pub left_out: usize,
    /// Invariants that were violated, each with the number of steps made until then.
    pub violated: Vec<(usize, usize)>,
    /// Steps that executed a message, remembered ones included.
    pub deliveries: u64,
    /// Numbers of what was shown in all.
    pub shown: Vec<u32>,
}

/// Walks schedules of one installed scenario.
pub struct Walks {
    /// The scenario.
    pub engine: Embedded,
    /// Worlds.
    pub atlas: Atlas<Feedback>,
    numbers: HashMap<Step, u32, Xxh3Builder>,
}

impl Walks {
    /// Of a scenario, none so far.
    fn new(engine: Embedded, feedback: Feedback) -> Walks {
        let atlas = Atlas::new(&engine, feedback);
        Walks { engine, atlas, numbers: HashMap::default() }
    }

    /// Installs a scenario. `feedback` is what was reached before, if it was installed then.
    ///
    /// # Errors
    /// What is wrong with the scenario or its modules.
    pub fn install(scenario: &Arc<Scenario>, modules: &mut Modules, mut feedback: Feedback) -> Result<Walks, String> {
        let allowance = Allowance { ceiling: Ceiling::of_this_machine(), ..Allowance::default() };
        let engine = Embedded::open_with(scenario.clone(), &allowance, modules).map_err(|error| error.to_string())?;
        for (at, canister) in scenario.canisters.iter().enumerate() {
            if let Code::Wasm(wasm) = &canister.code
                && let Some(watched) = modules.loaded(wasm).and_then(|module| module.shape.watched)
            {
                feedback.place(at as u16, watched.blocks);
            }
        }
        let mut walks = Walks::new(engine, feedback);
        walks.engine.prepare(None);
        Ok(walks)
    }

    /// Whether states and worlds have become so many that they are to be forgotten.
    pub fn is_full(&self) -> bool {
        self.engine.allowance().ceiling.counted() + self.atlas.bytes() > MEMORY
    }

    /// The position of a step among the choices of a world, if it is possible there.
    pub fn position(&mut self, at: u32, step: &Step) -> Option<u32> {
        let next = self.numbers.len() as u32;
        let number = match self.numbers.get(step) {
            Some(&number) => number,
            None => *self.numbers.entry(step.clone()).or_insert(next),
        };
        self.atlas.position(&mut self.engine, at, number, step)
    }

    /// The name of a choice.
    pub fn name(&self, at: u32, position: u32) -> Step {
        self.atlas.name(&self.engine, at, position)
    }

    /// Names of the steps that were made.
    pub fn names(&self, made: &[(u32, u32)]) -> Vec<Step> {
        made.iter().map(|&(at, position)| self.name(at, position)).collect()
    }

    /// Steps that nobody has looked at before: their positions in `made`, and the numbers of what they showed.
    pub fn first_looks(&mut self, walked: &Walked) -> Vec<(usize, u32)> {
        let made = walked.made.iter().enumerate();
        let first = made.filter(|(_, (at, position))| self.atlas.is_first_look(*at, *position));
        let first: Vec<(usize, u32, u32)> = first.map(|(nth, &(at, position))| (nth, at, position)).collect();
        first.into_iter().map(|(nth, at, position)| (nth, self.atlas.shown(at, position))).collect()
    }

    fn begin(&mut self) -> Result<Walked, Unsupported> {
        let mut walked = Walked { end: self.atlas.start(&mut self.engine)?, ..Walked::default() };
        self.look(&mut walked);
        Ok(walked)
    }

    /// Makes a step.
    pub fn go(&mut self, walked: &mut Walked, position: u32) -> Result<(), Unsupported> {
        let at = walked.end;
        let (next, delivers) = self.atlas.step(&mut self.engine, at, position)?;
        let shown = self.atlas.shown(at, position);
        walked.shown.push(shown);
        walked.deliveries += u64::from(delivers);
        walked.made.push((at, position));
        walked.end = next;
        for &invariant in self.atlas.broken(at, position) {
            note(walked, invariant);
        }
        self.look(walked);
        Ok(())
    }

    fn look(&self, walked: &mut Walked) {
        walked.shown.push(self.atlas.node(walked.end).shown);
        for &invariant in &self.atlas.seen(walked.end).violated {
            note(walked, invariant);
        }
    }

    /// The steps of an input that are possible, and nothing after them.
    ///
    /// # Errors
    /// If a canister asks for something that the engine does not offer; likewise below.
    pub fn steps(&mut self, steps: &[Step]) -> Result<Walked, Unsupported> {
        let mut walked = self.begin()?;
        for (at, step) in steps.iter().enumerate() {
            if let Some(position) = self.position(walked.end, step) {
                self.go(&mut walked, position)?;
                walked.used.push(at);
            }
        }
        walked.left_out = steps.len() - walked.used.len();
        Ok(walked)
    }

    /// The steps without calls and tasks that they do not need to reach these places with their last one.
    ///
    /// # Errors
    /// As [`Walks::steps`].
    pub fn least(&mut self, steps: &[Step], places: &[u32]) -> Result<Vec<Step>, Unsupported> {
        let mut least = steps.to_vec();
        let mut roots: Vec<Root> = steps.iter().map(|step| step.root.clone()).collect();
        roots.sort();
        roots.dedup();
        for root in roots {
            let fewer: Vec<Step> = least.iter().filter(|step| step.root != root).cloned().collect();
            let walked = self.steps(&fewer)?;
            let Some(&(at, position)) = walked.made.last().filter(|_| walked.left_out == 0) else { continue };
            if self.atlas.watch.shows(self.atlas.shown(at, position), places) {
                least = fewer;
            }
        }
        Ok(least)
    }

    /// A whole input.
    pub fn input(&mut self, input: &Input) -> Result<Walked, Unsupported> {
        let mut walked = self.steps(&input.steps)?;
        self.finish(&mut walked, input.finishes)?;
        Ok(walked)
    }

    /// An input as its bytes say it.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<Walked, Unsupported> {
        match Input::parse(bytes) {
            Some(input) => self.input(&input),
            None => self.draws(&Draws::of(bytes)),
        }
    }

    /// What is drawn.
    pub fn draws(&mut self, draws: &Draws) -> Result<Walked, Unsupported> {
        let mut walked = self.begin()?;
        for &byte in &draws.picks {
            let node = self.atlas.node(walked.end);
            let (messages, extras) = (&node.messages, &node.extras);
            let Some(picked) = Draws::pick(byte, messages.len(), extras.len()) else { break };
            let offer = messages.get(picked).or_else(|| extras.get(picked - messages.len()));
            let position = offer.expect("bug in canloom: a pick is one of the offers").position;
            self.go(&mut walked, position)?;
        }
        self.finish(&mut walked, draws.finishes)?;
        Ok(walked)
    }

    /// Delivers what is on its way, oldest first; with `starts`, calls that are left begin when nothing is.
    fn finish(&mut self, walked: &mut Walked, starts: bool) -> Result<(), Unsupported> {
        while walked.made.len() < STEPS_MAX && !self.atlas.seen(walked.end).complete {
            let messages = &self.atlas.node(walked.end).messages;
            let sent = messages.iter().find(|offer| !offer.is_root);
            let Some(offer) = sent.or(messages.first().filter(|_| starts)) else { break };
            let position = offer.position;
            self.go(walked, position)?;
        }
        Ok(())
    }
}

fn note(walked: &mut Walked, invariant: u16) {
    let invariant = usize::from(invariant);
    if walked.violated.iter().all(|(known, _)| *known != invariant) {
        walked.violated.push((invariant, walked.made.len()));
    }
}
