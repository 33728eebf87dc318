//! Counterexamples on disk: new ones are written beside the scenario, all of a file or nothing.

use std::io;
use std::path::{Path, PathBuf};

use super::Counterexample;
use crate::scenario::Scenario;

/// Writes a counterexample as `*.cx.new`, unless the corpus has it already; returns the file.
///
/// # Errors
/// The file that could not be written, and why.
pub fn save(scenario: &Scenario, counterexample: &Counterexample) -> Result<PathBuf, (PathBuf, io::Error)> {
    let folder = scenario.file.parent().unwrap_or(Path::new(""));
    let name = counterexample.file_name(&scenario.name);
    let accepted = folder.join(&name);
    if accepted.exists() {
        return Ok(accepted);
    }
    let file = folder.join(format!("{name}.new"));
    match write_atomically(&file, counterexample.text().as_bytes()) {
        Ok(()) => Ok(file),
        Err(error) => Err((file, error)),
    }
}

/// Writes a file under another name first, so that nobody sees half of it.
///
/// # Errors
/// What the system says.
pub fn write_atomically(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = file.with_file_name(name);
    std::fs::write(&temporary, bytes).inspect_err(|_| {
        let _ = std::fs::remove_file(&temporary);
    })?;
    std::fs::rename(&temporary, file).inspect_err(|_| {
        let _ = std::fs::remove_file(&temporary);
    })
}
