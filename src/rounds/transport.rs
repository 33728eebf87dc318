//! How messages get from one canister to another: handed over within a round, or by the streams of subnets.

use std::collections::VecDeque;

use crate::kernel::MANAGEMENT;

use super::execute::Playing;
use super::queue::Item;
use super::{Held, Stuck};

impl Playing<'_> {
    /// What one subnet has sent to another, or to itself, arrives.
    pub fn take_stream(&mut self, from: u8, to: u8) -> Result<(), Stuck> {
        for item in self.rounds.streams.remove(&(from, to)).unwrap_or_default() {
            let is_local = from == to;
            if item.to == MANAGEMENT {
                self.rounds.managers[usize::from(to)].add(item, true);
            } else if !self.is_alive(&item) {
                // The request was dropped, or the caller was told something else meanwhile.
            } else if !item.is_response && !self.engine.kernel.is_running(&self.played.world, item.to) {
                let step = self.delivery(&item);
                for answer in self.make(&step)? {
                    // The subnet rejects it in the canister's place, so the reject waits in no queue of its own.
                    let home = self.rounds.layout.subnet(answer.to);
                    if home == to {
                        self.arrive(answer, is_local);
                    } else {
                        self.rounds.streams.entry((to, home)).or_default().push_back(answer);
                    }
                }
            } else {
                self.arrive(item, is_local);
            }
        }
        Ok(())
    }

    /// A message waits for its receiver from now on.
    pub fn arrive(&mut self, item: Item, is_local: bool) {
        self.rounds.inboxes[usize::from(item.to)].add(item, is_local);
    }

    /// The answers of the world outside, in the order in which the outcalls were made: the management canister sends them.
    pub fn take_outcalls(&mut self, subnet: u8) {
        let held = std::mem::take(&mut self.rounds.held);
        let is_here =
            |held: &Held| held.is_outcall && held.is_answered && self.rounds.layout.subnet(held.item.from) == subnet;
        let (answered, others): (Vec<Held>, Vec<Held>) = held.into_iter().partition(is_here);
        self.rounds.held = others;
        let answers: Vec<Item> = answered.into_iter().map(|held| held.item.answer()).collect();
        self.post(answers.into_iter().filter(|answer| self.is_alive(answer)).collect());
    }

    /// A stand-in sends the answers that have come into its hands, in the order in which the requests came; whether there was one.
    pub fn hand_out_answers(&mut self, canister: u16) -> bool {
        let held = std::mem::take(&mut self.rounds.held);
        let mut answers = Vec::new();
        for mut held in held {
            match held.answer_in.as_mut().filter(|_| held.item.to == canister) {
                Some(1) => {
                    answers.push(held.item.answer());
                    continue;
                }
                Some(ticks) => *ticks -= 1,
                None => {}
            }
            self.rounds.held.push(held);
        }
        answers.retain(|answer| self.is_alive(answer));
        let acts = !answers.is_empty();
        self.post(answers);
        acts
    }

    /// What canisters of a subnet sent to each other arrives: senders by ascending id, to itself first, then receivers likewise.
    pub fn hand_over(&mut self, subnet: u8) -> Result<(), Stuck> {
        let canisters = self.rounds.layout.of_subnet(subnet);
        for &from in &canisters {
            let others = canisters.iter().copied().filter(|&to| to != from);
            for to in std::iter::once(from).chain(others) {
                let Some(mut queue) = self.rounds.outputs.remove(&(from, to)) else { continue };
                while let Some(item) = queue.pop_front() {
                    if !self.is_alive(&item) {
                        continue;
                    }
                    if !item.is_response && !self.engine.kernel.is_running(&self.played.world, to) {
                        // It is refused: the rest of the queue goes by stream.
                        queue.push_front(item);
                        self.rounds.outputs.insert((from, to), queue);
                        break;
                    }
                    self.arrive(item, true);
                }
            }
        }
        Ok(())
    }

    /// What is left goes into the streams: senders take turns, the management canister first, and so do their receivers.
    pub fn fill_streams(&mut self, subnet: u8) {
        let canisters = self.rounds.layout.of_subnet(subnet);
        let is_here =
            |to: u16| usize::from(to) < self.played.world.canisters.len() && self.rounds.layout.subnet(to) == subnet;
        let mut senders: VecDeque<VecDeque<(u16, u16)>> = VecDeque::new();
        for from in std::iter::once(MANAGEMENT).chain(canisters) {
            let receivers =
                std::iter::once(MANAGEMENT).chain(self.rounds.layout.by_id.iter().copied()).chain([u16::MAX]);
            let pairs = receivers.map(|to| (from, to)).filter(|pair| self.rounds.outputs.contains_key(pair));
            let pairs: VecDeque<_> = pairs.filter(|(from, to)| *from != MANAGEMENT || is_here(*to)).collect();
            if !pairs.is_empty() {
                senders.push_back(pairs);
            }
        }
        while let Some(mut pairs) = senders.pop_front() {
            let Some(pair) = pairs.pop_front() else { continue };
            let Some(queue) = self.rounds.outputs.get_mut(&pair) else { continue };
            let item = queue.pop_front();
            if queue.is_empty() {
                self.rounds.outputs.remove(&pair);
            } else {
                pairs.push_back(pair);
            }
            senders.push_back(pairs);
            let Some(item) = item else { continue };
            if usize::from(pair.1) >= self.played.world.canisters.len() && pair.1 != MANAGEMENT {
                // Nobody is there: the subnet has answered in its place.
                self.arrive(item, false);
                continue;
            }
            let to = if pair.1 == MANAGEMENT { subnet } else { self.rounds.layout.subnet(pair.1) };
            self.rounds.streams.entry((subnet, to)).or_default().push_back(item);
        }
    }
}
