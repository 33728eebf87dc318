//! The embedded engine: a scenario's canisters, installed and set up, with everything that can be asked of a world.
//!
//! In: a [`Scenario`]. Out: the first world, and for each world its observations and calls as invariants see them. Which
//! steps are made is decided elsewhere; what may happen is read off the scenario in `lower`.

pub mod alone;
mod arguments;
mod ghost;
mod lower;
pub mod sequence;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use candid::Principal;

use crate::kernel::guest::{Env, Execution, Guest};
use crate::kernel::world::{CanisterState, NOT_STARTED};
use crate::kernel::{CallSpec, Input, Kernel, Limits, Plan, Response, Unsupported, World};
use crate::scenario::{
    Bounds, CallState, CallView, Code, FaultPlace, Invariant, Oracle, Reply, Scenario, Value, View, observed_as,
};
use crate::trace::Outcome;

use alone::Alone;
use sequence::Sequence;

use super::allowance::Allowance;
use super::builtin;
use super::wasm::WasmGuest;
use super::wasm::module::{Instrumentation, MODULE_MAX, Method, Module, ModuleError, engine};

use arguments::Given;

/// Time at which every exploration starts: 2021-05-10 08:00 UTC, the genesis of the IC, in nanoseconds.
pub const START_NS: u64 = 1_620_633_600_000_000_000;

/// Deliveries that one setup call may take.
const SETUP_MAX: usize = 10_000;

