//! The catalogue of errors: each of these situations is made, and docs/errors.md is what canloom says then.
//!
//! `ERRORS=write` writes the page anew. Every case runs in its own copy of one folder: a scenario that is violated, its two
//! modules, its counterexample `x.cx`, and the reports `1.json`, `2.json` of two shards and `whole.json` of a search.

mod cases;
mod files;

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

use cases::{Case, all};

const PAGE: &str = "docs/errors.md";

const HEAD: &str = "\
# Errors

What canloom says when something is wrong, by command: when, with which [exit code](exit-codes-and-formats.md), and what to do.
Every row is made by a test (`tests/it/errors.rs`), which compares this page with what the program prints; what is in angle
brackets differs from run to run. Each line on standard error begins with `error: `, which is left out here. Rows of files hold
for every command that reads or writes such a file.
";

/// Runs a line of the shell in this folder, with canloom on the path; exit code and what was said.
fn shell(folder: &Path, line: &str) -> (i32, String) {
    let program = Path::new(env!("CARGO_BIN_EXE_canloom")).parent().expect("a folder");
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("bash");
    command.args(["--noprofile", "--norc", "-c", line]).current_dir(folder).env("PATH", path).env("NO_COLOR", "1");
    command.env_remove("POCKET_IC_BIN").env_remove("RUST_BACKTRACE").stdin(Stdio::null());
    let output = command.output().expect("bash runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    // Results of a check are no errors of the program, and go to standard output.
    let said = if output.stderr.is_empty() { text(&output.stdout) } else { text(&output.stderr) };
    (output.status.code().unwrap_or(-1), said)
}

fn template() -> TempDir {
    let stage = super::cli::violated();
    let folder = tempfile::tempdir().expect("a folder");
    let line = format!(
        "cp {}/* . && canloom explore scenario.toml --quiet; mv *.cx.new x.cx && \
         canloom explore scenario.toml --json whole.json --quiet; rm -f *.cx.new; \
         for i in 1 2; do canloom explore scenario.toml --shard $i/2 --json $i.json --quiet; done; ls",
        stage.folder().display()
    );
    let (_, said) = shell(folder.path(), &line);
    assert!(folder.path().join("2.json").exists(), "{said}");
    folder
}

/// The first line that is said, and lines that go on from it; without what differs from run to run.
fn message(said: &str, folder: &Path) -> String {
    let mut lines = said.lines();
    let mut message = lines.next().unwrap_or_default().to_string();
    lines.take_while(|line| line.starts_with("  ")).for_each(|line| {
        let _ = write!(message, " {}", line.trim());
    });
    let message = message.strip_prefix("error: ").unwrap_or(&message).to_string();
    message.replace(&folder.display().to_string(), "<folder>").replace(&"a".repeat(300), "<300 letters>")
}

/// Runs a case; its exit code, and the row of the page.
fn row(template: &Path, case: &Case) -> Result<(String, String), String> {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path().canonicalize().expect("a path");
    let copied = Command::new("cp").arg("-r").arg(template.join(".")).arg(&at).status().expect("cp runs");
    assert!(copied.success());
    if !case.set_up.is_empty() {
        let (status, said) = shell(&at, &format!("set -e\n{}", case.set_up));
        if status != 0 {
            return Err(format!("{}: {said}", case.set_up));
        }
    }
    let (exit, said) = shell(&at, &format!("timeout 60 {}", case.command));
    let show = |what: &str| format!("{what}\n  {}\n  {}\n  exit {exit}: {said}", case.set_up, case.command);
    if exit != case.exit {
        return Err(show(&format!("exit {} was expected", case.exit)));
    }
    for bad in ["Os {", "Some(", "Err(", "panicked", "stack backtrace", "Error {", "RUST_BACKTRACE"] {
        if said.contains(bad) {
            return Err(show(&format!("`{bad}` is for programmers")));
        }
    }
    let message = message(&said, &at);
    if message.ends_with("No such file or directory (os error 2)") || message.is_empty() {
        return Err(show("it names no remedy"));
    }
    let (what, remedy) = match (case.remedy, message.split_once("; ")) {
        ("", Some((what, remedy))) => (what, remedy),
        ("", None) => return Err(show("it names no remedy, and the case does not either")),
        (remedy, _) => (message.as_str(), remedy),
    };
    let cell = |text: &str| text.replace('|', "\\|");
    let code = |text: &str| format!("`` {} ``", cell(text));
    let row =
        format!("| {} | {} | {exit} | {} | {} |\n", code(case.command), cell(case.when), code(what), cell(remedy));
    Ok((row, message))
}

#[test]
fn the_page_of_errors_shows_what_is_said() {
    let template = template();
    let cases = all();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut rows = Vec::new();
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            rows.push((case.when.to_string() + case.command, row(template.path(), case)));
        }
        rows
    };
    let mut rows = std::thread::scope(|scope| {
        let other = scope.spawn(work);
        let mut rows = work();
        rows.extend(other.join().expect("no case ends the test"));
        rows
    });
    let wrong: Vec<String> = rows.iter().filter_map(|(_, row)| row.as_ref().err().cloned()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let mut page = HEAD.to_string();
    let mut messages = std::collections::BTreeSet::new();
    let mut section = "";
    for case in cases {
        let at = rows.iter().position(|(key, _)| *key == case.when.to_string() + case.command).expect("it was run");
        let (row, message) = rows.swap_remove(at).1.expect("it is right");
        if section != case.section {
            section = case.section;
            let _ = write!(
                page,
                "\n## {section}\n\n| command | when | exit | message | what to do |\n|---|---|---|---|---|\n"
            );
        }
        page += &row;
        messages.insert(message);
    }
    assert!(messages.len() >= 80, "{} different messages", messages.len());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    if std::env::var_os("ERRORS").is_some_and(|wish| wish == "write") {
        std::fs::write(&file, &page).expect("the page can be written");
    }
    let shown = std::fs::read_to_string(&file).unwrap_or_default();
    let differs: Vec<String> = (shown.lines().zip(page.lines()))
        .filter(|(shown, made)| shown != made)
        .map(|(shown, made)| format!("page: {shown}\n said: {made}"))
        .collect();
    assert!(differs.is_empty(), "ERRORS=write writes {PAGE} anew\n{}", differs.join("\n"));
    assert_eq!(shown.lines().count(), page.lines().count(), "ERRORS=write writes {PAGE} anew");
}
