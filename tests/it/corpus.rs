//! The committed corpus: counterexamples replay, outcome files are true, and the article's claims hold.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use canloom::counterexample::{Counterexample, replay};
use canloom::engine::embedded::Embedded;
use canloom::explore::{Completeness, Explored};
use canloom::kernel::{Choice, Counters, Effects, World};
use canloom::report::text;
use canloom::scenario::{CallState, Code, Reply, Scenario, Value};

use super::stage::explore_all;

/// One scenario of the corpus, explored once for all tests of this process: `slow.bar` takes seconds.
pub struct Run {
    /// The scenario.
    pub scenario: Arc<Scenario>,
    /// Its exploration.
    pub explored: Explored,
    /// Every interleaving, delivery by delivery, for the scenarios in which `b` is slow.
    walk: Option<Walk>,
}

/// The exploration of a scenario.
pub fn explored(name: &str) -> Arc<Run> {
    type Runs = BTreeMap<String, Arc<OnceLock<Arc<Run>>>>;
    static RUNS: Mutex<Runs> = Mutex::new(BTreeMap::new());
    let run = RUNS.lock().expect("nobody panics here").entry(name.to_string()).or_default().clone();
    run.get_or_init(|| {
        let mut engine = open(&folder().join(name).join("scenario.toml"));
        let explored = explore_all(&mut engine);
        let walk = name.starts_with("counter").then(|| Walk::all(&mut engine));
        Arc::new(Run { scenario: engine.scenario.clone(), explored, walk })
    })
    .clone()
}

/// Names of the scenarios, sorted; those of the bug zoo have tests of their own (`zoo.rs`) and no outcome files.
pub fn names() -> Vec<String> {
    let folders = std::fs::read_dir(folder()).expect("there is a corpus");
    let names = folders.map(|entry| entry.expect("the corpus can be read"));
    let names = names.filter(|entry| entry.path().join("scenario.toml").exists());
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| !name.starts_with("zoo-")).collect();
    names.sort();
    names
}

/// Where the corpus lies.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// Installs a scenario whose canisters must have been built.
pub fn open(file: &Path) -> Embedded {
    let scenario = Scenario::load(file).unwrap_or_else(|error| panic!("{error}"));
    for canister in &scenario.canisters {
        if let Code::Wasm(wasm) = &canister.code {
            assert!(wasm.exists(), "{} is missing: run `make canisters`", wasm.display());
        }
    }
    Embedded::open(Arc::new(scenario)).unwrap_or_else(|error| panic!("{error}"))
}

/// Every interleaving of a scenario, walked depth first without merging worlds; executions come from the memo.
struct Walk {
    interleavings: u64,
    /// Executions before the walk and after it.
    counters: (Counters, Counters),
    /// Deliveries made to `b`, and the executions behind them.
    slow: u64,
    effects: Vec<Arc<Effects>>,
    /// X when `foo_checked` began, X when it went on, whether another call changed X meanwhile, its reply.
    checks: BTreeSet<(Value, Value, bool, Value)>,
}

/// What is known of `foo_checked` on one path.
#[derive(Clone, Default)]
struct Check {
    before: Option<Value>,
    after: Option<(Value, bool)>,
    changed: bool,
}

impl Walk {
    fn all(engine: &mut Embedded) -> Walk {
        let before = engine.kernel.counters();
        let mut walk = Walk {
            interleavings: 0,
            counters: (before, before),
            slow: 0,
            effects: Vec::new(),
            checks: BTreeSet::new(),
        };
        let first = engine.start().clone();
        walk.visit(engine, &first, 1, &Check::default());
        walk.counters.1 = engine.kernel.counters();
        walk
    }

    /// `equal` is how many interleavings of interchangeable calls this path stands for.
    fn visit(&mut self, engine: &mut Embedded, world: &World, equal: u64, check: &Check) {
        let mut choices: Vec<Choice> = Vec::new();
        engine.kernel.choices(world, &mut choices).expect("all is offered");
        let is_complete = engine.kernel.is_complete(world, &choices);
        if is_complete {
            self.interleavings += equal;
            self.end(engine, world, check);
        }
        for choice in choices {
            let (next, happened) = engine.kernel.apply(world, &choice).expect("all is offered");
            let mut check = check.clone();
            if let Some(delivery) = happened.delivery() {
                let name = engine.canister_name(delivery.canister).to_string();
                if name == "b" {
                    self.slow += 1;
                    if !self.effects.iter().any(|known| Arc::ptr_eq(known, &delivery.effects)) {
                        self.effects.push(delivery.effects.clone());
                    }
                } else {
                    check.follow(engine, world, &next, &choice);
                }
            }
            self.visit(engine, &next, equal * u64::from(choice.multiplicity), &check);
        }
    }

