//! Random scenarios of puppets to which things happen without a call: timers, heartbeats, time, inspection, and every
//! kind of fault, those of a canister as a whole included.
//!
//! What deliveries do is drawn as in `random`, smaller. Hooks are stored when a puppet is installed, and again by the
//! argument of an upgrade. Drawn from a fixed seed: the same in every run.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::super::stage::{Stage, ghosts, id};
use super::expr::*;
use super::random::{Deed, PUPPETS, calling, change, leaf};
use super::staging::{add_edges, deliveries, program};
use super::{Hook, Program, theater};

/// What happens to puppets happens to the first two; the third is called only.
const BUSY: usize = 2;

/// A random scenario.
#[derive(Clone, Debug)]
pub struct Unrest {
    /// Whom each calls, how often, and what it does there.
    entries: Vec<(usize, u32, Vec<Deed>)>,
    puppets: [Puppet; PUPPETS],
    /// Seconds, and how often they pass.
    times: Vec<(u32, u32)>,
    faults: Vec<Fault>,
    /// Bound on faults.
    faults_max: u32,
    /// What the invariants compare with.
    remainders: (u32, u32, u32),
}

/// What a puppet does by itself.
#[derive(Clone, Debug)]
struct Puppet {
    /// Only then it has heartbeats and inspects.
    has_tasks: bool,
    /// What happens at its installation, after the hooks are stored.
    init: Vec<Deed>,
    timer: Vec<Deed>,
    heartbeat: Vec<Deed>,
    inspect: Vec<Deed>,
    pre_upgrade: Vec<Deed>,
}

