//! `canloom explore`.

use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::Duration;

use canloom::counterexample::{Counterexample, replay};
use canloom::engine::embedded::Embedded;
use canloom::explore::{
    Budget, Checkpoint, CheckpointError, ExploreError, Explored, Finding, Progress, explore, explore_from,
};
use canloom::report::json::Report;
use canloom::report::{Verdict, is_violation, text};

use super::progress::Line;
use super::{Exit, Failure, Memory, open, print};

/// Options of `canloom explore`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The scenario file (TOML, format 1).
    scenario: PathBuf,
    /// Stop after this time, for example 60s or 5m; the verdict may then be inconclusive.
    #[arg(long, value_parser = duration)]
    budget: Option<Duration>,
    /// Threads; all cores by default. The report does not depend on their number.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: Option<u16>,
    /// Write the report as JSON to this file; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the set of outcomes, by number of calls and faults, to this file; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    outcomes: Option<PathBuf>,
    /// Save the search to this directory every now and then, and go on from what is saved there: after a kill, or with a
    /// further budget. It is made if it is missing.
    #[arg(long, value_name = "DIR")]
    checkpoint: Option<PathBuf>,
    #[command(flatten)]
    memory: Memory,
    /// Print only the verdict.
    #[arg(long)]
    quiet: bool,
}

/// Runs it.
pub fn run(options: &Options) -> Result<Exit, Failure> {
    let mut line = Line::new(options.quiet);
    line.say("loading canisters");
    let mut engine = open(&options.scenario, &options.memory)?;
    let budget = Budget { time: options.budget, workers: options.workers.map_or_else(cores, usize::from) };
    let mut show = |progress: &Progress| line.show(progress);
    let explored = match &options.checkpoint {
        None => explore(&mut engine, &budget, &mut show).map_err(Failure::input)?,
        Some(folder) => {
            let mut checkpoint = Checkpoint::open(folder, &engine, "").map_err(unusable)?;
            explore_from(&mut engine, &mut checkpoint, &budget, &mut show).map_err(|error| match error {
                ExploreError::Unsupported(error) => Failure::input(error),
                ExploreError::Checkpoint(error) => unusable(error),
            })?
        }
    };
    line.end();
    let scenario = engine.scenario.clone();
    let mut files = Vec::new();
    for finding in &explored.findings {
        let wanted = is_violation(&scenario.invariants[finding.invariant]);
        files.push(if wanted { save(&engine, finding) } else { None });
    }
    let names: Vec<Option<String>> = files.iter().map(|file| file.as_ref().map(|f| f.display().to_string())).collect();
    if let Some(json) = &options.json {
        write_json(json, &Report::new(&scenario, &explored, &names))?;
    }
    if let Some(file) = &options.outcomes {
        write_to(file, &text::outcomes(&explored))?;
    }
    let dash = Some(Path::new("-"));
    if options.json.as_deref() != dash && options.outcomes.as_deref() != dash {
        print(&report(options, &mut engine, &explored, &names)?)?;
    }
    Ok(match Verdict::of(&scenario, &explored) {
        Verdict::Held => Exit::Held,
        Verdict::Violated => Exit::Violated,
        Verdict::Inconclusive => Exit::Inconclusive,
    })
}

fn unusable(error: CheckpointError) -> Failure {
    match error {
        CheckpointError::Input(_) => Failure::input(error),
        CheckpointError::Outside(_) => Failure::outside(error),
    }
}

fn cores() -> usize {
    available_parallelism().map_or(1, usize::from)
}

fn report(
    options: &Options,
    engine: &mut Embedded,
    explored: &Explored,
    files: &[Option<String>],
) -> Result<String, Failure> {
    let scenario = engine.scenario.clone();
    if options.quiet {
        return Ok(format!("{}: {}\n", scenario.name, Verdict::of(&scenario, explored).word()));
    }
    let mut out = text::summary(&scenario, explored);
    let first = explored.findings.iter().position(|finding| is_violation(&scenario.invariants[finding.invariant]));
    if let Some(at) = first {
        let finding = &explored.findings[at];
        let replayed = replay(engine, &finding.schedule, Some(finding.invariant))
            .map_err(|error| Failure::outside(format!("bug in canloom: a finding does not replay: {error}")))?;
        out.push('\n');
        out.push_str(&text::counterexample(&scenario, finding.invariant, &replayed));
        if let Some(file) = &files[at] {
            out.push_str(&format!("\nreplay: canloom repro {file}\n"));
        }
    }
    Ok(out)
}

/// Writes the counterexample of a finding as `*.cx.new`, unless the corpus has it already; returns the file.
fn save(engine: &Embedded, finding: &Finding) -> Option<PathBuf> {
    let scenario = &engine.scenario;
    let folder = scenario.file.parent().unwrap_or(Path::new(""));
    let scenario_file = scenario.file.file_name().map(PathBuf::from).unwrap_or_default();
    let modules = scenario.canisters.iter().zip(&engine.hashes);
    let counterexample = Counterexample {
        scenario: scenario_file,
        invariant: scenario.invariants[finding.invariant].name.clone(),
        tool: format!("canloom {}", env!("CARGO_PKG_VERSION")),
        modules: modules.map(|(canister, hash)| (canister.name.clone(), hash.clone())).collect(),
        schedule: finding.schedule.clone(),
    };
    let name = counterexample.file_name(&scenario.name);
    let accepted = folder.join(&name);
    if accepted.exists() {
        return Some(accepted);
    }
    let file = folder.join(format!("{name}.new"));
    match write_atomically(&file, &counterexample.text()) {
        Ok(()) => Some(file),
        Err(error) => {
            eprintln!("warning: the counterexample was not saved: {}: {error}", file.display());
            None
        }
    }
}

fn write_atomically(file: &Path, text: &str) -> std::io::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = file.with_file_name(name);
    std::fs::write(&temporary, text)?;
    std::fs::rename(&temporary, file).inspect_err(|_| {
        let _ = std::fs::remove_file(&temporary);
    })
}

fn write_json(file: &Path, report: &Report) -> Result<(), Failure> {
    let mut text = serde_json::to_string_pretty(report).map_err(Failure::outside)?;
    text.push('\n');
    write_to(file, &text)
}

fn write_to(file: &Path, text: &str) -> Result<(), Failure> {
    if file == Path::new("-") {
        return print(text);
    }
    write_atomically(file, text).map_err(|error| Failure::outside(format!("cannot write {}: {error}", file.display())))
}

/// A time with its unit: 500ms, 60s, 5m, 2h.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err("a time needs a unit: 500ms, 60s, 5m or 2h".to_string()),
    };
    let number: f64 = number.parse().map_err(|_| format!("`{number}` is not a number"))?;
    Duration::try_from_secs_f64(number * factor).map_err(|_| "the time is too long".to_string())
}
