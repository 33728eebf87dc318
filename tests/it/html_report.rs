//! The HTML report in a real browser: it opens, steps, and says nothing on its console, whatever the names in it are.
//!
//! Needs node and Chromium; where one is missing, one line says so and nothing is checked.

use std::path::{Path, PathBuf};
use std::process::Command;

use canloom::report::html;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Opens a page in both themes and three sizes.
fn check(name: &str, page: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(name);
    std::fs::write(&file, page).expect("it can be written");
    let script = root().join("tests/browser/check.mjs");
    let Ok(output) = Command::new("node").arg(script).arg("page").arg(&file).output() else {
        eprintln!("skipped: {name}: there is no node");
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(77) => eprintln!("skipped: {name}: {}", said.trim()),
        code => assert_eq!(code, Some(0), "{name}:\n{said}"),
    }
}

fn document(name: &str) -> serde_json::Value {
    let text = std::fs::read_to_string(root().join("tests/browser").join(name)).expect("a document");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn a_page_opens_and_steps() {
    check("sample.html", &html::drawn("sample", &document("sample.json")));
}

#[test]
fn hostile_names_stay_names() {
    check("hostile.html", &html::drawn("</title><script>window.__pwned=1</script>", &document("hostile.json")));
}

#[test]
fn reports_of_the_corpus_open_and_step() {
    for entry in ["vault-stale", "upgrade", "timer", "zoo-t13", "zoo-t19"] {
        let folder = root().join("corpus").join(entry);
        let file = std::fs::read_dir(&folder).expect("a folder of the corpus").map(|entry| entry.unwrap().path());
        let file = file.into_iter().find(|file| file.extension().is_some_and(|end| end == "cx")).expect("a file");
        check(&format!("{entry}.html"), &report(&file));
    }
}

fn report(file: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_canloom"));
    let output = command.arg("report").arg(file).args(["--html", "-"]).output().expect("canloom runs");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}
