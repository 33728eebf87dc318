//! The puppet's hooks, entered one by one: entry points that the system enters by itself run the stored program.

use std::rc::Rc;

use candid::Principal;

use super::super::puppet::expr::{global, stable_grow, stable_read};
use super::super::puppet::{Hook, Program, theater};
use super::host::{Host, State, engine};
use super::message::{Answer, Around, Done, Entry, Message, Mode, Status, Stop};

const HOOKS: [(Hook, &str); 4] = [
    (Hook::Timer, "canister_global_timer"),
    (Hook::PreUpgrade, "canister_pre_upgrade"),
    (Hook::Heartbeat, "canister_heartbeat"),
    (Hook::LowMemory, "canister_on_low_wasm_memory"),
];

/// Enters an export, whatever the system's reason, where programs may do most.
fn enter(host: &Host, state: &State, export: &str, argument: &Program) -> Result<Done, Stop> {
    let argument = Rc::new(argument.bytes().to_vec());
    let entry = Entry::Export(export.to_string());
    let around = Around { now_ns: 0, status: Status::Running, version: 0, timer_ns: 0 };
    host.run(state, Message::new(Mode::Update, entry, Principal::anonymous(), argument, around))
}

fn told(host: &Host, state: &State) -> String {
    let answer = enter(host, state, "canister_query query", &Program::new().append(global()).reply());
    match answer.expect("it runs").answer {
        Some(Answer::Reply(bytes)) => String::from_utf8(bytes).expect("a text"),
        _ => panic!("it replies"),
    }
}

#[test]
fn each_hook_runs_its_own_program_and_without_one_nothing() {
    let host = Host::load(&engine(), &theater::module("puppet_tasks"), Principal::anonymous(), &[]);
    let first = host.first();
    for (_, export) in HOOKS {
        assert_eq!(told(&host, &enter(&host, &first, export, &Program::new()).expect("it runs").state), "");
    }
    let store = HOOKS
        .into_iter()
        .fold(Program::new(), |program, (hook, export)| program.store(hook, Program::new().append_global(export)));
    let store = store.store(Hook::Inspect, Program::new().trap("inspected"));
    let stored = enter(&host, &first, "canister_init", &store).expect("it runs").state;
    for (_, export) in HOOKS {
        assert_eq!(told(&host, &enter(&host, &stored, export, &Program::new()).expect("it runs").state), export);
    }
    let Err(stop) = enter(&host, &stored, "canister_inspect_message", &Program::new()) else { panic!("it traps") };
    assert_eq!(stop.code, 503);
}

#[test]
fn program_carries_the_global_through_an_upgrade() {
    let host = Host::load(&engine(), &theater::module("puppet"), Principal::anonymous(), &[]);
    let save = Program::new().ask(stable_grow(1)).stable_write(0, global());
    let before = Program::new().set_global("kept").store(Hook::PreUpgrade, save);
    let run = |state: &State, export: &str, argument: &Program| enter(&host, state, export, argument).expect("it runs");
    let before = run(&host.first(), "canister_update run", &before).state;
    let saved = run(&before, "canister_pre_upgrade", &Program::new()).state;
    let mut fresh = host.first();
    fresh.stable = saved.stable;
    assert_eq!(told(&host, &fresh), "");
    let restore = Program::new().set_global(stable_read(0, 4));
    assert_eq!(told(&host, &run(&fresh, "canister_post_upgrade", &restore).state), "kept");
}
