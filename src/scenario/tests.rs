//! Scenario files as a user writes them: what comes out of a good one; `refusals` has what is said of each bad one.

mod builtin;
mod check;
mod did;
mod env;
mod generated;
mod ghosts;
mod refusals;
mod schema;
mod symmetric;

use super::*;

const GOOD: &str = r#"
format = 1
name = "counter"
about = "two increments"

[explore]
strategy = "exhaustive"
calls = 3
in_flight = 2
faults = 1
depth = 60

[canister.b]
wasm = "b.wasm"

[canister.a]
wasm = "wasm/a.wasm"
init = '(principal "${b}", principal "${alice}", 5 : nat64)'
controllers = ["alice", "aaaaa-aa"]

[actor.bob]
principal = "anonymous"

[actor.alice]

[[setup]]
to = "a"
method = "deposit"
by = "b"
args = "(1 : nat)"

[observe.x]
from = "a"
query = "get_x"
path = ".Ok.total"

[[call]]
id = "foo"
to = "a"
method = "foo"
by = ["alice", "bob"]
args = '(principal "${b}")'
max = 3
after = "inc"

[[call]]
id = "inc"
to = "a"
method = "increment"
by = "bob"

[[fault]]
edge = "a -> b.bar"
kinds = ["clean_reject", "clean_reject_3", "unknown_dropped", "sys_unknown"]

[[invariant]]
name = "counted"
when = "quiescent"
expr = "x == 2 * count(done(\"foo\")) + count(done(\"inc\"))"
expect = "violated"
"#;

fn load(text: &str) -> Result<Scenario, ScenarioError> {
    Scenario::from_text(Path::new("dir/s.toml"), text)
}

/// The message for the good scenario with one piece replaced, without the name of the file.
fn problem(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    let error = load(&GOOD.replacen(from, to, 1)).map(|_| ()).expect_err(to).to_string();
    error.strip_prefix("dir/s.toml:").unwrap_or(&error).to_string()
}

fn text_of(bytes: &[u8]) -> String {
    let text = candid::IDLArgs::from_bytes(bytes).unwrap().to_string();
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace("( ", "(").replace(", )", ")")
}

/// Bounds that these scenarios leave to their defaults; the others are given where they matter.
const OTHER_BOUNDS: Bounds = Bounds {
    calls: 0,
    in_flight: 0,
    faults: 0,
    depth: 0,
    timers: 8,
    heartbeats: 1,
    create: 0,
    times: 0,
    switches: None,
};

#[test]
fn a_scenario_is_read_whole() {
    let scenario = load(GOOD).unwrap();
    assert_eq!((scenario.name.as_str(), scenario.about.as_str()), ("counter", "two increments"));
    assert_eq!(scenario.bounds, Bounds { calls: 3, in_flight: 2, faults: 1, depth: 60, ..OTHER_BOUNDS });
    let names: Vec<&str> = scenario.canisters.iter().map(|canister| canister.name.as_str()).collect();
    assert_eq!(names, ["b", "a"]);
    assert_eq!(scenario.canisters[0].id.to_text(), "lxzze-o7777-77777-aaaaa-cai");
    assert_eq!(scenario.canisters[1].code, super::Code::Wasm("dir/wasm/a.wasm".into()));
    assert_eq!(scenario.actors[0].id, candid::Principal::anonymous());
    let alice = scenario.actors[1].id;
    assert_eq!(scenario.canisters[1].controllers, [alice, candid::Principal::management_canister()]);
    assert_eq!(
        text_of(&scenario.canisters[1].init),
        format!("(principal \"lxzze-o7777-77777-aaaaa-cai\", principal \"{alice}\", 5 : nat64)")
    );
    assert_eq!(scenario.setup[0].by, scenario.canisters[0].id);
    assert_eq!(text_of(&scenario.setup[0].args), "(1 : nat)");
    assert_eq!((scenario.observations[0].canister, scenario.observations[0].line), (1, 32));
    let foo = &scenario.calls[0];
    assert_eq!((foo.by.as_slice(), foo.max, foo.after, foo.line), ([1, 0].as_slice(), 3, Some(1), 37));
    assert_eq!(foo.args_text, "(principal \"${b}\")");
    assert_eq!(scenario.calls[1].args, b"DIDL\0\0");
    let kinds = [FaultKind::Reject { code: 2 }, FaultKind::Reject { code: 3 }, FaultKind::Unknown];
    let fault = &scenario.faults[0];
    let edge = FaultPlace::Edge { caller: 1, callee: Some(0), method: "bar".to_string() };
    assert_eq!((&fault.place, fault.budget), (&edge, 1));
    assert_eq!(fault.kinds, kinds);
    let invariant = &scenario.invariants[0];
    assert_eq!((invariant.when, invariant.expect, invariant.line), (When::Quiescent, Expect::Violated, 56));
}

