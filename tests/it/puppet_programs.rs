//! The puppet itself: each operation does what its comment says, what is no program traps, and no trace is left.

use std::collections::BTreeSet;

use super::puppet::expr::*;
use super::puppet::{Call, Expr, Hook, Program, Theater, theater};
use super::stage::id;

/// What a puppet answers to this program.
fn answer(program: &Program) -> String {
    let mut play = Theater::of(1).call(0, program).play();
    play.steps("0");
    play.answer(0)
}

fn said(number: impl Into<Expr>) -> String {
    answer(&Program::new().say(number))
}

#[test]
fn programs_have_the_bytes_that_the_description_shows() {
    // The first two are those of `canisters/puppet/src/lib.rs`.
    assert_eq!(Program::new().set(0, 5).bytes(), [0x01, 5, 0x31, 0]);
    assert_eq!(Program::new().when(cell(0), Program::new().reply().end()).bytes(), [0x30, 0, 0x22, 2, 0x49, 0x20]);
    let inspecting = Program::new().when(method_name().equals("a"), Program::new().accept_message());
    assert_eq!(inspecting.bytes(), [0x4b, 0x02, 1, b'a', 0x14, 0x22, 1, 0x4c]);
}

/// What a module exports as entry points.
fn entry_points(module: &str) -> BTreeSet<String> {
    let wasm = std::fs::read(theater::module(module)).expect("the module can be read");
    let mut names = BTreeSet::new();
    for payload in wasmparser::Parser::new(0).parse_all(&wasm) {
        if let wasmparser::Payload::ExportSection(exports) = payload.expect("a module") {
            names.extend(exports.into_iter().map(|export| export.expect("an export").name.to_string()));
        }
    }
    names.into_iter().filter(|name| name.starts_with("canister_")).collect()
}

#[test]
fn puppet_tasks_has_three_more_entry_points_than_the_puppet() {
    let (plain, tasks) = (entry_points("puppet"), entry_points("puppet_tasks"));
    assert!(plain.is_subset(&tasks));
    let more: Vec<&String> = tasks.difference(&plain).collect();
    assert_eq!(more, ["canister_heartbeat", "canister_inspect_message", "canister_on_low_wasm_memory"]);
    assert_eq!(plain.len(), 7, "{plain:?}");
}

#[test]
fn arithmetic_is_that_of_numbers_of_128_bits() {
    assert_eq!(said(Expr::from(7).plus(5).times(3).minus(1).modulo(8)), "3");
    assert_eq!(said(Expr::from(u128::MAX).plus(2)), "1");
    assert_eq!(
        said(Expr::from(1).less_than(2).plus(Expr::from(2).less_than(1)).plus(Expr::from(0).equals_zero())),
        "2"
    );
    assert_eq!(answer(&Program::new().tell(Expr::from(u128::MAX).decimal())), format!("\"{}\"", u128::MAX));
    assert_eq!(answer(&Program::new().tell(Expr::from(0).decimal())), "\"0\"");
}

#[test]
fn byte_strings_are_joined_cut_and_compared() {
    assert_eq!(answer(&Program::new().tell(Expr::from("abc").join("def").slice(2, 3))), "\"cde\"");
    assert_eq!(said(Expr::from("abc").length().times(10).plus(Expr::from("a").equals("a"))), "31");
    assert_eq!(said(Expr::from(513).little_endian(2).read_number()), "513");
    let long = "x".repeat(300);
    assert_eq!(said(Expr::from(&*long).sized().length()), "302");
    assert_eq!(
        said(Expr::from(&*long).sized().slice(0, 2).read_number()),
        (0x80 + 300 % 128 + 256 * (300 / 128)).to_string()
    );
}

