//! What a canister's settings say of it: environment variables.

use super::super::play::Play;
use super::super::stage::{Stage, call};
use super::super::wat_canister::canister_with;
use super::error;

/// Its methods reject with what they read: `k` with the name of a number, `v` with its value; `m` asks for the value of `ab`.
fn reading() -> String {
    let imports = r#"
  (import "ic0" "env_var_count" (func $count (result i32)))
  (import "ic0" "env_var_name_size" (func $name_size (param i32) (result i32)))
  (import "ic0" "env_var_name_copy" (func $name_copy (param i32 i32 i32 i32)))
  (import "ic0" "env_var_name_exists" (func $exists (param i32 i32) (result i32)))
  (import "ic0" "env_var_value_size" (func $value_size (param i32 i32) (result i32)))
  (import "ic0" "env_var_value_copy" (func $value_copy (param i32 i32 i32 i32 i32)))
"#;
    let body = r#"
  (func $name (param $at i32) (result i32)
    (call $name_copy (local.get $at) (i32.const 3000) (i32.const 0) (call $name_size (local.get $at)))
    (call $name_size (local.get $at)))
  (func (export "canister_update n") (call $number (i32.add (i32.mul (call $count) (i32.const 10))
    (call $exists (i32.const 544) (i32.const 3)))))
  (func (export "canister_update k") (call $msg_reject (i32.const 3000) (call $name (call $arg))))
  (func (export "canister_update v") (local $size i32) (local $length i32)
    (local.set $size (call $name (call $arg)))
    (local.set $length (call $value_size (i32.const 3000) (local.get $size)))
    (call $value_copy (i32.const 3000) (local.get $size) (i32.const 4000) (i32.const 1) (i32.sub (local.get $length) (i32.const 1)))
    (call $msg_reject (i32.const 4000) (i32.sub (local.get $length) (i32.const 1))))
  (func (export "canister_update m") (drop (call $value_size (i32.const 544) (i32.const 2))) (call $reply))
"#;
    canister_with(imports, body)
}

/// Two such canisters, the first with these variables.
fn stage(env: &str) -> Stage {
    let arg = |at: u32| format!("args = \"({at} : nat32)\"");
    let calls = call("n", 0, "n", "")
        + &call("k0", 0, "k", &arg(0))
        + &call("k1", 0, "k", &arg(1))
        + &call("v0", 0, "v", &arg(0))
        + &call("v1", 0, "v", &arg(1))
        + &call("k2", 0, "k", &arg(2))
        + &call("m", 0, "m", "")
        + &call("other", 1, "n", "");
    // One module, two canisters: what one reads is remembered for it alone.
    let stage = Stage::new(&[reading(), reading()], &calls);
    let file = stage.file("scenario.toml");
    let text = std::fs::read_to_string(&file).expect("it was written");
    std::fs::write(file, text.replacen("c0.wasm\"\n", &format!("c0.wasm\"\n{env}"), 1)).expect("the folder is there");
    stage
}

#[test]
fn environment_variables_are_the_scenarios_in_the_order_of_their_names() {
    let stage = stage("env = { abc = \"-${c1}\", \"PUBLIC_CANISTER_ID:c1\" = \"at ${c1}\" }\n");
    let other = stage.scenario().canisters[1].id.to_text();
    let mut play = Play::new(&stage);
    play.steps("0 1 2 3 4 5 6 7");
    let rejected = |text: &str| format!("reject 4: {text}");
    let refused = |what: &str| error(504, &format!("Canister violated contract: {what}"));
    assert_eq!(play.answer(0), "21", "two, and `abc` is one of them");
    assert_eq!((play.answer(1), play.answer(2)), (rejected("PUBLIC_CANISTER_ID:c1"), rejected("abc")));
    assert_eq!((play.answer(3), play.answer(4)), (rejected(&format!("t {other}")), rejected(&other)));
    assert_eq!(play.answer(5), refused("ic0_env_var_name_size: no variable 2"));
    assert_eq!(play.answer(6), refused("ic0_env_var_value_size: no variable `ab` (a scenario gives it with `env`)"));
    assert_eq!(play.answer(7), "0", "the other canister has none");
}
