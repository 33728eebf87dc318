//! Runs one message of one canister in the plainest way: a fresh instance, everything written in, everything read out.
//!
//! In: a state and a message. Out: the state after it, the answer and the requests, or why it trapped. Nothing is
//! shared between two messages but the compiled module. Left out: instruction limits.

use std::path::Path;
use std::rc::Rc;

use candid::Principal;
use wasmtime::{Config, Engine, Extern, Instance, InstancePre, Linker, Ref, Store, Val};

use super::ic0::{self, Run};
use super::memory::Image;
use super::message::{Answer, Done, Entry, Kind, Message, Stop};
use super::module;

/// The time at the start: 2021-05-10T08:00:00Z.
pub const START_NS: u64 = 1_620_633_600_000_000_000;

/// Everything of a canister's code that outlives a message.
#[derive(Clone)]
pub struct State {
    /// Which of the canister's modules it belongs to.
    pub module: usize,
    pub memory: Rc<Image>,
    globals: Rc<Vec<Val>>,
    pub stable: Rc<Vec<u8>>,
}

impl State {
    /// Do the two have the same bytes?
    pub fn is_same(&self, other: &State) -> bool {
        let globals = self.globals.iter().zip(other.globals.iter());
        self.module == other.module
            && self.memory == other.memory
            && self.stable == other.stable
            && globals.fold(true, |same, (a, b)| same && bits(a) == bits(b))
    }
}

fn bits(global: &Val) -> u128 {
    match global {
        Val::I32(value) => value.cast_unsigned().into(),
        Val::I64(value) => value.cast_unsigned().into(),
        Val::F32(bits) => (*bits).into(),
        Val::F64(bits) => (*bits).into(),
        Val::V128(value) => value.as_u128(),
        _ => panic!("a mutable global holds a reference"),
    }
}

/// One canister's compiled module.
#[derive(Clone)]
pub struct Host {
    pub id: Principal,
    controllers: Vec<Principal>,
    pre: InstancePre<Run>,
    globals: Vec<String>,
    exports: Vec<String>,
    /// Whether the module can see its version.
    pub sees_version: bool,
    number: usize,
    /// The memory of a fresh instance.
    fresh: Image,
}

/// The engine, configured for determinism (docs/semantics.md).
pub fn engine() -> Engine {
    let mut config = Config::new();
    config.cranelift_nan_canonicalization(true);
    config.wasm_relaxed_simd(false);
    config.wasm_multi_memory(false);
    config.wasm_extended_const(false);
    config.wasm_backtrace_max_frames(None);
    Engine::new(&config).expect("the engine can be configured")
}

impl Host {
    /// Compiles a canister. `id` and `controllers` are what it is told about itself.
    pub fn load(engine: &Engine, path: &Path, id: Principal, controllers: &[Principal]) -> Self {
        let wasm = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let prepared = module::prepare(&wasm);
        let compiled = wasmtime::Module::new(engine, &prepared.wasm).expect("the module compiles");
        let mut linker = Linker::new(engine);
        ic0::link(&mut linker).expect("every import is defined once");
        linker.define_unknown_imports_as_traps(&compiled).expect("unknown imports are functions");
        Self {
            id,
            controllers: controllers.to_vec(),
            pre: linker.instantiate_pre(&compiled).expect("the imports have the types of the IC"),
            globals: prepared.globals.into_iter().map(module::global).collect(),
            exports: prepared.exports,
            sees_version: prepared.sees_version,
            number: 0,
            fresh: Image::of(&prepared.memory),
        }
    }

    /// The same module as the one of this number of another canister.
    pub fn of(&self, id: Principal, controllers: &[Principal], number: usize) -> Self {
        Self { id, controllers: controllers.to_vec(), number, ..self.clone() }
    }

    /// The state of the module before any code ran.
    pub fn first(&self) -> State {
        let mut store = Store::new(self.pre.module().engine(), Run::idle());
        let instance = self.pre.instantiate(&mut store);
        let instance = instance.expect("the module can be instantiated");
        State {
            module: self.number,
            memory: Rc::new(self.fresh.clone()),
            globals: Rc::new(self.read_globals(&mut store, instance)),
            stable: Rc::default(),
        }
    }

    pub fn has_export(&self, name: &str) -> bool {
        self.exports.iter().any(|export| export == name)
    }

    /// What a call of this method runs, and the export's name.
    pub fn method(&self, method: &str) -> Option<(Kind, String)> {
        [
            (Kind::Query, "canister_query"),
            (Kind::Composite, "canister_composite_query"),
            (Kind::Update, "canister_update"),
        ]
        .into_iter()
        .map(|(kind, prefix)| (kind, format!("{prefix} {method}")))
        .find(|(_, export)| self.has_export(export))
    }

