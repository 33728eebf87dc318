//! `canloom corpus accept`.

use std::path::PathBuf;

use canloom::corpus::{self, ChangeError, Entry, Outcome, fix};
use canloom::counterexample::{Counterexample, Status};

use super::super::{Exit, Failure, Memory, print, say};
use super::{Files, checker, is_accepted, unfit, worst};

/// Options of `canloom corpus accept`.
#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    files: Files,
    /// Mark accepted entries as fixed: their invariant must hold now, and from now on. Names single files.
    #[arg(long, conflicts_with = "open")]
    fixed: bool,
    /// Mark fixed entries as open again.
    #[arg(long)]
    open: bool,
    #[command(flatten)]
    memory: Memory,
}

/// Runs it.
pub fn run(options: &Options) -> Result<Exit, Failure> {
    let marks = options.fixed || options.open;
    if marks && options.files.files.iter().any(|file| file.is_dir()) {
        return Err(Failure::input("--fixed and --open name single files: each is one decision"));
    }
    let (entries, wrong) = options.files.read(|file| is_accepted(file) == marks)?;
    let mut exits: Vec<Exit> = wrong.iter().map(|_| Exit::Input).collect();
    wrong.iter().for_each(|what| say(&format!("error: {what}")));
    if entries.is_empty() && wrong.is_empty() {
        print(if marks { "nothing to mark: these are not accepted yet\n" } else { "nothing new\n" })?;
    }
    let mut checker = checker(&options.memory)?;
    for entry in &entries {
        let file = entry.file.display();
        let wanted = if options.fixed { Status::Fixed } else { Status::Open };
        let asked = Entry {
            file: entry.file.clone(),
            counterexample: Counterexample { status: wanted, ..entry.counterexample.clone() },
        };
        let outcome = match checker.check(&asked) {
            Ok(checked) => checked.outcome,
            Err(error) => {
                say(&format!("error: {error}"));
                exits.push(unfit(&error));
                continue;
            }
        };
        let refused = match (wanted, &outcome) {
            (Status::Open, Outcome::Violated(_)) | (Status::Fixed, Outcome::Holds) => None,
            (Status::Fixed, Outcome::Violated(_)) => {
                Some((Exit::Violated, format!("the invariant is still violated; see it with canloom repro {file}")))
            }
            (_, Outcome::Holds) => Some((
                Exit::Stale,
                "the invariant holds on this schedule; remove the file, or explore again".to_string(),
            )),
            (_, Outcome::Gone(what) | Outcome::Unknown(what)) => {
                Some((Exit::Stale, format!("{what}; explore again, and remove this file")))
            }
            (_, Outcome::Diverged(what)) => {
                Some((Exit::Divergence, format!("{what}; explore again, and remove this file")))
            }
        };
        if let Some((exit, why)) = refused {
            say(&format!("error: {file}: not accepted: {why}"));
            exits.push(exit);
            continue;
        }
        let done = if marks { fix(entry, wanted).map(|()| entry.file.clone()) } else { corpus::accept(&entry.file) };
        exits.push(said(done, if marks { wanted.word() } else { "accepted" })?);
    }
    Ok(worst(exits))
}

fn said(done: Result<PathBuf, ChangeError>, what: &str) -> Result<Exit, Failure> {
    match done {
        Ok(file) => print(&format!("{what}: {}\n", file.display())).map(|()| Exit::Held),
        // What the system refuses for one it will refuse for the others.
        Err(error @ ChangeError::System { .. }) => Err(Failure::outside(error)),
        Err(error) => {
            say(&format!("error: {error}"));
            Ok(Exit::Input)
        }
    }
}
