//! One new execution against the bare call of the same message.
//!
//! A *new execution* is what the search pays for a message that it has not seen: bring an instance to a state that it is not
//! in, run, find what was written, hash and intern it. Each one here begins from another state and ends in a new one. A
//! *bare call* is the same message in the module as it was compiled, on a warm instance from which nothing is restored
//! and of which nothing is kept. Both are taken in turns, and medians of rounds compared.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use candid::{CandidType, Encode, Nat, Principal};

use canloom::engine::embedded::START_NS;
use canloom::engine::wasm::WasmGuest;
use canloom::engine::wasm::module::{Instrumentation, Module, engine};
use canloom::kernel::guest::{Env, Guest};
use canloom::kernel::{Input, MemoryId};

use super::rows::{Row, Run, median};

/// Rounds of measuring, and calls in each.
const ROUNDS: usize = 9;
const CALLS: usize = 2_000;

/// A message of a ledger; the two arguments lead to different states.
pub struct Message {
    module: &'static str,
    method: &'static str,
    init: Vec<u8>,
    args: [Vec<u8>; 2],
}

impl Message {
    /// A transfer in the types of ICRC-1.
    pub fn icrc1() -> Message {
        let init = Init { fee: 0u8.into(), balances: vec![(owner(), Nat::from(1_000_000_000u64))] };
        let transfer = |amount: u8| {
            let to = Account { owner: Principal::from_slice(&[8; 10]), subaccount: None };
            let (from_subaccount, fee, memo, created_at_time) = (None, None, None, None);
            Encode!(&Transfer { from_subaccount, to, amount: amount.into(), fee, memo, created_at_time })
                .expect("bug in canloom: a transfer is Candid")
        };
        let init = Encode!(&init).expect("bug in canloom: an argument is Candid");
        Message { module: "ledger", method: "icrc1_transfer", init, args: [transfer(1), transfer(2)] }
    }

    /// A transfer of plain numbers.
    pub fn plain() -> Message {
        let number = |number: u64| Encode!(&number).expect("bug in canloom: a number is Candid");
        let args = [number(1), number(2)];
        Message { module: "plain_ledger", method: "transfer", init: number(1_000_000_000), args }
    }

    /// Name of the row whose ratio is that of a new execution to a bare call.
    pub fn row_name(&self) -> String {
        format!("{}.{}: new execution", self.module, self.method)
    }
}

/// Measures both ways of a message.
///
/// # Errors
/// If the module is not there, or the message does not run.
pub fn measure(run: &mut Run, root: &Path, message: &Message) -> Result<(), String> {
    let file = root.join("target/canisters").join(message.module).with_extension("wasm");
    let wasm = std::fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let (mut full, first) = installed(&wasm, message, Instrumentation::Full)?;
    let (mut bare, _) = installed(&wasm, message, Instrumentation::None)?;
    // Two chains of states in turn, so that no execution begins where the one before it ended.
    let mut states = [first, first];
    let mut instructions = 0;
    let (mut new_us, mut bare_us) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let began = Instant::now();
        for at in 0..CALLS {
            let chain = at % 2;
            let call = Input::Call { method: message.method, arg: &message.args[chain] };
            let execution = full.execute(states[chain], call, &env())?;
            if execution.trap.is_some() || execution.memory == states[chain] {
                return Err(format!("`{}` changed nothing: {:?}", message.method, execution.trap));
            }
            states[chain] = execution.memory;
            instructions = execution.instructions;
        }
        new_us.push(began.elapsed().as_secs_f64() * 1e6 / CALLS as f64);
        let began = Instant::now();
        for at in 0..CALLS {
            bare.call_bare(message.method, &message.args[at % 2], &env())?;
        }
        bare_us.push(began.elapsed().as_secs_f64() * 1e6 / CALLS as f64);
    }
    let (new_us, bare_us) = (median(new_us), median(bare_us));
    let bare = format!("{}.{}: bare call", message.module, message.method);
    run.put(Row::new(message.row_name(), new_us, "us").with_ratio(&bare, new_us / bare_us));
    run.put(Row::new(bare, bare_us, "us"));
    let name = format!("{}.{}: instructions", message.module, message.method);
    run.put(Row::new(name, instructions as f64, "instructions"));
    Ok(())
}

fn installed(
    wasm: &[u8],
    message: &Message,
    instrumentation: Instrumentation,
) -> Result<(WasmGuest, MemoryId), String> {
    let engine = engine().map_err(|error| format!("{error:#}"))?;
    let module = Module::load(&engine, wasm, instrumentation).map_err(|error| error.to_string())?;
    let mut guest = WasmGuest::new(engine);
    guest.add(Arc::new(module))?;
    let installed = guest.execute(guest.fresh(), Input::Init { arg: &message.init }, &env())?;
    match installed.trap {
        Some(trap) => Err(trap.text),
        None => Ok((guest, installed.memory)),
    }
}

fn env() -> Env<'static> {
    Env::outside(Principal::from_slice(&[9; 10]), owner(), START_NS)
}

fn owner() -> Principal {
    Principal::from_slice(&[7; 10])
}

#[derive(CandidType)]
struct Init {
    fee: Nat,
    balances: Vec<(Principal, Nat)>,
}

#[derive(CandidType)]
struct Account {
    owner: Principal,
    subaccount: Option<Vec<u8>>,
}

#[derive(CandidType)]
struct Transfer {
    from_subaccount: Option<Vec<u8>>,
    to: Account,
    amount: Nat,
    fee: Option<Nat>,
    memo: Option<Vec<u8>>,
    created_at_time: Option<u64>,
}
