//! Calls whose arguments are generated, or captured from replies: what they count, find, and are called.

use std::collections::{BTreeMap, BTreeSet};

use canloom::counterexample::{Counterexample, ReplayError, replay};
use canloom::explore::{Budget, Explored, explore};
use canloom::sample::{Sampling, sample, schedule};
use canloom::schedule::Schedule;
use canloom::scheduler::Strategy;

use super::brute::{Limits, enumerate};
use super::divided::merged;
use super::oracles::locking;
use super::play::Play;
use super::stage::{NO_ORACLES, Stage, call, counts, explore_all, fault, observe};
use super::wat_canister::{Wait, canister, forwarder, ledger};

/// A sum, to which `a` adds; a shop, where `o` opens an account, with the next number as its reply, and `p` pays to one.
fn shop() -> String {
    canister(
        r#"(global $sum (mut i32) (i32.const 0)) (global $next (mut i32) (i32.const 0))
           (func (export "canister_update a") (global.set $sum (i32.add (global.get $sum) (call $arg))) (call $reply))
           (func (export "canister_update o")
             (global.set $next (i32.add (global.get $next) (i32.const 1))) (call $number (global.get $next)))
           (func (export "canister_update p")
             (global.set $sum (i32.add (i32.mul (global.get $sum) (i32.const 10)) (call $arg))) (call $number (call $arg)))
           (func (export "canister_query paid") (call $number (global.get $sum)))"#,
    )
}

const PICK: &str = "args = \"(${amt} : nat32)\"\ngen.amt = { pick = [1, 2, 4] }\n";

fn picks(more: &str) -> Stage {
    Stage::new(&[shop()], &format!("{}{}{more}", call("a", 0, "a", &format!("{PICK}max = 2")), observe(0, "paid")))
}

fn outcomes(explored: &Explored, calls: u32) -> Vec<String> {
    explored.outcomes[&(calls, 0)].iter().cloned().collect()
}

fn agrees(stage: &Stage) -> Explored {
    let explored = stage.explore();
    let found = enumerate(&stage.scenario(), &Limits::default());
    assert_eq!(counts(&explored).0, found.interleavings);
    assert_eq!(explored.outcomes, found.outcomes);
    let name = |at: usize| explored_name(stage, at);
    let violated: BTreeSet<String> = explored.findings.iter().map(|finding| name(finding.invariant)).collect();
    assert_eq!(violated, found.violated);
    let steps = |finding: &canloom::explore::Finding| finding.schedule.steps.len() as u32;
    let least: BTreeMap<String, u32> =
        explored.findings.iter().map(|finding| (name(finding.invariant), steps(finding))).collect();
    assert_eq!(least, found.least.into_iter().map(|(name, (_, _, _, steps))| (name, steps)).collect());
    explored
}

fn explored_name(stage: &Stage, invariant: usize) -> String {
    stage.scenario().invariants[invariant].name.clone()
}

#[test]
fn each_value_of_each_instance_is_an_interleaving_of_its_own() {
    // Either instance first, either with one of three values: 2 * 3 * 3.
    let explored = agrees(&picks(""));
    assert_eq!(counts(&explored), (18, 18));
    let sums = [2, 3, 4, 5, 6, 8].map(|sum| format!("paid = {sum} | a = null; a = null"));
    let found: BTreeSet<String> = outcomes(&explored, 2).into_iter().collect();
    assert_eq!(found, BTreeSet::from(sums));
}

#[test]
fn a_call_that_awaits_has_the_orders_of_its_messages_for_each_pair_of_values() {
    // Two withdrawals that await a ledger have 14 orders (tests/it/interleavings.rs), for each of 2 * 2 pairs of values.
    let more = "args = \"(${n} : nat32)\"\ngen.n = { pick = [0, 1] }\nmax = 2";
    let rest = format!("{}{}", call("w", 0, "w", more), observe(1, "total"));
    let explored = agrees(&Stage::new(&[forwarder(&[1], Wait::Unbounded), ledger()], &rest));
    assert_eq!(counts(&explored).0, 14 * 4);
}

