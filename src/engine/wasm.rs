//! The embedded engine's canisters: real wasm, executed by wasmtime, one message at a time.
//!
//! In: a module and messages. Out: states and effects, as [`Guest`] asks for. Which message comes next is the kernel's and
//! the search's business.
//!
//! ```text
//! ic0      the system API as a table       rewrite   what is added to a module at load
//! module   checked, rewritten, compiled    pages     states kept once
//! host     one execution's view            stable    stable memory as one execution sees it
//! syscalls what the functions do           instance  warm instances, brought from state to state
//! ```

pub mod ic0;
pub mod module;

mod host;
mod instance;
mod pages;
mod rewrite;
mod stable;
mod syscalls;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::kernel::guest::{Env, Execution, Guest, Trap};
use crate::kernel::{Input, MemoryId};

use ic0::Mode;
use instance::{Entry, Stop, Warm};
use module::{Method, Module};
use pages::Store as PageStore;

/// Instructions that one message may execute (semantics 6).
const UPDATE_LIMIT: u64 = 40_000_000_000;
const QUERY_LIMIT: u64 = 5_000_000_000;
const INSTALL_LIMIT: u64 = 300_000_000_000;

/// Instances kept warm, one for each size of the heap; more sizes than this evict the smallest.
const WARM_MAX: usize = 8;

/// A canister of real wasm.
pub struct WasmGuest {
    module: Arc<Module>,
    pages: Arc<Mutex<PageStore>>,
    fresh: MemoryId,
    warm: BTreeMap<u64, Warm>,
    controllers: Arc<[candid::Principal]>,
}

impl WasmGuest {
    /// A canister whose module is loaded and not yet installed: its state is [`WasmGuest::fresh`].
    ///
    /// # Errors
    /// If the module cannot be instantiated (an active segment out of bounds) or its start function traps.
    pub fn new(module: Arc<Module>, controllers: &[candid::Principal]) -> Result<WasmGuest, String> {
        let mut store = PageStore::new();
        let warm =
            Warm::new(&module, None, &mut store).map_err(|error| format!("cannot be instantiated: {error:#}"))?;
        let fresh = warm.current();
        let heap_pages = warm.heap_pages();
        let pages = Arc::new(Mutex::new(store));
        let mut guest = WasmGuest { module, pages, fresh, warm: BTreeMap::new(), controllers: controllers.into() };
        guest.keep(heap_pages, warm);
        Ok(guest)
    }

    /// The state before installation: start function and `canister_init` have not run.
    pub fn fresh(&self) -> MemoryId {
        self.fresh
    }

    /// The module.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// Distinct states, pages and nodes kept.
    pub fn sizes(&self) -> (usize, usize, usize) {
        self.store().sizes()
    }

    fn store(&self) -> std::sync::MutexGuard<'_, PageStore> {
        self.pages.lock().expect("bug in canloom: the page store was left locked")
    }

    fn keep(&mut self, heap_pages: u64, mut warm: Warm) {
        if self.module.shape.needs_fresh {
            return;
        }
        self.attach(&mut warm);
        if self.warm.len() >= WARM_MAX {
            self.warm.pop_first();
        }
        self.warm.insert(heap_pages, warm);
    }

    /// Gives an instance what is the same for all executions.
    fn attach(&self, warm: &mut Warm) {
        let host = warm.store.data_mut();
        host.stable.attach(self.pages.clone());
        host.controllers = self.controllers.clone();
    }

    /// An instance whose heap has the size that a state needs.
    fn take(&mut self, heap_pages: u64) -> Result<Warm, String> {
        if let Some(warm) = self.warm.remove(&heap_pages) {
            return Ok(warm);
        }
        let mut store = self.store();
        let text = |error: wasmtime::Error| format!("cannot be instantiated: {error:#}");
        let mut warm = Warm::new(&self.module, Some(self.fresh), &mut store).map_err(text)?;
        warm.grow_to(heap_pages).map_err(text)?;
        drop(store);
        self.attach(&mut warm);
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
        let (heap_pages, stable) = {
            let store = self.store();
            let state = store.memory(memory);
            (state.heap_pages, (state.stable_pages, state.stable))
        };
        let mut warm = self.take(heap_pages)?;
        {
            let store = self.store();
            warm.restore(memory, &store);
        }
        warm.store.data_mut().reset(mode, input, env, stable, limit);
        let ended = warm.run(entry, limit);
        let left = warm.left();
        let instructions = limit - left.max(0) as u64;
        if let Some(what) = warm.store.data_mut().unsupported.take() {
            return Err(what);
        }
        let trap = ended.err().map(|stop| why(stop, &mut warm, left, limit));
        let keeps_state = !matches!(mode, Mode::Query | Mode::ReplicatedQuery | Mode::Inspect);
        let mut store = self.pages.lock().expect("bug in canloom: the page store was left locked");
        let after = if trap.is_none() && keeps_state {
            warm.capture(&mut store)
        } else {
            warm.roll_back(&store);
            memory
        };
        drop(store);
        let execution = warm.store.data_mut().finish(after, trap, instructions);
        if execution.timer_ns.is_some_and(|at_ns| at_ns != 0) {
            return Err("it sets a global timer, and timers are not offered yet".to_string());
        }
        // An instance that grew for nothing cannot shrink again.
        let heap_pages_after = warm.heap_pages();
        if heap_pages_after == heap_pages || after != memory {
            self.keep(heap_pages_after, warm);
        }
        Ok(execution)
    }

    /// Calls an update method on a warm instance and keeps nothing of it: neither restores nor captures a state. For
    /// benchmarks: what wasmtime itself takes for a message.
    ///
    /// # Errors
    /// If the method cannot be called, or traps.
    pub fn call_bare(&mut self, method: &str, arg: &[u8], env: &Env<'_>) -> Result<(), String> {
        let (heap_pages, mut warm) = self.warm.pop_first().ok_or("no warm instance")?;
        let stable = (0, pages::Root::STABLE);
        warm.store.data_mut().reset(Mode::Update, &Input::Call { method, arg }, env, stable, UPDATE_LIMIT);
        let name = format!("canister_update {method}");
        let ended = warm.run(&Entry::Export(&name), UPDATE_LIMIT);
        self.warm.insert(heap_pages, warm);
        ended.map_err(|_| format!("`{method}` trapped"))
    }

    fn refuse(&self, memory: MemoryId, code: u16, text: String) -> Execution {
        Execution { trap: Some(Trap { code, text }), ..Execution::idle(memory) }
    }
}

