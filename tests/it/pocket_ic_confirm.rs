//! What a real server says of each counterexample of the corpus.
//!
//! A server is needed; without one the test says that it is skipped.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use canloom::confirm::confirm;
use canloom::counterexample::Counterexample;
use canloom::engine::allowance::Allowance;
use canloom::engine::pocket_ic::Server;
use canloom::engine::pocket_ic::stage::Source;
use canloom::report::replica;
use canloom::scenario::Scenario;

use super::corpus;
use super::pocket_ic_server::server;

const IDLE: &str = "confirmed (idle-round)";
const LOADED: &str = "confirmed (loaded-round)";
const NO_SCRIPT: &str =
    "not expressible (spec-only): no script of submits, rounds, places and times leads a replica to such an order";
/// The model of the rounds and the replica disagree on the order of messages; the replica does what is legal.
const OTHER_ORDER: &str = "not expressible (idle-round): the replica takes the messages of the script in another order than was \
                           expected: after its last line the invariant holds there";

/// Folder, invariant, and what is said; in order of files.
const CORPUS: [(&str, &str, &str); 30] = [
    ("answers-overtake", "the first payment is answered first", NO_SCRIPT),
    ("heartbeat", "every order is paid once or still in the queue", OTHER_ORDER),
    ("heartbeat", "no more is paid than was ordered", IDLE),
    ("outcall", "no more is sold than there was", IDLE),
    ("timer", "the worker is paid what was earned and nothing twice", IDLE),
    ("upgrade", "book and ledger differ at most by what is pending", IDLE),
    ("upgrade", "without a pending payment book equals ledger", LOADED),
    ("vault-rollback", "book equals ledger when quiet", IDLE),
    ("vault-stale", "book equals ledger when quiet", IDLE),
    ("zoo-t01", "conserve", IDLE),
    ("zoo-t02", "serializable", IDLE),
    ("zoo-t03", "probe: till.pay", IDLE),
    ("zoo-t04", "conserve", IDLE),
    ("zoo-t05", "conserve", IDLE),
    ("zoo-t06", "conserve", IDLE),
    ("zoo-t07", "conserve", IDLE),
    (
        "zoo-t08",
        "conserve",
        "not expressible: 0.1rt: a driver cannot make a callback trap that does not trap by itself",
    ),
    ("zoo-t09", "stop-terminates: notifier", IDLE),
    ("zoo-t10", "conserve", IDLE),
    ("zoo-t11", "conserve", IDLE),
    ("zoo-t12", "conserve", NO_SCRIPT),
    ("zoo-t13", "conserve", IDLE),
    ("zoo-t14", "serializable", IDLE),
    (
        "zoo-t15",
        "conserve",
        "not expressible: 0p1: a driver cannot keep one chosen call of a canister from being performed",
    ),
    ("zoo-t16", "conserve", IDLE),
    ("zoo-t17", "err-is-noop: swaps.swap", IDLE),
    ("zoo-t18", "conserve", IDLE),
    ("zoo-t19", "conserve", IDLE),
    (
        "zoo-t20",
        "conserve",
        "not expressible: 0.1rp1: a driver cannot keep one chosen call of a canister from being performed",
    ),
    ("zoo-t21", "conserve", IDLE),
];

fn counterexamples() -> Vec<PathBuf> {
    let folders = std::fs::read_dir(corpus::folder()).expect("there is a corpus");
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.expect("readable").path()).expect("a folder"));
    let files = files.map(|file| file.expect("readable").path());
    let mut files: Vec<PathBuf> = files.filter(|file| file.extension().is_some_and(|end| end == "cx")).collect();
    files.sort();
    files
}

/// The folder of a counterexample, its invariant, and what the server says of it.
fn told(server: &Server, file: &Path) -> (String, String, String) {
    let folder = file.parent().expect("a folder");
    let found = Counterexample::read(file).unwrap_or_else(|error| panic!("{error}"));
    let scenario = Scenario::load(&folder.join(&found.scenario)).unwrap_or_else(|error| panic!("{error}"));
    let at = scenario.invariants.iter().position(|invariant| invariant.name == found.invariant).expect("an invariant");
    let confirmation = Source::new(&scenario, &Allowance::default())
        .map_err(Into::into)
        .and_then(|mut source| confirm(server, &mut source, &found.schedule, at));
    let confirmation = confirmation.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
    (name, found.invariant, replica::verdict(&confirmation).trim_end().to_string())
}

#[test]
fn every_counterexample_is_confirmed_or_has_a_reason_why_it_cannot_be() {
    let Some(server) = server("every_counterexample_is_confirmed_or_has_a_reason_why_it_cannot_be") else { return };
    let files = counterexamples();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut all = Vec::new();
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            all.push(told(&server, file));
        }
        all
    };
    let mut all = std::thread::scope(|scope| {
        let threads = [(); 2].map(|()| scope.spawn(work));
        threads.map(|thread| thread.join().expect("no thread panics")).concat()
    });
    all.sort();
    let all: Vec<_> = all.iter().map(|(name, of, said)| (name.as_str(), of.as_str(), said.as_str())).collect();
    for (said, expected) in all.iter().zip(&CORPUS) {
        assert_eq!(said, expected);
    }
    assert_eq!(all.len(), CORPUS.len());
}
