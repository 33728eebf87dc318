//! What each step does: the message semantics of the IC, written down a second time, from ic-semantics.md alone.
//!
//! In: a world and a step. Out: the world after it. No memo (but for methods that take seconds), no merging, no
//! canonical form: that is the point. What is done to a canister as a whole is in `change.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;

use candid::Principal;
use canloom::scenario::{CallState, Code, Instance, Scenario};

use super::host::{Host, engine};
use super::message::{Answer, Cycles, Done, Entry, Kind, Message, Mode, Outgoing, Status, Stop};
use super::recording::Recordings;
use super::settle::send;
use super::steps::Step;
use super::world::{Callback, Context, InFlight, Origin, Request, Response, World};

/// The semantics of one scenario.
pub struct Relation<'a> {
    pub scenario: &'a Scenario,
    pub instances: Vec<Instance>,
    /// The modules of each canister: its own, and for each fault the one that the fault installs.
    pub hosts: Vec<Vec<Host>>,
    recorded: BTreeSet<(String, String)>,
    recordings: Recordings,
}

/// What comes with a call beside its argument.
#[derive(Clone, Copy)]
pub struct Sent {
    pub deadline_ns: u64,
    pub cycles: u128,
    /// Which of the calls that it makes fails, from 1; 0: none.
    pub perform_fails: usize,
}

impl Sent {
    /// With an ingress message comes nothing.
    pub const FROM_OUTSIDE: Sent = Sent { deadline_ns: 0, cycles: 0, perform_fails: 0 };
}

/// The calls that a delivery had performed, also if it trapped: by whom; callee and method.
pub type Performed = Option<(usize, Vec<(Vec<u8>, String)>)>;

