//! `canloom init`: what it proposes for canisters that it has never seen is short, runs at once, and finds what is wrong
//! there and nothing else.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use canloom::engine::embedded::Embedded;
use canloom::explore::{Budget, Completeness, Explored, Grade, explore};
use canloom::init::{Ask, LINES_MAX, Proposal, propose};
use canloom::report::{Verdict, was_refused};
use canloom::scenario::Scenario;

use super::fixtures::module;

/// The interface that all wallets of `canisters/fixtures/` have.
const WALLET: &str = "service : (principal) -> {\n  balance : () -> (nat64) query;\n  deposit : (nat64) -> ();\n  \
                      withdraw : (nat64) -> (bool);\n}\n";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sample(name: &str) -> PathBuf {
    root().join(format!("target/canisters/{name}.wasm"))
}

/// What is asked of a module, for a scenario that nobody writes.
fn ask(wasm: PathBuf) -> Ask {
    Ask { wasm, did: None, init: None, name: None, file: root().join("scenario.toml"), writes_did: false }
}

fn proposed(ask: &Ask) -> String {
    let Proposal { text, .. } = propose(ask).unwrap_or_else(|error| panic!("{error}"));
    assert!(text.lines().count() <= LINES_MAX, "{text}");
    text
}

fn refused(ask: &Ask) -> String {
    propose(ask).expect_err("it is bad input").to_string()
}

fn explored(text: &str) -> (Verdict, Explored, Arc<Scenario>) {
    let scenario = Scenario::from_text(&root().join("scenario.toml"), text);
    let scenario = Arc::new(scenario.unwrap_or_else(|error| panic!("{error}\n{text}")));
    let mut engine = Embedded::open(scenario.clone()).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let explored = explore(&mut engine, &Budget::default(), &mut |_| {}).unwrap_or_else(|error| panic!("{error}"));
    let explored = explored.folded(&scenario);
    assert_eq!(explored.completeness, Completeness::Exhaustive, "{text}");
    assert_eq!(explored.undecided, [0; 0], "{text}");
    (Verdict::of(&scenario, &explored), explored, scenario)
}

/// What a scenario finds: names and grades.
fn found(text: &str) -> Vec<(String, Grade)> {
    let (verdict, explored, scenario) = explored(text);
    let name = |at: usize| scenario.invariants[at].name.clone();
    let found: Vec<_> = explored.findings.iter().map(|finding| (name(finding.invariant), finding.grade)).collect();
    assert_eq!(verdict == Verdict::Violated, !found.is_empty(), "{text}");
    found
}

/// The scenario without the calls of these methods.
fn without(text: &str, methods: &[&str]) -> String {
    let calls = |line: &&str| {
        methods.iter().any(|method| line.contains(&format!("method = \"{method}\"")) && line.starts_with("  {"))
    };
    let kept: Vec<&str> = text.lines().filter(|line| !calls(line)).collect();
    assert_ne!(kept.len(), text.lines().count(), "it has them:\n{text}");
    kept.join("\n") + "\n"
}

/// Everything holds, and the calls did something.
fn assert_held(text: &str) {
    let (verdict, explored, _) = explored(text);
    assert!(!was_refused(&explored), "{text}");
    assert_eq!(verdict, Verdict::Held, "{text}\n{:?}", explored.findings);
}

