//! The embedded engine: a scenario's canisters, installed and set up, with everything that can be asked of a world.
//!
//! In: a [`Scenario`]. Out: the first world, and for each world its observations and calls as invariants see them. Which
//! steps are made is decided elsewhere; what may happen is read off the scenario in `lower`.

pub mod alone;
mod arguments;
mod ghost;
mod install;
mod lower;
pub mod sequence;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use candid::Principal;

use crate::kernel::guest::{Execution, Guest};
use crate::kernel::world::{CanisterState, NOT_STARTED};
use crate::kernel::{Kernel, Response, Unsupported, World};
use crate::scenario::{Bounds, CallState, CallView, Code, FaultPlace, Invariant, Oracle, Reply, Scenario, Value, View};
use crate::trace::Outcome;

use alone::Alone;
pub use install::{Exchange, Modules, SetUp};
use install::{check_methods, install, set_up};
use sequence::Sequence;

use crate::files::{ReadError, shown};

use super::allowance::Allowance;
use super::builtin;
use super::wasm::module::ModuleError;
use super::wasm::{NO_SPACE, WasmGuest};

/// Time at which every exploration starts: 2021-05-10 08:00 UTC, the genesis of the IC, in nanoseconds.
pub const START_NS: u64 = 1_620_633_600_000_000_000;

/// Why a scenario cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// The wasm file cannot be read.
    #[error("{file}: canister `{canister}`: {source}")]
    Read {
        /// Scenario file.
        file: String,
        /// Canister in the scenario.
        canister: String,
        /// What is wrong, with the file of the module.
        source: ReadError,
    },
    /// The module cannot be loaded.
    #[error("{file}: canister `{canister}`: {}: {source}", shown(wasm))]
    Module {
        /// Scenario file.
        file: String,
        /// Canister in the scenario.
        canister: String,
        /// The module.
        wasm: PathBuf,
        /// What is wrong with it.
        source: ModuleError,
    },
    /// The scenario asks for something that the canisters do not do.
    #[error("{0}")]
    Scenario(String),
    /// Something the engine does not offer was met.
    #[error("{0}")]
    Unsupported(#[from] Unsupported),
    /// wasmtime does not run on this machine.
    #[error("the wasm engine cannot start on this machine: {0}")]
    Machine(String),
}

/// The bytes of an argument, and the value that they encode.
type Argument = (Arc<[u8]>, Arc<Value>);

/// A scenario, installed.
pub struct Embedded {
    /// The scenario.
    pub scenario: Arc<Scenario>,
    /// The kernel that holds its canisters.
    pub kernel: Kernel,
    start: World,
    /// SHA-256 of each canister's module.
    pub hashes: Vec<String>,
    /// What the setup calls did.
    pub set_up: Arc<SetUp>,
    queries: Vec<(u16, u32)>,
    actors: Vec<usize>,
    values: BTreeMap<(usize, u32), Arc<Value>>,
    replies: BTreeMap<u32, Arc<Reply>>,
    /// By message; `None` for an argument that is still to be chosen.
    arguments: BTreeMap<Option<u32>, Argument>,
    allowance: Allowance,
    /// What oracles compare worlds with, where one does.
    alone: Option<Alone>,
    sequence: Arc<OnceLock<Arc<Sequence>>>,
    /// When no more of it is worked out.
    until: Option<Instant>,
}

impl Embedded {
    /// Loads and installs the canisters, makes the setup calls and plans the exploration.
    ///
    /// # Errors
    /// What cannot be read, loaded, installed or set up, with the canister and the file.
    pub fn open(scenario: Arc<Scenario>) -> Result<Embedded, EmbeddedError> {
        Embedded::open_within(scenario, &Allowance::default())
    }

    /// Likewise, within limits on what this run may take.
    ///
    /// # Errors
    /// As [`Embedded::open`]; also if the limits do not suffice for that.
    pub fn open_within(scenario: Arc<Scenario>, allowance: &Allowance) -> Result<Embedded, EmbeddedError> {
        Embedded::open_with(scenario, allowance, &mut Modules::new()?)
    }

