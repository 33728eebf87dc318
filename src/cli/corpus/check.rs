//! `canloom corpus check`.

use std::path::PathBuf;

use canloom::corpus::{Entry, Outcome};
use canloom::counterexample::Status;
use canloom::files::shown;
use canloom::report::junit::{self, Case};

use super::super::output::{check_places, is_standard_output, write_to};
use super::super::paint::show;
use super::super::progress::Line;
use super::super::{Exit, Failure, Memory, print};
use super::{Files, checker, is_accepted, unfit, worst};

/// Options of `canloom corpus check`.
#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    memory: Memory,
    /// Write the entries as JUnit XML to this file.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Print only what is not as it should be, and the last line.
    #[arg(long)]
    quiet: bool,
}

/// Runs it.
pub fn run(options: &Options) -> Result<Exit, Failure> {
    if let Some(file) = &options.junit {
        if is_standard_output(file) {
            return Err(Failure::input("--junit needs a file; the result goes to standard output"));
        }
        check_places(&[("--junit", file)])?;
    }
    let (entries, wrong) = options.files.read(is_accepted)?;
    let line = Line::new(options.quiet);
    let mut checker = checker(&options.memory)?;
    let mut exits: Vec<Exit> = wrong.iter().map(|_| Exit::Input).collect();
    let mut out: String = wrong.iter().map(|what| format!("error: {what}\n")).collect();
    let (mut open, mut fixed) = (0, 0);
    let mut cases: Vec<Case> = wrong.iter().map(|what| unreadable(what)).collect();
    for (at, entry) in entries.iter().enumerate() {
        line.say(&format!("replaying {} of {}: {}", at + 1, entries.len(), entry.file.display()));
        let (exit, text) = match checker.check(entry) {
            Ok(checked) => {
                let (exit, text) = judged(entry, &checked.outcome);
                let changed = if checked.changed.is_empty() || exit == Exit::Held {
                    String::new()
                } else {
                    format!(" (another module than when it was found: {})", checked.changed.join(", "))
                };
                (exit, format!("{text}{changed}"))
            }
            Err(error) => (unfit(&error), format!("error: {error}")),
        };
        match entry.counterexample.status {
            Status::Open => open += 1,
            Status::Fixed => fixed += 1,
        }
        let failure = (exit != Exit::Held).then(|| (text.clone(), text.clone()));
        let class = entry.counterexample.status.word().to_string();
        cases.push(Case { name: entry.file.display().to_string(), class, failure, skipped: None });
        if exit != Exit::Held || !options.quiet {
            out.push_str(&text);
            out.push('\n');
        }
        exits.push(exit);
    }
    line.end();
    let bad = exits.iter().filter(|exit| **exit != Exit::Held).count();
    let verdict = if bad == 0 { "as they should be".to_string() } else { format!("{bad} not as they should be") };
    out.push_str(&format!("{open} open, {fixed} fixed: {verdict}\n"));
    let junit = || junit::document("corpus", &cases, None);
    let written = options.junit.as_ref().map_or(Ok(()), |file| write_to(file, &junit()));
    if entries.is_empty() && wrong.is_empty() {
        // A wrong path must not look green.
        let folders: Vec<String> = options.files.files.iter().map(|folder| shown(folder)).collect();
        print(&format!(
            "nothing was checked: there are no counterexamples in {}; `canloom corpus accept` moves new ones in\n",
            folders.join(", ")
        ))?;
        return written.map(|()| Exit::Inconclusive);
    }
    show(&out)?;
    written?;
    Ok(worst(exits))
}

/// A file that is no counterexample, as a case.
fn unreadable(what: &str) -> Case {
    let name = what.split(": ").next().unwrap_or_default().to_string();
    Case { name, class: "unreadable".to_string(), failure: Some((what.to_string(), what.to_string())), skipped: None }
}

/// What an outcome means for an entry, as exit code and line.
fn judged(entry: &Entry, outcome: &Outcome) -> (Exit, String) {
    let file = entry.file.display();
    match (entry.counterexample.status, outcome) {
        (Status::Open, Outcome::Violated(_)) => (Exit::Held, format!("open:  {file}")),
        (Status::Fixed, Outcome::Holds) => (Exit::Held, format!("fixed: {file}")),
        (Status::Fixed, Outcome::Violated(_)) => {
            (Exit::Violated, format!("violated again: {file}: it was fixed; see it with `canloom repro {file}`"))
        }
        (Status::Open, Outcome::Holds) => {
            let remedy = format!("if the bug was corrected, `canloom corpus accept --fixed {file}`");
            (Exit::Stale, format!("stale: {file}: the invariant holds now; {remedy}"))
        }
        (Status::Open, Outcome::Gone(what)) => {
            let remedy =
                format!("if the bug was corrected, `canloom corpus accept --fixed {file}`; else remove the file");
            (Exit::Stale, format!("stale: {file}: {what}; {remedy}"))
        }
        (_, Outcome::Unknown(what)) => (Exit::Stale, format!("stale: {file}: {what}; correct the file, or remove it")),
        (Status::Fixed, Outcome::Gone(what)) => (Exit::Stale, format!("stale: {file}: {what}; remove the file")),
        (_, Outcome::Diverged(what)) => {
            (Exit::Divergence, format!("diverged: {file}: {what}; explore again, and remove the file"))
        }
    }
}
