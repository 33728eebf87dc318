//! Exported tests compile, fail on the bug and pass without it.
//!
//! Compiling needs the client crate in the local registry, running a server; without them a test says that it is skipped.

use std::path::Path;
use std::process::{Command, Output};

use canloom::export::{Exported, Kind};

use super::{HOSTILE, changed, exported, exported_of, here};

/// A package in a folder, with the versions of libraries that canloom itself has.
fn write(exported: &Exported, test: &str, folder: &Path) {
    std::fs::create_dir_all(folder.join("tests")).expect("a folder");
    std::fs::write(folder.join("Cargo.toml"), &exported.manifest).expect("a file");
    std::fs::write(folder.join(format!("tests/{}.rs", exported.name)), test).expect("a file");
    std::fs::copy(here().join("Cargo.lock"), folder.join("Cargo.lock")).expect("a copy");
}

fn cargo(folder: &Path, args: &[&str], server: Option<&Path>) -> Output {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(args).arg("--offline").current_dir(folder);
    cargo.env("CARGO_TARGET_DIR", here().join("target/exported")).env("RUST_BACKTRACE", "0");
    if let Some(server) = server {
        cargo.env("POCKET_IC_BIN", server).env("POCKET_IC_MUTE_SERVER", "1");
    }
    cargo.output().expect("cargo runs")
}

/// Whether a package compiles; `None` if its libraries are not on this machine.
fn compiles(folder: &Path, test: &str) -> Option<()> {
    let output = cargo(folder, &["test", "--no-run"], None);
    let said = String::from_utf8_lossy(&output.stderr);
    if ["no matching package", "unable to update", "failed to download", "attempting to make an HTTP request"]
        .iter()
        .any(|problem| said.contains(problem))
    {
        println!("skipped: {test}: the libraries of an exported test are not in the local registry");
        return None;
    }
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("warning: "), "{said}");
    Some(())
}

#[test]
fn tests_with_hostile_names_and_with_each_kind_of_expression_compile() {
    let name = "tests_with_hostile_names_and_with_each_kind_of_expression_compile";
    let folder = tempfile::tempdir().expect("a folder");
    let calls = "sum(err(\"withdraw-30\", alice), it.args - 1) + (real > 3 ? 1 : 0) + count(open(\"withdraw-50\")) == now - 900";
    for (from, to) in [
        ("book equals ledger when quiet", HOSTILE),
        ("expr = \"book == real\"", &format!("expr = '{calls} and faulted > 3 and not (book in [1, -2])'")),
    ] {
        let (scenario, found) = changed(from, to);
        let exported = exported_of(Kind::PocketIc, scenario, &found, folder.path()).unwrap();
        write(&exported, &exported.test, folder.path());
    }
    let _ = compiles(folder.path(), name);
}

/// Counterexamples that become tests: folder, beginning of the file's name, and what of the test is to be replaced by what, so
/// that it is about the corrected canister.
const PAIRS: [(&str, &str, &str, &str); 18] = [
    ("heartbeat", "every", "AfterPayment", "BeforePayment"),
    ("heartbeat", "no-more", "AfterPayment", "BeforePayment"),
    ("outcall", "", "\"buy_stale\"", "\"buy\""),
    ("timer", "", "_unlocked\"", "\""),
    ("upgrade", "without", "\"withdraw_heap\"", "\"withdraw\""),
    ("vault-rollback", "", "\"withdraw_rollback\"", "\"withdraw_sound\""),
    ("vault-stale", "", "\"withdraw_stale\"", "\"withdraw_sound\""),
    ("zoo-t01", "", "\"withdraw\", \"(", "\"withdraw_fixed\", \"("),
    ("zoo-t04", "", "\"withdraw\", \"(", "\"withdraw_fixed\", \"("),
    ("zoo-t05", "", "\"withdraw\", \"(", "\"withdraw_fixed\", \"("),
    ("zoo-t06", "", "\"withdraw\", \"(", "\"withdraw_fixed\", \"("),
    ("zoo-t07", "", "\"withdraw\", \"(", "\"withdraw_fixed\", \"("),
    ("zoo-t10", "", "\"withdraw\", \"(", "\"withdraw_fixed\", \"("),
    ("zoo-t13", "", "\"start\", \"(", "\"start_fixed\", \"("),
    ("zoo-t16", "", "\"swap\", \"(", "\"swap_fixed\", \"("),
    ("zoo-t18", "", "\"withdraw\", \"(", "\"withdraw_fixed\", \"("),
    ("zoo-t19", "", "\"process\", \"(", "\"process_fixed\", \"("),
    ("zoo-t21", "", "\"redeem\", \"(", "\"redeem_fixed\", \"("),
];

/// All of them in one package, since each alone would be linked for itself: module `bug_...` and `fixed_...` for each.
fn write_all(folder: &Path) -> Vec<String> {
    let (mut names, mut modules) = (Vec::new(), String::new());
    std::fs::create_dir_all(folder.join("tests/all")).expect("a folder");
    for (scenario, cx, from, to) in PAIRS {
        let exported =
            exported(Kind::PocketIc, scenario, cx, folder).unwrap_or_else(|error| panic!("{scenario}: {error}"));
        assert!(exported.test.contains(from), "{scenario}: {}", exported.test);
        for (word, test) in [("bug", exported.test.clone()), ("fixed", exported.test.replace(from, to))] {
            std::fs::write(folder.join(format!("tests/all/{word}_{}.rs", exported.name)), test).expect("a file");
            modules += &format!("mod {word}_{};\n", exported.name);
        }
        if exported.manifest.contains("wat = ") {
            std::fs::write(folder.join("Cargo.toml"), &exported.manifest).expect("a file");
        }
        names.push(exported.name);
    }
    std::fs::write(folder.join("tests/all/main.rs"), modules).expect("a file");
    std::fs::copy(here().join("Cargo.lock"), folder.join("Cargo.lock")).expect("a copy");
    names
}

#[test]
fn exported_tests_compile_fail_on_the_bug_and_pass_where_it_is_fixed() {
    let name = "exported_tests_compile_fail_on_the_bug_and_pass_where_it_is_fixed";
    let folder = tempfile::tempdir().expect("a folder");
    let tests = write_all(folder.path());
    if compiles(folder.path(), name).is_none() {
        return;
    }
    #[cfg(all(feature = "pocket-ic", unix))]
    if let Some(server) = crate::pocket_ic_server::program(name) {
        let output = cargo(folder.path(), &["test", "--no-fail-fast"], Some(server.path()));
        let said = String::from_utf8_lossy(&output.stdout);
        for test in &tests {
            for (word, result) in [("bug", "FAILED"), ("fixed", "ok")] {
                let line = format!("test {word}_{test}::{test} ... {result}");
                assert!(said.lines().any(|other| other == line), "{line}\n{said}");
            }
        }
        assert_eq!(said.matches("\nviolated: ").count(), tests.len(), "{said}");
    }
    assert_eq!(tests.len(), PAIRS.len());
}
