//! The stand-in message by message, as the embedded engine runs it.

use std::sync::Arc;

use candid::Decode;
use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::engine::wasm::WasmGuest;
use crate::engine::wasm::module::{Instrumentation, Module, engine};
use crate::kernel::guest::{Env, Execution, Guest as _, Outgoing};
use crate::kernel::{Input, MemoryId, Response};

const CALLER: [u8; 10] = [0, 0, 0, 0, 0, 0, 0, 7, 1, 1];

/// What the system answers an outcall with.
#[derive(CandidType)]
struct HttpResponse {
    status: candid::Nat,
    headers: Vec<Header>,
    body: Vec<u8>,
}

/// What it reads of an outcall, `method` and `headers` in between.
#[derive(CandidType, Deserialize)]
struct HttpRequest {
    url: String,
    max_response_bytes: Option<u64>,
    body: Option<Vec<u8>>,
}

struct StandIn {
    guest: WasmGuest,
    memory: MemoryId,
}

impl StandIn {
    fn new(updates: &[&str], queries: &[&str]) -> StandIn {
        let owned = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        let engine = engine().expect("an engine");
        let wasm = module(&owned(updates), &owned(queries), 0);
        let module = Module::load(&engine, &wasm, Instrumentation::Full).expect("a canister's module");
        let mut guest = WasmGuest::new(engine);
        guest.add(Arc::new(module)).expect("it can be installed");
        let memory = guest.fresh();
        StandIn { guest, memory }
    }

    fn run(&mut self, input: Input<'_>, available: Cycles) -> Execution {
        let own_id = Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 9, 1, 1]);
        let env = Env { available, ..Env::outside(own_id, Principal::from_slice(&CALLER), 1) };
        let execution = self.guest.execute(self.memory, input, &env).expect("all is offered");
        self.memory = execution.memory;
        execution
    }

    /// A call that is held; returns its outcall.
    fn call(&mut self, method: &str, arg: &[u8], cycles: Cycles) -> Outgoing {
        let mut execution = self.run(Input::Call { method, arg }, cycles);
        assert_eq!((&execution.trap, &execution.response, execution.requests.len()), (&None, &None, 1));
        execution.requests.remove(0)
    }

    /// An outcall is answered with this body.
    fn body(&mut self, outcall: &Outgoing, body: Vec<u8>, cycles: Cycles) -> Execution {
        let headers = vec![Header { name: "date".to_string(), value: "today".to_string() }];
        let bytes = Encode!(&HttpResponse { status: 200u8.into(), headers, body }).expect("it can be encoded");
        let response = Response::Reply(bytes.into());
        let execution = self.run(Input::Callback { function: outcall.on_reply, response: &response }, cycles);
        if execution.trap.is_some() {
            let function = outcall.on_cleanup.expect("a cleanup");
            assert_eq!(self.run(Input::Cleanup { function, response: &response }, 0).trap, None);
        }
        execution
    }

    fn answer(&mut self, outcall: &Outgoing, end: End, accept: Cycles) -> Execution {
        self.body(outcall, instruction(&Answer { end, accept }), 500)
    }

    fn pending(&mut self, arg: &[u8]) -> Vec<Held> {
        let execution = self.run(Input::Query { method: PENDING, arg }, 0);
        let Some(Response::Reply(bytes)) = execution.response else { panic!("it replies: {:?}", execution.trap) };
        pending(&bytes).expect("a list")
    }

    fn open(&mut self) -> Vec<u32> {
        self.pending(&above(0)).iter().map(|held| held.number).collect()
    }
}

fn held(number: u32, method: u32, cycles: Cycles, arg: &[u8]) -> Held {
    Held { number, method, caller: Principal::from_slice(&CALLER), cycles, arg: arg.to_vec() }
}

