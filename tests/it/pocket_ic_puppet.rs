//! The embedded engine against the replica's own code: random puppet programs, driven and followed on a real server.
//!
//! After every round the replica must show something that the embedded engine says is possible (`Driver`): replies byte for byte,
//! reject codes, and all that the puppets remember, which includes stable memory, the texts of rejects that callbacks see, and
//! cycles that were accepted, left and refunded (of the texts that canisters see the first 80 bytes: the replica's suggestions come
//! after them, and the embedded engine makes none). Each program ends when nothing moves any more; then some world must be at rest
//! in which all calls have the replica's reject texts. Instruction counts and balances are not compared.
//!
//! `make complete` plays 1,000 programs, every run some of them; without a server the test says so.

mod draw;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use canloom::engine::allowance::Allowance;
use canloom::engine::pocket_ic::Server;
use canloom::engine::pocket_ic::drive::{DriveError, Driver};
use canloom::engine::pocket_ic::stage::{Source, Stage};
use canloom::follow::Lost;
use canloom::scenario::{CallState, Reply};
use canloom::script::Op;

use self::draw::{Act, SCENES, Scene, acts, empty_scenario};
use super::pocket_ic_server::server;
use super::stage::Stage as Folder;

/// Acts of every run, and of `make complete`.
const FEW: usize = 3;
const MANY: usize = 210;
const THREADS: usize = 2;
/// Rounds at the end of a program in which everything must have come to its end.
const LAST_ROUNDS: u32 = 80;

/// What was played.
#[derive(Debug, Default)]
struct Tally {
    scenes: usize,
    rounds: usize,
    replies: usize,
    /// Rejects of calls, by code.
    rejects: BTreeMap<u32, usize>,
    /// Most worlds that the replica could be in after a round.
    worlds_max: usize,
    /// Acts that ended early because the replica could be in too many worlds.
    cut: usize,
    differences: Vec<String>,
}

#[test]
fn a_replica_does_with_random_programs_what_the_embedded_engine_says_is_possible() {
    let Some(server) = server("a_replica_does_with_random_programs_what_the_embedded_engine_says_is_possible") else {
        return;
    };
    let began = Instant::now();
    let acts = acts(if std::env::var_os("COMPLETE").is_some() { MANY } else { FEW });
    let (next, tally) = (AtomicUsize::new(0), Mutex::new(Tally::default()));
    let work = || {
        let empty = Folder::with_scenario(&empty_scenario());
        let mut source = Source::new(&empty.scenario(), &Allowance::default()).unwrap();
        while let Some(act) = acts.get(next.fetch_add(1, Ordering::Relaxed)) {
            play(&server, &mut source, act, &tally);
        }
    };
    std::thread::scope(|scope| (0..THREADS).for_each(|_| drop(scope.spawn(work))));
    let tally = tally.into_inner().unwrap();
    let Tally { scenes, rounds, replies, rejects, worlds_max, cut, differences } = tally;
    println!("{scenes} programs, {rounds} rounds, {replies} replies, rejects by code {rejects:?}");
    println!("{worlds_max} worlds at most, {cut} acts cut, {:.0} s", began.elapsed().as_secs_f64());
    assert!(differences.is_empty(), "{} differences\n{}", differences.len(), differences.join("\n\n"));
    assert!(scenes >= acts.len() * SCENES * 9 / 10, "only {scenes} programs came to their end");
    assert!(replies > scenes && rejects[&4] > 0 && rejects[&5] > 0, "too little happened");
}

/// Plays an act as far as it goes.
fn play(server: &Server, source: &mut Source, act: &Act, tally: &Mutex<Tally>) {
    let (stage, _) = Stage::set(server, source, &act.places, act.is_loaded).unwrap();
    let ids: Vec<_> = stage.named().values().copied().collect();
    let folder = Folder::with_scenario(&act.scenario(&ids));
    let mut own = Source::new(&folder.scenario(), &Allowance::default()).unwrap();
    let engine = own.open(stage.named()).unwrap();
    let mut driver = Driver::on(stage, engine, &act.places).unwrap();
    let mut first = 0;
    for scene in &act.scenes {
        let before = driver.seen.len();
        let played = play_scene(&mut driver, scene, first, tally);
        first += scene.calls.len();
        let mut tally = tally.lock().unwrap();
        tally.rounds += driver.seen.len() - before;
        match played {
            Ok(()) => tally.scenes += 1,
            Err(DriveError::Lost(Lost::TooMany)) => {
                tally.cut += 1;
                return;
            }
            Err(error) => {
                tally.differences.push(format!("{error}\n{}{scene:?}", driver.script));
                return;
            }
        }
    }
}

