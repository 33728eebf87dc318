//! Where calls are tried: a draft, installed, and one call at a time made in it, to its end.
//!
//! In: a [`Draft`] and [`Try`]s. Out: for each what it sent, how it was answered, and in which states canisters are then. Each
//! runs alone, its messages in order of arrival; timers that are due and heartbeats run after it, and if it set a timer, time
//! passes until that is due.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use candid::Principal;

use crate::engine::allowance::Allowance;
use crate::engine::embedded::{Embedded, EmbeddedError, Modules, START_NS};
use crate::kernel::world::NOT_STARTED;
use crate::kernel::{
    CallSpec, Choice, Happened, Kernel, Limits, OutcallSpec, Plan, Response, Target, Unsupported, World,
};
use crate::scenario::{
    Interface, Labels, Names, Scenario, Value, automatic_actor_id, automatic_canister_id, encode_str,
};
use crate::schedule::Task;

use super::InitError;
use super::draft::{ACTORS, Draft, PEERS};

/// Steps of one call.
const STEPS_MAX: usize = 500;
/// Ids of canisters that no automatic one has.
const PEER_IDS: u64 = 1000;

/// A call that is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Try {
    pub(super) method: String,
    pub(super) args: String,
    pub(super) by: &'static str,
}

/// A call that the canister made.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    /// Position of the callee, if the draft has it.
    pub(super) callee: Option<usize>,
    pub(super) id: Principal,
    pub(super) method: String,
    pub(super) arg: Vec<u8>,
    pub(super) is_bounded: bool,
    /// Whether it went to an actor: a principal that is no canister.
    pub(super) is_stray: bool,
    /// The timer or heartbeat that led to it, if no call did.
    pub(super) task: Option<Task>,
}

impl Sent {
    /// Whether it went to another canister.
    pub(super) fn reaches(&self) -> bool {
        self.callee != Some(0) && !self.is_stray
    }
}

/// What came of a call.
#[derive(Clone, Debug)]
pub(super) struct Tried {
    /// What the canister sent.
    pub(super) sent: Vec<Sent>,
    /// Its answer; `None` if there is none.
    pub(super) answer: Option<Response>,
    /// All worlds on the way, the first one before the call.
    pub(super) worlds: Vec<World>,
    /// Which of them was the last one before time passed.
    rested: usize,
    /// How long passed until the timer was due that it set.
    pub(super) wait: Option<Duration>,
}

impl Tried {
    fn begin(world: &World) -> Tried {
        Tried { sent: Vec::new(), answer: None, worlds: vec![world.clone()], rested: 0, wait: None }
    }

    /// The world after it, before time passed.
    pub(super) fn rest(&self) -> &World {
        &self.worlds[self.rested]
    }

    /// The world after it.
    pub(super) fn end(&self) -> &World {
        &self.worlds[self.worlds.len() - 1]
    }

    /// Whether it was answered, and with no error.
    pub(super) fn is_ok(&self) -> bool {
        match &self.answer {
            Some(Response::Reply(bytes)) => {
                bytes.is_empty() || Value::decode_with(bytes, &Labels::common()).is_ok_and(|value| !value.is_err())
            }
            _ => false,
        }
    }

    /// Whether it sent something to another canister, or a timer or heartbeat after it did.
    pub(super) fn reaches(&self) -> bool {
        self.sent.iter().any(Sent::reaches)
    }

    /// Whether the call itself sent something to another canister.
    pub(super) fn awaits(&self) -> bool {
        self.sent.iter().any(|sent| sent.reaches() && sent.task.is_none())
    }

    /// Whether it sent something to an actor.
    pub(super) fn strays(&self) -> bool {
        self.sent.iter().any(|sent| sent.is_stray)
    }
}

/// A draft, installed.
pub(super) struct Stand {
    engine: Embedded,
    names: Names,
    first: World,
    body: &'static str,
}

/// The argument of an installation with the types of the interface, if it says them.
pub(super) fn typed(init: &str, interface: &Interface, canister: &str) -> Result<String, InitError> {
    let mut names = Names { canisters: vec![(canister.to_string(), automatic_canister_id(0))], ..Names::default() };
    names.actors = ACTORS.into_iter().map(|actor| (actor.to_string(), actor_id(actor))).collect();
    let signature = interface.init();
    let types = signature.as_ref().map(|signature| (signature.env, signature.types));
    let encoded =
        encode_str(init, &names, &[], interface.init()).map_err(|(_, problem)| InitError::Arguments(problem))?;
    let Some((env, types)) = types else { return Ok(init.to_string()) };
    let decoded = candid::IDLArgs::from_bytes_with_types(&encoded, env, types);
    let text = decoded.map_err(|error| InitError::Arguments(error.to_string()))?.to_string();
    let text = on_one_line(&text);
    // Names read better than principals.
    let name = |text: String, (name, id): &(String, Principal)| {
        text.replace(&format!("\"{id}\""), &format!("\"${{{name}}}\""))
    };
    Ok(names.canisters.iter().chain(&names.actors).fold(text, name))
}