#[test]
fn generators_of_one_call_are_combined_and_faults_strike_all_of_them() {
    let more = "args = \"(${n} : ${ty})\"\ngen.n = { pick = [0, 1, 2] }\ngen.ty = { pick = [\"nat32\", \"int32\"] }";
    let rest = format!("{}{}", call("w", 0, "w", more), fault("t", "\"clean_reject\""));
    let explored = agrees(&Stage::new(&[forwarder(&[1], Wait::Unbounded), ledger()], &rest));
    assert_eq!(counts(&explored), (12, 6));
}

#[test]
fn generated_arguments_by_type_count_too() {
    let by_type = "args = \"(${n} : nat32)\"\ngen.n = { type = \"nat32\", count = 5 }";
    let explored = agrees(&Stage::new(&[shop()], &format!("{}{}", call("a", 0, "a", by_type), observe(0, "paid"))));
    assert_eq!(counts(&explored).0, 5);
    let sums = [0, 1, 4294967294u32, 4294967295, 2147483647].map(|sum| format!("paid = {sum} | a = null"));
    assert_eq!(outcomes(&explored, 1).into_iter().collect::<BTreeSet<_>>(), BTreeSet::from(sums));
}

#[test]
fn values_of_the_setup_are_tried_too() {
    let setup = "[[setup]]\nto = \"c0\"\nmethod = \"p\"\nby = \"bob\"\nargs = \"(77 : nat32)\"\n";
    let by_type = "args = \"(${n} : nat32)\"\ngen.n = { type = \"nat32\", count = 2 }";
    let mut play = Play::new(&Stage::new(&[shop()], &format!("{setup}{}", call("a", 0, "a", by_type))));
    assert_eq!(play.possible(), "0{n=0} 0{n=1} 0{n=77}");
}

/// Accounts that alice opens, and payments to them by whom `by` says.
pub fn accounts(open: u32, pay: u32, by: &str) -> Stage {
    let opened = call("open", 0, "o", &format!("capture.id = \".\"\nmax = {open}"));
    let pay = call("pay", 0, "p", &format!("args = \"(${{id}})\"\nmax = {pay}")).replace("[\"alice\"]", by);
    Stage::new(&[shop()], &format!("{opened}{pay}{}", observe(0, "paid")))
}

#[test]
fn a_captured_value_is_awaited_and_each_one_is_a_variant() {
    // Openings 0 and 1, payments 2 and 3. Orders, with the number of accounts at each payment:
    //   o o p p: 2 * 2 * 2 * 2 = 16   o p o p: 2 * 2 * 1 * 2 = 8   o p p o: 2 * 2 * 1 * 1 = 4
    let explored = agrees(&accounts(2, 2, "[\"alice\"]"));
    assert_eq!(counts(&explored).0, 28);
    // One who opens no account of their own may use everybody's.
    assert_eq!(counts(&agrees(&accounts(2, 2, "[\"bob\"]"))).0, 28);
    let mut play = Play::new(&accounts(2, 1, "[\"bob\"]"));
    assert_eq!(play.possible(), "0");
    play.steps("0");
    assert_eq!(play.possible(), "1 2{id=1}");
    play.steps("1");
    assert_eq!(play.possible(), "2{id=1} 2{id=2}");
    play.steps("2{id=2}");
    assert_eq!((play.answer(2), play.possible()), ("2".to_string(), String::new()));
}

#[test]
fn who_captures_values_of_their_own_uses_no_others() {
    let opened = call("open", 0, "o", "capture.id = \".\"\nmax = 2").replace("[\"alice\"]", "[\"alice\", \"bob\"]");
    let pay = call("pay", 0, "p", "args = \"(${id})\"\nmax = 2").replace("[\"alice\"]", "[\"alice\", \"bob\"]");
    let stage = Stage::new(&[shop()], &format!("{opened}{pay}{}", observe(0, "paid")));
    let mut play = Play::new(&stage);
    play.steps("1 0");
    assert_eq!(play.possible(), "2{id=2} 3{id=1}");
    // Each chain of two steps in any order with the other one: 4! / (2! * 2!).
    assert_eq!(counts(&agrees(&stage)).0, 6);
}

