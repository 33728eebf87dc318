//! Where results go: counterexamples beside the scenario, reports to files or standard output.

use std::path::{Path, PathBuf};

use canloom::counterexample::Counterexample;
use canloom::counterexample::store::{self, write_atomically};
use canloom::explore::Explored;
use canloom::report::json::Report;
use canloom::report::text;
use canloom::scenario::Scenario;

use super::{Failure, print, say};

/// Writes a counterexample as `*.cx.new`, unless the corpus has it already; returns the file.
pub fn save(scenario: &Scenario, counterexample: &Counterexample) -> Option<PathBuf> {
    match store::save(scenario, counterexample) {
        Ok(file) => Some(file),
        Err((file, error)) => {
            say(&format!("warning: the counterexample was not saved: {}: {error}", file.display()));
            None
        }
    }
}

/// Reports for programs.
#[derive(Debug, clap::Args)]
pub struct Outputs {
    /// Write the report as JSON to this file; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the set of outcomes, by number of calls and faults, to this file; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    outcomes: Option<PathBuf>,
}

impl Outputs {
    /// Refuses two reports on standard output.
    pub fn check(&self) -> Result<(), Failure> {
        for file in [&self.json, &self.outcomes].into_iter().flatten() {
            check_place(file)?;
        }
        let both = [&self.json, &self.outcomes].iter().all(|file| is_standard_output(file));
        if both { Err(Failure::input("--json and --outcomes cannot both go to standard output")) } else { Ok(()) }
    }

    /// Whether one of them goes to standard output, in place of the text for people.
    pub fn take_standard_output(&self) -> bool {
        [&self.json, &self.outcomes].iter().any(|file| is_standard_output(file))
    }

    /// Writes them.
    pub fn write(&self, report: &Report, explored: &Explored) -> Result<(), Failure> {
        if let Some(file) = &self.json {
            let mut text = serde_json::to_string_pretty(report).map_err(Failure::outside)?;
            text.push('\n');
            write_to(file, &text)?;
        }
        self.outcomes.as_ref().map_or(Ok(()), |file| write_to(file, &text::outcomes(explored)))
    }
}

fn is_standard_output(file: &Option<PathBuf>) -> bool {
    file.as_deref() == Some(Path::new("-"))
}

/// Writes a text to a file, all of it or nothing; `-` is standard output.
pub fn write_to(file: &Path, text: &str) -> Result<(), Failure> {
    if file == Path::new("-") {
        return print(text);
    }
    write_atomically(file, text.as_bytes())
        .map_err(|error| Failure::outside(format!("cannot write {}: {error}", file.display())))
}

/// Refuses a report in the place of something that is read: a mistyped option must not overwrite it.
pub fn check_place(file: &Path) -> Result<(), Failure> {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let is_source = [".cx", ".cx.new", ".toml", ".wasm", ".did", ".rs"].iter().any(|ending| name.ends_with(ending));
    if is_source {
        return Err(Failure::input(format!(
            "{}: a report would overwrite a source; name another file",
            file.display()
        )));
    }
    Ok(())
}
