//! One message is executed: which step of the kernel it is, and what the step sends.

use crate::engine::embedded::Embedded;
use crate::kernel::world::NOT_STARTED;
use crate::kernel::{Happened, Kernel, MANAGEMENT, World};
use crate::schedule::{Path, Root, Step, StepKind};

use super::queue::{Input, Item};
use super::{Long, Played, Rounds, Stuck};

/// Instructions that one round has room for, and that a longer execution uses up in each of its rounds but the last.
pub(super) const ROUND: u64 = 2_000_000_000;
/// Instructions that each execution counts more than it has.
const OVERHEAD: u64 = 2_000_000;

/// An operation being played.
pub(super) struct Playing<'a> {
    pub engine: &'a mut Embedded,
    pub rounds: Rounds,
    pub played: Played,
}

/// A step that was tried.
struct Tried {
    step: Step,
    world: World,
    instructions: u64,
}

impl Playing<'_> {
    /// Name of the step that executes an item: the delivery of its request, or of its response.
    pub fn delivery(&self, item: &Item) -> Step {
        let (path, kind) = match item.is_response {
            true => (item.path.response(), StepKind::Response),
            false => (item.path.clone(), StepKind::Request),
        };
        Step::new(self.engine.kernel.root(item.tree), path, kind)
    }

    /// Whether an item still matters: the request waits, or the response does.
    pub fn is_alive(&self, item: &Item) -> bool {
        let tree = self.played.world.trees[item.tree as usize];
        if tree == NOT_STARTED {
            return false;
        }
        let tree = self.engine.kernel.tree(tree);
        let Some(request) = tree.request(&item.path).map(|at| &tree.requests[at]) else { return false };
        match item.is_response {
            true => request.callback.as_ref().is_some_and(|callback| callback.response.is_some()),
            false => request.queued.is_some(),
        }
    }

    /// Makes a step; returns what was sent by it.
    pub fn make(&mut self, step: &Step) -> Result<Vec<Item>, Stuck> {
        let tried = self.tried(step)?;
        Ok(self.made(tried))
    }

    fn tried(&mut self, step: &Step) -> Result<Tried, Stuck> {
        let choice = self.engine.kernel.find(&self.played.world, step)?;
        let (world, happened) = self.engine.kernel.apply(&self.played.world, &choice)?;
        Ok(Tried { step: step.clone(), world, instructions: instructions(&happened) })
    }

    fn made(&mut self, tried: Tried) -> Vec<Item> {
        let items = sent(&self.engine.kernel, &self.played.world, &tried.world);
        self.played.world = tried.world;
        self.played.steps.push(tried.step);
        self.played.worlds.push(self.played.world.clone());
        items
    }

    /// Puts what a step sent into the output queues.
    pub fn post(&mut self, items: Vec<Item>) {
        for item in items {
            // What comes from a canister that does not exist is an answer of the one that asked, by way of its subnet.
            let is_from_nowhere =
                usize::from(item.from) >= self.played.world.canisters.len() && item.from != MANAGEMENT;
            let pair = if is_from_nowhere { (item.to, item.from) } else { (item.from, item.to) };
            self.rounds.outputs.entry(pair).or_default().push_back(item);
        }
    }

    /// A canister executes a message, or begins to; returns the instructions that count in this round, `None` if there was
    /// nothing to execute any more.
    pub fn execute(&mut self, canister: u16, input: Input) -> Result<Option<u64>, Stuck> {
        let is_frozen = self.rounds.is_frozen(canister);
        let delivery = match &input {
            Input::Ingress(start) => start.clone(),
            Input::Message(item) if !self.is_alive(item) => return Ok(None),
            Input::Message(item) => self.delivery(item),
        };
        match input {
            Input::Ingress(start) if is_frozen => {
                return Stuck::order(format!("{start}: {} has too few cycles", self.name(canister)));
            }
            Input::Message(item) if !item.is_response && is_frozen => {
                let items = self.make(&Step { kind: StepKind::Reject(2), ..delivery })?;
                self.post(items);
                return Ok(Some(OVERHEAD));
            }
            Input::Message(item) if !item.is_response && self.rounds.layout.is_stand_in(canister) => {
                self.hold(item, false);
                return Ok(Some(OVERHEAD));
            }
            _ => {}
        }
        self.execute_step(canister, &delivery).map(Some)
    }

    /// Likewise, the message of this step.
    pub fn execute_step(&mut self, canister: u16, delivery: &Step) -> Result<u64, Stuck> {
        let tried = match self.fault_on(delivery) {
            Some(tried) => tried,
            None => self.tried(delivery)?,
        };
        if tried.instructions > ROUND {
            let rounds = tried.instructions.div_ceil(ROUND) - 1;
            self.rounds.long[usize::from(canister)] = Some(Long { step: tried.step, rounds });
            return Ok(ROUND + OVERHEAD);
        }
        let instructions = tried.instructions + OVERHEAD;
        self.commit(canister, tried)?;
        Ok(instructions)
    }

    /// The last round of a long execution.
    pub fn finish(&mut self, canister: u16, step: &Step) -> Result<u64, Stuck> {
        let tried = self.tried(step)?;
        let instructions = tried.instructions.saturating_sub(1) % ROUND + 1 + OVERHEAD;
        self.commit(canister, tried)?;
        Ok(instructions)
    }

    fn commit(&mut self, canister: u16, tried: Tried) -> Result<(), Stuck> {
        let step = tried.step.clone();
        let items = self.made(tried);
        if self.rounds.is_frozen(canister) && items.iter().any(|item| !item.is_response && item.from == canister) {
            return Stuck::order(format!("{step}: {} makes a call and has too few cycles for it", self.name(canister)));
        }
        self.post(items);
        Ok(())
    }

    /// The fault that strikes the message of a delivery, if one does.
    fn fault_on(&mut self, delivery: &Step) -> Option<Tried> {
        let faults = self.rounds.faults.clone();
        let of_message = |fault: &&Step| fault.root == delivery.root && fault.path == delivery.path;
        // The call may have gone another way than in the schedule; then there is nothing that the fault could strike.
        faults.iter().filter(of_message).find_map(|fault| self.tried(fault).ok())
    }

    /// Name of a canister, for messages.
    pub fn name(&self, canister: u16) -> String {
        self.engine.canister_name(canister).to_string()
    }
}

