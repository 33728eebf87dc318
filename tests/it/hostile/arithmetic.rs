//! Amounts and times at the end of what their types hold: nothing wraps around.

use super::super::play::Play;
use super::super::stage::{Stage, call, observe};
use super::super::wat_canister::{Wait, canister_with, forwarder, ledger};

#[test]
fn what_pre_upgrade_burned_cannot_be_burned_again_by_post_upgrade() {
    let burning = canister_with(
        r#"(import "ic0" "cycles_burn128" (func $burn (param i64 i64 i32)))"#,
        r#"(global $again (mut i32) (i32.const 7))
           (func $all (call $burn (i64.const -1) (i64.const -1) (i32.const 2048)))
           (func (export "canister_pre_upgrade") (call $all))
           (func (export "canister_post_upgrade") (call $all) (global.set $again (i32.load (i32.const 2048))))
           (func (export "canister_update u") (call $balance (i32.const 2048))
             (call $number (i32.or (i32.load (i32.const 2048)) (i32.load (i32.const 2056)))))
           (func (export "canister_query again") (call $number (global.get $again)))"#,
    );
    let upgrade = "[[fault]]\nat = \"c0.upgrade\"\nkinds = [\"upgrade_no_stop\"]\nbudget = 1\n[explore]\nfaults = 1\n";
    let stage = Stage::new(&[burning], &[call("u", 0, "u", ""), observe(0, "again"), upgrade.to_string()].concat());
    let mut play = Play::new(&stage);
    assert_eq!(play.observe("again"), "7");
    play.steps("c0.upgrade1");
    assert_eq!(play.observe("again"), "0");
    play.steps("0");
    assert_eq!(play.answer(0), "0", "nothing is left, and nothing wrapped around");
}

#[test]
fn time_may_pass_to_the_end_of_its_64_bits_and_deadlines_do_not_wrap() {
    // Sixteen entries of 64 times a hundred years are more than the 533 years that fit.
    let times = "[[time]]\nadvance = \"5200w\"\nmax = 64\n".repeat(16);
    let calls = call("w", 0, "w", "args = \"(1 : nat32)\"");
    let stage = Stage::new(&[forwarder(&[1], Wait::Bounded), ledger()], &[calls, times].concat());
    let mut play = Play::new(&stage);
    play.steps(&"@1 ".repeat(6));
    assert_eq!(play.world.time_ns, u64::MAX);
    play.steps("@16");
    assert_eq!(play.world.time_ns, u64::MAX);
    // The deadline lies ahead and not behind, so the call is answered and does not expire.
    play.steps("0");
    assert!(!play.possible().contains("x"), "{}", play.possible());
    play.steps("0.1 0.1r");
    assert_eq!(play.answer(0), "null");
}
