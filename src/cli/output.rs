//! Where results go: counterexamples beside the scenario, reports to files or standard output.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use canloom::counterexample::Counterexample;
use canloom::counterexample::store;
use canloom::explore::Explored;
use canloom::files::{cannot_write, is_misnamed, shown};
use canloom::report::json::Report;
use canloom::report::text;
use canloom::scenario::Scenario;

use super::{Exit, Failure, print, say};

/// Writes a counterexample as `*.cx.new`, unless the corpus has it already; returns the file. One that cannot be written is shown,
/// so that it is not lost.
pub fn save(scenario: &Scenario, counterexample: &Counterexample) -> Option<PathBuf> {
    match store::save(scenario, counterexample) {
        Ok(file) => Some(file),
        Err(why) => {
            let shown = counterexample.text();
            say(&format!(
                "warning: the counterexample was not saved: {why}; here it is, to be copied to a file *.cx:\n{shown}"
            ));
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
    /// Refuses places that are none for a report, and two reports on standard output.
    pub fn check(&self) -> Result<(), Failure> {
        let both = [&self.json, &self.outcomes].iter().all(|file| file.as_deref().is_some_and(is_standard_output));
        if both {
            return Err(Failure::input("--json and --outcomes cannot both go to standard output"));
        }
        check_places(&self.places())
    }

    /// Where they go, by option.
    pub fn places(&self) -> Vec<(&'static str, &Path)> {
        named([("--json", &self.json), ("--outcomes", &self.outcomes)])
    }

    /// Whether one of them goes to standard output, in place of the text for people.
    pub fn take_standard_output(&self) -> bool {
        self.places().iter().any(|(_, file)| is_standard_output(file))
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

/// The options that were given.
pub fn named<'a, const N: usize>(options: [(&'static str, &'a Option<PathBuf>); N]) -> Vec<(&'static str, &'a Path)> {
    options.into_iter().filter_map(|(option, file)| Some((option, file.as_deref()?))).collect()
}

/// Whether this is standard output: `-`, or a name such as `/dev/stdout` or a link to it.
pub fn is_standard_output(file: &Path) -> bool {
    file == Path::new("-") || leads_to_standard_output(file)
}

#[cfg(unix)]
fn leads_to_standard_output(file: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let key = |file: &Path| std::fs::metadata(file).map(|found| (found.dev(), found.ino())).ok();
    key(file).is_some_and(|file| key(Path::new("/dev/stdout")) == Some(file))
}

#[cfg(not(unix))]
fn leads_to_standard_output(_: &Path) -> bool {
    false
}

/// Writes a text to a file, all of it or nothing; `-` is standard output.
pub fn write_to(file: &Path, text: &str) -> Result<(), Failure> {
    if is_standard_output(file) {
        return print(text);
    }
    store::write_named(file, text.as_bytes()).map_err(|error| Failure::outside(cannot_write(file, &error)))
}

/// Refuses reports, each with its option, that cannot be written to their places, or not both to one; before anything is run.
pub fn check_places(places: &[(&'static str, &Path)]) -> Result<(), Failure> {
    let same = |a: &Path, b: &Path| a == b || a.canonicalize().is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b));
    for (at, (option, file)) in places.iter().enumerate() {
        check_place(file)?;
        if let Some((other, _)) = places[..at].iter().find(|(_, other)| is_file(file) && same(other, file)) {
            let file = shown(file);
            return Err(Failure::input(format!("{file} is named for both {other} and {option}; name two files")));
        }
    }
    Ok(())
}

/// Makes a folder that an option names, and those above it.
pub fn make_folder(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| {
        let text = match error.kind() {
            ErrorKind::AlreadyExists => format!("{} is a file; name a folder", shown(folder)),
            ErrorKind::NotADirectory => {
                format!("cannot make the folder {}: a part of its path is a file", shown(folder))
            }
            _ => format!("cannot make the folder {}: {error}; name another one", shown(folder)),
        };
        let misnamed = is_misnamed(&error) || error.kind() == ErrorKind::AlreadyExists;
        Failure { exit: if misnamed { Exit::Input } else { Exit::Internal }, text }
    })
}

/// Whether a report would replace what has this name, or be the first there.
fn is_file(file: &Path) -> bool {
    !is_standard_output(file) && std::fs::metadata(file).map_or(true, |found| found.is_file())
}

/// Refuses a report in the place of something that is read, for a mistyped option must not overwrite it; and where none can be
/// written.
fn check_place(file: &Path) -> Result<(), Failure> {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let is_source = [".cx", ".cx.new", ".toml", ".wasm", ".did", ".rs"].iter().any(|ending| name.ends_with(ending));
    if is_source {
        return Err(Failure::input(format!("{}: a report would overwrite a source; name another file", shown(file))));
    }
    if is_standard_output(file) {
        return Ok(());
    }
    store::try_named(file).map_err(|error| {
        let exit = if is_misnamed(&error) { Exit::Input } else { Exit::Internal };
        Failure { exit, text: cannot_write(file, &error) }
    })
}
