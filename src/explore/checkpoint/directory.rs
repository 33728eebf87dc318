//! The directory of a checkpoint: made if it is missing, refused if it is something else, locked while a run uses it.
//!
//! The lock is one of the system, so it goes with the process that holds it, however that ends.

use std::fs::{File, Metadata, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::CheckpointError;

const LOG: &str = "log";
const LOCK: &str = "lock";
/// A log that is not finished: the run that made it was killed.
const NEW: &str = "log.new";

/// A directory that no other run uses.
#[derive(Debug)]
pub struct Directory {
    folder: PathBuf,
    _lock: File,
}

impl Directory {
    /// Locks a directory, which is made if its parent is there.
    ///
    /// # Errors
    /// If it holds something else, if another run uses it, or if the system refuses.
    pub fn open(folder: &Path) -> Result<Directory, CheckpointError> {
        let shown = folder.display();
        let input = |what: String| Err(CheckpointError::Input(what));
        match std::fs::metadata(folder) {
            Ok(found) if found.is_dir() => {}
            Err(error) if error.kind() == ErrorKind::NotFound && folder.is_symlink() => {
                return input(format!(
                    "the checkpoint {shown} is a link to nothing; remove it, or name another directory"
                ));
            }
            Ok(_) => {
                return input(format!(
                    "the checkpoint {shown} is not a directory; name one, or one that is not there yet"
                ));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => match std::fs::create_dir(folder) {
                // Another run may have made it meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    return input(format!(
                        "cannot make the checkpoint directory {shown}: its parent is not there; make that first"
                    ));
                }
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(outside(folder, &error)),
                _ => {}
            },
            Err(error) => return Err(outside(folder, &error)),
        }
        let entries = std::fs::read_dir(folder).map_err(|error| outside(folder, &error))?;
        let names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
        let is_ours = names.iter().any(|name| name == LOG) || names.iter().all(|name| name == LOCK || name == NEW);
        if !is_ours {
            return input(format!(
                "the directory {shown} is not empty and holds no checkpoint; name an empty one, or one that is not there yet"
            ));
        }
        for name in [LOG, LOCK, NEW] {
            let file = folder.join(name);
            // Opening what is no file could wait for ever.
            if std::fs::symlink_metadata(&file).as_ref().is_ok_and(|found| !Metadata::is_file(found)) {
                return input(format!(
                    "{} is not a file, so {shown} is no checkpoint; name another directory",
                    file.display()
                ));
            }
        }
        let name = folder.join(LOCK);
        let options = File::options().write(true).create(true).truncate(false).open(&name);
        let lock = options.map_err(|error| outside(&name, &error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Directory { folder: folder.to_path_buf(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(CheckpointError::Outside(format!(
                "another run of canloom uses the checkpoint {shown}; wait for its end, or name another directory"
            ))),
            Err(TryLockError::Error(error)) => Err(outside(&name, &error)),
        }
    }

    /// The log in it.
    pub fn log(&self) -> PathBuf {
        self.folder.join(LOG)
    }
}

fn outside(file: &Path, error: &io::Error) -> CheckpointError {
    CheckpointError::Outside(format!(
        "cannot use {} for a checkpoint: {error}; name a directory in another place",
        file.display()
    ))
}
