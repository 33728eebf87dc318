//! What the system holds for a canister, and what was used up: pairs of worlds that differ in one field of these only.

use candid::{CandidType, Encode, Principal};
use canloom::kernel::{CallTree, SystemState, World};

use super::super::play::Play;
use super::super::puppet::expr::{cell, is_controller};
use super::super::puppet::{Call, Program, Theater};
use super::super::stage::{Stage, call, id, observe};
use super::super::wat_canister::canister_with;
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

pub fn possible_after(play: &mut Play, schedule: &str) -> String {
    play.rewind();
    play.steps(schedule);
    play.possible()
}

pub fn observed_after(play: &mut Play, schedule: &str, name: &str) -> String {
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

pub fn change(kinds: &str, budget: u32) -> String {
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
pub fn manage(method: &str, arg: Vec<u8>) -> Call {
    Call::to(Principal::management_canister(), method).with(&arg[..]).on_answer(Program::new().reply())
}

pub fn about(canister: usize) -> Vec<u8> {
    Encode!(&Target { canister_id: id(canister) }).expect("Candid")
}

/// The same scenario, with c0 as the controller of all.
pub fn controlled(theater: &Theater) -> Stage {
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
