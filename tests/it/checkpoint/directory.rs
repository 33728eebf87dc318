//! What `--checkpoint` refuses, and that it leaves what it refuses as it was.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use canloom::explore::Checkpoint;

use super::super::stage::Stage;
use super::{APPROVALS, explore_saving, open, withdrawals};

struct Ran {
    exit: i32,
    out: String,
    error: String,
}

fn ran(command: &mut Command) -> Ran {
    let output = command.output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Ran { exit: output.status.code().expect("no signal"), out: text(output.stdout), error: text(output.stderr) }
}

fn explore(folder: &Path, scenario: &str, checkpoint: &str) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_canloom"));
    ran(command.current_dir(folder).args(["explore", scenario, "--quiet", "--checkpoint", checkpoint]))
}

/// Asserts that a run ended with this code and one line of error that says all of this.
fn assert_refused(ran: &Ran, exit: i32, parts: &[&str]) {
    assert_eq!((ran.exit, ran.out.as_str(), ran.error.lines().count()), (exit, "", 1), "{}", ran.error);
    for part in parts {
        assert!(ran.error.contains(part), "`{part}` is not in: {}", ran.error);
    }
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.map(|file| (file.display().to_string(), std::fs::read(&file).expect("a file"))).collect()
}

/// A folder with a scenario whose search was saved in `saved`.
fn saved() -> Stage {
    let stage = withdrawals(2, "");
    explore_saving(&stage.file("scenario.toml"), &stage.file("saved"), 1).expect("it can be saved");
    stage
}

#[test]
fn a_checkpoint_of_another_scenario_module_or_option_is_refused_and_stays_as_it_was() {
    let stage = saved();
    let before = files(&stage.file("saved"));
    let text = std::fs::read_to_string(stage.file("scenario.toml")).expect("a scenario");
    let refused = |text: &str, what: &str| {
        std::fs::write(stage.file("other.toml"), text).expect("it can be written");
        let ran = explore(stage.folder(), "other.toml", "saved");
        assert_refused(&ran, 2, &["the checkpoint saved belongs to another search", what, "or delete this one"]);
    };
    refused(&text.replace("\"test\"", "\"best\""), "for the scenario `test`, and this is `best`");
    refused(&text.replace("(1 : nat32)", "(5 : nat32)"), "the scenario file has changed");
    refused(&text.replace("total != 897", "total != 896"), "the scenario file has changed");
    refused(&(text.clone() + "[explore]\ncalls = 1\n"), "the scenario file has changed");
    let engine = open(&stage.file("scenario.toml"));
    let error = Checkpoint::open(&stage.file("saved"), &engine, "--shard 1/2").unwrap_err().to_string();
    assert!(error.contains("with the options none, and this is `--shard 1/2`"), "{error}");
    // The same module with another name in a section that no code can see.
    let module = std::fs::read(stage.file("c0.wasm")).expect("a module");
    let changed = [module.as_slice(), b"\x00\x03\x01xx"].concat();
    std::fs::write(stage.file("c0.wasm"), changed).expect("it can be written");
    let ran = explore(stage.folder(), "scenario.toml", "saved");
    assert_refused(&ran, 2, &["the module of canister `c0` has changed since"]);
    assert_eq!(files(&stage.file("saved")), before);
    std::fs::write(stage.file("c0.wasm"), module).expect("it can be written");
    assert_eq!(explore(stage.folder(), "scenario.toml", "saved").exit, 3);
}

#[test]
fn a_scenario_that_lies_elsewhere_is_the_same_one() {
    let stage = saved();
    let other = tempfile::tempdir().expect("a folder can be made");
    for name in ["c0.wasm", "c1.wasm", "scenario.toml"] {
        std::fs::copy(stage.file(name), other.path().join(name)).expect("it is there");
    }
    let folder = stage.file("saved").display().to_string();
    assert_eq!(explore(other.path(), "scenario.toml", &folder).exit, 3);
}