    /// Runs one message. A trap leaves nothing behind: the state before is still the state.
    pub fn run(&self, state: &State, message: Message) -> Result<Done, Stop> {
        let (mut store, instance) = self.enter(state, message)?;
        let memory = store.data().memory.expect("the memory is known");
        let memory = Rc::new(state.memory.after(memory.data(&store)));
        let globals = Rc::new(self.read_globals(&mut store, instance));
        let run = store.into_data();
        let state = State { module: state.module, memory, globals, stable: run.stable };
        let (accepted, burned) = (run.accepted, run.burned);
        let (timer_ns, certified, is_let_in) = (run.timer_ns, run.certified, run.is_let_in);
        let (answer, requests) = (run.answer, run.requests);
        Ok(Done { state, answer, requests, accepted, burned, timer_ns, certified, is_let_in })
    }

    /// Runs one message whose changes nobody wants: what it answers and calls is all there is to know.
    pub fn ask(&self, state: &State, message: Message) -> Result<(Option<Answer>, usize), Stop> {
        let (store, _) = self.enter(state, message)?;
        let run = store.into_data();
        Ok((run.answer, run.requests.len()))
    }

    fn enter(&self, state: &State, message: Message) -> Result<(Store<Run>, Instance), Stop> {
        let entry = message.entry.clone();
        let run = Run::new(self.id, &self.controllers, state, message);
        let mut store = Store::new(self.pre.module().engine(), run);
        let instance = self.pre.instantiate(&mut store);
        let instance = instance.expect("the module can be instantiated");
        self.write(&mut store, instance, state);
        match call(&mut store, instance, &entry) {
            Ok(()) => Ok((store, instance)),
            Err(error) => {
                let performed = store.data().requests.iter().map(|call| (call.callee.clone(), call.method.clone()));
                Err(Stop { performed: performed.collect(), ..self.stop(&error) })
            }
        }
    }

    fn write(&self, store: &mut Store<Run>, instance: Instance, state: &State) {
        let memory = instance.get_memory(&mut *store, module::MEMORY);
        let memory = memory.expect("the memory is exported");
        let missing = state.memory.pages() - memory.size(&*store);
        memory.grow(&mut *store, missing).expect("the memory grows");
        let bytes = memory.data_mut(&mut *store);
        state.memory.write_over(&self.fresh, bytes);
        store.data_mut().memory = Some(memory);
        for (name, value) in self.globals.iter().zip(state.globals.iter()) {
            let global = instance.get_global(&mut *store, name);
            let global = global.expect("the global is exported");
            global.set(&mut *store, *value).expect("same type");
        }
    }

    fn read_globals(&self, store: &mut Store<Run>, instance: Instance) -> Vec<Val> {
        let get = |name| instance.get_export(&mut *store, name);
        let globals: Vec<Option<Extern>> = self.globals.iter().map(String::as_str).map(get).collect();
        let globals = globals.into_iter().map(|global| global?.into_global());
        globals.map(|global| global.expect("the global is exported").get(&mut *store)).collect()
    }

    fn stop(&self, error: &wasmtime::Error) -> Stop {
        let (code, text) = if let Some(stop) = error.downcast_ref::<Stop>() {
            (stop.code, stop.text.clone())
        } else if let Some(trap) = error.downcast_ref::<wasmtime::Trap>() {
            (502, format!("Canister trapped: {}", ic0::trap_text(*trap)))
        } else {
            (504, format!("{error:#}"))
        };
        Stop::new(code, &format!("Error from Canister {}: {text}", self.id))
    }
}

/// Runs the code itself.
fn call(store: &mut Store<Run>, instance: Instance, entry: &Entry) -> wasmtime::Result<()> {
    match entry {
        Entry::Export(name) => instance.get_typed_func::<(), ()>(&mut *store, name)?.call(store, ()),
        &Entry::Table(index, env) => {
            let table = instance.get_table(&mut *store, module::TABLE);
            let element = table.and_then(|table| table.get(&mut *store, index.into()));
            let Some(Ref::Func(function)) = element else {
                let text = format!("Canister requested to invoke a non-existent Wasm function {index} from table 0");
                return Err(Stop::new(513, &text).into());
            };
            let null = || ic0::violation("unexpected null function reference");
            let function = function.ok_or_else(null)?;
            function.typed::<u32, ()>(&*store)?.call(store, env)
        }
    }
}
