//! Random small scenarios: canisters from a grammar of deliveries, calls, faults and invariants.
//!
//! Method `a` of a canister only computes, `b` may call `a` of any canister, `c` may call `b` and `a`; so every call comes to an
//! end. What a delivery computes depends on what ran before it (x becomes 3x + k), so outcomes tell orders apart. x lives
//! in a global, in the heap or in stable memory. Drawn from a fixed seed: the same scenarios in every run.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::stage::{Stage, call, ghosts, observe};
use super::wat_canister::canister;

/// One thing that a delivery does.
#[derive(Clone, Debug)]
enum Action {
    /// x becomes 3x + k modulo 1,000.
    Mix(u32),
    /// Replies x.
    Reply,
    /// Rejects.
    Reject,
    /// Traps.
    Trap,
    /// Traps if x is odd.
    TrapIfOdd,
    /// Ends the delivery if x is odd.
    EndIfOdd,
    /// Sends a request.
    Call(Box<Request>),
}

#[derive(Clone, Debug)]
struct Request {
    callee: usize,
    method: usize,
    bounded: bool,
    on_reply: Vec<Action>,
    on_reject: Vec<Action>,
    cleanup: Option<Vec<Action>>,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Global,
    Heap,
    Stable,
}

#[derive(Clone, Debug)]
struct Body {
    place: Place,
    /// Methods a, b, c.
    methods: [Vec<Action>; 3],
}

#[derive(Clone, Debug)]
struct Entry {
    to: usize,
    method: usize,
    max: u32,
    after: bool,
}

/// A random scenario.
#[derive(Clone, Debug)]
pub struct Recipe {
    canisters: Vec<Body>,
    entries: Vec<Entry>,
    in_flight: u32,
    /// Which of the edges, and what kinds.
    fault: Option<(prop::sample::Index, &'static str)>,
    remainders: (u32, u32, u32),
}

/// Recipes without end, the same ones in every run.
pub fn recipes() -> impl Iterator<Item = Recipe> {
    let mut runner = TestRunner::deterministic();
    let strategy = recipe();
    std::iter::repeat_with(move || strategy.new_tree(&mut runner).expect("no filter refuses").current())
}

const METHODS: [&str; 3] = ["a", "b", "c"];
const CANISTERS: usize = 3;

fn recipe() -> impl Strategy<Value = Recipe> {
    let entry = (0..CANISTERS, 0..6usize, 1..=2u32, any::<bool>());
    let entry = entry.prop_map(|(to, method, max, after)| Entry { to, method: [0, 1, 1, 2, 2, 2][method], max, after });
    let kinds = prop::sample::select(vec![
        "\"clean_reject\"",
        "\"sys_unknown\"",
        "\"clean_reject_1\", \"clean_reject_3\"",
        "\"clean_reject\", \"sys_unknown\"",
    ]);
    let fault = prop::option::weighted(0.7, (any::<prop::sample::Index>(), kinds));
    let remainders = (0..5u32, 0..5u32, 0..5u32);
    let canisters = prop::collection::vec(body(), CANISTERS);
    let all = (canisters, prop::collection::vec(entry, 1..=2), 1..=3u32, fault, remainders);
    all.prop_map(|(canisters, mut entries, in_flight, fault, remainders)| {
        if entries.iter().map(|entry| entry.max).sum::<u32>() > 3 {
            entries[0].max = 1;
        }
        if let [only] = &mut entries[..] {
            only.max = 2;
        }
        Recipe { canisters, entries, in_flight, fault, remainders }
    })
}

fn body() -> impl Strategy<Value = Body> {
    let place = prop::sample::select(vec![Place::Global, Place::Heap, Place::Stable]);
    let methods = (plain(true), with_calls(0), with_calls(1));
    (place, methods).prop_map(|(place, (a, b, c))| Body { place, methods: [a, b, c] })
}

/// Deliveries without calls; those that end a call mostly answer.
fn plain(answers: bool) -> BoxedStrategy<Vec<Action>> {
    let mix = (1..9u32).prop_map(Action::Mix);
    let middle = prop_oneof![
        6 => Just(None),
        2 => Just(Some(Action::TrapIfOdd)),
        1 => Just(Some(Action::EndIfOdd)),
    ];
    let weight = if answers { 8 } else { 3 };
    let end = prop_oneof![
        weight => Just(vec![Action::Reply]),
        1 => Just(vec![Action::Reject]),
        1 => Just(vec![]),
        1 => Just(vec![Action::Trap]),
        1 => Just(vec![Action::Reply, Action::Trap]),
    ];
    let actions = (mix, middle, end).prop_map(|(mix, middle, end)| {
        let mut actions = vec![mix];
        actions.extend(middle);
        actions.extend(end);
        actions
    });
    actions.boxed()
}

/// Deliveries that send one or two requests to methods up to `method_max`, and may answer at once.
fn with_calls(method_max: usize) -> BoxedStrategy<Vec<Action>> {
    let late = match method_max {
        0 => plain(true),
        _ => prop_oneof![5 => plain(true), 1 => with_calls(0)].boxed(),
    };
    let cleanup = prop::option::weighted(
        0.5,
        plain(false).prop_map(|mut actions| {
            // A cleanup cannot answer; sometimes it traps.
            actions.retain(|action| !matches!(action, Action::Reply | Action::Reject));
            actions
        }),
    );
    let request = (0..CANISTERS, 0..=method_max, any::<bool>(), late, plain(true), cleanup);
    let request = request.prop_map(|(callee, method, bounded, on_reply, on_reject, cleanup)| {
        Action::Call(Box::new(Request { callee, method, bounded, on_reply, on_reject, cleanup }))
    });
    let requests = prop_oneof![
        3 => prop::collection::vec(request.clone(), 1),
        1 => prop::collection::vec(request, 2),
    ];
    let rest = prop_oneof![6 => Just(vec![]), 1 => plain(false)];
    let actions = ((1..9u32).prop_map(Action::Mix), requests, rest).prop_map(|(mix, requests, rest)| {
        let mut actions = vec![mix];
        actions.extend(requests);
        actions.extend(rest);
        actions
    });
    actions.boxed()
}

impl Recipe {
    /// Most deliveries that its calls can make together.
    pub fn deliveries_max(&self) -> usize {
        let of = |entry: &Entry| entry.max as usize * self.deliveries(&self.canisters[entry.to].methods[entry.method]);
        self.entries.iter().map(of).sum()
    }

