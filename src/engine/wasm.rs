//! The embedded engine's canisters: real wasm, executed by wasmtime, one message at a time.
//!
//! In: a module and messages. Out: states and effects, as [`Guest`](crate::kernel::Guest) asks for. Which message comes next is the kernel's and
//! the search's business.
//!
//! ```text
//! ic0      the system API as a table       rewrite   what is added to a module at load
//! module   checked, rewritten, compiled    pages     states kept once
//! host     one execution's view            stable    stable memory as one execution sees it
//! syscalls what the functions do           instance  warm instances, brought from state to state
//! guest    which function a message runs, and in which mode
//! save     modules and states as bytes
//! ```

pub mod debug;
pub mod ic0;
pub mod module;

mod guest;
mod host;
mod instance;
mod pages;
mod rewrite;
mod save;
mod sizes;
mod stable;
mod syscalls;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use wasmtime::Engine;

use super::allowance::{Allowance, size};
use crate::kernel::guest::{Env, Execution, Trap};
use crate::kernel::{Input, MemoryId};

use ic0::Mode;
use instance::{Entry, Stop, Warm};
use module::Module;
use pages::{Memory, Store as PageStore};

/// Instructions that one message may execute (semantics 6); a callback leaves some for its cleanup.
const UPDATE_LIMIT: u64 = 40_000_000_000;
const CALLBACK_LIMIT: u64 = 38_000_000_000;
const QUERY_LIMIT: u64 = 5_000_000_000;
const INSTALL_LIMIT: u64 = 300_000_000_000;
const INSPECT_LIMIT: u64 = 200_000_000;

/// Instances kept warm, one for each size of the heap; more sizes than this evict the smallest.
const WARM_MAX: usize = 8;

/// Stack that wasm may use, as on the IC.
const WASM_STACK: usize = 5 << 20;
/// Stack that is left for system functions when wasm has used all of its own.
const HOST_STACK: usize = 1 << 20;
/// Stack that is taken when the thread has less than that left.
const STACK: usize = 16 << 20;

/// A canister of real wasm: the modules that it has or may get, its states, and this worker's instances.
pub struct WasmGuest {
    engine: Engine,
    allowance: Allowance,
    shared: Arc<Shared>,
    /// By number of the module, then by size of the heap.
    warm: Vec<BTreeMap<u64, Warm>>,
    /// Whether calls say which functions were running.
    traces: bool,
}

/// What all workers know of a canister.
struct Shared {
    pages: Arc<PageStore>,
    /// The state of a canister without a module.
    empty: MemoryId,
    versions: boxcar::Vec<Version>,
    /// Its environment variables by name.
    variables: Arc<BTreeMap<String, String>>,
    /// Held while a module is added, so that it gets one number.
    adding: Mutex<()>,
}

/// A module.
struct Version {
    module: Arc<Module>,
    /// The state before installation: start function and `canister_init` have not run.
    fresh: MemoryId,
    /// Its bytes, if it was installed while the search ran; `None`: it was known before anything ran.
    installed: Option<Vec<u8>>,
}

impl WasmGuest {
    /// A canister without a module, with what the IC allows.
    pub fn new(engine: Engine) -> WasmGuest {
        WasmGuest::within(engine, Allowance::default())
    }

    /// A canister without a module.
    pub fn within(engine: Engine, allowance: Allowance) -> WasmGuest {
        let pages = Arc::new(PageStore::new(allowance.ceiling.clone()));
        let empty = pages.intern(Memory::empty());
        let variables = Arc::default();
        let shared = Shared { pages, empty, versions: boxcar::Vec::new(), variables, adding: Mutex::new(()) };
        WasmGuest { engine, allowance, shared: Arc::new(shared), warm: Vec::new(), traces: false }
    }

    /// A canister that has no module yet, with these environment variables.
    pub fn with_variables(mut self, variables: BTreeMap<String, String>) -> WasmGuest {
        let shared = Arc::get_mut(&mut self.shared).expect("bug in canloom: a canister that runs keeps its variables");
        shared.variables = Arc::new(variables);
        self
    }

    /// Makes a module known; returns its number among the canister's modules.
    ///
    /// # Errors
    /// If the module cannot be instantiated: an active segment is out of bounds, its memory or table is too large.
    pub fn add(&mut self, module: Arc<Module>) -> Result<u16, String> {
        self.add_version(module, None)
    }

    fn add_version(&mut self, module: Arc<Module>, installed: Option<&[u8]>) -> Result<u16, String> {
        let shared = self.shared.clone();
        let _adding = shared.adding.lock().expect("bug in canloom: modules were left locked");
        if let Some((known, _)) = shared.versions.iter().find(|(_, version)| version.module.hash == module.hash) {
            return Ok(known as u16);
        }
        let number = shared.versions.count() as u16;
        let warm = Warm::new(&module, number, None, &shared.pages, &self.allowance.ceiling).map_err(no_instance)?;
        let (fresh, heap_pages) = (warm.current(), warm.heap_pages());
        shared.versions.push(Version { module, fresh, installed: installed.map(<[u8]>::to_vec) });
        self.keep(number, heap_pages, warm);
        Ok(number)
    }