impl<'a> Relation<'a> {
    /// Loads the scenario's canisters. `recorded` names methods, each by its canister, that run once per state.
    pub fn new(scenario: &'a Scenario, recorded: &BTreeSet<(String, String)>) -> Self {
        let engine = engine();
        let mut loaded: BTreeMap<&Path, Host> = BTreeMap::new();
        let mut load = |c: &'a canloom::scenario::Canister| {
            let Code::Wasm(own) = &c.code else { panic!("brute force runs wasm only: {}", c.name) };
            let modules =
                std::iter::once(own).chain(scenario.faults.iter().map(|fault| fault.wasm.as_ref().unwrap_or(own)));
            let load = |(number, wasm): (usize, &'a std::path::PathBuf)| {
                let host = || Host::load(&engine, wasm, c.id, &c.controllers);
                loaded.entry(wasm).or_insert_with(host).of(c.id, &c.controllers, number)
            };
            modules.enumerate().map(load).collect()
        };
        Self {
            scenario,
            instances: scenario.instances(),
            hosts: scenario.canisters.iter().map(&mut load).collect(),
            recorded: recorded.clone(),
            recordings: Recordings::default(),
        }
    }

    /// What a canister runs now, unless it was uninstalled.
    pub fn host(&self, world: &World, canister: usize) -> Option<&Host> {
        let code = world.canisters[canister].code.as_ref()?;
        Some(&self.hosts[canister][code.module])
    }

    /// Why a canister that was uninstalled runs nothing.
    pub fn no_module(&self, canister: usize) -> Stop {
        let text = "Attempted to execute a message, but the canister contains no Wasm module";
        Stop::new(537, &format!("Error from Canister {}: {text}", self.hosts[canister][0].id))
    }

    /// Takes a step.
    pub fn apply(&self, world: &mut World, step: &Step) -> Performed {
        let performed = self.make(world, step, 0);
        world.steps += 1;
        self.stop_what_is_idle(world);
        performed
    }

    fn make(&self, world: &mut World, step: &Step, perform_fails: usize) -> Performed {
        match *step {
            Step::Submit(call) => self.inspect(world, call),
            Step::Start(call) => {
                let entry = &self.scenario.calls[self.instances[call].entry];
                let caller = self.scenario.actors[self.instances[call].actor].id;
                world.submitted[call] = false;
                world.calls[call].state = CallState::Open;
                let arg = Rc::new(entry.args.clone());
                let sent = Sent { perform_fails, ..Sent::FROM_OUTSIDE };
                return self.begin(world, entry.canister, Origin::Call(call), caller, &entry.method, arg, sent);
            }
            Step::Task(canister, mode) => return self.run_task(world, canister, mode, perform_fails),
            Step::Request(pair, place) => {
                let request = take(world, pair, place);
                let caller = self.hosts[pair.0][0].id;
                let origin = Origin::Callback(request.callback);
                let sent = Sent { deadline_ns: request.deadline_ns, cycles: request.cycles, perform_fails };
                return self.begin(world, pair.1, origin, caller, &request.method, request.arg, sent);
            }
            Step::Response(callback) => {
                let arrived = world.responses.remove(&callback);
                return self.resume(world, callback, &arrived.expect("a response"), perform_fails, false);
            }
            Step::Trap { fault, callback } => {
                world.spent[fault] += 1;
                let arrived = world.responses.remove(&callback);
                return self.resume(world, callback, &arrived.expect("a response"), 0, true);
            }
            Step::Time(entry) => {
                world.passed[entry] += 1;
                world.now_ns += self.scenario.times[entry].advance_ns;
            }
            Step::Reject { fault, pair, place, code } => {
                world.spent[fault] += 1;
                let queue = world.queues.get_mut(&pair).expect("the queue exists");
                let request = queue.remove(place);
                let text = self.clean_text(pair.1, code);
                send(world, request.callback, Response::Reject { code, text }, request.cycles);
            }
            Step::Script { fault, pair, place, is_lie } => {
                world.spent[fault] += 1;
                let request = take(world, pair, place);
                let fault = &self.scenario.faults[fault];
                let reply = if is_lie { &fault.lie } else { &fault.business_error };
                let reply = Rc::new(reply.clone().expect("the fault has a script"));
                send(world, request.callback, Response::Reply(reply), request.cycles);
            }
            Step::Expire { fault, callback } => {
                if let Some(fault) = fault {
                    world.spent[fault] += 1;
                }
                let text = String::from("Call deadline has expired.");
                send(world, callback, Response::Reject { code: 6, text }, 0);
                let waiting = world.callbacks.get_mut(&callback);
                waiting.expect("the callback is open").is_expired = true;
            }
            Step::PerformFails { fault, n, ref of } => {
                world.spent[fault] += 1;
                return self.make(world, of, n);
            }
            Step::Change { fault, canister, change } => self.change(world, fault, canister, change),
        }
        None
    }

    fn clean_text(&self, callee: usize, code: u32) -> String {
        let callee = self.hosts[callee][0].id;
        match code {
            3 => format!("Canister {callee} not found"),
            5 => format!("Canister {callee} is stopped"),
            _ => format!("Canister {callee} input queue is full"),
        }
    }

    /// Asks `canister_inspect_message`; nothing that it does is kept (section 2.7).
    fn inspect(&self, world: &mut World, call: usize) {
        let entry = &self.scenario.calls[self.instances[call].entry];
        let caller = self.scenario.actors[self.instances[call].actor].id;
        let canister = &world.canisters[entry.canister];
        let (Some(host), Some(state)) = (self.host(world, entry.canister), &canister.code) else {
            panic!("a canister that inspects has a module")
        };
        let export = Entry::Export(String::from("canister_inspect_message"));
        let arg = Rc::new(entry.args.clone());
        let mut message = Message::new(Mode::Inspect, export, caller, arg, canister.around(world.now_ns));
        message.cycles.balance = canister.balance;
        message.method.clone_from(&entry.method);
        let refusal = match host.run(state, message) {
            Ok(done) if done.is_let_in => None,
            Ok(_) => Some((4, format!("Canister {} rejected the message", host.id))),
            Err(stop) => Some((stop.code / 100, stop.text)),
        };
        world.calls[call].state = CallState::Open;
        world.submitted[call] = refusal.is_none();
        if let Some((code, text)) = refusal {
            self.answer_call(world, call, Response::Reject { code, text });
        }
    }

    /// Runs a timer or a heartbeat (section 8): nobody waits for it and nobody called.
    fn run_task(&self, world: &mut World, at: usize, mode: Mode, perform_fails: usize) -> Performed {
        let canister = &mut world.canisters[at];
        let export = if mode == Mode::Timer {
            canister.timers += 1;
            // Before it runs, whatever comes of it.
            canister.timer_ns = 0;
            "canister_global_timer"
        } else {
            canister.heartbeats += 1;
            "canister_heartbeat"
        };
        let around = canister.around(world.now_ns);
        let caller = Principal::management_canister();
        let mut message = Message::new(mode, Entry::Export(String::from(export)), caller, Rc::default(), around);
        message.is_responded = true;
        message.cycles.balance = canister.balance;
        message.perform_fails = perform_fails;
        let context = world.number();
        let open = Context {
            canister: at,
            origin: Origin::Task,
            caller,
            is_responded: true,
            is_deleted: false,
            deadline_ns: 0,
            available: 0,
        };
        world.contexts.insert(context, open);
        let result = self.run(world, at, "", message);
        let performed = performed(at, &result);
        let result = result.map(|done| self.commit(world, context, done, mode));
        self.settle(world, context, result);
        performed
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
    ) -> Performed {
        let context = world.number();
        let Sent { deadline_ns, cycles: available, perform_fails } = sent;
        let (is_responded, is_deleted) = (false, false);
        let open = Context { canister, origin, caller, is_responded, is_deleted, deadline_ns, available };
        world.contexts.insert(context, open);
        let id = self.hosts[canister][0].id;
        let refusal = match (world.canisters[canister].status, self.host(world, canister)) {
            (Status::Running, Some(host)) => match host.method(method) {
                Some((Kind::Composite, _)) => {
                    Err(Stop::new(527, "Composite query cannot be called in replicated mode"))
                }
                None => Err(Stop::new(536, &format!("Canister {id} has no update method '{method}'"))),
                Some(found) => Ok(found),
            },
            (Status::Running, None) => Err(self.no_module(canister)),
            (Status::Stopping, _) => Err(Stop::new(509, &format!("Canister {id} is not running"))),
            (Status::Stopped, _) => Err(Stop::new(508, &format!("Canister {id} is not running"))),
        };
        let (kind, export) = match refusal {
            Ok(found) => found,
            Err(stop) => {
                self.settle(world, context, Err(stop));
                return None;
            }
        };
        let mode = match kind {
            Kind::Update => Mode::Update,
            _ => Mode::ReplicatedQuery,
        };
        let around = world.canisters[canister].around(world.now_ns);
        let mut message = Message::new(mode, Entry::Export(export), caller, arg, around);
        message.deadline_ns = deadline_ns;
        message.cycles = Cycles { balance: world.canisters[canister].balance, available, refunded: 0 };
        message.perform_fails = perform_fails;
        let result = self.run(world, canister, method, message);
        let performed = performed(canister, &result);
        let result = result.map(|done| self.commit(world, context, done, mode));
        self.settle(world, context, result);
        performed
    }

    /// Runs a callback, and its cleanup if it traps (section 2.3); `traps` makes it trap before it does anything.
    fn resume(
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
        let at = context.canister;
        // Credited first, and kept whatever the callback does.
        world.canisters[at].balance += arrived.refund;
        if context.is_deleted {
            if !world.callbacks.values().any(|other| other.context == callback.context) {
                world.contexts.remove(&callback.context);
            }
            return None;
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

    fn run(&self, world: &World, canister: usize, method: &str, mut message: Message) -> Result<Done, Stop> {
        let (Some(host), Some(before)) = (self.host(world, canister), &world.canisters[canister].code) else {
            return Err(self.no_module(canister));
        };
        if !host.sees_version {
            // Or no recording would ever be found again.
            message.around.version = 0;
        }
        let run = |message| host.run(before, message);
        let name = &self.scenario.canisters[canister].name;
        if !self.recorded.contains(&(name.clone(), String::from(method))) {
            return run(message);
        }
        self.recordings.run(canister, method, before, message, run)
    }

    /// Keeps what a message that returned did, except its answer.
    fn commit(&self, world: &mut World, context: u32, done: Done, mode: Mode) -> Option<Answer> {
        let at = world.contexts[&context].canister;
        let canister = &mut world.canisters[at];
        if mode != Mode::ReplicatedQuery {
            canister.code = Some(done.state);
        }
        canister.balance += done.accepted;
        canister.balance -= done.burned;
        canister.version += 1;
        canister.timer_ns = done.timer_ns.unwrap_or(canister.timer_ns);
        canister.certified = done.certified.unwrap_or(Rc::clone(&canister.certified));
        let open = world.contexts.get_mut(&context).expect("the context is open");
        open.available -= done.accepted;
        for request in done.requests {
            world.canisters[at].balance -= request.cycles;
            self.request(world, context, at, request);
        }
        done.answer
    }

    fn request(&self, world: &mut World, context: u32, caller: usize, call: Outgoing) {
        let number = world.number();
        let id = Principal::from_slice(&call.callee);
        let callee = self.hosts.iter().position(|hosts| hosts[0].id == id);
        world.callbacks.insert(
            number,
            Callback {
                context,
                on_reply: call.on_reply,
                on_reject: call.on_reject,
                on_cleanup: call.on_cleanup,
                edge: callee.map(|callee| (caller, callee, call.method.clone())),
                deadline_ns: call.deadline_ns,
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

/// Takes the request at a place of a queue; what is ahead of it is dropped.
fn take(world: &mut World, pair: (usize, usize), place: usize) -> Request {
    let queue = world.queues.get_mut(&pair).expect("the queue exists");
    queue.drain(..=place).next_back().expect("the place is in the queue")
}

fn performed(canister: usize, result: &Result<Done, Stop>) -> Performed {
    let calls = match result {
        Ok(done) => done.requests.iter().map(|call| (call.callee.clone(), call.method.clone())).collect(),
        Err(stop) => stop.performed.clone(),
    };
    Some((canister, calls))
}
