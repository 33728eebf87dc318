//! One round of a subnet.
//!
//! Time-outs; what streams bring; calls from outside; then iterations: the management canister, tasks in the first one, every
//! canister until nothing waits for it, what was sent is handed over; at last what is left goes into the streams.

use std::collections::VecDeque;

use crate::kernel::world::NOT_STARTED;
use crate::schedule::{Path, Step, StepKind, Task};

use super::execute::{Playing, ROUND};
use super::queue::{Input, Item};
use super::{Stuck, TaskTurn, Tasks};

/// Instructions that each canister that executes something counts more in an iteration.
const OVERHEAD: u64 = 8_000_000;

/// The method of the management canister that the world outside answers.
const OUTCALL: &str = "http_request";

impl Playing<'_> {
    /// One round on each subnet.
    pub fn tick(&mut self, is_loaded: bool) -> Result<(), Stuck> {
        for subnet in 0..self.rounds.layout.count() {
            self.round(subnet, is_loaded && subnet == 0)?;
        }
        for held in &mut self.rounds.held {
            held.age = (held.age + 1).min(2);
        }
        Ok(())
    }

    fn round(&mut self, subnet: u8, is_loaded: bool) -> Result<(), Stuck> {
        self.time_out(subnet)?;
        // The own stream first.
        self.take_stream(subnet, subnet)?;
        for other in (0..self.rounds.layout.count()).filter(|&other| other != subnet) {
            self.take_stream(other, subnet)?;
        }
        self.take_calls(subnet)?;
        self.take_outcalls(subnet);
        let canisters = self.rounds.layout.of_subnet(subnet);
        let mut tasks = Vec::new();
        let mut used = 0;
        for iteration in 0.. {
            self.manage(subnet)?;
            if iteration == 0 {
                tasks = canisters.iter().map(|&canister| self.tasks(canister)).collect();
            }
            let (before, mut most) = (used, used);
            for (&canister, tasks) in canisters.iter().zip(&mut tasks) {
                let acts = iteration == 0 && self.hand_out_answers(canister);
                let own = self.run(canister, tasks, before)?;
                // Canisters run side by side, so the busiest one counts.
                most = most.max(own + if own > before || acts { OVERHEAD } else { 0 });
            }
            used = most;
            if used == before || is_loaded || used > ROUND {
                break;
            }
            self.hand_over(subnet)?;
        }
        self.fill_streams(subnet);
        Ok(())
    }

    /// Messages whose deadline has passed are dropped, and who waits for them is told (semantics 4.2).
    fn time_out(&mut self, subnet: u8) -> Result<(), Stuck> {
        let now = self.played.world.time_ns / 1_000_000_000 * 1_000_000_000;
        let mut late = Vec::new();
        for (at, &tree) in self.played.world.trees.iter().enumerate().filter(|(_, tree)| **tree != NOT_STARTED) {
            for request in &self.engine.kernel.tree(tree).requests {
                let deadline = request.callback.as_ref().map_or(1, |callback| callback.deadline_ns);
                if deadline != 0 && deadline < now {
                    late.push((at as u32, request.path.clone(), request.caller, request.callee));
                }
            }
        }
        let is_late = |item: &Item| late.iter().any(|(tree, path, ..)| *tree == item.tree && *path == item.path);
        for canister in self.rounds.layout.of_subnet(subnet) {
            self.rounds.inboxes[usize::from(canister)].retain(|item| item.is_response || !is_late(item));
        }
        for (tree, path, caller, callee) in late {
            if usize::from(caller) >= self.played.world.canisters.len() || self.rounds.layout.subnet(caller) != subnet {
                continue;
            }
            let response = Item { tree, path, is_response: true, from: callee, to: caller };
            if self.is_expired(&response) || self.has_arrived(&response) {
                continue;
            }
            let step = Step::new(self.engine.kernel.root(tree), response.path.clone(), StepKind::Expire);
            self.make(&step)?;
            self.arrive(response, true);
        }
        Ok(())
    }

    /// Whether the caller of a request was told already that it has expired.
    pub fn is_expired(&self, item: &Item) -> bool {
        let tree = self.engine.kernel.tree(self.played.world.trees[item.tree as usize]);
        tree.request(&item.path).is_none_or(|at| tree.requests[at].is_expired())
    }

    /// Whether a response waits for the caller already, or is being executed.
    fn has_arrived(&self, response: &Item) -> bool {
        let caller = usize::from(response.to);
        let is_same = |item: &Item| {
            item.is_response && item.tree == response.tree && item.path == response.path && self.is_alive(item)
        };
        let name = self.delivery(response);
        self.rounds.inboxes[caller].items().any(is_same)
            || self.rounds.long[caller]
                .as_ref()
                .is_some_and(|long| long.step.path == name.path && long.step.root == name.root)
    }

    fn take_calls(&mut self, subnet: u8) -> Result<(), Stuck> {
        for start in std::mem::take(&mut self.rounds.submitted) {
            let call = start.root.call().expect("bug in canloom: a call is submitted");
            let canister = self.engine.kernel.calls()[call as usize].canister;
            if self.rounds.layout.subnet(canister) != subnet {
                self.rounds.submitted.push(start);
            } else if self.engine.kernel.is_running(&self.played.world, canister) {
                self.rounds.inboxes[usize::from(canister)].add_call(start);
            } else {
                self.make(&start)?;
            }
        }
        Ok(())
    }

    /// The management canister executes what waits for it, except outcalls, which the world outside answers.
    fn manage(&mut self, subnet: u8) -> Result<(), Stuck> {
        while let Some(Input::Message(item)) = self.rounds.managers[usize::from(subnet)].take() {
            if !self.is_alive(&item) {
                continue;
            }
            let step = self.delivery(&item);
            let has_fault = self.rounds.faults.iter().any(|fault| fault.root == step.root && fault.path == step.path);
            if self.method(&item) == Some(OUTCALL) && !has_fault {
                self.hold(item, true);
            } else {
                // Never a long execution: the kernel counts no instructions for it.
                self.execute_step(item.from, &step)?;
            }
        }
        Ok(())
    }

    /// The method that a waiting request calls.
    fn method(&self, item: &Item) -> Option<&str> {
        let kernel = &self.engine.kernel;
        let tree = kernel.tree(self.played.world.trees[item.tree as usize]);
        let message = tree.requests[tree.request(&item.path)?].queued?;
        kernel.call_text(message).map(|(method, _)| method)
    }

    /// The tasks of a canister in this round; the turn moves on where one is due.
    fn tasks(&mut self, canister: u16) -> Tasks {
        let at = usize::from(canister);
        let mut tasks = VecDeque::new();
        if self.rounds.layout.is_stand_in(canister) || self.rounds.long[at].is_some() {
            return tasks;
        }
        let has_timer = self.engine.kernel.is_due(&self.played.world, canister, Task::Timer);
        let has_heartbeat = self.engine.kernel.is_due(&self.played.world, canister, Task::Heartbeat);
        if !has_timer && !has_heartbeat {
            return tasks;
        }
        let due = |is_due: bool, task| is_due.then_some(task);
        let (timer, heartbeat) = (due(has_timer, Task::Timer), due(has_heartbeat, Task::Heartbeat));
        for _ in 0..3 {
            let (is_chosen, next) = match self.rounds.turns[at] {
                TaskTurn::Timer => (has_timer, TaskTurn::Heartbeat),
                TaskTurn::Heartbeat => (has_heartbeat, TaskTurn::Message),
                TaskTurn::Message => (self.rounds.inboxes[at].has_input(), TaskTurn::Timer),
            };
            if is_chosen {
                match self.rounds.turns[at] {
                    TaskTurn::Timer => tasks.extend(timer.into_iter().chain(heartbeat)),
                    TaskTurn::Heartbeat => tasks.extend(heartbeat.into_iter().chain(timer)),
                    TaskTurn::Message => {}
                }
            }
            self.rounds.turns[at] = next;
            if is_chosen {
                break;
            }
        }
        tasks
    }

    /// A canister executes all that waits for it, as far as the round has room. Instructions used by the round before, and out
    /// with those of this canister.
    fn run(&mut self, canister: u16, tasks: &mut Tasks, used: u64) -> Result<u64, Stuck> {
        let at = usize::from(canister);
        if let Some(long) = &mut self.rounds.long[at] {
            // It is met in the first iteration only: the round in which it began ended with that one.
            long.rounds -= 1;
            if long.rounds > 0 {
                return Ok(ROUND + 1);
            }
            let long = self.rounds.long[at].take().expect("bug in canloom: it is there");
            return Ok(used + self.finish(canister, &long.step)?);
        }
        let mut own = used;
        while own <= ROUND && self.rounds.long[at].is_none() {
            let is_asleep = self.rounds.is_frozen(canister) || self.rounds.layout.is_stand_in(canister);
            if !is_asleep && self.engine.kernel.is_due(&self.played.world, canister, Task::LowMemory) {
                own += self.run_task(canister, Task::LowMemory)?;
            } else if let Some(task) = tasks.pop_front() {
                // It may have become undue by the one before.
                if !is_asleep && self.engine.kernel.is_due(&self.played.world, canister, task) {
                    own += self.run_task(canister, task)?;
                }
            } else if let Some(input) = self.rounds.inboxes[at].take() {
                own += self.execute(canister, input)?.unwrap_or(0);
            } else {
                break;
            }
        }
        Ok(own)
    }

    fn run_task(&mut self, canister: u16, task: Task) -> Result<u64, Stuck> {
        let Some(tree) = self.engine.kernel.next_task(&self.played.world, canister, task) else {
            let what =
                format!("a task `{}` of {} is due, more often than the bounds allow", task.word(), self.name(canister));
            return Err(Stuck::Bound(what));
        };
        let step = Step::new(self.engine.kernel.root(tree), Path::root(), StepKind::Start);
        self.execute_step(canister, &step)
    }
}
