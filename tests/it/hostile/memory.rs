//! The limit on memory, as the process as a whole keeps it.

use std::process::{Command, Stdio};

use super::super::stage::{Stage, call};
use super::module;

/// What a run left: exit code, output and errors, and the most memory that was seen in it, in MiB.
struct Ran {
    exit: i32,
    text: String,
    peak_mib: u64,
}

fn canloom(stage: &Stage, arguments: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_canloom"));
    let (out, error) = (stage.file("out"), stage.file("error"));
    let file = |name| std::fs::File::create(name).expect("the folder can be written");
    command.current_dir(stage.folder()).args(arguments).stdin(Stdio::null()).stdout(file(&out)).stderr(file(&error));
    let mut child = command.spawn().expect("canloom runs");
    let mut peak_mib = 0;
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break status;
        }
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", child.id())).unwrap_or_default();
        let pages: u64 = statm.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
        peak_mib = peak_mib.max(pages / 256);
        std::thread::sleep(std::time::Duration::from_millis(2));
    };
    let read = |name| std::fs::read_to_string(name).expect("text");
    Ran { exit: status.code().expect("no signal"), text: format!("{}{}", read(&out), read(&error)), peak_mib }
}

/// One call of `go`, and no invariant.
fn one(module: String) -> Stage {
    Stage::new(&[module], &call("first", 0, "go", ""))
}

const SMALL: [&str; 4] = ["explore", "scenario.toml", "--max-memory", "512MiB"];

#[test]
fn message_that_asks_for_a_heap_beyond_the_limit_ends_the_search_and_names_canister_and_limit() {
    let grows = "(drop (memory.grow (i32.const 16384))) (memory.fill (i32.const 0) (i32.const 1) (i32.const 1073741824)) (call $reply)";
    let ran = canloom(&one(module("", grows)), &SMALL);
    assert_eq!(ran.exit, 5, "{}", ran.text);
    let id = super::id(0);
    let note = format!(
        "note: canister {id}: a memory of 1024 MiB would exceed the limit of 512 MiB for the memory of canloom (--max-memory)"
    );
    assert!(ran.text.contains("exhaustive: no, memory ended first"), "{}", ran.text);
    assert!(ran.text.contains(&note), "{}", ran.text);
    assert!(ran.peak_mib < 512, "{}", ran.peak_mib);
}

#[test]
fn stable_memory_and_calls_of_one_message_count() {
    let stable = "(local i64) (drop (call $stable_grow (i64.const 100000)))
        (loop (call $stable_write (local.get 0) (i64.const 0) (i64.const 65536))
          (local.set 0 (i64.add (local.get 0) (i64.const 65536))) (br_if 0 (i64.lt_u (local.get 0) (i64.const 4294967296))))";
    // A callee for each call, so that no queue is full.
    let calls = "(local i32)
        (loop (i32.store (i32.const 0) (local.get 0))
          (call $call_new (i32.const 0) (i32.const 10) (i32.const 0) (i32.const 1)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
          (call $data (i32.const 0) (i32.const 10000000)) (drop (call $perform))
          (local.set 0 (i32.add (local.get 0) (i32.const 1))) (br_if 0 (i32.lt_u (local.get 0) (i32.const 1000))))";
    for body in [stable, calls] {
        let ran = canloom(&one(module("(memory 160)", body)), &SMALL);
        assert_eq!(ran.exit, 5, "{}", ran.text);
        assert!(ran.text.contains("a message that takes ") && ran.text.contains("limit of 512 MiB"), "{}", ran.text);
        assert!(ran.peak_mib < 560, "{}", ran.peak_mib);
    }
}

#[test]
fn module_that_begins_larger_than_the_limit_is_refused_with_exit_2() {
    let ran = canloom(&one(module("(memory 65536)", "(call $reply)")), &SMALL);
    assert_eq!(ran.exit, 2, "{}", ran.text);
    assert!(
        ran.text.contains("canister `c0`") && ran.text.contains("4 GiB would exceed the limit of 512 MiB"),
        "{}",
        ran.text
    );
}

/// Calls whose every order fills 16 MiB with other bytes.
fn filling(invariant: &str) -> Stage {
    let parts = "(global $x (mut i64) (i64.const 1))
        (func (export \"canister_query x\") (call $reply))";
    let body = "(local $at i32) (local $arg i32)
        (call $arg_copy (i32.const 16777216) (i32.const 7) (i32.const 4))
        (global.set $x (i64.add (i64.mul (global.get $x) (i64.const 31)) (i64.load32_u (i32.const 16777216))))
        (loop
          (i64.store (local.get $at) (i64.add (i64.mul (global.get $x) (i64.const 0x9e3779b97f4a7c15)) (i64.extend_i32_u (local.get $at))))
          (local.set $at (i32.add (local.get $at) (i32.const 8)))
          (br_if 0 (i32.lt_u (local.get $at) (i32.const 16777216))))
        (call $reply)";
    let calls: String =
        (0..5).map(|at| call(&format!("w{at}"), 0, "go", &format!("args = \"({at} : nat32)\""))).collect();
    Stage::new(
        &[module(&format!("(memory 257) {parts}"), body)],
        &format!("{calls}[[invariant]]\nname = \"few\"\nwhen = \"always\"\nexpr = '{invariant}'\n"),
    )
}

#[test]
fn search_that_reaches_the_limit_is_inconclusive_and_says_how_far_it_came() {
    let ran = canloom(&filling("count(open(\"w0\")) <= 1"), &SMALL);
    assert_eq!(ran.exit, 5, "{}", ran.text);
    assert!(ran.text.starts_with("test: inconclusive\n"), "{}", ran.text);
    assert!(ran.text.contains("exhaustive: no, memory ended first; 0 faults: "), "{}", ran.text);
    assert!(ran.text.contains("lower the bounds of the scenario, or give more memory"), "{}", ran.text);
    assert!(ran.peak_mib < 560, "{}", ran.peak_mib);
}

#[test]
fn what_was_found_before_the_limit_is_kept() {
    let stage = filling("count(done(\"w0\")) == 0");
    let ran = canloom(&stage, &SMALL);
    assert_eq!(ran.exit, 3, "{}", ran.text);
    assert!(ran.text.contains("memory ended first") && ran.text.contains("violated: \"few\""), "{}", ran.text);
    let found = std::fs::read_dir(stage.folder()).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let found: Vec<String> =
        found.map(|name| name.to_string_lossy().into_owned()).filter(|name| name.contains(".cx")).collect();
    let [file] = &found[..] else { panic!("{found:?}") };
    assert_eq!(canloom(&stage, &["repro", file]).exit, 3);
    let small = canloom(&stage, &["repro", file, "--max-memory", "32MiB"]);
    assert_eq!(small.exit, 2, "{}", small.text);
    assert!(small.text.contains("would exceed the limit of 32 MiB"), "{}", small.text);
}

#[test]
fn sizes_need_a_unit() {
    for (size, expected) in [
        ("4", "a size needs a unit: 512MiB or 4GiB"),
        ("1.5GiB", "`1.5` is not a whole number"),
        ("0GiB", "there must be at least 1"),
        ("99999999TiB", "the size is too large"),
    ] {
        let ran = canloom(&one(module("", "")), &["explore", "scenario.toml", "--max-memory", size]);
        assert_eq!(ran.exit, 2, "{}", ran.text);
        assert!(ran.text.contains(expected), "{}", ran.text);
    }
}
