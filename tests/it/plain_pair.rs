//! The canisters that benchmarks measure: exact counts on `plain_vault` with `plain_ledger`, and what their bug loses.

use std::path::Path;

use canloom::explore::Explored;

use super::stage::{Stage, counts};

/// `entries` kinds of withdrawals, of 10, 20, ..., `max` of each.
fn withdrawals(entries: u32, max: u32) -> Stage {
    let canisters = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/canisters");
    let wasm = |name: &str| {
        let file = canisters.join(name).with_extension("wasm");
        assert!(file.exists(), "{} is missing: run `make canisters`", file.display());
        file.display().to_string()
    };
    let (ledger, vault) = (wasm("plain_ledger"), wasm("plain_vault"));
    let mut text = format!(
        "format = 1\nname = \"plain\"\n[actor.alice]\n\
         [canister.ledger]\nwasm = \"{ledger}\"\ninit = \"(1000 : nat64)\"\n\
         [canister.vault]\nwasm = \"{vault}\"\ninit = '(principal \"${{ledger}}\", 1000 : nat64)'\n\
         [observe.book]\nfrom = \"vault\"\nquery = \"book\"\n[observe.real]\nfrom = \"ledger\"\nquery = \"balance\"\n\
         [[invariant]]\nname = \"book equals ledger when quiet\"\nwhen = \"quiescent\"\nexpr = \"book == real\"\n"
    );
    for at in 1..=entries {
        text += &format!(
            "[[call]]\nid = \"w{at}\"\nto = \"vault\"\nmethod = \"withdraw\"\nby = [\"alice\"]\nargs = \"({} : nat64)\"\nmax = {max}\n",
            at * 10
        );
    }
    Stage::with_scenario(&text)
}

fn final_outcomes(explored: &Explored, calls: u32) -> Vec<&str> {
    explored.outcomes[&(calls, 0)].iter().map(String::as_str).collect()
}

#[test]
fn withdrawals_of_plain_numbers_have_1_14_636_and_61800_interleavings() {
    for (calls, interleavings) in [(1, 1), (2, 14), (3, 636), (4, 61_800)] {
        let distinct = withdrawals(calls, 1).explore();
        assert_eq!(counts(&distinct).0, interleavings, "{calls} distinct");
        let equal = withdrawals(1, calls).explore();
        assert_eq!(counts(&equal).0, interleavings, "{calls} equal");
        assert!(equal.worlds <= distinct.worlds, "{calls} calls");
    }
}

#[test]
fn two_withdrawals_that_overlap_lose_one_in_the_book_and_none_on_the_ledger() {
    let explored = withdrawals(2, 1).explore();
    let replies = "w1 = true; w2 = true";
    let expected = [970, 980, 990].map(|book| format!("book = {book}; real = 970 | {replies}"));
    assert_eq!(final_outcomes(&explored, 2), expected);
    assert_eq!(explored.findings.len(), 1);
    assert_eq!(explored.findings[0].schedule.to_string(), "0\n0.1\n1\n0.1r\n1.1\n1.1r\n");
}

/// Benchmarks rely on it: what the search costs is not hidden behind what the canisters do.
#[test]
fn messages_of_plain_numbers_run_less_than_50000_instructions() {
    let mut engine = withdrawals(1, 1).open();
    let mut world = engine.start().clone();
    let mut choices = Vec::new();
    let mut instructions = Vec::new();
    loop {
        engine.kernel.choices(&world, &mut choices).expect("the engine offers what the canisters use");
        let Some(choice) = choices.first() else { break };
        let (next, happened) = engine.kernel.apply(&world, choice).expect("the engine offers what the canisters use");
        instructions.push(happened.delivery().expect("every step is a delivery").effects.instructions);
        world = next;
    }
    assert_eq!(instructions.len(), 3);
    assert!(instructions.iter().all(|&count| (1_000..50_000).contains(&count)), "{instructions:?}");
}
