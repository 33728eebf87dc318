//! Built-in canisters in a scenario file: what a stub does, ids of mainnet, arguments that are typed without a `did`.

use super::*;

const WASM: &str = "wasm = \"b.wasm\"";

/// [`GOOD`] with a stub for `b` that answers `bar` with this.
fn with_bar(bar: &str) -> String {
    GOOD.replacen(WASM, &format!("builtin = \"stub\"\n[canister.b.replies]\nbar = {bar}"), 1)
}

fn answers(bar: &str) -> Vec<StubAnswer> {
    let scenario = load(&with_bar(bar)).unwrap_or_else(|error| panic!("{error}"));
    let Code::Stub(replies) = &scenario.canisters[0].code else { panic!("a stub") };
    replies["bar"].clone()
}

fn refusal(bar: &str) -> String {
    load(&with_bar(bar)).unwrap_err().to_string().replacen("dir/s.toml:", "", 1)
}

fn seven() -> StubAnswer {
    StubAnswer::Reply(candid::encode_one(7u64).unwrap())
}

#[test]
fn a_stub_replies_rejects_traps_or_holds() {
    assert_eq!(answers("\"(7 : nat64)\""), [seven()]);
    assert_eq!(answers("{ reject = \"no\" }"), [StubAnswer::Reject("no".into())]);
    assert_eq!(answers("{ trap = \"broken\" }"), [StubAnswer::Trap("broken".into())]);
    assert_eq!(answers("{ hold = true }"), [StubAnswer::Hold]);
    let turns = answers("[\"(7 : nat64)\", { reject = \"no\" }, { hold = true }]");
    assert_eq!(turns, [seven(), StubAnswer::Reject("no".into()), StubAnswer::Hold]);
}

#[test]
fn a_stub_calls_a_canister_that_may_stand_below_it() {
    let call = |args: &str, then: &str| {
        let (canister, method) = (1, "inc".to_string());
        let bytes = |text| candid_parser::parse_idl_args(text).unwrap().to_bytes().unwrap();
        [StubAnswer::Call(StubCall { canister, method, args: bytes(args), then: bytes(then), line: 16 })]
    };
    assert_eq!(answers("{ call = \"a.inc\" }"), call("()", "()"));
    let with_both = "{ call = \"a.inc\", args = '(principal \"${b}\")', then = \"(7 : nat64)\" }";
    assert_eq!(answers(with_both), call("(principal \"lxzze-o7777-77777-aaaaa-cai\")", "(7 : nat64)"));
}

#[test]
fn what_a_stub_cannot_do_is_refused_at_its_place() {
    let forms = "`{ reject = \"text\" }`, `{ trap = \"text\" }`, `{ hold = true }` or `{ call = \"canister.method\" }`";
    assert_eq!(refusal("5"), "16:7: `bar` must be a text in quotes, a table or a list of these, not an integer");
    assert_eq!(refusal("[]"), "16:7: the list is empty");
    assert_eq!(refusal("[[\"()\"]]"), "16:8: a list in a list; write the answers in one list");
    assert_eq!(refusal("{}"), format!("16:7: `bar` says nothing; write a Candid text, {forms}"));
    let two = format!("16:7: `bar` says more than one thing; write a Candid text, {forms}");
    assert_eq!(refusal("{ hold = true, trap = \"x\" }"), two);
    assert_eq!(refusal("{ hld = true }"), "16:9: unknown key `hld` in `bar`, did you mean `hold`?");
    assert_eq!(refusal("{ hold = false }"), "16:9: `hold = false` says nothing; remove it");
    assert_eq!(refusal("{ hold = 1 }"), "16:16: `hold` must be `true` or `false`, not an integer");
    assert_eq!(refusal("{ reject = \"no\", then = \"()\" }"), "16:24: `then` belongs to `call`; remove it");
    assert_eq!(refusal("[\"()\", \"(1 : nut)\"]"), "16:20: not Candid: unbound type identifier nut");
    assert_eq!(refusal("{ call = \"a\" }"), "16:16: `a` is not a call; write `canister.method`");
    assert_eq!(refusal("{ call = \"c.inc\" }"), "16:16: unknown canister `c`, did you mean `b`?");
    assert_eq!(refusal("{ call = \"a.\" }"), "16:16: a method name has 1 to 200 bytes");
    let args = "{ call = \"a.inc\", args = \"(1 : nut)\" }";
    assert_eq!(refusal(args), "16:38: not Candid: unbound type identifier nut");
    let then = "{ call = \"a.inc\", then = \"(1 : nut)\" }";
    assert_eq!(refusal(then), "16:38: not Candid: unbound type identifier nut");
    let many = format!("[{}]", "\"()\",".repeat(257));
    assert_eq!(refusal(&many), "16:7: 257 items, at most 256 are possible");
}

