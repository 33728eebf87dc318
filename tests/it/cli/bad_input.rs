//! Bad input: one line of error that names file and place, exit 2, nothing written.

use super::super::stage::{Stage, call, fault};
use super::super::wat_canister::{Wait, canister, forwarder};
use super::{Ran, assert_one_error, canloom, change, explore_changed, explore_untouched, found, held, stage};

/// Explores a scenario with this canister in place of c0.
fn explore_module(module: &[u8]) -> Ran {
    let stage = held();
    std::fs::write(stage.file("c0.wasm"), module).expect("the folder can be written");
    explore_untouched(&stage)
}

fn explore_wat(wat: &str) -> Ran {
    explore_module(&wat::parse_str(wat).expect("a module"))
}

#[test]
fn counterexample_whose_scenario_is_missing_exits_2() {
    let (stage, name) = found();
    change(&stage, &name, "scenario: scenario.toml", "scenario: other.toml");
    assert_one_error(&canloom(stage.folder(), &["repro", &name]), 2, &["other.toml"]);
}

#[test]
fn counterexample_whose_canister_or_invariant_is_missing_exits_2() {
    for (from, to, part) in [
        ("module c0:", "module vault:", "canister `vault` is not in scenario.toml"),
        ("invariant: order is kept", "invariant: order", "invariant \"order\" is not in scenario.toml"),
    ] {
        let (stage, name) = found();
        change(&stage, &name, from, to);
        assert_one_error(&canloom(stage.folder(), &["repro", &name]), 2, &[&name, part]);
    }
}

#[test]
fn counterexample_whose_method_is_gone_exits_2() {
    let (stage, name) = found();
    change(&stage, "scenario.toml", "method = \"w\"", "method = \"withdraw\"");
    let parts = ["scenario.toml:", "canister `c0` has no method `withdraw`", "did you mean"];
    assert_one_error(&canloom(stage.folder(), &["repro", &name]), 2, &parts);
}

#[test]
fn counterexample_that_is_none_exits_2_with_its_line() {
    let (stage, name) = found();
    for (from, to, parts) in [
        ("canloom counterexample 1", "canloom counterexample 9", [":1: ", "unknown format version"]),
        ("verdict: violated", "verdict: maybe", [":5: ", "unknown verdict `maybe`"]),
        ("\n0.1\n", "\n0.1q\n", [":13: ", "`0.1q` is not the name of a step"]),
    ] {
        let text = std::fs::read_to_string(stage.file(&name)).expect("a file");
        assert!(text.contains(from), "{from} is not in {text}");
        std::fs::write(stage.file("bad.cx"), text.replacen(from, to, 1)).expect("the folder can be written");
        assert_one_error(&canloom(stage.folder(), &["repro", "bad.cx"]), 2, &["bad.cx:", parts[0], parts[1]]);
    }
    assert_one_error(&canloom(stage.folder(), &["repro", "none.cx"]), 2, &["none.cx: "]);
    std::fs::write(stage.file("bytes.cx"), [0xff, 0xfe, 0]).expect("the folder can be written");
    assert_one_error(&canloom(stage.folder(), &["repro", "bytes.cx"]), 2, &["bytes.cx: "]);
}

#[test]
fn missing_scenario_and_missing_wasm_exit_2() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_one_error(&canloom(folder.path(), &["explore", "none.toml"]), 2, &["cannot read none.toml: "]);
    let ran = explore_changed("c0.wasm", "gone.wasm");
    assert_one_error(&ran, 2, &["scenario.toml", "canister `c0`", "gone.wasm", "build the module first"]);
}

#[test]
fn truncated_wasm_and_what_is_no_wasm_exit_2() {
    let whole = wat::parse_str(forwarder(&[1], Wait::Unbounded)).expect("a module");
    for module in [&whole[..whole.len() / 2], &whole[..7], &[], b"#!/bin/sh\n"] {
        assert_one_error(
            &explore_module(module),
            2,
            &["scenario.toml", "canister `c0`", "c0.wasm", "not a valid wasm module"],
        );
    }
}

