//! Any bytes as each kind of file that comes from outside.
//!
//! In: an input. Out: nothing; a panic is a finding. What is read without an error has to keep a promise too, so that a
//! reader that accepts too much is found as well: a `.cx` and Candid read back as they were written, and a module does the
//! same with and without what is added to it.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use candid::{IDLArgs, Principal};
use wasmtime::Engine;

use crate::counterexample::Counterexample;
use crate::engine::allowance::Allowance;
use crate::engine::wasm::WasmGuest;
use crate::engine::wasm::module::{self, Instrumentation, Module};
use crate::kernel::guest::{Env, Execution, Guest as _};
use crate::kernel::{Input, MemoryId};
use crate::scenario::{Filling, Interface, Labels, Names, Scenario, Value, encode_str};

/// Instructions of a message of a module.
const INSTRUCTIONS: u64 = 200_000;
/// Largest module that is compiled and run, in bytes.
const RUN_MAX: usize = 64 << 10;

/// A scenario file. Files that it names are looked for beside it, in a directory that is not there.
pub fn scenario_toml(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let file = Path::new("there-is-no-such-directory/scenario.toml");
    match Scenario::from_text(file, text) {
        Ok(scenario) => assert!(scenario.instances().len() <= 64, "more call instances than the format allows"),
        Err(error) => is_told(&error.to_string()),
    }
}

/// A counterexample file.
pub fn cx(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Counterexample::parse(text) {
        Ok(read) => assert_eq!(Counterexample::parse(&read.text()), Ok(read)),
        Err((line, problem)) => {
            assert!(line >= 1 && line <= text.lines().count().max(1), "line {line}");
            is_told(&problem);
        }
    }
}

/// A canister module. A small one runs, too.
pub fn wasm_module(bytes: &[u8]) {
    let full = match load(bytes, Instrumentation::Full) {
        Ok(module) => module,
        Err(error) => return is_told(&error),
    };
    if bytes.len() > RUN_MAX || full.imports("performance_counter") {
        return;
    }
    let plain = load(bytes, Instrumentation::None).expect("it loads with instrumentation");
    let methods: Vec<String> = full.methods.keys().cloned().collect();
    let (Some(mut full), Some(mut plain)) = (Canister::of(full), Canister::of(plain)) else { return };
    let arg: &[u8] = b"DIDL\0\0";
    let calls = methods.iter().map(|method| Input::Call { method, arg });
    for input in std::iter::once(Input::Init { arg }).chain(calls).chain([Input::PreUpgrade]) {
        let expected = full.run(input);
        let trap = expected.trap.as_ref();
        // What did not end would not elsewhere; what is added takes a little of the stack.
        if trap.is_some_and(|trap| trap.code == 522 || trap.text.contains("stack overflow")) {
            return;
        }
        let found = plain.run(input);
        assert_eq!(found.trap, expected.trap);
        assert_eq!(found.response, expected.response);
        assert_eq!(found.requests, expected.requests);
        assert_eq!(plain.guest.fingerprint(plain.memory), full.guest.fingerprint(full.memory));
    }
}

/// A first line with types, `(nat, text)`, and Candid arguments for them; all of it as a reply, too.
pub fn candid_args(bytes: &[u8]) {
    let _ = Value::decode(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (types, args) = text.split_once('\n').unwrap_or(("", text));
    let names = Names { actors: vec![("alice".to_string(), Principal::anonymous())], ..Names::default() };
    let arg = match encoded(args, &names, Some(types).filter(|types| !types.is_empty())) {
        Ok(arg) => arg,
        Err(error) => return is_told(&error),
    };
    Value::decode_args(&arg, &Labels::common()).expect("what was written can be read");
    let values = IDLArgs::from_bytes(&arg).expect("what was written can be read").args;
    for value in &values {
        let Ok(filling) = Filling::of_value(value, &Names::default()) else { continue };
        let again = encoded(&format!("({})", filling.typed), &Names::default(), None);
        let again = again.unwrap_or_else(|error| panic!("{}: {error}", filling.typed));
        let again = IDLArgs::from_bytes(&again).expect("what was written can be read").args;
        let again = Filling::of_value(&again[0], &Names::default());
        assert_eq!(again.map(|again| again.typed), Ok(filling.typed));
    }
}

/// Candid arguments as bytes, checked against types if there are any.
fn encoded(args: &str, names: &Names, types: Option<&str>) -> Result<Vec<u8>, String> {
    let interface = types.map(|types| Interface::parse(&format!("service : {{ m : {types} -> () }}"), String::new()));
    let interface = interface.transpose().map_err(|(_, problem)| problem)?;
    let signature = interface.as_ref().map(|interface| interface.method("m")).transpose()?;
    encode_str(args, names, &[], signature.map(|(signature, _)| signature)).map_err(|(_, problem)| problem)
}

/// An error is a text for people.
fn is_told(error: &str) {
    assert!(!error.trim().is_empty());
    assert!(error.len() < 64 << 10, "an error of {} bytes", error.len());
}

fn load(bytes: &[u8], instrumentation: Instrumentation) -> Result<Module, String> {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    let engine = ENGINE.get_or_init(|| module::engine().expect("wasmtime supports this machine"));
    // The compiler is not what is tried here, and a large module takes it long.
    if bytes.len() > RUN_MAX {
        let wasm = module::plain(bytes).map_err(|error| error.to_string())?;
        return Err(module::check(&wasm).map_or_else(|error| error.to_string(), |()| "too large".to_string()));
    }
    Module::load(engine, bytes, instrumentation).map_err(|error| error.to_string())
}

/// A module with its state.
struct Canister {
    guest: WasmGuest,
    memory: MemoryId,
}

impl Canister {
    /// `None` if it does not fit the allowance.
    fn of(module: Module) -> Option<Canister> {
        let engine = module.pre.module().engine().clone();
        let allowance = Allowance { instructions: Some(INSTRUCTIONS), ..Allowance::default() };
        let mut guest = WasmGuest::within(engine, allowance);
        guest.add(Arc::new(module)).ok()?;
        let memory = guest.fresh();
        Some(Canister { guest, memory })
    }

    fn run(&mut self, input: Input<'_>) -> Execution {
        let (own, caller) = (Principal::from_slice(&[1]), Principal::anonymous());
        let env = Env { balance: 1_000_000, ..Env::outside(own, caller, 1_620_633_600_000_000_000) };
        let execution = self.guest.execute(self.memory, input, &env).unwrap_or_else(|error| panic!("{error}"));
        self.memory = execution.memory;
        execution
    }
}