    /// The state in which the first module was loaded: start function and `canister_init` have not run.
    pub fn fresh(&self) -> MemoryId {
        self.shared.versions.get(0).map_or(self.shared.empty, |version| version.fresh)
    }

    /// The first module.
    pub fn module(&self) -> Option<&Module> {
        self.shared.versions.get(0).map(|version| version.module.as_ref())
    }

    /// Distinct states, pages and nodes kept.
    pub fn sizes(&self) -> (usize, usize, usize) {
        self.shared.pages.sizes()
    }

    fn state(&self, memory: MemoryId) -> &Memory {
        self.shared.pages.memory(memory)
    }

    /// The module in this state, if there is one.
    fn version(&self, memory: MemoryId) -> Option<&Version> {
        self.state(memory).module.map(|at| self.numbered(at))
    }

    fn numbered(&self, version: u16) -> &Version {
        &self.shared.versions[usize::from(version)]
    }

    /// Whether the module in this state, or one that the scenario names, imports a function. What is installed while the
    /// search runs counts only where it is, so that the answer depends on the state alone.
    fn sees(&self, memory: MemoryId, function: &str) -> bool {
        let mut planned = self.shared.versions.iter().filter(|(_, version)| version.installed.is_none());
        planned.any(|(_, version)| version.module.imports(function))
            || self.version(memory).is_some_and(|version| version.module.imports(function))
    }

    /// This worker's instances of a module.
    fn instances(&mut self, version: u16) -> &mut BTreeMap<u64, Warm> {
        let version = usize::from(version);
        if self.warm.len() <= version {
            self.warm.resize_with(version + 1, BTreeMap::new);
        }
        &mut self.warm[version]
    }

    /// Gives a new instance what is the canister's.
    fn equip(&self, warm: &mut Warm) {
        let host = warm.store.data_mut();
        host.stable.attach(self.shared.pages.clone());
        host.variables = self.shared.variables.clone();
    }

    fn keep(&mut self, version: u16, heap_pages: u64, mut warm: Warm) {
        if self.numbered(version).module.shape.needs_fresh {
            return;
        }
        self.equip(&mut warm);
        let instances = self.instances(version);
        if instances.len() >= WARM_MAX {
            instances.pop_first();
        }
        instances.insert(heap_pages, warm);
    }

    /// An instance whose heap has the size that a state needs.
    fn take(&mut self, version: u16, heap_pages: u64) -> Result<Warm, String> {
        let ceiling = self.allowance.ceiling.clone();
        let bytes = heap_pages * pages::WASM_PAGE as u64;
        // The execution may write to all of its heap, and nothing can stop it in between.
        if !ceiling.allows(bytes) {
            self.warm.clear();
            if !ceiling.allows(bytes) {
                return Err(ceiling.refuse(&format!("a message to a canister with a heap of {}", size(bytes))));
            }
        }
        if let Some(warm) = self.instances(version).remove(&heap_pages) {
            return Ok(warm);
        }
        let Version { module, fresh, .. } = self.numbered(version);
        let mut warm = Warm::new(module, version, Some(*fresh), &self.shared.pages, &ceiling).map_err(no_instance)?;
        warm.grow_to(heap_pages).map_err(no_instance)?;
        self.equip(&mut warm);
        Ok(warm)
    }

    fn run(
        &mut self,
        memory: MemoryId,
        entry: &Entry<'_>,
        mode: Mode,
        limit: u64,
        input: &Input<'_>,
        env: &Env<'_>,
    ) -> Result<Execution, String> {
        let pages = self.shared.pages.clone();
        let state = pages.memory(memory);
        let version = state.module.expect("bug in canloom: a canister without a module runs nothing");
        let (heap_pages, stable) = (state.heap_pages, (state.stable_pages, state.stable));
        let limit = self.allowance.instructions(limit);
        let mut warm = self.take(version, heap_pages)?;
        warm.restore(memory, &pages);
        warm.store.data_mut().reset(mode, input, env, stable, limit);
        warm.store.data_mut().traces = self.traces;
        // Deep recursion needs the stack that wasmtime may use, and some for the system functions at its end.
        let ended = stacker::maybe_grow(WASM_STACK + HOST_STACK, STACK, || warm.run(entry, limit));
        let left = warm.left();
        let instructions = limit - left.max(0) as u64;
        if let Some(what) = warm.store.data_mut().unsupported.take() {
            return Err(what);
        }
        if let Err(Stop::Wasm(error)) = &ended
            && error.downcast_ref() == Some(&wasmtime::Trap::Interrupt)
        {
            return Err(INTERRUPTED.to_string());
        }
        let trap = ended.err().map(|stop| why(stop, &mut warm, left, limit));
        let after = if trap.is_none() && mode.keeps_state() {
            warm.capture(&pages)
                .map_err(|bytes| self.allowance.ceiling.refuse(&format!("a message that writes {}", size(bytes))))?
        } else {
            warm.roll_back(&pages);
            memory
        };
        let covered = warm.take_covered();
        let execution = Execution { covered, ..warm.store.data_mut().finish(after, trap, instructions) };
        // An instance that grew for nothing cannot shrink again.
        let heap_pages_after = warm.heap_pages();
        if heap_pages_after == heap_pages || after != memory {
            self.keep(version, heap_pages_after, warm);
        }
        Ok(execution)
    }