    fn deliveries(&self, actions: &[Action]) -> usize {
        let of = |action: &Action| match action {
            Action::Call(request) => {
                let callee = self.deliveries(&self.canisters[request.callee].methods[request.method]);
                callee + self.deliveries(&request.on_reply).max(self.deliveries(&request.on_reject))
            }
            _ => 0,
        };
        1 + actions.iter().map(of).sum::<usize>()
    }

    /// The edges on which its calls send requests: caller, callee, method.
    fn edges(&self) -> Vec<(usize, usize, usize)> {
        let mut edges = Vec::new();
        for entry in &self.entries {
            self.add_edges(entry.to, &self.canisters[entry.to].methods[entry.method], &mut edges);
        }
        edges
    }

    fn add_edges(&self, at: usize, actions: &[Action], edges: &mut Vec<(usize, usize, usize)>) {
        for action in actions {
            let Action::Call(request) = action else { continue };
            let edge = (at, request.callee, request.method);
            if !edges.contains(&edge) {
                edges.push(edge);
            }
            self.add_edges(request.callee, &self.canisters[request.callee].methods[request.method], edges);
            self.add_edges(at, &request.on_reply, edges);
            self.add_edges(at, &request.on_reject, edges);
        }
    }

    /// The scenario, written down.
    pub fn stage(&self) -> Stage {
        let canisters: Vec<String> = self.canisters.iter().enumerate().map(|(at, body)| module(at, body)).collect();
        let mut text = String::new();
        for at in 0..CANISTERS {
            text.push_str(&observe(at, &format!("x{at}")));
        }
        for (at, entry) in self.entries.iter().enumerate() {
            let after = if at > 0 && entry.after { "after = \"e0\"\n" } else { "" };
            let more = format!("max = {}\n{after}", entry.max);
            text.push_str(&call(&format!("e{at}"), entry.to, METHODS[entry.method], &more));
        }
        let _ = writeln!(text, "[explore]\nin_flight = {}\nfaults = 1", self.in_flight);
        let edges = self.edges();
        if let Some((edge, kinds)) = self.fault.filter(|_| !edges.is_empty()) {
            let (caller, callee, method) = *edge.get(&edges);
            let edge = format!("c{caller} -> c{callee}.{}", METHODS[method]);
            let _ = writeln!(text, "[[fault]]\nedge = \"{edge}\"\nkinds = [{kinds}]");
        }
        let (r0, r1, r2) = self.remainders;
        for (name, when, expr) in [
            ("everywhere", "always", format!("x0 - x0 / 5 * 5 != {r0}")),
            ("at rest", "quiescent", format!("x1 - x1 / 5 * 5 != {r1}")),
            ("in the end", "final", format!("x2 - x2 / 5 * 5 != {r2} or count(err(\"e0\")) == 0")),
            ("now and then", "sometimes", format!("x0 - x0 / 5 * 5 == {r1} and count(open(\"e0\")) > 0")),
        ] {
            let _ = writeln!(text, "[[invariant]]\nname = \"{name}\"\nwhen = \"{when}\"\nexpr = '{expr}'");
        }
        if let Some((caller, callee, method)) = edges.first() {
            text.push_str(&ghosts(*caller, *callee, METHODS[*method], r2));
        }
        Stage::new(&canisters, &text)
    }
}

/// Functions of a module that are called through the table.
#[derive(Default)]
struct Table {
    functions: Vec<String>,
}

fn module(at: usize, body: &Body) -> String {
    let mut table = Table::default();
    let mut methods = String::new();
    for (name, actions) in METHODS.iter().zip(&body.methods) {
        let code = table.code(actions);
        let _ = writeln!(methods, "(func (export \"canister_update {name}\") {code})");
    }
    let (load, store) = match body.place {
        Place::Global => ("(global.get $x)", "(global.set $x (local.get 0))"),
        Place::Heap => ("(i32.load (i32.const 70000))", "(i32.store (i32.const 70000) (local.get 0))"),
        Place::Stable => {
            ("(call $stable_load (i32.const 60000))", "(call $stable_store (i32.const 60000) (local.get 0))")
        }
    };
    let count = table.functions.len();
    let names: String = (0..count).map(|at| format!(" $f{at}")).collect();
    let mut functions = String::new();
    for (at, code) in table.functions.iter().enumerate() {
        let _ = writeln!(functions, "(func $f{at} (param i32) {code})");
    }
    canister(&format!(
        r#"(global $x (mut i32) (i32.const 0))
           (table {count} funcref) (elem (i32.const 0) {names})
           (func $load (result i32) {load})
           (func $store (param i32) {store})
           (func $mix (param i32)
             (call $store (i32.rem_u
               (i32.add (i32.mul (call $load) (i32.const 3)) (local.get 0)) (i32.const 1000))))
           (func $odd (result i32) (i32.and (call $load) (i32.const 1)))
           (func (export "canister_init")
             (drop (memory.grow (i32.const 1))) (call $stable_grow (i32.const 1)) (call $store (i32.const {at})))
           {functions}
           {methods}
           (func (export "canister_query x{at}") (call $number (call $load)))"#
    ))
}

impl Table {
    fn add(&mut self, actions: &[Action]) -> usize {
        let code = self.code(actions);
        self.functions.push(code);
        self.functions.len() - 1
    }

