//! What a call tree holds: pairs of worlds that differ in one field of it only.
//!
//! A pair is reached by two orders of the same steps. Where a choice must leave no other trace, two calls make it the other
//! way round ([`mirrored`]), and what they chose from is the same before and after.

use canloom::kernel::{CallTree, World};

use super::super::play::Play;
use super::super::puppet::expr::{caller, cell, global};
use super::super::puppet::{Call, Program, Theater};
use super::super::stage::{Stage, call, id, observe};
use super::super::wat_canister::canister;
use super::parts::{about, change, controlled, manage, observed_after, possible_after};
use super::two_worlds;

/// The worlds after two schedules, which differ in their trees, and there in what is forgotten.
fn differ_in_trees(stage: &Stage, a: &str, b: &str, forget: impl Fn(&mut CallTree)) -> Play {
    let mut play = Play::new(stage);
    let (a, b) = two_worlds(&mut play, a, b);
    assert_eq!(World { trees: b.trees.clone(), ..a.clone() }, b, "they differ in trees only");
    let mut differing = 0;
    for (&one, &other) in a.trees.iter().zip(&b.trees) {
        differing += usize::from(one != other);
        if one == other {
            continue;
        }
        let tree = |id| play.engine.kernel.tree(id).as_ref().clone();
        let (mut one, mut other) = (tree(one), tree(other));
        forget(&mut one);
        forget(&mut other);
        assert_eq!(one, other);
    }
    assert!(differing > 0);
    play
}

/// Calls 0 and 1 of c0 do, by `wrap`, the one and the other of two programs of equal length, as the global of `switched` has
/// them when they make their choice; calls 2 and 3 put them there in this order and in the other one.
fn mirrored(
    puppets: usize,
    switched: usize,
    one: &Program,
    other: &Program,
    wrap: impl Fn(Program) -> Program,
) -> Theater {
    let size = one.bytes().len();
    assert_eq!(size, other.bytes().len(), "or the choice shows in the number of instructions");
    let chosen = |at: usize| Program::new().run(global().slice((at * size) as u128, size as u128));
    let order = |one: &Program, other: &Program| Program::new().set_global(one.clone().then(other).bytes()).reply();
    Theater::of(puppets)
        .call(0, &wrap(chosen(0)))
        .call(0, &wrap(chosen(1)))
        .call(switched, &order(one, other))
        .call(switched, &order(other, one))
        .call(switched, &order(one, other))
}

