//! `--bound` on the command line: what is printed, what is refused.

use super::super::stage::Stage;
use super::{Ran, canloom, files, held, stage, violated};

fn explore(stage: &Stage, arguments: &[&str]) -> Ran {
    canloom(stage.folder(), &[&["explore", "scenario.toml"], arguments].concat())
}

/// The second line of the report, from `exhaustive` on.
fn exhaustive(ran: &Ran) -> String {
    let line = ran.out.lines().nth(1).unwrap_or_else(|| panic!("{}", ran.error));
    line[line.find("exhaustive").expect("it says so")..].to_string()
}

#[test]
fn a_search_that_holds_within_a_bound_exits_0_and_names_the_bound() {
    let stage = held();
    let ran = explore(&stage, &["--bound", "switches=2"]);
    assert_eq!((ran.exit, ran.error.as_str()), (0, ""));
    assert!(ran.out.starts_with("test: held\n12 interleavings, "), "{}", ran.out);
    assert_eq!(exhaustive(&ran), "exhaustive: within bound (2 context switches)");
    let bounds = ran.out.lines().nth(2).expect("a line of bounds");
    assert!(bounds.starts_with("bounds: 2 calls, 2 in flight, 0 faults, 2 context switches "), "{bounds}");
    let all = explore(&stage, &["--bound", "switches=3"]);
    assert_eq!((all.exit, exhaustive(&all).as_str()), (0, "exhaustive: yes"));
}

#[test]
fn several_bounds_are_named_together_and_what_was_not_seen_is_inconclusive() {
    let ran = explore(&held(), &["--bound", "calls=1", "--bound", "switches=0"]);
    assert_eq!((ran.exit, exhaustive(&ran).as_str()), (5, "exhaustive: within bounds (1 call, 0 context switches)"));
    assert!(ran.out.starts_with("test: inconclusive\n") && ran.out.contains("never seen: "), "{}", ran.out);
    let reject = "[[fault]]\nedge = \"c0 -> c1.t\"\nkinds = [\"clean_reject\"]\n";
    let ran = explore(&stage("total > 0", reject), &["--bound", "faults=0", "--bound", "switches=1"]);
    assert_eq!(exhaustive(&ran), "exhaustive: within bounds (0 faults, 1 context switch)");
}

#[test]
fn json_says_within_which_bounds() {
    let ran = explore(&violated(), &["--bound", "switches=1", "--json", "-"]);
    assert_eq!(ran.exit, 3);
    for part in ["\"exhaustive\": false,\n  \"within\": {\n    \"switches\": 1\n  },", "      \"switches\": 0,\n"] {
        assert!(ran.out.contains(part), "{part} is not in {}", ran.out);
    }
    let all = explore(&violated(), &["--bound", "calls=2", "--json", "-"]);
    assert!(all.out.contains("\"exhaustive\": true,\n  \"interleavings\""), "{}", all.out);
}

#[test]
fn the_bound_of_the_scenario_is_a_bound_too() {
    let stage = stage("total > 0", "[explore]\nswitches = 1\n");
    let ran = explore(&stage, &[]);
    assert_eq!((ran.exit, exhaustive(&ran).as_str()), (0, "exhaustive: within bound (1 context switch)"));
    let wider = explore(&stage, &["--bound", "switches=2"]);
    let error = "error: scenario.toml: the bound switches=2 is wider than the scenario, which allows 1; it can only be narrowed\n";
    assert_eq!((wider.exit, wider.error.as_str()), (2, error));
}

#[test]
fn bounds_that_make_no_sense_exit_2() {
    let stage = held();
    let before = files(stage.folder());
    for (bound, part) in [
        ("calls=3", "the bound calls=3 is wider than the scenario, which allows 2; it can only be narrowed"),
        ("time=1", "the bound time=1 is wider than the scenario, which allows 0"),
        ("depth=0", "the bound depth=0 leaves nothing to explore; it is 1 at least"),
        ("switches=65", "the bound switches=65 is more than can be counted, which is 64"),
        ("switch=1", "there is no bound `switch`; the bounds are calls, in_flight, faults, switches, depth, time, "),
        ("switches", "a bound is NAME=N, NAME one of calls, "),
        ("switches=-1", "`-1` is not a number of switches"),
        ("switches=two", "`two` is not a number of switches"),
    ] {
        let ran = explore(&stage, &["--bound", bound]);
        assert_eq!((ran.exit, ran.out.as_str()), (2, ""), "{bound}");
        assert!(ran.error.starts_with("error: ") && ran.error.contains(part), "{bound}: {}", ran.error);
    }
    let twice = explore(&stage, &["--bound", "calls=1", "--bound", "calls=2"]);
    assert_eq!((twice.exit, twice.error.as_str()), (2, "error: --bound calls: given twice\n"));
    assert_eq!(files(stage.folder()), before, "files were written");
}

#[test]
fn a_counterexample_found_within_bounds_is_reproduced_without_them() {
    let stage = violated();
    let ran = explore(&stage, &["--bound", "switches=0"]);
    assert!(ran.out.contains("simplest: 2 calls, 0 faults, 0 context switches, 5 deliveries (grade A)"), "{}", ran.out);
    let last = ran.out.lines().last().expect("a line").strip_prefix("replay: canloom repro ").expect("a file");
    let replayed = canloom(stage.folder(), &["repro", "--quiet", last]);
    assert_eq!((replayed.exit, replayed.out.as_str()), (3, "reproduced\n"));
}
