//! What the system holds, and what a call tree holds: pairs of worlds that differ in one field of these only.
//!
//! A pair is reached by two orders of the same steps. Where a choice must leave no other trace, two calls make it the other
//! way round ([`mirrored`]), and what they chose from is the same before and after.

use candid::{CandidType, Encode, Principal};
use canloom::kernel::{CallTree, SystemState, World};

use super::super::play::Play;
use super::super::puppet::expr::{accept, caller, cell, global, is_controller};
use super::super::puppet::{Call, Program, Theater};
use super::super::stage::{Stage, call, id, observe};
use super::super::wat_canister::{canister, canister_with};
use super::two_worlds;

/// The worlds after two schedules, which differ in what the system holds for one canister, and there in what is forgotten.
fn differ_in_system(stage: &Stage, a: &str, b: &str, forget: impl Fn(&mut SystemState)) -> Play {
    let mut play = Play::new(stage);
    let (a, b) = two_worlds(&mut play, a, b);
    assert_eq!(World { canisters: b.canisters.clone(), ..a.clone() }, b, "they differ in canisters only");
    let mut differing = 0;
    for (one, other) in a.canisters.iter().zip(&b.canisters) {
        assert_eq!(one.memory, other.memory);
        let system = |state| play.engine.kernel.system(state).clone();
        let (mut one, mut other) = (system(*one), system(*other));
        differing += usize::from(one != other);
        forget(&mut one);
        forget(&mut other);
        assert_eq!(one, other);
    }
    assert_eq!(differing, 1);
    play
}

/// Likewise, in their trees, and there in what is forgotten.
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
    let order =
        |one: &Program, other: &Program| Program::new().set_global(&one.clone().then(other).bytes()[..]).reply();
    Theater::of(puppets)
        .call(0, &wrap(chosen(0)))
        .call(0, &wrap(chosen(1)))
        .call(switched, &order(one, other))
        .call(switched, &order(other, one))
        .call(switched, &order(one, other))
}

fn possible_after(play: &mut Play, schedule: &str) -> String {
    play.rewind();
    play.steps(schedule);
    play.possible()
}

fn observed_after(play: &mut Play, schedule: &str, name: &str) -> String {
    play.rewind();
    play.steps(schedule);
    play.observe(name)
}

/// c0 with number x, which `s` and `u` set to 1 and 0, and this body; calls `s` and `u`; more tables.
fn switch(body: &str, rest: &str) -> Stage {
    let calls = call("s", 0, "s", "") + &call("u", 0, "u", "");
    let shown = format!("{body} (func (export \"canister_query x\") (call $number (global.get $x)))");
    Stage::new(&[super::switch(&shown)], &(calls + &observe(0, "x") + rest))
}

fn change(kinds: &str, budget: u32) -> String {
    format!("[[fault]]\nat = \"c0.upgrade\"\nkinds = [{kinds}]\nbudget = {budget}\n")
}

#[test]
fn status_is_part_of_the_world() {
    let stage = switch("", &change("\"stop\", \"snapshot_load\"", 1));
    let (a, b) = ("c0.stop1", "c0.snapshot1 c0.load1");
    let mut play = differ_in_system(&stage, a, b, |system| system.status = Default::default());
    assert!(observed_after(&mut play, a, "x").contains("is stopped"));
    assert_eq!(observed_after(&mut play, b, "x"), "0");
}

#[test]
fn what_must_still_be_done_is_part_of_the_world() {
    let two =
        change("\"snapshot_load\", \"stop_start\"", 2) + &change("\"upgrade_no_stop\", \"stop_upgrade_start\"", 1);
    let stage = switch("", &(two + "[explore]\nfaults = 3\n"));
    let a = "c0.snapshot1 c0.load1 c0.stop2 c0.start2 c0.stop3";
    let b = "c0.upgrade1 c0.snapshot2 c0.load2 c0.stop3";
    let mut play = differ_in_system(&stage, a, b, |system| system.pending = Default::default());
    assert_eq!(possible_after(&mut play, a), "0 1 c0.upgrade3");
    assert_eq!(possible_after(&mut play, b), "0 1 c0.start3");
}

