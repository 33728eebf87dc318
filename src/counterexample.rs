//! Counterexamples: a schedule that violates an invariant, as a file and replayed.
//!
//! In: a `.cx` file, or the search's finding. Out: a trace, and whether the violation is still there; or a divergence that
//! says which step could not be made and why. Steps are stored by name, never seeds or positions.
//!
//! ```text
//! canloom counterexample 1
//! scenario: scenario.toml
//! invariant: book equals ledger
//! await: vault.withdraw -> ledger.transfer
//! verdict: violated
//! tool: canloom 0.1.0
//! module vault: 5f0c...
//!
//! 0
//! 0.1
//! ```
//!
//! The scenario lies beside or below the file; `await` is where the violation hangs on, the second part of the key that tells
//! bugs apart; `status: fixed` marks one that must not come back; a module of another SHA-256 is a warning; then one step a
//! line.

pub(crate) mod awaits;
mod describe;
mod lenient;
pub(crate) mod play;
mod replay;
pub mod store;

use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::engine::embedded::Embedded;
use crate::files::{self, ReadError};
use crate::kernel::Unsupported;
use crate::schedule::{Schedule, Step};

use awaits::guilty;
use play::{items, play};

pub use awaits::{AwaitPoint, Cause, Guilty};
pub use lenient::lenient;
pub use replay::{ReplayError, Replayed, replay, replay_twice};

/// First line of the format.
const MAGIC: &str = "canloom counterexample 1";
/// The file of a counterexample.
const FILE: files::Kind = files::Kind {
    noun: "a counterexample",
    most: 4 << 20,
    missing: "correct the path, or find one: canloom explore SCENARIO",
    instead: "name one counterexample, or replay all of a folder: canloom corpus check FOLDER",
};
/// Most steps in it.
const STEPS_MAX: usize = 100_000;

/// A counterexample as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counterexample {
    /// The scenario file, relative to the counterexample's folder.
    pub scenario: PathBuf,
    /// Name of the violated invariant.
    pub invariant: String,
    /// Name of the await point that the violation hangs on; files of earlier versions do not say it.
    pub point: Option<String>,
    /// Whether the bug is still there.
    pub status: Status,
    /// Version of the tool that wrote it.
    pub tool: String,
    /// Canister names and module hashes.
    pub modules: Vec<(String, String)>,
    /// The steps.
    pub schedule: Schedule,
}

/// What is expected of a counterexample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// The bug is there: the invariant is violated.
    #[default]
    Open,
    /// The bug was corrected: the invariant holds.
    Fixed,
}

impl Status {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Status::Open => "open",
            Status::Fixed => "fixed",
        }
    }
}

/// Why a counterexample file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CounterexampleError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It is not of the format.
    #[error("{}:{line}: {what}", file.display())]
    Format {
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong, with the remedy.
        what: String,
    },
}

impl Counterexample {
    /// A violation of an invariant of an installed scenario, by position, on this schedule.
    pub fn of(engine: &Embedded, invariant: usize, schedule: Schedule) -> Counterexample {
        let scenario = &engine.scenario;
        let modules = scenario.canisters.iter().zip(&engine.hashes);
        // What cannot be told here has been said by whoever found the schedule.
        let guilty = hangs_on(&mut engine.fork(), invariant, &schedule).ok().flatten();
        Counterexample {
            scenario: scenario.file.file_name().map(PathBuf::from).unwrap_or_default(),
            invariant: scenario.invariants[invariant].name.clone(),
            point: guilty.map(|guilty| one_line(&guilty[0].point.name)),
            status: Status::Open,
            tool: format!("canloom {}", env!("CARGO_PKG_VERSION")),
            modules: modules.map(|(canister, hash)| (canister.name.clone(), hash.clone())).collect(),
            schedule,
        }
    }

