//! The sessions of a page, run.
//!
//! One shell runs all commands of a page, in a copy of what the page may use: `corpus/`, `canisters/`, `fuzz/puzzles/` and what was
//! built of them, with `canloom` on the path. With `DOCS=write` the page gets what was printed instead of being compared with it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::page::{self, Kind, matches};

/// Printed after each command, so that outputs can be told apart.
const END: &str = "--- end of a command of the documentation ---";

/// A copy of what readers have, to type commands in.
struct Stage {
    folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Stage {
        let root = root();
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        for name in ["corpus", "canisters", "fuzz/puzzles", "docs"] {
            let copied = Command::new("cp")
                .args(["-r", "--parents", name])
                .arg(folder.path())
                .current_dir(&root)
                .status()
                .expect("cp runs");
            assert!(copied.success(), "{name} is copied");
        }
        std::fs::create_dir_all(at("target/release")).expect("a folder");
        let link = |from: PathBuf, to: &str| std::os::unix::fs::symlink(from, at(to)).expect("a link");
        link(root.join("target/canisters"), "target/canisters");
        link(PathBuf::from(env!("CARGO_BIN_EXE_canloom")), "target/release/canloom");
        Stage { folder }
    }

    /// What a shell prints for these commands, one text for each.
    fn run(&self, script: &str) -> Vec<String> {
        let path = std::env::var("PATH").unwrap_or_default();
        let output = Command::new("bash")
            .args(["--noprofile", "--norc", "-c", script])
            .current_dir(self.folder.path())
            .env("PATH", format!("{}:{path}", self.folder.path().join("target/release").display()))
            .env("HOME", self.folder.path())
            .env_remove("POCKET_IC_BIN")
            .env_remove("GITHUB_ACTIONS")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .output()
            .expect("bash runs");
        let text = String::from_utf8_lossy(&output.stdout).replace(&self.folder.path().display().to_string(), "~");
        let mut printed: Vec<String> = text.split(&format!("{END}\n")).map(str::to_string).collect();
        printed.pop();
        printed
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Runs a page, named from the project's folder; what it shows and is not printed.
pub fn check(name: &str) -> Result<(), String> {
    let file = root().join(name);
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{name}: {error}"));
    let lines: Vec<&str> = text.lines().collect();
    let stage = Stage::new();
    let mut script = String::from("exec 2>&1\n");
    let mut commands = Vec::new();
    for block in page::blocks(&text) {
        let body = || lines[block.lines.clone()].join("\n");
        match &block.kind {
            Kind::Console => {
                for command in page::commands(&lines, &block) {
                    let _ = write!(script, "{}\n_status=$?\necho '{END}'\n(exit $_status)\n", command.text);
                    commands.push(command);
                }
            }
            // The mark ends no line of a file in the documentation.
            Kind::File(name) => {
                let _ = write!(script, "cat > '{name}' <<'{END}'\n{}\n{END}\n", body());
            }
            Kind::Append(name) => {
                let _ = write!(script, "cat >> '{name}' <<'{END}'\n{}\n{END}\n", body());
            }
            Kind::NotRun(reason) if reason.is_empty() => return Err(format!("{name}:{}: no reason", block.line)),
            Kind::NotRun(_) => {}
            Kind::Shown(_) => {}
        }
    }
    let mut wrong = hidden(name, &text);
    let printed = stage.run(&script);
    assert_eq!(printed.len(), commands.len(), "{name}: the session ended early:\n{}", printed.join("\n"));
    let mut changes = Vec::new();
    for (command, printed) in commands.iter().zip(&printed) {
        let shown = &lines[command.output.clone()];
        let printed: Vec<&str> = printed.lines().map(str::trim_end).collect();
        if !matches(shown, &printed) {
            let (typed, shown, all) = (&command.text, shown.join("\n"), printed.join("\n"));
            let _ = write!(wrong, "\n{name}:{}: $ {typed}\nshown:\n{shown}\nprinted:\n{all}\n", command.line);
            changes.push((command.output.clone(), printed));
        }
    }
    if std::env::var_os("DOCS").is_some_and(|wish| wish == "write") {
        let mut lines: Vec<&str> = lines.clone();
        for (output, printed) in changes.into_iter().rev() {
            lines.splice(output, printed);
        }
        std::fs::write(file, lines.join("\n") + "\n").expect("the page can be written");
        return Ok(());
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// What looks like a command of ours and is in no block that says whether it is run.
fn hidden(name: &str, text: &str) -> String {
    let mut hidden = String::new();
    let blocks = page::blocks(text);
    for (at, line) in text.lines().enumerate() {
        let may_hide = match blocks.iter().find(|block| block.lines.contains(&at)) {
            Some(block) => matches!(&block.kind, Kind::Shown(language) if ["", "sh", "bash"].contains(&&**language)),
            None => line.starts_with("    "),
        };
        let word = line.trim_start().split(' ').next().unwrap_or_default();
        let is_ours = ["$", "canloom", "target/release/canloom", "make", "cargo", "fuzz/run.sh"].contains(&word);
        if is_ours && may_hide {
            let _ = writeln!(hidden, "{name}:{}: no block says whether this is run: {line}", at + 1);
        }
    }
    hidden
}

/// All pages of the documentation.
pub fn pages() -> Vec<String> {
    fn below(folder: &Path, all: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).expect("docs is there") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                below(&path, all);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                let name = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).expect("below the project");
                all.push(name.display().to_string());
            }
        }
    }
    let mut all: Vec<String> =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"].map(String::from).into();
    below(&root().join("docs"), &mut all);
    all.sort();
    all
}
