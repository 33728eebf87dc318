//! Messages, replies, prints and calls of the largest size, and one byte more.

use canloom::kernel::Input;
use canloom::kernel::guest::Execution;

use super::{Canister, end, go, module};

/// The contract of the system, broken in this way.
fn violated(what: &str) -> String {
    format!("IC0504: Canister violated contract: {what}")
}

/// How `go` with this argument ends.
fn go_with(arg: &[u8], parts: &str, body: &str) -> Execution {
    Canister::of(&module(parts, body)).run(Input::Call { method: "go", arg })
}

#[test]
fn reply_of_2_mib_is_sent_and_a_byte_more_traps() {
    let body = |size: usize| format!("(call $append (i32.const 0) (i32.const {size})) (call $reply)");
    assert_eq!(go("(memory 64)", &body(2 << 20)), "reply of 2097152 bytes");
    let exceeded = violated("ic0.msg_reply_data_append: the reply exceeds 2097152 bytes");
    assert_eq!(go("(memory 64)", &body((2 << 20) + 1)), exceeded);
    let twice = format!("(call $append (i32.const 0) (i32.const 1)) {}", body(2 << 20));
    assert_eq!(go("(memory 64)", &twice), exceeded);
    assert_eq!(go("", "(call $append (i32.const 0) (i32.const -1))"), exceeded);
    let text = |size: usize| format!("(call $reject (i32.const 0) (i32.const {size}))");
    assert!(go("(memory 64)", &text(2 << 20)).starts_with("reject 4: "));
    assert_eq!(go("(memory 64)", &text((2 << 20) + 1)), violated("ic0.msg_reject: the text exceeds 2097152 bytes"));
    assert_eq!(
        go("(data (i32.const 0) \"\\ff\")", "(call $reject (i32.const 0) (i32.const 1))"),
        violated("ic0.msg_reject: the text is not UTF-8")
    );
}

#[test]
fn arguments_of_10_mib_arrive_whole_and_ranges_beyond_them_trap() {
    let size = 10 << 20;
    let arg = vec![7; size];
    let body = format!(
        "(if (i32.ne (call $arg_size) (i32.const {size})) (then (unreachable)))
         (call $arg_copy (i32.const 0) (i32.const 0) (i32.const {size}))
         (if (i32.ne (i32.load8_u (i32.const {})) (i32.const 7)) (then (unreachable)))
         (call $reply)",
        size - 1
    );
    assert_eq!(end(&go_with(&arg, "(memory 161)", &body)), "reply of 0 bytes");
    for (dst, offset, length) in [("0", "1", "10485760"), ("0", "-1", "2"), ("-1", "0", "2"), ("65535", "0", "2")] {
        let body = format!("(call $arg_copy (i32.const {dst}) (i32.const {offset}) (i32.const {length}))");
        assert!(
            end(&go_with(&arg, "", &body)).starts_with("IC0504: Canister violated contract: ic0_msg_arg_data_copy: ")
        );
    }
}

#[test]
fn payload_of_a_call_may_have_10_mib_with_the_name_and_a_byte_more_traps() {
    let body = |size: usize| {
        format!(
            "(call $call_new (i32.const 0) (i32.const 10) (i32.const 0) (i32.const 1)
               (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
             (call $data (i32.const 0) (i32.const {size}))
             (if (call $perform) (then (unreachable)))"
        )
    };
    let sent = go_with(&[], "(memory 161)", &body((10 << 20) - 1));
    assert_eq!((end(&sent).as_str(), sent.requests[0].arg.len()), ("returned", (10 << 20) - 1));
    assert_eq!(
        go("(memory 161)", &body(10 << 20)),
        violated("ic0.call_data_append: the payload exceeds 10485760 bytes")
    );
}

#[test]
fn call_501_to_one_callee_is_not_sent() {
    let body = "(local $left i32) (local $failed i32) (local.set $left (i32.const 501))
        (loop
          (call $call_new (i32.const 0) (i32.const 10) (i32.const 0) (i32.const 1)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
          (local.set $failed (call $perform))
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))
          (if (local.get $left) (then (if (local.get $failed) (then (unreachable)))))
          (br_if 0 (local.get $left)))
        (if (i32.ne (local.get $failed) (i32.const 2)) (then (unreachable)))";
    let execution = go_with(&[], "", body);
    assert_eq!((end(&execution).as_str(), execution.requests.len()), ("returned", 500));
}

