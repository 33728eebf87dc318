//! Searches that are interrupted and resumed: the report is that of a search that was not.

mod damage;
mod directory;
mod kill;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use candid::{CandidType, Deserialize, Encode, Principal};
use canloom::engine::embedded::Embedded;
use canloom::explore::{Budget, Checkpoint, ExploreError, Explored, explore, explore_from};
use canloom::scenario::Scenario;

use super::semantics::{counting, management};
use super::stage::{Stage, call, fault, id, observe};
use super::wat_canister::{Wait, canister, forwarder, ledger};

/// Withdrawals of distinct amounts, some of which may be rejected, and an invariant that some orders violate.
fn withdrawals(count: u32, kinds: &str) -> Stage {
    let calls: String =
        (0..count).map(|at| call(&format!("w{at}"), 0, "w", &format!("args = \"({at} : nat32)\""))).collect();
    let invariant = "[[invariant]]\nname = \"order\"\nwhen = \"always\"\nexpr = \"total != 897\"\n";
    let fault = if kinds.is_empty() { String::new() } else { fault("t", kinds) };
    Stage::new(
        &[forwarder(&[1], Wait::Bounded), ledger()],
        &format!("{calls}{}{invariant}{fault}", observe(1, "total")),
    )
}

/// A timer that sets itself again while calls come.
fn timers() -> Stage {
    let body = counting(
        r#"(func (export "canister_update s") (drop (call $timer_set (i64.const 1))) (call $reply))
           (func (export "canister_global_timer") (call $add (i32.const 1))
             (drop (call $timer_set (i64.add (call $time) (i64.const 1000000000)))))"#,
    );
    let time = "[[time]]\nadvance = \"1s\"\nmax = 3\n[explore]\ntimers = 3\n";
    Stage::new(&[body], &format!("{}{}{time}", call("s", 0, "s", "max = 2"), observe(0, "x")))
}

#[derive(CandidType, Deserialize)]
enum Mode {
    #[serde(rename = "reinstall")]
    Reinstall,
}

#[derive(CandidType)]
struct Install {
    mode: Mode,
    canister_id: Principal,
    wasm_module: Vec<u8>,
    arg: Vec<u8>,
}

