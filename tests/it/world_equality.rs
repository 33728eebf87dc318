//! Every field of the world counts: two worlds that differ in one field only are two worlds, and the search tells them apart.
//!
//! Each test reaches two such worlds by two schedules, checks that nothing else differs, that their bytes and fingerprints
//! do, and that the search finds what only one of them leads to. Leaving the field out of world equality fails the test.

mod parts;
mod trees;

use std::collections::BTreeSet;
use std::sync::Arc;

use canloom::kernel::guest::{Env, Execution, Read};
use canloom::kernel::{CallSpec, Guest, Input, Kernel, Limits, MemoryId, Plan, Response, World};

use super::play::Play;
use super::stage::{Stage, call, counts, fault, id, observe};
use super::wat_canister::{Wait, canister, forwarder, ledger};

/// The worlds after two schedules, told apart by their bytes and fingerprints.
fn two_worlds(play: &mut Play, a: &str, b: &str) -> (World, World) {
    let mut reach = |schedule: &str| {
        play.rewind();
        play.steps(schedule);
        (play.world.clone(), play.bytes(), play.engine.kernel.fingerprint(&play.world))
    };
    let (a, a_bytes, a_print) = reach(a);
    let (b, b_bytes, b_print) = reach(b);
    assert_ne!(a_bytes, b_bytes, "the worlds have the same bytes");
    assert_ne!(a_print, b_print, "the worlds have the same fingerprint");
    assert_ne!(a, b);
    (a, b)
}

fn outcomes(stage: &Stage, section: (u32, u32)) -> BTreeSet<String> {
    stage.explore().outcomes[&section].clone()
}

fn texts<const N: usize>(texts: [&str; N]) -> BTreeSet<String> {
    texts.map(String::from).into()
}

/// A canister with number x, methods `s` and `u` that set it to 1 and to 0, and this body.
fn switch(body: &str) -> String {
    canister(&format!(
        r#"(global $x (mut i32) (i32.const 0))
           (func (export "canister_update s") (global.set $x (i32.const 1)) (call $reply))
           (func (export "canister_update u") (global.set $x (i32.const 0)) (call $reply))
           {body}"#
    ))
}

#[test]
fn queue_order_is_part_of_the_world() {
    let calls: String =
        [0, 1].map(|at| call(&format!("w{at}"), 0, "w", &format!("args = \"({at} : nat32)\""))).concat();
    let stage = Stage::new(&[forwarder(&[1], Wait::Unbounded), ledger()], &(calls + &observe(1, "total")));
    let mut play = Play::new(&stage);
    let (mut a, mut b) = two_worlds(&mut play, "0 1", "1 0");
    assert_eq!(a.queue.len(), 2);
    let order = |world: &World| world.queue.iter().map(|queued| queued.tree).collect::<Vec<_>>();
    assert_eq!((order(&a), order(&b)), (vec![0, 1], vec![1, 0]));
    a.queue.clear();
    b.queue.clear();
    assert_eq!(a, b, "they differ in their queues only");
    let explored = stage.explore();
    assert_eq!(counts(&explored).0, 14);
    let both = texts(["total = 897 | w0 = null; w1 = null", "total = 899 | w0 = null; w1 = null"]);
    assert_eq!(explored.outcomes[&(2, 0)], both);
}

#[test]
fn queue_content_is_part_of_the_world() {
    // An expired request that nobody waits for: it may still start, or it was dropped.
    let call = call("w0", 0, "w", "args = \"(1 : nat32)\"");
    let rest = format!("{call}{}{}[explore]\nfaults = 1\n", observe(1, "total"), fault("t", "\"sys_unknown\""));
    let stage = Stage::new(&[forwarder(&[1], Wait::Bounded), ledger()], &rest);
    let mut play = Play::new(&stage);
    play.steps("0 0.1x 0.1r");
    assert!(play.is_quiet());
    assert_eq!(play.possible(), "0.1");
    assert_eq!(outcomes(&stage, (1, 1)), texts(["total = 100 | w0 = null", "total = 299 | w0 = null"]));
    assert_eq!(counts(&stage.explore()).0, 5);
}