#[test]
fn instances_are_numbered_in_file_order_and_actors_take_turns() {
    let instances = load(GOOD).unwrap().instances();
    let instances: Vec<(usize, usize)> = instances.iter().map(|instance| (instance.entry, instance.actor)).collect();
    assert_eq!(instances, [(0, 1), (0, 0), (0, 1), (1, 0)]);
}

#[test]
fn bounds_have_defaults() {
    let bare = GOOD.replace("strategy = \"exhaustive\"\ncalls = 3\nin_flight = 2\nfaults = 1\ndepth = 60\n", "");
    assert_eq!(load(&bare).unwrap().bounds, Bounds { calls: 4, in_flight: 4, faults: 1, depth: 200, ..OTHER_BOUNDS });
    let calm = bare.replace("[explore]", "").split("[[fault]]").next().unwrap().to_string();
    assert_eq!(load(&calm).unwrap().bounds, Bounds { calls: 4, in_flight: 4, faults: 0, depth: 200, ..OTHER_BOUNDS });
    let generous = GOOD.replace("calls = 3", "calls = 9").replace("in_flight = 2", "in_flight = 8");
    assert_eq!(
        load(&generous).unwrap().bounds,
        Bounds { calls: 4, in_flight: 4, faults: 1, depth: 60, ..OTHER_BOUNDS }
    );
}

#[test]
fn names_of_fields_are_known_when_replies_are_decoded() {
    let labels = load(&GOOD.replace("x == 2", "x.nowhere == 2")).unwrap().labels;
    let reply = candid_parser::parse_idl_args("(record { total = 1; nowhere = 2; elsewhere = 3 })").unwrap();
    let shown = Value::decode_with(&reply.to_bytes().unwrap(), &labels).unwrap().to_string();
    assert_eq!(shown, "{879795342 = 3, nowhere = 2, total = 1}");
}

#[test]
fn an_actor_may_be_a_canister_or_any_principal() {
    let scenario = load(&GOOD.replace("\"anonymous\"", "\"a\"")).unwrap();
    assert_eq!(scenario.actors[0].id, scenario.canisters[1].id);
    let scenario = load(&GOOD.replace("\"anonymous\"", "\"aaaaa-aa\"")).unwrap();
    assert_eq!(scenario.actors[0].id, candid::Principal::management_canister());
    let scenario = load(&GOOD.replace("\"anonymous\"", "\"auto\"")).unwrap();
    assert_ne!(scenario.actors[0].id, scenario.actors[1].id);
}

proptest::proptest! {
    #[test]
    fn no_file_makes_it_panic(at in 0..GOOD.len(), length in 0..30usize, with in "[\\[\\]\"'.=$\\{\\}a-c0-9 \n(),é]{0,12}") {
        let mut text = GOOD.as_bytes().to_vec();
        text.splice(at..(at + length).min(GOOD.len()), with.bytes());
        let _ = load::from_bytes(Path::new("s.toml"), &text, &BTreeMap::new());
    }
}

#[test]
fn every_key_is_in_the_reference_and_examples_there_are_toml() {
    let reference = include_str!("../../docs/scenario.md");
    let keys = [
        load::EXPLORE_KEYS,
        cast::CANISTER_KEYS,
        fault::KEYS,
        calls::CALL_KEYS,
        &["advance", "max", "url", "status", "replies", "path", "query", "from", "expect", "when", "expr"],
    ];
    for key in keys.concat() {
        assert!(reference.contains(&format!("`{key}`")), "docs/scenario.md does not mention `{key}`");
    }
    for (kind, _, _) in fault::KINDS {
        assert!(reference.contains(&format!("`{kind}`")), "docs/scenario.md does not mention the fault `{kind}`");
    }
    for example in reference.split("```toml\n").skip(1) {
        let example = example.split("```").next().unwrap();
        toml::de::DeTable::parse(example).map(|_| ()).unwrap_or_else(|error| panic!("{error}\n{example}"));
    }
}
