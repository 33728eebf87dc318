//! Random scenarios of puppets: programs that call each other, fail in every way, and always come to an end.
//!
//! A [`Deed`] is one thing that a delivery does; requests carry the deeds of their callee, of their callbacks and of
//! their cleanup, each drawn from a smaller grammar than the last, so calls end and [`Play::deliveries_max`] can count
//! them. What a delivery computes depends on what ran before it (cell 0 becomes 3x + k modulo 1,000, the notes grow
//! by a letter), so outcomes tell orders apart. What may come out of a delivery: a reply, a reject, nothing, a trap, any of
//! them depending on the state, on the reject code or on the cycles. Drawn from a fixed seed: the same in every run.
//! Left out: timers and other tasks, instruction counts, versions, more than one time.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::super::stage::{Stage, id};
use super::expr::*;
use super::{Call, Expr, Program, Theater};

/// Number of puppets.
pub const PUPPETS: usize = 3;

/// One thing that a delivery does.
#[derive(Clone, Debug)]
pub enum Deed {
    /// Cell 0 becomes 3x + k modulo 1,000.
    Mix(u32),
    /// The same with a number of stable memory, whose first page it grows.
    MixStable(u32),
    /// The global byte string grows by a letter, and cell 2 by a digit.
    Note(u8),
    /// Cell 0 takes in the reject code, in callbacks and cleanups.
    MixCode,
    /// Cell 0 takes in the cycles that came back, in callbacks.
    MixRefund,
    /// Cell 0 takes in the cycles that are left of those that came with the call.
    MixAvailable,
    /// Cell 0 takes in the last digits of the balance.
    MixBalance,
    /// Accepts up to this many cycles.
    Accept(u32),
    /// Does something only if cell 0 is odd.
    IfOdd(Vec<Deed>),
    /// Ends the delivery.
    End,
    /// Replies with cell 0 as a number.
    Reply,
    /// Appends bytes and does not reply.
    Append,
    /// Rejects with the global as text.
    Reject,
    /// Traps.
    Trap,
    /// Sends a request.
    Call(Box<Request>),
}

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The update method.
    Run,
    /// The query method, replicated: its changes do not last.
    Query,
    /// A method that no puppet has.
    Missing,
}

/// A request and all that it leads to.
#[derive(Clone, Debug)]
pub struct Request {
    callee: usize,
    method: Method,
    cycles: u32,
    is_bounded: bool,
    deeds: Vec<Deed>,
    on_reply: Vec<Deed>,
    on_reject: Vec<Deed>,
    on_cleanup: Option<Vec<Deed>>,
}

/// A call from outside.
#[derive(Clone, Debug)]
pub struct Entry {
    to: usize,
    max: u32,
    is_after: bool,
    deeds: Vec<Deed>,
}