impl Guest for WasmGuest {
    fn execute(&mut self, memory: MemoryId, input: Input<'_>, env: &Env<'_>) -> Result<Execution, String> {
        let module = self.module.clone();
        match &input {
            Input::Init { .. } => {
                let mut installed = Execution::idle(memory);
                if module.shape.has_start {
                    let start = Entry::Export(rewrite::START);
                    installed = self.run(memory, &start, Mode::Start, INSTALL_LIMIT, &input, env)?;
                }
                let has_init = module.pre.module().get_export("canister_init").is_some();
                if installed.trap.is_none() && has_init {
                    let init = Entry::Export("canister_init");
                    installed = self.run(installed.memory, &init, Mode::Init, INSTALL_LIMIT, &input, env)?;
                }
                Ok(installed)
            }
            Input::Call { method, .. } => match module.methods.get(*method) {
                Some(Method::Update) => {
                    let name = format!("canister_update {method}");
                    self.run(memory, &Entry::Export(&name), Mode::Update, UPDATE_LIMIT, &input, env)
                }
                Some(Method::Query) => {
                    let name = format!("canister_query {method}");
                    self.run(memory, &Entry::Export(&name), Mode::ReplicatedQuery, QUERY_LIMIT, &input, env)
                }
                Some(Method::CompositeQuery) => {
                    let text = "Composite query cannot be called in replicated mode".to_string();
                    Ok(self.refuse(memory, 527, text))
                }
                None => Ok(self.refuse(memory, 536, format!("Canister has no update method '{method}'"))),
            },
            Input::Query { method, .. } => match module.methods.get(*method) {
                Some(Method::Query) => {
                    let name = format!("canister_query {method}");
                    self.run(memory, &Entry::Export(&name), Mode::Query, QUERY_LIMIT, &input, env)
                }
                Some(Method::CompositeQuery) => Err(format!("the composite query `{method}` is not offered yet")),
                _ => Ok(self.refuse(memory, 536, format!("Canister has no query method '{method}'"))),
            },
            Input::Callback { function, response } => {
                let is_reply = matches!(response, crate::kernel::Response::Reply(_));
                let mode = if is_reply { Mode::Reply } else { Mode::Reject };
                self.run(memory, &Entry::Callback(*function), mode, UPDATE_LIMIT, &input, env)
            }
            Input::Cleanup { function, .. } => {
                self.run(memory, &Entry::Callback(*function), Mode::Cleanup, UPDATE_LIMIT, &input, env)
            }
        }
    }

    fn sees_instructions(&self) -> bool {
        self.module.imports("performance_counter")
    }

    fn sees_version(&self) -> bool {
        self.module.imports("canister_version")
    }

    fn fingerprint(&self, memory: MemoryId) -> u128 {
        self.store().fingerprint(memory)
    }
}

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
