//! Corners 7 and 23, for every system function that a puppet can call: where it may be called and where it traps.

use super::super::puppet::expr::*;
use super::super::puppet::{Call, Expr, Program, Theater};
use super::super::stage::id;

/// The modes of the table, each with the word of the trap's text.
const MODES: [(&str, &str); 6] = [
    ("U", "update"),
    ("RQ", "replicated query"),
    ("NRQ", "non replicated query"),
    ("Ry", "reply callback"),
    ("Rt", "reject callback"),
    ("C", "cleanup"),
];

/// Every system function with the modes in which it may be called: the table "Overview of imports" of the
/// specification, without those modes in which no puppet of these tests is.
fn table() -> Vec<(&'static str, Program, &'static str)> {
    const ANYWHERE: &str = "U RQ NRQ Ry Rt C";
    const CALLING: &str = "U Ry Rt";
    let ask = |value: Expr| Program::new().ask(value);
    let new = Program::new;
    vec![
        ("msg_arg_data_size", ask(argument()), "U RQ NRQ Ry"),
        ("msg_caller_size", ask(caller()), ANYWHERE),
        ("msg_reject_code", ask(reject_code()), "Ry Rt C"),
        ("msg_reject_msg_size", ask(reject_message()), "Rt"),
        ("msg_deadline", ask(deadline()), "U RQ NRQ Ry Rt"),
        ("msg_reply_data_append", new().append("x"), "U RQ NRQ Ry Rt"),
        ("msg_reply", new().reply(), "U RQ NRQ Ry Rt"),
        ("msg_reject", new().reject("x"), "U RQ NRQ Ry Rt"),
        ("msg_cycles_available128", ask(cycles_available()), "U RQ Ry Rt"),
        ("msg_cycles_refunded128", ask(cycles_refunded()), "Ry Rt"),
        ("msg_cycles_accept128", ask(accept(0)), "U RQ Ry Rt"),
        ("cycles_burn128", ask(burn_cycles(0)), "U RQ Ry Rt C"),
        ("canister_self_size", ask(own_id()), ANYWHERE),
        ("canister_cycle_balance128", ask(balance()), ANYWHERE),
        ("canister_status", ask(status()), ANYWHERE),
        ("canister_version", ask(version()), ANYWHERE),
        ("call_new", new().begin(Call::to(id(1), "run")), CALLING),
        ("call_on_cleanup", Program::raw(&[0x01, 0, 0x01, 0, 0x63]), CALLING),
        ("call_data_append", Program::raw(&[0x02, 0, 0x64]), CALLING),
        ("call_with_best_effort_response", Program::raw(&[0x01, 1, 0x66]), CALLING),
        ("call_cycles_add128", Program::raw(&[0x01, 1, 0x65]), CALLING),
        ("call_perform", ask(performed()), CALLING),
        ("stable64_size", ask(stable_size()), ANYWHERE),
        ("stable64_grow", ask(stable_grow(1)), ANYWHERE),
        ("stable64_read", ask(stable_read(0, 0)), ANYWHERE),
        ("stable64_write", new().stable_write(0, ""), ANYWHERE),
        ("certified_data_set", new().certify("x"), "U Ry Rt"),
        ("time", ask(time()), ANYWHERE),
        ("global_timer_set", ask(timer_set(0)), "U Ry Rt C"),
        ("performance_counter", ask(performance_counter(0)), ANYWHERE),
        ("is_controller", ask(is_controller(id(1))), ANYWHERE),
        ("in_replicated_execution", ask(in_replicated_execution()), ANYWHERE),
        ("debug_print", new().print("x"), ANYWHERE),
    ]
}

/// How this program ends in each of [`MODES`]: the text of the trap, if it trapped.
fn ends(program: &Program) -> [Option<String>; 6] {
    let replied = Call::run(id(1), Program::new().reply());
    let rejected = Call::run(id(1), Program::new().reject("no"));
    let cleaned = replied.clone().on_reply(Program::new().trap("t")).on_cleanup(program.clone());
    let mut play = Theater::of(2)
        .call(0, program)
        .call_of(0, "query", program)
        .call(0, &Program::new().call(replied.on_reply(program.clone())))
        .call(0, &Program::new().call(rejected.on_reject(program.clone())))
        .call(0, &Program::new().call(cleaned))
        .observe_reply("q", 0, program)
        .play();
    let mut run = |steps: &str| {
        let delivery = play.steps(steps).expect("a delivery");
        let last = delivery.cleanup.unwrap_or(delivery.effects);
        last.trap.as_ref().map(|trap| trap.text.clone())
    };
    let [update, replicated] = ["0", "1"].map(&mut run);
    let [reply, reject, cleanup] = ["2 2.1 2.1r", "3 3.1 3.1r", "4 4.1 4.1r"].map(&mut run);
    let query = Some(play.observe("q")).filter(|shown| shown.contains("cannot be executed"));
    [update, replicated, query, reply, reject, cleanup]
}

#[test]
fn corner_7_each_system_function_traps_exactly_where_the_table_of_imports_says() {
    for (name, program, allowed) in table() {
        let allowed: Vec<&str> = allowed.split(' ').collect();
        for ((letter, mode), end) in MODES.iter().zip(ends(&program)) {
            let refusal = format!("\"ic0_{name}\" cannot be executed in {mode} mode");
            let is_refused = end.as_ref().is_some_and(|text| text.contains(&refusal));
            assert_eq!(is_refused, !allowed.contains(letter), "{name} in {letter}: {end:?}");
            assert!(is_refused || end.is_none_or(|text| !text.contains("cannot be executed")), "{name} in {letter}");
        }
    }
}

#[test]
fn corner_23_callbacks_and_cleanup_see_the_caller_of_their_context_and_the_code_of_the_response() {
    // A digit of the reject code and the caller: in a reply callback, in a reject callback, in a cleanup of each.
    let look = || Program::new().set(0, reject_code().plus(1)).set_global(caller());
    let alice = |play: &super::Play| play.engine.scenario.actors[0].id.to_string();
    for (callee, code) in [
        (Program::new().reply(), "1"),
        (Program::new().reject("no"), "5"),
        (Program::new().trap("t"), "6"),
        (Program::new(), "6"),
    ] {
        let plain = Call::run(id(1), callee.clone()).on_answer(look());
        let cleaned = Call::run(id(1), callee).on_answer(Program::new().trap("t")).on_cleanup(look());
        for call in [plain, cleaned] {
            let mut play = Theater::of(2)
                .call(0, &Program::new().call(call))
                .observe("code", 0, cell(0))
                .observe_reply(
                    "caller",
                    0,
                    &Program::new().append(&b"DIDL\0\x01\x68\x01"[..]).append(global().sized()).reply(),
                )
                .play();
            super::to_the_end(&mut play);
            let seen = play.observe("caller");
            assert_eq!(play.observe("code"), code);
            assert!(seen.contains(&alice(&play)), "{seen}");
        }
    }
}
