//! Requests that wait for the driver: those to canisters that it plays, and HTTP outcalls.
//!
//! In: the name of a request, and what the replica shows of it. Out: the worlds in which it was executed, and what it is
//! answered with.

use super::round::is_outcall;
use super::{Follower, Lost, Name, Place, Request};
use crate::engine::embedded::Embedded;
use crate::kernel::guest::Cycles;
use crate::kernel::{Choice, Response, Target, World};
use crate::schedule::{Path, Root, Step, StepKind};

/// What a request that was served is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// The answer, if there is one by now.
    pub response: Option<Response>,
    /// Cycles that were accepted.
    pub accepted: Cycles,
}

/// A request that waits for the driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The step that executes it.
    pub step: Step,
    /// Who sent it, by position.
    pub caller: u16,
    /// Whom it is for, by position.
    pub callee: u16,
    /// Its method.
    pub method: String,
    /// Its argument.
    pub arg: Vec<u8>,
}

impl Follower {
    /// Requests that can be served next, in a world that the replica may be in: of each pair of canisters the first.
    pub fn waiting(&self, engine: &mut Embedded) -> Result<Vec<Waiting>, Lost> {
        let mut choices = Vec::new();
        let world = self.world().clone();
        engine.kernel.choices(&world, &mut choices)?;
        let mut waiting = Vec::new();
        for choice in choices.iter().filter(|choice| choice.kind == StepKind::Request) {
            if let Some(request) = self.waits(engine, &world, choice) {
                waiting.push(request);
            }
        }
        Ok(waiting)
    }

    fn waits(&self, engine: &Embedded, world: &World, choice: &Choice) -> Option<Waiting> {
        let Target::Request { tree, request } = choice.target else { return None };
        let request = &engine.kernel.tree(world.trees[tree as usize]).requests[request as usize];
        let is_played = |canister: u16| self.stand_ins.get(usize::from(canister)).copied().unwrap_or(false);
        let is_for_driver = is_played(request.callee) && !is_played(request.caller) || is_outcall(engine, request);
        let (method, arg) = engine.kernel.call_text(request.queued.filter(|_| is_for_driver)?)?;
        Some(Waiting {
            step: engine.kernel.name(world, choice),
            caller: request.caller,
            callee: request.callee,
            method: method.to_string(),
            arg: arg.to_vec(),
        })
    }

    /// The request of this name, in a world in which it can be served.
    pub fn find(&self, engine: &mut Embedded, step: &Step) -> Option<Waiting> {
        self.places.iter().find_map(|place| {
            let choice = engine.kernel.find(&place.world, step).ok()?;
            Some(Waiting { step: step.clone(), ..self.waits(engine, &place.world, &choice)? })
        })
    }

    /// A request was executed, which the replica shows with this argument as the first that waits between its two canisters; so
    /// were all messages between canisters that the driver plays. `key` is how the driver refers to it later. Of the worlds
    /// those are kept in which it was possible and is answered as in the first of them.
    ///
    /// # Errors
    /// If it was possible in none of them.
    pub fn serve(
        &mut self,
        engine: &mut Embedded,
        waiting: &Waiting,
        kind: StepKind,
        key: u32,
    ) -> Result<Served, Lost> {
        self.still = 0;
        let mut all: Vec<(Place, Served)> = Vec::new();
        let mut choices = Vec::new();
        for mut place in std::mem::take(&mut self.places) {
            engine.kernel.choices(&place.world, &mut choices)?;
            let is_it = |choice: &&Choice| {
                let request = self.waits(engine, &place.world, choice);
                choice.kind == kind
                    && request.is_some_and(|request| {
                        (request.caller, request.callee) == (waiting.caller, waiting.callee)
                            && (request.method == waiting.method && request.arg == waiting.arg)
                    })
            };
            let Some(choice) = choices.iter().find(is_it).copied() else { continue };
            let step = engine.kernel.name(&place.world, &choice);
            let name: Name = (step.root.clone(), step.path.clone());
            let (world, happened) = engine.kernel.apply(&place.world, &choice)?;
            let mut accepted = happened.delivery().map_or(0, |delivery| delivery.effects.accepted);
            place.world = world;
            place.last = self.note(place.last, step);
            while let Some(((world, more), choice)) = self.between_stand_ins(engine, &place.world)? {
                place.last = self.note(place.last, engine.kernel.name(&place.world, &choice));
                let is_same = is_of(engine, &place.world, &choice, &name);
                place.world = world;
                accepted += more.filter(|_| is_same).unwrap_or(0);
            }
            let response = response_of(engine, &place.world, &name);
            place.served.push(Request { key, name, is_answered: false });
            all.push((place, Served { response, accepted }));
        }
        let Some((_, served)) = all.first().cloned() else {
            return Err(Lost::Misplaced(format!("{}: there is no such request that waits", waiting.step)));
        };
        all.retain(|(_, other)| *other == served);
        self.places = all.into_iter().map(|(place, _)| place).collect();
        Ok(served)
    }

    /// What a request that was served is answered with, if the canister that served it has answered by now.
    pub fn response(&self, engine: &Embedded, key: u32) -> Option<Response> {
        let place = &self.places[0];
        let served = place.served.iter().find(|served| served.key == key)?;
        response_of(engine, &place.world, &served.name)
    }

    /// A served request is answered: the next rounds may deliver its response.
    pub fn answer(&mut self, key: u32) {
        self.still = 0;
        let served = self.places.iter_mut().flat_map(|place| &mut place.served);
        served.filter(|served| served.key == key).for_each(|served| served.is_answered = true);
    }

    /// Makes the first message from one canister that the driver plays to another, if there is one; with the cycles that it
    /// accepted.
    #[allow(clippy::type_complexity)]
    fn between_stand_ins(
        &self,
        engine: &mut Embedded,
        world: &World,
    ) -> Result<Option<((World, Option<Cycles>), Choice)>, Lost> {
        let mut choices = Vec::new();
        engine.kernel.choices(world, &mut choices)?;
        let is_played = |canister: u16| self.stand_ins.get(usize::from(canister)).copied().unwrap_or(false);
        let is_between = |choice: &&Choice| {
            let Target::Request { tree, request } = choice.target else { return false };
            let request = &engine.kernel.tree(world.trees[tree as usize]).requests[request as usize];
            let is_delivery = matches!(choice.kind, StepKind::Request | StepKind::Response);
            is_delivery && is_played(request.caller) && is_played(request.callee)
        };
        let Some(choice) = choices.iter().find(is_between).copied() else { return Ok(None) };
        let (next, happened) = engine.kernel.apply(world, &choice)?;
        let accepted = happened.delivery().map(|delivery| delivery.effects.accepted);
        Ok(Some(((next, accepted), choice)))
    }
}

/// Whether a step runs in the call context that this request opened.
fn is_of(engine: &Embedded, world: &World, choice: &Choice, (root, path): &(Root, Path)) -> bool {
    let step = engine.kernel.name(world, choice);
    let above = path.segments().len();
    step.kind == StepKind::Response
        && step.root == *root
        && step.path.depth() == above + 1
        && step.path.segments()[..above] == *path.segments()
}

fn response_of(engine: &Embedded, world: &World, (root, path): &Name) -> Option<Response> {
    let tree = (0..world.trees.len() as u32).find(|tree| engine.kernel.root(*tree) == *root)?;
    let tree = engine.kernel.tree(world.trees[tree as usize]);
    let request = &tree.requests[tree.request(path)?];
    let response = request.callback.as_ref()?.response.as_ref()?;
    Some(engine.kernel.response(response.response).clone())
}
