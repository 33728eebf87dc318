//! The management canister as a callee: what each method does, and how it refuses.

use candid::{Encode, Principal};
use canloom::kernel::START_BALANCE;

use super::super::play::Play;
use super::super::stage::{Stage, call, id};
use super::super::wat_canister::canister;

/// `g` calls a method of the management canister with this argument and 100 cycles, and replies with what it answers; a
/// reject is answered with its text.
fn asking(method: &str, arg: &[u8], more: &str) -> String {
    let bytes: String = arg.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let (name, size) = (method.len(), arg.len());
    canister(&format!(
        r#"(data (i32.const 3000) "{method}") (data (i32.const 4000) "{bytes}")
           (table 2 funcref) (elem (i32.const 0) $done $failed)
           (func $done (param i32)
             (call $arg_copy (i32.const 20000) (i32.const 0) (call $arg_size))
             (call $append (i32.const 20000) (call $arg_size)) (call $msg_reply))
           (func $failed (param i32)
             (call $reject_copy (i32.const 20000) (i32.const 0) (call $reject_size))
             (call $msg_reject (i32.const 20000) (call $reject_size)))
           (func $ask (export "canister_update g")
             (call $call_new (i32.const 0) (i32.const 0) (i32.const 3000) (i32.const {name})
               (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0))
             (call $data (i32.const 4000) (i32.const {size})) (call $add_cycles (i64.const 100)) (call $send))
           {more}"#
    ))
}