fn expect(found: &[(String, Grade)], expected: &[(&str, Grade)], text: &str) {
    let found: Vec<(&str, Grade)> = found.iter().map(|(name, grade)| (name.as_str(), *grade)).collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn a_vault_is_given_a_ledger_and_its_two_bad_withdrawals_are_found() {
    let text = proposed(&Ask { did: Some(root().join("canisters/vault/vault.did")), ..ask(sample("vault")) });
    assert!(text.contains("builtin = \"icrc1-ledger\""), "{text}");
    assert!(text.contains("init = '(principal \"${ledger}\", principal \"${alice}\", 100 : nat64)'"), "{text}");
    let balance = "conserve = { book = \"get_balance\", real = \"ledger_of_vault\", pending = \"pending\" }";
    assert!(text.contains(&format!("\n{balance}\n")), "{text}");
    let rollback_fails = ("err-is-noop: vault.withdraw_rollback", Grade::B);
    expect(&found(&text), &[("conserve", Grade::A), rollback_fails], &text);
    let stale = without(&text, &["withdraw_rollback", "withdraw_sound"]);
    expect(&found(&stale), &[("conserve", Grade::A)], &stale);
    let rollback = without(&text, &["withdraw_stale", "withdraw_sound"]);
    expect(&found(&rollback), &[("conserve", Grade::B)], &rollback);
    assert_held(&without(&text, &["withdraw_stale", "withdraw_rollback"]));
}

#[test]
fn a_ledger_holds() {
    let text = proposed(&ask(sample("ledger")));
    assert!(text.contains("method = \"icrc1_transfer\""), "{text}");
    assert_held(&text);
}

#[test]
fn a_vault_of_plain_numbers_is_given_a_stub_that_answers_as_it_needs() {
    let text = proposed(&ask(sample("plain_vault")));
    assert!(text.contains("replies = { transfer = \"(true)\" }"), "{text}");
    expect(&found(&text), &[("serializable", Grade::A)], &text);
}

#[test]
fn a_shop_is_given_prices_from_the_web_and_its_stale_sale_is_found() {
    let text = proposed(&ask(sample("shop")));
    assert!(text.contains("[[outcall]]\nurl = \"https://prices.example/item\"\nreplies = [\"10\"]\n"), "{text}");
    expect(&found(&text), &[("serializable", Grade::A)], &text);
    assert_held(&without(&text, &["buy_stale"]));
}

#[test]
fn refunds_that_trust_the_answer_trap_and_careful_ones_hold() {
    let text =
        proposed(&Ask { did: Some(root().join("canisters/fixtures/refund/refund.did")), ..ask(module("refund")) });
    assert!(text.contains("kinds = [\"clean_reject\", \"sys_unknown\"]"), "{text}");
    expect(&found(&text), &[("no-callback-trap: refund", Grade::C)], &text);
    assert_held(&without(&text, &["refund"]));
}

#[test]
fn items_are_processed_twice_or_trapped_over_but_not_those_that_are_marked_first() {
    let text = proposed(&Ask { did: Some(root().join("canisters/fixtures/items/items.did")), ..ask(module("items")) });
    assert!(text.contains("[[setup]]\nto = \"items\"\nmethod = \"set_items\"\n"), "{text}");
    expect(&found(&text), &[("no-callback-trap: items", Grade::C), ("serializable", Grade::A)], &text);
    let late = without(&text, &["process_and_panic"]);
    expect(&found(&late), &[("serializable", Grade::A)], &late);
    assert_held(&without(&late, &["process_late"]));
}

#[test]
fn wallets_of_strangers_get_a_deposit_first_and_have_one_bug() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let did = folder.path().join("wallet.did");
    std::fs::write(&did, WALLET).expect("the folder can be written");
    for name in ["cdk-0-20", "cdk-0-18", "cdk-0-13", "cdk-0-12", "cdk-0-3"] {
        let text = proposed(&Ask { did: Some(did.clone()), ..ask(module(name)) });
        assert!(text.contains("method = \"deposit\"\nby = \"alice\"\nargs = \"(100 : nat64)\"\n"), "{text}");
        expect(&found(&text), &[("serializable", Grade::A)], &text);
    }
}

#[test]
fn who_is_called_by_argument_is_a_stub_and_never_an_actor() {
    let text = proposed(&ask(sample("counter")));
    assert!(text.contains("method = \"foo\", by = [\"alice\"], args = '(principal \"${callee}\")'"), "{text}");
    assert!(!text.contains("${bob}") && !text.contains("${alice}"), "{text}");
    assert!(text.contains("{ edge = \"counter -> callee.bar\", kinds = [\"clean_reject\"] }"), "{text}");
}

#[test]
fn a_heartbeat_that_awaits_may_come_twice() {
    let text = proposed(&Ask { did: Some(root().join("canisters/cashier/cashier.did")), ..ask(sample("cashier")) });
    assert!(text.contains("\nheartbeats = 2  #"), "{text}");
}

#[test]
fn calls_that_set_a_timer_that_pays_come_first_and_time_passes_until_it_is_due() {
    let Proposal { text, updates, left_out, is_cut, .. } =
        propose(&Ask { did: Some(root().join("canisters/payroll/payroll.did")), ..ask(sample("payroll")) })
            .unwrap_or_else(|error| panic!("{error}"));
    assert!(text.contains("{ id = \"start_unlocked\", to = \"payroll\""), "{text}");
    assert!(text.contains("edge = \"payroll -> ledger.icrc1_transfer\""), "{text}");
    assert!(text.contains("\ntime = [{ advance = \"86400s\" }]\n"), "{text}");
    let why = "# left out: pay_tomorrow, run_now, run_now_unlocked: change nothing that a query shows";
    assert!(text.contains(&format!("\n{why}\n")), "{text}");
    assert_eq!((updates, left_out, is_cut), (5, 3, false));
}

#[test]
fn what_the_user_says_of_the_installation_is_kept_with_the_types_of_the_interface() {
    let init = Some("(principal \"${alice}\", principal \"${bob}\", 500)".to_string());
    let text = proposed(&Ask { init, name: Some("safe".to_string()), ..ask(sample("vault")) });
    assert!(text.contains("[canister.safe]\n"), "{text}");
    assert!(text.contains("init = '(principal \"${alice}\", principal \"${bob}\", 500 : nat64)'"), "{text}");
}

