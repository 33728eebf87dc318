//! Random puppet programs with scripts that play them on a replica: where the puppets are, what they do, when it is sent.
//!
//! In: nothing; a fixed seed, so they are the same in every run. Out: [`Act`]s of some [`Scene`]s each, and the scenario of an act.
//! Left out: what the two engines need not agree on, which is balances.

use std::fmt::Write as _;

use candid::Principal;
use canloom::script::{Op, Script};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::super::puppet::expr::*;
use super::super::puppet::random::{Deed, PUPPETS, Request, calling, leaf};
use super::super::puppet::staging::{deliveries, program};
use super::super::puppet::{Program, theater};
use super::super::stage::{NO_ORACLES, id};

/// Programs that are played one after the other on one replica.
pub const SCENES: usize = 5;
/// More deliveries than this in one program can lead to too many worlds in one round.
const DELIVERIES_MAX: usize = 24;

/// One program: a few calls, and what the driver does.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Whom each call is for, and what it does there.
    pub calls: Vec<(usize, Vec<Deed>)>,
    /// What is done before each call is sent, and after the last.
    pub pauses: Vec<Vec<Op>>,
}

/// Programs on one replica: each begins in the state in which the one before has left the puppets.
#[derive(Clone, Debug)]
pub struct Act {
    /// Where the puppets are.
    pub places: Script,
    /// Whether other work may fill rounds.
    pub is_loaded: bool,
    /// What is played.
    pub scenes: Vec<Scene>,
}

/// So many acts.
pub fn acts(number: usize) -> Vec<Act> {
    let mut runner = TestRunner::deterministic();
    let strategy = scene();
    let mut scene = || strategy.new_tree(&mut runner).expect("a scene can be drawn").current();
    let all = PUPPETS + 2;
    let act = |at: usize| {
        let apart = match at % all {
            0 => Vec::new(),
            1 => (0..PUPPETS).map(name).collect(),
            one => vec![name(one - 2)],
        };
        let is_loaded = at / all % 2 == 1 || at.is_multiple_of(all);
        let mut scenes: Vec<Scene> = (0..SCENES).map(|_| scene()).collect();
        let pauses = scenes.iter_mut().flat_map(|scene| &mut scene.pauses).flatten();
        pauses.filter(|_| !is_loaded).for_each(unload);
        Act { places: Script { apart, ..Script::default() }, is_loaded, scenes }
    };
    (0..number).map(act).collect()
}

fn name(puppet: usize) -> String {
    format!("c{puppet}")
}

fn unload(op: &mut Op) {
    if let Op::Tick { loaded } = op {
        *loaded = false;
    }
}

fn scene() -> impl Strategy<Value = Scene> {
    let deeds = prop_oneof![1 => leaf(), 2 => calling(1), 4 => calling(2)];
    let calls = prop::collection::vec((0..PUPPETS, deeds), 2..=4);
    let op = prop_oneof![
        8 => Just(Op::Tick { loaded: false }),
        4 => Just(Op::Tick { loaded: true }),
        // Beyond the ten seconds that some callers wait.
        1 => Just(Op::Advance(12)),
    ];
    let pause = prop_oneof![2 => Just(vec![]), 3 => prop::collection::vec(op, 1..=3)];
    let drawn = (calls, prop::collection::vec(pause, 5), 2..=PUPPETS);
    let cast = drawn.prop_map(|(calls, mut pauses, puppets)| {
        pauses.truncate(calls.len() + 1);
        let calls = calls.into_iter().map(|(to, deeds)| (to % puppets, cast(deeds, puppets))).collect();
        Scene { calls, pauses }
    });
    let deliveries_of = |scene: &Scene| scene.calls.iter().map(|(_, deeds)| deliveries(deeds)).sum::<usize>();
    cast.prop_filter("too many worlds", move |scene| deliveries_of(scene) <= DELIVERIES_MAX)
}

/// Deeds of the first so many puppets: those that note the texts of rejects and read no balance.
fn cast(deeds: Vec<Deed>, puppets: usize) -> Vec<Deed> {
    let one = |deed| match deed {
        Deed::MixBalance => Deed::MixAvailable,
        Deed::IfOdd(deeds) => Deed::IfOdd(cast(deeds, puppets)),
        Deed::Call(request) => Deed::Call(Box::new(recast(*request, puppets))),
        other => other,
    };
    deeds.into_iter().map(one).collect()
}

fn recast(request: Request, puppets: usize) -> Request {
    let on_reject = std::iter::once(Deed::NoteText).chain(cast(request.on_reject, puppets)).collect();
    Request {
        callee: request.callee % puppets,
        deeds: cast(request.deeds, puppets),
        on_reply: cast(request.on_reply, puppets),
        on_reject,
        // The specification allows a cleanup to ask for the reject code, which is not so on PocketIC 16.1.
        on_cleanup: request.on_cleanup.map(|deeds| {
            let allowed = deeds.into_iter().filter(|deed| !matches!(deed, Deed::MixCode)).collect();
            cast(allowed, puppets)
        }),
        ..request
    }
}

impl Act {
    /// The scenario of these scenes, whose puppets have these ids.
    pub fn scenario(&self, ids: &[Principal]) -> String {
        let mut text = head();
        for puppet in 0..PUPPETS {
            // All that a puppet remembers, as text.
            let stable = Program::new().when(stable_size(), Program::new().set(1, stable_read(0, 2).read_number()));
            let cells = [0, 1, 2, 5].map(|at| cell(at).decimal().join(" "));
            let all = cells.into_iter().reduce(|all, one| all.join(one)).expect("there are cells").join(global());
            let blob = stable.tell(all).candid();
            let _ = write!(text, "[observe.x{puppet}]\nfrom = \"c{puppet}\"\nquery = \"query\"\nargs = '{blob}'\n");
        }
        for (at, (to, deeds)) in self.scenes.iter().flat_map(|scene| &scene.calls).enumerate() {
            let blob = with_ids(program(deeds).bytes(), ids).candid();
            let _ = write!(
                text,
                "[[call]]\nid = \"e{at}\"\nto = \"c{to}\"\nmethod = \"run\"\nby = [\"alice\"]\nargs = '{blob}'\n"
            );
        }
        text + NO_ORACLES
    }
}

/// Puppets wherever they are, and nothing that they do.
pub fn empty_scenario() -> String {
    let call = "[[call]]\nid = \"e0\"\nto = \"c0\"\nmethod = \"run\"\nby = [\"alice\"]\n";
    head() + call + NO_ORACLES
}

fn head() -> String {
    let wasm = theater::module("puppet");
    let mut text = "format = 1\nname = \"test\"\n[actor.alice]\n".to_string();
    for puppet in 0..PUPPETS {
        let _ = write!(text, "[canister.c{puppet}]\nwasm = '{}'\n", wasm.display());
    }
    text
}

/// A program that calls these puppets instead of those that programs are drawn for. All ids have ten bytes, so no length in it
/// changes.
fn with_ids(program: &[u8], ids: &[Principal]) -> Program {
    let mut bytes = program.to_vec();
    let drawn: Vec<Principal> = (0..ids.len()).map(id).collect();
    for at in 0..bytes.len() {
        let is_here = |drawn: &Principal| bytes[at..].starts_with(drawn.as_slice());
        if let Some(puppet) = drawn.iter().position(is_here) {
            let id = ids[puppet].as_slice();
            bytes[at..at + id.len()].copy_from_slice(id);
        }
    }
    Program::raw(&bytes)
}
