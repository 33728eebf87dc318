//! A counterexample as a test that stands alone, to be kept in the project of the canister.
//!
//! In: an installed scenario and a counterexample. Out: the text of a Cargo package with one test, which fails as long as the
//! canisters have the bug and passes when it is fixed; or why there is none. Nothing is written here.
//!
//! ```text
//! pocket_ic   a test on the replica's own code, which needs no canloom
//! embedded    a test with `canloom::testing::holds`
//! candid      arguments as text               literal    foreign text as Rust
//! ```
//!
//! Names and texts of a scenario come from strangers: whatever they are, they stay within their literals and comments.

mod candid;
mod embedded;
mod literal;
mod pocket_ic;

use std::path::{Component, Path, PathBuf};

use crate::counterexample::Counterexample;
use crate::engine::embedded::{Embedded, EmbeddedError};
use crate::files::ReadError;
use crate::scenario::Scenario;

/// What the test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// PocketIC, by its client crate alone.
    PocketIc,
    /// The embedded engine.
    Canloom,
}

/// A package with one test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Its `Cargo.toml`.
    pub manifest: String,
    /// Name of the test's file, without the ending: an identifier, from the names of scenario and invariant.
    pub name: String,
    /// Text of `tests/<name>.rs`; its head names the dependencies, too.
    pub test: String,
    /// Further files that it needs, by path within the package.
    pub files: Vec<(String, Vec<u8>)>,
}

/// Why a counterexample cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A replica cannot be made to do it, or the test cannot say it.
    #[error("not expressible as a test: {0}")]
    NotExpressible(String),
    /// The scenario cannot be installed.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// A module cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A path that has none to the package.
    #[error("{}: {source}", path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// The test for a counterexample to an invariant, by position. `root` is the folder that paths in the test are relative to: the
/// package's.
///
/// # Errors
/// If there is no such test, with the reason.
pub fn export(
    kind: Kind,
    engine: &mut Embedded,
    counterexample: &Counterexample,
    invariant: usize,
    root: &Path,
) -> Result<Exported, ExportError> {
    match kind {
        Kind::PocketIc => pocket_ic::export(engine, counterexample, invariant, root),
        Kind::Canloom => embedded::export(engine, counterexample, invariant, root),
    }
}

fn inexpressible<T>(reason: impl Into<String>) -> Result<T, ExportError> {
    Err(ExportError::NotExpressible(reason.into()))
}

/// The name of the test.
fn name(scenario: &Scenario, invariant: usize) -> String {
    literal::identifier(&format!("{} {}", scenario.name, scenario.invariants[invariant].name))
}

/// A `Cargo.toml` of a package of its own, with these lines as dependencies.
fn manifest(name: &str, dependencies: &[&str]) -> String {
    format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n\
         # Not part of a workspace around it.\n[workspace]\n\n[dev-dependencies]\n{}\n",
        dependencies.join("\n")
    )
}

/// The way from a folder to a file, as text with `/`.
fn relative(file: &Path, folder: &Path) -> Result<String, ExportError> {
    let plain = |path: &Path| {
        let absolute = std::path::absolute(path);
        let absolute = absolute.map_err(|source| ExportError::Path { path: path.to_path_buf(), source })?;
        // Where it exists, its links are followed: `..` behind a link leads elsewhere.
        let mut parts: Vec<String> = Vec::new();
        for part in absolute.canonicalize().unwrap_or(absolute).components() {
            match part {
                Component::ParentDir => drop(parts.pop()),
                Component::Normal(name) => parts.push(name.to_string_lossy().into_owned()),
                Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
            }
        }
        Ok::<Vec<String>, ExportError>(parts)
    };
    let (file, folder) = (plain(file)?, plain(folder)?);
    let same = file.iter().zip(&folder).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..", folder.len() - same);
    let down = file[same..].iter().map(String::as_str);
    Ok(up.chain(down).collect::<Vec<&str>>().join("/"))
}