/// A canister that gets another module while the search runs, and calls of a method that only the new one has.
fn installation() -> Stage {
    let new = counting(r#"(func (export "canister_update n") (call $add (i32.const 1)) (call $reply))"#);
    let wasm_module = wat::parse_str(new).expect("it is a module");
    let install = Install { mode: Mode::Reinstall, canister_id: id(1), wasm_module, arg: Vec::new() };
    let calls = call("r", 1, "r", "max = 2");
    management::stage("install_code", &Encode!(&install).expect("Candid"), &calls)
}

/// Transfers with and without an allowance, one of them a repetition.
pub(super) const APPROVALS: &str = r#"
[canister.ledger]
builtin = "icrc2-ledger"
init = '(record { fee = 10_000; balances = vec { record { principal "${alice}"; 300_000_000 } } })'

[[call]]
id = "approve"
to = "ledger"
method = "icrc2_approve"
by = ["alice"]
args = '(record { spender = record { owner = principal "${bob}" }; amount = 5_000_000; memo = opt blob "m" })'

[[call]]
id = "take"
to = "ledger"
method = "icrc2_transfer_from"
by = ["bob"]
args = '(record { from = record { owner = principal "${alice}" }; to = record { owner = principal "${bob}" }; amount = 2_000_000 })'
max = 2

[[call]]
id = "pay"
to = "ledger"
method = "icrc1_transfer"
by = ["alice"]
args = '(record { to = record { owner = principal "${bob}" }; amount = 1_000_000; created_at_time = opt 1_620_633_600_000_000_000 })'
max = 2
"#;

/// Stubs that answer in turn and never, and ledgers with allowances, blocks and a CMC between them.
fn built_in() -> Vec<Stage> {
    let stub = "[canister.s]\nbuiltin = \"stub\"\n[canister.s.replies]\nm = [\"(1)\", { reject = \"no\" }, { hold = true }]\n\
                [[call]]\nid = \"m\"\nto = \"s\"\nmethod = \"m\"\nby = [\"alice\", \"bob\"]\nmax = 4\n";
    vec![Stage::new(&[], stub), super::builtin::top_up::stage(), Stage::new(&[], APPROVALS)]
}

fn open(file: &Path) -> Embedded {
    let scenario = Scenario::load(file).unwrap_or_else(|error| panic!("{error}"));
    Embedded::open(Arc::new(scenario)).unwrap_or_else(|error| panic!("{error}"))
}

/// All that a report may be made of, without times.
fn shown(explored: Explored) -> String {
    format!("{:#?}", Explored { elapsed: Duration::ZERO, ..explored })
}

/// Explores with a checkpoint that is saved as often as it can be.
fn explore_saving(file: &Path, folder: &Path, workers: usize) -> Result<(String, u64), ExploreError> {
    let mut engine = open(file);
    let mut checkpoint = Checkpoint::open(folder, &engine, "")?;
    checkpoint.save_always();
    let budget = Budget { workers, ..Budget::default() };
    let mut resumed = 0;
    let explored = explore_from(&mut engine, &mut checkpoint, &budget, &mut |progress| {
        if progress.resuming {
            resumed = progress.expanded;
        }
    })?;
    Ok((shown(explored), resumed))
}

/// Where the records of a log end, the first of which says what search it is of.
fn ends(log: &[u8]) -> Vec<usize> {
    let mut at = 23;
    let mut ends = Vec::new();
    while at < log.len() {
        let length = u64::from_le_bytes(log[at + 16..at + 24].try_into().expect("eight bytes"));
        at += 48 + length as usize;
        ends.push(at);
    }
    ends
}

/// Asserts that a search which was cut off after some of its saves, spread over all of them, ends as one that was not.
fn assert_resumes(file: &Path) {
    let expected = shown(explore(&mut open(file), &Budget::default(), &mut |_| {}).expect("all is offered"));
    let temporary = tempfile::tempdir().expect("a folder can be made");
    let folder = temporary.path().join("checkpoint");
    assert_eq!(explore_saving(file, &folder, 2).expect("it can be saved").0, expected);
    let log = std::fs::read(folder.join("log")).expect("there is a log");
    let ends = ends(&log);
    assert!(ends.len() > 4, "{} records of {}", ends.len(), file.display());
    let all = resumed_from(file, &folder, &log, 1, &expected);
    for part in 0..4 {
        let end = ends[part * (ends.len() - 1) / 4];
        let resumed = resumed_from(file, &folder, &log[..end], 1 + part % 2, &expected);
        assert_eq!(resumed > 0, part > 0, "{resumed} worlds are read of record {part}/4");
        assert!(resumed < all, "{resumed} worlds are in a part, {all} in the whole");
    }
}

fn resumed_from(file: &Path, folder: &Path, log: &[u8], workers: usize, expected: &str) -> u64 {
    std::fs::write(folder.join("log"), log).expect("it can be written");
    let (found, resumed) = explore_saving(file, folder, workers).expect("it resumes");
    assert_eq!(found, expected, "{}", file.display());
    resumed
}

#[test]
fn withdrawals_with_faults_go_on_from_every_part() {
    assert_resumes(&withdrawals(3, "\"clean_reject\", \"sys_unknown\"").file("scenario.toml"));
}

#[test]
fn timers_and_time_go_on_from_every_part() {
    assert_resumes(&timers().file("scenario.toml"));
}

#[test]
fn modules_installed_while_the_search_ran_go_on_from_every_part() {
    assert_resumes(&installation().file("scenario.toml"));
}

#[test]
fn canisters_without_wasm_go_on_from_every_part() {
    for stage in built_in() {
        assert_resumes(&stage.file("scenario.toml"));
    }
}

#[test]
fn scenarios_of_the_corpus_go_on_from_every_part() {
    for name in ["timer", "heartbeat", "outcall", "upgrade", "upgrade-stopped", "vault-stale"] {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        assert_resumes(&folder.join("scenario.toml"));
    }
}

#[test]
fn a_run_whose_budget_ended_goes_on_when_it_is_called_again() {
    let stage = withdrawals(4, "\"clean_reject\"");
    let file = stage.file("scenario.toml");
    let expected = shown(stage.explore());
    let folder = stage.file("checkpoint");
    let mut reports = BTreeMap::new();
    for _ in 0..10_000 {
        let mut engine = open(&file);
        let mut checkpoint = Checkpoint::open(&folder, &engine, "").expect("it is this search's");
        let budget = Budget { time: Some(Duration::from_millis(5)), ..Budget::default() };
        let explored = explore_from(&mut engine, &mut checkpoint, &budget, &mut |_| {}).expect("all is offered");
        let complete = explored.interleavings.is_some();
        *reports.entry(complete).or_insert(0) += 1;
        if complete {
            assert_eq!(shown(explored), expected);
            break;
        }
    }
    assert_eq!(reports.get(&true), Some(&1), "it came to its end");
    assert!(reports.get(&false).is_some_and(|&ended| ended > 1), "the budget ended first: {reports:?}");
}

#[test]
fn a_finished_search_executes_nothing_when_it_is_called_again() {
    let stage = withdrawals(2, "");
    let (file, folder) = (stage.file("scenario.toml"), stage.file("checkpoint"));
    let first = explore_saving(&file, &folder, 1).expect("it can be saved");
    let log = std::fs::read(folder.join("log")).expect("there is a log");
    let (again, resumed) = explore_saving(&file, &folder, 1).expect("it can be read");
    assert_eq!((&again, resumed > 0), (&first.0, true));
    assert_eq!(std::fs::read(folder.join("log")).expect("there is a log"), log, "nothing was added");
}

#[test]
fn calls_that_can_be_exchanged_go_on_from_every_part() {
    let calls = call("w", 0, "w", "args = \"(7 : nat32)\"\nmax = 5") + &observe(1, "total");
    let stage = Stage::new(&[forwarder(&[1], Wait::Unbounded), ledger()], &calls);
    assert_resumes(&stage.file("scenario.toml"));
}

#[test]
fn generated_and_captured_arguments_go_on_from_every_part() {
    assert_resumes(&super::generated::accounts(3, 2, "[\"bob\"]").file("scenario.toml"));
    let more = "args = \"(${n} : nat32)\"\ngen.n = { pick = [0, 1] }\nmax = 3";
    let calls = call("w", 0, "w", more) + &observe(1, "total") + &fault("t", "\"clean_reject\"");
    assert_resumes(&Stage::new(&[forwarder(&[1], Wait::Unbounded), ledger()], &calls).file("scenario.toml"));
}

#[test]
fn a_canister_that_writes_stable_memory_goes_on_from_every_part() {
    let body = r#"(func (export "canister_update g")
        (call $stable_grow (i32.const 1))
        (call $stable_store (i32.mul (call $stable_size) (i32.const 300)) (call $arg))
        (call $reply))"#;
    let calls: String =
        (0..4).map(|at| call(&format!("g{at}"), 0, "g", &format!("args = \"({at} : nat32)\""))).collect();
    assert_resumes(&Stage::new(&[canister(body)], &calls).file("scenario.toml"));
}
