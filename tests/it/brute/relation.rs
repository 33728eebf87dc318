//! What each step does: the message semantics of the IC, written down a second time, from the specification alone.
//!
//! In: a world and a step. Out: the world after it. No memo (but for methods that take seconds), no merging, no
//! canonical form: that is the point. Callbacks are in
//! `resume.rs`, tasks and inspection in `tasks.rs`, what is done to a canister as a whole in `change.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;

use candid::Principal;
use canloom::scenario::{CallState, Code, Instance, Scenario};

use super::host::{Host, engine};
use super::message::{Answer, Cycles, Done, Entry, Kind, Message, Mode, Outgoing, Status, Stop};
use super::recording::Recordings;
use super::settle::send;
use super::step::Step;
use super::turns;
use super::world::{Callback, Context, Origin, Request, Response, World};

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
    /// What all began with, and how long the chain is.
    pub chain: u32,
    pub depth: u32,
}

impl Sent {
    /// With an ingress message comes nothing.
    pub const FROM_OUTSIDE: Sent = Sent { deadline_ns: 0, cycles: 0, perform_fails: 0, chain: 0, depth: 0 };
}

/// The calls that a delivery had performed, also if it trapped: by whom; callee and method.
pub type Performed = Option<(usize, Vec<(Vec<u8>, String)>)>;

impl<'a> Relation<'a> {
    /// Loads the modules of a scenario's canisters.
    pub fn load(scenario: &Scenario) -> Vec<Vec<Host>> {
        let engine = engine();
        let mut loaded: BTreeMap<&Path, Host> = BTreeMap::new();
        let mut hosts = Vec::new();
        for canister in &scenario.canisters {
            let Code::Wasm(own) = &canister.code else { panic!("brute force runs wasm only: {}", canister.name) };
            let later = scenario.faults.iter().map(|fault| fault.wasm.as_ref().unwrap_or(own));
            let modules = std::iter::once(own).chain(later).enumerate().map(|(number, wasm)| {
                let host = || Host::load(&engine, wasm, canister.id, &canister.controllers);
                loaded.entry(wasm).or_insert_with(host).of(canister.id, &canister.controllers, number)
            });
            hosts.push(modules.collect());
        }
        hosts
    }

    /// With these modules. `recorded` names methods, each by its canister, that run once per state.
    pub fn new(scenario: &'a Scenario, hosts: Vec<Vec<Host>>, recorded: &BTreeSet<(String, String)>) -> Self {
        let (recorded, recordings) = (recorded.clone(), Recordings::default());
        Self { scenario, instances: scenario.instances(), hosts, recorded, recordings }
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
        self.take_turn(world, step);
        let performed = self.make(world, step, 0);
        world.steps += 1;
        self.stop_what_is_idle(world);
        performed
    }

    fn make(&self, world: &mut World, step: &Step, perform_fails: usize) -> Performed {
        match *step {
            Step::Submit(call, ref arg) => self.inspect(world, call, arg),
            Step::Start(call, ref arg) => {
                let entry = &self.scenario.calls[self.instances[call].entry];
                let caller = self.scenario.actors[self.instances[call].actor].id;
                world.submitted[call] = false;
                world.calls[call].state = CallState::Open;
                world.calls[call].args = arg.clone();
                let arg = Rc::new(arg.to_vec());
                let sent = Sent { perform_fails, chain: turns::of_call(call), ..Sent::FROM_OUTSIDE };
                return self.begin(world, entry.canister, Origin::Call(call), caller, &entry.method, arg, sent);
            }
            Step::Task(canister, mode) => return self.run_task(world, canister, mode, perform_fails),
            Step::Request(pair, place) => {
                let request = take(world, pair, place);
                let caller = self.hosts[pair.0][0].id;
                let origin = Origin::Callback(request.callback);
                let Request { deadline_ns, cycles, chain, depth, .. } = request;
                let sent = Sent { deadline_ns, cycles, perform_fails, chain, depth };
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
        let Sent { deadline_ns, cycles: available, perform_fails, chain, depth } = sent;
        world.reach = depth;
        let (is_responded, is_deleted) = (false, false);
        let call = (Rc::from(method), Rc::clone(&arg));
        let open = Context {
            canister,
            chain,
            origin,
            caller,
            is_responded,
            is_deleted,
            deadline_ns,
            available,
            method: call.0,
            arg: call.1,
        };
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

    pub fn run(&self, world: &World, canister: usize, method: &str, mut message: Message) -> Result<Done, Stop> {
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
    pub fn commit(&self, world: &mut World, context: u32, done: Done, mode: Mode) -> Option<Answer> {
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
        let (chain, depth) = (world.contexts[&context].chain, world.reach + 1);
        let id = Principal::from_slice(&call.callee);
        let callee = self.hosts.iter().position(|hosts| hosts[0].id == id);
        world.callbacks.insert(
            number,
            Callback {
                context,
                chain,
                depth,
                on_reply: call.on_reply,
                on_reject: call.on_reject,
                on_cleanup: call.on_cleanup,
                edge: callee.map(|callee| (caller, callee, call.method.clone())),
                arg: Rc::new(call.arg.clone()),
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
            chain,
            depth,
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

pub fn performed(canister: usize, result: &Result<Done, Stop>) -> Performed {
    let calls = match result {
        Ok(done) => done.requests.iter().map(|call| (call.callee.clone(), call.method.clone())).collect(),
        Err(stop) => stop.performed.clone(),
    };
    Some((canister, calls))
}
