//! What the kernel asks of a canister of wasm: which function a message runs, in which mode and with which limit.

use std::sync::Arc;

use super::ic0::Mode;
use super::instance::Entry;
use super::module::{Instrumentation, Method, Module};
use super::pages;
use super::{CALLBACK_LIMIT, INSPECT_LIMIT, INSTALL_LIMIT, QUERY_LIMIT, UPDATE_LIMIT, WasmGuest};
use crate::kernel::guest::{self, Env, Execution, Guest, Replacement, Trap};
use crate::kernel::intern::content_hash;
use crate::kernel::save::{Part, Reader};
use crate::kernel::{Input, MemoryId};
use crate::schedule::Task;

impl Guest for WasmGuest {
    fn execute(&mut self, memory: MemoryId, input: Input<'_>, env: &Env<'_>) -> Result<Execution, String> {
        let Some(version) = self.version(memory) else {
            let text = "Attempted to execute a message, but the canister contains no Wasm module".to_string();
            return Ok(self.refuse(memory, 537, text));
        };
        let module = version.module.clone();
        match &input {
            Input::Init { .. } => self.install(memory, "canister_init", &input, env),
            Input::PostUpgrade { .. } => self.install(memory, "canister_post_upgrade", &input, env),
            Input::PreUpgrade => {
                self.run_export(memory, "canister_pre_upgrade", Mode::PreUpgrade, INSTALL_LIMIT, &input, env)
            }
            Input::Task(task) => {
                let (name, mode) = task_entry(*task);
                self.run_export(memory, name, mode, UPDATE_LIMIT, &input, env)
            }
            Input::Inspect { .. } => self.run_export(memory, INSPECT, Mode::Inspect, INSPECT_LIMIT, &input, env),
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
            Input::Query { method, .. } | Input::Transform { method, .. } => match module.methods.get(*method) {
                Some(Method::Query) => {
                    let name = format!("canister_query {method}");
                    let is_transform = matches!(input, Input::Transform { .. });
                    let mode = if is_transform { Mode::Transform } else { Mode::Query };
                    self.run(memory, &Entry::Export(&name), mode, QUERY_LIMIT, &input, env)
                }
                Some(Method::CompositeQuery) => {
                    let name = format!("canister_composite_query {method}");
                    self.run(memory, &Entry::Export(&name), Mode::CompositeQuery, QUERY_LIMIT, &input, env)
                }
                _ => Ok(self.refuse(memory, 536, format!("Canister has no query method '{method}'"))),
            },
            Input::Callback { function, response } => {
                let is_reply = matches!(response, crate::kernel::Response::Reply(_));
                let mode = if is_reply { Mode::Reply } else { Mode::Reject };
                self.run(memory, &Entry::Callback(*function), mode, CALLBACK_LIMIT, &input, env)
            }
            Input::CompositeCallback { function, response } => {
                let is_reply = matches!(response, crate::kernel::Response::Reply(_));
                let mode = if is_reply { Mode::CompositeReply } else { Mode::CompositeReject };
                self.run(memory, &Entry::Callback(*function), mode, QUERY_LIMIT, &input, env)
            }
            Input::CompositeCleanup { function, .. } => {
                self.run(memory, &Entry::Callback(*function), Mode::CompositeCleanup, QUERY_LIMIT, &input, env)
            }
            Input::Cleanup { function, .. } => {
                self.run(memory, &Entry::Callback(*function), Mode::Cleanup, UPDATE_LIMIT, &input, env)
            }
        }
    }

    fn fork(&self) -> Box<dyn Guest> {
        let (engine, allowance) = (self.engine.clone(), self.allowance.clone());
        Box::new(WasmGuest { engine, allowance, shared: self.shared.clone(), warm: Vec::new(), traces: self.traces })
    }

    fn trace(&mut self) {
        self.traces = true;
    }

    fn sees_instructions(&self, memory: MemoryId) -> bool {
        self.sees(memory, "performance_counter")
    }