/// A random scenario.
#[derive(Clone, Debug)]
pub struct Play {
    entries: Vec<Entry>,
    in_flight: u32,
    /// Which of the edges, and what kinds.
    fault: Option<(prop::sample::Index, &'static str)>,
    remainders: (u32, u32, u32),
}

/// Scenarios without end, the same ones in every run.
pub fn plays() -> impl Iterator<Item = Play> {
    let mut runner = TestRunner::deterministic();
    let strategy = play();
    std::iter::repeat_with(move || strategy.new_tree(&mut runner).expect("no filter refuses").current())
}

/// A scenario of one or two entries, each called at most twice.
pub fn play() -> impl Strategy<Value = Play> {
    let entry = (0..PUPPETS, 1..=2u32, any::<bool>(), prop_oneof![1 => leaf(), 2 => calling(1), 4 => calling(2)]);
    let entry = entry.prop_map(|(to, max, is_after, deeds)| Entry { to, max, is_after, deeds });
    let kinds = prop::sample::select(vec![
        "\"clean_reject\"",
        "\"sys_unknown\"",
        "\"clean_reject_1\", \"clean_reject_3\"",
        "\"clean_reject\", \"sys_unknown\"",
    ]);
    let fault = prop::option::weighted(0.7, (any::<prop::sample::Index>(), kinds));
    let remainders = (0..5u32, 0..5u32, 0..5u32);
    let entries = prop_oneof![1 => prop::collection::vec(entry.clone(), 1), 3 => prop::collection::vec(entry, 2)];
    let in_flight = prop_oneof![1 => Just(1), 4 => 2..=3u32];
    let all = (entries, in_flight, fault, remainders);
    all.prop_map(|(mut entries, in_flight, fault, remainders)| {
        if let [only] = &mut entries[..] {
            only.max = 2;
        }
        Play { entries, in_flight, fault, remainders }
    })
}

/// What changes the state and says nothing.
fn change() -> BoxedStrategy<Deed> {
    let change = prop_oneof![
        6 => (1..9u32).prop_map(Deed::Mix),
        1 => (1..9u32).prop_map(Deed::MixStable),
        2 => (b'a'..=b'f').prop_map(Deed::Note),
        2 => (0..150u32).prop_map(Deed::Accept),
        1 => Just(Deed::MixBalance),
        1 => Just(Deed::MixAvailable),
        1 => Just(Deed::MixCode),
        1 => Just(Deed::MixRefund),
    ];
    change.boxed()
}

/// What a delivery ends with.
fn end() -> BoxedStrategy<Vec<Deed>> {
    let end = prop_oneof![
        8 => Just(vec![Deed::Reply]),
        2 => Just(vec![Deed::Reject]),
        1 => Just(vec![]),
        1 => Just(vec![Deed::Trap]),
        1 => Just(vec![Deed::Append]),
        1 => Just(vec![Deed::Reply, Deed::Trap]),
        1 => Just(vec![Deed::Reply, Deed::Reply]),
        1 => Just(vec![Deed::Reply, Deed::Accept(50), Deed::MixAvailable]),
        1 => Just(vec![Deed::IfOdd(vec![Deed::Trap]), Deed::Reply]),
        1 => Just(vec![Deed::IfOdd(vec![Deed::End]), Deed::Reply]),
        1 => Just(vec![Deed::IfOdd(vec![Deed::Reject, Deed::End]), Deed::Reply]),
    ];
    end.boxed()
}

/// A delivery without calls.
fn leaf() -> BoxedStrategy<Vec<Deed>> {
    let leaf = ((1..9u32).prop_map(Deed::Mix), prop::option::weighted(0.5, change()), end());
    leaf.prop_map(|(mix, change, end)| std::iter::once(mix).chain(change).chain(end).collect()).boxed()
}

/// A delivery that sends one or two requests, which lead to calls themselves `depth` - 1 deep.
fn calling(depth: u32) -> BoxedStrategy<Vec<Deed>> {
    let callee = match depth {
        1 => leaf(),
        _ => prop_oneof![3 => leaf(), 2 => calling(depth - 1)].boxed(),
    };
    let later = match depth {
        1 => leaf(),
        _ => prop_oneof![7 => leaf(), 1 => calling(1)].boxed(),
    };
    let cleanup = prop::collection::vec(prop_oneof![8 => change(), 1 => Just(Deed::Trap)], 1..=2);
    let method = prop::sample::select(vec![Method::Run, Method::Run, Method::Run, Method::Run, Method::Query]);
    let method = prop_oneof![12 => method, 1 => Just(Method::Missing)];
    let cycles = prop_oneof![1 => Just(0), 2 => 1..200u32];
    let request = (0..PUPPETS, method, cycles, any::<bool>(), callee, later, leaf(), prop::option::of(cleanup));
    let request = request.prop_map(|(callee, method, cycles, is_bounded, deeds, on_reply, on_reject, on_cleanup)| {
        Deed::Call(Box::new(Request { callee, method, cycles, is_bounded, deeds, on_reply, on_reject, on_cleanup }))
    });
    let requests = prop_oneof![
        3 => prop::collection::vec(request.clone(), 1),
        1 => prop::collection::vec(request, 2),
    ];
    let rest = prop_oneof![6 => Just(vec![]), 1 => end()];
    let deeds = ((1..9u32).prop_map(Deed::Mix), prop::option::of(change()), requests, rest);
    let deeds = deeds.prop_map(|(mix, change, requests, rest)| {
        std::iter::once(mix).chain(change).chain(requests).chain(rest).collect()
    });
    deeds.boxed()
}

/// Adds this number to three times cell 0, modulo 1,000.
fn mix(program: Program, number: impl Into<Expr>) -> Program {
    program.set(0, cell(0).times(3).plus(number).modulo(1_000))
}

/// The program that does all this.
pub fn program(deeds: &[Deed]) -> Program {
    deeds.iter().fold(Program::new(), |program, deed| match deed {
        Deed::Mix(k) => mix(program, u128::from(*k)),
        Deed::MixStable(k) => {
            let number = stable_read(0, 2).as_number().times(3).plus(u128::from(*k)).modulo(1_000);
            program
                .when(stable_size().is_zero(), Program::new().ask(stable_grow(1)))
                .stable_write(0, number.little_endian(2))
        }
        Deed::Note(letter) => {
            let order = cell(2).times(7).plus(u128::from(*letter - b'a')).modulo(1_000_000_007);
            program.append_global(&[*letter][..]).set(2, order)
        }
        Deed::MixCode => mix(program, reject_code()),
        Deed::MixRefund => mix(program, cycles_refunded()),
        Deed::MixAvailable => mix(program, cycles_available()),
        Deed::MixBalance => mix(program, balance().modulo(1_000)),
        Deed::Accept(cycles) => mix(program, accept(u128::from(*cycles))),
        Deed::IfOdd(deeds) => program.when(cell(0).modulo(2), self::program(deeds)),
        Deed::End => program.end(),
        Deed::Reply => program.say(cell(0)),
        Deed::Append => program.append("lost"),
        Deed::Reject => program.reject(global()),
        Deed::Trap => program.trap("trapped"),
        Deed::Call(request) => program.call(request.call()),
    })
}

impl Request {
    fn call(&self) -> Call {
        let method = match self.method {
            Method::Run => "run",
            Method::Query => "query",
            Method::Missing => "missing",
        };
        let mut call = Call::to(id(self.callee), method)
            .with(program(&self.deeds))
            .on_reply(program(&self.on_reply))
            .on_reject(program(&self.on_reject));
        if let Some(deeds) = &self.on_cleanup {
            call = call.on_cleanup(program(deeds));
        }
        if self.cycles > 0 {
            call = call.cycles(u128::from(self.cycles));
        }
        if self.is_bounded { call.timeout(10) } else { call }
    }
}

fn requests(deeds: &[Deed]) -> impl Iterator<Item = &Request> {
    deeds.iter().filter_map(|deed| match deed {
        Deed::Call(request) => Some(&**request),
        _ => None,
    })
}

/// Most deliveries that a delivery of these deeds leads to, itself included.
fn deliveries(deeds: &[Deed]) -> usize {
    let of = |request: &Request| {
        deliveries(&request.deeds) + deliveries(&request.on_reply).max(deliveries(&request.on_reject))
    };
    1 + requests(deeds).map(of).sum::<usize>()
}

/// Adds the edges on which a puppet that does these deeds sends requests to `run`.
fn add_edges(at: usize, deeds: &[Deed], edges: &mut Vec<(usize, usize)>) {
    for request in requests(deeds) {
        let edge = (at, request.callee);
        if request.method == Method::Run && !edges.contains(&edge) {
            edges.push(edge);
        }
        add_edges(request.callee, &request.deeds, edges);
        add_edges(at, &request.on_reply, edges);
        add_edges(at, &request.on_reject, edges);
    }
}

impl Play {
    /// Most deliveries that its calls can make together.
    pub fn deliveries_max(&self) -> usize {
        self.entries.iter().map(|entry| entry.max as usize * deliveries(&entry.deeds)).sum()
    }

