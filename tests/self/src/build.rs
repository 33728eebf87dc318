//! A copy of the repository with all mutants that compile.

use std::collections::BTreeSet;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::SCOPE;
use crate::operators::{self, Mutant};

/// Where the work is done.
pub struct Place {
    /// The repository.
    pub root: PathBuf,
    /// Its copy.
    pub tree: PathBuf,
    /// What cargo makes of the copy.
    pub target: PathBuf,
}

impl Place {
    /// Below `target/self`.
    pub fn new(root: &Path) -> Place {
        let below = root.join("target/self");
        Place { root: root.to_path_buf(), tree: below.join("tree"), target: below.join("build") }
    }
}

/// Binaries with all mutants.
pub struct Built {
    /// All mutants by number.
    pub mutants: Vec<Mutant>,
    /// Numbers of those that do not compile.
    pub left_out: BTreeSet<u32>,
    /// Folder of what was measured of these very sources.
    pub notes: PathBuf,
    /// Test binaries.
    pub binaries: Vec<PathBuf>,
}

fn output(command: &mut Command) -> Result<Vec<u8>, String> {
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() { Ok(output.stdout) } else { Err(format!("{command:?} failed")) }
}

/// Copies what the repository tracks, and gives the copy what was built for it.
fn copy(place: &Place) -> Result<(), String> {
    let text = |error: std::io::Error| error.to_string();
    let _ = std::fs::remove_dir_all(&place.tree);
    std::fs::create_dir_all(place.tree.join("target")).map_err(text)?;
    let listed = output(Command::new("git").args(["ls-files", "-z"]).current_dir(&place.root))?;
    for file in String::from_utf8_lossy(&listed).split_terminator('\0') {
        let to = place.tree.join(file);
        std::fs::create_dir_all(to.parent().expect("a folder")).map_err(text)?;
        if place.root.join(file).exists() {
            std::fs::copy(place.root.join(file), to).map_err(|error| format!("{file}: {error}"))?;
        }
    }
    std::os::unix::fs::symlink(place.root.join("target/canisters"), place.tree.join("target/canisters"))
        .map_err(text)?;
    if !place.target.exists() {
        // Dependencies need not be built again.
        std::fs::create_dir_all(&place.target).map_err(text)?;
        output(Command::new("cp").arg("-al").arg(place.root.join("target/release")).arg(&place.target))?;
    }
    Ok(())
}

/// The files in scope, in order.
fn files(place: &Place) -> Result<Vec<String>, String> {
    let listed = output(Command::new("git").args(["ls-files", "-z"]).args(SCOPE).current_dir(&place.root))?;
    let listed = String::from_utf8_lossy(&listed).into_owned();
    let files = listed.split_terminator('\0').map(str::to_string);
    Ok(files.filter(|file| file.ends_with(".rs") && !file.ends_with("tests.rs") && !file.contains("/tests/")).collect())
}

/// Writes the mutated sources; gives the mutants.
fn write(place: &Place, left_out: &BTreeSet<u32>) -> Result<Vec<Mutant>, String> {
    let mut mutants = Vec::new();
    for file in files(place)? {
        let text = std::fs::read_to_string(place.root.join(&file)).map_err(|error| format!("{file}: {error}"))?;
        let mut source = syn::parse_file(&text).map_err(|error| format!("{file}: {error}"))?;
        operators::mutate(&file, &mut source, &mut mutants, &|number| left_out.contains(&number));
        std::fs::write(place.tree.join(&file), prettyplease::unparse(&source)).map_err(|error| error.to_string())?;
    }
    std::fs::write(place.tree.join("src/mutant.rs"), include_str!("switch.rs")).map_err(|error| error.to_string())?;
    let lib = std::fs::read_to_string(place.root.join("src/lib.rs")).map_err(|error| error.to_string())?;
    std::fs::write(place.tree.join("src/lib.rs"), lib + "\npub mod mutant;\n").map_err(|error| error.to_string())?;
    Ok(mutants)
}

