//! Ghosts: sums of what canisters really did to each other, whatever anybody was told of it.

use std::path::Path;
use std::sync::Arc;

use canloom::counterexample::replay;
use canloom::engine::embedded::Embedded;
use canloom::scenario::Scenario;

use super::play::Play;
use super::stage::{Stage, call, explore_all, fault, observe};
use super::wat_canister::{Wait, forwarder, ledger};

/// A vault with 200 on the ledger, 100 of which are alice's, and two withdrawals of 60 by this method.
fn vault(ledger: &str, method: &str, when: &str) -> Stage {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).display().to_string();
    Stage::with_scenario(&format!(
        r#"format = 1
name = "vault"
[explore]
calls = 2
faults = 1
[actor.alice]
[canister.ledger]
{}
init = '(record {{ fee = 0 : nat; balances = vec {{ record {{ principal "${{vault}}"; 200 : nat }} }} }})'
[canister.vault]
wasm = "{root}/target/canisters/vault.wasm"
did = "{root}/canisters/vault/vault.did"
init = '(principal "${{ledger}}", principal "${{alice}}", 100 : nat64)'
[observe.real]
from = "ledger"
query = "icrc1_balance_of"
args = '(record {{ owner = principal "${{vault}}" }})'
[ghost.paid]
on = "vault -> ledger.icrc1_transfer:effect"
when = '{when}'
add = "it.args.amount"
[ghost.told]
on = "vault -> ledger.icrc1_transfer:reply"
[[call]]
id = "withdraw"
to = "vault"
method = "{method}"
by = ["alice"]
args = "(60 : nat64)"
max = 2
[[fault]]
edge = "vault -> ledger.icrc1_transfer"
kinds = ["sys_unknown", "clean_reject"]
[[invariant]]
name = "alice gets at most what she had"
when = "always"
expr = "paid <= 100"
[[invariant]]
name = "the ghost is what left the ledger"
when = "always"
expr = "real + paid == 200"
[[invariant]]
name = "paid and not told"
when = "sometimes"
expr = "quiet and paid == 60 and told == 0"
"#,
        ledger.replace("ROOT", &root)
    ))
}

const LEDGERS: [&str; 2] = [
    "builtin = \"icrc1-ledger\"",
    "wasm = \"ROOT/target/canisters/ledger.wasm\"\ndid = \"ROOT/canisters/ledger/ledger.did\"",
];

#[test]
fn a_vault_that_journals_unknown_outcomes_never_pays_more_than_alice_had() {
    for ledger in LEDGERS {
        let explored = vault(ledger, "withdraw_sound", "it.args.to.owner == alice and it.by == vault").explore();
        assert!(explored.findings.is_empty(), "{ledger}: {:?}", explored.findings);
        assert_eq!(explored.sometimes, [(2, true)], "{ledger}");
    }
}

#[test]
fn a_vault_that_checks_nothing_pays_more_than_it_holds_and_the_counterexample_replays() {
    for ledger in LEDGERS {
        let stage = vault(ledger, "withdraw_rollback", "true");
        let mut engine = stage.open();
        let explored = explore_all(&mut engine);
        let [finding] = &explored.findings[..] else { panic!("{ledger}: {:?}", explored.findings) };
        assert_eq!((finding.invariant, finding.calls, finding.faults), (0, 2, 0), "{ledger}");
        let replayed = replay(&mut engine, &finding.schedule, Some(0)).expect("it is possible");
        assert_eq!(replayed.violated, Some((finding.schedule.steps.len(), None)));
        assert_eq!(replayed.trace.names, ["real", "paid", "told"]);
        let values: Vec<String> = replayed.values.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        assert_eq!(values, ["paid = 120"]);
        let last = replayed.trace.events.last().expect("there are steps");
        assert_eq!(last.observations[0].to_string(), "80");
    }
}

/// One withdrawal of 7 by c0 from the ledger c1, with these ghosts and faults.
fn transfer(ghosts: &str, faults: &str) -> Play {
    let call = call("w", 0, "w", "args = \"(7 : nat32)\"");
    Play::new(&Stage::new(&[forwarder(&[1], Wait::Bounded), ledger()], &format!("{ghosts}{call}{faults}")))
}

const PAID_AND_TOLD: &str =
    "[ghost.paid]\non = \"c0 -> c1.t:effect\"\nadd = \"it.args\"\n[ghost.told]\non = \"c0 -> c1.t:reply\"\n";

/// The sums after each of these steps.
fn sums(play: &mut Play, steps: &str) -> Vec<(String, String)> {
    let after = |step: &str| {
        play.steps(step);
        (play.observe("paid"), play.observe("told"))
    };
    steps.split_whitespace().map(after).collect()
}

fn pairs(numbers: &[(u32, u32)]) -> Vec<(String, String)> {
    numbers.iter().map(|(paid, told)| (paid.to_string(), told.to_string())).collect()
}

#[test]
fn an_effect_counts_when_the_callee_answers_and_a_reply_when_the_caller_is_told() {
    let mut play = transfer(PAID_AND_TOLD, "");
    assert_eq!(sums(&mut play, "0 0.1 0.1r"), pairs(&[(0, 0), (7, 0), (7, 1)]));
}

