//! `canloom corpus` and `shrink`: outcomes with their exit codes.

mod harm;
mod reports;

use super::super::stage::{Stage, call, observe};
use super::super::wat_canister::{Wait, forwarder, ledger};
use super::{Ran, assert_one_error, canloom, change, files, found};

/// A violated scenario with its counterexample, accepted.
fn accepted() -> (Stage, String) {
    let (stage, name) = found();
    let ran = canloom(stage.folder(), &["corpus", "accept", "."]);
    let name = name.strip_suffix(".new").expect("it was new").to_string();
    assert_eq!((ran.exit, ran.error.as_str()), (0, ""));
    assert_eq!(ran.out, format!("accepted: ./{name}\n"));
    assert!(stage.file(&name).exists() && !stage.file(&format!("{name}.new")).exists());
    (stage, name)
}

/// The invariant of the scenario holds from now on.
fn correct(stage: &Stage) {
    change(stage, "scenario.toml", "total != 897", "total > 0");
}

fn check(stage: &Stage) -> Ran {
    canloom(stage.folder(), &["corpus", "check", "."])
}

#[test]
fn check_exits_0_if_open_entries_are_violated_and_fixed_ones_hold() {
    let (stage, name) = accepted();
    let ran = check(&stage);
    assert_eq!((ran.exit, ran.error.as_str()), (0, ""));
    assert_eq!(ran.out, format!("open:  ./{name}\n1 open, 0 fixed: as they should be\n"));
    correct(&stage);
    let ran = canloom(stage.folder(), &["corpus", "accept", "--fixed", &name]);
    assert_eq!((ran.exit, ran.out.as_str()), (0, format!("fixed: {name}\n").as_str()), "{}", ran.error);
    let ran = check(&stage);
    assert_eq!(
        (ran.exit, ran.out.as_str()),
        (0, format!("fixed: ./{name}\n0 open, 1 fixed: as they should be\n").as_str())
    );
}

#[test]
fn check_exits_3_if_a_fixed_entry_is_violated_again() {
    let (stage, name) = accepted();
    correct(&stage);
    assert_eq!(canloom(stage.folder(), &["corpus", "accept", "--fixed", &name]).exit, 0);
    change(&stage, "scenario.toml", "total > 0", "total != 897");
    let ran = check(&stage);
    assert_eq!(ran.exit, 3);
    assert!(ran.out.starts_with(&format!("violated again: ./{name}: it was fixed; ")), "{}", ran.out);
    // The search says the same, and it is not passed over.
    let ran = canloom(stage.folder(), &["explore", "--fail-on", "new", "scenario.toml"]);
    assert_eq!(ran.exit, 3);
    assert!(ran.out.contains("came back: \"order is kept\" is marked as fixed in the corpus\n"), "{}", ran.out);
}

#[test]
fn check_exits_6_if_an_open_entry_holds_now() {
    let (stage, name) = accepted();
    correct(&stage);
    let ran = check(&stage);
    assert_eq!(ran.exit, 6);
    let remedy = format!("if the bug was corrected, `canloom corpus accept --fixed ./{name}`");
    assert_eq!(
        ran.out,
        format!("stale: ./{name}: the invariant holds now; {remedy}\n1 open, 0 fixed: 1 not as they should be\n")
    );
}

#[test]
fn check_exits_6_if_an_entry_names_what_no_longer_exists() {
    let (stage, name) = accepted();
    for (file, from, to, what) in [
        (name.as_str(), "\n0.1\n", "\n0.2\n", "no longer exists: 0.2 was not sent"),
        (name.as_str(), "order is kept", "gone", "invariant \"gone\" is not in "),
        (name.as_str(), "module c1: ", "module c7: ", "canister `c7` is not in "),
    ] {
        change(&stage, file, from, to);
        let ran = check(&stage);
        assert_eq!(ran.exit, 6, "{}", ran.out);
        assert!(ran.out.contains(what), "{what}: {}", ran.out);
        change(&stage, file, to, from);
    }
    assert_eq!(check(&stage).exit, 0);
}

#[test]
fn check_exits_4_if_a_step_exists_and_cannot_be_made() {
    let (stage, name) = accepted();
    // The request cannot be executed twice.
    change(&stage, &name, "\n0.1\n", "\n0\n");
    let ran = check(&stage);
    assert_eq!(ran.exit, 4, "{}", ran.out);
    assert!(ran.out.starts_with(&format!("diverged: ./{name}: divergence at step ")), "{}", ran.out);
}

