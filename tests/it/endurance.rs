//! A day's work at once: many explorations in one process, many processes on one corpus.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use canloom::engine::allowance::Allowance;
use canloom::engine::embedded::{Embedded, Modules};
use canloom::scenario::Scenario;

use super::stage::explore_all;

/// Bytes of this process that are in memory, where the system tells.
#[cfg(target_os = "linux")]
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux tells");
    text.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).expect("a number") * 4096
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// In a process of its own, because other tests of this one take memory, too: see `explorations_leave_no_memory_behind`.
#[cfg(target_os = "linux")]
fn explore_again_and_again(times: u32) {
    let file = root().join("corpus/vault-stale/scenario.toml");
    let mut after_warming = 0;
    let mut modules = Modules::new().expect("wasmtime runs");
    for time in 1..=times {
        // Compiling takes a second, exploring a twentieth of it.
        if time % 25 == 0 {
            modules = Modules::new().expect("wasmtime runs");
        }
        let scenario = Arc::new(Scenario::load(&file).expect("a scenario"));
        let mut engine = Embedded::open_with(scenario, &Allowance::default(), &mut modules).expect("it installs");
        assert_eq!(explore_all(&mut engine).interleavings, Some(3_300u32.into()));
        if time == times / 5 {
            after_warming = resident();
        }
    }
    let grown = resident().saturating_sub(after_warming);
    println!(
        "{times} explorations: {} MiB at a fifth of them, {} KiB more at the end",
        after_warming >> 20,
        grown >> 10
    );
    // An exploration alone keeps more than a megabyte while it lasts.
    assert!(grown < 32 << 20, "{grown} bytes more after {times} explorations than after a fifth of them");
}

/// `EXPLORATIONS=1000` makes as many; `make endurance` does.
#[cfg(target_os = "linux")]
#[test]
fn explorations_leave_no_memory_behind() {
    const INSIDE: &str = "CANLOOM_TEST_INSIDE";
    let times = std::env::var("EXPLORATIONS").ok().and_then(|times| times.parse().ok()).unwrap_or(100);
    if std::env::var_os(INSIDE).is_some() {
        return explore_again_and_again(times);
    }
    let output = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "endurance::explorations_leave_no_memory_behind", "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().filter(|line| line.contains(" explorations: ")).for_each(|line| println!("{line}"));
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

/// `PROCESSES=100` starts as many; `make endurance` does.
#[cfg(unix)]
#[test]
fn processes_on_one_corpus_do_not_disturb_each_other() {
    let processes = std::env::var("PROCESSES").ok().and_then(|many| many.parse().ok()).unwrap_or(20);
    let folder = tempfile::tempdir().expect("a folder");
    let corpus = folder.path().join("corpus");
    std::fs::create_dir_all(&corpus).expect("a folder");
    std::fs::create_dir_all(folder.path().join("target")).expect("a folder");
    std::os::unix::fs::symlink(root().join("target/canisters"), folder.path().join("target/canisters"))
        .expect("a link");
    std::os::unix::fs::symlink(root().join("canisters"), folder.path().join("canisters")).expect("a link");
    for name in ["vault-stale", "zoo-t01"] {
        let copied = Command::new("cp").arg("-r").arg(root().join("corpus").join(name)).arg(&corpus).status();
        assert!(copied.expect("cp runs").success());
    }
    for entry in std::fs::read_dir(corpus.join("vault-stale")).expect("a folder").filter_map(Result::ok) {
        if entry.path().extension().is_some_and(|ending| ending == "cx") {
            std::fs::remove_file(entry.path()).expect("it can be removed");
        }
    }
    let start = |number: usize| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_canloom"));
        match number % 4 {
            0 => command.args(["corpus", "check", "corpus/zoo-t01"]),
            1 => command.args(["explore", "--quiet", "--workers", "1", "corpus/zoo-t01/fixed.toml"]),
            _ => command.args(["explore", "--quiet", "--workers", "1", "corpus/vault-stale/scenario.toml"]),
        };
        let piped = std::process::Stdio::piped;
        command.current_dir(folder.path()).stdout(piped()).stderr(piped()).spawn().expect("it starts")
    };
    let children: Vec<_> = (0..processes).map(|number| (number, start(number))).collect();
    for (number, child) in children {
        let output = child.wait_with_output().expect("it ends");
        let wanted = if number % 4 < 2 { 0 } else { 3 };
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(wanted), "process {number}: {error}");
        assert_eq!(error, "", "process {number}");
    }
    // All of them found one counterexample, and it was saved once.
    let files = std::fs::read_dir(corpus.join("vault-stale")).expect("a folder").filter_map(Result::ok);
    let names: Vec<String> = files.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(names.iter().filter(|name| name.ends_with(".cx.new")).count(), 1, "{names:?}");
    assert_eq!(names.len(), 3, "nothing else was left: {names:?}");
}
