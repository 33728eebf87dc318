//! The command line as people and programs meet it: the real binary, its exit codes, outputs and errors.

mod bad_input;
mod bounds;
#[cfg(unix)]
mod corpus;
#[cfg(unix)]
mod interrupt;
mod merge;
#[cfg(all(feature = "pocket-ic", unix))]
mod pocket_ic;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::stage::{Stage, call, observe};
use super::wat_canister::{Wait, forwarder, ledger};

/// What a run of canloom left.
struct Ran {
    exit: i32,
    out: String,
    error: String,
}

/// Runs canloom in this folder; output goes to pipes.
fn canloom(folder: &Path, arguments: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_canloom"));
    let output = command.current_dir(folder).args(arguments).output().expect("canloom runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Ran { exit: output.status.code().expect("no signal"), out: text(output.stdout), error: text(output.stderr) }
}

/// Names and contents of a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let named = entries.map(|path| {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        (name, std::fs::read(&path).expect("a file"))
    });
    named.collect()
}

/// Two withdrawals, and an invariant that one of the two orders of the ledger violates.
pub(super) fn violated() -> Stage {
    stage("total != 897", "")
}

fn held() -> Stage {
    stage("total > 0", "")
}

fn stage(expr: &str, rest: &str) -> Stage {
    let calls: String =
        [0, 1].map(|at| call(&format!("w{at}"), 0, "w", &format!("args = \"({at} : nat32)\""))).concat();
    let invariant = format!("[[invariant]]\nname = \"order is kept\"\nwhen = \"always\"\nexpr = \"{expr}\"\n");
    let seen = "[[invariant]]\nname = \"both wait\"\nwhen = \"sometimes\"\nexpr = 'count(open(\"w0\")) + count(open(\"w1\")) == 2'\n";
    Stage::new(
        &[forwarder(&[1], Wait::Unbounded), ledger()],
        &format!("{calls}{}{invariant}{seen}{rest}", observe(1, "total")),
    )
}

/// The file of the only counterexample in a folder.
fn counterexample(folder: &Path) -> String {
    let names: Vec<String> = files(folder).into_keys().filter(|name| name.contains(".cx")).collect();
    let [name] = &names[..] else { panic!("{names:?}") };
    name.clone()
}

/// Asserts that a run ended with this code and one line of error that says all of this; nothing else was printed.
fn assert_one_error(ran: &Ran, exit: i32, parts: &[&str]) {
    assert_eq!((ran.exit, ran.out.as_str()), (exit, ""), "{}", ran.error);
    assert!(ran.error.starts_with("error: "), "{}", ran.error);
    assert_eq!(ran.error.lines().count(), 1, "{}", ran.error);
    assert!(!ran.error.contains("panick") && !ran.error.contains("RUST_BACKTRACE"), "{}", ran.error);
    for part in parts {
        assert!(ran.error.contains(part), "`{part}` is not in: {}", ran.error);
    }
}

/// Explores a scenario whose file was changed by `from` to `to`; nothing may be written.
fn explore_changed(from: &str, to: &str) -> Ran {
    let stage = held();
    let file = stage.file("scenario.toml");
    let text = std::fs::read_to_string(&file).expect("a scenario");
    assert!(text.contains(from), "{from} is not in {text}");
    std::fs::write(&file, text.replacen(from, to, 1)).expect("the folder can be written");
    explore_untouched(&stage)
}

/// Explores a scenario; nothing may be written.
fn explore_untouched(stage: &Stage) -> Ran {
    let before = files(stage.folder());
    let ran = canloom(stage.folder(), &["explore", "scenario.toml"]);
    assert_eq!(files(stage.folder()), before, "files were written");
    ran
}

#[test]
fn explore_of_a_violated_scenario_exits_3_with_the_counterexample_in_full() {
    let stage = violated();
    let ran = canloom(stage.folder(), &["explore", "scenario.toml"]);
    assert_eq!((ran.exit, ran.error.as_str()), (3, ""));
    let rate = ran.out.lines().nth(2).expect("a line of bounds");
    let name = counterexample(stage.folder());
    let shown = ran.out.replace(rate, "BOUNDS").replace(&name, "FILE");
    assert_eq!(shown, EXPLORED.trim_start(), "{}", ran.out);
    assert!(rate.starts_with("bounds: 2 calls, 2 in flight, 0 faults (14 interleavings without faults); "), "{rate}");
}

