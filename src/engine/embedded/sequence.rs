//! What the calls of a scenario do when they are made one after the other, without faults.
//!
//! In: a scenario, installed. Out: a [`Sequence`]: each combination of answers and observations in which such an execution
//! may come to rest, and the kinds of errors with which each call may then be answered. It is worked out once, before
//! threads ask for it; bounds that a run narrows do not change it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use super::Embedded;
use super::alone::{Alone, AtRest, Cut};
use super::lower;
use crate::kernel::world::NOT_STARTED;
use crate::kernel::{Response, Unsupported, World};
use crate::scenario::{Reply, Value};

/// Worlds at rest that are looked at; beyond this nothing is said.
const WORLDS_MAX: usize = 20_000;
/// Calls that are made again in all of them.
const PROBES_MAX: usize = 200_000;

/// A call that was answered: its entry, its actor, its interned argument and the answer.
pub type Answered = (u32, u32, u32, Answer);

/// An answer, as far as two executions have to agree on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    /// An interned reply.
    Reply(u32),
    /// A reject code: its text may name what only this execution saw.
    Reject(u8),
}

/// Values of all observations in one world, in file order.
pub type Observed = Vec<Arc<Value>>;

/// All executions one after the other.
#[derive(Default)]
pub struct Sequence {
    /// Observations at rest, by time steps made and calls answered; open calls are in none.
    rests: HashMap<(Vec<u8>, Vec<Answered>), Vec<Observed>>,
    /// For each probe the kinds of its failures.
    failures: BTreeMap<usize, BTreeSet<String>>,
    /// Whether not all of them were looked at.
    pub is_cut: bool,
}

impl Sequence {
    /// Observations of the worlds at rest with these time steps and calls.
    pub fn rests(&self, times: &[u8], calls: &[Answered]) -> &[Observed] {
        self.rests.get(&(times.to_vec(), calls.to_vec())).map_or(&[], Vec::as_slice)
    }

    /// Likewise, whatever these calls were answered.
    pub fn whatever_answered(&self, times: &[u8], calls: &[Answered]) -> Vec<Observed> {
        let made = |&(entry, actor, argument, _): &Answered| (entry, actor, argument);
        let same = |others: &[Answered]| others.iter().map(made).eq(calls.iter().map(made));
        let rests = self.rests.iter().filter(|((at, others), _)| at == times && same(others));
        rests.flat_map(|(_, rests)| rests.iter().cloned()).collect()
    }

    /// Whether a probe may fail in this way.
    pub fn fails(&self, probe: usize, kind: &str) -> bool {
        self.failures.get(&probe).is_some_and(|kinds| kinds.contains(kind))
    }
}

impl Embedded {
    /// The executions one after the other of this scenario.
    pub fn sequence(&mut self) -> Arc<Sequence> {
        if let Some(sequence) = self.sequence.get() {
            return sequence.clone();
        }
        let found = Arc::new(self.work_out());
        self.sequence.get_or_init(|| found).clone()
    }

    fn is_late(&self) -> bool {
        self.allowance().interrupt.is_requested() || self.until.is_some_and(|until| Instant::now() > until)
    }

    /// Works out what oracles compare with, if any does, until this time; later nothing more is looked at.
    pub fn prepare(&mut self, until: Option<Instant>) {
        self.until = until;
        if self.alone.is_some() {
            let _ = self.sequence();
        }
    }

    /// Whether what oracles compare with was cut short, or never worked out.
    pub fn is_sequence_cut(&self) -> bool {
        self.sequence.get().is_none_or(|sequence| sequence.is_cut)
    }

    /// What a canister asks for here that is not offered, such as one more canister to be created, says nothing of it.
    fn work_out(&mut self) -> Sequence {
        let mut sequence = Sequence::default();
        sequence.is_cut = self.walk_all(&mut sequence).is_err();
        sequence
    }

    fn walk_all(&mut self, sequence: &mut Sequence) -> Result<(), Cut> {
        let mut probes = 0;
        let start = self.start.clone();
        let first = self.alone().start(&start);
        let mut seen: HashSet<World> = HashSet::from([first.clone()]);
        let mut waiting = vec![first];
        let mut probed: HashSet<AtRest> = HashSet::new();
        while let Some(world) = waiting.pop() {
            let rest = AtRest { canisters: world.canisters.clone(), time_ns: world.time_ns };
            if self.alone().is_quiescent(&world) {
                self.note(sequence, &world)?;
                if probed.insert(rest.clone()) {
                    self.probe_all(sequence, &rest)?;
                    probes += self.alone().probes.len();
                }
            }
            for next in self.alone().after(&world)? {
                if seen.insert(next.clone()) {
                    waiting.push(next);
                }
            }
            let is_late = self.is_late();
            if seen.len() > WORLDS_MAX || probes > PROBES_MAX || is_late || self.allowance.ceiling.is_exceeded() {
                return Err(Cut);
            }
        }
        Ok(())
    }