#[derive(Clone, Debug)]
enum Fault {
    /// Which of the edges, and what kinds.
    Edge(prop::sample::Index, &'static str),
    /// Callbacks of a puppet trap.
    Trap(usize),
    /// Something is done to a puppet: the kinds; whether it gets the other module; what its argument does.
    Change { puppet: usize, kinds: &'static str, other: bool, arg: Vec<Deed> },
}

/// Scenarios without end, the same ones in every run.
pub fn unrests() -> impl Iterator<Item = Unrest> {
    let mut runner = TestRunner::deterministic();
    let strategy = unrest();
    std::iter::repeat_with(move || strategy.new_tree(&mut runner).expect("no filter refuses").current())
}

fn unrest() -> impl Strategy<Value = Unrest> {
    let deeds = prop_oneof![1 => leaf(), 5 => calling(1)];
    let entry = (
        0..BUSY,
        prop_oneof![3 => Just(1), 1 => Just(2)],
        prop::option::weighted(0.7, prop_oneof![5 => event(0), 1 => change()]),
        deeds,
    );
    let entry = entry.prop_map(|(to, max, first, deeds)| (to, max, first.into_iter().chain(deeds).collect()));
    let time = (prop::sample::select(vec![3, 8, 12]), prop_oneof![3 => Just(1), 1 => Just(2)]);
    let fault = prop_oneof![
        6 => (any::<prop::sample::Index>(), prop::sample::select(EDGE.to_vec())).prop_map(|(at, kinds)| Fault::Edge(at, kinds)),
        2 => (0..BUSY).prop_map(Fault::Trap),
        4 => (0..BUSY, prop::sample::select(CHANGES.to_vec()), prop::bool::weighted(0.2), install())
            .prop_map(|(puppet, kinds, other, arg)| Fault::Change { puppet, kinds, other, arg }),
    ];
    (
        prop::collection::vec(entry, 1..=2),
        [puppet(), puppet(), puppet()],
        prop_oneof![1 => Just(vec![]), 2 => prop::collection::vec(time, 1)],
        prop_oneof![1 => Just(vec![]), 4 => prop::collection::vec(fault.clone(), 1), 4 => prop::collection::vec(fault, 2)],
        prop_oneof![4 => Just(1), 1 => Just(2)],
        (0..5u32, 0..5u32, 0..5u32),
    )
        .prop_map(|(entries, puppets, times, faults, faults_max, remainders)| Unrest {
            entries,
            puppets,
            times,
            faults,
            faults_max,
            remainders,
        })
}

const EDGE: [&str; 7] = [
    "\"sys_unknown\"",
    "\"canister_error\"",
    "\"business_err\", \"lie\"",
    "\"perform_failed\"",
    "\"sys_unknown\", \"clean_reject_3\"",
    "\"lie\", \"clean_reject\", \"sys_unknown\"",
    "\"perform_failed\", \"canister_error\", \"business_err\"",
];

const CHANGES: [&str; 12] = [
    "\"stop\", \"snapshot_load\"",
    "\"stop\"",
    "\"stop_start\"",
    "\"stop_upgrade_start\"",
    "\"stop_start\", \"stop_upgrade_start\"",
    "\"stop_upgrade_start\", \"uninstall\"",
    "\"upgrade_no_stop\"",
    "\"upgrade_no_stop\", \"snapshot_load\"",
    "\"reinstall\"",
    "\"uninstall\"",
    "\"snapshot_load\"",
    "\"snapshot_load\", \"reinstall\", \"stop_start\"",
];

/// What depends on, or changes, something beside the memory, and may be done anywhere. A timer that sets itself to
/// `soonest` 0 would run for ever.
fn event(soonest: u32) -> BoxedStrategy<Deed> {
    let event = prop_oneof![
        4 => prop::sample::select(vec![soonest, soonest, 3, 8]).prop_map(Deed::SetTimer),
        1 => Just(Deed::MixTime),
        1 => Just(Deed::MixVersion),
        1 => Just(Deed::MixStatus),
    ];
    event.boxed()
}

/// A delivery that nobody waits for.
fn task() -> BoxedStrategy<Vec<Deed>> {
    let more = prop_oneof![
        4 => Just(vec![]),
        3 => event(3).prop_map(|event| vec![event]),
        1 => change().prop_map(|change| vec![change]),
        1 => Just(vec![Deed::IfOdd(vec![Deed::Trap])]),
        1 => Just(vec![Deed::SetTimer(8)]),
        3 => calling(1),
    ];
    ((1..9u32).prop_map(Deed::Mix), more).prop_map(|(mix, more)| std::iter::once(mix).chain(more).collect()).boxed()
}

/// What an installation does.
fn install() -> BoxedStrategy<Vec<Deed>> {
    let install = prop_oneof![
        3 => (1..9u32).prop_map(|k| vec![Deed::Mix(k)]),
        2 => Just(vec![Deed::Restore]),
        2 => event(0).prop_map(|event| vec![Deed::Restore, event]),
        1 => prop::sample::select(vec![0, 3]).prop_map(|at| vec![Deed::SetTimer(at)]),
        1 => Just(vec![Deed::Restore, Deed::IfOdd(vec![Deed::Trap])]),
    ];
    install.boxed()
}

fn puppet() -> impl Strategy<Value = Puppet> {
    let inspect = prop_oneof![
        2 => Just(vec![]),
        2 => Just(vec![Deed::Mix(1), Deed::IfOdd(vec![Deed::End]), Deed::LetIn]),
        1 => Just(vec![Deed::LetIn, Deed::IfOdd(vec![Deed::Trap])]),
        1 => Just(vec![Deed::IfOdd(vec![Deed::LetIn]), Deed::LetIn]),
    ];
    let pre_upgrade = prop_oneof![
        3 => Just(vec![Deed::Save]),
        1 => Just(vec![]),
        1 => event(0).prop_map(|event| vec![event, Deed::Save]),
        1 => Just(vec![Deed::IfOdd(vec![Deed::Trap]), Deed::Save]),
    ];
    let init = prop_oneof![2 => Just(vec![]), 1 => event(0).prop_map(|event| vec![event])];
    let all = (prop::bool::weighted(0.2), init, task(), task(), inspect, pre_upgrade);
    all.prop_map(|(has_tasks, init, timer, heartbeat, inspect, pre_upgrade)| Puppet {
        has_tasks,
        init,
        timer,
        heartbeat,
        inspect,
        pre_upgrade,
    })
}

impl Puppet {
    /// The argument with which it is installed, which does this at last.
    fn install(&self, deeds: &[Deed]) -> Program {
        let hooks = [
            (Hook::Timer, &self.timer),
            (Hook::Heartbeat, &self.heartbeat),
            (Hook::Inspect, &self.inspect),
            (Hook::PreUpgrade, &self.pre_upgrade),
        ];
        let store = hooks.into_iter().fold(Program::new(), |all, (hook, deeds)| all.store(hook, program(deeds)));
        store.then(&program(deeds))
    }
}

impl Unrest {
    /// About how many steps there are on a path.
    pub fn steps_max(&self) -> usize {
        let calls: usize = self.entries.iter().map(|(_, max, deeds)| *max as usize * deliveries(deeds)).sum();
        let beats = |puppet: &Puppet| if puppet.has_tasks { deliveries(&puppet.heartbeat) } else { 0 };
        let times: usize = self.times.iter().map(|(_, max)| *max as usize).sum();
        let faults = self.faults_max as usize * usize::from(!self.faults.is_empty());
        calls + self.puppets.iter().map(beats).sum::<usize>() + times + faults
    }

    /// The scenario, written down.
    pub fn stage(&self) -> Stage {
        let mut text = "format = 1\nname = \"unrest\"\n[actor.alice]\n".to_string();
        let mut add = |more: String| text.push_str(&more);
        let wasm = |has_tasks| theater::module(if has_tasks { "puppet_tasks" } else { "puppet" });
        let mut edges = Vec::new();
        for (at, puppet) in self.puppets.iter().enumerate() {
            let (wasm, id) = (wasm(puppet.has_tasks), id(at));
            let init = puppet.install(&puppet.init).candid();
            add(format!("[canister.c{at}]\nwasm = \"{}\"\nid = \"{id}\"\ninit = '{init}'\n", wasm.display()));
            // One query tells all, and the time with it.
            let all = cell(0).plus(cell(1).times(1_000)).plus(balance().modulo(1_000).times(1_000_000));
            let all = all.plus(cell(2).times(1_000_000_000)).plus(time().modulo(97));
            let stable = Program::new().when(stable_size(), Program::new().set(1, stable_read(0, 2).read_number()));
            let args = stable.say(all).candid();
            add(format!("[observe.x{at}]\nfrom = \"c{at}\"\nquery = \"query\"\nargs = '{args}'\n"));
            add_edges(at, &puppet.timer, &mut edges);
            if puppet.has_tasks {
                add_edges(at, &puppet.heartbeat, &mut edges);
            }
        }
        for (at, (to, max, deeds)) in self.entries.iter().enumerate() {
            let args = program(deeds).candid();
            add(format!(
                "[[call]]\nid = \"e{at}\"\nto = \"c{to}\"\nmethod = \"run\"\nby = [\"alice\"]\nargs = '{args}'\nmax = {max}\n"
            ));
            add_edges(*to, deeds, &mut edges);
        }
        for (seconds, max) in &self.times {
            add(format!("[[time]]\nadvance = \"{seconds}s\"\nmax = {max}\n"));
        }
        // Two faults at one place may not install different things.
        let mut installed = Vec::new();
        for fault in &self.faults {
            match fault {
                Fault::Edge(at, kinds) if !edges.is_empty() => {
                    let (caller, callee) = at.get(&edges);
                    let mut scripts = String::new();
                    for (kind, script) in [("business_err", "(\"no\")"), ("lie", "(7 : nat64)")] {
                        if kinds.contains(kind) {
                            let _ = writeln!(scripts, "{kind} = '{script}'");
                        }
                    }
                    add(format!("[[fault]]\nedge = \"c{caller} -> c{callee}.run\"\nkinds = [{kinds}]\n{scripts}"));
                }
                Fault::Edge(..) => {}
                Fault::Trap(puppet) => add(format!("[[fault]]\nat = \"c{puppet}.callback\"\nkinds = [\"trap\"]\n")),
                Fault::Change { puppet: at, kinds, other, arg } => {
                    let mut more = String::new();
                    if kinds.contains("upgrade") || kinds.contains("reinstall") {
                        if installed.contains(at) {
                            continue;
                        }
                        installed.push(*at);
                        let puppet = &self.puppets[*at];
                        let _ = writeln!(more, "arg = '{}'", puppet.install(arg).candid());
                        if *other {
                            let _ = writeln!(more, "wasm = \"{}\"", wasm(!puppet.has_tasks).display());
                        }
                    }
                    add(format!("[[fault]]\nat = \"c{at}.upgrade\"\nkinds = [{kinds}]\n{more}"));
                }
            }
        }
        let (r0, r1, r2) = self.remainders;
        for (name, when, expr) in [
            ("everywhere", "always", format!("x0 - x0 / 5 * 5 != {r0}")),
            ("at rest", "quiescent", format!("x1 - x1 / 5 * 5 != {r1} or now > 8")),
            ("in the end", "final", format!("x1 - x1 / 5 * 5 != {r2} or count(err(\"e0\")) == 0")),
            ("now and then", "sometimes", format!("x0 - x0 / 5 * 5 == {r1} and now == 3")),
        ] {
            add(format!("[[invariant]]\nname = \"{name}\"\nwhen = \"{when}\"\nexpr = '{expr}'\n"));
        }
        if let Some((caller, callee)) = edges.first() {
            add(ghosts(*caller, *callee, "run", r2));
        }
        add(format!("[explore]\nfaults = {}\n", self.faults_max));
        Stage::with_scenario(&text)
    }
}
