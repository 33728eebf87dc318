//! Which lines and functions of canisters a set of inputs runs.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use canloom::fuzz::lines::{Coverage, Lines, Ran};

use super::fixtures::{beginning, call, module};
use super::stage::{NO_ORACLES, Stage};
use super::wat_canister::{Wait, forwarder, ledger};

/// The source that the fixture was built from.
const SOURCE: &str = include_str!("../../canisters/fixtures/lines/src/lib.rs");

/// The fixture with two calls, of a small and of a large amount.
fn fixture() -> Stage {
    let calls = call("small", "add", "(5 : nat64)") + &call("large", "add", "(500 : nat64)");
    Stage::with_scenario(&format!("{}{calls}{NO_ORACLES}", beginning(&module("lines"), "()")))
}

/// What these inputs run.
fn coverage(stage: &Stage, inputs: &[&str]) -> Coverage {
    let mut lines = Lines::open(Arc::new(stage.scenario())).expect("the scenario is installed");
    for input in inputs {
        lines.input(input.as_bytes()).expect("the scenario stays installed");
    }
    lines.coverage().expect("the module is there")
}

/// Runs of the line with this marker.
fn runs(ran: &Ran, marker: &str) -> u8 {
    let at = SOURCE.lines().position(|line| line.ends_with(&format!("// marker: {marker}"))).expect("the marker");
    let (_, lines) =
        ran.lines.iter().find(|(file, _)| file.ends_with("fixtures/lines/src/lib.rs")).expect("the source");
    *lines.get(&(at as u32 + 1)).unwrap_or_else(|| panic!("line {} has no code: {lines:?}", at + 1))
}

fn of<'a>(coverage: &'a Coverage, canister: &str) -> &'a Ran {
    coverage.ran.iter().find(|ran| ran.canister == canister).expect("the canister")
}

#[test]
fn of_two_branches_only_the_lines_of_the_one_that_is_taken_are_covered() {
    let stage = fixture();
    for (input, small, large) in [("0\n", 1, 0), ("1\n", 0, 1), ("0\n1\n", 1, 1)] {
        let coverage = coverage(&stage, &[input]);
        let ran = of(&coverage, "c");
        assert_eq!((runs(ran, "small"), runs(ran, "large"), runs(ran, "query")), (small, large, 0), "{input:?}");
        assert_eq!(ran.trouble, None);
    }
    let both = coverage(&stage, &["0\n", "1\n"]);
    assert_eq!((runs(of(&both, "c"), "small"), runs(of(&both, "c"), "large")), (1, 1));
    assert_eq!((both.done.inputs, both.done.left_out, both.done.ended_early), (2, 0, 0));
}

#[test]
fn without_steps_nothing_is_covered_and_steps_that_are_not_possible_are_told() {
    let stage = fixture();
    let nothing = coverage(&stage, &[]);
    assert!(of(&nothing, "c").functions.iter().all(|function| function.covered == 0));
    let impossible = coverage(&stage, &["0.1\n7\n"]);
    assert_eq!((impossible.done.left_out, impossible.done.messages), (2, 0));
    assert!(impossible.text().contains("2 steps left out"), "{}", impossible.text());
}