const EXPLORED: &str = r#"
test: violated
14 interleavings, 21 worlds, 8 wasm executions, exhaustive: yes
BOUNDS
violated: "order is kept" in 4 worlds; simplest: 2 calls, 0 faults, 4 deliveries (grade A)
seen: "both wait"

coverage: 1 of 1 pairs of an await point and a method delivered while it was open
  c0.w -> c1.t  w

counterexample to "order is kept"

        at the start: total = 100
1  1    alice calls c0.w(1 : nat32)  [w1]
        sends 1.1 c1.t(1) (unbounded wait)
        awaits: what it wrote is committed, any other message may run now
        total = 100
2  1.1  c1 executes t(1) from c0
        answers 1.1: reply ()
        total = 100 -> 299
3  0    alice calls c0.w(0 : nat32)  [w0]
        sends 0.1 c1.t(0) (unbounded wait)
        awaits: what it wrote is committed, any other message may run now
        total = 299
4  0.1  c1 executes t(0) from c0
        answers 0.1: reply ()
        total = 299 -> 897

violated after step 4: total != 897  with total = 897

           alice            c0              c1
1            |-------------->|               |
1.1          |               |-------------->|
0            |-------------->|               |
0.1          |               |-------------->|

why: Call 1 (c0.w) ran up to its await on c1.t (in send); while it waited, call 0 (c0.w) ran (step 3).
     It still waits; after step 4 total != 897 does not hold, with total = 897.
await: c0.w -> c1.t  in send
it matters that: 1 before 0 (any of them the other way round: not violated)
interleavings that come to it: 7 of 14, 50.0 %; from 1 on 100 %; from 1.1 on 100 %; from 0 on 100 %; from 0.1 on 100 %

replay: canloom repro FILE
"#;

#[test]
fn explore_of_a_scenario_that_holds_exits_0_and_writes_nothing() {
    let ran = explore_untouched(&held());
    assert_eq!((ran.exit, ran.error.as_str()), (0, ""));
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines[0], "test: held");
    assert!(lines[1].starts_with("14 interleavings, ") && lines[1].ends_with(", exhaustive: yes"), "{}", ran.out);
    let coverage = "coverage: 1 of 1 pairs of an await point and a method delivered while it was open";
    assert_eq!(lines[3..], ["seen: \"both wait\"", "", coverage, "  c0.w -> c1.t  w"]);
}

#[test]
fn unseen_sometimes_exits_3() {
    let ran = explore_changed("count(open(\"w1\")) == 2", "count(open(\"w1\")) == 3");
    assert_eq!((ran.exit, ran.error.as_str()), (3, ""));
    assert!(ran.out.starts_with("test: violated\n") && ran.out.contains("never seen: \"both wait\"\n"), "{}", ran.out);
}

#[test]
fn quiet_prints_the_verdict_only() {
    for (stage, exit, line) in [(violated(), 3, "test: violated\n"), (held(), 0, "test: held\n")] {
        let ran = canloom(stage.folder(), &["explore", "--quiet", "scenario.toml"]);
        assert_eq!((ran.exit, ran.out.as_str(), ran.error.as_str()), (exit, line, ""));
    }
}

#[test]
fn json_has_exactly_the_keys_of_the_design_and_what_was_searched_by_number_of_faults() {
    let stage = violated();
    let ran = canloom(stage.folder(), &["explore", "--json", "-", "scenario.toml"]);
    assert_eq!((ran.exit, ran.error.as_str()), (3, ""));
    let keys = |indent: &str| -> Vec<String> {
        let key = |line: &str| {
            let key = line.strip_prefix(indent)?.strip_prefix('"')?;
            key.split_once("\":").map(|(key, _)| key.to_string())
        };
        ran.out.lines().filter_map(key).collect()
    };
    let top = [
        "scenario",
        "engine",
        "strategy",
        "verdict",
        "exhaustive",
        "interleavings",
        "interleavings_without_faults",
        "worlds",
        "wasm_executions",
        "deliveries",
        "elapsed_s",
        "violations",
        "sometimes",
        "calls",
        "by_faults",
        "coverage",
        "seed",
        "schedules",
        "sampled_worlds",
    ];
    assert_eq!(keys("  "), top);
    let document: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(document["interleavings"], "14");
    assert_eq!(document["interleavings_without_faults"], "14");
    assert_eq!((&document["verdict"], &document["exhaustive"]), (&"violated".into(), &true.into()));
    assert_eq!((&document["engine"], &document["strategy"]), (&"embedded".into(), &"exhaustive".into()));
    assert_eq!(document["sometimes"], serde_json::json!({ "both wait": true }));
    // Beside those of the design: the number of violating worlds, whether the scenario expects the violation, what it hangs on,
    // and whether something simpler exists.
    let violation = ["invariant", "grade", "class", "calls", "deliveries", "faults", "worlds", "expected", "file"];
    let violation = [&violation[..], &["await", "place", "minimal"]].concat();
    let by_faults = ["faults", "worlds", "expanded"];
    let points = ["c0.w -> c1.t"];
    let answers = ["started", "ok", "err"];
    assert_eq!(keys("      "), [&violation[..], &answers[..], &answers[..], &by_faults[..], &points[..]].concat());
    let answered = serde_json::json!({ "started": true, "ok": true, "err": false });
    assert_eq!(document["calls"], serde_json::json!({ "w0": answered, "w1": answered }));
    let point = serde_json::json!({ "c0.w -> c1.t": { "seen": ["w"], "unseen": [] } });
    assert_eq!(document["coverage"], serde_json::json!({ "seen": 1, "possible": 1, "await_points": point }));
    let worlds = &document["worlds"];
    assert_eq!(document["by_faults"], serde_json::json!([{ "faults": 0, "worlds": worlds, "expanded": worlds }]));
    let violation = &document["violations"][0];
    let found = ["calls", "deliveries", "faults"].map(|key| violation[key].as_u64());
    assert_eq!((found, &violation["grade"]), ([Some(2), Some(4), Some(0)], &"A".into()));
    assert_eq!(violation["file"], counterexample(stage.folder()));
}