#[test]
fn check_exits_2_if_a_file_is_no_counterexample_and_checks_the_others() {
    let (stage, name) = accepted();
    std::fs::write(stage.file("other.cx"), "hello").expect("the folder can be written");
    let ran = check(&stage);
    assert_eq!(ran.exit, 2);
    assert!(ran.out.starts_with("error: ./other.cx:1: not a counterexample"), "{}", ran.out);
    assert!(ran.out.contains(&format!("open:  ./{name}\n")), "{}", ran.out);
}

#[test]
fn check_of_an_empty_folder_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let ran = canloom(folder.path(), &["corpus", "check", "."]);
    assert_eq!(ran.exit, 5, "a wrong path must not look green");
    assert!(ran.out.starts_with("nothing was checked: "), "{}", ran.out);
    assert_one_error(&canloom(folder.path(), &["corpus", "check"]), 2, &["corpus"]);
}

#[test]
fn what_does_not_reproduce_is_not_accepted() {
    let (stage, name) = found();
    correct(&stage);
    let before = files(stage.folder());
    let ran = canloom(stage.folder(), &["corpus", "accept", &name]);
    assert_eq!(ran.exit, 6);
    assert!(ran.error.contains("not accepted: the invariant holds on this schedule"), "{}", ran.error);
    assert_eq!(files(stage.folder()), before);
    change(&stage, "scenario.toml", "total > 0", "total != 897");
    canloom(stage.folder(), &["corpus", "accept", &name]);
    let name = name.strip_suffix(".new").expect("it was new");
    let ran = canloom(stage.folder(), &["corpus", "accept", "--fixed", name]);
    assert_eq!(ran.exit, 3);
    assert!(ran.error.contains("not accepted: the invariant is still violated"), "{}", ran.error);
}

#[test]
fn accept_overwrites_nothing() {
    let (stage, name) = accepted();
    let new = format!("{name}.new");
    std::fs::copy(stage.file(&name), stage.file(&new)).expect("the folder can be written");
    change(&stage, &name, "tool: canloom", "tool: reviewed");
    let before = files(stage.folder());
    let ran = canloom(stage.folder(), &["corpus", "accept", &new]);
    assert_eq!(ran.exit, 2);
    assert!(ran.error.contains("there is another"), "{}", ran.error);
    assert_eq!(files(stage.folder()), before);
}

#[test]
fn prune_drops_what_a_shorter_entry_of_the_same_bug_implies_and_nothing_else() {
    let (stage, name) = accepted();
    let text = std::fs::read_to_string(stage.file(&name)).expect("a file");
    let longer = text.replacen("\n\n", "\n\n0\n1\n", 1);
    std::fs::write(stage.file("longer.cx"), &longer).expect("the folder can be written");
    std::fs::write(stage.file("bogus.cx"), format!("{}\n\n", text.split("\n\n").next().unwrap())).expect("likewise");
    let ran = canloom(stage.folder(), &["corpus", "prune", "."]);
    assert!(ran.out.ends_with("\n0 of 3 implied by others\n"), "{}", ran.out);
    std::fs::remove_file(stage.file("bogus.cx")).expect("likewise");
    std::fs::write(stage.file("elsewhere.cx"), longer.replacen("await: ", "await: x", 1)).expect("likewise");
    std::fs::write(stage.file("fixed.cx"), longer.replacen("tool: ", "status: fixed\ntool: ", 1)).expect("likewise");
    let ran = canloom(stage.folder(), &["corpus", "prune", "--dry-run", "."]);
    assert_eq!(ran.out, format!("would drop: ./longer.cx, which ./{name} implies\n1 of 4 implied by others\n"));
    assert!(stage.file("longer.cx").exists());
    let ran = canloom(stage.folder(), &["corpus", "prune", "."]);
    assert_eq!((ran.exit, ran.error.as_str()), (0, ""));
    assert_eq!(ran.out, format!("dropped: ./longer.cx, which ./{name} implies\n1 of 4 implied by others\n"));
    assert!(!stage.file("longer.cx").exists());
    assert!(["elsewhere.cx", "fixed.cx", &name].iter().all(|file| stage.file(file).exists()));
}