    /// Likewise; modules that were loaded before are not loaded again.
    ///
    /// # Errors
    /// As [`Embedded::open_within`].
    pub fn open_with(
        scenario: Arc<Scenario>,
        allowance: &Allowance,
        modules: &mut Modules,
    ) -> Result<Embedded, EmbeddedError> {
        allowance.interrupt.stops(&modules.engine);
        let file = scenario.file.display().to_string();
        let mut guests: Vec<(String, Principal, Box<dyn Guest>)> = Vec::new();
        let mut installed = Vec::new();
        let mut hashes = Vec::new();
        let ids: Vec<Principal> = scenario.canisters.iter().map(|canister| canister.id).collect();
        let mut upgrades = BTreeMap::new();
        for (position, canister) in scenario.canisters.iter().enumerate() {
            let name = canister.name.clone();
            let named = |what: String| EmbeddedError::Scenario(format!("{file}: canister `{}`: {what}", canister.name));
            let wasm = match &canister.code {
                Code::Wasm(wasm) => wasm,
                code => {
                    let (guest, memory) = builtin::install(code, &canister.init, &ids).map_err(named)?;
                    hashes.push(builtin::name(code).to_string());
                    installed.push(Execution::idle(memory));
                    guests.push((name, canister.id, guest));
                    continue;
                }
            };
            let guest = WasmGuest::within(modules.engine.clone(), allowance.clone());
            let mut guest = guest.with_variables(canister.env.clone());
            let mut module = |wasm: &PathBuf| modules.module(&file, &canister.name, wasm);
            let first = module(wasm)?;
            hashes.push(first.hash.clone());
            let unfit = |what: String, wasm: &Path| match what.starts_with(NO_SPACE) {
                true => EmbeddedError::Machine(what),
                false => named(format!("{} {what}", shown(wasm))),
            };
            guest.add(first).map_err(|what| unfit(what, wasm))?;
            // Modules that a fault may install later.
            for (at, fault) in scenario.faults.iter().enumerate() {
                if let (FaultPlace::Canister(here), Some(wasm)) = (&fault.place, &fault.wasm)
                    && *here == position
                {
                    let later = guest.add(module(wasm)?).map_err(|what| unfit(what, wasm))?;
                    upgrades.insert(at, later);
                }
            }
            installed.push(install(&mut guest, canister).map_err(named)?);
            guests.push((name, canister.id, Box::new(guest)));
        }
        let to_create = scenario.ids_to_create();
        let mut empty = Vec::new();
        for (at, id) in to_create.into_iter().enumerate() {
            let guest = WasmGuest::within(modules.engine.clone(), allowance.clone());
            empty.push(guest.fresh());
            guests.push((format!("created{}", at + 1), id, Box::new(guest)));
        }
        check_methods(&scenario, modules)?;
        let mut kernel = Kernel::new(guests);
        let mut states: Vec<CanisterState> = Vec::new();
        for (execution, canister) in installed.into_iter().zip(&scenario.canisters) {
            let certified = execution.certified.unwrap_or_default();
            let timer_ns = execution.timer_ns.unwrap_or(0);
            states.push(kernel.installed(execution.memory, timer_ns, &certified, &canister.controllers));
        }
        states.extend(empty.into_iter().map(|memory| kernel.absent(memory)));
        let (states, given, set_up) = set_up(&mut kernel, &scenario, states)?;
        let scenario = Arc::new(arguments::settled(&scenario, &given).map_err(EmbeddedError::Scenario)?);
        let mut queries = Vec::with_capacity(scenario.observations.len());
        for observation in &scenario.observations {
            let args = given.argument_of(&scenario, &observation.template, &observation.args)?;
            let method = &observation.method;
            let message =
                if observation.is_update { kernel.getter(method, &args) } else { kernel.query(method, &args) };
            queries.push((observation.canister as u16, message));
        }
        let instances = scenario.instances();
        let chosen = arguments::chosen(&scenario, &given).map_err(EmbeddedError::Scenario)?;
        kernel.plan(lower::plan(&scenario, chosen, &upgrades));
        let start = kernel.start(states, START_NS);
        // Before the first fork, so that all forks share what is executed there.
        let compares = scenario.invariants.iter().filter_map(Invariant::oracle).any(Oracle::compares);
        let alone = compares.then(|| Alone::new(&kernel, lower::limits(scenario.own_bounds)));
        Ok(Embedded {
            start,
            kernel,
            hashes,
            set_up: Arc::new(set_up),
            queries,
            actors: instances.iter().map(|instance| instance.actor).collect(),
            values: BTreeMap::new(),
            replies: BTreeMap::new(),
            arguments: BTreeMap::new(),
            scenario,
            allowance: allowance.clone(),
            alone,
            sequence: Arc::default(),
            until: None,
        })
    }

    /// The same scenario for another thread: worlds, ids and remembered executions are those of both.
    pub fn fork(&self) -> Embedded {
        Embedded {
            scenario: self.scenario.clone(),
            kernel: self.kernel.fork(),
            start: self.start.clone(),
            hashes: self.hashes.clone(),
            set_up: self.set_up.clone(),
            queries: self.queries.clone(),
            actors: self.actors.clone(),
            values: BTreeMap::new(),
            replies: BTreeMap::new(),
            arguments: BTreeMap::new(),
            allowance: self.allowance.clone(),
            alone: self.alone.as_ref().map(Alone::fork),
            sequence: self.sequence.clone(),
            until: self.until,
        }
    }

    /// The same scenario, in which each call of a canister says which of its functions were running.
    pub fn traced(&self) -> Embedded {
        Embedded { kernel: self.kernel.traced(), ..self.fork() }
    }

    /// The same within these bounds of the search, which are the scenario's or narrower; nothing is loaded again.
    pub fn within(&mut self, bounds: Bounds) {
        self.scenario = Arc::new(Scenario { bounds, ..(*self.scenario).clone() });
        self.kernel.within(lower::limits(bounds));
        self.start = self.kernel.start(std::mem::take(&mut self.start.canisters), START_NS);
    }