#[test]
fn json_into_a_file_leaves_the_report_on_standard_output() {
    let stage = held();
    let ran = canloom(stage.folder(), &["explore", "--json", "report.json", "scenario.toml"]);
    assert_eq!((ran.exit, ran.error.as_str()), (0, ""));
    assert!(ran.out.starts_with("test: held\n"));
    let document = std::fs::read_to_string(stage.file("report.json")).expect("a report");
    assert!(document.contains("\"verdict\": \"held\""), "{document}");
}

#[test]
fn budget_that_ends_first_exits_5() {
    let ran = canloom(held().folder(), &["explore", "--budget", "0ms", "scenario.toml"]);
    assert_eq!((ran.exit, ran.error.as_str()), (5, ""));
    assert!(ran.out.starts_with("test: inconclusive\nuncounted interleavings, "), "{}", ran.out);
    assert!(ran.out.contains("exhaustive: no, the budget ended first"), "{}", ran.out);
    let enough = canloom(held().folder(), &["explore", "--budget", "60s", "scenario.toml"]);
    assert_eq!(enough.exit, 0);
    let without_unit = canloom(held().folder(), &["explore", "--budget", "60", "scenario.toml"]);
    assert_eq!((without_unit.exit, without_unit.out.as_str()), (2, ""));
    assert!(without_unit.error.contains("a time needs a unit"), "{}", without_unit.error);
}

#[test]
fn wrong_usage_exits_2_and_help_names_the_exit_codes() {
    let folder = tempfile::tempdir().expect("a folder");
    for arguments in [&[][..], &["explode"], &["explore"], &["explore", "--frobnicate", "x"], &["repro"]] {
        assert_eq!(canloom(folder.path(), arguments).exit, 2, "{arguments:?}");
    }
    let help = canloom(folder.path(), &["--help"]);
    assert_eq!((help.exit, help.error.as_str()), (0, ""));
    assert!(
        help.out.contains("Exit codes: 0 held, 1 internal error, 2 bad usage or input, 3 violated"),
        "{}",
        help.out
    );
}

#[test]
fn repro_of_a_finding_exits_3_and_prints_the_same_counterexample() {
    let stage = violated();
    let explored = canloom(stage.folder(), &["explore", "scenario.toml"]);
    let name = counterexample(stage.folder());
    assert!(name.starts_with("order-is-kept-") && name.ends_with(".cx.new"), "{name}");
    let last = explored.out.lines().last().expect("a line");
    assert_eq!(last, format!("replay: canloom repro {name}"));
    let ran = canloom(stage.folder(), &["repro", &name]);
    assert_eq!((ran.exit, ran.error.as_str()), (3, ""));
    let body = ran.out.strip_suffix("\nreproduced\n").expect("its last line");
    assert!(explored.out.contains(body), "{body}");
    let quiet = canloom(stage.folder(), &["repro", "--quiet", &name]);
    assert_eq!((quiet.exit, quiet.out.as_str(), quiet.error.as_str()), (3, "reproduced\n", ""));
}