    /// The same, of this await point.
    pub fn at(self, point: &AwaitPoint) -> Counterexample {
        Counterexample { point: Some(one_line(&point.name)), ..self }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// With file and line.
    pub fn read(file: &Path) -> Result<Counterexample, CounterexampleError> {
        let text = files::read_text(file, &FILE)?;
        Counterexample::parse(&text).map_err(|(line, what)| CounterexampleError::Format {
            file: file.to_path_buf(),
            line,
            what,
        })
    }

    /// Reads the text of a file; errors carry the line.
    ///
    /// # Errors
    /// The line, from 1, and what is wrong with it.
    pub fn parse(text: &str) -> Result<Counterexample, (usize, String)> {
        let mut lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim_end()));
        match lines.next() {
            Some((_, MAGIC)) => {}
            Some((_, line)) if line.starts_with("canloom counterexample ") => {
                return Err((1, format!("unknown format version; this canloom reads `{MAGIC}`")));
            }
            _ => return Err((1, format!("not a counterexample: the first line must be `{MAGIC}`"))),
        }
        let (mut scenario, mut invariant, mut tool, mut modules) = (None, None, None, Vec::new());
        let (mut point, mut status) = (None, Status::Open);
        for (at, line) in lines.by_ref() {
            if line.is_empty() {
                break;
            }
            let Some((key, value)) = line.split_once(": ") else {
                return Err((at, "a header line reads `key: value`; an empty line ends the header".to_string()));
            };
            match key {
                "scenario" => scenario = Some(safe_path(value).ok_or((at, unsafe_path()))?),
                "invariant" => invariant = Some(value.to_string()),
                "tool" => tool = Some(value.to_string()),
                "await" => point = Some(value.to_string()),
                "status" => {
                    status = match value {
                        "open" => Status::Open,
                        "fixed" => Status::Fixed,
                        _ => return Err((at, format!("unknown status `{value}`, expected `open` or `fixed`"))),
                    }
                }
                "verdict" if value == "violated" => {}
                "verdict" => return Err((at, format!("unknown verdict `{value}`, expected `violated`"))),
                _ => match key.strip_prefix("module ") {
                    Some(name) => modules.push((name.to_string(), value.to_string())),
                    None => return Err((at, format!("unknown header key `{key}`"))),
                },
            }
        }
        let mut steps = Vec::new();
        for (at, line) in lines {
            if line.is_empty() {
                continue;
            }
            if steps.len() == STEPS_MAX {
                return Err((at, format!("more than {STEPS_MAX} steps")));
            }
            steps.push(line.parse::<Step>().map_err(|error| (at, error.to_string()))?);
        }
        let missing = |key: &str| (1, format!("the header lacks `{key}`"));
        Ok(Counterexample {
            scenario: scenario.ok_or_else(|| missing("scenario"))?,
            invariant: invariant.ok_or_else(|| missing("invariant"))?,
            point,
            status,
            tool: tool.ok_or_else(|| missing("tool"))?,
            modules,
            schedule: Schedule { steps },
        })
    }

    /// The text of the file.
    pub fn text(&self) -> String {
        let mut text = format!("{MAGIC}\nscenario: {}\ninvariant: {}\n", self.scenario.display(), self.invariant);
        if let Some(point) = &self.point {
            let _ = writeln!(text, "await: {point}");
        }
        let _ = writeln!(text, "verdict: violated");
        if self.status == Status::Fixed {
            let _ = writeln!(text, "status: fixed");
        }
        let _ = writeln!(text, "tool: {}", self.tool);
        for (canister, hash) in &self.modules {
            let _ = writeln!(text, "module {canister}: {hash}");
        }
        let _ = write!(text, "\n{}", self.schedule);
        text
    }

    /// Name of its file: the invariant as a word, and a hash of scenario, invariant and steps. A recompiled module keeps it.
    pub fn file_name(&self, scenario: &str) -> String {
        let mut word = String::new();
        for c in self.invariant.chars().flat_map(char::to_lowercase).take(60) {
            if c.is_ascii_alphanumeric() {
                word.push(c);
            } else if !word.ends_with('-') && !word.is_empty() {
                word.push('-');
            }
        }
        let digest = Sha256::digest(format!("{scenario}\n{}\n{}", self.invariant, self.schedule));
        let hash: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{hash}.cx", word.trim_end_matches('-'))
    }
}

/// The awaits that the violation of an invariant, by position, hangs on, the most telling one first; `None` if the schedule
/// does not violate it.
///
/// # Errors
/// If a canister asks for something that the engine does not offer.
pub fn hangs_on(
    engine: &mut Embedded,
    invariant: usize,
    schedule: &Schedule,
) -> Result<Option<Vec<Guilty>>, Unsupported> {
    let played = play(engine, &items(&schedule.steps), Some(invariant), Some(invariant))?;
    Ok(if played.violates(invariant) { Some(guilty(engine, invariant, &played)?) } else { None })
}

/// A name of a canister's method may be any text; a header has lines.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// Counterexamples arrive in pull requests: their scenario lies beside or below them.
fn safe_path(text: &str) -> Option<PathBuf> {
    let path = PathBuf::from(text);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    (plain && !text.is_empty()).then_some(path)
}

fn unsafe_path() -> String {
    "the scenario must be a relative path without `..`, beside or below this file".to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "canloom counterexample 1\nscenario: scenario.toml\ninvariant: book equals ledger\nverdict: violated\n\
                        tool: canloom 0.1.0\nmodule vault: 00ff\n\n0\n1\n0.1\n0.1r\n";

    #[test]
    fn a_file_survives_reading_and_writing() {
        let counterexample = Counterexample::parse(TEXT).unwrap();
        assert_eq!(counterexample.schedule.steps.len(), 4);
        assert_eq!(counterexample.text(), TEXT);
    }

    #[test]
    fn what_is_no_counterexample_is_refused_with_its_line() {
        for (from, to, line, text) in [
            (
                "counterexample 1",
                "counterexample 2",
                1,
                "unknown format version; this canloom reads `canloom counterexample 1`",
            ),
            ("canloom c", "c", 1, "not a counterexample: the first line must be `canloom counterexample 1`"),
            ("scenario: scenario.toml\n", "", 1, "the header lacks `scenario`"),
            (
                "scenario.toml",
                "../scenario.toml",
                2,
                "the scenario must be a relative path without `..`, beside or below this file",
            ),
            (
                "scenario.toml",
                "/etc/passwd",
                2,
                "the scenario must be a relative path without `..`, beside or below this file",
            ),
            ("verdict: violated", "verdict: fine", 4, "unknown verdict `fine`, expected `violated`"),
            ("tool: ", "tools: ", 5, "unknown header key `tools`"),
        ] {
            let (at, what) = Counterexample::parse(&TEXT.replacen(from, to, 1)).unwrap_err();
            assert_eq!((at, what.as_str()), (line, text));
        }
        let (at, what) = Counterexample::parse(&TEXT.replace("0.1r", "0.1q")).unwrap_err();
        assert_eq!(at, 11);
        assert!(what.starts_with("`0.1q` is not the name of a step"), "{what}");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,200}") {
            let _ = Counterexample::parse(&text);
            let _ = Counterexample::parse(&format!("{MAGIC}\n{text}"));
        }
    }
}
