//! Every system function in every mode: where it may be called is written down here once more, from the specification.

use canloom::engine::wasm::ic0::{SYSCALLS, Syscall};
use canloom::kernel::{Function, Input, Response};
use canloom::schedule::Task;

use super::{Canister, end};

/// The modes in the order of [`ends`], with the words of the replica's texts.
const MODES: [(&str, &str); 14] = [
    ("s", "start"),
    ("I", "init"),
    ("G", "pre upgrade"),
    ("U", "update"),
    ("RQ", "replicated query"),
    ("NRQ", "non replicated query"),
    ("TQ", "non replicated query"),
    ("Ry", "reply callback"),
    ("Rt", "reject callback"),
    ("C", "cleanup"),
    ("T", "heartbeat"),
    ("T", "global timer"),
    ("T", "on low Wasm memory"),
    ("F", "inspect message"),
];

/// Where functions may be called, as the section "Overview of imports" says it; `*` is everything but start.
const ALLOWED: [(&str, &str); 20] = [
    ("msg_arg_data_size msg_arg_data_copy", "I U RQ NRQ TQ Ry F"),
    ("msg_caller_info_data_size msg_caller_info_data_copy", "U RQ NRQ Ry Rt C F"),
    ("msg_caller_info_signer_size msg_caller_info_signer_copy", "U RQ NRQ Ry Rt C F"),
    ("msg_reject_code", "Ry Rt C"),
    ("msg_reject_msg_size msg_reject_msg_copy", "Rt"),
    ("msg_deadline", "U RQ NRQ Ry Rt"),
    ("msg_reply_data_append msg_reply msg_reject", "U RQ NRQ TQ Ry Rt"),
    ("msg_cycles_available msg_cycles_available128 msg_cycles_accept msg_cycles_accept128", "U RQ Ry Rt"),
    ("msg_cycles_refunded msg_cycles_refunded128", "Ry Rt"),
    ("cycles_burn128", "I G U RQ Ry Rt C T"),
    ("mint_cycles128", "U Ry Rt T"),
    ("msg_method_name_size msg_method_name_copy accept_message", "F"),
    ("call_new call_on_cleanup call_data_append call_with_best_effort_response", "U Ry Rt T"),
    ("call_cycles_add call_cycles_add128 call_perform", "U Ry Rt T"),
    ("root_key_size root_key_copy", "I G U RQ Ry Rt C T"),
    ("certified_data_set", "I G U Ry Rt T"),
    ("data_certificate_size data_certificate_copy", "NRQ"),
    ("global_timer_set", "I G U Ry Rt C T"),
    (
        "stable_size stable_grow stable_read stable_write stable64_size stable64_grow stable64_read stable64_write \
         performance_counter is_controller in_replicated_execution cost_call cost_create_canister cost_http_request \
         cost_http_request_v2 cost_sign_with_ecdsa cost_sign_with_schnorr cost_vetkd_derive_key debug_print trap",
        "* s",
    ),
    (
        "msg_caller_size msg_caller_copy canister_self_size canister_self_copy canister_cycle_balance \
         canister_cycle_balance128 canister_liquid_cycle_balance128 canister_status canister_version subnet_self_size \
         subnet_self_copy subnet_self_node_count data_certificate_present time env_var_count env_var_name_size \
         env_var_name_copy env_var_name_exists env_var_value_size env_var_value_copy",
        "*",
    ),
];

fn is_allowed(name: &str, letter: &str) -> bool {
    let row = ALLOWED.iter().find(|(names, _)| names.split_whitespace().any(|other| other == name));
    let (_, modes) = row.unwrap_or_else(|| panic!("{name} is in no row"));
    modes.split(' ').any(|mode| mode == letter || (mode == "*" && letter != "s"))
}

