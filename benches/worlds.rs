//! Exhaustive search on the vault with its ledger: counts, time, memory, and the cost of one new execution against the bare
//! call of the same message. Prints a table and writes `target/bench.json` (design section 7).

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use candid::{Encode, Principal};

use canloom::engine::embedded::{Embedded, START_NS};
use canloom::engine::wasm::WasmGuest;
use canloom::engine::wasm::module::{Instrumentation, Module, engine};
use canloom::explore::{Budget, explore};
use canloom::kernel::Input;
use canloom::kernel::guest::{Env, Guest};
use canloom::report::text::{grouped, grouped_big};
use canloom::scenario::Scenario;

/// Calls timed for one figure.
const CALLS: u32 = 20_000;

struct Row {
    name: String,
    value: f64,
    unit: &'static str,
}

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let canisters = root.join("target/canisters");
    assert!(canisters.join("vault.wasm").exists(), "run `make canisters` first");
    let folder = root.join("target/bench");
    std::fs::create_dir_all(&folder).expect("target/bench can be made");
    let largest: usize = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(6);
    let mut rows = Vec::new();
    println!(
        "{:<24} {:>22} {:>9} {:>11} {:>9} {:>9} {:>10}",
        "withdrawals", "interleavings", "worlds", "executions", "queries", "seconds", "peak MB"
    );
    for (calls, distinct) in (2..=4).map(|n| (n, true)).chain((5..=largest).map(|n| (n, false))) {
        let file = folder.join(format!("{calls}-{}.toml", if distinct { "distinct" } else { "equal" }));
        std::fs::write(&file, scenario(&canisters, calls, distinct)).expect("target/bench can be written");
        rows.extend(search(&file, calls, distinct));
    }
    let (new, bare, instructions) = cost(&canisters);
    println!(
        "\none icrc1_transfer, {} instructions: new execution {new:.2} us, bare call {bare:.2} us, ratio {:.2}",
        grouped(instructions),
        new / bare
    );
    rows.push(Row { name: "new execution".into(), value: new, unit: "us" });
    rows.push(Row { name: "bare call".into(), value: bare, unit: "us" });
    write_json(&root.join("target/bench.json"), &rows);
}

fn search(file: &Path, calls: usize, distinct: bool) -> Vec<Row> {
    let scenario = Arc::new(Scenario::load(file).expect("the scenario loads"));
    let mut engine = Embedded::open(scenario).expect("the canisters load");
    let before = engine.kernel.counters();
    let began = Instant::now();
    let explored = explore(&mut engine, &Budget::default(), &mut |_| {}).expect("the search runs");
    let seconds = began.elapsed().as_secs_f64();
    let queries = engine.kernel.counters().queries - before.queries;
    let name = format!("{calls} {}", if distinct { "distinct amounts" } else { "equal" });
    println!(
        "{name:<24} {:>22} {:>9} {:>11} {:>9} {seconds:>9.3} {:>10}",
        explored.interleavings.as_ref().map_or_else(String::new, grouped_big),
        grouped(explored.worlds),
        grouped(explored.executions),
        grouped(queries),
        peak_mb().map_or_else(|| "?".to_string(), |mb| mb.to_string()),
    );
    let runs = (explored.executions + queries) as f64;
    vec![
        Row { name: format!("{name}: search"), value: seconds, unit: "s" },
        Row { name: format!("{name}: all costs per execution or query"), value: seconds / runs * 1e6, unit: "us" },
    ]
}

