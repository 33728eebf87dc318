//! What each step does: the message semantics of the IC, written down a second time, from ic-semantics.md alone.
//!
//! In: a world and a step. Out: the world after it. No memo (but for methods that take seconds), no merging, no
//! canonical form: that is the point.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;

use candid::Principal;
use canloom::scenario::{CallState, Instance, Scenario};

use super::host::{Host, engine};
use super::message::{Answer, Cycles, Done, Entry, Kind, Message, Mode, Outgoing, Stop};
use super::recording::Recordings;
use super::settle::send;
use super::world::{Callback, Context, InFlight, Origin, Request, Response, Step, World};

/// The semantics of one scenario.
pub struct Relation<'a> {
    pub scenario: &'a Scenario,
    pub instances: Vec<Instance>,
    pub hosts: Vec<Host>,
    recorded: BTreeSet<(String, String)>,
    recordings: Recordings,
}

/// What comes with a call beside its argument.
#[derive(Clone, Copy)]
pub struct Sent {
    pub deadline_ns: u64,
    pub cycles: u128,
}

impl Sent {
    /// With an ingress message comes nothing.
    pub const FROM_OUTSIDE: Sent = Sent { deadline_ns: 0, cycles: 0 };
}

impl<'a> Relation<'a> {
    /// Loads the scenario's canisters. `recorded` names methods, each by its canister, that run once per state.
    pub fn new(scenario: &'a Scenario, recorded: &BTreeSet<(String, String)>) -> Self {
        let engine = engine();
        let mut loaded: BTreeMap<&Path, Host> = BTreeMap::new();
        let mut load = |c: &'a canloom::scenario::Canister| {
            let canloom::scenario::Code::Wasm(wasm) = &c.code else { panic!("brute force runs wasm only: {}", c.name) };
            let host = || Host::load(&engine, wasm, c.id, &c.controllers);
            loaded.entry(wasm).or_insert_with(host).of(c.id, &c.controllers)
        };
        Self {
            scenario,
            instances: scenario.instances(),
            hosts: scenario.canisters.iter().map(&mut load).collect(),
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
                self.begin(world, entry.canister, origin, caller, &entry.method, arg, Sent::FROM_OUTSIDE);
            }
            Step::Request(pair, place) => {
                let queue = world.queues.get_mut(&pair).expect("the queue exists");
                let request = queue.drain(..=place).next_back();
                let request = request.expect("the place is in the queue");
                let caller = self.hosts[pair.0].id;
                let origin = Origin::Callback(request.callback);
                let sent = Sent { deadline_ns: request.deadline_ns, cycles: request.cycles };
                self.begin(world, pair.1, origin, caller, &request.method, request.arg, sent);
            }
            Step::Response(callback) => {
                let arrived = world.responses.remove(&callback);
                self.resume(world, callback, &arrived.expect("a response"));
            }
            Step::Reject { fault, pair, place, code } => {
                world.spent[fault] += 1;
                let queue = world.queues.get_mut(&pair).expect("the queue exists");
                let request = queue.remove(place);
                let text = self.clean_text(pair.1, code);
                send(world, request.callback, Response::Reject { code, text }, request.cycles);
            }
            Step::Expire { fault, callback } => {
                world.spent[fault] += 1;
                let text = String::from("Call deadline has expired.");
                send(world, callback, Response::Reject { code: 6, text }, 0);
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
        sent: Sent,
    ) {
        world.deliveries += 1;
        let context = world.number();
        let Sent { deadline_ns, cycles: available } = sent;
        let open = Context { canister, origin, caller, is_responded: false, deadline_ns, available };
        world.contexts.insert(context, open);
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
        let mut message = Message::new(mode, Entry::Export(export), caller, arg, deadline_ns);
        message.cycles = Cycles { balance: world.balances[canister], available, refunded: 0 };
        let result = self.run(world, canister, method, message);
        let result = result.map(|done| self.commit(world, context, done, mode));
        self.settle(world, context, result);
    }

    /// Runs a callback, and its cleanup if it traps (section 2.3).
    fn resume(&self, world: &mut World, number: u32, arrived: &InFlight) {
        let response = &arrived.response;
        world.deliveries += 1;
        let callback = world.callbacks.remove(&number);
        let callback = callback.expect("a response goes to an open callback");
        let context = world.contexts[&callback.context].clone();
        let (caller, deadline) = (context.caller, context.deadline_ns);
        // Credited first, and kept whatever the callback does.
        world.balances[context.canister] += arrived.refund;
        let cycles = Cycles {
            balance: world.balances[context.canister],
            available: context.available,
            refunded: arrived.refund,
        };
        let enter = |mode, (function, env), arg| {
            let entry = Entry::Table(function, env);
            let mut message = Message::new(mode, entry, caller, arg, deadline);
            message.is_responded = context.is_responded;
            message.cycles = cycles;
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
                        Ok(done) => {
                            world.canisters[context.canister] = done.state;
                            world.balances[context.canister] -= done.burned;
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
        world.balances[canister] += done.accepted;
        world.balances[canister] -= done.burned;
        let open = world.contexts.get_mut(&context).expect("the context is open");
        open.available -= done.accepted;
        for request in done.requests {
            world.balances[canister] -= request.cycles;
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
            return send(world, number, Response::Reject { code: 3, text }, call.cycles);
        };
        let request = Request {
            callback: number,
            number,
            method: Rc::from(call.method),
            arg: Rc::new(call.arg),
            cycles: call.cycles,
            deadline_ns: call.deadline_ns.unwrap_or(0),
        };
        world.queues.entry((caller, callee)).or_default().push(request);
    }
}

fn stop(code: u32, text: &str) -> Stop {
    let text = String::from(text);
    Stop { code, text }
}