#[test]
fn migrate_adds_the_await_and_todays_modules_and_gives_files_their_names() {
    let (stage, name) = accepted();
    let text = std::fs::read_to_string(stage.file(&name)).expect("a file");
    let old: String =
        text.lines().filter(|line| !line.starts_with("await: ")).map(|line| format!("{line}\n")).collect();
    let old = old.replacen("module c1: ", "module c1: 00", 1);
    std::fs::write(stage.file("old.cx"), old).expect("the folder can be written");
    std::fs::remove_file(stage.file(&name)).expect("likewise");
    let ran = canloom(stage.folder(), &["corpus", "migrate", "."]);
    assert_eq!((ran.exit, ran.error.as_str()), (0, ""));
    assert_eq!(ran.out, format!("rewritten: ./{name}\n1 of 1 rewritten\n"));
    assert_eq!(std::fs::read_to_string(stage.file(&name)).expect("a file"), text);
    assert!(!stage.file("old.cx").exists());
    assert_eq!(canloom(stage.folder(), &["corpus", "migrate", "."]).out, "0 of 1 rewritten\n");
}

#[test]
fn fail_on_new_passes_over_what_the_corpus_has() {
    let (stage, name) = found();
    let run = |stage: &Stage| canloom(stage.folder(), &["explore", "--fail-on", "new", "scenario.toml"]);
    assert_eq!(run(&stage).exit, 3, "nobody has accepted it");
    assert_eq!(canloom(stage.folder(), &["corpus", "accept", &name]).exit, 0);
    let ran = run(&stage);
    assert_eq!((ran.exit, ran.error.as_str()), (0, ""));
    for (options, failures, skipped) in [(&["--fail-on", "new"][..], 0, 1), (&[], 1, 0)] {
        let all = [&["explore", "--quiet", "--junit", "r.xml", "scenario.toml"], options].concat();
        canloom(stage.folder(), &all);
        let junit = std::fs::read_to_string(stage.file("r.xml")).expect("it was written");
        assert!(junit.contains(&format!("failures=\"{failures}\"")), "{junit}");
        assert_eq!(junit.matches("<skipped message=\"known: ").count(), skipped, "{junit}");
    }
    assert!(ran.out.starts_with("test: violated\n"), "{}", ran.out);
    assert!(ran.out.contains("\nknown: \"order is kept\" is "), "{}", ran.out);
    assert_eq!(canloom(stage.folder(), &["explore", "scenario.toml"]).exit, 3, "any is the default");
}

/// Two invariants that two calls violate at once, one of which is in the corpus.
#[test]
fn fail_on_new_says_what_is_new() {
    let invariant =
        |name: &str, expr: &str| format!("[[invariant]]\nname = \"{name}\"\nwhen = \"always\"\nexpr = \"{expr}\"\n");
    let calls = [0, 1].map(|at| call(&format!("w{at}"), 0, "w", &format!("args = \"({at} : nat32)\""))).concat();
    let rest = |second: &str| format!("{calls}{}{}{second}", observe(1, "total"), invariant("one", "total != 897"));
    let canisters = [forwarder(&[1], Wait::Unbounded), ledger()];
    let stage = Stage::new(&canisters, &rest(""));
    canloom(stage.folder(), &["explore", "--quiet", "scenario.toml"]);
    assert_eq!(canloom(stage.folder(), &["corpus", "accept", "."]).exit, 0);
    assert_eq!(canloom(stage.folder(), &["explore", "--fail-on", "new", "scenario.toml"]).exit, 0);
    let text = std::fs::read_to_string(stage.file("scenario.toml")).expect("a scenario");
    std::fs::write(stage.file("scenario.toml"), text + &invariant("two", "total != 899")).expect("it can be written");
    let ran = canloom(stage.folder(), &["explore", "--fail-on", "new", "scenario.toml"]);
    assert_eq!(ran.exit, 3);
    assert!(files(stage.folder()).keys().any(|name| name.starts_with("two-") && name.ends_with(".cx.new")));
}

