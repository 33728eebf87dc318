//! Observations by update methods: run on a copy of the state, with nothing of it kept.

use super::play::Play;
use super::stage::{Stage, call, explore_all};
use super::wat_canister::canister;

/// A counter whose getters are updates: `g` counts its own calls, `c` calls another method, `s` says nothing, `x` traps,
/// `j` rejects; `w` adds one.
fn counter() -> String {
    canister(
        r#"(global $n (mut i32) (i32.const 7))
           (table 1 funcref) (elem (i32.const 0) $back)
           (func $back (param i32) (call $reply))
           (func $up (global.set $n (i32.add (global.get $n) (i32.const 1))))
           (func (export "canister_update w") (call $up) (call $reply))
           (func (export "canister_update g") (call $up) (call $number (global.get $n)))
           (func (export "canister_update c")
             (call $to (i32.const 0) (i32.const 'w') (i32.const 0) (i32.const 0)) (call $send)
             (call $number (global.get $n)))
           (func (export "canister_update s") (call $up))
           (func (export "canister_update x") (call $trap (i32.const 512) (i32.const 3)))
           (func (export "canister_update j") (call $msg_reject (i32.const 512) (i32.const 2)))
           (func (export "canister_query q") (call $number (global.get $n)))"#,
    )
}

fn getter(name: &str) -> String {
    format!("[observe.{name}]\nfrom = \"c0\"\nupdate = \"{name}\"\n")
}

#[test]
fn an_update_observes_a_copy_of_the_state_and_nothing_of_it_is_kept() {
    let stage = Stage::new(&[counter()], &format!("{}{}", getter("g"), call("w", 0, "w", "max = 2")));
    let mut play = Play::new(&stage);
    assert_eq!((play.observe("g"), play.observe("g")), ("8".to_string(), "8".to_string()));
    play.steps("0");
    assert_eq!(play.observe("g"), "9");
    play.steps("1");
    assert_eq!(play.observe("g"), "10");
}

#[test]
fn a_getter_that_calls_rejects_traps_or_says_nothing_fails_with_that_text() {
    let getters = ["c", "s", "x", "j"].map(getter).concat();
    let stage = Stage::new(&[counter()], &format!("{getters}{}", call("w", 0, "w", "")));
    let mut play = Play::new(&stage);
    let id = super::stage::id(0);
    assert_eq!(play.observe("c"), "failed: observing it needs a call, which is refused");
    assert_eq!(play.observe("s"), format!("failed: IC0506: Canister {id} did not reply to the call"));
    let trap = "Canister called `ic0.trap` with message: 'ABC'";
    assert_eq!(play.observe("x"), format!("failed: IC0503: Error from Canister {id}: {trap}"));
    assert_eq!(play.observe("j"), "failed: AB");
}

#[test]
fn a_getter_is_no_execution_of_the_search_and_changes_no_count() {
    let of = |observe: &str| {
        let stage = Stage::new(&[counter()], &format!("{observe}{}", call("g", 0, "g", "max = 2")));
        let mut engine = stage.open();
        let explored = explore_all(&mut engine);
        (explored.worlds, explored.executions, explored.deliveries)
    };
    // Two calls of the very method that observes: 3 worlds, 2 executions.
    assert_eq!(of(""), (3, 2, 2));
    assert_eq!(of(&getter("g")), (3, 2, 2));
}

#[test]
fn a_query_is_not_observed_as_an_update_nor_an_update_as_a_query() {
    let refusal = |observe: &str| {
        let stage =
            Stage::new(&[counter()], &format!("[observe.o]\nfrom = \"c0\"\n{observe}\n{}", call("w", 0, "w", "")));
        let scenario = std::sync::Arc::new(stage.scenario());
        let error = canloom::engine::embedded::Embedded::open(scenario).err().expect("a refusal").to_string();
        error.rsplit('/').next().expect("a file name").to_string()
    };
    assert_eq!(
        refusal("update = \"q\""),
        "scenario.toml:8: canister `c0`: `q` is a query method; write `query = \"q\"`"
    );
    assert_eq!(
        refusal("query = \"g\""),
        "scenario.toml:8: canister `c0`: `g` is not a query method; write `update = \"g\"`, which runs it on a copy of the state"
    );
}
