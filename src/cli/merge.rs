//! `canloom merge`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use canloom::engine::embedded::Embedded;
use canloom::files::{self, Kind, shown};
use canloom::report::json::Report;
use canloom::report::merge::merge;
use canloom::report::part::Part;
use canloom::report::{Verdict, is_violation, text};
use canloom::scenario::Scenario;

use super::class::label;
use super::output::{Outputs, save};
use super::{Exit, Failure, print};

/// The report of a shard.
const FILE: Kind = Kind {
    noun: "a report",
    most: 1 << 30,
    missing: "write it with `canloom explore SCENARIO --shard i/n --json FILE`",
    instead: "name the JSON reports of all shards",
};

/// Options of `canloom merge`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The JSON reports of all shards, in any order.
    #[arg(required = true, value_name = "REPORT")]
    reports: Vec<PathBuf>,
    /// The scenario file; by default the one that the first report names, from the current directory.
    #[arg(long, value_name = "SCENARIO")]
    scenario: Option<PathBuf>,
    #[command(flatten)]
    outputs: Outputs,
    /// Print only the verdict.
    #[arg(long)]
    quiet: bool,
}

/// Runs it.
pub fn run(options: &Options) -> Result<Exit, Failure> {
    options.outputs.check()?;
    let mut parts = Vec::new();
    for file in &options.reports {
        parts.push((file.display().to_string(), read(file)?));
    }
    let named = parts.first().map(|(_, part)| part.scenario.clone()).unwrap_or_default();
    let mut scenario =
        Scenario::load(options.scenario.as_ref().unwrap_or(&named)).map_err(|error| match options.scenario {
            Some(_) => Failure::input(error),
            None => {
                Failure::input(format!("{error}; name the scenario with --scenario, or go to where the shards ran"))
            }
        })?;
    for &(name, most) in parts.first().iter().flat_map(|(_, part)| &part.bounds) {
        scenario.narrow(name, most).map_err(|error| Failure::input(format!("{}: {error}", parts[0].0)))?;
    }
    let merged = merge(&scenario, &parts).map_err(Failure::input)?;
    let explored = &merged.explored;
    let mut files = Vec::new();
    for (finding, (counterexample, _)) in explored.findings.iter().zip(&merged.counterexamples) {
        let wanted = is_violation(&scenario.invariants[finding.invariant]);
        let file = if wanted { save(&scenario, counterexample) } else { None };
        files.push(file.map(|file| file.display().to_string()));
    }
    let mut document = Report::new(&scenario, explored, &files);
    if !explored.findings.is_empty() {
        // As the search would have said it; where the modules are not at hand, nothing is said.
        if let Ok(engine) = Embedded::open(Arc::new(scenario.clone())) {
            label(&engine, explored, &mut document)?;
        }
    }
    let written = options.outputs.write(&document, explored);
    let verdict = Verdict::of(&scenario, explored);
    if !options.outputs.take_standard_output() {
        let mut out = text::verdict(&scenario, explored);
        if !options.quiet {
            out = text::summary(&scenario, explored) + &text::coverage(&explored.coverage);
            let wanted = explored.findings.iter().map(|finding| is_violation(&scenario.invariants[finding.invariant]));
            if let Some(at) = wanted.into_iter().position(|wanted| wanted) {
                let (_, steps) = &merged.counterexamples[at];
                out.push_str(&text::with_replay(steps, files[at].as_deref()));
            }
        }
        print(&out)?;
    }
    written?;
    Ok(Exit::of(verdict))
}

fn read(file: &Path) -> Result<Part, Failure> {
    let fail = |what: String| Failure::input(format!("{}: {what}", shown(file)));
    let bytes = files::read(file, &FILE).map_err(Failure::input)?;
    let document: serde_json::Value = serde_json::from_slice(&bytes).map_err(|error| {
        let what = if error.is_eof() { "it ends too early" } else { "it is not JSON" };
        let (line, column) = (error.line(), error.column());
        Failure::input(format!("{}:{line}:{column}: not a report: {what}; run that shard again", shown(file)))
    })?;
    let part = document.get("shard").ok_or_else(|| {
        fail("not the report of a shard; write it with `canloom explore SCENARIO --shard i/n --json FILE`".to_string())
    })?;
    serde_json::from_value(part.clone()).map_err(|error| {
        // What serde knows of the place: the first name that it quotes.
        let text = error.to_string();
        let key = text.split('`').nth(1).map_or_else(String::new, |key| format!(" ({key})"));
        let what = "was it edited, or written by another version? Run that shard again";
        fail(format!("`shard` is not what this canloom writes{key}; {what}"))
    })
}