    /// What this run may take.
    pub fn allowance(&self) -> &Allowance {
        &self.allowance
    }

    /// The world in which no call has started.
    pub fn start(&self) -> &World {
        &self.start
    }

    /// Values of the observations in a world, in file order, then those of the ghosts.
    ///
    /// # Errors
    /// If a query asks for something that the engine does not offer.
    pub fn observe(&mut self, world: &World) -> Result<Vec<Arc<Value>>, Unsupported> {
        let mut values = Vec::with_capacity(self.queries.len() + world.ghosts.len());
        for at in 0..self.queries.len() {
            let (canister, query) = self.queries[at];
            let response = self.kernel.observe(world, canister, query)?;
            if let Some(value) = self.values.get(&(at, response)) {
                values.push(value.clone());
                continue;
            }
            let value = Arc::new(self.shown(at, self.kernel.response(response)));
            self.values.insert((at, response), value.clone());
            values.push(value);
        }
        for (at, &sum) in world.ghosts.iter().enumerate() {
            let key = (self.queries.len() + at, sum);
            let value = || Arc::new(ghost::value(self.kernel.ghost(world, at)));
            values.push(self.values.entry(key).or_insert_with(value).clone());
        }
        Ok(values)
    }

    /// The value that an observation has, by position, if its query is answered like this.
    pub fn shown(&self, observation: usize, response: &Response) -> Value {
        let value = match response {
            Response::Reply(bytes) => Value::decode_with(bytes, &self.scenario.labels),
            Response::Reject { text, .. } => Err(text.to_string()),
        };
        let path = &self.scenario.observations[observation].path;
        let value = value.and_then(|value| path.as_ref().map_or_else(|| Ok(value.clone()), |path| value.at(path)));
        value.unwrap_or_else(Value::Failed)
    }

    /// What an observation asks, by position: canister, method and argument.
    pub fn question(&self, observation: usize) -> (u16, &str, &[u8]) {
        let (canister, query) = self.queries[observation];
        let (method, arg) = self.kernel.call_text(query).expect("bug in canloom: a query has a method");
        (canister, method, arg)
    }

    /// The calls of a world, as expressions see them.
    pub fn calls(&mut self, world: &World) -> Vec<CallView> {
        let calls = self.kernel.calls().len();
        let mut views = Vec::with_capacity(calls);
        for (at, &tree) in world.trees[..calls].iter().enumerate() {
            let state = match (tree, self.kernel.answer(tree)) {
                (NOT_STARTED, _) => CallState::NotStarted,
                (_, None) => CallState::Open,
                (_, Some(answer)) => CallState::Done(self.reply(answer)),
            };
            let entry = self.kernel.calls()[at].entry;
            let (args, given) = self.argument(at, tree);
            views.push(CallView { entry, actor: self.actors[at], state, args, given });
        }
        views
    }

    /// The argument of a call with this tree, and what it says to expressions.
    fn argument(&mut self, call: usize, tree: u32) -> (Arc<[u8]>, Arc<Value>) {
        let message = self.kernel.call_message(call, tree);
        if let Some(known) = self.arguments.get(&message) {
            return known.clone();
        }
        let args = self.kernel.argument(message).unwrap_or_default();
        let given = Arc::new(Value::decode_args(&args, &self.scenario.labels).unwrap_or_else(Value::Failed));
        self.arguments.insert(message, (args.clone(), given.clone()));
        (args, given)
    }

    /// An interned response as expressions see it.
    pub fn reply(&mut self, response: u32) -> Arc<Reply> {
        if let Some(reply) = self.replies.get(&response) {
            return reply.clone();
        }
        let reply = Arc::new(self.answer(self.kernel.response(response)));
        self.replies.insert(response, reply.clone());
        reply
    }

    /// An answer to a call as expressions see it.
    pub fn answer(&self, response: &Response) -> Reply {
        match response {
            Response::Reply(bytes) => {
                let value = Value::decode_with(bytes, &self.scenario.labels).unwrap_or_else(Value::Failed);
                Reply::Replied(value, bytes.to_vec())
            }
            Response::Reject { code, text } => Reply::Rejected { code: u32::from(*code), text: text.to_string() },
        }
    }

    /// What an expression sees of a world.
    pub fn view<'a>(&self, world: &World, observations: &'a [Arc<Value>], calls: &'a [CallView]) -> View<'a> {
        View {
            observations,
            calls,
            quiet: self.kernel.is_quiescent(world),
            faulted: world.faulted(),
            now_s: (world.time_ns - START_NS) / 1_000_000_000,
        }
    }

    /// The outcome of an execution that ends in this world.
    pub fn outcome(&self, observations: &[Arc<Value>], calls: &[CallView]) -> Outcome {
        Outcome::new(&self.scenario, observations, calls)
    }

    /// Name of a canister in the scenario; `?` for one that it does not have.
    pub fn canister_name(&self, canister: u16) -> &str {
        self.kernel.canister_name(canister)
    }
}
