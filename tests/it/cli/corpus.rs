//! `canloom corpus`, `shrink` and `report`: outcomes with their exit codes, and files that nothing harms.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::super::stage::{Stage, call, observe};
use super::super::wat_canister::{Wait, canister, forwarder, ledger};
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
fn hostile_files_are_refused_with_one_error() {
    let (stage, name) = accepted();
    let text = std::fs::read_to_string(stage.file(&name)).expect("a file");
    let (head, _) = text.split_once("\n\n").expect("a head");
    let million = format!("{head}\n\n{}", "0\n".repeat(1_000_000));
    let huge = format!("{head}\n\n{}", "# ".repeat(3 << 20));
    for (what, hostile) in [
        ("unknown format version", text.replacen("counterexample 1", "counterexample 9", 1)),
        ("a header line reads", format!("{head}\n<script>")),
        ("the header lacks `scenario`", "canloom counterexample 1\n".to_string()),
        ("without `..`", text.replacen("scenario.toml", "../../etc/passwd", 1)),
        ("without `..`", text.replacen("scenario.toml", "/etc/passwd", 1)),
        ("more than 100000 steps", million),
        ("larger than 4 MiB; is this a counterexample?", huge),
        ("is not the name of a step", format!("{head}\n\n99999999999999999999\n")),
        ("unknown status `maybe`", text.replacen("tool: ", "status: maybe\ntool: ", 1)),
    ] {
        std::fs::write(stage.file("hostile.cx"), hostile).expect("the folder can be written");
        for command in [&["repro"][..], &["shrink"], &["report", "--html", "-"]] {
            let arguments: Vec<&str> = command.iter().copied().chain(["hostile.cx"]).collect();
            assert_one_error(&canloom(stage.folder(), &arguments), 2, &["hostile.cx", what]);
        }
        let ran = check(&stage);
        assert_eq!(ran.exit, 2, "{what}");
        assert!(ran.out.contains(what), "{what}: {}", ran.out);
    }
    // Steps of calls and canisters that there are not end at the first of them, however many come.
    for step in ["400000", "nobody.t1", "c0.upgrade7", "@9", "0{x=1}", "0.1r.1r.1r.1r"] {
        let steps = format!("{head}\n\n{}", format!("{step}\n").repeat(20_000));
        std::fs::write(stage.file("hostile.cx"), steps).expect("the folder can be written");
        let ran = canloom(stage.folder(), &["repro", "hostile.cx"]);
        assert_one_error(&ran, 4, &["divergence at step 1"]);
        let ran = canloom(stage.folder(), &["shrink", "hostile.cx"]);
        assert_one_error(&ran, 4, &["divergence at step 1"]);
    }
}

#[test]
fn links_and_cycles_in_a_corpus_are_not_followed() {
    let (stage, name) = accepted();
    let elsewhere = tempfile::tempdir().expect("a folder");
    std::fs::write(elsewhere.path().join("secret.cx"), "secret").expect("it can be written");
    symlink(elsewhere.path(), stage.file("out")).expect("links can be made");
    symlink(stage.folder(), stage.file("round")).expect("links can be made");
    symlink(elsewhere.path().join("secret.cx"), stage.file("secret.cx")).expect("links can be made");
    let ran = check(&stage);
    assert_eq!(
        (ran.exit, ran.out.as_str()),
        (0, format!("open:  ./{name}\n1 open, 0 fixed: as they should be\n").as_str())
    );
    assert_eq!(canloom(stage.folder(), &["corpus", "prune", "."]).exit, 0);
    assert!(elsewhere.path().join("secret.cx").exists());
}

/// Everything in a folder is whole: each counterexample reads, and at least this many bugs are there.
fn assert_whole(folder: &Path, contents: &str) {
    let mut found = 0;
    for (name, bytes) in files(folder) {
        if name.ends_with(".cx") || name.ends_with(".cx.new") {
            assert_eq!(String::from_utf8_lossy(&bytes), contents, "{name}");
            found += 1;
        }
    }
    assert!(found >= 1, "it is lost");
}

#[test]
fn kills_at_any_moment_lose_nothing_and_leave_nothing_half_written() {
    let (stage, name) = found();
    let contents = std::fs::read_to_string(stage.file(&name)).expect("a file");
    let accepted = name.strip_suffix(".new").expect("it is new");
    for kill in 0..100u64 {
        let arguments: &[&str] = match kill % 3 {
            0 => &["corpus", "accept", "."],
            1 => &["shrink", "--quiet", accepted],
            _ => &["corpus", "prune", "."],
        };
        let mut child = Command::new(env!("CARGO_BIN_EXE_canloom"))
            .current_dir(stage.folder())
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("canloom runs");
        std::thread::sleep(Duration::from_millis(kill * 3 % 97));
        let _ = child.kill();
        child.wait().expect("it ends");
        assert_whole(stage.folder(), &contents);
        if kill % 3 == 2 {
            // From the beginning: the same file under two names, or one of them.
            let from = if stage.file(accepted).exists() { accepted } else { &name };
            let text = std::fs::read(stage.file(from)).expect("a file");
            let _ = std::fs::remove_file(stage.file(accepted));
            let _ = std::fs::remove_file(stage.file(&format!("{accepted}.new")));
            std::fs::write(stage.file(&format!("{accepted}.new")), text).expect("it can be written");
        }
    }
}

