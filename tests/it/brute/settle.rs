//! When a call is answered, and with what (docs/semantics.md).
//!
//! In: how an execution ended. Out: a response in flight, an answered call, or nothing yet.

use std::rc::Rc;
use std::sync::Arc;

use canloom::scenario::{CallState, GhostAt, Labels, Reply, Value};

use super::message::{Answer, Stop};
use super::relation::Relation;
use super::world::{InFlight, Origin, Response, World};

impl Relation<'_> {
    /// Answers the caller if it is time, and closes the context if it is over (section 2.4).
    pub fn settle(&self, world: &mut World, number: u32, result: Result<Option<Answer>, Stop>) {
        let mut waiting = world.callbacks.values();
        let is_waiting = waiting.any(|callback| callback.context == number);
        let context = world.contexts.get_mut(&number).expect("the context is open");
        let origin = context.origin;
        let is_ingress = !matches!(origin, Origin::Callback(_));
        let id = self.hosts[context.canister][0].id;
        let response = match result {
            _ if context.is_responded => None,
            Ok(Some(Answer::Reply(bytes))) => Some(Response::Reply(Rc::new(bytes))),
            Ok(Some(Answer::Reject(text))) => Some(Response::Reject { code: 4, text }),
            _ if is_waiting => None,
            Ok(None) if is_ingress => {
                Some(Response::Reject { code: 5, text: format!("Canister {id} did not reply to the call") })
            }
            Ok(None) => Some(Response::Reject { code: 5, text: String::from("No response") }),
            Err(stop) => Some(Response::Reject {
                code: stop.code / 100,
                text: if is_ingress { stop.text } else { stop.to_string() },
            }),
        };
        let refund = match response {
            Some(_) => std::mem::take(&mut context.available),
            None => 0,
        };
        context.is_responded |= response.is_some();
        let answered = context.clone();
        if !is_waiting {
            world.contexts.remove(&number);
        }
        if let (Some(Response::Reply(reply)), Origin::Callback(_)) = (&response, origin) {
            let caller = self.hosts.iter().position(|hosts| hosts[0].id == answered.caller);
            let edge = (caller.expect("a canister of the scenario"), answered.canister);
            self.count(world, GhostAt::Effect, edge, &answered.method, &answered.arg, reply);
        }
        match (response, origin) {
            (None, _) | (_, Origin::Task) => {}
            (Some(response), Origin::Setup) => world.setup_answer = Some(response),
            (Some(response), Origin::Call(call)) => {
                self.answer_call(world, call, response);
            }
            (Some(response), Origin::Callback(callback)) => send(world, callback, response, refund),
        }
    }

    /// Adds a message that was replied to to the ghosts that count it.
    pub fn count(&self, world: &mut World, at: GhostAt, edge: (usize, usize), method: &str, arg: &[u8], reply: &[u8]) {
        let (by, labels) = (self.hosts[edge.0][0].id, &self.scenario.labels);
        for (ghost, sum) in self.scenario.ghosts.iter().zip(&mut world.ghosts) {
            if (ghost.at, ghost.caller, ghost.callee, &*ghost.method) == (at, edge.0, Some(edge.1), method)
                && let Some(after) = ghost.after(sum, arg, reply, by, labels)
            {
                *sum = after;
            }
        }
    }

    /// An ingress message is answered.
    pub fn answer_call(&self, world: &mut World, call: usize, response: Response) {
        world.submitted[call] = false;
        world.calls[call].state = CallState::Done(Arc::new(reply(response, &self.scenario.labels)));
    }
}

/// Puts a response in flight, unless its callback has expired or is gone: then its cycles are gone too.
pub fn send(world: &mut World, callback: u32, response: Response, refund: u128) {
    let number = world.number();
    if let Some(waiting) = world.callbacks.get(&callback)
        && !waiting.is_expired
    {
        let in_flight = InFlight { number, response, refund };
        world.responses.insert(callback, in_flight);
    }
}

fn reply(response: Response, labels: &Labels) -> Reply {
    match response {
        Response::Reply(bytes) => {
            let value = Value::decode_with(&bytes, labels).unwrap_or_else(Value::Failed);
            Reply::Replied(value, bytes.to_vec())
        }
        Response::Reject { code, text } => Reply::Rejected { code, text },
    }
}