#[test]
fn an_effect_counts_whether_or_not_the_caller_learns_of_it() {
    let unknown = format!("[explore]\nfaults = 1\n{}", fault("t", "\"sys_unknown\", \"clean_reject\""));
    let mut play = transfer(PAID_AND_TOLD, &unknown);
    assert_eq!(sums(&mut play, "0 0.1x 0.1r 0.1"), pairs(&[(0, 0), (0, 0), (0, 0), (7, 0)]));
    play.rewind();
    assert_eq!(sums(&mut play, "0 0.1 0.1x 0.1r"), pairs(&[(0, 0), (7, 0), (7, 0), (7, 0)]));
    play.rewind();
    assert_eq!(sums(&mut play, "0 0.1x 0.1 0.1r"), pairs(&[(0, 0), (0, 0), (7, 0), (7, 0)]));
    play.rewind();
    assert_eq!(sums(&mut play, "0 0.1j 0.1r"), pairs(&[(0, 0), (0, 0), (0, 0)]));
}

#[test]
fn what_a_script_answers_is_no_effect_and_a_lie_is_a_reply() {
    let faults = "[explore]\nfaults = 1\n[[fault]]\nedge = \"c0 -> c1.t\"\nkinds = [\"lie\", \"business_err\"]\nlie = \"(5 : nat32)\"\nbusiness_err = \"(variant { err })\"\n";
    let mut play = transfer(PAID_AND_TOLD, faults);
    assert_eq!(sums(&mut play, "0 0.1l 0.1r"), pairs(&[(0, 0), (0, 0), (0, 1)]));
    play.rewind();
    assert_eq!(sums(&mut play, "0 0.1b 0.1r"), pairs(&[(0, 0), (0, 0), (0, 0)]));
}

#[test]
fn a_callee_that_awaits_first_counts_when_it_answers() {
    let ghost = "[ghost.counted]\non = \"c0 -> c1.t:effect\"\nadd = \"it.args * 2\"\n";
    let call = call("w", 0, "w", "args = \"(7 : nat32)\"");
    let canisters = [forwarder(&[1], Wait::Unbounded), forwarder(&[2], Wait::Unbounded), ledger()];
    let mut play = Play::new(&Stage::new(&canisters, &format!("{ghost}{call}")));
    let after = |step: &str| {
        play.steps(step);
        play.observe("counted")
    };
    assert_eq!(["0", "0.1", "0.1.1", "0.1.1r", "0.1r"].map(after), ["0", "0", "0", "14", "14"]);
}

#[test]
fn a_ghost_that_cannot_be_evaluated_fails_and_an_invariant_that_reads_it_is_violated_with_that_text() {
    let ghost = "[ghost.paid]\non = \"c0 -> c1.t:effect\"\nadd = \"it.args.amount\"\n";
    let invariant = "[[invariant]]\nname = \"i\"\nwhen = \"always\"\nexpr = \"paid < 100\"\n";
    let call = call("w", 0, "w", "args = \"(7 : nat32)\"\nmax = 2");
    let stage = Stage::new(&[forwarder(&[1], Wait::Bounded), ledger()], &format!("{ghost}{call}{invariant}"));
    let explored = stage.explore();
    let [finding] = &explored.findings[..] else { panic!("{:?}", explored.findings) };
    assert_eq!(finding.schedule.steps.len(), 2);
    let text = "`paid` cannot be observed: `add` of the ghost failed: no field `amount` in an integer (7)";
    assert_eq!(finding.error.as_deref(), Some(text));
}

#[test]
fn ghosts_tell_worlds_apart_only_by_their_sums_and_leave_counts_alone() {
    let of = |ghosts: &str| {
        let calls = call("w", 0, "w", "args = \"(0 : nat32)\"\nmax = 3");
        let rest = format!("{ghosts}{calls}{}", observe(1, "total"));
        let explored = Stage::new(&[forwarder(&[1], Wait::Unbounded), ledger()], &rest).explore();
        (explored.interleavings.map(|count| count.to_string()), explored.worlds, explored.executions)
    };
    let (interleavings, worlds, executions) = of("");
    assert_eq!(interleavings.as_deref(), Some("636"));
    // What was executed shows in the worlds anyway.
    let counted = of("[ghost.n]\non = \"c0 -> c1.t:effect\"\n");
    assert_eq!(counted, (interleavings, worlds, executions));
}

fn refusal(scenario: &str) -> String {
    let stage = Stage::with_scenario(scenario);
    let error = match Scenario::load(&stage.file("scenario.toml")) {
        Err(error) => error.to_string(),
        Ok(scenario) => Embedded::open(Arc::new(scenario)).err().expect("a refusal").to_string(),
    };
    error.rsplit('/').next().expect("a file name").to_string()
}

#[test]
fn a_ghost_on_a_method_that_is_not_there_is_refused_with_its_line() {
    let text = "format = 1\nname = \"g\"\n[actor.alice]\n[canister.s]\nbuiltin = \"stub\"\nreplies = { t = \"()\" }\n[ghost.g]\non = \"s -> s.u:effect\"\n[[call]]\nid = \"t\"\nto = \"s\"\nmethod = \"t\"\nby = \"alice\"\n";
    assert_eq!(refusal(text), "scenario.toml:7: canister `s` has no method `u`, did you mean `t`?");
}
