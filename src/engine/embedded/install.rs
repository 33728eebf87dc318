//! Installation: modules are read and compiled, canisters initialised, names of methods checked, setup calls made.
//!
//! In: a scenario's canisters and setup. Out: their states before the first step, and what replies of the setup have given.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candid::Principal;

use crate::files;
use crate::kernel::guest::{Env, Execution, Guest};
use crate::kernel::world::CanisterState;
use crate::kernel::{CallSpec, Cycles, Delivery, Input, Kernel, Limits, MANAGEMENT_METHODS, Plan, Response};
use crate::scenario::{Canister, Code, FaultPlace, Scenario, observed_as};
use crate::schedule::StepKind;

use super::super::builtin;
use super::super::wasm::WasmGuest;
use super::super::wasm::module::{self, Instrumentation, Method, Module, engine};
use super::arguments::Given;
use super::{EmbeddedError, START_NS, lower};

/// Deliveries that one setup call may take.
const SETUP_MAX: usize = 10_000;

/// Modules that are loaded, by their paths.
pub struct Modules {
    pub(super) engine: wasmtime::Engine,
    instrumentation: Instrumentation,
    modules: BTreeMap<PathBuf, Arc<Module>>,
}

impl Modules {
    /// None yet.
    ///
    /// # Errors
    /// If wasmtime does not run on this machine.
    pub fn new() -> Result<Modules, EmbeddedError> {
        Modules::with(Instrumentation::Full)
    }

    /// None yet; they will be loaded with what this adds to them.
    ///
    /// # Errors
    /// As [`Modules::new`].
    pub fn with(instrumentation: Instrumentation) -> Result<Modules, EmbeddedError> {
        let engine = engine().map_err(|error| EmbeddedError::Machine(format!("{error:#}")))?;
        Ok(Modules { engine, instrumentation, modules: BTreeMap::new() })
    }

    /// The module of this file, if it was loaded.
    pub fn loaded(&self, wasm: &Path) -> Option<&Arc<Module>> {
        self.modules.get(wasm)
    }

    /// All that were loaded.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Module>> {
        self.modules.values()
    }

    /// A module, loaded for this canister of a scenario file unless it was before.
    pub(super) fn module(&mut self, file: &str, canister: &str, wasm: &Path) -> Result<Arc<Module>, EmbeddedError> {
        if let Some(module) = self.modules.get(wasm) {
            return Ok(module.clone());
        }
        let module = Arc::new(load(self, file, canister, wasm)?);
        self.modules.insert(wasm.to_path_buf(), module.clone());
        Ok(module)
    }
}

/// Reads and compiles a module.
fn load(modules: &Modules, file: &str, canister: &str, wasm: &Path) -> Result<Module, EmbeddedError> {
    let (name, wasm) = (canister.to_string(), wasm.to_path_buf());
    let bytes = files::read(&wasm, &module::FILE).map_err(|source| EmbeddedError::Read {
        file: file.to_string(),
        canister: name.clone(),
        source,
    })?;
    let file = file.to_string();
    Module::load(&modules.engine, &bytes, modules.instrumentation).map_err(|source| EmbeddedError::Module {
        file,
        canister: name,
        wasm,
        source,
    })
}

/// Runs `canister_init`.
pub(super) fn install(guest: &mut WasmGuest, canister: &Canister) -> Result<Execution, String> {
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
pub(super) fn check_methods(scenario: &Scenario, modules: &Modules) -> Result<(), EmbeddedError> {
    let file = scenario.file.display();
    // `observed`: whether it is observed as an update, if it is observed.
    let method = |canister: usize, name: &str, line: Option<usize>, observed: Option<bool>| {
        let canister = &scenario.canisters[canister];
        let place = line.map_or_else(|| file.to_string(), |line| format!("{file}:{line}"));
        let known: BTreeMap<&str, Method> = match &canister.code {
            Code::Wasm(wasm) => {
                modules.modules[wasm].methods.iter().map(|(name, kind)| (name.as_str(), *kind)).collect()
            }
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
            FaultPlace::Edge { callee: None, method: name, .. } if !MANAGEMENT_METHODS.contains(&name.as_str()) => {
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

/// What the setup calls did.
#[derive(Clone, Debug, Default)]
pub struct SetUp {
    /// Their arguments, as Candid, in file order.
    pub args: Vec<Vec<u8>>,
    /// Requests between canisters that were answered at once, in the order in which they were executed.
    pub exchanges: Vec<Exchange>,
}

/// A request of the setup, and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Which setup call caused it.
    pub call: usize,
    /// Who executed it, by position.
    pub callee: u16,
    /// The method.
    pub method: String,
    /// Its argument.
    pub arg: Vec<u8>,
    /// The answer.
    pub response: Response,
    /// Cycles that were accepted.
    pub accepted: Cycles,
}

/// Makes the setup calls one after the other, each to its end, always with the first legal step; what they have given.
pub(super) fn set_up(
    kernel: &mut Kernel,
    scenario: &Scenario,
    mut states: Vec<CanisterState>,
) -> Result<(Vec<CanisterState>, Given, SetUp), EmbeddedError> {
    let depth = scenario.bounds.depth;
    let names = scenario.names();
    let mut given = Given::default();
    let mut set_up = SetUp::default();
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
        set_up.args.push(spec.arg.clone());
        let limits = Limits { calls: 1, in_flight: 1, depth, ..Limits::NONE };
        let (seed, outcalls) = (u64::from(scenario.seed), lower::outcall_specs(scenario));
        kernel.plan(Plan { calls: vec![spec], seed, outcalls, limits, wide: limits, ..Plan::EMPTY });
        let mut world = kernel.start(states, START_NS);
        let mut choices = Vec::new();
        let mut left = SETUP_MAX;
        loop {
            kernel.choices(&world, &mut choices)?;
            let Some(choice) = choices.first().filter(|_| left > 0) else { break };
            let (next, happened) = kernel.apply(&world, choice)?;
            if choice.kind == StepKind::Request {
                set_up.exchanges.extend(exchange(kernel, at, happened.delivery()));
            }
            world = next;
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
    Ok((states, given, set_up))
}

/// What a delivery answered to the request that it executed.
fn exchange(kernel: &Kernel, call: usize, delivery: Option<&Delivery>) -> Option<Exchange> {
    let delivery = delivery?;
    let (method, arg) = kernel.call_text(delivery.message)?;
    let (_, response) = delivery.answered.as_ref()?;
    Some(Exchange {
        call,
        callee: delivery.canister,
        method: method.to_string(),
        arg: arg.to_vec(),
        response: kernel.response(*response).clone(),
        accepted: delivery.effects.accepted,
    })
}
