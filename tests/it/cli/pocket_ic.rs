//! `--engine pocket-ic` and `--confirm`: without a server, with what is none, and with a real one.
//!
//! What a run takes from its environment is set for the run alone. Those tests that need a real server say so if there is none.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::super::pocket_ic_server::{REMEDY, program, script};
use super::{Ran, assert_one_error, copied, files};

/// A run without a server ends within this time, on a machine that has much else to do, too.
const LIMIT: Duration = Duration::from_secs(120);

/// Runs canloom in this folder with these variables; without POCKET_IC_BIN, unless it is among them. It is ended after a time.
fn run(folder: &Path, arguments: &[&str], variables: &[(&str, &Path)]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_canloom"));
    command.current_dir(folder).args(arguments).env_remove("POCKET_IC_BIN").envs(variables.iter().copied());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("canloom runs");
    let begin = Instant::now();
    while child.try_wait().expect("it can be asked").is_none() {
        if begin.elapsed() > LIMIT {
            child.kill().expect("it can be ended");
            panic!("{arguments:?} runs for more than {} s", LIMIT.as_secs());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let output = child.wait_with_output().expect("it has ended");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Ran { exit: output.status.code().expect("no signal"), out: text(output.stdout), error: text(output.stderr) }
}

/// Runs canloom with the server of these tests.
fn run_with_server(folder: &Path, arguments: &[&str]) -> Ran {
    super::canloom(folder, arguments)
}

/// The counterexample of a scenario of the corpus that has one.
fn counterexample(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let names: Vec<String> = files(&folder).into_keys().filter(|name| name.ends_with(".cx")).collect();
    let [file] = &names[..] else { panic!("{names:?}") };
    folder.join(file).to_string_lossy().into_owned()
}

/// All commands that need a server, and no more than a fraction of a second before they do.
fn commands(file: &str) -> [Vec<&str>; 3] {
    [
        vec!["repro", file, "--engine", "pocket-ic"],
        vec!["explore", "scenario.toml", "--engine", "pocket-ic"],
        vec!["explore", "scenario.toml", "--confirm"],
    ]
}

#[test]
fn what_is_no_server_is_one_line_of_error_and_exit_1_before_anything_is_searched() {
    let odd = tempfile::tempdir().expect("a folder");
    let old = script(odd.path(), "echo pocket-ic-server 15.0.0");
    let nothing = odd.path().join("nothing");
    let cases: [(PathBuf, &str); 4] = [
        (nothing, "there is no such file"),
        (odd.path().to_owned(), "this is a directory"),
        (PathBuf::from("/bin/true"), "no PocketIC server: `--version` printed `"),
        (old, "version 15.0.0 of the PocketIC server, where one of 16.x is needed"),
    ];
    let file = counterexample("vault-stale");
    for arguments in commands(&file) {
        for (named, fault) in &cases {
            let (folder, _) = copied("vault-stale");
            let before = files(folder.path());
            let ran = run(folder.path(), &arguments, &[("POCKET_IC_BIN", named)]);
            let begins = format!("error: POCKET_IC_BIN={}: {fault}", named.display());
            assert_one_error(&ran, 1, &[&begins, REMEDY]);
            assert_eq!(files(folder.path()), before, "{arguments:?}");
        }
    }
}

#[test]
fn without_any_server_the_error_says_where_to_get_one() {
    let file = counterexample("vault-stale");
    for arguments in commands(&file) {
        let (folder, _) = copied("vault-stale");
        let empty = tempfile::tempdir().expect("a folder");
        let ran = run(folder.path(), &arguments, &[("TMPDIR", empty.path())]);
        let place = empty.path().join("pocket-ic-server-16.1.0").join("pocket-ic");
        let place = place.display();
        let text = format!("error: no PocketIC server: POCKET_IC_BIN is not set and there is no {place}{REMEDY}\n");
        assert_eq!((ran.exit, ran.out.as_str(), ran.error), (1, "", text), "{arguments:?}");
    }
}

#[test]
fn a_bad_scenario_is_told_before_a_server_is_looked_for() {
    let (folder, file) = copied("vault-stale");
    let text = std::fs::read_to_string(&file).expect("a scenario");
    std::fs::write(&file, text.replacen("book == real", "book == unreal", 1)).expect("written");
    let nothing = folder.path().join("nothing");
    for option in [&["--engine", "pocket-ic"][..], &["--confirm"]] {
        let arguments = [&["explore", "scenario.toml"], option].concat();
        assert_one_error(&run(folder.path(), &arguments, &[("POCKET_IC_BIN", &nothing)]), 2, &["unreal"]);
    }
}

#[test]
fn options_of_orders_do_not_go_with_a_replica() {
    let (folder, _) = copied("vault-stale");
    let before = files(folder.path());
    let text = "--engine pocket-ic plays random scripts: a replica lets nobody choose the order of messages, so --strategy, \
                --shard, --checkpoint and --confirm belong to the embedded engine";
    let nothing = folder.path().join("nothing");
    for options in [
        &["--strategy", "pct"][..],
        &["--strategy", "pos"],
        &["--strategy", "portfolio"],
        &["--strategy", "exhaustive"],
        &["--shard", "1/2"],
        &["--checkpoint", "saved"],
        &["--confirm"],
    ] {
        let arguments = [&["explore", "scenario.toml", "--engine", "pocket-ic"], options].concat();
        let ran = run(folder.path(), &arguments, &[("POCKET_IC_BIN", &nothing)]);
        assert_eq!((ran.exit, ran.out.as_str(), ran.error), (2, "", format!("error: {text}\n")), "{options:?}");
        assert_eq!(files(folder.path()), before, "{options:?}");
    }
    let shard = ["explore", "scenario.toml", "--confirm", "--shard", "1/2"];
    let text = "--confirm needs the whole search; `canloom repro FILE.cx --engine pocket-ic` confirms later";
    let ran = run(folder.path(), &shard, &[("POCKET_IC_BIN", &nothing)]);
    assert_eq!((ran.exit, ran.out.as_str(), ran.error), (2, "", format!("error: {text}\n")));
}

#[test]
fn repro_on_a_replica_exits_3_if_confirmed_and_5_if_not_expressible() {
    if program("repro_on_a_replica_exits_3_if_confirmed_and_5_if_not_expressible").is_none() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (stale, trap) = (counterexample("vault-stale"), counterexample("zoo-t08"));
    let ran = run_with_server(folder.path(), &["repro", &stale, "--engine", "pocket-ic", "--quiet"]);
    assert_eq!((ran.exit, ran.out.as_str(), ran.error.as_str()), (3, "confirmed (idle-round)\n", ""));
    let ran = run_with_server(folder.path(), &["repro", &trap, "--engine", "pocket-ic"]);
    let said = "not expressible: 0.1rt: a driver cannot make a callback trap that does not trap by itself\n";
    assert_eq!((ran.exit, ran.out.as_str(), ran.error.as_str()), (5, format!("\n{said}").as_str(), ""));
    let ran = run_with_server(folder.path(), &["repro", &stale, "--engine", "pocket-ic"]);
    assert_eq!((ran.exit, ran.error.as_str()), (3, ""));
    let shown: Vec<&str> = ran.out.lines().skip(1).map(str::trim_end).collect();
    assert_eq!(shown, CONFIRMED.lines().collect::<Vec<_>>(), "{}", ran.out);
}

/// After the line with the version of the server.
const CONFIRMED: &str = "    submit 0
    submit 1
    tick

then
          replica  embedded
    book  50       50
    real  20       20

confirmed (idle-round)";

#[test]
fn explore_with_confirm_says_of_each_violation_what_a_replica_says() {
    if program("explore_with_confirm_says_of_each_violation_what_a_replica_says").is_none() {
        return;
    }
    let (folder, _) = copied("vault-stale");
    let ran = run_with_server(folder.path(), &["explore", "scenario.toml", "--confirm", "--json", "-"]);
    assert_eq!((ran.exit, ran.error.as_str()), (3, ""));
    let document: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!((&document["engine"], &document["strategy"]), (&"embedded".into(), &"exhaustive".into()));
    let violations = document["violations"].as_array().expect("a list");
    let [violation] = &violations[..] else { panic!("{violations:?}") };
    assert_eq!((&violation["pocket_ic"], &violation["class"]), (&"confirmed".into(), &"idle-round".into()));

    let (folder, _) = copied("vault-stale");
    let ran = run_with_server(folder.path(), &["explore", "scenario.toml", "--confirm", "--quiet"]);
    let said = "vault-stale: violated\n\n\"book equals ledger when quiet\" confirmed (idle-round)\n";
    assert_eq!((ran.exit, ran.out.as_str(), ran.error.as_str()), (3, said, ""));
}

#[test]
fn explore_on_a_replica_reports_random_scripts_as_json() {
    if program("explore_on_a_replica_reports_random_scripts_as_json").is_none() {
        return;
    }
    let (folder, _) = copied("vault-stale");
    let arguments = ["explore", "scenario.toml", "--engine", "pocket-ic", "--schedules", "4", "--json", "-"];
    let ran = run_with_server(folder.path(), &arguments);
    assert_eq!((ran.exit, ran.error.as_str()), (3, ""));
    let document: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!((&document["engine"], &document["strategy"]), (&"pocket-ic".into(), &"random".into()));
    assert_eq!((&document["verdict"], &document["exhaustive"]), (&"violated".into(), &false.into()));
    assert_eq!((&document["seed"], &document["schedules"]), (&0.into(), &4.into()));
    let saved = super::counterexample(folder.path());
    assert_eq!(document["violations"][0]["file"], saved);
    let ran = super::canloom(folder.path(), &["repro", &saved, "--quiet"]);
    assert_eq!((ran.exit, ran.out.as_str(), ran.error.as_str()), (3, "reproduced\n", ""));
}
