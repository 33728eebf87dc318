//! Scenarios in Rust: they mean what a file means, and a test that fails says why and how to replay it.

use std::process::Command;

use canloom::report::Verdict;
use canloom::scenario::{Scenario, When};
use canloom::testing::Builder;

/// Two withdrawals by this method from a vault whose ledger may reject once, and an invariant in Rust.
fn vault(name: &str, method: &str) -> Builder {
    let mut s = Scenario::builder(name);
    s.about("two withdrawals").faults(1);
    let alice = s.actor("alice");
    let ledger = s.canister("ledger");
    let vault = s.canister("vault");
    let balances = r#"(record { fee = 0; balances = vec { record { principal "${vault}"; 100 } } })"#;
    s.install(&ledger).builtin("icrc1-ledger").init_text(balances);
    let wasm = concat!(env!("CARGO_MANIFEST_DIR"), "/target/canisters/vault.wasm");
    s.install(&vault).wasm(wasm).init((ledger.id, alice.id, 100u64));
    s.call("withdraw", &vault, method, &[&alice]).args((30u64,)).max(2);
    s.fault(&vault, &ledger, "icrc1_transfer", &["clean_reject"]).budget(1);
    s.invariant_fn("the book is the ledger's when quiet", When::Quiescent, move |world| {
        let (book,): (u64,) = world.query(&vault, "get_balance", ())?;
        let account = Account { owner: vault.id, subaccount: None };
        let (real,): (candid::Nat,) = world.query(&ledger, "icrc1_balance_of", (account,))?;
        if real == book { Ok(()) } else { Err(format!("the book says {book}, the ledger {real}")) }
    });
    s
}

#[derive(candid::CandidType)]
struct Account {
    owner: candid::Principal,
    subaccount: Option<Vec<u8>>,
}

#[test]
fn a_builder_writes_the_scenario_file_that_one_would_write() {
    let mut s = Scenario::builder("text");
    s.calls(2).preset("probe");
    let alice = s.actor("alice");
    let stub = s.canister("rates");
    s.install(&stub).builtin("stub").reply("get", (7u64,));
    s.observe("rate", &stub, "get").path(".0");
    s.call("get", &stub, "get", &[&alice]).max(2);
    s.time(std::time::Duration::from_secs(60), 1);
    s.invariant("seven", When::Always, "rate == 7");
    insta::assert_snapshot!(s.text(), @r#"
    format = 1
    name = "text"
    about = ""

    [explore]
    calls = 2

    [check]
    probe = true

    [actor."alice"]

    [canister."rates"]
    id = "lxzze-o7777-77777-aaaaa-cai"
    builtin = "stub"
    replies."get" = "(7 : nat64)"

    [observe."rate"]
    from = "rates"
    query = "get"
    path = ".0"

    [[call]]
    id = "get"
    to = "rates"
    method = "get"
    by = ["alice"]
    max = 2

    [[time]]
    advance = "60000000000ns"
    max = 1

    [[invariant]]
    name = "seven"
    when = "always"
    expr = "rate == 7"
    "#);
}

#[test]
fn a_correct_vault_passes_with_an_invariant_in_rust_and_all_oracles() {
    let mut s = vault("rust-api-sound", "withdraw_sound");
    s.preset("all");
    s.check();
}

#[test]
fn an_invariant_in_rust_finds_what_an_expression_finds() {
    let checked = vault("rust-api-stale", "withdraw_stale").run().expect("it can be run");
    assert_eq!(checked.verdict, Verdict::Violated);
    let [finding] = &checked.explored.findings[..] else { panic!("{:?}", checked.explored.findings) };
    assert_eq!((finding.calls, finding.faults, finding.deliveries), (2, 0, 6));
    assert_eq!(finding.error.as_deref(), Some("the book says 70, the ledger 40"));
    assert_eq!(finding.schedule.steps.len(), 6);
}

#[test]
#[ignore = "fails on purpose: another test runs it in a process of its own"]
fn a_check_of_a_vault_that_is_wrong() {
    vault("rust-api-wrong", "withdraw_stale").check();
}

/// What the failing test says, with this counterexample to replay if there is one.
fn failing_test(target: &std::path::Path, replay: Option<&str>) -> String {
    let mut command = Command::new(std::env::current_exe().expect("this test has a file"));
    command.args(["--ignored", "--exact", "rust_api::a_check_of_a_vault_that_is_wrong", "--nocapture"]);
    command.env("CARGO_TARGET_DIR", target).env("RUST_BACKTRACE", "0").env_remove("CANLOOM_REPLAY");
    if let Some(file) = replay {
        command.env("CANLOOM_REPLAY", file);
    }
    let output = command.output().expect("the test runs");
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_check_that_fails_shows_the_counterexample_and_the_command_that_replays_it() {
    let target = tempfile::tempdir().expect("a folder can be made");
    let said = failing_test(target.path(), None);
    assert!(said.contains("rust-api-wrong: violated\n48 interleavings"), "{said}");
    assert!(said.contains("violated after step 6: the closure says so: the book says 70, the ledger 40\n"), "{said}");
    let replay = said.lines().find_map(|line| line.strip_prefix("replay: CANLOOM_REPLAY=")).expect("a command");
    let file = replay.strip_suffix(" cargo test").expect("the command runs the tests");
    let again = failing_test(target.path(), Some(file));
    assert!(!again.contains("interleavings"), "nothing is explored: {again}");
    assert!(again.contains("violated after step 6: the closure says so: the book says 70, the ledger 40\n"), "{again}");
}

#[test]
fn what_cannot_be_run_is_an_error_with_the_reason() {
    let mut s = Scenario::builder("nothing");
    let error = s.run().expect_err("there is no canister");
    assert!(error.contains("a scenario needs a canister"), "{error}");
    let alice = s.actor("alice");
    let canister = s.canister("missing");
    s.install(&canister).wasm("missing.wasm");
    s.call("x", &canister, "x", &[&alice]);
    let error = s.run().expect_err("there is no module");
    assert!(error.contains("cannot read") && error.contains("missing.wasm"), "{error}");
}
