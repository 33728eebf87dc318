//! What can be wrong with a scenario file, always with the place and the remedy.

use std::path::PathBuf;

use super::SIZE_MAX;

/// Why a scenario was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", file.display())]
    Read {
        /// The scenario file, as the user named it.
        file: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is larger than any scenario should be.
    #[error("{}: larger than {} KiB; is this a scenario file?", file.display(), SIZE_MAX / 1024)]
    TooLarge {
        /// The scenario file, as the user named it.
        file: PathBuf,
    },
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
