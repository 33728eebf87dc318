//! The follower against a replica that is none: the model of the rounds, in an engine of its own.
//!
//! The model delivers messages in one order that is legal, so the follower must find what it shows possible, round by round;
//! and it must not believe what no order leads to. No server is needed.

use std::collections::BTreeMap;

use canloom::counterexample::replay;
use canloom::engine::allowance::Allowance;
use canloom::engine::embedded::Embedded;
use canloom::engine::pocket_ic::stage::Source;
use canloom::follow::{Follower, Lost, Seen};
use canloom::kernel::World;
use canloom::rounds::{Aim, Layout, Rounds};
use canloom::scenario::{CallState, Reply, Scenario, Value};
use canloom::script::{Op, Script};
use proptest::prelude::*;

use super::corpus;

/// Operations of a random script; what is not possible is left out.
const OPS: [&str; 9] =
    ["submit 0", "submit 1", "submit 2", "tick", "tick", "tick loaded", "freeze ledger", "thaw ledger", "freeze vault"];
const BOOK: usize = 0;

thread_local! {
    /// vault-stale with as much room for faults as a driver has, installed once.
    static OPENED: Embedded = opened();
}

fn opened() -> Embedded {
    let file = corpus::folder().join("vault-stale/scenario.toml");
    let scenario = Scenario::load(&file).unwrap_or_else(|error| panic!("{error}"));
    let mut source = Source::new(&scenario, &Allowance::default()).unwrap_or_else(|error| panic!("{error}"));
    source.open(&BTreeMap::new()).unwrap_or_else(|error| panic!("{error}"))
}

/// A replica that is none, and who follows it.
struct Stand {
    engine: Embedded,
    rounds: Rounds,
    world: World,
    ours: Embedded,
    follower: Follower,
    /// Operations that were possible, for the text of an error.
    done: Vec<String>,
}

impl Stand {
    /// Canisters of vault-stale, those in the list apart.
    fn new(apart: &[&str]) -> Stand {
        let (mut engine, mut ours) = OPENED.with(|opened| (opened.fork(), opened.fork()));
        engine.kernel.tell_calls_apart();
        let places = Script { apart: apart.iter().map(ToString::to_string).collect(), ..Script::default() };
        let rounds = Rounds::new(Layout::new(&engine, &places, Aim::PocketIc).unwrap());
        let world = engine.start().clone();
        let stand_ins = vec![false; ours.scenario.canisters.len()];
        let follower = Follower::new(&mut ours, stand_ins);
        Stand { engine, rounds, world, ours, follower, done: places.apart }
    }

    /// What the replica shows: nothing of a canister without cycles.
    fn seen(&mut self) -> Seen {
        let values = self.engine.observe(&self.world).unwrap();
        let shown = |at: usize| !self.rounds.is_frozen(self.engine.question(at).0);
        let observations = values.iter().enumerate().map(|(at, value)| shown(at).then(|| value.as_ref().clone()));
        let observations = observations.collect();
        let replies = self.engine.calls(&self.world).into_iter().map(|call| match call.state {
            CallState::Done(reply) => Some(reply.as_ref().clone()),
            CallState::NotStarted | CallState::Open => None,
        });
        Seen { time_ns: self.world.time_ns, observations, replies: replies.collect() }
    }

    /// Does one thing on the replica, if it is possible there; after a round, what is seen must be possible for the follower.
    fn play(&mut self, op: &str) {
        let op: Op = op.parse().unwrap();
        let Ok((world, _)) = self.rounds.play(&mut self.engine, &self.world, &op) else { return };
        self.world = world;
        self.done.push(op.to_string());
        let position = |stand: &Stand, name: &str| {
            stand.ours.scenario.canisters.iter().position(|canister| canister.name == *name).unwrap()
        };
        match &op {
            Op::Submit(step) => self.follower.send(step.clone()),
            Op::Freeze(name) => self.follower.freeze(position(self, name), true),
            Op::Thaw(name) => self.follower.freeze(position(self, name), false),
            Op::Tick { loaded } => {
                let seen = self.seen();
                let followed = self.follower.round(&mut self.ours, &seen, *loaded);
                followed.unwrap_or_else(|error| panic!("{}: {error}", self.done.join("; ")));
            }
            other => panic!("{other} is not among the operations"),
        }
    }