    fn end(&mut self, engine: &mut Embedded, world: &World, check: &Check) {
        let calls = engine.calls(world);
        let entry = |id: &str| engine.scenario.calls.iter().position(|call| call.id == id);
        let Some(at) = calls.iter().position(|call| Some(call.entry) == entry("check")) else { return };
        let CallState::Done(reply) = &calls[at].state else { panic!("the check is answered") };
        let Reply::Replied(reply, _) = reply.as_ref() else { panic!("the check replies") };
        let before = check.before.clone().expect("the check began");
        let (after, changed) = check.after.clone().expect("the check went on");
        self.checks.insert((before, after, changed, reply.clone()));
    }
}

impl Check {
    /// Takes note of a delivery to `a`: the check's own two, or one that changes X.
    fn follow(&mut self, engine: &mut Embedded, before: &World, after: &World, choice: &Choice) {
        let x =
            |engine: &mut Embedded, world: &World| engine.observe(world).expect("X can be read")[0].as_ref().clone();
        let step = engine.kernel.name(before, choice);
        let entry = engine.kernel.calls()[choice.tree().expect("calls only") as usize].entry;
        let is_check = engine.scenario.calls[entry].id == "check";
        match (is_check, step.to_string().ends_with('r')) {
            (true, false) => self.before = Some(x(engine, before)),
            (true, true) => self.after = Some((x(engine, before), self.changed)),
            (false, _) => self.changed |= self.before.is_some() && x(engine, before) != x(engine, after),
        }
    }
}

fn counterexamples() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for name in names() {
        let entries = std::fs::read_dir(folder().join(name)).expect("a folder of the corpus");
        let paths = entries.map(|entry| entry.expect("the corpus can be read").path());
        files.extend(paths.filter(|path| path.extension().is_some_and(|extension| extension == "cx")));
    }
    files.sort();
    files
}

#[test]
fn every_counterexample_replays_twice_to_the_same_trace() {
    let files = counterexamples();
    let named: Vec<&str> = files.iter().filter_map(|file| file.parent()?.file_name()?.to_str()).collect();
    let expected = [
        "answers-overtake",
        "heartbeat",
        "heartbeat",
        "outcall",
        "timer",
        "upgrade",
        "upgrade",
        "vault-rollback",
        "vault-stale",
    ];
    assert_eq!(named, expected);
    for file in files {
        let shown = file.display();
        let counterexample = Counterexample::read(&file).unwrap_or_else(|error| panic!("{error}"));
        let traces: [String; 2] = std::array::from_fn(|_| {
            let mut engine = open(&file.parent().expect("a folder").join(&counterexample.scenario));
            let invariants = &engine.scenario.invariants;
            let invariant = invariants.iter().position(|invariant| invariant.name == counterexample.invariant);
            assert!(invariant.is_some(), "{shown}: the scenario lacks its invariant");
            let replayed = replay(&mut engine, &counterexample.schedule, invariant);
            let replayed = replayed.unwrap_or_else(|error| panic!("{shown}: {error}"));
            let last = counterexample.schedule.steps.len();
            assert_eq!(replayed.violated, Some((last, None)), "{shown}: violated after the last step, not before");
            replayed.trace.to_string()
        });
        assert!(!traces[0].is_empty());
        assert_eq!(traces[0], traces[1], "{shown}");
    }
}

#[test]
fn counterexamples_are_those_that_the_search_finds() {
    for file in counterexamples() {
        let counterexample = Counterexample::read(&file).unwrap_or_else(|error| panic!("{error}"));
        let name = file.parent().and_then(Path::file_name).expect("a folder").to_string_lossy();
        let run = explored(&name);
        let of = |at: usize| run.scenario.invariants[at].name == counterexample.invariant;
        let finding = run.explored.findings.iter().find(|finding| of(finding.invariant));
        let finding = finding.unwrap_or_else(|| panic!("{}: the search does not find it", file.display()));
        assert_eq!(finding.schedule, counterexample.schedule, "{}", file.display());
        let file_name = file.file_name().expect("a file").to_string_lossy();
        assert_eq!(file_name, counterexample.file_name(&run.scenario.name));
    }
}