    fn sees_version(&self, memory: MemoryId) -> bool {
        self.sees(memory, "canister_version")
    }

    fn runs(&self, memory: MemoryId, task: Task) -> bool {
        self.version(memory).is_some_and(|version| version.module.exports(task_entry(task).0))
    }

    fn may_run(&self, task: Task) -> bool {
        self.shared.versions.iter().any(|(_, version)| version.module.exports(task_entry(task).0))
    }

    fn inspects(&self, memory: MemoryId) -> bool {
        self.version(memory).is_some_and(|version| version.module.exports(INSPECT))
    }

    fn replace(&mut self, memory: MemoryId, how: Replacement<'_>) -> Result<MemoryId, Trap> {
        let (module, is_upgrade) = match how {
            Replacement::Uninstall => return Ok(self.shared.empty),
            Replacement::Upgrade(_) if self.version(memory).is_none() => {
                let text = "Attempted to upgrade a canister that contains no Wasm module".to_string();
                return Err(Trap { code: 537, text });
            }
            Replacement::Upgrade(module) => (module, true),
            Replacement::Reinstall(module) => (module, false),
        };
        let invalid = |text: String| Trap { code: 505, text };
        let number = match module {
            guest::Module::Known(number) => number,
            guest::Module::Bytes(bytes) => {
                let module = Module::load(&self.engine, bytes, Instrumentation::Full);
                let module = module.map_err(|error| invalid(error.to_string()))?;
                self.add_version(Arc::new(module), Some(bytes)).map_err(invalid)?
            }
        };
        let version = self.numbered(number);
        let fresh = version.fresh;
        if !is_upgrade {
            return Ok(fresh);
        }
        let keeps_heap = version.module.keeps_heap;
        let (old, mut new) = (self.state(memory), self.state(fresh).clone());
        (new.stable_pages, new.stable) = (old.stable_pages, old.stable);
        if keeps_heap {
            new.heap_pages = old.heap_pages.max(new.heap_pages);
            new.heap = self.shared.pages.grown(old.heap, new.heap_pages);
        }
        Ok(self.shared.pages.intern(new))
    }

    fn module_hash(&self, memory: MemoryId) -> Option<Vec<u8>> {
        let hash = &self.version(memory)?.module.hash;
        let byte = |at: usize| u8::from_str_radix(&hash[at..at + 2], 16).expect("bug in canloom: a hash in hex");
        Some((0..hash.len()).step_by(2).map(byte).collect())
    }

    fn heap_bytes(&self, memory: MemoryId) -> u64 {
        self.state(memory).heap_pages * pages::WASM_PAGE as u64
    }

    fn bytes(&self, memory: MemoryId) -> u64 {
        let state = self.state(memory);
        (state.heap_pages + state.stable_pages) * pages::WASM_PAGE as u64
    }

    fn is_empty(&self, memory: MemoryId) -> bool {
        self.version(memory).is_none()
    }

    fn fingerprint(&self, memory: MemoryId) -> u128 {
        let module = self.version(memory).map(|version| &version.module.hash);
        content_hash(&(module, self.shared.pages.fingerprint(memory)))
    }

    fn sizes(&self) -> Vec<u32> {
        self.table_sizes()
    }

    fn save(&self, since: &[u32], out: &mut Part) -> Result<(), String> {
        self.save_since(since, out);
        Ok(())
    }

    fn load(&mut self, part: &mut Reader<'_>) -> Result<(), String> {
        self.load_part(part)
    }
}

/// Entry point that decides which calls from outside are accepted.
const INSPECT: &str = "canister_inspect_message";

/// Entry point of a task, and where its execution is.
fn task_entry(task: Task) -> (&'static str, Mode) {
    match task {
        Task::Timer => ("canister_global_timer", Mode::Timer),
        Task::Heartbeat => ("canister_heartbeat", Mode::Heartbeat),
        Task::LowMemory => ("canister_on_low_wasm_memory", Mode::LowMemory),
        _ => unreachable!("bug in canloom: only messages have an entry point"),
    }
}
