//! What a response does: refund, callback, cleanup (docs/semantics.md).

use std::rc::Rc;

use canloom::scenario::GhostAt;

use super::message::{Cycles, Entry, Message, Mode, Stop};
use super::relation::{Performed, Relation, performed};
use super::world::{InFlight, Response, World};

impl Relation<'_> {
    /// Runs a callback, and its cleanup if it traps (section 2.3); `traps` makes it trap before it does anything.
    pub fn resume(
        &self,
        world: &mut World,
        number: u32,
        arrived: &InFlight,
        perform_fails: usize,
        traps: bool,
    ) -> Performed {
        let response = &arrived.response;
        let callback = world.callbacks.remove(&number);
        let callback = callback.expect("a response goes to an open callback");
        let context = world.contexts[&callback.context].clone();
        world.reach = callback.depth;
        let at = context.canister;
        // Credited first, and kept whatever the callback does.
        world.canisters[at].balance += arrived.refund;
        if context.is_deleted {
            if !world.callbacks.values().any(|other| other.context == callback.context) {
                world.contexts.remove(&callback.context);
            }
            return None;
        }
        if let (Response::Reply(reply), Some((caller, callee, method))) = (response, &callback.edge) {
            self.count(world, GhostAt::Reply, (*caller, *callee), method, &callback.arg, reply);
        }
        let around = world.canisters[at].around(world.now_ns);
        let cycles =
            Cycles { balance: world.canisters[at].balance, available: context.available, refunded: arrived.refund };
        let enter = |mode, (function, env), arg| {
            let mut message = Message::new(mode, Entry::Table(function, env), context.caller, arg, around);
            message.deadline_ns = context.deadline_ns;
            message.is_responded = context.is_responded;
            message.cycles = cycles;
            if let Response::Reject { code, text } = response {
                message.reject_code = *code;
                message.reject_text.clone_from(text);
            }
            message
        };
        let mut message = match response {
            Response::Reply(bytes) => enter(Mode::Reply, callback.on_reply, Rc::clone(bytes)),
            Response::Reject { .. } => enter(Mode::Reject, callback.on_reject, Rc::default()),
        };
        message.perform_fails = perform_fails;
        let result = match traps {
            true => Err(Stop::new(503, "a fault")),
            false => self.run(world, at, "", message),
        };
        let performed = performed(at, &result);
        let result = match result {
            Ok(done) => Ok(self.commit(world, callback.context, done, Mode::Reply)),
            Err(mut failure) => {
                if let Some(cleanup) = callback.on_cleanup {
                    let message = enter(Mode::Cleanup, cleanup, Rc::default());
                    match self.run(world, at, "", message) {
                        Ok(done) => {
                            self.commit(world, callback.context, done, Mode::Cleanup);
                        }
                        Err(second) => {
                            let also = "\n\ncall_on_cleanup also failed:\n\n";
                            failure.text = format!("{}{also}{}", failure.text, second.text);
                        }
                    }
                }
                Err(failure)
            }
        };
        self.settle(world, callback.context, result);
        performed
    }
}
