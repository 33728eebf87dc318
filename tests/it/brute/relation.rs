//! What each step does: the message semantics of the IC, written down a second time, from ic-semantics.md alone.
//!
//! In: a world and a step. Out: the world after it. No memo (but for methods that take seconds), no merging, no
//! canonical form: that is the point.

use std::collections::BTreeSet;
use std::rc::Rc;

use candid::Principal;
use canloom::scenario::{CallState, Instance, Scenario};

use super::host::{Host, engine};
use super::message::{Answer, Done, Entry, Kind, Message, Mode, Outgoing, Stop};
use super::recording::Recordings;
use super::settle::send;
use super::world::{Callback, Context, Origin, Request, Response, Step, World};

/// The semantics of one scenario.
pub struct Relation<'a> {
    pub scenario: &'a Scenario,
    pub instances: Vec<Instance>,
    pub hosts: Vec<Host>,
    recorded: BTreeSet<(String, String)>,
    recordings: Recordings,
}

impl<'a> Relation<'a> {
    /// Loads the scenario's canisters. `recorded` names methods, each by its canister, that run once per state.
    pub fn new(scenario: &'a Scenario, recorded: &BTreeSet<(String, String)>) -> Self {
        let engine = engine();
        let load = |c: &canloom::scenario::Canister| {
            let canloom::scenario::Code::Wasm(wasm) = &c.code else { panic!("brute force runs wasm only: {}", c.name) };
            Host::load(&engine, wasm, c.id, &c.controllers)
        };
        Self {
            scenario,
            instances: scenario.instances(),
            hosts: scenario.canisters.iter().map(load).collect(),
            recorded: recorded.clone(),
            recordings: Recordings::default(),
        }
    }

    /// All steps that are possible in a world.
    pub fn steps(&self, world: &World) -> Vec<Step> {
        let mut steps = world.starts(self.scenario, &self.instances);
        steps.extend(world.deliveries());
        steps.extend(world.faults_possible(self.scenario));
        steps
    }

    /// Takes a step.
    pub fn apply(&self, world: &mut World, step: &Step) {
        match *step {
            Step::Start(call) => {
                let entry = &self.scenario.calls[self.instances[call].entry];
                let caller = self.scenario.actors[self.instances[call].actor].id;
                world.calls[call].state = CallState::Open;
                let arg = Rc::new(entry.args.clone());
                let origin = Origin::Call(call);
                self.begin(world, entry.canister, origin, caller, &entry.method, arg, 0);
            }
            Step::Request(pair, place) => {
                let queue = world.queues.get_mut(&pair).expect("the queue exists");
                let request = queue.drain(..=place).next_back();
                let request = request.expect("the place is in the queue");
                let caller = self.hosts[pair.0].id;
                let origin = Origin::Callback(request.callback);
                let (method, deadline) = (&request.method, request.deadline_ns);
                self.begin(world, pair.1, origin, caller, method, request.arg, deadline);
            }
            Step::Response(callback) => {
                let arrived = world.responses.remove(&callback);
                self.resume(world, callback, &arrived.expect("a response").response);
            }
            Step::Reject { fault, pair, place, code } => {
                world.spent[fault] += 1;
                let queue = world.queues.get_mut(&pair).expect("the queue exists");
                let callback = queue.remove(place).callback;
                let text = self.clean_text(pair.1, code);
                send(world, callback, Response::Reject { code, text });
            }
            Step::Expire { fault, callback } => {
                world.spent[fault] += 1;
                let text = String::from("Call deadline has expired.");
                send(world, callback, Response::Reject { code: 6, text });
                let waiting = world.callbacks.get_mut(&callback);
                waiting.expect("the callback is open").is_expired = true;
            }
        }
    }

    fn clean_text(&self, callee: usize, code: u32) -> String {
        let callee = self.hosts[callee].id;
        match code {
            3 => format!("Canister {callee} not found"),
            5 => format!("Canister {callee} is stopped"),
            _ => format!("Canister {callee} input queue is full"),
        }
    }