    /// What the follower says of a round in which this was seen.
    fn round(&self, seen: &Seen) -> Result<(), Lost> {
        self.follower.clone().round(&mut self.ours.fork(), seen, false)
    }

    /// The schedule that the follower has comes to what the replica shows.
    fn assert_schedule(&mut self) {
        let schedule = self.follower.schedule();
        let replayed = replay(&mut self.ours, &schedule, None);
        replayed.unwrap_or_else(|error| panic!("{}: {error}", self.done.join("; ")));
        let ours = self.ours.observe(self.follower.world()).unwrap();
        for (ours, theirs) in ours.iter().zip(self.seen().observations) {
            assert!(theirs.is_none_or(|theirs| theirs == **ours), "{}", self.done.join("; "));
        }
    }
}

/// That the follower says this of a replica that it has lost.
fn assert_diverged(told: Result<(), Lost>, what: &str) {
    let Err(Lost::Diverged(text)) = told else { panic!("{told:?}") };
    assert!(text.contains(what), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_replica_that_makes_the_rounds_is_never_lost_and_one_that_shows_another_book_is(
        ops in prop::collection::vec(prop::sample::select(&OPS[..]), 0..16),
        places in 0..4_usize,
    ) {
        let apart: &[&str] = [&[][..], &["ledger"], &["vault"], &["ledger", "vault"]][places];
        let mut stand = Stand::new(apart);
        for op in ops {
            stand.play(op);
        }
        // What canisters without cycles have got is not shown.
        stand.play("thaw ledger");
        stand.play("thaw vault");
        for _ in 0..6 {
            stand.play("tick");
        }
        stand.assert_schedule();
        let mut seen = stand.seen();
        prop_assert_eq!(stand.round(&seen), Ok(()));
        let Some(Some(Value::Int(book))) = seen.observations.get_mut(BOOK) else { panic!("{seen:?}") };
        *book += 1;
        assert_diverged(stand.round(&seen), "book: replica ");
    }
}

#[test]
fn a_book_that_nobody_wrote_and_an_answer_that_nobody_gave_diverge() {
    let mut stand = Stand::new(&[]);
    stand.play("submit 0");
    stand.play("submit 1");
    let before = stand.follower.clone();
    stand.play("tick");
    let seen = stand.seen();
    assert_eq!(seen.observations, [50, 20].map(|value: i32| Some(Value::Int(value.into()))));
    assert_eq!(seen.replies.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, false]);
    let told = |change: &dyn Fn(&mut Seen)| {
        let mut seen = seen.clone();
        change(&mut seen);
        before.clone().round(&mut stand.ours.fork(), &seen, false)
    };
    assert_eq!(told(&|_| {}), Ok(()));
    // The other order of the two callbacks; and then one after the other.
    assert_eq!(told(&|seen| seen.observations[0] = Some(Value::Int(70.into()))), Ok(()));
    assert_eq!(told(&|seen| seen.observations[0] = Some(Value::Int(20.into()))), Ok(()));
    assert_diverged(told(&|seen| seen.observations[0] = Some(Value::Int(51.into()))), "book: replica 51, we ");
    assert_diverged(told(&|seen| seen.observations[1] = Some(Value::Int(50.into()))), "real: replica 50, we ");
    assert_diverged(
        told(&|seen| seen.replies[2] = seen.replies[0].clone()),
        "call 2: replica reply (true), we no answer",
    );
    let reject = Some(Reply::Rejected { code: 5, text: "trapped".to_string() });
    assert_diverged(told(&|seen| seen.replies[1] = reject.clone()), "call 1: replica reject 5: trapped, we ");
}
