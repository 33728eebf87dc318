//! What a run of the benchmark measured, as rows, and the file that holds them.
//!
//! In: rows, one after the other, from several programs (`model/benches` adds its own). Out: `target/bench.json`. What the
//! rows mean together is for `bars` and `compare`, how they look for `table`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

/// One measured number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// `SCENARIO: WHAT`, unique.
    pub name: String,
    /// In the unit below.
    pub value: f64,
    /// `s`, `us`, `MB`, `schedules/s`, or for counts `interleavings`, `worlds`, `executions`, `instructions`.
    pub unit: String,
    /// What the ratio compares with, measured in the same run.
    pub ratio_to: Option<String>,
    /// A number without a unit; whether more of it is better, `bars` says.
    pub ratio: Option<f64>,
}

impl Row {
    /// A number that is compared with nothing.
    pub fn new(name: impl Into<String>, value: f64, unit: &str) -> Row {
        Row { name: name.into(), value, unit: unit.to_string(), ratio_to: None, ratio: None }
    }

    /// Likewise, with how it compares.
    pub fn with_ratio(self, ratio_to: impl Into<String>, ratio: f64) -> Row {
        Row { ratio_to: Some(ratio_to.into()), ratio: Some(ratio), ..self }
    }

    /// Part of the name before the colon.
    pub fn scenario(&self) -> &str {
        self.name.split(": ").next().unwrap_or_default()
    }
}

/// All rows of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Processor, cores and system.
    pub machine: String,
    /// Short hash, with `+` if files differ from it.
    pub commit: String,
    /// Load average before measuring: whatever else ran took time from what is measured.
    pub load: Option<f64>,
    /// SHA-256 of the modules that were explored, by canister: worlds and executions depend on them.
    pub modules: BTreeMap<String, String>,
    /// In the order of measuring.
    pub rows: Vec<Row>,
}

impl Run {
    /// A run on this machine, at the commit that `folder` is at.
    pub fn here(folder: &Path) -> Run {
        let (modules, rows) = Default::default();
        Run { machine: machine(), commit: commit(folder), load: load(), modules, rows }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// If there is none, or it is no run.
    pub fn load(file: &Path) -> Result<Run, String> {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))
    }

    /// Writes a file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self, file: &Path) -> Result<(), String> {
        let text = serde_json::to_string_pretty(self).expect("bug in canloom: numbers and texts are JSON");
        std::fs::write(file, text + "\n").map_err(|error| format!("{}: {error}", file.display()))
    }

    /// Adds a row, in place of one of the same name.
    pub fn put(&mut self, row: Row) {
        match self.rows.iter_mut().find(|other| other.name == row.name) {
            Some(other) => *other = row,
            None => self.rows.push(row),
        }
    }

    /// The row of this name.
    pub fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }
}

/// The middle one of these, which are at least one; the larger of two.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn load() -> Option<f64> {
    std::fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, model)| model.trim());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{model}, {cores} cores, {} {}", std::env::consts::OS, std::env::consts::ARCH)
}

fn commit(folder: &Path) -> String {
    let git = |args: &[&str]| {
        let output = Command::new("git").current_dir(folder).args(args).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
    };
    let Some(hash) = git(&["rev-parse", "--short", "HEAD"]) else { return "unknown".to_string() };
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|files| !files.is_empty());
    if changed { hash + "+" } else { hash }
}