    /// Runs the first message of a call (section 2.2).
    #[expect(clippy::too_many_arguments, reason = "a call has that many parts")]
    pub fn begin(
        &self,
        world: &mut World,
        canister: usize,
        origin: Origin,
        caller: Principal,
        method: &str,
        arg: Rc<Vec<u8>>,
        deadline_ns: u64,
    ) {
        world.deliveries += 1;
        let context = world.number();
        world.contexts.insert(context, Context { canister, origin, caller, is_responded: false, deadline_ns });
        let id = self.hosts[canister].id;
        let (kind, export) = match self.hosts[canister].method(method) {
            Some((Kind::Composite, _)) => {
                let text = "Composite query cannot be called in replicated mode";
                return self.settle(world, context, Err(stop(527, text)));
            }
            None => {
                let text = format!("Canister {id} has no update method '{method}'");
                return self.settle(world, context, Err(stop(536, &text)));
            }
            Some(found) => found,
        };
        let mode = match kind {
            Kind::Update => Mode::Update,
            _ => Mode::ReplicatedQuery,
        };
        let message = Message::new(mode, Entry::Export(export), caller, arg, deadline_ns);
        let result = self.run(world, canister, method, message);
        let result = result.map(|done| self.commit(world, context, done, mode));
        self.settle(world, context, result);
    }

    /// Runs a callback, and its cleanup if it traps (section 2.3).
    fn resume(&self, world: &mut World, number: u32, response: &Response) {
        world.deliveries += 1;
        let callback = world.callbacks.remove(&number);
        let callback = callback.expect("a response goes to an open callback");
        let context = world.contexts[&callback.context].clone();
        let (caller, deadline) = (context.caller, context.deadline_ns);
        let enter = |mode, (function, env), arg| {
            let entry = Entry::Table(function, env);
            let mut message = Message::new(mode, entry, caller, arg, deadline);
            message.is_responded = context.is_responded;
            if let Response::Reject { code, text } = response {
                message.reject_code = *code;
                message.reject_text.clone_from(text);
            }
            message
        };
        let message = match response {
            Response::Reply(bytes) => enter(Mode::Reply, callback.on_reply, Rc::clone(bytes)),
            Response::Reject { .. } => enter(Mode::Reject, callback.on_reject, Rc::default()),
        };
        let result = match self.run(world, context.canister, "", message) {
            Ok(done) => Ok(self.commit(world, callback.context, done, Mode::Reply)),
            Err(mut failure) => {
                if let Some(cleanup) = callback.on_cleanup {
                    let message = enter(Mode::Cleanup, cleanup, Rc::default());
                    match self.run(world, context.canister, "", message) {
                        Ok(done) => world.canisters[context.canister] = done.state,
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
    }

    fn run(&self, world: &World, canister: usize, method: &str, message: Message) -> Result<Done, Stop> {
        let run = |message| self.hosts[canister].run(&world.canisters[canister], message);
        let name = &self.scenario.canisters[canister].name;
        if !self.recorded.contains(&(name.clone(), String::from(method))) {
            return run(message);
        }
        let before = &world.canisters[canister];
        self.recordings.run(canister, method, before, message, run)
    }

    /// Keeps what a message that returned did, except its answer.
    fn commit(&self, world: &mut World, context: u32, done: Done, mode: Mode) -> Option<Answer> {
        let canister = world.contexts[&context].canister;
        if mode != Mode::ReplicatedQuery {
            world.canisters[canister] = done.state;
        }
        for request in done.requests {
            self.request(world, context, canister, request);
        }
        done.answer
    }

    fn request(&self, world: &mut World, context: u32, caller: usize, call: Outgoing) {
        let number = world.number();
        let id = Principal::from_slice(&call.callee);
        let callee = self.hosts.iter().position(|host| host.id == id);
        world.callbacks.insert(
            number,
            Callback {
                context,
                on_reply: call.on_reply,
                on_reject: call.on_reject,
                on_cleanup: call.on_cleanup,
                edge: callee.map(|callee| (caller, callee, call.method.clone())),
                is_bounded: call.deadline_ns.is_some(),
                is_expired: false,
            },
        );
        let Some(callee) = callee else {
            let text = format!("No route to canister {id}");
            return send(world, number, Response::Reject { code: 3, text });
        };
        let request = Request {
            callback: number,
            number,
            method: Rc::from(call.method),
            arg: Rc::new(call.arg),
            deadline_ns: call.deadline_ns.unwrap_or(0),
        };
        world.queues.entry((caller, callee)).or_default().push(request);
    }
}

fn stop(code: u32, text: &str) -> Stop {
    let text = String::from(text);
    Stop { code, text }
}
