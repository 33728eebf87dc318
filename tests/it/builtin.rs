//! Built-in canisters answer as the wasm ones that they stand in for.

mod stub;
pub mod top_up;

use std::path::Path;
use std::sync::Arc;

use canloom::engine::embedded::Embedded;
use canloom::report::text::outcomes;
use canloom::scenario::Scenario;
use tempfile::TempDir;

use super::play::Play;
use super::stage::explore_all;

/// What takes the place of the ledger in a scenario of the corpus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ledger {
    Wasm,
    BuiltIn(&'static str),
}

const BUILT_IN: [Ledger; 2] = [Ledger::BuiltIn("icrc1-ledger"), Ledger::BuiltIn("icrc2-ledger")];

/// A scenario of the corpus with this ledger and these changes, installed. The folder goes when it is dropped.
fn open(name: &str, ledger: Ledger, changes: &[(&str, &str)]) -> (Embedded, TempDir) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut text = std::fs::read_to_string(root.join("corpus").join(name).join("scenario.toml")).expect("it is there");
    let wasm = "wasm = \"../../target/canisters/ledger.wasm\"\ndid = \"../../canisters/ledger/ledger.did\"\n";
    for (from, _) in changes.iter().chain(&[(wasm, "")]) {
        assert!(text.contains(from), "{name} has {from}");
    }
    for (from, to) in changes {
        text = text.replace(from, to);
    }
    if let Ledger::BuiltIn(builtin) = ledger {
        text = text.replace(wasm, &format!("builtin = \"{builtin}\"\n"));
    }
    let text = text.replace("../../", &format!("{}/", root.display()));
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("scenario.toml");
    std::fs::write(&file, text).expect("the folder can be written");
    let scenario = Scenario::load(&file).unwrap_or_else(|error| panic!("{error}"));
    let engine = Embedded::open(Arc::new(scenario)).unwrap_or_else(|error| panic!("{error}"));
    (engine, folder)
}

#[test]
fn vaults_end_alike_with_the_built_in_ledgers_and_with_the_wasm_ledger() {
    for name in ["vault-stale", "vault-rollback", "vault-sound"] {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let wanted = std::fs::read_to_string(corpus.join("outcomes.txt")).expect("the corpus has outcomes");
        for ledger in BUILT_IN {
            let (mut engine, _folder) = open(name, ledger, &[]);
            assert_eq!(outcomes(&explore_all(&mut engine)), wanted, "{name} with {ledger:?}");
        }
    }
}

/// What is left of an execution: how the first withdrawal of 30 ended, the vault's book, what the vault has, what is
/// paid out, and the steps that are still possible for the withdrawal's transfer.
#[derive(Debug, PartialEq, Eq)]
struct End {
    answer: String,
    book: String,
    real: String,
    paid: String,
    possible: Vec<String>,
}

/// Replays named steps of the sound vault, in whose first call 30 are withdrawn.
fn end(ledger: Ledger, funds: &str, steps: &str) -> End {
    let changes = [("${vault}\"; 100 : nat", &*format!("${{vault}}\"; {funds} : nat"))];
    let (engine, _folder) = open("vault-sound", ledger, &changes);
    let world = engine.start().clone();
    let mut play = Play { engine, world };
    play.steps(steps);
    let [book, real, paid] = ["book", "real", "paid"].map(|name| play.observe(name));
    let possible = play.possible();
    let of_transfer = |step: &&str| step.starts_with("0.1");
    let possible = possible.split(' ').filter(of_transfer).map(String::from).collect();
    End { answer: play.answer(0), book, real, paid, possible }
}

/// Asserts one of the six outcomes of a call to a ledger for each of the three ledgers.
fn outcome(funds: &str, steps: &str, wanted: (&str, [&str; 3], &[&str])) {
    let (answer, [book, real, paid], possible) = wanted;
    let wanted = End {
        answer: answer.to_string(),
        book: book.to_string(),
        real: real.to_string(),
        paid: paid.to_string(),
        possible: possible.iter().map(|step| step.to_string()).collect(),
    };
    for ledger in [Ledger::Wasm].into_iter().chain(BUILT_IN) {
        assert_eq!(end(ledger, funds, steps), wanted, "{ledger:?}, {steps}");
    }
}

const UNKNOWN: &str = "Err(\"outcome unknown: call rejected with code 6\")";

#[test]
fn outcome_ok_the_ledger_pays_and_says_so() {
    outcome("100", "0 0.1 0.1r", ("Ok(0)", ["70", "70", "30"], &[]));
}

#[test]
fn outcome_business_error_the_ledger_refuses_and_says_why() {
    let refused = "Err(\"not paid: InsufficientFunds { balance: Nat(20) }\")";
    outcome("20", "0 0.1 0.1r", (refused, ["100", "20", "0"], &[]));
}

#[test]
fn outcome_clean_reject_the_ledger_never_sees_the_request() {
    let rejected = "Err(\"not paid: call rejected with code 2\")";
    outcome("100", "0 0.1j 0.1r", (rejected, ["100", "100", "0"], &[]));
}

#[test]
fn outcome_unknown_dropped_a_later_request_takes_the_place_of_the_expired_one() {
    // The other withdrawal's transfer starts, and with that the expired one never will.
    outcome("100", "0 0.1x 0.1r 1 1.1 1.1r", (UNKNOWN, ["20", "50", "50"], &[]));
}

#[test]
fn outcome_unknown_executed_the_ledger_pays_and_its_answer_is_lost() {
    outcome("100", "0 0.1 0.1x 0.1r", (UNKNOWN, ["70", "70", "30"], &[]));
}

#[test]
fn outcome_unknown_late_the_ledger_pays_after_the_vault_was_told() {
    outcome("100", "0 0.1x 0.1r", (UNKNOWN, ["70", "100", "0"], &["0.1"]));
    outcome("100", "0 0.1x 0.1r 0.1", (UNKNOWN, ["70", "70", "30"], &[]));
}