    /// Runs an entry point if the module has it; without it nothing happens.
    fn run_export(
        &mut self,
        memory: MemoryId,
        name: &str,
        mode: Mode,
        limit: u64,
        input: &Input<'_>,
        env: &Env<'_>,
    ) -> Result<Execution, String> {
        let has = self.version(memory).is_some_and(|version| version.module.exports(name));
        if has { self.run(memory, &Entry::Export(name), mode, limit, input, env) } else { Ok(Execution::idle(memory)) }
    }

    /// Runs the start function, then an entry point of the installation.
    fn install(&mut self, memory: MemoryId, name: &str, input: &Input<'_>, env: &Env<'_>) -> Result<Execution, String> {
        let started = self.run_export(memory, rewrite::START, Mode::Start, INSTALL_LIMIT, input, env)?;
        if started.trap.is_some() {
            return Ok(started);
        }
        self.run_export(started.memory, name, Mode::Init, INSTALL_LIMIT, input, env)
    }

    /// Calls an update method on a warm instance and keeps nothing of it: neither restores nor captures a state. For
    /// benchmarks: what wasmtime itself takes for a message.
    ///
    /// # Errors
    /// If the method cannot be called, or traps.
    pub fn call_bare(&mut self, method: &str, arg: &[u8], env: &Env<'_>) -> Result<(), String> {
        let (heap_pages, mut warm) = self.instances(0).pop_first().ok_or("no warm instance")?;
        let stable = (0, pages::Root::zero(0));
        warm.store.data_mut().reset(Mode::Update, &Input::Call { method, arg }, env, stable, UPDATE_LIMIT);
        let name = format!("canister_update {method}");
        let ended = warm.run(&Entry::Export(&name), UPDATE_LIMIT);
        self.instances(0).insert(heap_pages, warm);
        ended.map_err(|_| format!("`{method}` trapped"))
    }

    fn refuse(&self, memory: MemoryId, code: u16, text: String) -> Execution {
        Execution { trap: Some(Trap { code, text }), ..Execution::idle(memory) }
    }
}

/// What is said of an execution that was interrupted.
const INTERRUPTED: &str = "interrupted while it executed a message";

/// Why there is no instance.
fn no_instance(error: wasmtime::Error) -> String {
    let text = format!("{error:#}");
    let limit =
        if text.contains("mmap failed") { "address space (ulimit -v unlimited)" } else { "files (ulimit -f, -n)" };
    // What the system refuses is no fault of the module.
    if text.contains("(os error ") {
        return format!("{NO_SPACE}: {text}; raise the limit of {limit}");
    }
    format!("cannot be instantiated: {text}")
}

/// How the text begins that says that the machine, and not the module, is why a module cannot be instantiated.
pub const NO_SPACE: &str = "there is no room for the heap of a canister";

/// The IC's error for an execution that was stopped (semantics 2.6).
fn why(stop: Stop, warm: &mut Warm, left: i64, limit: u64) -> Trap {
    let error = match stop {
        Stop::Trap(trap) => return trap,
        Stop::Wasm(error) => error,
    };
    if let Some(trap) = warm.store.data_mut().trap.take() {
        return trap;
    }
    if left < 0 {
        let text = format!("Canister exceeded the limit of {limit} instructions for single message execution.");
        return Trap { code: 522, text };
    }
    let what = match error.downcast_ref::<wasmtime::Trap>() {
        Some(wasmtime::Trap::UnreachableCodeReached) => "unreachable",
        Some(wasmtime::Trap::MemoryOutOfBounds) => "heap out of bounds",
        Some(wasmtime::Trap::TableOutOfBounds) => "table out of bounds",
        Some(wasmtime::Trap::IndirectCallToNull) => "indirect call null",
        Some(wasmtime::Trap::BadSignature) => "indirect call signature mismatch",
        Some(wasmtime::Trap::IntegerOverflow) => "integer overflow",
        Some(wasmtime::Trap::IntegerDivisionByZero) => "integer division by 0",
        Some(wasmtime::Trap::BadConversionToInteger) => "invalid conversion to integer",
        Some(wasmtime::Trap::StackOverflow) => "stack overflow",
        _ => "unknown",
    };
    Trap { code: 502, text: format!("Canister trapped: {what}") }
}