/// A module that calls a function in every entry point, with zeros.
fn calling(syscall: &Syscall, wide: bool, starts: bool) -> String {
    let ty = |letter: char| match letter {
        'I' if wide => "i64",
        'I' | 'i' => "i32",
        _ => "i64",
    };
    let address = ty('I');
    let params: String = syscall.params.chars().map(|letter| format!(" {}", ty(letter))).collect();
    let zeros: String = syscall.params.chars().map(|letter| format!("({}.const 0)", ty(letter))).collect();
    let result = syscall.result.chars().next().map_or(String::new(), |letter| format!("(result {})", ty(letter)));
    let call = format!("(call $f {zeros})");
    let call = if syscall.result.is_empty() { call } else { format!("(drop {call})") };
    let name = syscall.name;
    let entries = [
        "canister_init",
        "canister_pre_upgrade",
        "canister_update m",
        "canister_query m2",
        "canister_heartbeat",
        "canister_global_timer",
        "canister_on_low_wasm_memory",
        "canister_inspect_message",
    ];
    let exports: String = entries.iter().map(|entry| format!("(export \"{entry}\" (func $run))")).collect();
    let start = if starts { "(start $run)" } else { "" };
    let memory = if wide { "(memory i64 1)" } else { "(memory 1)" };
    format!(
        r#"(module (import "ic0" "{name}" (func $f (param{params}) {result})) {memory}
             (table 1 funcref) (elem (i32.const 0) $callback)
             (func $run {call}) (func $callback (param {address}) {call}) {exports} {start})"#
    )
}

/// How the function ends in each of [`MODES`].
fn ends(syscall: &Syscall, wide: bool) -> Vec<String> {
    let (replied, function) = (Response::Reply([].into()), Function { index: 0, env: 0 });
    let rejected = Response::Reject { code: 4, text: "no".into() };
    let arg: &[u8] = &[];
    let inputs = [
        Input::Init { arg },
        Input::PreUpgrade,
        Input::Call { method: "m", arg },
        Input::Call { method: "m2", arg },
        Input::Query { method: "m2", arg },
        Input::Transform { method: "m2", arg },
        Input::Callback { function, response: &replied },
        Input::Callback { function, response: &rejected },
        Input::Cleanup { function, response: &rejected },
        Input::Task(Task::Heartbeat),
        Input::Task(Task::Timer),
        Input::Task(Task::LowMemory),
        Input::Inspect { method: "m", arg },
    ];
    let mut starting = Canister::of(&calling(syscall, wide, true));
    let mut canister = Canister::of(&calling(syscall, wide, false));
    let first = end(&starting.run(Input::Init { arg }));
    std::iter::once(first).chain(inputs.into_iter().map(|input| end(&canister.run(input)))).collect()
}

#[test]
fn every_system_function_may_be_called_exactly_where_the_specification_says() {
    for syscall in SYSCALLS {
        for wide in [false, true] {
            if wide && syscall.only32 {
                continue;
            }
            for ((letter, mode), end) in MODES.iter().zip(ends(syscall, wide)) {
                let name = syscall.name;
                // What comes after the start function in an installation is another mode.
                let refusal = format!("\"ic0_{name}\" cannot be executed in {mode} mode");
                assert_eq!(end.contains(&refusal), !is_allowed(name, letter), "{name} in {mode}: {end}");
            }
        }
    }
}

#[test]
fn older_functions_do_not_exist_for_memories_of_64_bits() {
    let old: Vec<&Syscall> = SYSCALLS.iter().filter(|syscall| syscall.only32).collect();
    assert_eq!(old.len(), 9);
    for syscall in old {
        let expected =
            format!("the module imports function `{}` from `ic0`, which the IC does not offer", syscall.name);
        assert_eq!(super::refusal(&calling(syscall, true, false)), expected);
    }
}

