//! Calls that stand-ins hold, and HTTP outcalls: executed by the embedded engine, answered on the replica.

use candid::{CandidType, Decode, Deserialize};

use super::super::stand_in::Held;
use super::{DriveError, Driver, misplaced};
use crate::follow::Waiting;
use crate::kernel::{Cycles, MANAGEMENT};
use crate::scenario::Outcall;
use crate::schedule::{Path, Root, Step};
use crate::script::Op;

/// A held call that was served.
#[derive(Clone, Debug)]
pub struct Bound {
    /// The name under which it was served.
    pub name: (Root, Path),
    pub canister: usize,
    pub number: u32,
    pub accepted: Cycles,
    pub is_answered: bool,
}

impl Driver {
    pub(super) fn serve(&mut self, op: &Op, step: &Step) -> Result<(), DriveError> {
        let Some(waiting) = self.follower.find(&mut self.engine, step) else {
            return Err(misplaced(op, "no such request waits for the driver"));
        };
        let name = (step.root.clone(), step.path.clone());
        let key = self.served.len() as u32;
        let is_outcall = waiting.callee == MANAGEMENT;
        let bound = Bound { name, canister: 0, number: 0, accepted: 0, is_answered: is_outcall };
        if is_outcall {
            let Some((url, status, body)) = self.outcall(&waiting)? else {
                return Err(misplaced(op, "the outcall does not show yet: let a round pass"));
            };
            self.follower.serve(&mut self.engine, &waiting, step.kind, key)?;
            self.stage.answer_outcall(&url, status, body)?;
            self.follower.answer(key);
            self.served.push(bound);
            return Ok(());
        }
        let Some((canister, held)) = self.held(&waiting)? else {
            return Err(misplaced(op, "the request does not show yet: let a round pass"));
        };
        if held.arg != waiting.arg || self.stage.method(canister, &held) != waiting.method {
            return Err(misplaced(op, "another request of this canister came first"));
        }
        let served = self.follower.serve(&mut self.engine, &waiting, step.kind, key)?;
        self.served.push(Bound { canister, number: held.number, accepted: served.accepted, ..bound });
        Ok(())
    }

    /// The held call that a request is: the oldest one of its caller that was not served.
    pub(super) fn held(&self, waiting: &Waiting) -> Result<Option<(usize, Held)>, DriveError> {
        let callee = usize::from(waiting.callee);
        let caller = self.stage.id(usize::from(waiting.caller));
        let is_served =
            |number: u32| self.served.iter().any(|bound| (bound.canister, bound.number) == (callee, number));
        let is_it = |(at, held): &(usize, Held)| *at == callee && held.caller == caller && !is_served(held.number);
        Ok(self.stage.held()?.into_iter().find(is_it))
    }

    /// What an outcall that shows is to be answered with: its address, status and body.
    pub(super) fn outcall(&self, waiting: &Waiting) -> Result<Option<(String, u16, Vec<u8>)>, DriveError> {
        let Ok(asked) = Decode!(&waiting.arg, Asked) else { return Ok(None) };
        let world = self.follower.world();
        let is_for = |outcall: &Outcall| match outcall.url.strip_suffix('*') {
            Some(beginning) => asked.url.starts_with(beginning),
            None => asked.url == outcall.url,
        };
        let Some(at) = self.engine.scenario.outcalls.iter().position(is_for) else { return Ok(None) };
        let shows = self.stage.replica.outcalls()?.iter().any(|outcall| outcall.url == asked.url);
        let script = &self.engine.scenario.outcalls[at];
        let used = usize::from(world.outcalls[at]).min(script.replies.len() - 1);
        let body = script.replies[used].clone().into_bytes();
        Ok(shows.then_some((asked.url, script.status, body)))
    }

    pub(super) fn answer(&mut self, op: &Op, step: &Step) -> Result<(), DriveError> {
        let name = (step.root.clone(), step.path.clone());
        let key = self.served.iter().position(|bound| bound.name == name && !bound.is_answered);
        let Some(key) = key else { return Err(misplaced(op, "it was not served, or is answered")) };
        let Some(response) = self.follower.response(&self.engine, key as u32) else {
            return Err(misplaced(op, "there is no answer"));
        };
        let Bound { canister, number, accepted, .. } = self.served[key];
        if !self.stage.answer(canister, number, &response, accepted)? {
            return Err(misplaced(op, "the request does not show yet: let a round pass"));
        }
        self.served[key].is_answered = true;
        self.follower.answer(key as u32);
        Ok(())
    }
}

/// The part of an HTTP outcall's argument that says whom it asks.
#[derive(CandidType, Deserialize)]
struct Asked {
    url: String,
}
