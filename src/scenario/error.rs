//! What can be wrong with a scenario file, always with the place and the remedy.

use std::path::PathBuf;

use crate::files::ReadError;

/// Why a scenario was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file cannot be read, or is larger than any scenario should be.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The file can be read, but what it says is wrong.
    #[error("{}:{line}:{column}: {text}", file.display())]
    Invalid {
        /// The scenario file, as the user named it.
        file: PathBuf,
        /// Line of the problem, from 1.
        line: usize,
        /// Column of the problem in characters, from 1.
        column: usize,
        /// The problem and its remedy, a fragment without a full stop.
        text: String,
    },
}
