//! A canister that does with each call what the scenario says: replies, rejects, traps, calls back, or never answers.
//!
//! The state counts the calls of methods that have several answers in turn, up to the last answer, which repeats.

use std::collections::BTreeMap;

use candid::Principal;

use super::{Action, Answer, Around, Call, Contract, Request, Turn};
use crate::kernel::Response;
use crate::scenario::{StubAnswer, StubReplies};

/// The answers, and the ids of the scenario's canisters.
#[derive(Clone, Debug)]
pub struct Stub {
    replies: StubReplies,
    ids: Vec<Principal>,
}

/// For each method that has several answers and was called, the position of the next one.
pub type Turns = BTreeMap<String, usize>;

impl Stub {
    /// A stub with these answers among canisters with these ids, to which [`StubAnswer::Call`] refers.
    pub fn new(replies: StubReplies, ids: Vec<Principal>) -> Stub {
        Stub { replies, ids }
    }

    /// The answer whose turn it is, with its place; `None` if there is no such method.
    fn next(&self, turns: &Turns, method: &str) -> Option<(Point, &StubAnswer)> {
        let at = self.replies.keys().position(|name| name == method)?;
        let turn = turns.get(method).copied().unwrap_or(0);
        Some((Point { method: at as u32, turn: turn as u32 }, &self.replies[method][turn]))
    }
}

/// Place of an answer: which method in order of names, and which of its answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Point {
    method: u32,
    turn: u32,
}

impl Point {
    fn number(self) -> u64 {
        u64::from(self.method) << 32 | u64::from(self.turn)
    }

    fn of(number: u64) -> Point {
        Point { method: (number >> 32) as u32, turn: number as u32 }
    }
}

impl Contract for Stub {
    type State = Turns;

    fn update(&self, turns: &Turns, call: &Call<'_>, _: &mut Around<'_>) -> Result<Option<Turn<Turns>>, String> {
        let Some((point, answer)) = self.next(turns, call.method) else { return Ok(None) };
        let action = match answer {
            StubAnswer::Reply(bytes) => Action::Answer(Answer::Reply(bytes.clone())),
            StubAnswer::Reject(text) => Action::Answer(Answer::Reject(text.clone())),
            StubAnswer::Trap(text) => return Err(text.clone()),
            StubAnswer::Hold => Action::Hold,
            StubAnswer::Call(call) => Action::Call(Request {
                callee: self.ids[call.canister],
                method: call.method.clone(),
                arg: call.args.clone(),
                cycles: 0,
                point: point.number(),
            }),
        };
        let mut state = turns.clone();
        let last = self.replies[call.method].len() - 1;
        if (point.turn as usize) < last {
            state.insert(call.method.to_string(), point.turn as usize + 1);
        }
        Ok(Some(Turn { state, action }))
    }

    fn query(&self, turns: &Turns, call: &Call<'_>, _: &mut Around<'_>) -> Result<Option<Answer>, String> {
        match self.next(turns, call.method).map(|(_, answer)| answer) {
            None => Ok(None),
            Some(StubAnswer::Reply(bytes)) => Ok(Some(Answer::Reply(bytes.clone()))),
            Some(StubAnswer::Reject(text)) => Ok(Some(Answer::Reject(text.clone()))),
            Some(StubAnswer::Trap(text)) => Err(text.clone()),
            Some(StubAnswer::Hold | StubAnswer::Call(_)) => Err("a query cannot wait".to_string()),
        }
    }