/// Microseconds of a new execution (restore, run, find what was written, intern), of the bare call, and its instructions.
fn cost(canisters: &Path) -> (f64, f64, u64) {
    let wasm = std::fs::read(canisters.join("ledger.wasm")).expect("the ledger is built");
    let owner = Principal::from_slice(&[7; 10]);
    let init = (owner, candid::Nat::from(1_000_000_000u64));
    let init = Encode!(&Init { fee: 0u8.into(), balances: vec![init] }).expect("Candid");
    let transfer = Encode!(&Transfer {
        from_subaccount: None,
        to: Account { owner: Principal::from_slice(&[8; 10]), subaccount: None },
        amount: 1u8.into(),
        fee: None,
        memo: None,
        created_at_time: None,
    })
    .expect("Candid");
    let env = Env::outside(Principal::from_slice(&[9; 10]), owner, START_NS);
    let guest = |instrumentation| {
        let engine = engine().expect("wasmtime runs here");
        let module = Module::load(&engine, &wasm, instrumentation).expect("the ledger loads");
        let mut guest = WasmGuest::new(engine);
        guest.add(Arc::new(module)).expect("the ledger starts");
        let fresh = guest.fresh();
        let installed = guest.execute(fresh, Input::Init { arg: &init }, &env).expect("init runs");
        assert!(installed.trap.is_none(), "{:?}", installed.trap);
        (guest, installed.memory)
    };
    let (mut full, mut memory) = guest(Instrumentation::Full);
    let call = Input::Call { method: "icrc1_transfer", arg: &transfer };
    let mut instructions = 0;
    let began = Instant::now();
    let first = memory;
    for at in 0..CALLS {
        // Two chains in turn, so that each execution starts from a state that the instance is not in.
        let from = if at % 2 == 0 { memory } else { first };
        let execution = full.execute(from, call, &env).expect("the transfer runs");
        assert!(execution.trap.is_none() && execution.response.is_some());
        instructions = execution.instructions;
        if at % 2 == 0 && at % 64 != 0 {
            memory = execution.memory;
        } else if at % 64 == 0 {
            memory = first;
        }
    }
    let new = began.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS);
    let (mut bare, _) = guest(Instrumentation::None);
    let began = Instant::now();
    for _ in 0..CALLS {
        bare.call_bare("icrc1_transfer", &transfer, &env).expect("the transfer runs");
    }
    (new, began.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS), instructions)
}

#[derive(candid::CandidType)]
struct Init {
    fee: candid::Nat,
    balances: Vec<(Principal, candid::Nat)>,
}

#[derive(candid::CandidType)]
struct Account {
    owner: Principal,
    subaccount: Option<Vec<u8>>,
}

#[derive(candid::CandidType)]
struct Transfer {
    from_subaccount: Option<Vec<u8>>,
    to: Account,
    amount: candid::Nat,
    fee: Option<candid::Nat>,
    memo: Option<Vec<u8>>,
    created_at_time: Option<u64>,
}

fn scenario(canisters: &Path, calls: usize, distinct: bool) -> String {
    let wasm = |name: &str| canisters.join(name).display().to_string();
    let mut text = format!(
        r#"format = 1
name = "bench"
[actor.alice]
[canister.ledger]
wasm = "{}"
init = '(record {{ fee = 0 : nat; balances = vec {{ record {{ principal "${{vault}}"; 1000 : nat }} }} }})'
[canister.vault]
wasm = "{}"
init = '(principal "${{ledger}}", principal "${{alice}}", 1000 : nat64)'
[observe.book]
from = "vault"
query = "get_balance"
[observe.real]
from = "ledger"
query = "icrc1_balance_of"
args = '(record {{ owner = principal "${{vault}}"; subaccount = null }})'
[[invariant]]
name = "book equals ledger when quiet"
when = "quiescent"
expr = "book == real"
"#,
        wasm("ledger.wasm"),
        wasm("vault.wasm"),
    );
    let entries = if distinct { calls } else { 1 };
    for at in 1..=entries {
        let max = calls / entries;
        let _ = write!(
            text,
            "[[call]]\nid = \"w{at}\"\nto = \"vault\"\nmethod = \"withdraw_stale\"\nby = [\"alice\"]\nargs = \"({} : nat64)\"\nmax = {max}\n",
            at * 10
        );
    }
    text
}

/// Peak memory of this process so far, where the system tells.
fn peak_mb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1024)
}

fn write_json(file: &PathBuf, rows: &[Row]) {
    let rows: Vec<serde_json::Value> =
        rows.iter().map(|row| serde_json::json!({ "name": row.name, "value": row.value, "unit": row.unit })).collect();
    let commit = std::process::Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    let commit = commit.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_string()).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let machine = format!("{} {}, {cores} cores", std::env::consts::OS, std::env::consts::ARCH);
    let document = serde_json::json!({ "machine": machine, "commit": commit, "rows": rows });
    std::fs::write(file, format!("{document:#}\n")).expect("target/bench.json can be written");
    println!("\nwritten: target/bench.json");
}