#[test]
fn repro_of_a_schedule_that_holds_now_exits_6() {
    let (stage, name) = found();
    change(&stage, &name, "\n1\n1.1\n", "\n");
    let ran = canloom(stage.folder(), &["repro", "--quiet", &name]);
    assert_eq!(ran.out, "not reproduced: the invariant holds on this schedule\n", "{}", ran.error);
    assert_eq!((ran.exit, ran.error.as_str()), (6, ""));
}

/// A violated scenario with its counterexample.
fn found() -> (Stage, String) {
    let stage = violated();
    canloom(stage.folder(), &["explore", "--quiet", "scenario.toml"]);
    let name = counterexample(stage.folder());
    (stage, name)
}

fn change(stage: &Stage, name: &str, from: &str, to: &str) {
    let file = stage.file(name);
    let text = std::fs::read_to_string(&file).expect("a file");
    assert!(text.contains(from), "{from} is not in {text}");
    std::fs::write(file, text.replacen(from, to, 1)).expect("the folder can be written");
}

#[test]
fn known_counterexample_is_named_and_not_written_again() {
    let (stage, name) = found();
    let accepted = name.strip_suffix(".new").expect("new").to_string();
    std::fs::rename(stage.file(&name), stage.file(&accepted)).expect("the folder can be written");
    change(&stage, &accepted, "tool: canloom", "tool: reviewed");
    let before = files(stage.folder());
    let ran = canloom(stage.folder(), &["explore", "scenario.toml"]);
    assert_eq!((ran.exit, ran.error.as_str()), (3, ""));
    assert!(ran.out.ends_with(&format!("\nreplay: canloom repro {accepted}\n")), "{}", ran.out);
    assert_eq!(files(stage.folder()), before, "an accepted counterexample stays as it is");
}

#[test]
fn replay_that_diverges_exits_4() {
    let (stage, name) = found();
    change(&stage, &name, "\n0.1\n", "\n0.2\n");
    let parts = [name.as_str(), "divergence at step ", "`0.2`", "possible here: "];
    assert_one_error(&canloom(stage.folder(), &["repro", &name]), 4, &parts);
}

#[test]
fn another_module_hash_alone_is_a_warning() {
    let (stage, name) = found();
    let text = std::fs::read_to_string(stage.file(&name)).expect("a file");
    let hash = text.lines().find_map(|line| line.strip_prefix("module c1: ")).expect("a hash").to_string();
    change(&stage, &name, &hash, &"0".repeat(64));
    let ran = canloom(stage.folder(), &["repro", "--quiet", &name]);
    assert_eq!((ran.exit, ran.out.as_str()), (3, "reproduced\n"));
    let warning = "the module of canister `c1` is another one than when this was found";
    let remedy = format!("`canloom corpus migrate {name}` notes the one of today");
    assert_eq!(ran.error, format!("warning: {name}: {warning}; {remedy}\n"));
}

/// A scenario of the corpus, copied to a folder of its own.
fn copied(name: &str) -> (tempfile::TempDir, PathBuf) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("corpus").join(name).join("scenario.toml")).expect("a scenario");
    let built = root.join("target/canisters");
    assert!(built.join("vault.wasm").exists(), "{} has no vault.wasm: run `make canisters`", built.display());
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("scenario.toml");
    std::fs::write(&file, text.replace("../../", &format!("{}/", root.display()))).expect("written");
    (folder, file)
}

#[test]
fn vaults_exit_as_the_readme_says() {
    for (name, exit, verdict) in
        [("vault-stale", 3, "violated"), ("vault-rollback", 3, "violated"), ("vault-sound", 0, "held")]
    {
        let (folder, _) = copied(name);
        let ran = canloom(folder.path(), &["explore", "scenario.toml"]);
        assert_eq!((ran.exit, ran.error.as_str()), (exit, ""), "{name}");
        assert!(ran.out.starts_with(&format!("{name}: {verdict}\n")), "{}", ran.out);
        assert!(ran.out.contains(", exhaustive: yes\n"), "{}", ran.out);
    }
    let (folder, _) = copied("vault-stale");
    let ran = canloom(folder.path(), &["explore", "scenario.toml"]);
    assert!(ran.out.contains("simplest: 2 calls, 0 faults, "), "{}", ran.out);
    let (folder, _) = copied("vault-rollback");
    let ran = canloom(folder.path(), &["explore", "scenario.toml"]);
    assert!(ran.out.contains("simplest: 1 call, 1 fault, "), "{}", ran.out);
    assert!(ran.out.contains("book = 130, real = 100"), "{}", ran.out);
}