#[test]
fn unknown_import_and_wrong_signature_exit_2_with_the_name() {
    let ran = explore_wat(r#"(module (import "ic0" "msg_replay" (func)))"#);
    assert_one_error(&ran, 2, &["c0.wasm", "function `msg_replay` from `ic0`, which the IC does not offer"]);
    let ran = explore_wat(r#"(module (import "env" "print" (func)))"#);
    assert_one_error(&ran, 2, &["c0.wasm", "function `print` from `env`, which the IC does not offer"]);
    let ran = explore_wat(r#"(module (import "ic0" "msg_reply" (func (param i32))))"#);
    assert_one_error(&ran, 2, &["c0.wasm", "`ic0.msg_reply` with the wrong type: it is () -> ()"]);
    let ran = explore_wat(r#"(module (import "ic0" "memory" (memory 1)))"#);
    assert_one_error(&ran, 2, &["c0.wasm", "imports `memory` from `ic0`, which is not a function"]);
}

#[test]
fn init_that_traps_exits_2_with_its_text() {
    let ran = explore_wat(&canister(r#"(func (export "canister_init") (call $trap (i32.const 544) (i32.const 3)))"#));
    assert_one_error(&ran, 2, &["scenario.toml", "canister `c0`", "installation failed: IC0503", "'abc'"]);
    let ran = explore_wat(&canister("(func $start (unreachable)) (start $start)"));
    assert_one_error(&ran, 2, &["scenario.toml", "canister `c0`", "unreachable"]);
}

#[test]
fn method_that_does_not_exist_exits_2_with_file_line_and_nearest() {
    let ran = explore_changed("method = \"w\"", "method = \"ww\"");
    assert_one_error(&ran, 2, &["scenario.toml:", "canister `c0` has no method `ww`, did you mean `w`?"]);
    let ran = explore_changed("query = \"total\"", "query = \"totol\"");
    assert_one_error(&ran, 2, &["scenario.toml:", "canister `c1` has no method `totol`, did you mean `total`?"]);
    let ran = explore_changed("query = \"total\"", "query = \"t\"");
    assert_one_error(&ran, 2, &["scenario.toml:", "canister `c1`: `t` is not a query method"]);
}

#[test]
fn candid_that_does_not_parse_exits_2_with_line_and_column() {
    let stage = held();
    let text = std::fs::read_to_string(stage.file("scenario.toml")).expect("a scenario");
    let line = text.lines().position(|line| line.starts_with("args = \"(0")).expect("arguments") + 1;
    let ran = explore_changed("args = \"(0 : nat32)\"", "args = \"(0 : nat32\"");
    assert_one_error(&ran, 2, &[&format!("error: scenario.toml:{line}:")]);
    let ran = explore_changed("args = \"(0 : nat32)\"", "args = \"(record { 0 ; : })\"");
    assert_one_error(&ran, 2, &[&format!("error: scenario.toml:{line}:")]);
}

#[test]
fn expression_that_does_not_type_check_exits_2_with_line_and_column() {
    for (expr, part) in [
        ("total + 1", "an invariant must be true or false, this is an integer"),
        ("tutal > 0", "did you mean `total`?"),
        ("total > true", ""),
        ("total >", ""),
        ("count(open(\\\"w9\\\")) > 0", "w9"),
    ] {
        let stage = stage("total > 0", "");
        let text = std::fs::read_to_string(stage.file("scenario.toml")).expect("a scenario");
        let line = text.lines().position(|line| line.starts_with("expr = \"total")).expect("an expression") + 1;
        let ran = explore_changed("expr = \"total > 0\"", &format!("expr = \"{expr}\""));
        assert_one_error(&ran, 2, &[&format!("error: scenario.toml:{line}:"), part]);
    }
}

#[test]
fn cycle_in_after_exits_2_and_shows_it() {
    let stage = held();
    change(&stage, "scenario.toml", "id = \"w0\"", "id = \"w0\"\nafter = \"w1\"");
    change(&stage, "scenario.toml", "id = \"w1\"", "id = \"w1\"\nafter = \"w0\"");
    let ran = explore_untouched(&stage);
    assert_one_error(&ran, 2, &["scenario.toml:", "`after` goes in a circle: w0 after w1 after w0"]);
}

#[test]
fn unknown_key_exits_2_with_the_nearest_known_one() {
    let ran = explore_changed("method = \"w\"", "methud = \"w\"");
    assert_one_error(&ran, 2, &["scenario.toml:", "unknown key `methud` in [[call]], did you mean `method`?"]);
    let ran = explore_changed("[actor.alice]", "[[fualt]]\n[actor.alice]");
    assert_one_error(&ran, 2, &["scenario.toml:", "unknown key `fualt` in a scenario, did you mean `fault`?"]);
    let ran = explore_changed("[actor.alice]", "[actor.alice");
    assert_one_error(&ran, 2, &["scenario.toml:", "not TOML"]);
}

#[test]
fn fault_on_a_method_that_does_not_exist_exits_2() {
    let stage = stage("total > 0", &fault("transfer", "\"clean_reject\""));
    assert_one_error(&explore_untouched(&stage), 2, &["scenario.toml:", "canister `c1` has no method `transfer`"]);
}

#[test]
fn what_the_engine_does_not_offer_is_named_and_exits_2() {
    let fault = "[[fault]]\nedge = \"c0 -> management.bitcoin_get_balance\"\nkinds = [\"clean_reject\"]\n";
    let body = r#"(func (export "canister_update w") (call $reply))"#;
    let stage = Stage::new(&[canister(body)], &(call("w", 0, "w", "") + fault));
    let ran = canloom(stage.folder(), &["explore", "scenario.toml"]);
    let text = "the management method `bitcoin_get_balance` is not offered by the embedded engine";
    assert_one_error(&ran, 2, &["scenario.toml:", text]);
}