    fn resume(&self, turns: &Turns, point: u64, _: &Response, _: &mut Around<'_>) -> Result<Turn<Turns>, String> {
        let point = Point::of(point);
        let answers = self.replies.values().nth(point.method as usize).expect("bug in canloom: a method of the stub");
        let StubAnswer::Call(call) = &answers[point.turn as usize] else {
            panic!("bug in canloom: an answer that makes a call");
        };
        Ok(Turn { state: turns.clone(), action: Action::Answer(Answer::Reply(call.then.clone())) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::stage::{BOB, Stage, value};
    use super::*;
    use crate::kernel::guest::Execution;
    use crate::scenario::StubCall;

    fn number(n: u32) -> Vec<u8> {
        candid::encode_one(n).unwrap()
    }

    fn stub(answers: Vec<StubAnswer>) -> Stage<Stub> {
        Stage::new((Stub::new([("m".to_string(), answers)].into(), vec![BOB]), Turns::new()))
    }

    fn rejected(execution: Execution) -> (u8, String) {
        match execution.response {
            Some(Response::Reject { code, text }) => (code, text.to_string()),
            other => panic!("no reject: {other:?}"),
        }
    }

    #[test]
    fn one_answer_is_for_every_call_and_leaves_one_state() {
        let mut stub = stub(vec![StubAnswer::Reply(number(7))]);
        assert_eq!((stub.ask::<u32>("m", ()), stub.ask::<u32>("m", ())), (7, 7));
        assert_eq!(stub.memory.0, 0);
    }

    #[test]
    fn answers_come_in_turn_and_the_last_one_repeats() {
        let mut stub =
            stub(vec![StubAnswer::Reply(number(1)), StubAnswer::Reject("no".into()), StubAnswer::Reply(number(3))]);
        assert_eq!(stub.ask::<u32>("m", ()), 1);
        assert_eq!(rejected(stub.call("m", ())), (4, "no".to_string()));
        assert_eq!(stub.ask::<u32>("m", ()), 3);
        let last = stub.memory;
        assert_eq!(stub.ask::<u32>("m", ()), 3);
        assert_eq!(stub.memory, last);
    }

    #[test]
    fn a_query_sees_the_next_answer_and_takes_no_turn() {
        let mut stub = stub(vec![StubAnswer::Reply(number(1)), StubAnswer::Reply(number(2))]);
        assert_eq!((value::<u32>(&stub.query("m", ())), value::<u32>(&stub.query("m", ()))), (1, 1));
        stub.call("m", ());
        assert_eq!(value::<u32>(&stub.query("m", ())), 2);
    }

    #[test]
    fn a_trap_takes_no_turn() {
        let mut stub = stub(vec![StubAnswer::Trap("broken".into()), StubAnswer::Reply(number(2))]);
        assert_eq!(stub.trap("m", ()), "IC0503: broken");
        assert_eq!(stub.trap("m", ()), "IC0503: broken");
    }

    #[test]
    fn a_method_that_the_file_does_not_name_is_not_there() {
        let mut stub = stub(vec![StubAnswer::Hold]);
        assert_eq!(stub.trap("n", ()), "IC0536: Canister has no update method 'n'");
        assert_eq!(stub.query("n", ()).trap.unwrap().text, "Canister has no query method 'n'");
    }

    #[test]
    fn a_held_call_is_neither_answered_nor_over() {
        let execution = stub(vec![StubAnswer::Hold]).call("m", ());
        assert!(execution.held && execution.response.is_none() && execution.trap.is_none());
    }

    #[test]
    fn a_call_is_made_and_then_the_stub_replies_whatever_the_answer_is() {
        let call = StubCall { canister: 0, method: "back".into(), args: number(5), then: number(6), line: 1 };
        let mut stub = stub(vec![StubAnswer::Call(call)]);
        for answer in [Response::Reply(number(1).into()), Response::Reject { code: 5, text: "trapped".into() }] {
            let execution = stub.call("m", ());
            assert!(execution.response.is_none());
            let [request] = &execution.requests[..] else { panic!("one request") };
            assert_eq!((request.callee, request.method.as_str(), &request.arg), (BOB, "back", &number(5)));
            assert_eq!((request.cycles, request.timeout_s), (0, None));
            assert_eq!(value::<u32>(&stub.answer(request.on_reply, &answer)), 6);
            assert_eq!(request.on_reply, request.on_reject);
        }
    }

    #[test]
    fn a_stub_whose_call_cannot_be_made_replies_at_once() {
        let call = StubCall { canister: 0, method: "back".into(), args: number(5), then: number(6), line: 1 };
        let mut stub = stub(vec![StubAnswer::Call(call)]);
        stub.perform_fails = 1;
        let execution = stub.call("m", ());
        assert!(execution.requests.is_empty());
        assert_eq!(value::<u32>(&execution), 6);
    }
}