#[test]
fn two_processes_at_once_do_not_harm_a_corpus() {
    for _ in 0..10 {
        let (stage, name) = found();
        let contents = std::fs::read_to_string(stage.file(&name)).expect("a file");
        let run = |command: &str| {
            Command::new(env!("CARGO_BIN_EXE_canloom"))
                .current_dir(stage.folder())
                .args(["corpus", command, "."])
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .expect("canloom runs")
        };
        let all = ["accept", "accept", "prune", "migrate"].map(run);
        for child in all {
            let output = child.wait_with_output().expect("it ends");
            assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        }
        assert_whole(stage.folder(), &contents);
    }
}

#[test]
fn reports_for_ci_are_written_where_they_are_asked_for() {
    let (stage, _) = found();
    let files = ["--html", "r.html", "--junit", "r.xml", "--sarif", "r.sarif"];
    let ran = canloom(stage.folder(), &[&["explore", "--quiet", "scenario.toml"][..], &files].concat());
    assert_eq!((ran.exit, ran.error.as_str(), ran.out.as_str()), (3, "", "test: violated\n"));
    let read = |name: &str| std::fs::read_to_string(stage.file(name)).expect("it was written");
    assert!(read("r.html").starts_with("<!DOCTYPE html>") || read("r.html").starts_with("<!doctype html>"));
    let junit = read("r.xml");
    assert!(junit.contains("tests=\"2\" failures=\"1\"") && junit.contains("name=\"order is kept\""), "{junit}");
    let sarif: serde_json::Value = serde_json::from_str(&read("r.sarif")).expect("JSON");
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "order is kept");
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "scenario.toml", "the modules have no debug information");
    assert!(place["region"]["startLine"].as_u64().is_some_and(|line| line > 1));
}

#[test]
fn names_cannot_leave_the_page_or_the_diagram() {
    let name = "</script><script>window.__pwned=1</script>";
    let stage = Stage::new(
        &[canister("(func (export \"canister_update w\") (call $reply))")],
        &format!(
            "{}[[invariant]]\nname = '{name}'\nwhen = \"always\"\nexpr = \"count(done(\\\"w\\\")) == 0\"\n",
            call("w", 0, "w", "")
        ),
    );
    let ran = canloom(stage.folder(), &["explore", "--quiet", "scenario.toml", "--html", "r.html"]);
    assert_eq!(ran.exit, 3, "{}", ran.error);
    let page = std::fs::read_to_string(stage.file("r.html")).expect("it was written");
    assert!(!page.contains(name) && page.matches("<script").count() == 2, "the page's own, and its data");
    let file = files(stage.folder()).into_keys().find(|name| name.ends_with(".cx.new")).expect("it was saved");
    let ran = canloom(stage.folder(), &["report", &file, "--mermaid", "-"]);
    assert_eq!((ran.exit, ran.error.as_str()), (0, ""));
    assert!(ran.out.starts_with("sequenceDiagram\n") && !ran.out.contains('<'), "{}", ran.out);
    let ran = canloom(stage.folder(), &["report", &file, "--json", "-"]);
    let story: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!((&story["invariant"], story["steps"].as_array().map(Vec::len)), (&name.into(), Some(1)));
    assert_one_error(&canloom(stage.folder(), &["corpus", "check", "scenario.toml"]), 2, &["not a counterexample"]);
}

#[test]
fn a_link_under_the_name_of_a_half_written_file_is_not_followed() {
    let (stage, name) = accepted();
    let victim = stage.file("victim");
    std::fs::write(&victim, "mine").expect("it can be written");
    for pid in 1..200 {
        let _ = symlink(&victim, stage.file(&format!("{name}.{pid}.tmp")));
    }
    correct(&stage);
    assert_eq!(canloom(stage.folder(), &["corpus", "accept", "--fixed", &name]).exit, 0);
    assert_eq!(std::fs::read_to_string(&victim).expect("a file"), "mine");
    assert!(!stage.file(&name).is_symlink());
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
fn a_report_overwrites_no_source() {
    let (stage, name) = found();
    let before = files(stage.folder());
    for place in [name.as_str(), "scenario.toml", "c0.wasm"] {
        assert_one_error(&canloom(stage.folder(), &["report", &name, "--html", place]), 2, &["overwrite a source"]);
        let ran = canloom(stage.folder(), &["explore", "scenario.toml", "--junit", place]);
        assert_one_error(&ran, 2, &["overwrite a source"]);
        let ran = canloom(stage.folder(), &["explore", "scenario.toml", "--json", place]);
        assert_one_error(&ran, 2, &["overwrite a source"]);
    }
    let both = canloom(stage.folder(), &["report", &name, "--html", "-", "--mermaid", "-"]);
    assert_one_error(&both, 2, &["only one of"]);
    assert_eq!(files(stage.folder()), before);
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

#[test]
fn a_shard_has_no_reports_of_the_whole() {
    let (stage, _) = found();
    for option in [["--html", "r.html"], ["--junit", "r.xml"], ["--sarif", "r.sarif"], ["--fail-on", "new"]] {
        let ran = canloom(stage.folder(), &[&["explore", "scenario.toml", "--shard", "1/2"][..], &option].concat());
        assert_one_error(&ran, 2, &["a shard is a part of it"]);
    }
}

#[test]
fn check_writes_junit() {
    let (stage, name) = accepted();
    assert_eq!(canloom(stage.folder(), &["corpus", "check", ".", "--junit", "r.xml"]).exit, 0);
    let report = std::fs::read_to_string(stage.file("r.xml")).expect("it was written");
    assert!(report.contains("tests=\"1\" failures=\"0\"") && report.contains(&name), "{report}");
}