#[test]
fn names_of_methods_and_ids_of_canisters_have_limits_and_need_not_be_utf_8() {
    let call = |id: &str, name: &str| {
        format!(
            "(call $call_new (i32.const 0) (i32.const {id}) (i32.const 0) (i32.const {name})
               (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)) (drop (call $perform))"
        )
    };
    assert_eq!(go("", &call("30", "1")), violated("Canister provided invalid principal id"));
    assert_eq!(go("", &call("29", "20001")), violated("ic0.call_new: the method name exceeds 20000 bytes"));
    assert_eq!(go("", &call("29", "20000")), "returned");
    let execution = go_with(&[], "(data (i32.const 0) \"\\ff\\61\")", &call("0", "2"));
    assert_eq!(execution.requests[0].method, "\u{fffd}a");
}

#[test]
fn prints_are_cut_and_the_last_ones_kept() {
    let huge = go_with(&[], "(memory 1600)", "(call $print (i32.const 0) (i32.const 104857600)) (call $reply)");
    assert_eq!((end(&huge).as_str(), huge.log.len(), huge.log[0].len()), ("reply of 0 bytes", 1, 32 * 1024));
    let many = "(local i32)
        (loop (i32.store (i32.const 0) (local.get 0)) (call $print (i32.const 0) (i32.const 4))
          (local.set 0 (i32.add (local.get 0) (i32.const 1)))
          (br_if 0 (i32.lt_u (local.get 0) (i32.const 100000))))
        (call $reply)";
    let many = go_with(&[], "", many);
    assert_eq!(end(&many), "reply of 0 bytes");
    let kept: usize = many.log.iter().map(String::len).sum();
    assert!(!many.log.is_empty() && kept <= 64 * 1024, "{kept}");
    assert_eq!(
        many.log.last().map(String::as_bytes),
        Some(String::from_utf8_lossy(&99_999_u32.to_le_bytes()).as_bytes())
    );
    let outside = go_with(&[], "", "(call $print (i32.const -1) (i32.const -1)) (call $reply)");
    assert_eq!(
        (end(&outside).as_str(), outside.log[0].as_str()),
        ("reply of 0 bytes", "(debug_print message out of memory bounds)")
    );
}

#[test]
fn text_of_a_trap_is_cut_at_32_kib() {
    let end = go("(memory 160)", "(call $trap (i32.const 0) (i32.const 10000000))");
    assert_eq!(end.len(), "IC0503: Canister called `ic0.trap` with message: ''".len() + 32 * 1024);
    assert_eq!(
        go("", "(call $trap (i32.const 1) (i32.const -1))"),
        "IC0503: Canister called `ic0.trap` with message: '(trap message out of memory bounds)'"
    );
}

#[test]
fn timer_may_be_set_to_the_end_of_time() {
    let execution = go_with(&[], "", "(drop (call $timer (i64.const -1))) (call $reply)");
    assert_eq!((end(&execution).as_str(), execution.timer_ns), ("reply of 0 bytes", Some(u64::MAX)));
}

#[test]
fn start_function_that_traps_or_loops_makes_the_installation_fail() {
    let install = |body: &str| {
        let wat = format!("(module (func $s {body}) (start $s) (func (export \"canister_init\")))");
        end(&Canister::of(&wat).run(Input::Init { arg: &[] }))
    };
    assert_eq!(install("unreachable"), "IC0502: Canister trapped: unreachable");
    assert!(install("(loop (br 0))").starts_with("IC0522: "));
    assert_eq!(install(""), "returned");
}

#[test]
fn callback_at_any_index_of_the_table_is_a_trap_if_there_is_none() {
    let parts = "(table 1 funcref)";
    let mut canister = Canister::of(&module(parts, "(call $reply)"));
    let response = canloom::kernel::Response::Reply([].into());
    for index in [1, u64::from(u32::MAX), u64::MAX] {
        let function = canloom::kernel::Function { index, env: u64::MAX };
        let execution = canister.run(Input::Callback { function, response: &response });
        assert!(end(&execution).starts_with("IC0513: Canister requested to invoke a non-existent Wasm function"));
    }
}