#[test]
fn deleted_context_is_part_of_the_world() {
    let waiting = canister(
        r#"(global $x (mut i32) (i32.const 0))
           (table 1 funcref) (elem (i32.const 0) $done)
           (func $done (param i32) (global.set $x (i32.const 10)))
           (func (export "canister_update g") (call $reply)
             (call $to (i32.const 1) (i32.const 'r') (i32.const 0) (i32.const 0)) (call $send))
           (func (export "canister_query x") (call $number (global.get $x)))"#,
    );
    let replier = canister(r#"(func (export "canister_update r") (call $reply))"#);
    let faults = change("\"uninstall\", \"reinstall\"", 2) + "[explore]\nfaults = 2\n";
    let stage = Stage::new(&[waiting, replier], &(call("g", 0, "g", "") + &observe(0, "x") + &faults));
    let (a, b) = ("0 c0.uninstall1 c0.reinstall2", "0 c0.reinstall1 c0.reinstall2");
    let mut play = differ_in_trees(&stage, a, b, |tree| tree.contexts[0].deleted = false);
    assert_eq!(observed_after(&mut play, &format!("{a} 0.1 0.1r"), "x"), "0", "no code runs");
    assert_eq!(observed_after(&mut play, &format!("{b} 0.1 0.1r"), "x"), "10");
}

#[test]
fn who_waits_for_which_stop_is_part_of_the_world() {
    let stop = |canister: usize| Program::new().call(manage("stop_canister", about(canister)));
    let hold = Program::new().call(Call::run(id(0), Program::new().reply()).on_answer(Program::new().reply()));
    let theater = mirrored(3, 0, &stop(1), &stop(2), |chosen| chosen);
    let stage = controlled(&theater.call(1, &hold).call(2, &hold));
    let (a, b) = ("5 6 2 0 1 3 4 0.1 1.1", "5 6 2 3 0 1 4 0.1 1.1");
    let mut play = differ_in_trees(&stage, a, b, |tree| tree.requests[0].waits_for_stop = None);
    assert_eq!(possible_after(&mut play, &format!("{a} 5.1 5.1r")), "0.1r 6.1");
    assert_eq!(possible_after(&mut play, &format!("{b} 5.1 5.1r")), "1.1r 6.1");
}

#[test]
fn caller_of_a_context_is_part_of_the_world() {
    // c1 or c2 calls c3 for call 0, the other one for call 1; both give up, and nothing but the context in c3 remembers.
    let last = Call::run(id(0), Program::new().reply());
    let who = Program::new().set(1, caller().equals(id(1).as_slice())).reply();
    let inner = Program::new().call(last.on_answer(who));
    let middle = Program::new().call(Call::run(id(3), inner).timeout(10).on_answer(Program::new().reply()));
    let to = |canister: usize| {
        let call = Call::run(id(canister), middle.clone()).on_answer(Program::new().reply());
        Program::new().call(call)
    };
    let theater = mirrored(4, 0, &to(1), &to(2), |chosen| chosen);
    let stage = theater.observe("who", 3, cell(1)).more("[[time]]\nadvance = \"11s\"\n").stage();
    let end = "0.1 1.1 0.1.1 1.1.1 @1 0.1.1x 1.1.1x 0.1.1r 1.1.1r 0.1r 1.1r";
    let (a, b) = (format!("2 0 1 3 4 {end}"), format!("2 3 0 1 4 {end}"));
    let mut play = differ_in_trees(&stage, &a, &b, |tree| tree.contexts[0].caller = 0);
    assert_eq!(observed_after(&mut play, &format!("{a} 0.1.1.1 0.1.1.1r"), "who"), "1");
    assert_eq!(observed_after(&mut play, &format!("{b} 0.1.1.1 0.1.1.1r"), "who"), "0");
}

#[test]
fn cycles_left_of_a_context_are_part_of_the_world() {
    let own = Call::run(id(0), Program::new().reply()).on_answer(Program::new().reply());
    let pay = |chosen: Program| {
        let call = Call::run(id(1), chosen.call(own.clone())).cycles(100);
        Program::new().call(call.on_answer(Program::new().reply()))
    };
    let stage = mirrored(2, 1, &Program::new().accept(30), &Program::new().accept(20), pay).stage();
    let (a, b) = ("0 1 2 0.1 1.1 3 4", "0 1 2 3 0.1 1.1 4");
    let available = |tree: &mut CallTree| tree.contexts.iter_mut().for_each(|context| context.available = 0);
    differ_in_trees(&stage, a, b, available);
}

#[test]
fn cycles_sent_are_part_of_the_world() {
    let own = Call::run(id(0), Program::new().reply()).on_answer(Program::new().reply());
    let all = Program::new().accept(1_000).call(own);
    let pay = |cycles: u128| {
        Program::new().call(Call::run(id(1), all.clone()).cycles(cycles).on_answer(Program::new().reply()))
    };
    let stage = mirrored(2, 0, &pay(100), &pay(50), |chosen| chosen).stage();
    let (a, b) = ("2 0 1 3 4 0.1 1.1", "2 3 0 1 4 0.1 1.1");
    let sent = |tree: &mut CallTree| {
        tree.requests.iter_mut().filter_map(|request| request.callback.as_mut()).for_each(|callback| callback.sent = 0);
    };
    differ_in_trees(&stage, a, b, sent);
}

#[test]
fn each_function_of_a_callback_is_part_of_the_world() {
    let nowhere = |[reply, reject, cleanup]: [u32; 3]| {
        let call = Call::run(id(1), Program::new().reply());
        Program::new().call(call.on_answers_raw((reply, 0), (reject, 0)).on_cleanup_raw(cleanup, 0))
    };
    for other in [[901, 900, 7], [900, 901, 7], [900, 900, 8]] {
        let stage = mirrored(2, 0, &nowhere([900, 900, 7]), &nowhere(other), |chosen| chosen).stage();
        differ_in_trees(&stage, "2 0 1 3 4", "2 3 0 1 4", |tree| {
            let callback = tree.requests[0].callback.as_mut().expect("it waits");
            match other {
                [901, ..] => callback.on_reply.index = 0,
                [_, 901, _] => callback.on_reject.index = 0,
                _ => callback.on_cleanup = None,
            }
        });
    }
}

#[test]
fn deadlines_of_a_callback_and_of_a_context_are_part_of_the_world() {
    let own = Call::run(id(0), Program::new().reply()).on_answer(Program::new().reply());
    let wait = |seconds: u128| {
        let call = Call::run(id(1), Program::new().call(own.clone())).timeout(seconds);
        Program::new().call(call.on_answer(Program::new().reply()))
    };
    let theater = mirrored(2, 0, &wait(10), &wait(20), |chosen| chosen);
    let stage = theater.more("[[time]]\nadvance = \"15s\"\nmax = 2\n").stage();
    let (a, b) = ("2 0 1 3 4 @1", "2 3 0 1 4 @1");
    let mut play = differ_in_trees(&stage, a, b, |tree| {
        tree.requests[0].callback.as_mut().expect("it waits").deadline_ns = 0;
    });
    assert_eq!(possible_after(&mut play, a), "0.1 0.1x @1");
    assert_eq!(possible_after(&mut play, b), "0.1 1.1x @1");
    let end = "@1 0.1 1.1 0.1x 1.1x 0.1r 1.1r";
    differ_in_trees(&stage, &format!("{a} {end}"), &format!("{b} {end}"), |tree| tree.contexts[0].deadline_ns = 0);
}

#[test]
fn instructions_of_a_context_are_part_of_the_world_where_they_are_seen() {
    let own = Call::run(id(0), Program::new().reply()).on_answer(Program::new().reply());
    let burn = |instructions: u128| Program::new().burn(instructions);
    let stage = mirrored(1, 0, &burn(20), &burn(100), |chosen| chosen.call(own.clone())).stage();
    differ_in_trees(&stage, "2 0 1 3 4", "2 3 0 1 4", |tree| tree.contexts[0].instructions = 0);
}

#[test]
fn refund_on_its_way_is_part_of_the_world() {
    let pay = |chosen: Program| {
        let call = Call::run(id(1), chosen.reply()).cycles(100);
        Program::new().call(call.on_answer(Program::new().reply()))
    };
    let stage = mirrored(2, 1, &Program::new().accept(30), &Program::new().accept(20), pay).stage();
    differ_in_trees(&stage, "0 1 2 0.1 1.1 3 4", "0 1 2 3 0.1 1.1 4", |tree| {
        let callback = tree.requests[0].callback.as_mut().expect("it waits");
        callback.response.as_mut().expect("it is answered").refund = 0;
    });
}