/// Plays one program, whose calls are those from `first` on, until nothing moves.
fn play_scene(driver: &mut Driver, scene: &Scene, first: usize, tally: &Mutex<Tally>) -> Result<(), DriveError> {
    let sent = (first..).map(|call| Op::Submit(format!("{call}").parse().unwrap()));
    let mut sent = sent.take(scene.calls.len());
    for pause in &scene.pauses {
        for op in pause {
            match driver.play(op) {
                // The clock stands while something that was sent has not begun.
                Err(DriveError::Lost(Lost::Misplaced(_))) if matches!(op, Op::Advance(_)) => {}
                other => other?,
            }
            note_worlds(driver, tally);
        }
        if let Some(submit) = sent.next() {
            driver.play(&submit)?;
        }
    }
    for _ in 0..LAST_ROUNDS {
        if driver.follower.is_still() {
            break;
        }
        driver.play(&Op::Tick { loaded: false })?;
        note_worlds(driver, tally);
    }
    compare_ends(driver, scene, first, tally)
}

fn note_worlds(driver: &Driver, tally: &Mutex<Tally>) {
    let worlds = driver.follower.worlds().count();
    let mut tally = tally.lock().unwrap();
    tally.worlds_max = tally.worlds_max.max(worlds);
}

/// Some world must be at rest in which the calls from `first` on have ended with the texts that the replica shows.
fn compare_ends(driver: &mut Driver, scene: &Scene, first: usize, tally: &Mutex<Tally>) -> Result<(), DriveError> {
    let diverged = |text: String| Err(DriveError::Lost(Lost::Diverged(text)));
    let theirs = &driver.seen[driver.seen.len() - 1].1.replies[first..first + scene.calls.len()];
    if let Some(at) = theirs.iter().position(Option::is_none) {
        return diverged(format!("call {} has no answer", first + at));
    }
    let mut texts = Vec::new();
    let worlds: Vec<_> = driver.follower.worlds().cloned().collect();
    let mut rest = worlds.iter().filter(|world| driver.engine.kernel.is_quiescent(world)).cloned().peekable();
    if rest.peek().is_none() {
        return diverged("nothing moves, and no world is at rest".to_string());
    }
    let rest: Vec<_> = rest.collect();
    for world in &rest {
        let calls = driver.engine.calls(world);
        let ours = calls[first..first + scene.calls.len()].iter().map(|call| match &call.state {
            CallState::Done(reply) => Some(reply.as_ref()),
            CallState::NotStarted | CallState::Open => None,
        });
        let differs = |(ours, theirs): &(Option<&Reply>, &Option<Reply>)| match (ours, theirs) {
            (Some(ours), Some(theirs)) => !is_same(ours, theirs),
            _ => true,
        };
        match ours.zip(theirs).find(differs) {
            None => {
                count(theirs.iter().flatten(), &mut tally.lock().unwrap());
                return Ok(());
            }
            Some((ours, theirs)) => texts.push(format!("replica {theirs:?}, we {ours:?}")),
        }
    }
    diverged(format!("no world has all its texts; {}", texts.join("; ")))
}

fn count<'a>(ends: impl Iterator<Item = &'a Reply>, tally: &mut Tally) {
    for end in ends {
        match end {
            Reply::Replied(..) => tally.replies += 1,
            Reply::Rejected { code, .. } => *tally.rejects.entry(*code).or_default() += 1,
        }
    }
}

/// Whether two answers are the same, texts of rejects included.
fn is_same(ours: &Reply, theirs: &Reply) -> bool {
    match (ours, theirs) {
        (Reply::Replied(_, ours), Reply::Replied(_, theirs)) => ours == theirs,
        (Reply::Rejected { code, text }, Reply::Rejected { code: their_code, text: their_text }) => {
            let is_own = *code == 4;
            code == their_code && if is_own { text == their_text } else { is_same_text(text, their_text) }
        }
        _ => false,
    }
}

/// To a call from outside the replica gives an error's code beside the text, not in front of it, and adds a suggestion to what
/// went wrong in a canister. All else is the same.
fn is_same_text(ours: &str, theirs: &str) -> bool {
    let Some((_, text)) = ours.split_once(": ").filter(|(code, _)| code.len() == 6 && code.starts_with("IC05")) else {
        return ours == theirs;
    };
    let suggests = |rest: &str| text.starts_with("Error from Canister ") && rest.starts_with(".\n");
    theirs.strip_prefix(text).is_some_and(|rest| rest.is_empty() || suggests(rest))
}