#[test]
fn snapshot_is_part_of_the_world() {
    let stage = switch("", &change("\"snapshot_load\"", 1));
    let (a, b) = ("c0.snapshot1 0 1", "0 c0.snapshot1 1");
    let mut play = differ_in_system(&stage, a, b, |system| system.snapshot = None);
    assert_eq!(observed_after(&mut play, &format!("{a} c0.load1"), "x"), "0");
    assert_eq!(observed_after(&mut play, &format!("{b} c0.load1"), "x"), "1");
}

#[test]
fn certified_data_of_canister_and_snapshot_are_part_of_the_world() {
    let certify = |text: &'static str| Program::new().certify(text).reply();
    let theater = Theater::of(1).call(0, &certify("a")).call(0, &certify("b")).more(&change("\"snapshot_load\"", 1));
    let theater = theater.call(0, &certify("c"));
    differ_in_system(&theater.stage(), "0 1", "1 0", |system| system.certified = 0);
    let mut play = differ_in_system(&theater.stage(), "0 1 c0.snapshot1 2", "1 0 c0.snapshot1 2", |system| {
        system.snapshot.as_mut().expect("there is one").certified = 0;
    });
    let mut certified = |schedule: &str| {
        play.rewind();
        play.steps(schedule);
        play.engine.kernel.system(play.world.canisters[0]).certified
    };
    assert_ne!(certified("0 1 c0.snapshot1 2 c0.load1"), certified("1 0 c0.snapshot1 2 c0.load1"));
}