    fn code(&mut self, actions: &[Action]) -> String {
        let mut code = String::new();
        for action in actions {
            let text = match action {
                Action::Mix(k) => format!("(call $mix (i32.const {k}))"),
                Action::Reply => "(call $number (call $load))".to_string(),
                Action::Reject => "(call $msg_reject (i32.const 544) (i32.const 3))".to_string(),
                Action::Trap => "(unreachable)".to_string(),
                Action::TrapIfOdd => "(if (call $odd) (then (call $trap (i32.const 544) (i32.const 3))))".to_string(),
                Action::EndIfOdd => "(if (call $odd) (then (return)))".to_string(),
                Action::Call(request) => self.request(request),
            };
            let _ = writeln!(code, "{text}");
        }
        code
    }

    fn request(&mut self, request: &Request) -> String {
        let (reply, reject) = (self.add(&request.on_reply), self.add(&request.on_reject));
        let cleanup = request.cleanup.as_ref().map(|cleanup| self.add(cleanup));
        let cleanup = cleanup.map_or_else(String::new, |f| format!("(call $on_cleanup (i32.const {f}) (i32.const 0))"));
        let bounded = if request.bounded { "(call $bounded (i32.const 10))" } else { "" };
        let callee = 32 + 16 * request.callee;
        let method = 544 + request.method;
        format!(
            "(call $call_new (i32.const {callee}) (i32.const 10) (i32.const {method}) (i32.const 1)
               (i32.const {reply}) (i32.const 0) (i32.const {reject}) (i32.const 0))
             {cleanup} {bounded} (call $send)"
        )
    }
}