#[test]
fn a_name_shared_by_several_calls_and_the_setup_is_a_set_of_values() {
    let setup = "[[setup]]\nto = \"c0\"\nmethod = \"o\"\nby = \"bob\"\ncapture.id = \".\"\n";
    let opened = call("open", 0, "o", "capture.id = \".\"");
    let again = call("again", 0, "o", "capture.id = \".\"");
    let pay = call("pay", 0, "p", "args = \"(${id})\"");
    let stage = Stage::new(&[shop()], &format!("{setup}{opened}{again}{pay}{}", observe(0, "paid")));
    let mut play = Play::new(&stage);
    assert_eq!(play.possible(), "0 1 2{id=1}");
    play.steps("1 0");
    assert_eq!(play.possible(), "2{id=1} 2{id=2} 2{id=3}");
    // Payment first: 2 orders of the others. In the middle: 2 orders, 2 values. Last: 2 orders, 3 values.
    assert_eq!(counts(&agrees(&stage)).0, 2 + 4 + 6);
}

#[test]
fn values_of_the_setup_go_into_later_setup_calls_observations_and_calls() {
    let one = |more: &str| format!("[[setup]]\nto = \"c0\"\nby = \"bob\"\n{more}\n");
    let setup =
        one("method = \"o\"") + &one("method = \"o\"\ncapture.id = \".\"") + &one("method = \"p\"\nargs = \"(${id})\"");
    let echo = canister(r#"(func (export "canister_query e") (call $number (call $arg)))"#);
    let seen = "[observe.seen]\nfrom = \"c1\"\nquery = \"e\"\nargs = \"(${id})\"\n";
    let rest = format!("{setup}{}{}{seen}", call("pay", 0, "p", "args = \"(${id})\""), observe(0, "paid"));
    let stage = Stage::new(&[shop(), echo], &rest);
    let mut play = Play::new(&stage);
    assert_eq!((play.observe("seen"), play.observe("paid")), ("2".to_string(), "2".to_string()));
    assert_eq!(play.possible(), "0{id=2}");
    play.steps("0{id=2}");
    assert_eq!(play.observe("paid"), "22");
}

#[test]
fn a_finding_has_the_values_in_its_steps_and_replays_from_its_file() {
    let stage = picks("[[invariant]]\nname = \"small\"\nwhen = \"always\"\nexpr = \"paid < 6\"\n");
    let explored = agrees(&stage);
    let [finding] = &explored.findings[..] else { panic!("one finding: {explored:?}") };
    assert_eq!(finding.schedule.to_string(), "0{amt=2}\n1{amt=4}\n");
    let file = Counterexample::of(&stage.open(), 0, finding.schedule.clone());
    let read = Counterexample::parse(&file.text()).expect("it is a counterexample");
    assert_eq!(read, file);
    let replayed = replay(&mut stage.open(), &read.schedule, Some(0)).expect("it replays");
    assert_eq!(replayed.violated, Some((2, None)));
    assert_eq!(replayed.trace.events[1].what, "a(4 : nat32)  [a]");
}

fn refusal(stage: &Stage, steps: &str) -> String {
    let steps = steps.split_whitespace().map(|name| name.parse().expect("a name")).collect();
    match replay(&mut stage.open(), &Schedule { steps }, None) {
        Err(ReplayError::Divergence { refusal, .. }) => refusal.to_string(),
        other => panic!("it is refused, not {other:?}"),
    }
}

#[test]
fn a_start_without_its_values_or_with_others_is_refused() {
    let stage = picks("");
    let possible = "possible: 0{amt=1} 0{amt=2} 0{amt=4}";
    assert_eq!(refusal(&stage, "0"), format!("no such message: 0: call 0 starts with a value; {possible}"));
    let unknown = format!("no such message: 0{{amt=3}}: call 0 has no such value, or not in this world; {possible}");
    assert_eq!(refusal(&stage, "0{amt=3}"), unknown);
    let started = "not legal on the IC: call 0 has started already, a call starts once";
    assert_eq!(refusal(&stage, "0{amt=1} 0{amt=2}"), started);
    let fixed = Stage::new(&[shop()], &call("o", 0, "o", ""));
    let nothing = "no such message: 0{amt=3}: call 0 has nothing to choose here, it starts as 0";
    assert_eq!(refusal(&fixed, "0{amt=3}"), nothing);
    let early = "outside the scenario's bounds: 2{id=1}: call 2 needs a captured value, and there is none yet";
    assert_eq!(refusal(&accounts(2, 1, "[\"bob\"]"), "2{id=1}"), early);
    let late = "no such message: 2{id=2}: call 2 has no such value, or not in this world; possible: 2{id=1}";
    assert_eq!(refusal(&accounts(2, 1, "[\"bob\"]"), "0 2{id=2}"), late);
}

#[test]
fn a_captured_value_that_does_not_fit_ends_the_run_with_its_place() {
    let opened = call("open", 0, "o", "capture.id = \".\"");
    let pay = call("pay", 0, "p", "args = \"(${id} : text)\"");
    let stage = Stage::new(&[shop()], &format!("{opened}{pay}"));
    let mut engine = stage.open();
    let error = explore(&mut engine, &Budget::default(), &mut |_| {}).expect_err("it does not fit");
    let file = stage.file("scenario.toml");
    let text = error.to_string();
    let wanted = format!(": {}:19:8: with `id = 1`: not Candid: ", file.display());
    assert!(text.contains(&wanted), "{text}");
}

#[test]
fn sampling_meets_every_value() {
    let stage = picks("");
    let all = stage.explore();
    let mut engine = stage.open();
    for strategy in [Strategy::Random, Strategy::Pos, Strategy::Pct] {
        let sampling = Sampling { strategy, seed: 3, schedules: 200, time: None, workers: 1, until_found: false };
        let some = sample(&mut engine, &sampling, &mut |_| {}).expect("all is offered");
        assert_eq!(some.outcomes, all.outcomes, "{strategy:?}");
        assert_eq!(some.worlds, all.worlds, "{strategy:?}");
        let one = schedule(&mut engine, strategy, 3, 5).expect("all is offered");
        replay(&mut engine, &one, None).expect("it replays");
    }
}

#[test]
fn threads_and_shards_find_what_one_thread_finds() {
    for stage in [picks(""), accounts(2, 2, "[\"bob\"]")] {
        let alone = stage.explore();
        let mut engine = stage.open();
        let threads =
            explore(&mut engine, &Budget { workers: 3, ..Budget::default() }, &mut |_| {}).expect("all is offered");
        assert_eq!((counts(&threads), threads.worlds), (counts(&alone), alone.worlds));
        let shards = merged(&stage.open(), 3);
        assert_eq!((counts(&shards), &shards.outcomes), (counts(&alone), &alone.outcomes));
    }
}

#[test]
fn a_perform_that_fails_at_the_start_has_the_values_in_its_name() {
    let more = "args = \"(${n} : nat32)\"\ngen.n = { pick = [0, 1] }";
    let rest = format!("{}{}", call("w", 0, "w", more), fault("t", "\"perform_failed\""));
    let stage = Stage::new(&[forwarder(&[1], Wait::Unbounded), ledger()], &rest);
    let mut play = Play::new(&stage);
    assert_eq!(play.possible(), "0{n=0} 0{n=1} 0{n=0}p1 0{n=1}p1");
    play.steps("0{n=1}p1");
    assert!(play.answer(0).starts_with("reject 5: "), "{}", play.answer(0));
    agrees(&stage);
}

#[test]
fn calls_show_their_arguments_to_expressions_when_they_have_begun() {
    let mut play = Play::new(&picks(""));
    play.steps("1{amt=2}");
    let calls = play.engine.calls(&play.world);
    assert!(calls[0].args.is_empty());
    assert_eq!(calls[1].args.to_vec(), candid::encode_one(2u32).expect("Candid"));
}

#[test]
fn all_arguments_of_a_call_can_be_asked_for() {
    let engine = picks("").open();
    let variants = engine.kernel.variants(engine.start(), 1).expect("all are Candid");
    let shown: Vec<(String, Vec<u8>)> = variants.iter().map(|(v, _)| (v.values.to_string(), v.arg.to_vec())).collect();
    let of = |amount: u32| (format!("{{amt={amount}}}"), candid::encode_one(amount).expect("Candid"));
    assert_eq!(shown, [of(1), of(2), of(4)]);
    let fixed = Stage::new(&[shop()], &call("o", 0, "o", "")).open();
    let variants = fixed.kernel.variants(fixed.start(), 0).expect("there is one");
    assert_eq!(variants.iter().map(|(v, _)| v.values.to_string()).collect::<Vec<_>>(), [""]);
}

#[test]
fn equal_values_merge_whichever_instance_has_them() {
    // Sets of values in play: {}, 3 of one call, 6 of two.
    assert_eq!(picks("").explore().worlds, 1 + 3 + 6);
    let mut apart = picks("").open();
    apart.kernel.tell_calls_apart();
    let told = explore_all(&mut apart);
    assert_eq!((counts(&told).0, told.worlds), (18, 1 + 6 + 9));
}

#[test]
fn inspection_sees_the_value_and_the_start_goes_on_with_it() {
    let inspected = canister(
        r#"(import "ic0" "accept_message" (func $accept_message))
           (global $sum (mut i32) (i32.const 0))
           (func (export "canister_inspect_message") (if (i32.lt_u (call $arg) (i32.const 3)) (then (call $accept_message))))
           (func (export "canister_update a") (global.set $sum (i32.add (global.get $sum) (call $arg))) (call $reply))
           (func (export "canister_query paid") (call $number (global.get $sum)))"#,
    );
    let inspected = inspected.replacen(r#"(import "ic0" "accept_message" (func $accept_message))"#, "", 1);
    let inspected =
        inspected.replacen("(module", r#"(module (import "ic0" "accept_message" (func $accept_message))"#, 1);
    let rest = format!("{}{}", call("a", 0, "a", &format!("{PICK}max = 2")), observe(0, "paid"));
    let stage = Stage::new(&[inspected], &rest);
    let mut play = Play::new(&stage);
    assert_eq!(play.possible(), "0{amt=1}s 0{amt=2}s 0{amt=4}s");
    play.steps("0{amt=2}s");
    assert_eq!(play.possible(), "0 1{amt=1}s 1{amt=2}s 1{amt=4}s");
    play.steps("0");
    assert_eq!(play.observe("paid"), "2");
    agrees(&stage);
}

/// The vault of the corpus with these calls.
fn vault(calls: &str) -> Stage {
    let root = env!("CARGO_MANIFEST_DIR");
    Stage::with_scenario(&format!(
        r#"format = 1
name = "vault"
[actor.alice]
[canister.ledger]
wasm = "{root}/target/canisters/ledger.wasm"
did = "{root}/canisters/ledger/ledger.did"
init = '(record {{ fee = 0; balances = vec {{ record {{ principal "${{vault}}"; 100 }} }} }})'
[canister.vault]
wasm = "{root}/target/canisters/vault.wasm"
did = "{root}/canisters/vault/vault.did"
init = '(principal "${{ledger}}", principal "${{alice}}", 100)'
[observe.book]
from = "vault"
query = "get_balance"
[observe.real]
from = "ledger"
query = "icrc1_balance_of"
args = '(record {{ owner = principal "${{vault}}" }})'
{calls}
[[invariant]]
name = "book equals ledger when quiet"
when = "quiescent"
expr = "book == real"
"#
    ))
}

#[test]
fn search_and_brute_force_agree_on_a_vault_with_picked_amounts() {
    let call = "[[call]]\nid = \"withdraw\"\nto = \"vault\"\nmethod = \"withdraw_stale\"\nby = \"alice\"\n";
    let stage = vault(&format!("{call}args = \"(${{amt}})\"\ngen.amt = {{ pick = [30, 50, 101] }}\nmax = 2\n"));
    let explored = agrees(&stage);
    // 101 is refused at once. Pairs of 30 and 50: 14 orders each; one of them with 101, in either instance: 4; 101 twice: 2.
    assert_eq!(counts(&explored).0, 14 * 4 + 4 * 4 + 2);
    assert_eq!(explored.findings[0].schedule.to_string().lines().next(), Some("0{amt=30}"));
}

#[test]
fn search_and_brute_force_agree_on_a_vault_whose_calls_capture() {
    let call = |id: &str, method: &str| {
        format!("[[call]]\nid = \"{id}\"\nto = \"vault\"\nmethod = \"{method}\"\nby = \"alice\"\n")
    };
    let withdraw = call("withdraw", "withdraw_sound") + "args = \"(10)\"\nmax = 2\ncapture.block = \".Ok\"\n";
    let deposit = call("deposit", "deposit") + "args = \"(${block})\"\n";
    let stage = vault(&(withdraw + &deposit));
    let explored = agrees(&stage);
    // The deposit comes after the first answer, with the block that it gives, or after both, with either.
    assert!(counts(&explored).0 > 14 * 2, "{:?}", counts(&explored));
    assert_eq!(explored.findings[0].schedule.to_string(), "0\n0.1\n0.1r\n1\n1.1\n1.1r\n2{block=1}\n");
}

#[test]
fn whole_arguments_are_generated_from_the_did() {
    let call =
        "[[call]]\nid = \"deposit\"\nto = \"vault\"\nmethod = \"deposit\"\nby = \"alice\"\ngen.args = { count = 3 }\n";
    let mut play = Play::new(&vault(call));
    assert_eq!(play.possible(), r#"0{args="(0)"} 0{args="(1)"} 0{args="(18446744073709551615)"}"#);
    play.steps(r#"0{args="(1)"}"#);
    assert_eq!(play.observe("book"), "101");
}

/// Names of what the oracles of these lines find.
fn alarms(stage: Stage, check: &str) -> Vec<String> {
    let file = stage.file("scenario.toml");
    let text = std::fs::read_to_string(&file).expect("it was written").replace(NO_ORACLES, "");
    std::fs::write(&file, format!("{text}\n[check]\n{check}\n")).expect("the folder can be written");
    let explored = stage.explore();
    explored.findings.iter().map(|finding| explored_name(&stage, finding.invariant)).collect()
}

#[test]
fn oracles_make_the_same_arguments_one_after_the_other() {
    let none: [&str; 0] = [];
    assert_eq!(alarms(picks(""), "all = true"), none);
    assert_eq!(alarms(accounts(2, 2, "[\"bob\"]"), "all = true"), none);
    let call = "[[call]]\nid = \"withdraw\"\nto = \"vault\"\nmethod = \"withdraw_stale\"\nby = \"alice\"\n";
    let stale = vault(&format!("{call}args = \"(${{amt}})\"\ngen.amt = {{ pick = [30, 50] }}\nmax = 2\n"));
    assert_eq!(alarms(stale, "serializable = true"), ["book equals ledger when quiet", "serializable"]);
}

#[test]
fn a_probe_makes_a_call_with_each_of_its_arguments() {
    let more = "args = \"(${n} : nat32)\"\ngen.n = { pick = [1, 2] }";
    let rest = call("w", 0, "w", more) + &fault("t", "\"clean_reject\"");
    let stage = Stage::new(&[locking(""), ledger()], &rest);
    assert_eq!(stage.open().alone().probes.len(), 2);
    assert_eq!(alarms(stage, "probe = true"), ["probe: c0.w"]);
    // What calls capture is not known at rest.
    assert_eq!(accounts(1, 1, "[\"bob\"]").open().alone().probes.len(), 1);
}