/// How an update ends that calls a function with these operands, and with these bytes in memory.
fn called(name: &str, operands: &str, bytes: &str) -> String {
    let syscall = SYSCALLS.iter().find(|syscall| syscall.name == name).expect("a function");
    let wat = calling(syscall, false, false);
    let zeros = wat.find("(call $f ").expect("the call");
    let close = wat[zeros..].find("(func $callback").expect("the callback") + zeros;
    let value = if syscall.result.is_empty() { "" } else { "(global.set $seen" };
    let done = if syscall.result.is_empty() { "" } else { ")" };
    let head = wat[..zeros].trim_end_matches("(drop ").to_string();
    let text = format!(
        "{head} {value} (call $f {operands}) {done}) (global $seen (mut i32) (i32.const -1)) (data (i32.const 0) \"{bytes}\")
         (func (export \"canister_query seen\") (if (i32.ne (global.get $seen) (i32.const 0)) (then (unreachable))))
         {}",
        &wat[close..]
    );
    let mut canister = Canister::of(&text);
    let ended = end(&canister.run(Input::Call { method: "m", arg: &[] }));
    let zero = end(&canister.run(Input::Query { method: "seen", arg: &[] }));
    if ended == "returned" && zero == "returned" { "0".to_string() } else { ended }
}

#[test]
fn wrong_operands_trap_with_the_reason() {
    let violated = |what: &str| format!("IC0504: Canister violated contract: {what}");
    for (name, operands, bytes, expected) in [
        ("is_controller", "(i32.const 0) (i32.const 30)", "", violated("ic0_is_controller: invalid principal")),
        ("is_controller", "(i32.const 0) (i32.const 29)", "", "0".to_string()),
        (
            "is_controller",
            "(i32.const 65536) (i32.const 1)",
            "",
            violated("ic0_is_controller: heap out of bounds (address 65536, size 1)"),
        ),
        ("env_var_name_size", "(i32.const 0)", "", violated("ic0_env_var_name_size: no variable 0")),
        ("env_var_name_exists", "(i32.const 0) (i32.const 128)", "", "0".to_string()),
        (
            "env_var_name_exists",
            "(i32.const 0) (i32.const 129)",
            "",
            violated("ic0_env_var_name_exists: the variable's name exceeds 128 bytes"),
        ),
        (
            "env_var_name_exists",
            "(i32.const 0) (i32.const 1)",
            "\\ff",
            violated("ic0_env_var_name_exists: the variable's name is not UTF-8"),
        ),
        (
            "env_var_value_size",
            "(i32.const 0) (i32.const 1)",
            "a",
            violated("ic0_env_var_value_size: no variable `a` (a scenario gives it with `env`)"),
        ),
        ("cost_sign_with_ecdsa", "(i32.const 0) (i32.const 5) (i32.const 0) (i32.const 8)", "key_1", "0".to_string()),
        (
            "cost_sign_with_ecdsa",
            "(i32.const 0) (i32.const 5) (i32.const 0) (i32.const 65521)",
            "key_1",
            violated("ic0_cost_sign_with_ecdsa: heap out of bounds (address 65521, size 16)"),
        ),
        (
            "cost_http_request_v2",
            "(i32.const 0) (i32.const 4) (i32.const 0)",
            "DIDL",
            violated("ic0_cost_http_request_v2: the parameters cannot be decoded"),
        ),
        (
            "cost_http_request_v2",
            "(i32.const 0) (i32.const -1) (i32.const 0)",
            "",
            violated("ic0_cost_http_request_v2: the parameters are too long"),
        ),
        ("root_key_copy", "(i32.const 0) (i32.const 0) (i32.const 133)", "", "returned".to_string()),
        (
            "root_key_copy",
            "(i32.const 0) (i32.const 1) (i32.const 133)",
            "",
            violated("ic0_root_key_copy: offset 1 and size 133 exceed the 133 bytes there are"),
        ),
        (
            "certified_data_set",
            "(i32.const 0) (i32.const 33)",
            "",
            violated("ic0_certified_data_set: more than 32 bytes"),
        ),
    ] {
        assert_eq!(called(name, operands, bytes), expected, "{name} {operands}");
    }
}