#[test]
fn version_is_part_of_the_world_where_it_is_seen() {
    let import = "(import \"ic0\" \"canister_version\" (func $version (result i64)))";
    let body = "(func (export \"canister_query v\") (call $number (i32.wrap_i64 (call $version))))
                (func (export \"canister_update g\") (call $reply))";
    let rest = call("g", 0, "g", "") + &observe(0, "v") + &change("\"snapshot_load\"", 2) + "[explore]\nfaults = 2\n";
    let stage = |import, body: &str, rest: &str| Stage::new(&[canister_with(import, body)], rest);
    let (a, b) = ("c0.snapshot1 c0.load1 c0.snapshot2 c0.load2", "c0.snapshot1 c0.snapshot2 c0.load2");
    let mut play = differ_in_system(&stage(import, body, &rest), a, b, |system| system.version = 0);
    assert_eq!((observed_after(&mut play, a, "v"), observed_after(&mut play, b, "v")), ("2".into(), "1".into()));
    let blind = body.replace("(i32.wrap_i64 (call $version))", "(i32.const 0)");
    let mut play = Play::new(&stage("", &blind, &rest));
    play.steps(a);
    let bytes = play.bytes();
    play.rewind();
    play.steps(b);
    assert_eq!(bytes, play.bytes(), "where nobody sees the version it does not count");
}

#[derive(CandidType)]
struct Settings {
    controllers: Option<Vec<Principal>>,
}

#[derive(CandidType)]
struct Target {
    canister_id: Principal,
}

#[derive(CandidType)]
struct Update {
    canister_id: Principal,
    settings: Settings,
}

/// A request to the management canister; any answer is replied to.
fn manage(method: &str, arg: Vec<u8>) -> Call {
    Call::to(Principal::management_canister(), method).with(&arg[..]).on_answer(Program::new().reply())
}

fn about(canister: usize) -> Vec<u8> {
    Encode!(&Target { canister_id: id(canister) }).expect("Candid")
}

/// The same scenario, with c0 as the controller of all.
fn controlled(theater: &Theater) -> Stage {
    let stage = theater.stage();
    let file = stage.file("scenario.toml");
    let text = std::fs::read_to_string(&file).expect("it was written");
    let text = text.replace(".wasm\"\nid", ".wasm\"\ncontrollers = [\"c0\"]\nid");
    std::fs::write(file, text).expect("the folder is there");
    stage
}

#[test]
fn controllers_are_part_of_the_world() {
    let set = |controllers: Vec<Principal>| {
        let settings = Settings { controllers: Some(controllers) };
        let arg = Encode!(&Update { canister_id: id(1), settings }).expect("Candid");
        Program::new().call(manage("update_settings", arg))
    };
    let theater = Theater::of(2).call(0, &set(vec![id(0)])).call(0, &set(vec![id(0), id(7)]));
    let theater = theater.observe("is", 1, is_controller(id(7)));
    let (a, b) = ("0 0.1 0.1r 1 1.1 1.1r", "1 1.1 1.1r 0 0.1 0.1r");
    let mut play = differ_in_system(&controlled(&theater), a, b, |system| system.controllers = 0);
    assert_eq!((observed_after(&mut play, a, "is"), observed_after(&mut play, b, "is")), ("1".into(), "0".into()));
}

#[test]
fn random_bytes_drawn_are_part_of_the_world() {
    let ask = |method: &str| Program::new().call(manage(method, b"DIDL\0\0".to_vec()));
    let theater = Theater::of(1)
        .call(0, &Program::new().either(cell(0), ask("raw_rand"), ask("nothing")))
        .call(0, &Program::new().set(0, 1).reply())
        .call(0, &Program::new().set(0, 0).reply());
    let (a, b) = ("1 0 0.1 0.1r 2", "0 0.1 0.1r 1 2");
    differ_in_system(&theater.stage(), a, b, |system| system.draws = 0);
}

#[test]
fn time_steps_made_are_part_of_the_world() {
    let stage = switch("", "[[time]]\nadvance = \"1s\"\nmax = 2\n[[time]]\nadvance = \"2s\"\n");
    let mut play = Play::new(&stage);
    let (a, b) = two_worlds(&mut play, "@1 @1", "@2");
    assert_eq!((&a.times[..], &b.times[..]), (&[2, 0][..], &[0, 1][..]));
    assert_eq!(World { times: b.times.clone(), ..a }, b, "they differ in the time steps made only");
    assert_eq!(possible_after(&mut play, "@1 @1"), "0 1 @2");
    assert_eq!(possible_after(&mut play, "@2"), "0 1 @1");
}

#[derive(CandidType)]
struct Outcall {
    url: String,
}

#[test]
fn outcalls_answered_are_part_of_the_world() {
    let get = |url: &str| {
        let arg = Encode!(&Outcall { url: url.to_string() }).expect("Candid");
        Program::new().call(manage("http_request", arg))
    };
    let outcall = |url: &str| format!("[[outcall]]\nurl = \"{url}\"\nreplies = [\"1\", \"2\"]\n");
    let theater = Theater::of(1)
        .call(0, &Program::new().either(cell(0), get("https://a.example/"), get("https://b.example/")))
        .call(0, &Program::new().set(0, 1).reply())
        .call(0, &Program::new().set(0, 0).reply())
        .more(&(outcall("https://a.example/") + &outcall("https://b.example/")));
    let mut play = Play::new(&theater.stage());
    let (a, b) = two_worlds(&mut play, "1 0 0.1 0.1r 2", "0 0.1 0.1r 1 2");
    assert_eq!((&a.outcalls[..], &b.outcalls[..]), (&[1, 0][..], &[0, 1][..]));
    assert_eq!(World { outcalls: b.outcalls.clone(), ..a }, b, "they differ in the outcalls answered only");
}

#[test]
fn call_that_was_let_in_is_no_finished_task() {
    // A finished timer is the same tree but for this.
    let inspects = r#"(import "ic0" "accept_message" (func $accept_message))"#;
    let body = r#"(func (export "canister_inspect_message") (call $accept_message))
                  (func (export "canister_heartbeat"))
                  (func (export "canister_update g") (call $reply))"#;
    let stage = Stage::new(&[canister_with(inspects, body)], &call("g", 0, "g", "max = 2"));
    let mut play = Play::new(&stage);
    play.steps("c0.h1 0s");
    let [submitted, beaten] = [0, 2].map(|at| play.engine.kernel.tree(play.world.trees[at]).as_ref().clone());
    assert_eq!(beaten, CallTree::default());
    assert_eq!(submitted, CallTree { submitted: true, ..CallTree::default() });
    assert!(!play.is_quiet());
    assert_eq!(play.possible(), "0 1s");
}

#[test]
fn task_that_has_run_is_part_of_the_world() {
    let stage = switch("(func (export \"canister_heartbeat\"))", "");
    let mut play = Play::new(&stage);
    let (a, b) = two_worlds(&mut play, "", "c0.h1");
    assert_eq!(World { trees: b.trees.clone(), ..a }, b, "they differ in trees only");
    assert_eq!(possible_after(&mut play, ""), "0 1 c0.h1");
    assert_eq!(possible_after(&mut play, "c0.h1"), "0 1");
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
    let who = Program::new().set(1, caller().equals(&id(1).as_slice()[..])).reply();
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
    let all = Program::new().ask(accept(1_000)).call(own);
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