/// A list of arguments without its line breaks, and what it has for them; texts in quotes have none.
fn on_one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    let inner = lines.strip_prefix("( ").and_then(|rest| rest.strip_suffix(", )"));
    inner.map_or(lines.clone(), |inner| format!("({inner})"))
}

fn is_actor(id: &Principal) -> bool {
    ACTORS.into_iter().any(|actor| actor_id(actor) == *id)
}

fn actor_id(actor: &str) -> Principal {
    if actor == "nobody" { Principal::anonymous() } else { automatic_actor_id(actor) }
}

/// The text of a scenario in which a draft can be tried.
fn trial(draft: &Draft, method: &str) -> String {
    let mut peers = String::new();
    for peer in (1..=PEERS).filter(|peer| !draft.has_peer(*peer)) {
        peers += &format!("peer{peer} = {{ principal = \"{}\" }}\n", automatic_canister_id(PEER_IDS + peer as u64));
    }
    let trial = Draft { did: None, ..draft.clone() };
    let tables = trial.tables(&|_| true).replacen("[actor]\n", &format!("[actor]\n{peers}"), 1);
    let call = format!(
        "[[call]]\nid = \"try\"\nto = \"{}\"\nmethod = {}\nby = \"alice\"\n",
        draft.name,
        super::draft::quoted(method)
    );
    format!("format = 1\nname = \"trial\"\n{tables}{call}")
}

impl Stand {
    /// Installs a draft; `file` is where its scenario will be, `method` any method of the canister.
    pub(super) fn open(draft: &Draft, file: &Path, method: &str, modules: &mut Modules) -> Result<Stand, InitError> {
        let text = trial(draft, method);
        let install = |problem: String| InitError::Install {
            name: draft.name.clone(),
            init: draft.init.clone().unwrap_or_else(|| "()".to_string()),
            problem: problem.trim_end_matches("; check `init`").to_string(),
        };
        let scenario = Scenario::from_text(file, &text).map_err(|error| install(error.to_string()))?;
        let names = scenario.names();
        let mut engine =
            Embedded::open_with(Arc::new(scenario), &Allowance::default(), modules).map_err(|error| match error {
                // The rest names a file that is not there yet.
                EmbeddedError::Scenario(text) if text.contains(&format!(" has no method `{method}`")) => {
                    let near = text.rsplit_once(", did you mean ").map_or("", |(_, near)| near.trim_end_matches('?'));
                    InitError::NoMethod { wasm: draft.wasm.clone(), method: method.to_string(), near: near.to_string() }
                }
                EmbeddedError::Scenario(text) => {
                    install(text.split_once("installation failed: ").map_or(text.clone(), |(_, why)| why.to_string()))
                }
                other => InitError::Engine(other),
            })?;
        engine.kernel.plan(Plan {
            outcalls: vec![any_outcall(draft.body)],
            limits: limits(),
            wide: limits(),
            ..Plan::EMPTY
        });
        let first = engine.kernel.start(engine.start().canisters.clone(), START_NS);
        Ok(Stand { engine, names, first, body: draft.body })
    }

    /// The world after the setup.
    pub(super) fn first(&self) -> World {
        self.first.clone()
    }

    /// Position of a canister.
    pub(super) fn canister_name(&self, canister: usize) -> &str {
        self.engine.canister_name(canister as u16)
    }

    /// The actor of this principal, if there is one.
    pub(super) fn is_actor(&self, id: &Principal) -> bool {
        is_actor(id)
    }

    /// The argument that this id is.
    pub(super) fn peer(&self, id: &Principal) -> Option<usize> {
        (1..=PEERS).find(|peer| automatic_canister_id(PEER_IDS + *peer as u64) == *id)
    }

    /// Says which calls will be tried; those whose arguments cannot be encoded are none.
    pub(super) fn plan(&mut self, tries: &[Try]) -> Vec<bool> {
        let mut can = Vec::new();
        let mut calls = Vec::new();
        for (entry, attempt) in tries.iter().enumerate() {
            let arg = encode_str(&attempt.args, &self.names, &[], None).ok();
            can.push(arg.is_some());
            let caller = self.names.actors.iter().find(|(name, _)| name == attempt.by);
            calls.push(CallSpec {
                entry,
                canister: 0,
                method: attempt.method.clone(),
                arg: arg.unwrap_or_default(),
                caller: caller.map_or(Principal::anonymous(), |(_, id)| *id),
                after: Vec::new(),
                chosen: None,
            });
        }
        let plan =
            Plan { calls, outcalls: vec![any_outcall(self.body)], limits: limits(), wide: limits(), ..Plan::EMPTY };
        self.engine.kernel.plan(plan);
        can
    }

