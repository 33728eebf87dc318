//! One round: all messages that a replica may have delivered in it.
//!
//! In: the worlds before it. Out: all worlds that legal deliveries lead to, kept if they show what was seen. A round delivers
//! what it likes of what is in flight; it makes no fault but those that the driver brought about, and runs each timer and each
//! heartbeat at most once.

use std::collections::{HashSet, VecDeque};

use super::{Follower, Lost, Name, Place, Seen, WORLDS_MAX};
use crate::engine::embedded::Embedded;
use crate::kernel::tree::Request;
use crate::kernel::{Choice, MANAGEMENT, Target, World};
use crate::schedule::{Step, StepKind, Task};

/// Timers and heartbeats that have run in this round: bit 2n for the timer of canister n, 2n + 1 for its heartbeat.
type Ran = u128;

impl Follower {
    /// A round has passed.
    ///
    /// # Errors
    /// If no world shows what was seen, or there are too many.
    pub fn round(&mut self, engine: &mut Embedded, seen: &Seen) -> Result<(), Lost> {
        let mut met: HashSet<(Vec<u8>, Ran)> = HashSet::new();
        let mut waiting: VecDeque<(Place, Ran)> = VecDeque::new();
        let mut bytes = Vec::new();
        for mut place in std::mem::take(&mut self.places) {
            place.world.time_ns = seen.time_ns;
            place.world.encode(&mut bytes);
            if met.insert((bytes.clone(), 0)) {
                waiting.push_back((place, 0));
            }
        }
        let mut reached: Vec<Place> = Vec::new();
        let mut choices = Vec::new();
        while let Some((place, ran)) = waiting.pop_front() {
            engine.kernel.choices(&place.world, &mut choices)?;
            for at in 0..choices.len() {
                let choice = choices[at];
                let Some(ran) = self.may_happen(engine, &place.world, &choice, ran) else { continue };
                let world = engine.kernel.apply(&place.world, &choice)?.0;
                world.encode(&mut bytes);
                if met.insert((bytes.clone(), ran)) {
                    if met.len() > WORLDS_MAX {
                        return Err(Lost::TooMany);
                    }
                    let step = engine.kernel.name(&place.world, &choice);
                    let last = self.note(place.last, step);
                    waiting.push_back((Place { world, last }, ran));
                }
            }
            reached.push(place);
        }
        let mut distinct = HashSet::new();
        reached.retain(|place| {
            place.world.encode(&mut bytes);
            distinct.insert(bytes.clone())
        });
        self.places = reached;
        self.keep(engine, seen)?;
        let roots = |step: &Step| step.root.call().map_or(0, |call| call as usize);
        let calls = |world: &World, call: usize| world.trees[call];
        let waits = |step: &Step| {
            let call = roots(step);
            let may_wait = |place: &Place| {
                let tree = calls(&place.world, call);
                tree == crate::kernel::world::NOT_STARTED || engine.kernel.tree(tree).submitted
            };
            self.places.iter().any(may_wait)
        };
        let sent = self.sent.iter().filter(|step| waits(step)).cloned().collect();
        self.sent = sent;
        Ok(())
    }

    /// Whether a round may make this step, and the tasks that have run then.
    fn may_happen(&self, engine: &Embedded, world: &World, choice: &Choice, ran: Ran) -> Option<Ran> {
        match choice.target {
            Target::Root(tree) => match engine.kernel.task(tree) {
                None => {
                    let is_sent = self.sent.contains(&engine.kernel.name(world, choice));
                    (choice.kind == StepKind::Start && is_sent).then_some(ran)
                }
                Some(task) => {
                    let bit = match task.task {
                        Task::Timer => 1 << (2 * task.canister),
                        Task::Heartbeat => 1 << (2 * task.canister + 1),
                        _ => 0,
                    };
                    (choice.kind == StepKind::Start && ran & bit == 0).then_some(ran | bit)
                }
            },
            Target::Request { tree, request } => {
                let root = engine.kernel.root(tree);
                let request = &engine.kernel.tree(world.trees[tree as usize]).requests[request as usize];
                let name = (root, request.path.clone());
                self.may_happen_to(engine, request, &name, choice).then_some(ran)
            }
            Target::Clock(_) | Target::Canister { .. } => None,
        }
    }

    fn may_happen_to(&self, engine: &Embedded, request: &Request, name: &Name, choice: &Choice) -> bool {
        let is_played = |canister: u16| self.stand_ins.get(usize::from(canister)).copied().unwrap_or(false);
        let is_frozen = self.frozen.get(usize::from(request.callee)).copied().unwrap_or(false);
        match choice.kind {
            StepKind::Request => !is_played(request.callee) && !is_frozen && !is_outcall(engine, request),
            StepKind::Response => {
                // What nobody served was answered by the system.
                let is_held = self.served.contains(name) && !self.answered.contains(name);
                let has_expired = request.callback.as_ref().is_some_and(|callback| callback.expired);
                !is_played(request.caller) && (!is_held || has_expired)
            }
            StepKind::Reject(2) => is_frozen,
            StepKind::Expire => choice.fault.is_none(),
            _ => false,
        }
    }
}

/// Whether a request waits to be executed and is an HTTP outcall, which the driver answers.
pub(super) fn is_outcall(engine: &Embedded, request: &Request) -> bool {
    let method = request.queued.and_then(|message| engine.kernel.call_text(message)).map(|(method, _)| method);
    request.callee == MANAGEMENT && method == Some("http_request")
}
