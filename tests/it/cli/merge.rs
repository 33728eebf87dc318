//! Shards and `canloom merge` on the command line.

use super::{assert_one_error, canloom, counterexample, files, held, violated};

/// Explores in so many shards; the names of the reports.
fn shards(folder: &std::path::Path, of: u32) -> Vec<String> {
    let share = |index: u32| {
        let report = format!("shard-{index}.json");
        let shard = format!("{index}/{of}");
        canloom(folder, &["explore", "scenario.toml", "--quiet", "--shard", &shard, "--json", &report]);
        report
    };
    (1..=of).map(share).collect()
}

#[test]
fn merged_report_is_that_of_one_run_and_saves_the_same_counterexample() {
    let (divided, whole) = (violated(), violated());
    let reports = shards(divided.folder(), 3);
    assert!(files(divided.folder()).into_keys().all(|name| !name.contains(".cx")), "shards save nothing");
    let mut arguments = vec!["merge", "--outcomes", "outcomes.txt"];
    arguments.extend(reports.iter().map(String::as_str));
    let merged = canloom(divided.folder(), &arguments);
    let alone = canloom(whole.folder(), &["explore", "scenario.toml", "--outcomes", "outcomes.txt"]);
    assert_eq!((merged.exit, alone.exit), (3, 3), "{}", merged.error);
    let name = counterexample(divided.folder());
    assert_eq!(name, counterexample(whole.folder()));
    assert_eq!(files(divided.folder())[&name], files(whole.folder())[&name]);
    assert_eq!(files(divided.folder())["outcomes.txt"], files(whole.folder())["outcomes.txt"]);
    // All lines but the two with sums over shards.
    let rest = |out: &str| out.lines().filter(|line| !line.contains("worlds")).map(String::from).collect::<Vec<_>>();
    assert_eq!(rest(&merged.out), rest(&alone.out));
}

#[test]
fn shard_that_finds_nothing_says_which_share_it_was_and_exits_with_0() {
    let stage = held();
    let ran = canloom(stage.folder(), &["explore", "scenario.toml", "--shard", "2/2", "--quiet"]);
    assert_eq!((ran.exit, ran.out.as_str()), (0, "test: held (shard 2 of 2)\n"), "{}", ran.error);
    let reports = shards(stage.folder(), 2);
    let ran = canloom(stage.folder(), &["merge", "--quiet", &reports[0], &reports[1]]);
    assert_eq!((ran.exit, ran.out.as_str()), (0, "test: held\n"), "{}", ran.error);
}

#[test]
fn nonsense_shards_are_usage_errors() {
    let stage = held();
    for (shard, part) in [
        ("2", "`2` is not a shard; write 2/8 for the second of eight"),
        ("a/b", "`a/b` is not a shard"),
        ("0/2", "there is no shard 0 of 2; they count from 1"),
        ("3/2", "there is no shard 3 of 2"),
        ("1/0", "a search is divided into 1 to 10000 shards"),
        ("1/99999999999", "`1/99999999999` is not a shard"),
    ] {
        let ran = canloom(stage.folder(), &["explore", "scenario.toml", "--shard", shard]);
        assert_eq!((ran.exit, ran.out.as_str()), (2, ""), "{shard}");
        assert!(ran.error.contains(part), "{}", ran.error);
    }
}

#[test]
fn what_is_no_report_of_a_shard_is_refused_with_its_name() {
    let stage = held();
    let reports = shards(stage.folder(), 2);
    canloom(stage.folder(), &["explore", "scenario.toml", "--json", "whole.json"]);
    std::fs::write(stage.file("text.json"), "held").expect("a file");
    std::fs::write(stage.file("wrong.json"), "{\"shard\": {\"index\": 1}}").expect("a file");
    for (report, part) in [
        ("none.json", "cannot read none.json: it is not there; "),
        ("text.json", "text.json:1:1: not a report: it is not JSON"),
        ("wrong.json", "wrong.json: `shard` is not what this canloom writes ("),
        ("whole.json", "whole.json: not the report of a shard; write it with `canloom explore SCENARIO --shard i/n"),
    ] {
        assert_one_error(&canloom(stage.folder(), &["merge", &reports[0], report]), 2, &[part]);
    }
    assert_one_error(&canloom(stage.folder(), &["merge", &reports[0]]), 2, &["the report of shard 2 of 2 is missing"]);
    let elsewhere = tempfile::tempdir().expect("a folder");
    let report = stage.file(&reports[0]);
    let ran = canloom(elsewhere.path(), &["merge", &report.display().to_string()]);
    assert_one_error(&ran, 2, &["name the scenario with --scenario, or go to where the shards ran"]);
}

#[test]
fn shards_with_checkpoints_and_bounds_are_merged_like_others() {
    let stage = violated();
    let share = |shard: &str, report: &str| {
        let bound = ["--bound", "switches=0", "--checkpoint", report.trim_end_matches(".json")];
        let options = ["explore", "scenario.toml", "--quiet", "--shard", shard, "--json", report];
        canloom(stage.folder(), &[&options[..], &bound[..]].concat()).exit
    };
    // The second time each finds that it is finished.
    let twice = |shard: &str, report: &str| (share(shard, report), share(shard, report));
    let exits = [twice("1/2", "a.json"), twice("2/2", "b.json")];
    assert!(exits.iter().all(|(first, second)| first == second) && exits.contains(&(3, 3)), "{exits:?}");
    let merged = canloom(stage.folder(), &["merge", "a.json", "b.json"]);
    let alone = canloom(stage.folder(), &["explore", "scenario.toml", "--bound", "switches=0"]);
    let rest = |out: &str| out.lines().filter(|line| !line.contains("worlds")).map(String::from).collect::<Vec<_>>();
    assert_eq!((merged.exit, rest(&merged.out)), (alone.exit, rest(&alone.out)), "{}", merged.error);
    assert!(merged.out.contains("within bound (0 context switches)"), "{}", merged.out);
    let other = canloom(stage.folder(), &["explore", "scenario.toml", "--shard", "1/3", "--checkpoint", "a"]);
    assert_one_error(
        &other,
        2,
        &["belongs to another search: it was made with the options `--shard 1/2 --bound switches=0`"],
    );
}

#[test]
fn shards_with_worlds_of_their_own_are_merged_whatever_their_workers() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().expect("a folder");
    let report = |index: u32| folder.path().join(format!("{index}.json")).display().to_string();
    for index in [1, 2] {
        let (shard, workers) = (format!("{index}/2"), index.to_string());
        let options = ["--quiet", "--shard", &shard, "--workers", &workers, "--json", &report(index)];
        let ran = canloom(root, &[&["explore", "corpus/vault-sound/scenario.toml"], &options[..]].concat());
        assert_eq!(ran.exit, 0, "{}", ran.error);
    }
    let merged = canloom(root, &["merge", &report(1), &report(2)]);
    assert_eq!(merged.exit, 0, "{}", merged.error);
    assert!(merged.out.contains("\n1,926 interleavings, "), "{}", merged.out);
}
