//! Executions that would never end, go too deep, or take too much: all end in a trap.

use super::{Canister, FEW, end, go, module};

/// Text of the trap of an execution that used up its instructions.
fn exhausted() -> String {
    format!("IC0522: Canister exceeded the limit of {FEW} instructions for single message execution.")
}

#[test]
fn endless_loops_end_at_the_limit_of_instructions() {
    assert_eq!(go("", "(loop (br 0))"), exhausted());
    assert_eq!(go("", "(loop (br_if 0 (i32.const 1)))"), exhausted());
    assert_eq!(go("(func $again (return_call $again))", "(call $again)"), exhausted());
}

#[test]
fn instructions_on_ranges_cost_what_they_move_so_that_loops_of_them_end() {
    let memory = "(memory 512)";
    let all = "(i32.const 0) (i32.const 0) (i32.const 33554432)";
    assert_eq!(go(memory, &format!("(loop (memory.fill {all}) (br 0))")), exhausted());
    assert_eq!(go(memory, &format!("(loop (memory.copy {all}) (br 0))")), exhausted());
    let table = "(table $t 1000000 funcref)";
    let all = "(i32.const 0) (ref.null func) (i32.const 1000000)";
    assert_eq!(go(table, &format!("(loop (table.fill $t {all}) (br 0))")), exhausted());
    let all = "(i32.const 0) (i32.const 0) (i32.const 1000000)";
    assert_eq!(go(table, &format!("(loop (table.copy $t $t {all}) (br 0))")), exhausted());
    assert_eq!(go("", "(loop (drop (memory.grow (i32.const 0))) (br 0))"), exhausted());
}

#[test]
fn loops_of_system_calls_end_at_the_limit_of_instructions() {
    assert_eq!(go("", "(loop (drop (call $timer (i64.const -1))) (br 0))"), exhausted());
    let call = "(call $call_new (i32.const 0) (i32.const 10) (i32.const 0) (i32.const 1)
                 (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))";
    assert_eq!(go("", &format!("(loop {call} (br 0))")), exhausted());
    assert_eq!(go("", &format!("(loop {call} (drop (call $perform)) (br 0))")), exhausted());
    let read = "(call $stable_read (i64.const 0) (i64.const 0) (i64.const 65536))";
    assert_eq!(go("", &format!("(drop (call $stable_grow (i64.const 1))) (loop {read} (br 0))")), exhausted());
}

#[test]
fn recursion_ends_as_stack_overflow_and_the_canister_lives_on() {
    let parts = r#"(func $deeper (param i32) (result i32)
                     (i32.add (call $deeper (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))
                   (func (export "canister_update fine") (call $reply))"#;
    let mut canister = Canister::of(&module(parts, "(drop (call $deeper (i32.const 0)))"));
    assert_eq!(end(&canister.go()), "IC0502: Canister trapped: stack overflow");
    let fine = canister.run(canloom::kernel::Input::Call { method: "fine", arg: &[] });
    assert_eq!(end(&fine), "reply of 0 bytes");
}

#[test]
fn recursion_of_50000_calls_fits_the_stack_of_the_ic_on_any_thread() {
    // About 3 MiB of stack: more than a thread of a test has.
    let parts = "(func $deeper (param i32) (result i32)
                   (if (result i32) (i32.eqz (local.get 0))
                     (then (i32.const 0))
                     (else (i32.add (call $deeper (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))))";
    let body = "(if (i32.ne (call $deeper (i32.const 50000)) (i32.const 50000)) (then (unreachable))) (call $reply)";
    assert_eq!(go(parts, body), "reply of 0 bytes");
}

#[test]
fn system_functions_have_stack_at_the_deepest_point_of_a_recursion() {
    // A call of the system at each depth: the last one has nothing of the stack of wasm left.
    let parts = "(func $deeper (call $print (i32.const 0) (i32.const 8)) (call $deeper) (call $deeper))";
    assert_eq!(go(parts, "(call $deeper)"), "IC0502: Canister trapped: stack overflow");
}

#[test]
fn system_function_that_traps_at_the_deepest_point_is_a_trap() {
    let parts = "(func $deeper (param i32)
                   (if (i32.eqz (local.get 0)) (then (call $trap (i32.const 0) (i32.const 4))))
                   (call $deeper (i32.sub (local.get 0) (i32.const 1))) (call $deeper (i32.const 0)))
                 (data (i32.const 0) \"deep\")";
    assert_eq!(
        go(parts, "(call $deeper (i32.const 50000))"),
        "IC0503: Canister called `ic0.trap` with message: 'deep'"
    );
}

#[test]
fn memory_of_4_gib_or_6_gib_is_granted_and_no_page_more() {
    let grows = "(if (i32.ne (memory.grow (i32.const 65535)) (i32.const 1)) (then (unreachable)))
                 (if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then (unreachable)))
                 (i64.store (i32.const 0xfffffff8) (i64.const 7)) (call $reply)";
    let mut canister = Canister::of(&module("", grows));
    assert_eq!(end(&canister.go()), "reply of 0 bytes");
    assert_eq!(end(&canister.go()), "IC0502: Canister trapped: unreachable", "it cannot grow a second time");
    let wide = r#"(module (import "ic0" "msg_reply" (func $reply)) (memory i64 1)
                   (func (export "canister_update go")
                     (if (i64.ne (memory.grow (i64.const 98303)) (i64.const 1)) (then (unreachable)))
                     (if (i64.ne (memory.grow (i64.const 1)) (i64.const -1)) (then (unreachable)))
                     (i64.store (i64.const 0x17ffffff8) (i64.const 7)) (call $reply)))"#;
    assert_eq!(end(&Canister::of(wide).go()), "reply of 0 bytes");
}

