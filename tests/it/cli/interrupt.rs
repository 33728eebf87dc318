//! Ctrl-C: a search that is interrupted ends soon and says what it found.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Ran;
use crate::stage::{Stage, call, observe};
use crate::wat_canister::{Wait, canister, forwarder, ledger};

/// Far more than it takes (tens of milliseconds), since many tests run at a time.
const SOON: Duration = Duration::from_secs(20);

/// Ten calls that all race: more orders than anyone waits for.
fn endless(expr: &str) -> Stage {
    let calls: String =
        (0..10).map(|at| call(&format!("w{at}"), 0, "w", &format!("args = \"({at} : nat32)\""))).collect();
    let rest = format!(
        "{calls}{}[[invariant]]\nname = \"order is kept\"\nwhen = \"always\"\nexpr = \"{expr}\"\n\
         [explore]\ncalls = 10\nin_flight = 10\n",
        observe(1, "total")
    );
    Stage::new(&[forwarder(&[1], Wait::Unbounded), ledger()], &rest)
}

/// Starts a run that nobody waits for, and interrupts it after this time.
fn interrupted(stage: &Stage, arguments: &[&str], after: Duration) -> Ran {
    let child = Command::new(env!("CARGO_BIN_EXE_canloom"))
        .current_dir(stage.folder())
        .args(["explore", "scenario.toml"])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("canloom starts");
    std::thread::sleep(after);
    interrupt(&child);
    let begin = Instant::now();
    let output = child.wait_with_output().expect("it ends");
    assert!(begin.elapsed() < SOON, "it took {:?}", begin.elapsed());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Ran { exit: output.status.code().expect("no signal"), out: text(output.stdout), error: text(output.stderr) }
}

fn interrupt(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(sent.success());
}

const SAID: &str = "interrupted: what was found so far follows; interrupt once more to end at once\n";

#[test]
fn an_interrupted_search_shows_the_violation_that_it_has_found() {
    let stage = endless("total != 897");
    let ran = interrupted(&stage, &["--strategy", "exhaustive"], Duration::from_secs(3));
    assert_eq!((ran.exit, ran.error.as_str()), (3, SAID), "{}", ran.out);
    assert!(ran.out.contains("exhaustive: no, interrupted; "), "{}", ran.out);
    assert!(ran.out.contains("counterexample to \"order is kept\""), "{}", ran.out);
    let saved = std::fs::read_dir(stage.folder()).expect("a folder").filter_map(Result::ok);
    assert_eq!(saved.filter(|entry| entry.path().to_string_lossy().ends_with(".cx.new")).count(), 1);
}

#[test]
fn interrupted_sampling_finds_nothing_and_is_inconclusive() {
    let stage = endless("total >= 0");
    let ran = interrupted(&stage, &["--strategy", "pos", "--budget", "1h"], Duration::from_secs(3));
    assert_eq!((ran.exit, ran.error.as_str()), (5, SAID), "{}", ran.out);
    assert!(ran.out.contains("exhaustive: no, sampled"), "{}", ran.out);
}

#[test]
fn a_message_that_would_run_for_long_is_interrupted_too() {
    let spin = r#"(func (export "canister_update s") (loop $ever (br $ever)))"#;
    let invariant = "[[invariant]]\nname = \"nothing\"\nwhen = \"always\"\nexpr = \"true\"\n";
    let stage = Stage::new(&[canister(spin)], &format!("{}{invariant}", call("spin", 0, "s", "")));
    let ran = interrupted(&stage, &[], Duration::from_secs(2));
    assert_eq!((ran.exit, ran.error.as_str()), (5, SAID), "{}", ran.out);
    assert!(ran.out.contains("exhaustive: no, interrupted; "), "{}", ran.out);
}
