//! What outlives a message and what does not: memory, globals, stable memory, tables; traps of wasm.

use super::super::play::Play;
use super::super::stage::{Stage, call, observe};
use super::{TRAP, counting, error, play, trapped};

#[test]
fn trap_rolls_back_heap_globals_and_stable_memory() {
    let body = format!(
        r#"(func (export "canister_init") (call $stable_grow (i32.const 1)))
           (func $sum (result i32)
             (i32.add (global.get $x) (i32.add (i32.load (i32.const 60000)) (call $stable_load (i32.const 8)))))
           (func $write
             (call $add (i32.const 1)) (i32.store (i32.const 60000) (i32.add (i32.load (i32.const 60000)) (i32.const 10)))
             (call $stable_store (i32.const 8) (i32.add (call $stable_load (i32.const 8)) (i32.const 100))))
           (func (export "canister_update w") (call $write) (call $number (call $sum)))
           (func (export "canister_update t") (call $write) (call $stable_grow (i32.const 1)) {TRAP})
           (func (export "canister_query s") (call $write) (call $number (call $sum)))"#
    );
    let mut play = play(&body, &["w", "t", "w", "s", "w"]);
    play.steps("0 1");
    assert_eq!((play.answer(0), play.answer(1)), ("111".to_string(), trapped()));
    play.steps("2");
    assert_eq!(play.answer(2), "222");
    play.steps("3");
    assert_eq!(play.answer(3), "333", "a query sees its own writes");
    play.steps("4");
    assert_eq!(play.answer(4), "333", "and nobody else does");
}

#[test]
fn writes_of_an_observing_query_are_dropped() {
    let body = r#"(func (export "canister_query z") (call $add (i32.const 1)) (call $number (global.get $x)))
                  (func (export "canister_update g") (call $add (i32.const 10)) (call $reply))"#;
    let calls = call("g", 0, "g", "") + &observe(0, "z") + &observe(0, "x");
    let mut play = Play::new(&Stage::new(&[counting(body)], &calls));
    assert_eq!((play.observe("z"), play.observe("z"), play.observe("x")), ("1".into(), "1".into(), "0".to_string()));
    play.steps("0");
    assert_eq!((play.observe("z"), play.observe("x")), ("11".to_string(), "10".to_string()));
}

#[test]
fn changes_of_tables_do_not_outlive_a_message_and_globals_do() {
    let body = r#"(type $f (func (result i32)))
        (table 2 funcref) (elem (i32.const 0) $one $two)
        (func $one (result i32) (i32.const 1)) (func $two (result i32) (i32.const 2))
        (func (export "canister_update g") (call $add (i32.const 1))
          (table.set (i32.const 0) (table.get (i32.const 1)))
          (call $number (call_indirect (type $f) (i32.const 0))))
        (func (export "canister_update r") (call $number (call_indirect (type $f) (i32.const 0))))"#;
    let mut play = play(body, &["g", "r"]);
    play.steps("0 1");
    assert_eq!((play.answer(0), play.answer(1), play.observe("x")), ("2".into(), "1".into(), "1".to_string()));
}

#[test]
fn dropped_data_segments_are_there_again_in_the_next_message() {
    let body = r#"(data $d "\05\00\00\00")
        (func (export "canister_update g")
          (memory.init $d (i32.const 3000) (i32.const 0) (i32.const 4)) (data.drop $d)
          (call $add (i32.load (i32.const 3000))) (call $number (global.get $x)))"#;
    let mut play = play(body, &["g", "g"]);
    play.steps("0 1");
    assert_eq!((play.answer(0), play.answer(1)), ("5".to_string(), "10".to_string()));
}

#[test]
fn memory_grows_and_a_trap_takes_it_back() {
    let body = format!(
        r#"(func $grow (drop (memory.grow (i32.const 1))) (i32.store (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 4)) (memory.size)))
           (func $show (call $number (i32.add (i32.mul (memory.size) (i32.const 100))
             (i32.load (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 4))))))
           (func (export "canister_update g") (call $grow) (call $show))
           (func (export "canister_update t") (call $grow) {TRAP})
           (func (export "canister_update r") (call $show))"#
    );
    let mut play = play(&body, &["g", "t", "r", "g", "r"]);
    play.steps("0 1 2 3 4");
    assert_eq!(
        [0, 1, 2, 3, 4].map(|call| play.answer(call)),
        ["202".into(), trapped(), "202".into(), "303".into(), "303".to_string()]
    );
    play.rewind();
    play.steps("2");
    assert_eq!(play.answer(2), "100", "an earlier world has its own, smaller heap");
}

#[test]
fn message_that_exceeds_its_limit_of_instructions_traps() {
    // A query method called as an update may execute 5e9 instructions; an update eight times as many.
    let body = r#"(func (export "canister_query l") (call $add (i32.const 1)) (loop $ever (br $ever)))"#;
    let mut play = play(body, &["l"]);
    let delivery = play.steps("0").expect("a delivery");
    let text = "Canister exceeded the limit of 5000000000 instructions for single message execution.";
    assert_eq!((play.answer(0), play.observe("x")), (error(522, text), "0".to_string()));
    let burned = delivery.effects.instructions;
    assert!((5_000_000_000..5_100_000_000).contains(&burned), "{burned}");
}

#[test]
fn other_traps_of_wasm_have_code_502_and_their_text() {
    for (body, text) in [
        ("(unreachable)", "unreachable"),
        (
            "(drop (i32.div_u (i32.const 1) (call $arg_size)))  (drop (i32.div_u (i32.const 1) (i32.const 0)))",
            "integer division by 0",
        ),
        ("(drop (i32.load (i32.const 65536)))", "heap out of bounds"),
        ("(call $deep)", "stack overflow"),
    ] {
        let body = format!(
            r#"(func $deep (call $deep) (call $add (i32.const 1))) (func (export "canister_update g") {body})"#
        );
        let mut play = play(&body, &["g"]);
        play.steps("0");
        assert_eq!(play.answer(0), error(502, &format!("Canister trapped: {text}")));
    }
}

#[test]
fn module_with_a_64_bit_memory_runs() {
    let wide = r#"(module
        (import "ic0" "msg_reply_data_append" (func $append (param i64 i64)))
        (import "ic0" "msg_reply" (func $msg_reply))
        (memory i64 1)
        (data (i64.const 0) "DIDL\00\01\79")
        (func (export "canister_update g")
          (i32.store (i64.const 7) (i32.add (i32.load (i64.const 7)) (i32.const 1)))
          (call $append (i64.const 0) (i64.const 11)) (call $msg_reply)))"#;
    let calls = call("one", 0, "g", "") + &call("two", 0, "g", "");
    let mut play = Play::new(&Stage::new(&[wide.to_string()], &calls));
    play.steps("0 1");
    assert_eq!((play.answer(0), play.answer(1)), ("1".to_string(), "2".to_string()));
}
