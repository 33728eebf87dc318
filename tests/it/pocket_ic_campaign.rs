//! Arbitrary scripts on a real server: what they find of the vaults of the corpus, and that they find the same again.
//!
//! A server is needed; without one the tests say that they are skipped. A script takes a second or two, so there are few.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use canloom::campaign::{Campaign, Campaigned, campaign};
use canloom::counterexample::replay;
use canloom::engine::allowance::Allowance;
use canloom::engine::pocket_ic::Server;
use canloom::report::text;
use canloom::scenario::Scenario;
use canloom::schedule::Schedule;
use canloom::script::{Op, Script};

use super::corpus;
use super::pocket_ic_server::server;

/// Scripts of seed 0, stopping nowhere.
fn of_scripts(scripts: u64, workers: usize) -> Campaign {
    Campaign { seed: 0, scripts, time: None, workers, until_found: false }
}

fn file(name: &str) -> PathBuf {
    corpus::folder().join(name).join("scenario.toml")
}

/// Plays a campaign; every round of it is one that the embedded engine can follow, and no script was cut short.
fn played(server: &Server, name: &str, asked: &Campaign) -> Campaigned {
    let scenario = Scenario::load(&file(name)).unwrap_or_else(|error| panic!("{error}"));
    let played = campaign(server, &scenario, &Allowance::default(), asked, &mut |_| {});
    let played = played.unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!((played.cut, &played.beyond[..]), (0, &[][..]), "{name}");
    assert!(played.rounds >= played.explored.complete && played.explored.complete > 0, "{name}");
    played
}

/// Outcomes by number of calls and faults, of a text such as `canloom explore --outcomes` writes.
fn outcomes(text: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut all: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut key = "";
    for line in text.lines().filter(|line| !line.is_empty()) {
        if line.starts_with('[') {
            key = line;
        } else {
            all.entry(key).or_default().insert(line);
        }
    }
    all
}

fn assert_finds_the_bug_of(server: &Server, name: &str) {
    let found = played(server, name, &Campaign { until_found: true, ..of_scripts(8, 1) });
    let [finding] = &found.explored.findings[..] else { panic!("{name}: {:?}", found.explored.findings) };
    let mut engine = corpus::open(&file(name));
    assert_eq!(engine.scenario.invariants[finding.invariant].name, "book equals ledger when quiet");
    let replayed = replay(&mut engine, &finding.schedule, Some(finding.invariant));
    let replayed = replayed.unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(replayed.violated, Some((finding.schedule.steps.len(), None)), "{name}");
    let [script] = &found.scripts[..] else { panic!("{name}: {:?}", found.scripts) };
    let submitted = script.ops.iter().filter(|op| matches!(op, Op::Submit(_))).count();
    assert!(submitted >= finding.calls as usize, "{name}: {script}");
}

#[test]
fn scripts_find_the_bugs_of_the_vaults_and_what_they_find_replays() {
    let Some(server) = server("scripts_find_the_bugs_of_the_vaults_and_what_they_find_replays") else { return };
    std::thread::scope(|scope| {
        scope.spawn(|| assert_finds_the_bug_of(&server, "vault-stale"));
        scope.spawn(|| assert_finds_the_bug_of(&server, "vault-rollback"));
    });
}

#[test]
fn scripts_find_nothing_in_the_sound_vault() {
    let Some(server) = server("scripts_find_nothing_in_the_sound_vault") else { return };
    let found = played(&server, "vault-sound", &of_scripts(8, 2));
    assert!(found.explored.findings.is_empty(), "{:?}", found.explored.findings);
    assert_eq!(found.explored.complete, 8);
}

#[test]
fn a_campaign_finds_the_same_with_one_worker_and_two_and_only_outcomes_of_the_search() {
    let Some(server) = server("a_campaign_finds_the_same_with_one_worker_and_two_and_only_outcomes_of_the_search")
    else {
        return;
    };
    let [one, two] = [1, 2].map(|workers| played(&server, "vault-stale", &of_scripts(6, workers)));
    let findings = |played: &Campaigned| -> Vec<(usize, Schedule, u64, Script)> {
        let findings = played.explored.findings.iter().zip(&played.scripts);
        findings
            .map(|(found, script)| (found.invariant, found.schedule.clone(), found.worlds, script.clone()))
            .collect()
    };
    assert_eq!(findings(&one).len(), 1);
    assert_eq!(findings(&one), findings(&two));
    assert_eq!((one.rounds, &one.explored.outcomes), (two.rounds, &two.explored.outcomes));

    let committed = std::fs::read_to_string(file("vault-stale").with_file_name("outcomes.txt")).unwrap();
    let (possible, seen) = (outcomes(&committed), text::outcomes(&one.explored));
    let seen = outcomes(&seen);
    // A replica rejects all that is sent to a canister without cycles, which may be more than the scenario's one fault.
    let known: Vec<_> = seen.iter().filter_map(|(key, seen)| Some((key, seen, possible.get(key)?))).collect();
    assert!(known.iter().map(|(_, seen, _)| seen.len()).sum::<usize>() >= 2, "{seen:?}");
    for (key, seen, possible) in known {
        assert!(seen.is_subset(possible), "{key}: {seen:?}");
    }
}
