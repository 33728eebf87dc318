//! One round: all messages that a replica may have delivered in it.
//!
//! In: the worlds before it. Out: all worlds that legal deliveries lead to, kept if they show what was seen. A round delivers
//! what it likes of what is in flight; it makes no fault but those that the driver brought about, and runs each timer and each
//! heartbeat at most once.

use std::collections::{HashSet, VecDeque};

use super::{Follower, LONG, Lost, Name, Place, Seen, WORLDS_MAX};
use crate::engine::embedded::Embedded;
use crate::kernel::tree::Request;
use crate::kernel::world::NOT_STARTED;
use crate::kernel::{Choice, MANAGEMENT, Target};
use crate::schedule::{Step, StepKind, Task};

/// Timers and heartbeats that have run in this round: bit 2n for the timer of canister n, 2n + 1 for its heartbeat.
type Ran = u128;

impl Follower {
    /// A round has passed.
    ///
    /// # Errors
    /// If no world shows what was seen, or there are too many.
    pub fn round(&mut self, engine: &mut Embedded, seen: &Seen, is_loaded: bool) -> Result<(), Lost> {
        let mut met: HashSet<(Vec<u8>, Ran)> = HashSet::new();
        let mut waiting: VecDeque<(Place, Ran)> = VecDeque::new();
        let mut bytes = Vec::new();
        for mut place in std::mem::take(&mut self.places) {
            place.world.time_ns = seen.time_ns;
            place.encode(&mut bytes);
            if met.insert((bytes.clone(), 0)) {
                waiting.push_back((place, 0));
            }
        }
        let mut reached: Vec<Place> = Vec::new();
        let mut choices = Vec::new();
        while let Some((place, ran)) = waiting.pop_front() {
            engine.kernel.choices(&place.world, &mut choices)?;
            for &choice in &choices {
                let Some(ran) = self.may_happen(engine, &place, &choice, ran) else { continue };
                let (world, happened) = engine.kernel.apply(&place.world, &choice)?;
                self.is_slow |= happened.delivery().is_some_and(|delivery| delivery.effects.instructions > LONG);
                let mut next = Place { world, ..place.clone() };
                next.encode(&mut bytes);
                if met.insert((bytes.clone(), ran)) {
                    if met.len() > WORLDS_MAX {
                        return Err(Lost::TooMany);
                    }
                    next.last = self.note(place.last, engine.kernel.name(&place.world, &choice));
                    waiting.push_back((next, ran));
                }
            }
            reached.push(place);
        }
        let mut distinct = HashSet::new();
        reached.retain(|place| {
            place.encode(&mut bytes);
            distinct.insert(bytes.clone())
        });
        self.places = reached;
        self.keep(engine, seen)?;
        self.forget_started(engine);
        let is_same = |last: &Seen| (&last.observations, &last.replies) == (&seen.observations, &seen.replies);
        let is_still = !is_loaded && self.last_seen.as_ref().is_some_and(is_same);
        self.still = if is_still { self.still + 1 } else { 0 };
        self.last_seen = Some(seen.clone());
        if self.is_still() {
            self.settle(engine)?;
        }
        Ok(())
    }

    /// Nothing has moved for so long that nothing is on its way: keeps the worlds of which that is true, if there are any.
    fn settle(&mut self, engine: &mut Embedded) -> Result<(), Lost> {
        let mut choices = Vec::new();
        let mut settled = Vec::new();
        for place in &self.places {
            engine.kernel.choices(&place.world, &mut choices)?;
            let moves = |choice: &Choice| {
                let is_task = matches!(choice.target, Target::Root(tree) if engine.kernel.task(tree).is_some());
                !is_task && self.may_happen(engine, place, choice, 0).is_some()
            };
            settled.push(!choices.iter().any(moves));
        }
        if settled.contains(&true) {
            let mut keep = settled.into_iter();
            self.places.retain(|_| keep.next().expect("one for each place"));
        }
        Ok(())
    }

    /// Keeps of the calls that were sent those that may not have begun.
    fn forget_started(&mut self, engine: &Embedded) {
        let waits = |place: &Place, step: &Step| {
            let tree = place.world.trees[step.root.call().map_or(0, |call| call as usize)];
            tree == NOT_STARTED || engine.kernel.tree(tree).submitted
        };
        let places = &self.places;
        self.sent.retain(|step| places.iter().any(|place| waits(place, step)));
    }

    /// Whether a round may make this step, and the tasks that have run then.
    fn may_happen(&self, engine: &Embedded, place: &Place, choice: &Choice, ran: Ran) -> Option<Ran> {
        let world = &place.world;
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
                self.may_happen_to(engine, place, request, &name, choice).then_some(ran)
            }
            Target::Clock(_) | Target::Canister { .. } => None,
        }
    }

    fn may_happen_to(&self, engine: &Embedded, place: &Place, request: &Request, name: &Name, choice: &Choice) -> bool {
        let is_played = |canister: u16| self.stand_ins.get(usize::from(canister)).copied().unwrap_or(false);
        let is_frozen = self.frozen.get(usize::from(request.callee)).copied().unwrap_or(false);
        match choice.kind {
            StepKind::Request => !is_played(request.callee) && !is_frozen && !is_outcall(engine, request),
            StepKind::Response => {
                // What nobody served was answered by the system.
                let is_held = place.served.iter().any(|served| served.name == *name && !served.is_answered);
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