#[test]
fn open_context_that_has_replied_is_part_of_the_world() {
    // c1 awaits c2 twice, the second time after the first; between them its context has replied or not, as x tells. Its
    // own caller has given up, so nothing else remembers.
    let caller = canister(
        r#"(table 1 funcref) (elem (i32.const 0) $done) (func $done (param i32) (call $reply))
           (func (export "canister_update g")
             (call $to (i32.const 1) (i32.const 'm') (i32.const 0) (i32.const 0)) (call $bounded (i32.const 10)) (call $send))"#,
    );
    let middle = switch(
        r#"(global $mark (mut i32) (i32.const 0))
           (table 2 funcref) (elem (i32.const 0) $first $second)
           (func $ask (param i32) (call $to (i32.const 2) (i32.const 'r') (local.get 0) (i32.const 0)) (call $send))
           (func (export "canister_update m") (call $ask (i32.const 0)))
           (func $first (param i32) (if (global.get $x) (then (call $reply))) (call $ask (i32.const 1)))
           (func $second (param i32) (global.set $mark (i32.const 7)) (call $reply))
           (func (export "canister_query mark") (call $number (global.get $mark)))"#,
    );
    let replier = canister(r#"(func (export "canister_update r") (call $reply))"#);
    let calls = [call("g", 0, "g", ""), call("s", 1, "s", ""), call("u", 1, "u", "after = \"s\"")].concat();
    let rest = format!("{calls}{}{}[explore]\nfaults = 1\n", observe(1, "mark"), fault("m", "\"sys_unknown\""));
    let stage = Stage::new(&[caller, middle, replier], &rest);
    let mut play = Play::new(&stage);
    let begin = "0 0.1 0.1x 0.1r 0.1.1";
    let (a, b) = two_worlds(&mut play, &format!("{begin} 1 0.1.1r 2"), &format!("{begin} 0.1.1r 1 2"));
    let tree = |world: &World| play.engine.kernel.tree(world.trees[0]).as_ref().clone();
    let (mut x, mut y) = (tree(&a), tree(&b));
    assert_eq!((x.contexts[0].answered, y.contexts[0].answered), (true, false));
    x.contexts.clear();
    y.contexts.clear();
    assert_eq!(x, y, "the trees differ in their contexts only");
    let others = |world: &World| World { trees: world.trees[1..].to_vec(), ..world.clone() };
    assert_eq!(others(&a), others(&b), "the worlds differ in one tree only");
    for (schedule, mark) in [("1 0.1.1r 2", "0"), ("0.1.1r 1 2", "7")] {
        play.rewind();
        play.steps(&format!("{begin} {schedule} 0.1.1r.1 0.1.1r.1r"));
        assert_eq!(play.observe("mark"), mark, "the second reply traps if there was a first");
    }
    let explored = stage.explore();
    let both = texts(["mark = 0 | g = null; s = null; u = null", "mark = 7 | g = null; s = null; u = null"]);
    assert_eq!(explored.outcomes[&(3, 1)], both);
    // Without a fault the same states are reached, only with a caller that still remembers whether it was answered.
    assert_eq!(explored.outcomes[&(3, 0)], both);
}

/// Two worlds in which `s` and `u` have run in either order, and a state that shows it.
fn last_writer_shows(body: &str, show: &str) {
    let stage =
        Stage::new(&[canister(body)], &[call("a", 0, "a", ""), call("b", 0, "b", ""), observe(0, "x")].concat());
    let mut play = Play::new(&stage);
    let (a, b) = two_worlds(&mut play, "0 1", "1 0");
    assert_ne!(a.canisters[0].memory, b.canisters[0].memory, "{show}");
    assert_eq!(World { canisters: b.canisters.clone(), ..a.clone() }, b, "they differ in the canister only");
    assert_eq!(a.canisters[0].system, b.canisters[0].system, "they differ in {show} only");
    let explored = stage.explore();
    assert_eq!(
        explored.outcomes[&(2, 0)],
        texts(["x = 1 | a = null; b = null", "x = 2 | a = null; b = null"]),
        "{show}"
    );
    // Start, a, b, a b, b a.
    assert_eq!((counts(&explored).0, explored.worlds), (2, 5), "{show}");
}

#[test]
fn stable_memory_is_part_of_the_world() {
    last_writer_shows(
        r#"(func (export "canister_init") (call $stable_grow (i32.const 1)))
           (func (export "canister_update a") (call $stable_store (i32.const 60000) (i32.const 1)) (call $reply))
           (func (export "canister_update b") (call $stable_store (i32.const 60000) (i32.const 2)) (call $reply))
           (func (export "canister_query x") (call $number (call $stable_load (i32.const 60000))))"#,
        "stable memory",
    );
}

#[test]
fn heap_is_part_of_the_world() {
    last_writer_shows(
        r#"(func (export "canister_update a") (i32.store (i32.const 60000) (i32.const 1)) (call $reply))
           (func (export "canister_update b") (i32.store (i32.const 60000) (i32.const 2)) (call $reply))
           (func (export "canister_query x") (call $number (i32.load (i32.const 60000))))"#,
        "the heap",
    );
}

#[test]
fn globals_are_part_of_the_world() {
    last_writer_shows(
        r#"(global $x (mut i32) (i32.const 0))
           (func (export "canister_update a") (global.set $x (i32.const 1)) (call $reply))
           (func (export "canister_update b") (global.set $x (i32.const 2)) (call $reply))
           (func (export "canister_query x") (call $number (global.get $x)))"#,
        "a global",
    );
}

#[test]
fn sizes_of_heap_and_stable_memory_are_part_of_the_world() {
    let size = |grow: &str, size: &str| {
        canister(&format!(
            r#"(func (export "canister_update a")
                 (if (i32.lt_u {size} (i32.const 2)) (then {grow})) (call $reply))
               (func (export "canister_query x") (call $number {size}))"#
        ))
    };
    let heap = size("(drop (memory.grow (i32.const 1)))", "(memory.size)");
    let stable = size("(call $stable_grow (i32.const 2))", "(call $stable_size)");
    for (canister, before) in [(heap, "1"), (stable, "0")] {
        let stage = Stage::new(&[canister], &[call("a", 0, "a", ""), observe(0, "x")].concat());
        let mut play = Play::new(&stage);
        let at_first = play.world.canisters[0];
        assert_eq!(play.observe("x"), before);
        play.steps("0");
        assert_eq!(play.observe("x"), "2");
        assert_ne!(at_first.memory, play.world.canisters[0].memory);
    }
}

