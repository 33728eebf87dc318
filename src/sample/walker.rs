//! One thread that walks schedules, delivery by delivery.
//!
//! In: numbers of schedules. Out: for each violated invariant the simplest violation on the way, and what schedules were
//! like. A schedule depends on seed, number and experience alone, so any thread may walk any schedule.

use std::sync::Arc;

use super::atlas::{Atlas, Nobody};
use super::offers::Offers;
use crate::engine::embedded::Embedded;
use crate::kernel::Unsupported;
use crate::schedule::Step;
use crate::scheduler::{Experience, Extras, Offer, Record, Scheduler, Strategy};

/// The simplest violation of an invariant so far. Compared in the order of the fields.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Best {
    /// Faults spent.
    pub faults: u16,
    /// Calls started.
    pub calls: u16,
    /// Steps made.
    pub steps: u32,
    /// The schedule.
    pub schedule: u64,
    /// Positions among the choices of each world on the way.
    pub path: Vec<u32>,
}

/// What a thread found.
pub struct Walker {
    /// The worlds that it came through.
    pub atlas: Atlas,
    /// By position of the invariant: the simplest violation.
    pub best: Vec<Option<Best>>,
    /// By position of the invariant: the first schedule that violates it.
    pub first: Vec<Option<u64>>,
    /// Steps made that executed a message, memoized ones included.
    pub deliveries: u64,
    /// Schedules walked.
    pub schedules: u64,
    schedulers: Vec<Box<dyn Scheduler>>,
    extras: Extras,
    path: Vec<u32>,
    made: Vec<u32>,
}

impl Walker {
    /// A walker that has found nothing yet.
    pub fn new(engine: &Embedded, strategy: Strategy, seed: u64) -> Walker {
        let invariants = engine.scenario.invariants.len();
        Walker {
            atlas: Atlas::new(engine, Nobody),
            best: vec![None; invariants],
            first: vec![None; invariants],
            deliveries: 0,
            schedules: 0,
            schedulers: strategy.schedulers(seed),
            extras: Extras::new(seed, Offers::most_extras(engine)),
            path: Vec::new(),
            made: Vec::new(),
        }
    }

    /// Walks the schedule of this number.
    ///
    /// # Errors
    /// If a canister asks for something that the engine does not offer.
    pub fn walk(
        &mut self,
        engine: &mut Embedded,
        schedule: u64,
        experience: &Arc<Experience>,
    ) -> Result<Record, Unsupported> {
        let turn = (schedule % self.schedulers.len() as u64) as usize;
        self.schedulers[turn].begin(schedule, experience);
        self.extras.begin(schedule, experience);
        self.path.clear();
        let mut record = Record::default();
        let mut at = self.atlas.start(engine)?;
        loop {
            for nth in 0..self.atlas.seen(at).violated.len() {
                self.note_violation(self.atlas.seen(at).violated[nth], at, schedule);
            }
            let Some(offer) = self.choose(at, turn) else { break };
            self.count(&offer, &mut record);
            let (next, delivers) = self.atlas.step(engine, at, offer.position)?;
            self.path.push(offer.position);
            self.deliveries += u64::from(delivers);
            for nth in 0..self.atlas.broken(at, offer.position).len() {
                self.note_violation(self.atlas.broken(at, offer.position)[nth], next, schedule);
            }
            at = next;
        }
        for (_, messages) in &mut record.chains {
            *messages = std::mem::take(&mut self.made[*messages as usize]);
        }
        record.opportunities = self.extras.opportunities();
        self.schedules += 1;
        Ok(record)
    }

    /// The last schedule: positions among the choices of each world on the way.
    pub fn path(&self) -> &[u32] {
        &self.path
    }

    fn choose(&mut self, at: u32, turn: usize) -> Option<Offer> {
        let node = self.atlas.node(at);
        let complete = self.atlas.seen(at).complete;
        let is_rest = complete || node.messages.is_empty();
        if let Some(extra) = self.extras.next(&node.extras, is_rest) {
            return Some(node.extras[extra]);
        }
        if node.messages.is_empty() || complete && !self.extras.goes_on() {
            return None;
        }
        Some(node.messages[self.schedulers[turn].next(&node.messages)])
    }

    /// Counts messages by chain; until the schedule is over the record holds the chain in place of its messages.
    fn count(&mut self, offer: &Offer, record: &mut Record) {
        if self.made.len() <= offer.chain as usize {
            self.made.resize(offer.chain as usize + 1, 0);
        }
        if offer.class != crate::scheduler::Class::Message {
            return;
        }
        let made = &mut self.made[offer.chain as usize];
        if *made == 0 {
            record.chains.push((offer.family, offer.chain));
        }
        *made += 1;
        record.messages += 1;
    }

    /// An invariant is violated where the schedule stands: in this world, or by the step to it.
    fn note_violation(&mut self, invariant: u16, at: u32, schedule: u64) {
        let (faults, calls) = self.atlas.node(at).spent;
        let first = self.first[usize::from(invariant)].get_or_insert(schedule);
        *first = schedule.min(*first);
        let best = &mut self.best[usize::from(invariant)];
        let rank = (faults, calls, self.path.len() as u32, schedule);
        if best.as_ref().is_none_or(|best| rank < (best.faults, best.calls, best.steps, best.schedule)) {
            let path = self.path.clone();
            *best = Some(Best { faults, calls, steps: path.len() as u32, schedule, path });
        }
    }
}

/// The steps of a path: positions among the choices of each world on the way.
///
/// # Errors
/// If a canister asks for something that the engine does not offer.
pub(super) fn steps(engine: &mut Embedded, path: &[u32]) -> Result<Vec<Step>, Unsupported> {
    let mut world = engine.start().clone();
    let mut choices = Vec::new();
    let mut steps = Vec::with_capacity(path.len());
    for &position in path {
        engine.kernel.choices(&world, &mut choices)?;
        let choice = choices[position as usize];
        steps.push(engine.kernel.name(&world, &choice));
        world = engine.kernel.apply(&world, &choice)?.0;
    }
    Ok(steps)
}