fn cargo(place: &Place, arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(arguments).args(["--release", "--locked", "--message-format", "json"]);
    command.current_dir(&place.tree).env("CARGO_TARGET_DIR", &place.target).env_remove("MUTANT");
    command
}

fn messages(stdout: &[u8]) -> Vec<Value> {
    String::from_utf8_lossy(stdout).lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Numbers of the mutants that begin in these lines of a source; what follows has the rest of the last one.
pub fn numbers(lines: &[&str], rest: &[&str]) -> BTreeSet<u32> {
    let (text, rest) = (lines.join(" "), rest.join(" "));
    let whole = format!("{text} {rest}");
    let calls = text.match_indices("mutant::").map(|(at, call)| &whole[at + call.len()..]);
    let number =
        |call: &str| call.split_once('(')?.1.split([',', ')']).next()?.trim().trim_end_matches("u32").parse().ok();
    calls.filter_map(number).collect()
}

/// The mutants that an error is about: those in the lines that it points to, else the nearest ones above.
fn blamed(place: &Place, error: &Value) -> BTreeSet<u32> {
    let mut all = BTreeSet::new();
    let empty = Vec::new();
    let spans = error["spans"].as_array().unwrap_or(&empty);
    for is_primary in [true, false] {
        for span in spans.iter().filter(|span| span["is_primary"] == is_primary) {
            let file = place.tree.join(span["file_name"].as_str().unwrap_or_default());
            let Ok(text) = std::fs::read_to_string(file) else { continue };
            let lines: Vec<&str> = text.lines().collect();
            let line = |key: &str| span[key].as_u64().unwrap_or(1) as usize;
            let (start, end) = (line("line_start").max(1) - 1, line("line_end").min(lines.len()));
            for above in 0..12.min(start + 1) {
                let found = numbers(&lines[start - above..end], &lines[end..(end + 2).min(lines.len())]);
                if !found.is_empty() {
                    all.extend(found);
                    break;
                }
            }
        }
        if !all.is_empty() {
            break;
        }
    }
    all
}

/// A folder that has the name of what the sources are, with the tests.
fn notes(place: &Place) -> Result<PathBuf, String> {
    let mut hasher = std::hash::DefaultHasher::new();
    let listed = output(Command::new("git").args(["ls-files", "-z", "src", "tests/it"]).current_dir(&place.root))?;
    for file in String::from_utf8_lossy(&listed).split_terminator('\0') {
        std::fs::read(place.root.join(file)).unwrap_or_default().hash(&mut hasher);
    }
    let notes = place.tree.with_file_name(format!("notes-{:016x}", hasher.finish()));
    std::fs::create_dir_all(&notes).map_err(|error| error.to_string())?;
    Ok(notes)
}

/// Writes, and leaves out what does not compile until the rest does.
pub fn build(place: &Place) -> Result<Built, String> {
    copy(place)?;
    let mut left_out = BTreeSet::new();
    loop {
        let mutants = write(place, &left_out)?;
        println!("{} mutants, {} left out", mutants.len(), left_out.len());
        let checked = cargo(place, &["check", "--lib"]).stderr(Stdio::null()).output();
        let checked = checked.map_err(|error| format!("cargo: {error}"))?;
        if checked.status.success() {
            let tests = output(&mut cargo(place, &["test", "--lib", "--test", "it", "--no-run"]))?;
            let executable = |message: &Value| {
                let is_test = message["profile"]["test"] == true;
                is_test.then(|| message["executable"].as_str().map(PathBuf::from)).flatten()
            };
            let binaries = messages(&tests).iter().filter_map(executable).collect();
            return Ok(Built { mutants, left_out, notes: notes(place)?, binaries });
        }
        let before = left_out.len();
        for message in messages(&checked.stdout) {
            if message["reason"] == "compiler-message" && message["message"]["level"] == "error" {
                let numbers = blamed(place, &message["message"]);
                if numbers.is_empty() {
                    eprintln!("{}", message["message"]["rendered"].as_str().unwrap_or_default());
                }
                left_out.extend(numbers);
            }
        }
        if left_out.len() == before {
            return Err("it does not compile, and no mutant is to blame".to_string());
        }
    }
}