fn instructions(happened: &Happened) -> u64 {
    happened.delivery().map_or(0, |delivery| {
        delivery.effects.instructions + delivery.cleanup.as_ref().map_or(0, |cleanup| cleanup.instructions)
    })
}

/// What a step sent: requests in the order of the calls, then responses.
fn sent(kernel: &Kernel, before: &World, after: &World) -> Vec<Item> {
    let (mut requests, mut responses) = (Vec::new(), Vec::new());
    for (at, (&old, &new)) in before.trees.iter().zip(&after.trees).enumerate() {
        if old == new || new == NOT_STARTED {
            continue;
        }
        let old = (old != NOT_STARTED).then(|| kernel.tree(old));
        for request in &kernel.tree(new).requests {
            let known = old.and_then(|old| old.request(&request.path).map(|at| &old.requests[at]));
            let item =
                |is_response, from, to| Item { tree: at as u32, path: request.path.clone(), is_response, from, to };
            if known.is_none() && request.queued.is_some() {
                requests.push(item(false, request.caller, request.callee));
            }
            let response = request.callback.as_ref().and_then(|callback| callback.response.as_ref());
            let before =
                known.and_then(|known| known.callback.as_ref()).and_then(|callback| callback.response.as_ref());
            if response.is_some() && response != before {
                responses.push(item(true, request.callee, request.caller));
            }
        }
    }
    requests.append(&mut responses);
    requests
}

/// The step that starts a call that was accepted.
pub(super) fn start_of(root: &Root) -> Step {
    Step::new(root.clone(), Path::root(), StepKind::Start)
}
