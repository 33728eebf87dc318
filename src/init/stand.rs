//! Where calls are tried: a draft, installed, and one call at a time made in it, to its end.
//!
//! In: a [`Draft`] and [`Try`]s. Out: for each what it sent, how it was answered, and in which states canisters are then. Each
//! runs alone, its messages in order of arrival; timers that are due and heartbeats run after it.

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
    /// Deliveries.
    pub(super) deliveries: usize,
}

impl Tried {
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

    /// Whether it sent something to another canister.
    pub(super) fn reaches(&self) -> bool {
        self.sent.iter().any(|sent| sent.callee != Some(0))
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
        ACTORS.into_iter().any(|actor| actor_id(actor) == *id)
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

    /// Makes the planned call of this number from these states, and lets due timers and a heartbeat run then.
    pub(super) fn run(&mut self, from: &World, call: usize) -> Result<Tried, Unsupported> {
        let kernel = &mut self.engine.kernel;
        let mut world = kernel.start(from.canisters.clone(), from.time_ns);
        let mut tried = Tried { sent: Vec::new(), answer: None, worlds: vec![world.clone()], deliveries: 0 };
        chain(kernel, &mut world, call as u32, &mut tried)?;
        tried.answer = kernel.answer(world.trees[call]).map(|answer| kernel.response(answer).clone());
        let mut choices = Vec::new();
        kernel.choices(&world, &mut choices)?;
        let tasks: Vec<u32> = choices.iter().filter_map(|choice| task(kernel, choice)).collect();
        for task in tasks {
            chain(kernel, &mut world, task, &mut tried)?;
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
        let mut tried = Tried { sent: Vec::new(), answer: None, worlds: vec![world.clone()], deliveries: 0 };
        let mut choices = Vec::new();
        kernel.choices(&world, &mut choices)?;
        let tasks: Vec<u32> = choices.iter().filter_map(|choice| task(kernel, choice)).collect();
        for task in tasks {
            chain(kernel, &mut world, task, &mut tried)?;
        }
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
        tried.deliveries += 1;
        for sent in delivery.effects.sent.iter().filter(|_| delivery.canister == 0) {
            let (method, arg) = kernel.call_text(sent.message).unwrap_or_default();
            tried.sent.push(Sent {
                callee: sent.callee.map(usize::from),
                id: sent.callee_id,
                method: method.to_string(),
                arg: arg.to_vec(),
                is_bounded: sent.timeout_s.is_some(),
            });
        }
    }
    Ok(())
}

fn limits() -> Limits {
    Limits { calls: 1, in_flight: 1, depth: 200, timers: 1, heartbeats: 1, ..Limits::NONE }
}

/// Whatever is asked of the web is answered with this.
fn any_outcall(body: &str) -> OutcallSpec {
    OutcallSpec { url: "*".to_string(), status: 200, bodies: vec![body.as_bytes().to_vec()] }
}