fn bytes_of(calls: &[Held]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for call in calls {
        bytes.extend_from_slice(&call.number.to_le_bytes());
        bytes.extend_from_slice(&call.method.to_le_bytes());
        bytes.push(call.caller.as_slice().len() as u8);
        bytes.extend_from_slice(call.caller.as_slice());
        bytes.extend_from_slice(&call.cycles.to_le_bytes());
        bytes.extend_from_slice(&(call.arg.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&call.arg);
    }
    bytes
}

#[test]
fn a_call_waits_for_an_outcall_to_the_address_of_its_number() {
    let mut canister = StandIn::new(&["transfer"], &[]);
    for number in 1..=12 {
        let outcall = canister.call("transfer", b"", 0);
        assert_eq!((outcall.callee, outcall.method.as_str()), (Principal::management_canister(), "http_request"));
        assert_eq!((outcall.cycles, outcall.timeout_s), (Cycles::from(PRICE), None));
        let request = Decode!(&outcall.arg, HttpRequest).expect("the argument of an outcall");
        assert_eq!(request.url, url(number));
        assert_eq!((request.max_response_bytes, request.body), (None, None));
    }
    assert_eq!(url(12), "https://canloom.invalid/0000000012");
}

#[test]
fn calls_are_told_with_all_that_came_with_them() {
    let mut canister = StandIn::new(&["a", "b"], &["c"]);
    canister.call("c", b"one", 1 << 100);
    canister.call("a", b"", 0);
    canister.call("b", &[0xff; 300], 5);
    let told = [held(1, 2, 1 << 100, b"one"), held(2, 0, 0, b""), held(3, 1, 5, &[0xff; 300])];
    assert_eq!(canister.pending(b""), told);
    assert_eq!(canister.pending(&above(1)), told[1..]);
    assert_eq!(canister.pending(&above(3)), []);
}

#[test]
fn each_call_gets_its_own_answer_in_any_order() {
    let mut canister = StandIn::new(&["a"], &[]);
    let outcalls: Vec<Outgoing> = (0..4).map(|_| canister.call("a", b"", 500)).collect();
    let replied = canister.answer(&outcalls[2], End::Reply(vec![0, 0xff, 0x80]), 300);
    assert_eq!(replied.response, Some(Response::Reply(Arc::from([0, 0xff, 0x80]))));
    assert_eq!((replied.accepted, replied.requests.len()), (300, 0));
    assert_eq!(canister.open(), [1, 2, 4]);
    let rejected = canister.answer(&outcalls[0], End::Reject("nö".to_string()), 0);
    assert_eq!(rejected.response, Some(Response::Reject { code: 4, text: "nö".into() }));
    assert_eq!(canister.open(), [2, 4]);
    let empty = canister.answer(&outcalls[3], End::Reply(Vec::new()), Cycles::MAX);
    assert_eq!((empty.response, empty.accepted), (Some(Response::Reply(Arc::from([]))), 500));
    assert_eq!(canister.open(), [2]);
}

#[test]
fn a_trap_ends_its_call_too() {
    let mut canister = StandIn::new(&["a"], &[]);
    let (first, _) = (canister.call("a", b"", 500), canister.call("a", b"", 500));
    let trapped = canister.answer(&first, End::Trap("boom".to_string()), 500);
    let trap = trapped.trap.expect("a trap");
    assert_eq!((trap.code, trap.text.contains("'boom'"), trapped.response), (503, true, None));
    assert_eq!(canister.open(), [2]);
}

#[test]
fn a_rejected_outcall_is_made_again() {
    let mut canister = StandIn::new(&["a"], &[]);
    canister.call("a", b"", 500);
    let second = canister.call("a", b"", 500);
    canister.call("a", b"", 500);
    let response = Response::Reject { code: 2, text: "Canister http request timed out".into() };
    let mut again = canister.run(Input::Callback { function: second.on_reject, response: &response }, 500);
    assert_eq!((&again.trap, &again.response, again.requests.len()), (&None, &None, 1));
    let again = again.requests.remove(0);
    assert_eq!(again.arg, second.arg);
    assert_eq!(canister.open(), [1, 2, 3]);
    let replied = canister.answer(&again, End::Reply(b"late".to_vec()), 1);
    assert_eq!((replied.response, replied.accepted), (Some(Response::Reply(Arc::from(*b"late"))), 1));
    assert_eq!(canister.open(), [1, 3]);
}

#[test]
fn an_answer_without_an_instruction_is_a_trap() {
    let whole = instruction(&Answer { end: End::Reply(b"x".to_vec()), accept: 0 });
    let mut unknown = whole.clone();
    unknown[20] = 3;
    let mut short = whole.clone();
    short[16] = 16;
    let mut long = whole.clone();
    long[19] = 0xff;
    for body in [Vec::new(), b"nothing".to_vec(), whole[..15].to_vec(), unknown, short, long] {
        let mut canister = StandIn::new(&["a"], &[]);
        let outcall = canister.call("a", b"", 0);
        let trap = canister.body(&outcall, body, 0).trap.expect("a trap");
        assert!(trap.text.contains("no instruction in the outcall's answer"), "{}", trap.text);
        assert_eq!(canister.open(), [] as [u32; 0]);
    }
}

#[test]
fn the_largest_arguments_and_answers_go_through() {
    let mut canister = StandIn::new(&["a"], &[]);
    let arg: Vec<u8> = (0..2_097_152u32).map(|at| at as u8).collect();
    let first = canister.call("a", &arg, 0);
    canister.call("a", &arg, 0);
    canister.call("a", b"", 0);
    // One reply does not bear both.
    assert!(canister.pending(&above(0)) == [held(1, 0, 0, &arg)]);
    assert!(canister.pending(&above(1)) == [held(2, 0, 0, &arg), held(3, 0, 0, b"")]);
    let reply = vec![0xab; 1_999_900];
    let replied = canister.answer(&first, End::Reply(reply.clone()), 0);
    assert!(replied.response == Some(Response::Reply(reply.into())));
    assert!(canister.pending(&above(0)) == [held(2, 0, 0, &arg), held(3, 0, 0, b"")]);
}

#[test]
fn methods_may_have_any_name_and_stand_twice() {
    let names = ["a b", "quo\"te", "back\\slash", "é\u{1f980}", "\n\0", "", ")", "a b"];
    let mut canister = StandIn::new(&names, &[PENDING, "a b", "last"]);
    for name in names {
        canister.call(name, b"", 0);
    }
    canister.call("last", b"", 0);
    let methods: Vec<u32> = canister.pending(b"").iter().map(|held| held.method).collect();
    assert_eq!(methods, [0, 1, 2, 3, 4, 5, 6, 0, 10]);
}

#[test]
fn a_stand_in_without_methods_is_a_module() {
    assert_eq!(StandIn::new(&[], &[]).open(), [] as [u32; 0]);
}

#[test]
fn only_addresses_of_this_form_are_those_of_a_call() {
    for known in [0, 1, 4_294_967_295] {
        assert_eq!(number(&url(known)), Some(known));
    }
    for unknown in ["", "https://canloom.invalid/", "https://canloom.invalid/1", "https://canloom.invalid/4294967296"] {
        assert_eq!(number(unknown), None);
    }
    assert_eq!(number("https://canloom.invalid/+000000001"), None);
}

#[test]
fn a_caller_of_too_many_bytes_is_an_error() {
    let mut bytes = vec![0; 8];
    bytes.push(30);
    bytes.extend_from_slice(&[0; 30 + 16 + 4]);
    assert!(pending(&bytes).expect_err("an error").starts_with("caller of held call 0: "));
}

proptest! {
    #[test]
    fn lists_are_read_back_and_cut_ones_are_errors(
        calls in prop::collection::vec(
            (any::<u32>(), any::<u32>(), prop::collection::vec(any::<u8>(), 0..=29), any::<u128>(),
             prop::collection::vec(any::<u8>(), 0..40)),
            0..4,
        ),
        cut in any::<prop::sample::Index>(),
    ) {
        let calls: Vec<Held> = calls
            .into_iter()
            .map(|(number, method, caller, cycles, arg)| {
                Held { number, method, caller: Principal::from_slice(&caller), cycles, arg }
            })
            .collect();
        let bytes = bytes_of(&calls);
        prop_assert_eq!(pending(&bytes), Ok(calls.clone()));
        let cut = cut.index(bytes.len() + 1);
        let whole = (0..=calls.len()).find(|count| bytes_of(&calls[..*count]).len() == cut);
        prop_assert_eq!(pending(&bytes[..cut]).ok(), whole.map(|count| calls[..count].to_vec()));
    }

    #[test]
    fn hostile_lists_are_told_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(calls) = pending(&bytes) {
            prop_assert_eq!(bytes_of(&calls), bytes);
        }
    }
}
