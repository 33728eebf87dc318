//! Corners 5 and 8: which bytes are sent, and which of several callbacks decides.

use super::super::puppet::expr::{argument, cell, reject_code, reject_message};
use super::super::puppet::{Call, Program, Theater};
use super::super::stage::id;
use super::{bytes_of, no_reply, to_c1, trapped, violated};

#[test]
fn corner_5_only_the_bytes_of_the_execution_that_answers_are_sent() {
    let new = Program::new;
    let already = "ic0.msg_reply_data_append: the call is already replied.";
    for (entry, callback, answer) in [
        (new().append("foo"), new().append("BAR").reply(), "reply BAR".to_string()),
        (new().append("foo"), new().append("B").append("AR").reply(), "reply BAR".to_string()),
        (new().append("foo"), new().reply(), "reply ".to_string()),
        (new().append("foo"), new().reject("no"), "reject 4: no".to_string()),
        (new().append("foo"), new().append("bar"), no_reply()),
        (new().append("foo"), new().append("bar").trap("t"), trapped("t")),
        (new().append("foo").append("").reply(), new().append("BAR").reply(), "reply foo".to_string()),
        (new().append("foo").reject("no"), new().append("BAR").reply(), "reject 4: no".to_string()),
        (new(), new().append("foo").reject("no"), "reject 4: no".to_string()),
        (new().reply().append("foo"), new(), violated(already)),
        (new(), new().append("foo").reply().append("foo"), violated(already)),
    ] {
        let program = new().call(to_c1().on_reply(callback.clone())).then(&entry);
        let mut play = Theater::of(2).call(0, &program).play();
        super::to_the_end(&mut play);
        assert_eq!(bytes_of(&mut play, 0), answer, "{entry:?} {callback:?}");
    }
}

#[test]
fn corner_5_what_a_callback_appended_is_not_sent_by_the_next_one() {
    let first = to_c1().on_reply(Program::new().append("foo"));
    let second = to_c1().on_reply(Program::new().append("BAR").reply());
    let mut play = Theater::of(2).call(0, &Program::new().call(first).call(second)).play();
    play.steps("0 0.1 0.1r 0.2 0.2r");
    assert_eq!(bytes_of(&mut play, 0), "reply BAR");
}

/// A callback of corner 8: it counts, then does this.
fn callback(kind: &str, number: u8) -> Program {
    let program = Program::new().add(0, if number == 1 { 1 } else { 10 });
    match kind {
        "reply" => program.append(&*format!("m{number}")).reply(),
        "reject" => program.reject(&*format!("j{number}")),
        "trap" => program.trap(&*format!("t{number}")),
        _ => program,
    }
}

/// The answer, and the counts of the callbacks that were not undone: 1 the first to run, 10 the second.
const DECIDED: [(&str, &str, &str, &str); 16] = [
    ("reply", "reply", "reply m1", "1"),
    ("reply", "reject", "reply m1", "1"),
    ("reply", "trap", "reply m1", "1"),
    ("reply", "nothing", "reply m1", "11"),
    ("reject", "reply", "reject 4: j1", "1"),
    ("reject", "reject", "reject 4: j1", "1"),
    ("reject", "trap", "reject 4: j1", "1"),
    ("reject", "nothing", "reject 4: j1", "11"),
    ("trap", "reply", "reply m2", "10"),
    ("trap", "reject", "reject 4: j2", "10"),
    ("trap", "trap", "trap t2", "0"),
    ("trap", "nothing", "no reply", "10"),
    ("nothing", "reply", "reply m2", "11"),
    ("nothing", "reject", "reject 4: j2", "11"),
    ("nothing", "trap", "trap t2", "1"),
    ("nothing", "nothing", "no reply", "11"),
];

/// Calls a puppet twice, which replies, with these programs as the callbacks.
fn two_calls(callee: usize, first: &Program, second: &Program) -> Program {
    let call = |program: &Program| Call::run(id(callee), Program::new().reply()).on_reply(program.clone());
    Program::new().call(call(first)).call(call(second))
}

#[test]
fn corner_8_first_answer_of_two_callbacks_counts_and_without_one_the_last_callback_decides() {
    // Two calls a row: the callback that runs first is that of the first, or of the second request.
    let theater = DECIDED.iter().fold(Theater::of(2).observe("x", 0, cell(0)), |theater, (first, second, _, _)| {
        let (first, second) = (callback(first, 1), callback(second, 2));
        theater.call(0, &two_calls(1, &first, &second)).call(0, &two_calls(1, &second, &first))
    });
    let mut play = theater.play();
    for (row, (first, second, answer, counts)) in DECIDED.into_iter().enumerate() {
        let answer = match answer {
            "trap t2" => trapped("t2"),
            "no reply" => no_reply(),
            other => other.to_string(),
        };
        for (call, order) in
            [(2 * row, "N N.1 N.2 N.1r N.2r"), (2 * row, "N N.1 N.1r N.2 N.2r"), (2 * row + 1, "N N.1 N.2 N.2r N.1r")]
        {
            play.rewind();
            play.steps(&order.replace('N', &call.to_string()));
            let seen = (bytes_of(&mut play, call), play.observe("x"), play.is_quiet());
            assert_eq!(seen, (answer.clone(), counts.to_string(), true), "{first} {second} {order}");
        }
    }
}

#[test]
fn corner_8_a_canister_that_called_is_told_no_response_or_the_last_trap() {
    let theater = DECIDED.iter().fold(Theater::of(3), |theater, (first, second, _, _)| {
        let caller = Call::run(id(1), two_calls(2, &callback(first, 1), &callback(second, 2)))
            .on_reply(Program::new().append(argument()).reply())
            .on_reject(Program::new().reject(reject_code().decimal().join(reject_message())));
        theater.call(0, &Program::new().call(caller))
    });
    let mut play = theater.play();
    for (row, (first, second, answer, _)) in DECIDED.into_iter().enumerate() {
        let told = match answer {
            "trap t2" => {
                let text = "Canister called `ic0.trap` with message: 't2'";
                format!("reject 4: 5IC0503: Error from Canister {}: {text}", id(1))
            }
            "no reply" => "reject 4: 5No response".to_string(),
            other => other.replace("reject 4: ", "reject 4: 4"),
        };
        play.rewind();
        play.steps(&"N N.1 N.1.1 N.1.2 N.1.1r N.1.2r N.1r".replace('N', &row.to_string()));
        assert_eq!(bytes_of(&mut play, row), told, "{first} {second}");
    }
}

#[test]
fn corner_8_cleanup_of_one_callback_leaves_the_other_to_answer() {
    let cleanup = Program::new().add(0, 100);
    let first = to_c1().on_reply(callback("trap", 1)).on_cleanup(cleanup.clone());
    let second = to_c1().on_reply(callback("reply", 2)).on_cleanup(cleanup);
    let mut play = Theater::of(2).call(0, &Program::new().call(first).call(second)).observe("x", 0, cell(0)).play();
    play.steps("0 0.1 0.2 0.1r");
    assert_eq!((bytes_of(&mut play, 0), play.observe("x")), ("open".to_string(), "100".to_string()));
    play.steps("0.2r");
    assert_eq!((bytes_of(&mut play, 0), play.observe("x")), ("reply m2".to_string(), "110".to_string()));
}
