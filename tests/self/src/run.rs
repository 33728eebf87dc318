//! Which tests execute which mutants, and which mutants they find.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Wish;
use crate::build::{Built, Place};

/// Tests that take longer are left out.
const LONGEST: Duration = Duration::from_secs(10);
/// Memory of a test, in pages of 4 KiB, beyond which it is ended: a mutant may allocate without end.
const PAGES_MAX: u64 = 1 << 20;
/// Seconds of tests that are run by one process.
const BATCH: f64 = 2.0;

/// A test that passes without a mutant.
pub struct Test {
    /// The binary that has it.
    pub binary: usize,
    /// Its name.
    pub name: String,
    /// How long it takes alone.
    pub seconds: f64,
    /// Mutants whose place it executes.
    pub reached: BTreeSet<u32>,
}

/// How a mutant ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// No test executes its place.
    NotReached,
    /// A test failed, or did not end.
    Found,
    /// All tests that were run passed.
    Survived,
}

/// Runs tests of a binary; `None` if they did not end in time, or took too much memory.
fn tests(binary: &Path, folder: &Path, names: &[&str], variable: (&str, &str), limit: Duration) -> Option<bool> {
    let mut command = Command::new(binary);
    command.args(names).args(["--exact", "--test-threads", "1", "--quiet"]);
    command.current_dir(folder).env(variable.0, variable.1).env("RUST_BACKTRACE", "0").process_group(0);
    let started = Instant::now();
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a test runs");
    loop {
        if let Some(status) = child.try_wait().expect("a process of ours") {
            return Some(status.success());
        }
        let memory = std::fs::read_to_string(format!("/proc/{}/statm", child.id())).unwrap_or_default();
        let pages = memory.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0);
        if started.elapsed() > limit || pages > PAGES_MAX {
            let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]).status();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn lines(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Does this with each number below `count`, on all cores.
fn each(count: usize, work: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= count {
                        return;
                    }
                    work(at);
                }
            });
        }
    });
}

/// The tests, each with the mutants whose places it executes.
pub fn reached(place: &Place, built: &Built) -> Result<Vec<Test>, String> {
    let mut names = Vec::new();
    for (at, binary) in built.binaries.iter().enumerate() {
        let listed = Command::new(binary).args(["--list", "--format", "terse"]).current_dir(&place.tree).output();
        let listed = listed.map_err(|error| format!("{}: {error}", binary.display()))?;
        let text = String::from_utf8_lossy(&listed.stdout).into_owned();
        names.extend(text.lines().filter_map(|line| Some((at, line.strip_suffix(": test")?.to_string()))));
    }
    let file = built.notes.join("reached.jsonl");
    let mut known: BTreeMap<String, Value> = BTreeMap::new();
    for line in lines(&file) {
        known.insert(line["test"].as_str().unwrap_or_default().to_string(), line);
    }
    let open = std::fs::OpenOptions::new().append(true).create(true).open(&file);
    let notes = Mutex::new((open.map_err(|error| error.to_string())?, 0));
    let unknown: Vec<&(usize, String)> =
        names.iter().filter(|(at, name)| !known.contains_key(&format!("{at} {name}"))).collect();
    each(unknown.len(), |number| {
        let (at, name) = unknown[number];
        let into = built.notes.join(format!("reached-{number}"));
        let _ = std::fs::remove_file(&into);
        let started = Instant::now();
        let variable = ("MUTANT_REACHED", into.to_str().expect("a path of ours"));
        let passed = tests(&built.binaries[*at], &place.tree, &[name], variable, LONGEST) == Some(true);
        let seconds = started.elapsed().as_secs_f64();
        let text = std::fs::read_to_string(&into).unwrap_or_default();
        let _ = std::fs::remove_file(&into);
        let numbers: BTreeSet<u32> = text.lines().filter_map(|line| line.parse().ok()).collect();
        let line = json!({ "test": format!("{at} {name}"), "passed": passed, "seconds": seconds, "reached": numbers });
        let mut notes = notes.lock().expect("nobody panics here");
        writeln!(notes.0, "{line}").expect("notes can be written");
        notes.1 += 1;
        if notes.1 % 50 == 0 {
            println!("{} of {} tests measured", notes.1, unknown.len());
        }
    });
    for line in lines(&file) {
        known.insert(line["test"].as_str().unwrap_or_default().to_string(), line);
    }
    let test = |(binary, name): &(usize, String)| {
        let line = &known[&format!("{binary} {name}")];
        let reached =
            line["reached"].as_array()?.iter().filter_map(|number| number.as_u64().map(|number| number as u32));
        (line["passed"] == true).then(|| Test {
            binary: *binary,
            name: name.clone(),
            seconds: line["seconds"].as_f64().unwrap_or(1.0),
            reached: reached.collect(),
        })
    };
    let mut tests: Vec<Test> = names.iter().filter_map(test).collect();
    tests.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    Ok(tests)
}

/// Runs the tests of a mutant until one fails or the time is spent.
fn one(place: &Place, built: &Built, all: &[Test], number: u32, budget: f64) -> (End, String) {
    let mut waiting = all.iter().filter(|test| test.reached.contains(&number)).peekable();
    if waiting.peek().is_none() {
        return (End::NotReached, String::new());
    }
    let (mut spent, mut run) = (0.0, 0);
    while let Some(first) = waiting.next() {
        let (mut names, mut seconds) = (vec![first.name.as_str()], first.seconds);
        while let Some(next) = waiting.next_if(|next| next.binary == first.binary && seconds + next.seconds <= BATCH) {
            names.push(&next.name);
            seconds += next.seconds;
        }
        if run > 0 && spent + seconds > budget {
            break;
        }
        let limit = Duration::from_secs_f64(10.0 + 10.0 * seconds);
        let value = number.to_string();
        if tests(&built.binaries[first.binary], &place.tree, &names, ("MUTANT", &value), limit) != Some(true) {
            return (End::Found, first.name.clone());
        }
        spent += seconds;
        run += names.len();
    }
    (End::Survived, format!("{run} tests"))
}

/// Runs the mutants that are wanted; their ends by number.
pub fn all(place: &Place, built: &Built, tests: &[Test], wish: &Wish) -> Result<BTreeMap<u32, End>, String> {
    let file = built.notes.join("ends.jsonl");
    let read = || {
        let mut ends = BTreeMap::new();
        for line in lines(&file) {
            let end = match line["end"].as_str() {
                Some("found") => End::Found,
                Some("survived") => End::Survived,
                _ => End::NotReached,
            };
            ends.insert(line["mutant"].as_u64().unwrap_or(0) as u32, end);
        }
        ends
    };
    let known = read();
    let wanted = (0..built.mutants.len() as u32).step_by(wish.every).filter(|number| !built.left_out.contains(number));
    let wanted: Vec<u32> = wanted.filter(|number| !known.contains_key(number)).collect();
    let open = std::fs::OpenOptions::new().append(true).create(true).open(&file);
    let notes = Mutex::new((open.map_err(|error| error.to_string())?, 0));
    each(wanted.len(), |at| {
        let number = wanted[at];
        let (end, by) = one(place, built, tests, number, wish.budget);
        let word = match end {
            End::NotReached => "not reached",
            End::Found => "found",
            End::Survived => "survived",
        };
        let mut notes = notes.lock().expect("nobody panics here");
        writeln!(notes.0, "{}", json!({ "mutant": number, "end": word, "by": by })).expect("notes can be written");
        notes.1 += 1;
        if notes.1 % 20 == 0 {
            println!("{} of {} mutants", notes.1, wanted.len());
        }
    });
    Ok(read())
}