#[test]
fn stores_beyond_the_end_are_out_of_bounds_wherever_the_end_is() {
    for address in ["0xfffffff9", "0xffffffff", "65536", "65529"] {
        assert_eq!(
            go("", &format!("(i64.store (i32.const {address}) (i64.const 1))")),
            "IC0502: Canister trapped: heap out of bounds"
        );
    }
    for offset in ["0xffffffff", "0x100000000", "0xfffffffffffffff8"] {
        let wide = format!(
            r#"(module (memory i64 1) (func (export "canister_update go")
                 (i64.store offset={offset} (i64.const 8) (i64.const 1))))"#
        );
        assert_eq!(end(&Canister::of(&wide).go()), "IC0502: Canister trapped: heap out of bounds");
    }
}

#[test]
fn table_grows_to_a_million_elements_and_no_further() {
    let body = "(if (i32.ne (table.grow $t (ref.null func) (i32.const 999999)) (i32.const 1)) (then (unreachable)))
                (if (i32.ne (table.grow $t (ref.null func) (i32.const 1)) (i32.const -1)) (then (unreachable)))
                (call $reply)";
    assert_eq!(go("(table $t 1 funcref)", body), "reply of 0 bytes");
}

#[test]
fn stable_memory_ends_at_500_gib_and_takes_only_what_is_written() {
    let body = "(if (i64.ne (call $stable_grow (i64.const 8192001)) (i64.const -1)) (then (unreachable)))
                (if (i64.ne (call $stable_grow (i64.const -1)) (i64.const -1)) (then (unreachable)))
                (if (i64.ne (call $stable_grow (i64.const 8192000)) (i64.const 0)) (then (unreachable)))
                (if (i64.ne (call $stable_grow (i64.const 1)) (i64.const -1)) (then (unreachable)))
                (call $stable_write (i64.const 536870911992) (i64.const 0) (i64.const 8))
                (call $stable_read (i64.const 100) (i64.const 536870911992) (i64.const 8))
                (if (i64.ne (i64.load (i32.const 100)) (i64.const 0x6c6c756620666f)) (then (unreachable)))
                (call $reply)";
    assert_eq!(go("(data (i32.const 0) \"of full\")", body), "reply of 0 bytes");
    for (offset, size) in [("65536", "1"), ("0", "65537"), ("-1", "1"), ("1", "-1")] {
        let body = format!(
            "(drop (call $stable_grow (i64.const 1)))
             (call $stable_write (i64.const {offset}) (i64.const 0) (i64.const {size}))"
        );
        let end = go("", &body);
        let expected =
            if size == "-1" { exhausted() } else { "IC0502: Canister trapped: stable memory out of bounds".into() };
        assert_eq!(end, expected, "{offset} {size}");
    }
}
