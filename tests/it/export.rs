//! Counterexamples as tests that stand alone: their text, and what cannot be said as one.

mod compiled;

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use canloom::counterexample::Counterexample;
use canloom::engine::embedded::Embedded;
use canloom::export::{ExportError, Exported, Kind, export};
use canloom::scenario::Scenario;
use canloom::testing::holds;

use super::corpus;

/// The test of a counterexample to a scenario, with paths relative to a folder.
fn exported_of(kind: Kind, scenario: Scenario, found: &Counterexample, root: &Path) -> Result<Exported, ExportError> {
    let at = scenario.invariants.iter().position(|invariant| invariant.name == found.invariant).expect("an invariant");
    let mut engine = Embedded::open(Arc::new(scenario)).unwrap_or_else(|error| panic!("{error}"));
    export(kind, &mut engine, found, at, root)
}

/// The test of the counterexample in a folder of the corpus whose name begins like this.
fn exported(kind: Kind, folder: &str, cx: &str, root: &Path) -> Result<Exported, ExportError> {
    let (scenario, found) = counterexample(folder, cx);
    exported_of(kind, scenario, &found, root)
}

fn counterexample(folder: &str, cx: &str) -> (Scenario, Counterexample) {
    let folder = corpus::folder().join(folder);
    let files = std::fs::read_dir(&folder).expect("a folder").map(|file| file.expect("readable").path());
    let is_it = |file: &PathBuf| {
        let name = file.file_name().expect("a name").to_string_lossy();
        name.starts_with(cx) && name.ends_with(".cx")
    };
    let file = files.filter(|file| is_it(file)).min().expect("a counterexample");
    let found = Counterexample::read(&file).unwrap_or_else(|error| panic!("{error}"));
    let scenario = Scenario::load(&folder.join(&found.scenario)).unwrap_or_else(|error| panic!("{error}"));
    (scenario, found)
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The part of a test that is its own: what stands before the type that all share.
fn own_part(test: &str) -> &str {
    test.split("/// A replica, the names").next().expect("a first part")
}

#[test]
fn a_counterexample_becomes_a_test_of_its_submits_and_rounds() {
    let exported = exported(Kind::PocketIc, "vault-stale", "", here()).unwrap();
    assert_eq!(exported.name, "vault_stale_book_equals_ledger_when_quiet");
    assert!(exported.files.is_empty());
    insta::assert_snapshot!("vault_stale_manifest", exported.manifest);
    insta::assert_snapshot!("vault_stale", own_part(&exported.test));
}

#[test]
fn a_ledger_without_a_module_has_a_double_that_answers_as_in_the_counterexample() {
    let exported = exported(Kind::PocketIc, "zoo-t18", "", here()).unwrap();
    insta::assert_snapshot!("zoo_t18", own_part(&exported.test));
}

#[test]
fn rounds_that_are_filled_upgrades_time_rejects_and_outcalls_are_lines_of_the_test() {
    let lines = |folder: &str, cx: &str| {
        let test = exported(Kind::PocketIc, folder, cx, here()).unwrap().test;
        let body = test.split("// What leads to the violation.\n").nth(1).expect("a body");
        let body = body.split("\n    // A correct").next().expect("its end");
        body.lines().map(str::trim).collect::<Vec<&str>>().join("\n")
    };
    insta::assert_snapshot!("deeds_upgrade", lines("upgrade", "without"));
    insta::assert_snapshot!("deeds_heartbeat", lines("heartbeat", "no-more"));
    insta::assert_snapshot!("deeds_timer", lines("timer", ""));
    insta::assert_snapshot!("deeds_outcall", lines("outcall", ""));
    insta::assert_snapshot!("deeds_reject", lines("vault-rollback", ""));
}

#[test]
fn what_a_replica_cannot_be_made_to_do_is_refused_with_the_reason() {
    for (folder, reason) in [
        ("zoo-t08", "0.1rt: a driver cannot make a callback trap that does not trap by itself"),
        ("zoo-t15", "0p1: a driver cannot keep one chosen call of a canister from being performed"),
        ("zoo-t12", "no script of submits, rounds, places and times leads a replica to such an order"),
        (
            "zoo-t02",
            "\"serializable\" compares with other executions, which a test does not make; say what must hold as an `[[invariant]]`",
        ),
        (
            "zoo-t11",
            "`shop` has no module and does not answer at once; give `[canister.shop]` a `wasm` in place of `builtin`",
        ),
    ] {
        let error = exported(Kind::PocketIc, folder, "", here()).unwrap_err();
        assert_eq!(error.to_string(), format!("not expressible as a test: {reason}"), "{folder}");
    }
}

/// The scenario vault-stale, with another text in place of this one, and its counterexample.
fn changed(from: &str, to: &str) -> (Scenario, Counterexample) {
    let (scenario, mut found) = counterexample("vault-stale", "");
    let text = std::fs::read_to_string(&scenario.file).expect("the scenario");
    assert!(text.contains(from), "{from}");
    let scenario =
        Scenario::from_text(&scenario.file, &text.replacen(from, to, 1)).unwrap_or_else(|error| panic!("{error}"));
    found.invariant = scenario.invariants[0].name.clone();
    (scenario, found)
}

#[test]
fn an_invariant_is_said_in_rust_or_refused_with_the_part_that_cannot_be() {
    let test = |expr: &str| {
        let (scenario, found) = changed("expr = \"book == real\"", &format!("expr = '{expr}'"));
        exported_of(Kind::PocketIc, scenario, &found, here())
    };
    for (expr, rust) in [
        ("quiet => book == real", "!true || book == real"),
        ("book - real in [0, 7] and book >= 0", "((book - real) == 0 || (book - real) == 7) && book >= 0"),
        (
            "sum(ok(\"withdraw-30\", alice), it.reply ? 30 : 0) + real == 90 - count(done(\"withdraw-50\")) * 50",
            "t.calls(\"withdraw-30\", Call::is_ok).filter(|call| call.by == \"alice\").map(|it| if truth(&it.reply()) { 30 } \
             else { 0 }).sum::<i128>() + real == 90 - ((t.calls(\"withdraw-50\", Call::is_done).count() as i128) * 50)",
        ),
    ] {
        let written = test(expr).map(|exported| exported.test);
        let line = written.as_ref().ok().and_then(|text| text.lines().find(|line| line.contains("let holds = ")));
        assert_eq!(line.map(str::trim), Some(format!("let holds = {rust};").as_str()), "{written:?}");
    }
    let error = test("book == real and count(refused(\"withdraw-30\")) == 0").unwrap_err().to_string();
    assert!(error.contains(": `refused(\"withdraw-30\")`"), "{error}");
}

/// A name that would end its literal, its comment and its line, as a scenario file has it.
const HOSTILE: &str = "x\\\"###; } #[test] fn evil() { panic!() } //*/";

#[test]
fn a_hostile_name_stays_in_its_literal_and_its_comment() {
    let (scenario, found) = changed("book equals ledger when quiet", HOSTILE);
    for kind in [Kind::PocketIc, Kind::Canloom] {
        let exported = exported_of(kind, scenario.clone(), &found, here()).unwrap();
        assert_eq!(exported.name, "vault_stale_x_test_fn_evil_panic");
        assert_eq!(exported.test.matches("#[test]\nfn ").count(), 1, "{}", exported.test);
        assert!(exported.test.lines().all(|line| !line.trim_start().starts_with("#[test] fn evil")));
    }
}

#[test]
fn a_test_with_the_embedded_engine_makes_the_steps() {
    let exported = exported(Kind::Canloom, "vault-stale", "", here()).unwrap();
    insta::assert_snapshot!("vault_stale_embedded", exported.test);
    insta::assert_snapshot!("vault_stale_embedded_manifest", exported.manifest);
}

/// Whether a test with the embedded engine passes on another scenario of the folder; it must fail with a counterexample.
fn is_held(folder: &str, file: &str) -> bool {
    let (_, found) = counterexample(folder, "");
    let steps: Vec<String> = found.schedule.steps.iter().map(ToString::to_string).collect();
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    let file = corpus::folder().join(folder).join(file);
    // Oracles are named after methods, which end in `_fixed` there.
    let scenario = Scenario::load(&file).unwrap_or_else(|error| panic!("{error}"));
    let named = scenario.invariants.iter().find(|other| other.name.starts_with(&found.invariant));
    let invariant = &named.expect("the same invariant").name;
    let Err(panic) = catch_unwind(|| holds(&file, invariant, &steps)) else { return true };
    let said = panic.downcast_ref::<String>().expect("a text");
    assert!(said.contains("violated after step"), "{said}");
    false
}

#[test]
fn the_embedded_test_fails_on_each_bug_of_the_zoo_and_passes_where_it_is_fixed() {
    for class in 1..=21 {
        let folder = format!("zoo-t{class:02}");
        assert!(!is_held(&folder, "scenario.toml"), "{folder} has its bug");
        assert!(is_held(&folder, "fixed.toml"), "{folder} is fixed");
    }
}