#[test]
fn functions_of_a_module_without_line_tables_are_named() {
    let canisters = [forwarder(&[1], Wait::Unbounded), ledger()];
    let stage = Stage::new(&canisters, &super::stage::call("w0", 0, "w", "args = \"(1 : nat32)\""));
    let coverage = coverage(&stage, &["0\nrest\n"]);
    for canister in ["c0", "c1"] {
        let ran = of(&coverage, canister);
        assert!(ran.lines.is_empty() && ran.trouble.is_none());
        let names: BTreeSet<&str> = ran.functions.iter().map(|function| function.name.as_str()).collect();
        assert_eq!(names.len(), ran.functions.len(), "{names:?}");
        assert!(ran.functions.iter().any(|function| function.covered > 0), "{canister}");
        assert!(ran.functions.iter().all(|function| function.covered <= function.blocks && function.place.is_none()));
    }
    let lcov = coverage.lcov();
    assert_eq!(lcov.matches("\nSF:").count(), 2, "{lcov}");
    assert!(!lcov.contains("\nDA:") && lcov.contains("LF:0\nLH:0\nend_of_record"), "{lcov}");
    // One with a name section: the names are those of the source.
    let text = format!(
        "{}{}{NO_ORACLES}",
        beginning(&module("cdk-0-20"), super::fixtures::INIT),
        call("d", "deposit", "(5 : nat64)")
    );
    let named = self::coverage(&Stage::with_scenario(&text), &["0\n"]);
    let ran = of(&named, "c");
    assert!(ran.lines.is_empty());
    assert!(ran.functions.iter().any(|function| function.covered > 0 && function.name.contains("deposit")));
}

/// Runs `canloom coverage`: exit code, output, errors.
fn canloom(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_canloom"));
    let ran = command.current_dir(folder).arg("coverage").args(arguments).output().expect("canloom runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (ran.status.code(), text(ran.stdout), text(ran.stderr))
}

#[test]
fn the_command_prints_tables_and_writes_lcov() {
    let stage = fixture();
    let inputs = stage.file("inputs");
    std::fs::create_dir(&inputs).unwrap();
    std::fs::write(inputs.join("a"), "0\n").unwrap();
    // Hidden files are no inputs; this one would cover the other branch.
    std::fs::write(inputs.join(".b"), "1\n").unwrap();
    let (exit, out, error) = canloom(stage.folder(), &["scenario.toml", "inputs", "--lcov", "out.info"]);
    assert_eq!((exit, error.as_str()), (Some(0), ""), "{out}");
    assert!(out.starts_with("1 input delivered 1 message\n") && out.contains("canister `c`"), "{out}");
    let lcov = std::fs::read_to_string(stage.file("out.info")).unwrap();
    let record = lcov.split("end_of_record\n").find(|record| record.contains("fixtures/lines/src/lib.rs\n")).unwrap();
    let line = |marker: &str| SOURCE.lines().position(|line| line.ends_with(marker)).unwrap() + 1;
    for (marker, count) in [("marker: small", 1), ("marker: large", 0)] {
        assert!(record.contains(&format!("\nDA:{},{count}\n", line(marker))), "{marker}: {record}");
    }
    let lines: Vec<&str> = record.lines().filter(|line| line.starts_with("DA:")).collect();
    assert!(record.contains(&format!("\nLF:{}\n", lines.len())), "{record}");
}

#[test]
fn what_cannot_be_read_is_one_clear_error() {
    let stage = fixture();
    std::fs::create_dir(stage.file("empty")).unwrap();
    std::fs::write(stage.file("large"), vec![0; (1 << 20) + 1]).unwrap();
    std::fs::write(stage.file("bad.cx"), "no counterexample\n").unwrap();
    for (arguments, expected) in [
        (&["scenario.toml", "absent"][..], "cannot read absent: it is not there; "),
        (&["scenario.toml", "large"], "large: larger than 1024 KiB; is this an input?"),
        (&["scenario.toml", "empty"], "no input is in there"),
        (&["scenario.toml", "bad.cx"], "bad.cx:1: not a counterexample"),
        (&["scenario.toml"], "bad.cx:1: not a counterexample"),
        (&["nowhere.toml"], "nowhere.toml"),
    ] {
        let (exit, out, error) = canloom(stage.folder(), arguments);
        assert_eq!((exit, out.as_str(), error.lines().count()), (Some(2), "", 1), "{error}");
        assert!(error.starts_with("error: ") && error.contains(expected), "{error}");
    }
    std::fs::remove_file(stage.file("bad.cx")).unwrap();
    let (exit, _, error) = canloom(stage.folder(), &["scenario.toml"]);
    assert_eq!(exit, Some(2));
    assert!(error.contains("no .cx file of it lies beside it; name inputs or a folder"), "{error}");
}