/// A guest without memory: `a` and `b` set the global timer to 1 and 2, `t` replies what it was.
struct Alarm;

impl Guest for Alarm {
    fn execute(&mut self, memory: MemoryId, input: Input<'_>, env: &Env<'_>) -> Result<Execution, String> {
        let Input::Call { method, .. } = input else { return Err("only calls".to_string()) };
        let (timer_ns, reply, reads) = match method {
            "a" => (Some(1), 0, vec![]),
            "b" => (Some(2), 0, vec![]),
            _ => (None, env.timer_ns as u8, vec![Read::Timer(env.timer_ns)]),
        };
        Ok(Execution {
            memory,
            trap: None,
            response: Some(Response::Reply(Arc::from([reply]))),
            held: false,
            requests: Vec::new(),
            accepted: 0,
            timer_ns,
            certified: None,
            instructions: 0,
            log: Vec::new(),
            burned: 0,
            reads,
            covered: None,
        })
    }

    fn fork(&self) -> Box<dyn Guest> {
        Box::new(Alarm)
    }

    fn fingerprint(&self, _: MemoryId) -> u128 {
        0
    }
}

// This guest is scripted, so that nothing but the timer differs, and the search is these few lines, which merge worlds as the
// real one does, by their bytes.
#[test]
fn timer_is_part_of_the_world() {
    let mut kernel = Kernel::new(vec![("c0".to_string(), id(0), Box::new(Alarm))]);
    let memory = MemoryId(0);
    let state = kernel.installed(memory, 0, &[], &[]);
    let spec = |method: &str| CallSpec {
        entry: 0,
        canister: 0,
        method: method.to_string(),
        arg: Vec::new(),
        chosen: None,
        caller: id(7),
        after: Vec::new(),
    };
    let limits = Limits { calls: 3, in_flight: 3, depth: 10, ..Limits::NONE };
    kernel.plan(Plan { calls: ["a", "b", "t"].map(spec).to_vec(), limits, ..Plan::EMPTY });
    let mut worlds = vec![kernel.start(vec![state], 0)];
    let mut known = BTreeSet::new();
    let mut after_a_and_b = Vec::new();
    let mut replies = BTreeSet::new();
    let (mut bytes, mut choices) = (Vec::new(), Vec::new());
    while let Some(world) = worlds.pop() {
        world.encode(&mut bytes);
        if !known.insert(bytes.clone()) {
            continue;
        }
        kernel.choices(&world, &mut choices).expect("the guest offers it");
        match (kernel.started(&world), kernel.answer(world.trees[2])) {
            (2, None) => after_a_and_b.push(world.clone()),
            (3, Some(reply)) => {
                let Response::Reply(bytes) = kernel.response(reply) else { panic!("t replies") };
                replies.insert(bytes[0]);
            }
            _ => {}
        }
        for choice in choices.clone() {
            worlds.push(kernel.apply(&world, &choice).expect("the guest offers it").0);
        }
    }
    let [one, other] = &after_a_and_b[..] else { panic!("{} worlds after a and b", after_a_and_b.len()) };
    let mut timers = [one, other].map(|world| kernel.system(world.canisters[0]).timer_ns);
    timers.sort();
    assert_eq!(timers, [1, 2]);
    assert_eq!(World { canisters: other.canisters.clone(), ..one.clone() }, *other, "they differ in the canister only");
    assert_eq!(one.canisters[0].memory, other.canisters[0].memory, "and there in the timer only");
    assert_ne!(kernel.fingerprint(one), kernel.fingerprint(other));
    assert_eq!(replies, BTreeSet::from([0, 1, 2]));
}

