//! What a driver does beside letting rounds pass: calls, administration, answers of stand-ins and of the world outside.

use std::collections::VecDeque;

use crate::kernel::world::NOT_STARTED;
use crate::schedule::{Path, Root, Step, StepKind};
use crate::script::Op;

use super::execute::{Playing, start_of};
use super::queue::Item;
use super::{Held, Stuck};

/// Ticks until an answer is in a stand-in's hands.
const ANSWER_TICKS: u8 = 2;

impl Playing<'_> {
    /// Plays an operation.
    pub fn play(&mut self, op: &Op) -> Result<(), Stuck> {
        match op {
            Op::Submit(step) => self.submit(step),
            Op::Tick { loaded } => self.tick(*loaded),
            Op::Time(entry) => {
                let step = Step::new(Root::Time(*entry), Path::root(), StepKind::Start);
                self.make(&step).map(|_| ())
            }
            Op::Advance(seconds) => {
                self.played.world.time_ns =
                    self.played.world.time_ns.saturating_add(seconds.saturating_mul(1_000_000_000));
                Ok(())
            }
            Op::Change(step) => self.change(step),
            Op::Freeze(name) => {
                let canister = self.position(name)?;
                match self.rounds.frozen.insert(canister) {
                    true => Ok(()),
                    false => Stuck::order(format!("{name} has too few cycles already")),
                }
            }
            Op::Thaw(name) => {
                let canister = self.position(name)?;
                match self.rounds.frozen.remove(&canister) {
                    true => Ok(()),
                    false => Stuck::order(format!("{name} has enough cycles already")),
                }
            }
            Op::Serve(step) => self.serve(step),
            Op::Answer(step) => self.answer(step),
        }
    }

    fn position(&self, name: &str) -> Result<u16, Stuck> {
        let at = self.engine.scenario.canisters.iter().position(|canister| canister.name == name);
        at.map(|at| at as u16).ok_or_else(|| Stuck::Order(format!("the scenario has no canister `{name}`")))
    }

    fn submit(&mut self, step: &Step) -> Result<(), Stuck> {
        let call =
            step.root.call().and_then(|call| Some((call, self.engine.kernel.calls().get(call as usize)?.canister)));
        let Some((call, canister)) = call else { return Stuck::order(format!("{step}: there is no such call")) };
        let at = usize::from(canister);
        if self.rounds.is_frozen(canister) {
            return Stuck::order(format!("{step}: {} has too few cycles", self.name(canister)));
        }
        let waiting = self.rounds.submitted.iter().chain(self.rounds.inboxes[at].calls());
        if waiting.into_iter().any(|start| start.root == step.root) {
            return Stuck::order(format!("{step} is submitted already"));
        }
        let is_running = self.engine.kernel.is_running(&self.played.world, canister);
        let mut start = step.clone();
        if step.kind == StepKind::Submit {
            self.make(step)?;
            let tree = self.played.world.trees[call as usize];
            if tree == NOT_STARTED || !self.engine.kernel.tree(tree).submitted {
                return Ok(());
            }
            start = start_of(&step.root);
        } else {
            // What may not start is not submitted either.
            self.engine.kernel.find(&self.played.world, step)?;
        }
        if !is_running {
            self.make(&start)?;
        } else if self.rounds.layout.is_stand_in(canister) {
            let items = self.make(&start)?;
            self.act_for_stand_ins(items)?;
        } else {
            self.rounds.submitted.push(start);
        }
        Ok(())
    }

    fn change(&mut self, step: &Step) -> Result<(), Stuck> {
        if let Root::Task { canister, .. } = &step.root {
            let at = self.position(canister)?;
            if self.rounds.long[usize::from(at)].is_some() {
                return Stuck::order(format!("{step}: {canister} is in the middle of an execution"));
            }
            if self.rounds.is_frozen(at) {
                return Stuck::order(format!("{step}: {canister} has too few cycles"));
            }
        }
        let items = self.make(step)?;
        self.post(items);
        self.tick(false)
    }

    /// A request waits for the driver from now on.
    pub fn hold(&mut self, item: Item, is_outcall: bool) {
        let held = Held { item, is_outcall, age: 0, is_served: false, is_answered: false, answer_in: None };
        self.rounds.held.push(held);
    }

    fn held(&self, step: &Step) -> Result<usize, Stuck> {
        let is_meant =
            |held: &Held| held.item.path == step.path && self.engine.kernel.root(held.item.tree) == step.root;
        let at = self.rounds.held.iter().position(is_meant);
        at.ok_or_else(|| Stuck::Order(format!("{step}: no such request waits for the driver")))
    }

    fn serve(&mut self, step: &Step) -> Result<(), Stuck> {
        let at = self.held(step)?;
        let held = &self.rounds.held[at];
        if held.is_served {
            return Stuck::order(format!("{step} is served already"));
        }
        let is_outcall = held.is_outcall;
        self.rounds.held[at].is_served = true;
        let items = self.make(step)?;
        if is_outcall {
            self.rounds.held[at].is_answered = true;
        } else {
            self.act_for_stand_ins(items)?;
        }
        // Nobody waits for an answer any more.
        if self.is_expired(&self.rounds.held[at].item) {
            self.rounds.held.remove(at);
        }
        Ok(())
    }

    /// Stand-ins send each other messages: these are executed right away, until none is left.
    fn act_for_stand_ins(&mut self, items: Vec<Item>) -> Result<(), Stuck> {
        let mut items = VecDeque::from(items);
        while let Some(item) = items.pop_front() {
            if !self.is_alive(&item) {
                continue;
            }
            let step = self.delivery(&item);
            if self.rounds.layout.is_stand_in(item.to) {
                items.extend(self.make(&step)?);
            } else if item.is_response {
                let is_answered = |held: &&mut Held| held.item.tree == item.tree && held.item.path == item.path;
                if let Some(held) = self.rounds.held.iter_mut().find(is_answered) {
                    held.is_answered = true;
                }
            } else {
                let (from, to) = (self.name(item.from), self.name(item.to));
                return Stuck::order(format!("{step}: the driver plays {from}, and so cannot call {to} in its name"));
            }
        }
        Ok(())
    }

    fn answer(&mut self, step: &Step) -> Result<(), Stuck> {
        let at = self.held(step)?;
        let held = &mut self.rounds.held[at];
        if !held.can_be_answered() {
            let what = if held.is_answered { "has just arrived, or is answered already" } else { "has no answer yet" };
            return Stuck::order(format!("{step} {what}"));
        }
        held.answer_in = Some(ANSWER_TICKS);
        Ok(())
    }
}
