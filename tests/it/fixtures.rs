//! Canisters of strangers, `canisters/fixtures/`: whatever compiler and library they come from, they load and run.
//!
//! Every wallet has `deposit`, `withdraw` and `balance`, awaits `pay` of the canister named in its init argument, and
//! the same stale-balance bug; so all of them have the same interleavings and the same outcomes.

mod motoko;
mod stable;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use canloom::explore::Explored;

use super::stage::{Stage, counts};

/// The init argument of the fixtures in Rust.
pub const INIT: &str = "(principal \"${payer}\")";

/// The module of a fixture in Rust.
pub fn module(name: &str) -> PathBuf {
    let wasm = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("target/canisters/fixtures/{name}.wasm"));
    assert!(wasm.exists(), "{} is missing: run `make fixtures`", wasm.display());
    wasm
}

/// A scenario's beginning: alice, canister `c` from this module, and `payer`, a stub whose id `init` can name.
pub fn beginning(wasm: &Path, init: &str) -> String {
    format!(
        "format = 1\nname = \"fixture\"\n[actor.alice]\n[canister.payer]\nbuiltin = \"stub\"\n\
         replies = {{ pay = \"(0 : nat64)\" }}\n[canister.c]\nwasm = '{}'\ninit = '{init}'\n",
        wasm.display()
    )
}

/// A call of the canister by alice, as a table of the scenario.
pub fn call(id: &str, method: &str, args: &str) -> String {
    format!("[[call]]\nid = \"{id}\"\nto = \"c\"\nmethod = \"{method}\"\nby = \"alice\"\nargs = \"{args}\"\n")
}

/// Observations of these queries, by their names.
pub fn observe(queries: &[&str]) -> String {
    let tables = queries.iter().map(|query| format!("[observe.{query}]\nfrom = \"c\"\nquery = \"{query}\"\n"));
    tables.collect()
}

/// 100 deposited; 30 and 50 are withdrawn by this method, and at most one payment fails.
pub fn wallet(wasm: &Path, init: &str, method: &str) -> Stage {
    let mut text = beginning(wasm, init) + &observe(&["balance"]);
    for amount in [30, 50] {
        text += &call(&format!("w{amount}"), method, &format!("({amount} : nat64)"));
    }
    let setup = "[[setup]]\nto = \"c\"\nmethod = \"deposit\"\nby = \"alice\"\nargs = \"(100 : nat64)\"\n";
    let fault = "[[fault]]\nedge = \"c -> payer.pay\"\nkinds = [\"clean_reject\"]\n";
    let paid = "sum(done(\"w30\"), it.reply ? 30 : 0) + sum(done(\"w50\"), it.reply ? 50 : 0)";
    writeln!(text, "{setup}{fault}[[invariant]]\nname = \"kept and paid\"\nwhen = \"quiescent\"")
        .expect("a string takes everything");
    writeln!(text, "expr = 'balance + {paid} == 100'").expect("a string takes everything");
    Stage::with_scenario(&text)
}

/// Outcomes by calls made and faults.
pub fn outcomes(explored: &Explored, calls: u32, faults: u32) -> Vec<&str> {
    let outcomes: &BTreeSet<String> = &explored.outcomes[&(calls, faults)];
    outcomes.iter().map(String::as_str).collect()
}

/// Explores two withdrawals with the bug: what is found does not depend on who made the canister.
fn assert_stale(wasm: &Path, init: &str) {
    let explored = wallet(wasm, init, "withdraw").explore();
    let shown = wasm.display();
    // Each withdrawal is start, payment, callback. 14 orders without a fault; each payment may be refused: 34 more.
    assert_eq!(counts(&explored), (48, 14), "{shown}");
    let steps = |at: usize| explored.findings[at].schedule.steps.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(explored.findings.len(), 1, "{shown}");
    assert_eq!(steps(0), ["0", "0.1", "1", "0.1r", "1.1", "1.1r"], "{shown}");
    let none = ["balance = 20 | w30 = true; w50 = true", "balance = 50 | w30 = true; w50 = true"];
    assert_eq!(outcomes(&explored, 2, 0), [none[0], none[1], "balance = 70 | w30 = true; w50 = true"], "{shown}");
    let one = ["balance = 50 | w30 = false; w50 = true", "balance = 70 | w30 = true; w50 = false"];
    assert_eq!(outcomes(&explored, 2, 1), one, "{shown}");
}

#[test]
fn wallets_of_ic_cdk_0_20_0_18_0_13_0_12_and_0_3_have_the_same_bug_in_the_same_48_interleavings() {
    for name in ["cdk-0-20", "cdk-0-18", "cdk-0-13", "cdk-0-12", "cdk-0-3"] {
        assert_stale(&module(name), INIT);
    }
}