#[test]
fn shrink_writes_a_simpler_counterexample_beside_and_leaves_its_own() {
    let (stage, name) = found();
    let longer = "longer.cx";
    std::fs::copy(stage.file(&name), stage.file(longer)).expect("the folder can be written");
    let text = std::fs::read_to_string(stage.file(longer)).expect("a file");
    let steps = text.split("\n\n").nth(1).expect("steps").to_string();
    // Both calls to their ends, as far as the search has not gone.
    let all = "1\n0\n1.1\n0.1\n1.1r\n0.1r\n";
    change(&stage, longer, &steps, all);
    let before = std::fs::read(stage.file(longer)).expect("a file");
    std::fs::remove_file(stage.file(&name)).expect("the folder can be written");
    let ran = canloom(stage.folder(), &["shrink", "--quiet", longer]);
    assert_eq!((ran.exit, ran.error.as_str()), (0, ""));
    assert!(ran.out.contains("; minimal: proved; "), "{}", ran.out);
    assert!(ran.out.ends_with(&format!("saved: {name}\n")), "{}", ran.out);
    assert_eq!(std::fs::read(stage.file(longer)).expect("a file"), before);
    let ran = canloom(stage.folder(), &["shrink", "--quiet", &name]);
    assert!(ran.out.ends_with("nothing simpler was found; no file was written\n"), "{}", ran.out);
}

#[test]
fn shrink_of_what_holds_now_exits_6_and_of_what_diverges_4() {
    let (stage, name) = found();
    correct(&stage);
    assert_one_error(&canloom(stage.folder(), &["shrink", &name]), 6, &["the invariant holds on this schedule"]);
    change(&stage, &name, "\n0.1\n", "\n0.2\n");
    assert_one_error(&canloom(stage.folder(), &["shrink", &name]), 4, &["divergence at step"]);
}

#[test]
fn a_fixed_entry_of_which_nothing_is_left_is_stale() {
    let (stage, name) = accepted();
    let text = std::fs::read_to_string(stage.file(&name)).expect("a file");
    let (head, _) = text.split_once("\n\n").expect("a head");
    let head = head.replacen("tool: ", "status: fixed\ntool: ", 1);
    std::fs::write(stage.file(&name), format!("{head}\n\n0.2\n0.2r\n")).expect("it can be written");
    let ran = check(&stage);
    assert_eq!(ran.exit, 6);
    assert!(ran.out.contains("none of its steps can be made any more"), "{}", ran.out);
}

#[test]
fn a_call_that_the_scenario_does_not_have_cannot_have_been_corrected() {
    let (stage, name) = accepted();
    change(&stage, &name, "\n0\n", "\n7\n");
    let ran = check(&stage);
    assert_eq!(ran.exit, 6);
    assert!(ran.out.contains("call 7 is not in ") && ran.out.contains("correct the file, or remove it"), "{}", ran.out);
    let ran = canloom(stage.folder(), &["corpus", "accept", "--fixed", &name]);
    assert_eq!(ran.exit, 6, "{}", ran.error);
}

#[test]
fn what_an_earlier_run_had_reached_counts_only_if_it_shows_the_bug() {
    let (stage, name) = found();
    let text = std::fs::read_to_string(stage.file(&name)).expect("a file");
    let (head, _) = text.split_once("\n\n").expect("a head");
    std::fs::write(stage.file(&format!("{name}.shrinking")), format!("{head}\n\n0\n")).expect("it can be written");
    let ran = canloom(stage.folder(), &["shrink", "--quiet", &name]);
    assert_eq!((ran.exit, ran.error.as_str()), (0, ""));
    assert!(ran.out.ends_with("nothing simpler was found; no file was written\n"), "{}", ran.out);
    assert!(!stage.file(&format!("{name}.shrinking")).exists());
}

#[test]
fn export_prints_a_test_or_writes_a_package_into_an_empty_folder() {
    let (stage, name) = accepted();
    let ran = canloom(stage.folder(), &["corpus", "export", &name, "--test", "canloom"]);
    assert_eq!((ran.exit, ran.error.as_str()), (0, ""));
    assert!(ran.out.contains("canloom::testing::holds(") || ran.out.contains("holds("), "{}", ran.out);
    let ran = canloom(stage.folder(), &["corpus", "export", &name, "--test", "canloom", "--out", "package"]);
    assert_eq!((ran.exit, ran.error.as_str()), (0, ""));
    assert!(stage.file("package/Cargo.toml").exists() && stage.file("package/tests").is_dir());
    let ran = canloom(stage.folder(), &["corpus", "export", &name, "--test", "canloom", "--out", "package"]);
    assert_one_error(&ran, 2, &["package", "not empty"]);
}