    /// Makes the planned call of this number from these states, and lets due timers and a heartbeat run then; if it set a
    /// timer, that one too.
    pub(super) fn run(&mut self, from: &World, call: usize) -> Result<Tried, Unsupported> {
        let kernel = &mut self.engine.kernel;
        let mut world = kernel.start(from.canisters.clone(), from.time_ns);
        let due = |kernel: &Kernel, world: &World| kernel.timer(world, 0).map(|wait_ns| world.time_ns + wait_ns);
        let was_due = due(kernel, &world);
        let mut tried = Tried::begin(&world);
        chain(kernel, &mut world, call as u32, &mut tried)?;
        tried.answer = kernel.answer(world.trees[call]).map(|answer| kernel.response(answer).clone());
        tasks(kernel, &mut world, &mut tried)?;
        tried.rested = tried.worlds.len() - 1;
        // What a timer does that was there before says nothing of this call.
        if let Some(due_ns) = due(kernel, &world).filter(|due_ns| was_due != Some(*due_ns) && *due_ns > world.time_ns) {
            tried.wait = Some(Duration::from_nanos(due_ns - world.time_ns));
            world.time_ns = due_ns;
            tried.worlds.push(world.clone());
            tasks(kernel, &mut world, &mut tried)?;
        }
        Ok(tried)
    }

    /// What timers and heartbeats send when nothing is called and time passes until the next timer is due; and after how
    /// long that is.
    pub(super) fn tasks(&mut self, from: &World) -> Result<(Vec<Sent>, Option<Duration>), Unsupported> {
        let kernel = &mut self.engine.kernel;
        let mut world = kernel.start(from.canisters.clone(), from.time_ns);
        let wait_ns = kernel.timer(&world, 0);
        world.time_ns += wait_ns.unwrap_or(0);
        let mut tried = Tried::begin(&world);
        tasks(kernel, &mut world, &mut tried)?;
        Ok((tried.sent, wait_ns.map(Duration::from_nanos)))
    }

    /// What a query answers in a world, as an interned response; `None` if it fails.
    pub(super) fn query(&mut self, world: &World, canister: usize, method: &str, args: &str) -> Option<u32> {
        let bytes = encode_str(args, &self.names, &[], None).ok()?;
        let query = self.engine.kernel.query(method, &bytes);
        let response = self.engine.kernel.observe(world, canister as u16, query).ok()?;
        matches!(self.engine.kernel.response(response), Response::Reply(_)).then_some(response)
    }

    /// The first value of a reply.
    pub(super) fn value(&self, response: u32) -> Option<Value> {
        match self.engine.kernel.response(response) {
            Response::Reply(bytes) => Value::decode_with(bytes, &Labels::common()).ok(),
            Response::Reject { .. } => None,
        }
    }
}

/// Runs every task that can begin here.
fn tasks(kernel: &mut Kernel, world: &mut World, tried: &mut Tried) -> Result<(), Unsupported> {
    let mut choices = Vec::new();
    kernel.choices(world, &mut choices)?;
    let trees: Vec<u32> = choices.iter().filter_map(|choice| task(kernel, choice)).collect();
    trees.into_iter().try_for_each(|tree| chain(kernel, world, tree, tried))
}

/// A task that can begin here.
fn task(kernel: &Kernel, choice: &Choice) -> Option<u32> {
    match choice.target {
        Target::Root(tree) if kernel.task(tree).is_some() => Some(tree),
        _ => None,
    }
}

/// Begins a chain of messages and runs it to its end, first message first.
fn chain(kernel: &mut Kernel, world: &mut World, tree: u32, tried: &mut Tried) -> Result<(), Unsupported> {
    let mut choices: Vec<Choice> = Vec::new();
    let task = kernel.task(tree).map(|spec| spec.task);
    for step in 0..STEPS_MAX {
        kernel.choices(world, &mut choices)?;
        let is_next = |choice: &&Choice| match choice.target {
            Target::Root(root) => root == tree && (step == 0 || world.trees[tree as usize] != NOT_STARTED),
            Target::Request { tree: other, .. } => other == tree && kernel.is_busy(world.trees[tree as usize]),
            _ => false,
        };
        let Some(next) = choices.iter().find(is_next).copied() else { break };
        let (after, happened) = kernel.apply(world, &next)?;
        *world = after;
        tried.worlds.push(world.clone());
        let Happened::Delivery(delivery) = happened else { continue };
        for sent in delivery.effects.sent.iter().filter(|_| delivery.canister == 0) {
            let (method, arg) = kernel.call_text(sent.message).unwrap_or_default();
            tried.sent.push(Sent {
                callee: sent.callee.map(usize::from),
                id: sent.callee_id,
                method: method.to_string(),
                arg: arg.to_vec(),
                is_bounded: sent.timeout_s.is_some(),
                is_stray: sent.callee.is_none() && is_actor(&sent.callee_id),
                task,
            });
        }
    }
    Ok(())
}

fn limits() -> Limits {
    Limits { calls: 1, in_flight: 1, depth: 200, timers: 2, heartbeats: 1, ..Limits::NONE }
}

/// Whatever is asked of the web is answered with this.
fn any_outcall(body: &str) -> OutcallSpec {
    OutcallSpec { url: "*".to_string(), status: 200, bodies: vec![body.as_bytes().to_vec()] }
}
