//! Hostile modules, scenarios and files: each ends as a trap, a reject, or a clear error.
//!
//! Single modules run here without a search, in small allowances, so that an endless loop ends soon; what only the process
//! as a whole can show, its memory and its exit codes, is asked of the binary.

mod arithmetic;
mod execution;
mod generated;
mod loading;
mod memory;
mod messages;
mod modes;

use std::sync::Arc;

use canloom::engine::allowance::Allowance;
use canloom::engine::wasm::WasmGuest;
use canloom::engine::wasm::module::{Instrumentation, Module, engine};
use canloom::kernel::guest::{Env, Execution, Guest as _};
use canloom::kernel::{Input, MemoryId, Response};

use super::stage::id;

/// Instructions of each message in these tests.
const FEW: u64 = 50_000_000;
const NOW_NS: u64 = 1_620_633_600_000_000_000;

/// A canister of one module, message by message.
struct Canister {
    guest: WasmGuest,
    memory: MemoryId,
}

impl Canister {
    /// Loads a module; the error is what a user is told.
    fn load(wasm: &[u8]) -> Result<Canister, String> {
        Canister::load_with(wasm, Instrumentation::Full)
    }

    fn load_with(wasm: &[u8], instrumentation: Instrumentation) -> Result<Canister, String> {
        let engine = engine().map_err(|error| error.to_string())?;
        let module = Module::load(&engine, wasm, instrumentation).map_err(|error| error.to_string())?;
        let allowance = Allowance { instructions: Some(FEW), ..Allowance::default() };
        let mut guest = WasmGuest::within(engine, allowance);
        guest.add(Arc::new(module))?;
        let memory = guest.fresh();
        Ok(Canister { guest, memory })
    }

    /// A canister in WAT that loads.
    fn of(wat: &str) -> Canister {
        let wasm = wat::parse_str(wat).unwrap_or_else(|error| panic!("no module: {error}\n{wat}"));
        Canister::load(&wasm).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs one message and keeps its state.
    fn run(&mut self, input: Input<'_>) -> Execution {
        let env = Env { balance: 1_000_000, ..Env::outside(id(0), id(1), NOW_NS) };
        let execution = self.guest.execute(self.memory, input, &env).unwrap_or_else(|error| panic!("{error}"));
        self.memory = execution.memory;
        execution
    }

    /// Calls the update method `go`.
    fn go(&mut self) -> Execution {
        self.run(Input::Call { method: "go", arg: &[] })
    }
}

/// How an execution ended: the trap with its code, the size of a reply, the reject, or nothing.
fn end(execution: &Execution) -> String {
    match (&execution.trap, &execution.response) {
        (Some(trap), _) => format!("IC0{}: {}", trap.code, trap.text),
        (None, Some(Response::Reply(bytes))) => format!("reply of {} bytes", bytes.len()),
        (None, Some(Response::Reject { code, text })) => format!("reject {code}: {text}"),
        (None, None) => "returned".to_string(),
    }
}

/// How the update method `go` with this body ends, in a module with one page of memory and these further parts.
fn go(parts: &str, body: &str) -> String {
    end(&Canister::of(&module(parts, body)).go())
}

/// A module with the usual imports, these parts, and the update method `go`.
fn module(parts: &str, body: &str) -> String {
    let memory = if parts.contains("(memory") { "" } else { "(memory 1)" };
    format!(
        r#"(module
             (import "ic0" "msg_reply" (func $reply))
             (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
             (import "ic0" "msg_reject" (func $reject (param i32 i32)))
             (import "ic0" "call_new" (func $call_new (param i32 i32 i32 i32 i32 i32 i32 i32)))
             (import "ic0" "call_data_append" (func $data (param i32 i32)))
             (import "ic0" "call_perform" (func $perform (result i32)))
             (import "ic0" "debug_print" (func $print (param i32 i32)))
             (import "ic0" "trap" (func $trap (param i32 i32)))
             (import "ic0" "stable64_grow" (func $stable_grow (param i64) (result i64)))
             (import "ic0" "stable64_write" (func $stable_write (param i64 i64 i64)))
             (import "ic0" "stable64_read" (func $stable_read (param i64 i64 i64)))
             (import "ic0" "global_timer_set" (func $timer (param i64) (result i64)))
             (import "ic0" "msg_arg_data_size" (func $arg_size (result i32)))
             (import "ic0" "msg_arg_data_copy" (func $arg_copy (param i32 i32 i32)))
             {memory} {parts}
             (func (export "canister_update go") {body}))"#
    )
}

/// Why a module in WAT does not load.
fn refusal(wat: &str) -> String {
    let wasm = wat::parse_str(wat).unwrap_or_else(|error| panic!("no module: {error}"));
    refusal_of(&wasm)
}

fn refusal_of(wasm: &[u8]) -> String {
    Canister::load(wasm).err().expect("the module is refused")
}