/// [`GOOD`] with this in place of the wasm of `b`.
fn with(builtin: &str) -> Result<Scenario, String> {
    load(&GOOD.replacen(WASM, builtin, 1)).map_err(|error| error.to_string().replacen("dir/s.toml:", "", 1))
}

#[test]
fn canisters_of_mainnet_have_their_ids_and_others_the_ids_they_would_have_alone() {
    for (builtin, id) in [
        ("icp-ledger", "ryjl3-tyaaa-aaaaa-aaaba-cai"),
        ("cmc", "rkp4c-7iaaa-aaaaa-aaaca-cai"),
        ("xrc", "uf6dk-hyaaa-aaaaq-qaaaq-cai"),
    ] {
        let ids = |more: &str| {
            let scenario = with(&format!("builtin = \"{builtin}\"{more}")).unwrap();
            [0, 1].map(|at| scenario.canisters[at].id.to_text())
        };
        assert_eq!(ids(""), [id, "lxzze-o7777-77777-aaaaa-cai"]);
        assert_eq!(
            ids("\nid = \"lqy7q-dh777-77777-aaaaq-cai\""),
            ["lqy7q-dh777-77777-aaaaq-cai", "lxzze-o7777-77777-aaaaa-cai"]
        );
    }
}

#[test]
fn what_a_built_in_is_installed_with_needs_neither_types_nor_opt() {
    let init = "(record { fee = 1; balances = vec {}; symbol = \"X\"; minting_account = record { owner = principal \"${a}\" } })";
    let scenario = with(&format!("builtin = \"icrc1-ledger\"\ninit = '{init}'")).unwrap();
    let wanted = "(record { fee = 1 : nat; balances = vec {}; account_balances = null; minting_account = opt record { \
                  owner = principal \"lqy7q-dh777-77777-aaaaq-cai\"; subaccount = null }; name = null; symbol = opt \"X\"; \
                  decimals = null })";
    let wanted = candid_parser::parse_idl_args(wanted).unwrap().to_bytes().unwrap();
    // Untyped, `null` has a type of its own.
    assert_eq!(text_of(&scenario.canisters[0].init), text_of(&wanted).replace("null : null", "null"));
}

#[test]
fn arguments_of_a_built_in_are_checked_like_those_of_a_did() {
    let problem = |builtin: &str| with(builtin).unwrap_err();
    assert_eq!(
        problem("builtin = \"icp-ledger\"\ninit = '(record { fees = 1 })'"),
        "15:9: not Candid: init: unknown field `fees`, did you mean `fee`?"
    );
    assert_eq!(
        problem("builtin = \"icp-ledger\"\ninit = '(record { fee = \"1\" })'"),
        "15:9: not Candid: init: type mismatch: \"1\" cannot be of type nat"
    );
    assert_eq!(
        problem("builtin = \"icrc1-ledger\"\ninit = '(record { fee = 1 })'"),
        "15:9: not Candid: init: record field balances not found"
    );
    let ledger = GOOD.replacen(WASM, "builtin = \"icrc1-ledger\"", 1).replacen(
        "to = \"a\"\nmethod = \"foo\"",
        "to = \"b\"\nmethod = \"icrc2_approve\"",
        1,
    );
    let problem = load(&ledger).unwrap_err().to_string();
    assert!(problem.contains("the built-in `icrc1-ledger` has no method `icrc2_approve`"), "{problem}");
}