    /// The scenario, written down.
    pub fn stage(&self) -> Stage {
        let mut theater = Theater::of(PUPPETS);
        for at in 0..PUPPETS {
            // One query tells all: cell 0 in the lowest digits, then stable memory, cycles, and the order of the notes.
            let all = cell(0).plus(cell(1).times(1_000));
            let all = all.plus(balance().modulo(1_000).times(1_000_000)).plus(cell(2).times(1_000_000_000));
            let stable = Program::new().when(stable_size(), Program::new().set(1, stable_read(0, 2).as_number()));
            theater = theater.observe_reply(&format!("x{at}"), at, &stable.say(all));
        }
        let mut edges = Vec::new();
        for (at, entry) in self.entries.iter().enumerate() {
            let after = if at > 0 && entry.is_after { "after = \"e0\"\n" } else { "" };
            let more = format!("max = {}\n{after}", entry.max);
            theater = theater.call_with(entry.to, "run", &program(&entry.deeds), &more);
            add_edges(entry.to, &entry.deeds, &mut edges);
        }
        if let Some((edge, kinds)) = self.fault.filter(|_| !edges.is_empty()) {
            let (caller, callee) = *edge.get(&edges);
            theater = theater.fault(caller, callee, kinds);
        }
        let mut text = format!("[explore]\nin_flight = {}\nfaults = 1\n", self.in_flight);
        let (r0, r1, r2) = self.remainders;
        for (name, when, expr) in [
            ("everywhere", "always", format!("x0 - x0 / 5 * 5 != {r0}")),
            ("at rest", "quiescent", format!("x1 - x1 / 5 * 5 != {r1}")),
            ("in the end", "final", format!("x2 - x2 / 5 * 5 != {r2} or count(err(\"e0\")) == 0")),
            ("now and then", "sometimes", format!("x0 - x0 / 5 * 5 == {r1} and count(open(\"e0\")) > 0")),
        ] {
            let _ = writeln!(text, "[[invariant]]\nname = \"{name}\"\nwhen = \"{when}\"\nexpr = '{expr}'");
        }
        theater.more(&text).stage()
    }
}
