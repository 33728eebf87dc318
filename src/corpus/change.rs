//! Changes a corpus, one whole file at a time.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::{Entry, NEW};
use crate::counterexample::store::{write_atomically, write_new};
use crate::counterexample::{Counterexample, Status};
use crate::files::cannot_write;

/// Why a file was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The system refuses.
    #[error("{}; nothing was changed", cannot_write(file, source))]
    System {
        /// Which file.
        file: PathBuf,
        /// What it says.
        source: io::Error,
    },
    /// It is not what it was when it was read.
    #[error("{}: another process has changed it meanwhile; nothing was written", file.display())]
    Changed {
        /// Which file.
        file: PathBuf,
    },
    /// Another file has that name and other contents.
    #[error("{}: there is another {} already; compare them, and remove one", new.display(), taken.display())]
    Taken {
        /// What was to be accepted.
        new: PathBuf,
        /// What is there.
        taken: PathBuf,
    },
}

/// Moves a new counterexample in: `*.cx.new` becomes `*.cx`. Nothing is overwritten: the file gets a second name, which fails
/// if that is taken, and then loses the first one. Whoever does the same at the same time finds it done.
///
/// # Errors
/// If another counterexample has the name, or the system refuses.
pub fn accept(file: &Path) -> Result<PathBuf, ChangeError> {
    let name = file.to_string_lossy();
    let accepted = PathBuf::from(name.strip_suffix(".new").unwrap_or(&name));
    let fail = |source| ChangeError::System { file: file.to_path_buf(), source };
    match std::fs::hard_link(file, &accepted) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let same = match (std::fs::read(file), std::fs::read(&accepted)) {
                (Ok(new), Ok(old)) => new == old,
                // Another process has moved it in meanwhile.
                (Err(error), Ok(_)) => error.kind() == ErrorKind::NotFound,
                _ => false,
            };
            if !same {
                return Err(ChangeError::Taken { new: file.to_path_buf(), taken: accepted });
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound && accepted.exists() => return Ok(accepted),
        // A file system without links: the name may be taken between the two, by the same counterexample only, since names
        // have a hash of what they are of.
        Err(_) if !accepted.exists() => {
            std::fs::rename(file, &accepted).map_err(fail)?;
            return Ok(accepted);
        }
        Err(error) => return Err(fail(error)),
    }
    remove(file)?;
    Ok(accepted)
}

/// Marks an accepted entry as fixed, or as open again.
///
/// # Errors
/// If the system refuses.
pub fn fix(entry: &Entry, status: Status) -> Result<(), ChangeError> {
    rewrite(entry, &entry.file, &Counterexample { status, ..entry.counterexample.clone() })
}

/// Writes an entry anew, all of it or nothing, under this name: its own, or another one that no file has.
///
/// # Errors
/// If the file was changed since it was read, another file has the name, or the system refuses.
pub fn rewrite(entry: &Entry, to: &Path, counterexample: &Counterexample) -> Result<(), ChangeError> {
    let text = counterexample.text();
    let fail = |source| ChangeError::System { file: to.to_path_buf(), source };
    if Counterexample::read(&entry.file).ok().as_ref() != Some(&entry.counterexample) {
        return Err(ChangeError::Changed { file: entry.file.clone() });
    }
    if to == entry.file {
        return write_atomically(to, text.as_bytes()).map_err(fail);
    }
    match write_new(to, text.as_bytes()) {
        Ok(()) => {}
        // An earlier run was stopped between the two.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && std::fs::read(to).ok() == Some(text.into_bytes()) => {
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(ChangeError::Taken { new: entry.file.clone(), taken: to.to_path_buf() });
        }
        Err(error) => return Err(fail(error)),
    }
    remove(&entry.file)
}

/// An entry as this version writes it: with its await point, today's modules and the name that its contents give. `replayed` is
/// what was made of it anew, of which the status stays that of the entry.
pub fn migrated(entry: &Entry, replayed: &Counterexample, scenario: &str) -> (PathBuf, Counterexample) {
    let own = &entry.counterexample;
    let migrated = Counterexample {
        scenario: own.scenario.clone(),
        status: own.status,
        point: replayed.point.clone().or_else(|| own.point.clone()),
        ..replayed.clone()
    };
    let name = migrated.file_name(scenario);
    let name = if entry.is_accepted() { name } else { format!("{}{NEW}", name.trim_end_matches(super::ACCEPTED)) };
    (entry.file.with_file_name(name), migrated)
}

/// For each entry that another one implies: which one. Of entries with the same key and status the shortest stays, of equally
/// short ones that with the lesser name; an accepted one is never dropped for one that nobody has looked at.
pub fn implied(entries: &[Entry]) -> Vec<(&Entry, &Entry)> {
    let rank = |entry: &Entry| (!entry.is_accepted(), entry.counterexample.schedule.steps.len(), entry.file.clone());
    let same = |one: &Entry, other: &Entry| {
        // An entry that does not say where it hangs on may be of another bug.
        let status = one.counterexample.status;
        // What a fixed entry hangs on cannot be seen any more, so only equal steps make one imply another.
        one.key() == other.key()
            && one.counterexample.point.is_some()
            && status == other.counterexample.status
            && (status == Status::Open || one.counterexample.schedule == other.counterexample.schedule)
    };
    let keeps = |entry: &&Entry| entries.iter().filter(|other| same(entry, other)).min_by_key(|other| rank(other));
    let all = entries.iter().filter_map(|entry| Some((entry, keeps(&entry)?)));
    all.filter(|(entry, kept)| entry.file != kept.file).collect()
}

/// Drops an entry that another one implies, as long as that one is there.
///
/// # Errors
/// If the system refuses.
pub fn drop_implied(entry: &Entry, kept: &Entry) -> Result<bool, ChangeError> {
    if !kept.file.exists() {
        return Ok(false);
    }
    remove(&entry.file)?;
    Ok(true)
}

/// Removes a file; one that is gone already is no error.
fn remove(file: &Path) -> Result<(), ChangeError> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(ChangeError::System { file: file.to_path_buf(), source: error })
        }
        _ => Ok(()),
    }
}