#[test]
fn bad_input_says_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("the folder can be written");
        path
    };
    let missing = folder.path().join("no.wasm");
    assert_eq!(
        refused(&ask(missing.clone())),
        format!("cannot read {}: it is not there; build the module first, or correct --wasm", missing.display())
    );
    let text = file("text.wasm", b"hello wasm");
    assert_eq!(
        refused(&ask(text.clone())),
        format!(
            "{}: not a valid wasm module: it does not begin as one; name a module, or build it again",
            text.display()
        )
    );
    let empty = file("empty.wasm", &wat::parse_str("(module)").expect("a module"));
    assert_eq!(
        refused(&ask(empty.clone())),
        format!("{}: the module says nothing of its interface; pass its Candid file: --did FILE.did", empty.display())
    );
    let did = file("bad.did", b"service : {\n  get : () -> (nope);\n}\n");
    let problem = refused(&Ask { did: Some(did.clone()), ..ask(empty.clone()) });
    assert_eq!(problem, format!("{}:2:16: type `nope` is not defined in this file", did.display()));
    let did = file("cut.did", b"service : {\n  get }\n");
    let problem = refused(&Ask { did: Some(did.clone()), ..ask(empty.clone()) });
    assert_eq!(problem, format!("{}:2:7: unexpected token, expects \":\"", did.display()));
    let did = file("query.did", b"service : { get : () -> () query }\n");
    assert_eq!(
        refused(&Ask { did: Some(did), ..ask(empty) }),
        "the interface of `empty` has no update method, so there are no orders to explore"
    );
    let init = |init: &str| Ask { init: Some(init.to_string()), ..ask(sample("vault")) };
    assert_eq!(refused(&init("(5)")), "--init: not Candid: init: type mismatch: 5 can not be of type principal");
    assert_eq!(
        refused(&init("(principal \"${ledger}\")")),
        "--init: unknown actor or canister `ledger`; there is `alice`, `bob`, `admin`, `nobody`, `vault`"
    );
    let traps = "(module (import \"ic0\" \"trap\" (func $trap (param i32 i32))) (memory (export \"memory\") 1)
        (data (i32.const 0) \"no owner\") (func (export \"canister_init\") (call $trap (i32.const 0) (i32.const 8)))
        (func (export \"canister_update go\")))";
    let traps = file("traps.wasm", &wat::parse_str(traps).expect("a module"));
    let did = file("traps.did", b"service : (nat8) -> { go : () -> () }\n");
    assert_eq!(
        refused(&Ask { did: Some(did), ..ask(traps) }),
        "`traps` cannot be installed with (100 : nat8): IC0503: Canister called `ic0.trap` with message: 'no owner'; pass what it needs: --init '(...)'"
    );
    assert_eq!(
        refused(&Ask { name: Some("bob".to_string()), ..ask(sample("vault")) }),
        "`bob` is the name of an actor; pass another one: --as NAME"
    );
}

/// Runs `canloom init` in a folder; exit code, standard output and standard error.
fn init(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_canloom")).current_dir(folder).arg("init").args(arguments).output();
    let output = output.expect("canloom runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code().expect("no signal"), text(output.stdout), text(output.stderr))
}

#[test]
fn a_scenario_is_written_once_with_the_interface_beside_it_and_then_explored() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let wasm = folder.path().join("plain_vault.wasm");
    std::fs::copy(sample("plain_vault"), wasm).expect("the module can be copied");
    let arguments = ["--wasm", "plain_vault.wasm", "--as", "vault", "-o", "first.toml"];
    let (exit, out, error) = init(folder.path(), &arguments);
    assert_eq!((exit, out.as_str()), (0, ""), "{error}");
    assert_eq!(error, "first look: vault: violated\n  violated: serializable\nnext: canloom explore first.toml\n");
    let text = std::fs::read_to_string(folder.path().join("first.toml")).expect("it was written");
    assert!(text.contains("wasm = \"plain_vault.wasm\"\ndid = \"vault.did\"\n"), "{text}");
    let did = std::fs::read_to_string(folder.path().join("vault.did")).expect("it was written");
    assert!(did.contains("withdraw : (nat64) -> (bool)"), "{did}");
    let explored = Command::new(env!("CARGO_BIN_EXE_canloom"))
        .current_dir(folder.path())
        .args(["explore", "first.toml", "--quiet"])
        .output();
    assert_eq!(explored.expect("canloom runs").status.code(), Some(3));
    let (exit, out, error) = init(folder.path(), &arguments);
    assert_eq!((exit, out.as_str()), (2, ""));
    assert_eq!(error, "error: first.toml is there already; remove it, or give another name: -o FILE\n");
    let second = ["--wasm", "plain_vault.wasm", "--as", "vault", "-o", "second.toml"];
    assert_eq!(init(folder.path(), &second).0, 0, "the interface is there with the same content");
    std::fs::write(folder.path().join("vault.did"), "service : {}").expect("the folder can be written");
    let third = ["--wasm", "plain_vault.wasm", "--as", "vault", "-o", "third.toml"];
    let advice = "vault.did is there already, with another interface; give the canister another name: --as NAME";
    assert_eq!(init(folder.path(), &third), (2, String::new(), format!("error: {advice}\n")));
}
