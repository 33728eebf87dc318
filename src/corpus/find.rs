//! Finds the files of a corpus.
//!
//! In: a folder or single files. Out: the counterexamples in it, sorted. Links are not followed: a corpus comes from pull
//! requests, and what it names must lie in it.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{ACCEPTED, NEW};
use crate::files::{shown, words};

/// Deepest folder below the one that is named, and most entries that are looked at.
const DEPTH_MAX: usize = 16;
const FILES_MAX: usize = 100_000;
/// A half-written file of this age belongs to a process that was killed.
const LEFT_AFTER: Duration = Duration::from_secs(600);

/// Why a folder cannot be searched.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// It cannot be read.
    #[error("cannot read {}: {}", shown(file), words(source))]
    Read {
        /// Which.
        file: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is not there.
    #[error(
        "there is no file or folder {}; go to the folder of the project, or name files: canloom corpus check FILE_OR_FOLDER",
        shown(file)
    )]
    Missing {
        /// Which.
        file: PathBuf,
    },
    /// There is too much in it.
    #[error("{}: more than {FILES_MAX} files; name the corpus's own folder", file.display())]
    TooMany {
        /// Which.
        file: PathBuf,
    },
    /// A file that is no counterexample was named.
    #[error("{}: not a counterexample; their names end in .cx or .cx.new", file.display())]
    NoEntry {
        /// Which.
        file: PathBuf,
    },
}

/// Whether a file is named as a counterexample.
pub(super) fn is_entry(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(ACCEPTED) || name.ends_with(NEW)
}

/// The counterexamples in a folder, sorted by name; of a file, itself.
///
/// # Errors
/// What cannot be read.
pub fn find(root: &Path) -> Result<Vec<PathBuf>, FindError> {
    let read = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => FindError::Missing { file: root.to_path_buf() },
        _ => FindError::Read { file: root.to_path_buf(), source },
    };
    if !std::fs::metadata(root).map_err(read)?.is_dir() {
        let file = root.to_path_buf();
        return if is_entry(root) { Ok(vec![file]) } else { Err(FindError::NoEntry { file }) };
    }
    let mut found = walk(root)?;
    found.retain(|file| is_entry(file));
    Ok(found)
}

/// What processes that were killed have left half written in a folder.
///
/// # Errors
/// What cannot be read.
pub fn leftovers(root: &Path) -> Result<Vec<PathBuf>, FindError> {
    if !root.is_dir() {
        return Ok(Vec::new());
    }
    let is_old = |file: &PathBuf| {
        let changed = std::fs::metadata(file).and_then(|meta| meta.modified()).ok();
        changed.is_some_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age >= LEFT_AFTER))
    };
    let mut found = walk(root)?;
    found.retain(|file| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let is_temporary = name.strip_suffix(".tmp").is_some_and(|name| name.contains(ACCEPTED));
        is_temporary && is_old(file)
    });
    Ok(found)
}

/// All plain files in a folder and those below it, sorted.
fn walk(root: &Path) -> Result<Vec<PathBuf>, FindError> {
    let mut found = Vec::new();
    let mut folders = vec![(root.to_path_buf(), 0)];
    let mut seen = 0;
    while let Some((folder, depth)) = folders.pop() {
        let read = |source| FindError::Read { file: folder.clone(), source };
        for entry in std::fs::read_dir(&folder).map_err(read)? {
            let entry = entry.map_err(read)?;
            seen += 1;
            if seen > FILES_MAX {
                return Err(FindError::TooMany { file: root.to_path_buf() });
            }
            let kind = entry.file_type().map_err(read)?;
            if kind.is_dir() && depth < DEPTH_MAX {
                folders.push((entry.path(), depth + 1));
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}