/// A stage in which c0 asks, c1 is there, and c0 controls both.
pub fn stage(method: &str, arg: &[u8], rest: &str) -> Stage {
    let other = canister(r#"(func (export "canister_update r") (call $reply))"#);
    controlled(&[asking(method, arg, ""), other], &(call("g", 0, "g", "max = 2") + rest))
}

fn controlled(canisters: &[String], rest: &str) -> Stage {
    let stage = Stage::new(canisters, rest);
    let file = stage.file("scenario.toml");
    let text = std::fs::read_to_string(&file).expect("it was written");
    let text = text.replace(".wasm\"\nid", ".wasm\"\ncontrollers = [\"c0\"]\nid");
    std::fs::write(file, text).expect("the folder is there");
    stage
}

fn asked(method: &str, arg: &[u8]) -> (String, Play) {
    let mut play = Play::new(&stage(method, arg, ""));
    play.steps("0 0.1 0.1r");
    (play.answer(0), play)
}

#[derive(candid::CandidType)]
struct Arg {
    canister_id: Principal,
}

fn about(canister: Principal) -> Vec<u8> {
    Encode!(&Arg { canister_id: canister }).expect("Candid")
}

#[test]
fn random_bytes_differ_by_draw_and_are_the_same_in_every_run() {
    let mut play = Play::new(&stage("raw_rand", b"DIDL\0\0", ""));
    play.steps("0 0.1 0.1r 1 1.1 1.1r");
    let (first, second) = (play.answer(0), play.answer(1));
    assert_eq!(first.len(), second.len());
    assert_ne!(first, second);
    let mut again = Play::new(&stage("raw_rand", b"DIDL\0\0", ""));
    again.steps("0 1 0.1 1.1 1.1r 0.1r");
    assert_eq!((again.answer(0), again.answer(1)), (first.clone(), second), "the draw counts, not the order around it");
    let mut seeded = Play::new(&stage("raw_rand", b"DIDL\0\0", "[explore]\nseed = 7\n"));
    seeded.steps("0 0.1 0.1r");
    assert_ne!(seeded.answer(0), first);
}

#[test]
fn unknown_method_and_bad_argument_are_rejected_and_cycles_come_back() {
    let (answer, play) = asked("mine_bitcoin", b"DIDL\0\0");
    assert_eq!(answer, "reject 4: IC0536: Management canister has no method 'mine_bitcoin'");
    assert_eq!(play.balance(0), START_BALANCE);
    let (answer, _) = asked("canister_status", b"DIDL\0\0");
    assert!(answer.starts_with("reject 4: IC0408: Error decoding candid: "), "{answer}");
}

#[test]
fn deposited_cycles_arrive_at_the_canister() {
    let (answer, play) = asked("deposit_cycles", &about(id(1)));
    assert_eq!(answer, "null");
    assert_eq!((play.balance(0), play.balance(1)), (START_BALANCE - 100, START_BALANCE + 100));
}

#[test]
fn status_is_told_to_controllers_and_tells_status_and_module() {
    let (answer, _) = asked("canister_status", &about(id(1)));
    assert!(
        answer.contains("module_hash") || answer.contains("100_000_000_000_000_000_000") || answer.len() > 60,
        "{answer}"
    );
    let stranger = Stage::new(&[asking("canister_status", &about(id(1)), ""), canister("")], &call("g", 0, "g", ""));
    let mut play = Play::new(&stranger);
    play.steps("0 0.1 0.1r");
    let text =
        format!("reject 4: IC0512: Only the controllers of the canister {} can control it: canister_status", id(1));
    assert_eq!(play.answer(0), text);
}

#[test]
fn canister_that_does_not_exist_is_not_found() {
    let (answer, _) = asked("canister_status", &about(id(5)));
    assert_eq!(answer, format!("reject 4: IC0301: Canister {} not found.", id(5)));
}

#[test]
fn stop_is_answered_when_the_canister_has_stopped() {
    let (answer, play) = asked("stop_canister", &about(id(1)));
    assert_eq!(answer, "null");
    assert_eq!(play.engine.kernel.system(play.world.canisters[1]).status, canloom::kernel::Status::Stopped);
    // A canister that awaits its own stop never stops.
    let mut own = Play::new(&stage("stop_canister", &about(id(0)), ""));
    own.steps("0 0.1 1");
    assert_eq!(own.possible(), "");
    assert_eq!((own.answer(0), own.answer(1)), ("open".into(), format!("reject 5: Canister {} is stopping", id(0))));
    assert!(!own.is_quiet());
}

const PRICE: &str = "[[outcall]]\nurl = \"https://price.example/*\"\nreplies = [\"100\", \"90\"]\n";

#[derive(candid::CandidType)]
struct Outcall {
    url: String,
    max_response_bytes: Option<u64>,
}

fn outcall(url: &str, most: Option<u64>) -> Vec<u8> {
    Encode!(&Outcall { url: url.to_string(), max_response_bytes: most }).expect("Candid")
}

#[test]
fn outcalls_are_answered_in_turn_and_the_last_reply_repeats() {
    let rest = PRICE.to_string() + &call("more", 0, "g", "");
    let mut play = Play::new(&stage("http_request", &outcall("https://price.example/icp", None), &rest));
    play.steps("0 0.1 0.1r 1 1.1 1.1r 2 2.1 2.1r");
    let [first, second, third] = [0, 1, 2].map(|at| play.answer(at));
    assert_ne!(first, second);
    assert_eq!(second, third);
    let mut late = Play::new(&stage("http_request", &outcall("https://price.example/icp", None), &rest));
    late.steps("0 1 0.1 1.1 1.1r 0.1r");
    assert_eq!((late.answer(0), late.answer(1)), (first, second), "answers overtake each other");
}

#[test]
fn outcall_larger_than_allowed_is_rejected_with_sys_fatal() {
    let mut play = Play::new(&stage("http_request", &outcall("https://price.example/icp", Some(2)), PRICE));
    play.steps("0 0.1 0.1r");
    assert_eq!(play.answer(0), "reject 4: Http body exceeds size limit of 2 bytes.");
}

#[test]
fn outcall_without_a_script_ends_the_search_with_the_remedy() {
    let mut engine = stage("http_request", &outcall("https://other.example/", None), PRICE).open();
    let error = canloom::explore::explore(&mut engine, &Default::default(), &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("https://other.example/") && error.contains("add one with `url"), "{error}");
}

#[test]
fn faults_strike_calls_of_the_management_canister_too() {
    let faults = "[[fault]]\nedge = \"c0 -> management.http_request\"\nkinds = [\"clean_reject\"]\n";
    let mut play =
        Play::new(&stage("http_request", &outcall("https://price.example/a", None), &(PRICE.to_string() + faults)));
    play.steps("0 0.1j 0.1r");
    assert_eq!(play.answer(0), "reject 4: Request timed out.");
}