#[test]
fn outcome_files_are_what_the_search_gives() {
    for name in names() {
        let file = folder().join(&name).join("outcomes.txt");
        let committed = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert_eq!(text::outcomes(&explored(&name).explored), committed, "{}", file.display());
    }
}

#[test]
fn vault_stale_needs_2_calls_and_no_fault() {
    let run = explored("vault-stale");
    let [finding] = &run.explored.findings[..] else { panic!("{:?}", run.explored.findings) };
    assert_eq!((finding.calls, finding.faults), (2, 0));
}

#[test]
fn vault_rollback_needs_1_call_and_1_fault_and_leaves_130_against_100() {
    let run = explored("vault-rollback");
    let [finding] = &run.explored.findings[..] else { panic!("{:?}", run.explored.findings) };
    assert_eq!((finding.calls, finding.faults), (1, 1));
    let outcomes = &run.explored.outcomes[&(1, 1)];
    let seen = outcomes.iter().any(|outcome| outcome.starts_with("book = 130; real = 100 | withdraw-30 = Err"));
    assert!(seen, "{outcomes:?}");
}

#[test]
fn outcall_timer_heartbeat_and_upgrade_are_violated_by_these_shortest_counterexamples() {
    // Invariant, calls, faults, deliveries.
    type Simplest = (&'static str, u32, u32, u32);
    let expected: [(&str, &[Simplest]); 4] = [
        ("outcall", &[("no more is sold than there was", 2, 0, 6)]),
        // One firing of the timer after two days runs two bodies.
        ("timer", &[("the worker is paid what was earned and nothing twice", 0, 0, 9)]),
        (
            "heartbeat",
            &[
                ("no more is paid than was ordered", 1, 0, 5),
                ("every order is paid once or still in the queue", 1, 0, 7),
            ],
        ),
        (
            "upgrade",
            &[
                ("book and ledger differ at most by what is pending", 1, 1, 1),
                ("without a pending payment book equals ledger", 1, 2, 2),
            ],
        ),
    ];
    for (name, simplest) in expected {
        let run = explored(name);
        let found: Vec<Simplest> = (run.explored.findings.iter())
            .map(|finding| (finding.invariant, finding.calls, finding.faults, finding.deliveries))
            .map(|(at, calls, faults, deliveries)| {
                let invariant = run.scenario.invariants[at].name.as_str();
                let known = simplest.iter().find(|(name, ..)| *name == invariant);
                (known.map_or("another invariant", |(name, ..)| *name), calls, faults, deliveries)
            })
            .collect();
        assert_eq!(found, simplest, "{name}");
        assert_eq!(run.explored.completeness, Completeness::Exhaustive, "{name}");
    }
}

#[test]
fn fixed_twins_hold_exhaustively_under_the_same_faults_with_all_sometimes_seen() {
    let fixed = [
        ("outcall-fixed", "outcall"),
        ("timer-fixed", "timer"),
        ("heartbeat-fixed", "heartbeat"),
        ("upgrade-fixed", "upgrade"),
    ];
    for (name, buggy) in fixed {
        let run = explored(name);
        assert!(run.explored.findings.is_empty(), "{name}: {:?}", run.explored.findings);
        assert_eq!(run.explored.completeness, Completeness::Exhaustive, "{name}");
        assert!(!run.explored.sometimes.is_empty(), "{name}");
        assert!(run.explored.sometimes.iter().all(|(_, seen)| *seen), "{name}: {:?}", run.explored.sometimes);
        let of_buggy = explored(buggy);
        let faults = |run: &Run| -> Vec<_> { run.scenario.faults.iter().map(|fault| fault.kinds.clone()).collect() };
        assert_eq!(faults(&run), faults(&of_buggy), "{name}");
        let bounds =
            |run: &Run| (run.scenario.bounds.faults, run.scenario.bounds.heartbeats, run.scenario.times.clone());
        assert_eq!(bounds(&run), bounds(&of_buggy), "{name}");
    }
}

#[test]
fn stopping_before_the_upgrade_saves_the_method_that_an_upgrade_alone_breaks() {
    let (stopped, upgraded) = (explored("upgrade-stopped"), explored("upgrade"));
    assert_eq!(stopped.scenario.calls[0].method, upgraded.scenario.calls[0].method);
    assert!(stopped.explored.findings.is_empty(), "{:?}", stopped.explored.findings);
    assert_eq!(stopped.explored.completeness, Completeness::Exhaustive);
    assert_eq!(stopped.explored.sometimes.iter().map(|(_, seen)| *seen).collect::<Vec<_>>(), [true]);
}

#[test]
fn vault_sound_counter_and_counter_check_hold_with_all_sometimes_seen() {
    for (name, sometimes) in [("counter", 2), ("counter-check", 2), ("vault-sound", 2)] {
        let explored = &explored(name).explored;
        assert!(explored.findings.is_empty(), "{name}: {:?}", explored.findings);
        assert_eq!(explored.sometimes.len(), sometimes, "{name}");
        assert!(explored.sometimes.iter().all(|(_, seen)| *seen), "{name}: {:?}", explored.sometimes);
    }
}

#[test]
fn controls_hold_exhaustively_under_all_generic_oracles_with_all_sometimes_seen() {
    let names: Vec<String> = names().into_iter().filter(|name| name.starts_with("control-")).collect();
    assert_eq!(names.len(), 5);
    for name in names {
        let run = explored(&name);
        assert!(run.explored.findings.is_empty(), "{name}: {:?}", run.explored.findings);
        assert_eq!(run.explored.completeness, Completeness::Exhaustive, "{name}");
        assert!(!run.explored.sometimes.is_empty(), "{name}");
        assert!(run.explored.sometimes.iter().all(|(_, seen)| *seen), "{name}: {:?}", run.explored.sometimes);
        let invariants = run.scenario.invariants.iter();
        let oracles: BTreeSet<&str> =
            invariants.map(|invariant| invariant.name.split(':').next().unwrap_or("")).collect();
        let generic =
            ["serializable", "err-is-noop", "probe", "no-callback-trap", "stop-terminates", "all-calls-answered"];
        assert!(generic.iter().chain(&["conserve"]).all(|oracle| oracles.contains(oracle)), "{name}: {oracles:?}");
    }
}

#[test]
fn loop_of_b_runs_once_and_burns_30e9_to_40e9_instructions() {
    for (name, interleavings) in [("counter", 40), ("counter-check", 20)] {
        let run = explored(name);
        let walk = run.walk.as_ref().expect("walked");
        assert_eq!(walk.interleavings, interleavings, "{name}");
        assert_eq!(walk.interleavings.to_string(), run.explored.interleavings.clone().expect("counted").to_string());
        assert_eq!(walk.counters.0.executions, run.explored.executions, "{name}");
        assert_eq!(walk.counters.1.executions, walk.counters.0.executions, "{name}: the walk executes nothing anew");
        // After 0, 0 i, 0 i i, i 0, i 0 i, i i 0; the second i of counter-check is the decrement.
        assert_eq!(walk.slow, 6, "{name}: paths to the request to b");
        let [effects] = &walk.effects[..] else { panic!("{name}: b ran {} times", walk.effects.len()) };
        let burned = effects.instructions;
        assert!((30_000_000_000..=40_000_000_000).contains(&burned), "{name}: {burned} instructions");
        assert!(effects.trap.is_none() && effects.response.is_some(), "{name}: {effects:?}");
    }
}

#[test]
fn foo_checked_is_false_exactly_if_x_differs_and_misses_a_change_that_is_undone() {
    let run = explored("counter-check");
    let walk = run.walk.as_ref().expect("walked");
    for (before, after, _, reply) in &walk.checks {
        assert_eq!(*reply, Value::Bool(before == after), "X was {before}, then {after}");
    }
    // X before, X after, changed meanwhile, reply. The first and the last are the ABA case, for X from 0 and from 1.
    let seen: BTreeSet<String> =
        walk.checks.iter().map(|(b, a, changed, reply)| format!("{b} {a} {changed} {reply}")).collect();
    let expected = ["0 0 false true", "0 0 true true", "0 1 true false", "1 0 true false", "1 1 false true"];
    assert_eq!(seen, expected.map(String::from).into());
}
