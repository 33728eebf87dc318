//! Where results go: counterexamples beside the scenario, reports to files or standard output.

use std::path::{Path, PathBuf};

use canloom::counterexample::Counterexample;
use canloom::report::json::Report;
use canloom::scenario::Scenario;

use super::{Failure, print};

/// Writes a counterexample as `*.cx.new`, unless the corpus has it already; returns the file.
pub fn save(scenario: &Scenario, counterexample: &Counterexample) -> Option<PathBuf> {
    let folder = scenario.file.parent().unwrap_or(Path::new(""));
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

/// Writes a report as JSON; `-` is standard output.
pub fn write_json(file: &Path, report: &Report) -> Result<(), Failure> {
    let mut text = serde_json::to_string_pretty(report).map_err(Failure::outside)?;
    text.push('\n');
    write_to(file, &text)
}

/// Writes a text to a file, all of it or nothing; `-` is standard output.
pub fn write_to(file: &Path, text: &str) -> Result<(), Failure> {
    if file == Path::new("-") {
        return print(text);
    }
    write_atomically(file, text).map_err(|error| Failure::outside(format!("cannot write {}: {error}", file.display())))
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