    /// Notes answers and observations of a world at rest, unless a call is open.
    fn note(&mut self, sequence: &mut Sequence, world: &World) -> Result<(), Unsupported> {
        let own = self.alone().own_calls();
        let Some(calls) = self.answered(&world.trees[..own]) else { return Ok(()) };
        let observations = self.observe(world)?;
        let rests = sequence.rests.entry((world.times.clone(), calls)).or_default();
        if !rests.contains(&observations) {
            rests.push(observations);
        }
        Ok(())
    }

    /// The calls that have started, sorted; `None` if one of them is not answered.
    pub fn answered(&self, trees: &[u32]) -> Option<Vec<Answered>> {
        let started = trees.iter().enumerate().filter(|(_, tree)| **tree != NOT_STARTED);
        let calls = started.map(|(at, &tree)| {
            let spec = &self.kernel.calls()[at];
            let response = self.kernel.answer(tree)?;
            let answer = match self.kernel.response(response) {
                Response::Reply(_) => Answer::Reply(response),
                Response::Reject { code, .. } => Answer::Reject(*code),
            };
            Some((spec.entry as u32, self.actors[at] as u32, self.kernel.call_message(at, tree)?, answer))
        });
        let mut calls: Vec<Answered> = calls.collect::<Option<_>>()?;
        calls.sort_unstable();
        Some(calls)
    }

    fn probe_all(&mut self, sequence: &mut Sequence, rest: &AtRest) -> Result<(), Unsupported> {
        for probe in 0..self.alone().probes.len() {
            if let Some(kind) = self.probe(rest, probe)?.failure() {
                sequence.failures.entry(probe).or_default().insert(kind);
            }
        }
        Ok(())
    }

    /// Makes a call again at rest.
    ///
    /// # Errors
    /// If a guest cannot tell what the IC would do.
    pub fn probe(&mut self, rest: &AtRest, probe: usize) -> Result<Probed, Unsupported> {
        let answer = self.alone().probe(rest, probe)?;
        Ok(Probed(answer.map(|answer| self.reply(answer))))
    }

    /// The entries that were answered with errors only (bits of those that were answered without one, and with one), each
    /// with its error if it is made alone at the start.
    pub fn refused(&mut self, ok: u64, err: u64) -> Vec<(usize, String)> {
        let mut refused = Vec::new();
        for entry in (0..self.scenario.calls.len()).filter(|entry| err & !ok & (1 << entry) != 0) {
            let rest = AtRest { canisters: self.start.canisters.clone(), time_ns: self.start.time_ns };
            let probe = self.alone().probes.iter().position(|probe| probe.entry == entry);
            // What is not offered here is no reason to refuse the scenario.
            let probed = probe.and_then(|probe| self.probe(&rest, probe).ok());
            let text = probed.map_or_else(String::new, |probed| probed.text());
            refused.push((entry, text));
        }
        refused
    }

    /// Executions one after the other, with the kernel that makes them.
    pub fn alone(&mut self) -> &mut Alone {
        let limits = || lower::limits(self.scenario.own_bounds);
        self.alone.get_or_insert_with(|| Alone::new(&self.kernel, limits()))
    }

    /// Whether an answer may say that the call was not made.
    pub fn may_refuse(&mut self, answer: Answer) -> bool {
        match answer {
            Answer::Reject(_) => true,
            Answer::Reply(reply) => self.reply(reply).may_refuse(),
        }
    }
}

/// The answer to a call that was made again.
#[derive(Clone, Debug)]
pub struct Probed(Option<Arc<Reply>>);

impl Probed {
    /// In what way it failed, if it did: the error without its numbers and ids, so that the same error about other values is
    /// the same.
    pub fn failure(&self) -> Option<String> {
        match &self.0 {
            None => Some("it is never answered".to_string()),
            Some(reply) => reply.failure_kind(),
        }
    }

    /// The error in full, if it is one.
    pub fn text(&self) -> String {
        let text = self.0.as_ref().map(|reply| reply.failure_text().unwrap_or_default());
        text.unwrap_or_else(|| "it is never answered".to_string())
    }
}