#[test]
fn programs_branch_repeat_and_end() {
    let branch = |number: i32| {
        Program::new()
            .either(number, Program::new().set(0, 1), Program::new().set(0, 2))
            .when(Expr::from(number).equals(3), Program::new().add(0, 10))
            .repeat(4, Program::new().add(0, 100).when(cell(0).less_than(300), Program::new().end()).add(0, 1000))
            .run(Expr::from(Program::new().say(cell(0))))
            .end()
            .trap("not here")
    };
    assert_eq!([answer(&branch(0)), answer(&branch(3))], ["2402", "2411"]);
}

#[test]
fn what_is_no_program_traps_with_its_reason() {
    let nested = (0..40).fold(Program::new(), |inner, _| Program::new().run(Expr::from(inner)));
    for (program, text) in [
        (Program::raw(&[0xff]), "no operation has this byte"),
        (Program::raw(&[0x01, 0x80]), "the program ends inside an operation"),
        (Program::raw(&[0x02, 5, 1]), "the program ends inside an operation"),
        (Program::raw(&[0x01, 0xff]).then(&Program::raw(&[0xff; 30])), "a number of more than 128 bits"),
        (Program::raw(&[0x03]), "the stack is empty"),
        (Program::raw(&[0x21, 5]), "the program ends inside an operation"),
        (Program::new().ask(Expr::from("a").plus(1)), "bytes where a number is needed"),
        (Program::new().trap(5), "a number where bytes are needed"),
        (Program::new().set(16, 1), "no such cell"),
        (Program::new().ask(Expr::from(1).modulo(0)), "remainder of a division by 0"),
        (Program::new().ask(Expr::from("abc").slice(2, 2)), "a slice beyond the end"),
        (Program::new().ask(timer_set(u128::MAX)), "a number of more than 64 bits"),
        (nested, "programs that run programs nest too deep"),
    ] {
        let answer = answer(&program);
        assert!(answer.ends_with(&format!("message: 'puppet: {text}'")), "{text}: {answer}");
    }
}

#[test]
fn burning_executes_as_many_instructions_as_promised() {
    for instructions in [0, 1_000, 10_000_000] {
        let mut play = Theater::of(1).call(0, &Program::new().burn(instructions)).play();
        let idle = Theater::of(1).call(0, &Program::new().ask(instructions)).play().steps("0");
        let burned = play.steps("0").expect("a delivery").effects.instructions;
        let more = burned - idle.expect("a delivery").effects.instructions;
        let least = instructions as u64;
        assert!((least..=2 * least + 1_000).contains(&more), "{instructions}: {more}");
    }
}

#[test]
fn memories_and_hooks_are_stored() {
    let program = Program::new()
        .ask(heap_grow(1))
        .set(1, stable_grow(2))
        .stable_write(65_536, "abc")
        .set_global("de")
        .append_global("f")
        .store(Hook::Timer, Program::new().trap("no timer fires here"))
        .certify("certified")
        .tell(stable_read(65_535, 4).join(global()).join(stable_size().decimal()).join(heap_grow(0).decimal()));
    assert_eq!(answer(&program), "\"\\0abcdef23\"");
}

#[test]
fn nothing_but_the_state_is_left_in_the_heap() {
    let busy = Program::new()
        .set(3, 7)
        .append_global("some bytes")
        .store(Hook::Timer, Program::new().end())
        .call(Call::run(id(1), Program::new().reply()).on_reply(Program::new().set_global("").set(3, 0)))
        .call(
            Call::run(id(1), Program::new().reply())
                .on_reply(Program::new().repeat(9, Program::new().set(4, argument().length()))),
        )
        .begin(Call::run(id(1), Program::new()).on_cleanup(Program::new()))
        .store(Hook::Timer, Program::new())
        .reply();
    let mut play = Theater::of(2).call(0, &busy).play();
    let before = play.world.canisters[0].memory;
    play.steps("0");
    assert_ne!(play.world.canisters[0].memory, before);
    for order in ["0 0.1 0.2 0.1r 0.2r", "0 0.1 0.2 0.2r 0.1r", "0 0.1 0.1r 0.2 0.2r"] {
        play.rewind();
        play.steps(order);
        assert_eq!(play.world.canisters[0].memory, before, "{order}");
    }
}