#[test]
fn two_runs_on_one_directory_exclude_each_other() {
    let stage = saved();
    let engine = open(&stage.file("scenario.toml"));
    let held = Checkpoint::open(&stage.file("saved"), &engine, "").expect("nobody uses it");
    let before = files(&stage.file("saved"));
    let ran = explore(stage.folder(), "scenario.toml", "saved");
    assert_refused(&ran, 1, &["another run of canloom uses the checkpoint saved", "wait for its end"]);
    assert_eq!(files(&stage.file("saved")), before);
    drop(held);
    assert_eq!(explore(stage.folder(), "scenario.toml", "saved").exit, 3);
}

#[test]
fn directories_that_are_something_else_are_refused_and_stay_as_they_were() {
    let stage = saved();
    let refused = |checkpoint: &str, parts: &[&str]| {
        assert_refused(&explore(stage.folder(), "scenario.toml", checkpoint), 2, parts);
    };
    refused("c0.wasm", &["the checkpoint c0.wasm is not a directory"]);
    refused("no/where", &["cannot make the checkpoint directory no/where: its parent is not there"]);
    assert!(!stage.file("no").exists());
    std::fs::create_dir(stage.file("mine")).expect("it can be made");
    std::fs::write(stage.file("mine/notes"), "mine").expect("it can be written");
    refused("mine", &["mine is not empty and holds no checkpoint"]);
    assert_eq!(files(&stage.file("mine")).len(), 1);
    std::fs::write(stage.file("mine/log"), "a log of something else").expect("it can be written");
    refused("mine", &["mine/log is not a checkpoint of canloom"]);
    std::fs::create_dir_all(stage.file("odd/log")).expect("it can be made");
    refused("odd", &["odd/log is not a file"]);
}

#[test]
fn an_empty_directory_and_one_whose_run_was_killed_early_begin_anew() {
    let stage = withdrawals(2, "");
    std::fs::create_dir(stage.file("empty")).expect("it can be made");
    std::fs::write(stage.file("empty/lock"), "").expect("it can be written");
    std::fs::write(stage.file("empty/log.new"), "canloom che").expect("it can be written");
    assert_eq!(explore(stage.folder(), "scenario.toml", "empty").exit, 3);
    assert!(!stage.file("empty/log.new").exists());
}

#[test]
fn a_full_disk_ends_the_run_with_an_error_and_leaves_what_was_saved() {
    // Without wasm: the engine keeps the first contents of a heap in a file of the system, which the limit would be for, too.
    let stage = Stage::new(&[], APPROVALS);
    let whole = explore(stage.folder(), "scenario.toml", "whole");
    let size = std::fs::metadata(stage.file("whole/log")).expect("a log").len();
    // A file may have a quarter of that, in blocks of 512 bytes, and the signal that would say so is ignored.
    let limited = |checkpoint: &str, blocks: u64| {
        let script =
            format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" explore scenario.toml --checkpoint {checkpoint}");
        let mut command = Command::new("sh");
        ran(command.current_dir(stage.folder()).args(["-c", &script, env!("CARGO_BIN_EXE_canloom")]))
    };
    let error = limited("full", size / 4 / 512);
    let says = ["cannot write full/log: File too large", "the checkpoint holds everything up to the save before"];
    assert_refused(&error, 1, &says);
    let left = files(&stage.file("full"));
    let again = explore(stage.folder(), "scenario.toml", "full");
    assert_eq!((again.exit, &again.out), (whole.exit, &whole.out));
    let log = std::fs::read(stage.file("full/log")).expect("a log");
    let name = stage.file("full/log").display().to_string();
    assert!(log.starts_with(&left[&name]), "what was saved is still there");
    let error = limited("none", 0);
    assert_refused(&error, 1, &["cannot write none/log: File too large"]);
    assert!(!stage.file("none/log").exists());
}

#[test]
fn a_scenario_of_one_call_is_saved_like_any_other() {
    let text = "[canister.s]\nbuiltin = \"stub\"\n[canister.s.replies]\nm = \"(1)\"\n";
    let stage =
        Stage::new(&[], &(text.to_string() + "[[call]]\nid = \"m\"\nto = \"s\"\nmethod = \"m\"\nby = [\"alice\"]\n"));
    for _ in 0..2 {
        assert_eq!(explore(stage.folder(), "scenario.toml", "checkpoint").exit, 0);
    }
}