#[test]
fn faults_spent_are_part_of_the_world() {
    // The callback forgets what it was answered, and c1 remembers nothing: only the budget tells a reject from a reply.
    let silent = canister(r#"(func (export "canister_update t") (call $reply))"#);
    let calls = call("w0", 0, "w", "args = \"(0 : nat32)\"") + &call("w1", 0, "w", "args = \"(1 : nat32)\"");
    let rest = format!("{calls}{}[explore]\nfaults = 1\n", fault("t", "\"clean_reject\""));
    let stage = Stage::new(&[forwarder(&[1], Wait::Unbounded), silent], &rest);
    let mut play = Play::new(&stage);
    let (a, b) = two_worlds(&mut play, "0 0.1 0.1r", "0 0.1j 0.1r");
    assert_eq!((&a.faults[..], &b.faults[..]), (&[0][..], &[1][..]));
    assert_eq!(World { faults: vec![1], ..a }, b, "they differ in the faults spent only");
    let explored = stage.explore();
    assert_eq!(counts(&explored), (48, 14));
    let sections: Vec<(u32, u32)> = explored.outcomes.keys().copied().collect();
    assert_eq!(sections, [(1, 0), (1, 1), (2, 0), (2, 1)]);
}

#[test]
fn result_of_a_finished_call_is_part_of_the_world() {
    let x = switch(r#"(func (export "canister_update x") (call $number (global.get $x)))"#);
    let calls = [call("x", 0, "x", ""), call("s", 0, "s", ""), call("u", 0, "u", "after = \"s\"")].concat();
    let stage = Stage::new(&[x], &calls);
    let mut play = Play::new(&stage);
    let (a, b) = two_worlds(&mut play, "1 0 2", "0 1 2");
    let tree = |world: &World| play.engine.kernel.tree(world.trees[0]).as_ref().clone();
    let (mut x, mut y) = (tree(&a), tree(&b));
    assert_ne!(x.answer, y.answer);
    (x.answer, y.answer) = (None, None);
    assert_eq!(x, y, "they differ in the answer only");
    assert_eq!(World { trees: b.trees.clone(), ..a.clone() }, b);
    let both = texts([" | s = null; u = null; x = 0", " | s = null; u = null; x = 1"]);
    assert_eq!(outcomes(&stage, (3, 0)), both);
}

#[test]
fn response_in_flight_is_part_of_the_world() {
    let asker = canister(
        r#"(table 1 funcref) (elem (i32.const 0) $answered)
           (func $answered (param i32) (local i32)
             (call $arg_copy (i32.const 1000) (i32.const 7) (i32.const 4))
             (local.set 1 (i32.load (i32.const 1000))) (i32.store (i32.const 1000) (i32.const 0))
             (call $number (local.get 1)))
           (func (export "canister_update g")
             (call $to (i32.const 1) (i32.const 'x') (i32.const 0) (i32.const 0)) (call $send))"#,
    );
    let x = switch(r#"(func (export "canister_update x") (call $number (global.get $x)))"#);
    let calls = [call("g", 0, "g", ""), call("s", 1, "s", ""), call("u", 1, "u", "after = \"s\"")].concat();
    let stage = Stage::new(&[asker, x], &calls);
    let mut play = Play::new(&stage);
    let (a, b) = two_worlds(&mut play, "0 1 0.1 2", "0 0.1 1 2");
    assert_eq!(World { trees: b.trees.clone(), ..a.clone() }, b, "they differ in one tree only");
    let both = texts([" | g = 0; s = null; u = null", " | g = 1; s = null; u = null"]);
    assert_eq!(outcomes(&stage, (3, 0)), both);
}

#[test]
fn cycles_balance_is_part_of_the_world_where_cycles_move() {
    let payer = canister(
        r#"(table 1 funcref) (elem (i32.const 0) $done) (func $done (param i32) (call $reply))
           (func (export "canister_update g")
             (call $to (i32.const 1) (i32.const 'm') (i32.const 0) (i32.const 0)) (call $add_cycles (i64.const 100)) (call $send))"#,
    );
    let taker = switch(
        r#"(func (export "canister_update m")
             (if (global.get $x) (then (drop (call $accept (i64.const 30))))) (call $reply))"#,
    );
    let calls = [call("g", 0, "g", ""), call("s", 1, "s", ""), call("u", 1, "u", "after = \"s\"")].concat();
    let stage = Stage::new(&[payer, taker], &calls);
    let mut play = Play::new(&stage);
    let (mut a, b) = two_worlds(&mut play, "0 1 0.1 2 0.1r", "0 0.1 1 2 0.1r");
    for (one, other) in a.canisters.iter_mut().zip(&b.canisters) {
        assert_eq!(one.memory, other.memory);
        assert_ne!(one.system, other.system);
        one.system = other.system;
    }
    assert_eq!(a, b, "they differ in the balances only");
}