/// Why a scenario cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// The wasm file cannot be read.
    #[error("{file}: canister `{canister}`: cannot read {}: {source}; build the module first, or correct `wasm`", wasm.display())]
    Read {
        /// Scenario file.
        file: String,
        /// Canister in the scenario.
        canister: String,
        /// The module.
        wasm: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The module cannot be loaded.
    #[error("{file}: canister `{canister}`: {}: {source}", wasm.display())]
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

/// Modules that are loaded, by their paths.
pub struct Modules {
    engine: wasmtime::Engine,
    modules: BTreeMap<PathBuf, Arc<Module>>,
}

impl Modules {
    /// None yet.
    ///
    /// # Errors
    /// If wasmtime does not run on this machine.
    pub fn new() -> Result<Modules, EmbeddedError> {
        let engine = engine().map_err(|error| EmbeddedError::Machine(format!("{error:#}")))?;
        Ok(Modules { engine, modules: BTreeMap::new() })
    }
}

/// A scenario, installed.
pub struct Embedded {
    /// The scenario.
    pub scenario: Arc<Scenario>,
    /// The kernel that holds its canisters.
    pub kernel: Kernel,
    start: World,
    /// SHA-256 of each canister's module.
    pub hashes: Vec<String>,
    queries: Vec<(u16, u32)>,
    actors: Vec<usize>,
    values: BTreeMap<(usize, u32), Arc<Value>>,
    replies: BTreeMap<u32, Arc<Reply>>,
    arguments: HashMap<Arc<[u8]>, Arc<Value>>,
    allowance: Allowance,
    /// What oracles compare worlds with: made when one first asks.
    alone: Option<Alone>,
    sequence: Arc<OnceLock<Arc<Sequence>>>,
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
        loaded: &mut Modules,
    ) -> Result<Embedded, EmbeddedError> {
        let file = scenario.file.display().to_string();
        let (engine, modules) = (loaded.engine.clone(), &mut loaded.modules);
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
            let mut module = |wasm: &PathBuf| match modules.get(wasm) {
                Some(module) => Ok(module.clone()),
                None => {
                    let module = Arc::new(load(&engine, &file, &canister.name, wasm)?);
                    modules.insert(wasm.clone(), module.clone());
                    Ok::<_, EmbeddedError>(module)
                }
            };
            let first = module(wasm)?;
            hashes.push(first.hash.clone());
            let mut guest = WasmGuest::within(engine.clone(), allowance.clone());
            guest.add(first).map_err(|what| named(format!("{} {what}", wasm.display())))?;
            // Modules that a fault may install later.
            for (at, fault) in scenario.faults.iter().enumerate() {
                if let (FaultPlace::Canister(here), Some(wasm)) = (&fault.place, &fault.wasm)
                    && *here == position
                {
                    let later = guest.add(module(wasm)?).map_err(|what| named(format!("{} {what}", wasm.display())))?;
                    upgrades.insert(at, later);
                }
            }
            installed.push(install(&mut guest, canister).map_err(named)?);
            guests.push((name, canister.id, Box::new(guest)));
        }
        let to_create = scenario.ids_to_create();
        let mut empty = Vec::new();
        for (at, id) in to_create.into_iter().enumerate() {
            let guest = WasmGuest::within(engine.clone(), allowance.clone());
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
        let (states, given) = set_up(&mut kernel, &scenario, states)?;
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
            queries,
            actors: instances.iter().map(|instance| instance.actor).collect(),
            values: BTreeMap::new(),
            replies: BTreeMap::new(),
            arguments: HashMap::new(),
            scenario,
            allowance: allowance.clone(),
            alone,
            sequence: Arc::default(),
        })
    }

    /// The same scenario for another thread: worlds, ids and remembered executions are those of both.
    pub fn fork(&self) -> Embedded {
        Embedded {
            scenario: self.scenario.clone(),
            kernel: self.kernel.fork(),
            start: self.start.clone(),
            hashes: self.hashes.clone(),
            queries: self.queries.clone(),
            actors: self.actors.clone(),
            values: BTreeMap::new(),
            replies: BTreeMap::new(),
            arguments: HashMap::new(),
            allowance: self.allowance.clone(),
            alone: self.alone.as_ref().map(Alone::fork),
            sequence: self.sequence.clone(),
        }
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
            let value = Arc::new(self.decode(at, response));
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

    fn decode(&self, observation: usize, response: u32) -> Value {
        let value = match self.kernel.response(response) {
            Response::Reply(bytes) => Value::decode_with(bytes, &self.scenario.labels),
            Response::Reject { text, .. } => Err(text.to_string()),
        };
        let path = &self.scenario.observations[observation].path;
        let value = value.and_then(|value| path.as_ref().map_or_else(|| Ok(value.clone()), |path| value.at(path)));
        value.unwrap_or_else(Value::Failed)
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
            let args = self.kernel.argument(world, at).unwrap_or_default();
            let given = self.given(&args);
            views.push(CallView { entry, actor: self.actors[at], state, args, given });
        }
        views
    }

    /// What arguments say, for expressions.
    fn given(&mut self, args: &Arc<[u8]>) -> Arc<Value> {
        if let Some(value) = self.arguments.get(args) {
            return value.clone();
        }
        let value = Arc::new(Value::decode_args(args, &self.scenario.labels).unwrap_or_else(Value::Failed));
        self.arguments.insert(args.clone(), value.clone());
        value
    }

    /// An interned response as expressions see it.
    pub fn reply(&mut self, response: u32) -> Arc<Reply> {
        if let Some(reply) = self.replies.get(&response) {
            return reply.clone();
        }
        let reply = Arc::new(match self.kernel.response(response) {
            Response::Reply(bytes) => {
                let value = Value::decode_with(bytes, &self.scenario.labels).unwrap_or_else(Value::Failed);
                Reply::Replied(value, bytes.to_vec())
            }
            Response::Reject { code, text } => Reply::Rejected { code: u32::from(*code), text: text.to_string() },
        });
        self.replies.insert(response, reply.clone());
        reply
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

fn load(engine: &wasmtime::Engine, file: &str, canister: &str, wasm: &Path) -> Result<Module, EmbeddedError> {
    let (name, wasm) = (canister.to_string(), wasm.to_path_buf());
    // A byte more than can be loaded: a larger file, or one that never ends, is refused without being read.
    let read = |file: File| {
        let mut bytes = Vec::new();
        file.take(MODULE_MAX as u64 + 1).read_to_end(&mut bytes).map(|_| bytes)
    };
    let bytes = File::open(&wasm).and_then(read).map_err(|source| EmbeddedError::Read {
        file: file.to_string(),
        canister: name.clone(),
        wasm: wasm.clone(),
        source,
    })?;
    let file = file.to_string();
    Module::load(engine, &bytes, Instrumentation::Full).map_err(|source| EmbeddedError::Module {
        file,
        canister: name,
        wasm,
        source,
    })
}

fn install(guest: &mut WasmGuest, canister: &crate::scenario::Canister) -> Result<Execution, String> {
    let installer = canister.controllers.first().copied().unwrap_or(Principal::anonymous());
    let env = Env {
        controllers: Arc::from(canister.controllers.as_slice()),
        ..Env::outside(canister.id, installer, START_NS)
    };
    let fresh = guest.fresh();
    let installed = guest.execute(fresh, Input::Init { arg: &canister.init }, &env)?;
    match installed.trap {
        Some(trap) => Err(format!("installation failed: IC{:04}: {}; check `init`", trap.code, trap.text)),
        None => Ok(installed),
    }
}

/// Calls and observations must name methods that exist.
fn check_methods(scenario: &Scenario, modules: &BTreeMap<PathBuf, Arc<Module>>) -> Result<(), EmbeddedError> {
    let file = scenario.file.display();
    // `observed`: whether it is observed as an update, if it is observed.
    let method = |canister: usize, name: &str, line: Option<usize>, observed: Option<bool>| {
        let canister = &scenario.canisters[canister];
        let place = line.map_or_else(|| file.to_string(), |line| format!("{file}:{line}"));
        let known: BTreeMap<&str, Method> = match &canister.code {
            Code::Wasm(wasm) => modules[wasm].methods.iter().map(|(name, kind)| (name.as_str(), *kind)).collect(),
            code => builtin::methods(code),
        };
        match known.get(name) {
            None => {
                let nearest = known.keys().max_by(|a, b| {
                    let likeness = |other: &str| strsim::jaro_winkler(name, other);
                    likeness(a).total_cmp(&likeness(b))
                });
                let hint = nearest.map_or_else(String::new, |nearest| format!(", did you mean `{nearest}`?"));
                let text = format!("{place}: canister `{}` has no method `{name}`{hint}", canister.name);
                Err(EmbeddedError::Scenario(text))
            }
            // A stub's method is what it is called as.
            Some(Method::Query) if matches!(canister.code, Code::Stub(_)) => Ok(()),
            Some(kind) => match observed {
                Some(is_update) if is_update != (*kind == Method::Update) => {
                    let text = format!("{place}: canister `{}`: {}", canister.name, observed_as(name, is_update));
                    Err(EmbeddedError::Scenario(text))
                }
                _ => Ok(()),
            },
        }
    };
    for call in &scenario.calls {
        method(call.canister, &call.method, Some(call.line), None)?;
    }
    for observation in &scenario.observations {
        let observed = Some(observation.is_update);
        method(observation.canister, &observation.method, Some(observation.line), observed)?;
    }
    for call in &scenario.setup {
        method(call.canister, &call.method, None, None)?;
    }
    for call in scenario.canisters.iter().flat_map(|canister| builtin::calls(&canister.code)) {
        method(call.canister, &call.method, Some(call.line), None)?;
    }
    for ghost in &scenario.ghosts {
        if let Some(callee) = ghost.callee {
            method(callee, &ghost.method, Some(ghost.line), None)?;
        }
    }
    for fault in &scenario.faults {
        match &fault.place {
            FaultPlace::Edge { callee: Some(callee), method: name, .. } => {
                method(*callee, name, Some(fault.line), None)?
            }
            FaultPlace::Edge { callee: None, method: name, .. }
                if !crate::kernel::MANAGEMENT_METHODS.contains(&name.as_str()) =>
            {
                let line = fault.line;
                let text =
                    format!("{file}:{line}: the management method `{name}` is not offered by the embedded engine");
                return Err(EmbeddedError::Scenario(text));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Makes the setup calls one after the other, each to its end, always with the first legal step; what they have given.
fn set_up(
    kernel: &mut Kernel,
    scenario: &Scenario,
    mut states: Vec<CanisterState>,
) -> Result<(Vec<CanisterState>, Given), EmbeddedError> {
    let depth = scenario.bounds.depth;
    let names = scenario.names();
    let mut given = Given::default();
    for (at, call) in scenario.setup.iter().enumerate() {
        let spec = CallSpec {
            entry: 0,
            canister: call.canister as u16,
            method: call.method.clone(),
            arg: given.argument_of(scenario, &call.template, &call.args)?,
            chosen: None,
            caller: call.by,
            after: Vec::new(),
        };
        let limits = Limits { calls: 1, in_flight: 1, depth, ..Limits::NONE };
        let (seed, outcalls) = (u64::from(scenario.seed), lower::outcall_specs(scenario));
        kernel.plan(Plan { calls: vec![spec], seed, outcalls, limits, wide: limits, ..Plan::EMPTY });
        let mut world = kernel.start(states, START_NS);
        let mut choices = Vec::new();
        let mut left = SETUP_MAX;
        loop {
            kernel.choices(&world, &mut choices)?;
            let Some(choice) = choices.first().filter(|_| left > 0) else { break };
            world = kernel.apply(&world, choice)?.0;
            left -= 1;
        }
        let failed = |what: String| {
            let (file, method) = (scenario.file.display(), &call.method);
            Err(EmbeddedError::Scenario(format!("{file}: setup call {} (`{method}`) {what}", at + 1)))
        };
        match kernel.answer(world.trees[0]).map(|answer| kernel.response(answer).clone()) {
            Some(Response::Reply(reply)) if !kernel.is_busy(world.trees[0]) => {
                given.take(&call.captures, &reply, &names)
            }
            Some(Response::Reject { code, text }) => return failed(format!("was rejected with code {code}: {text}")),
            _ => return failed("does not come to its end".to_string()),
        }
        states = world.canisters;
    }
    Ok((states, given))
}
