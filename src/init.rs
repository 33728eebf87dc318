//! A first scenario for a canister: what `canloom init` writes.
//!
//! In: a module, and its interface if it does not have one with it. Out: the text of a scenario with everything that the
//! search needs, commented, at most 60 lines. What it proposes was found by running the canister in the embedded engine, call
//! by call: nothing is concluded from the names of its methods but what stands in for the canisters that it calls.
//!
//! ```text
//! contract  where the interface comes from     values    plausible arguments by type
//! draft     the scenario on its way            stand     one call, made in it
//! callees   what stands in for whom it calls   survey    the search for calls that get far
//! observe   what is read, and balances         choose    what is proposed
//! page      the text
//! ```
//!
//! Left out: values at the limits of their types; sequences of more than two calls before the others.

mod callees;
mod choose;
mod contract;
mod draft;
mod observe;
mod page;
mod stand;
mod survey;
mod values;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::engine::embedded::{EmbeddedError, Modules};
use crate::engine::wasm::module::{self, ModuleError, check, plain};
use crate::files::{self, Kind, ReadError};
use crate::scenario::check_name;

pub use page::LINES_MAX;

use contract::Contract;
use draft::{ACTORS, Draft};
use survey::Survey;

/// How long the canister is tried out; what is running then is finished.
pub const TIME: Duration = Duration::from_secs(20);

/// The module, named on the command line.
const FILE: Kind = Kind { missing: "build the module first, or correct --wasm", ..module::FILE };

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The module.
    pub wasm: PathBuf,
    /// Its interface, if it does not have it with it.
    pub did: Option<PathBuf>,
    /// What it is installed with, as Candid text; by default found out.
    pub init: Option<String>,
    /// Its name in the scenario; by default that of the file.
    pub name: Option<String>,
    /// Where the scenario will be; its paths are relative to the folder.
    pub file: PathBuf,
    /// Whether an interface that the module has with it may become a file beside the scenario.
    pub writes_did: bool,
}

/// A scenario that is proposed.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// Its text.
    pub text: String,
    /// Name and content of the file with the interface, if the scenario needs one that is not there.
    pub did: Option<(String, String)>,
    /// How many update methods the interface has, and how many of them the scenario neither calls nor has in its setup.
    pub updates: usize,
    /// See `updates`.
    pub left_out: usize,
    /// Whether the time was over, or a call too slow, before all was tried.
    pub is_cut: bool,
}

/// Why there is no scenario.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The module cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It is not one.
    #[error("{}: {source}", wasm.display())]
    Module {
        /// The module.
        wasm: PathBuf,
        /// What is wrong with it.
        source: ModuleError,
    },
    /// It has no interface with it.
    #[error("{}: the module says nothing of its interface; pass its Candid file: --did FILE.did", wasm.display())]
    NoInterface {
        /// The module.
        wasm: PathBuf,
    },
    /// The interface cannot be used.
    #[error("{0}")]
    Interface(String),
    /// The name cannot be that of a canister.
    #[error("{0}; pass another one: --as NAME")]
    Name(String),
    /// The argument of the installation is none.
    #[error("--init: {0}")]
    Arguments(String),
    /// The canister does not install.
    #[error("`{name}` cannot be installed with {init}: {problem}; pass what it needs: --init '(...)'")]
    Install {
        /// Its name.
        name: String,
        /// The argument, as Candid text.
        init: String,
        /// Why not.
        problem: String,
    },
    /// The interface is one of another module.
    #[error(
        "the interface has method `{method}`, and {wasm} does not have it (it has {near}); pass the module's own Candid file: \
         --did FILE.did"
    )]
    NoMethod {
        /// The module, as the scenario would name it.
        wasm: String,
        /// A method of the interface.
        method: String,
        /// The method of the module that is nearest, in backticks.
        near: String,
    },
    /// There is nothing to call.
    #[error("the interface of `{name}` has no update method, so there are no orders to explore")]
    NoUpdate {
        /// Name of the canister.
        name: String,
    },
    /// The engine cannot run it.
    #[error("{0}")]
    Engine(EmbeddedError),
}

/// Tries a canister out and proposes a scenario for it.
///
/// # Errors
/// What is wrong with the module, its interface, or the argument of its installation, with the remedy.
pub fn propose(ask: &Ask) -> Result<Proposal, InitError> {
    let deadline = Instant::now() + TIME;
    let wasm = &ask.wasm;
    let file = files::read(wasm, &FILE)?;
    let module = plain(&file).map_err(|source| InitError::Module { wasm: wasm.clone(), source })?;
    let modules = Modules::new().map_err(InitError::Engine)?;
    check(&module).map_err(|source| InitError::Module { wasm: wasm.clone(), source })?;
    let name = match &ask.name {
        Some(name) => name.clone(),
        None => name_of(wasm),
    };
    check_name(&name).map_err(InitError::Name)?;
    if ACTORS.contains(&name.as_str()) {
        return Err(InitError::Name(format!("`{name}` is the name of an actor")));
    }
    let contract = match &ask.did {
        Some(did) => Contract::of_file(did)?,
        None => Contract::of_module(wasm, &module)?,
    };
    let folder = ask.file.parent().unwrap_or(Path::new(""));
    let own_did = contract.text.filter(|_| ask.writes_did).map(|text| (format!("{name}.did"), text));
    let did = match (&ask.did, &own_did) {
        (Some(did), _) => Some(relative(did, folder)),
        (None, Some((name, _))) => Some(name.clone()),
        (None, None) => None,
    };
    let init = ask.init.as_ref().map(|init| stand::typed(init, &contract.interface, &name)).transpose()?;
    let draft = Draft {
        name,
        wasm: relative(wasm, folder),
        did,
        init,
        others: Vec::new(),
        setup: Vec::new(),
        body: draft::BODIES[0],
    };
    let survey = Survey::new(draft, &ask.file, &contract.interface, modules, deadline)?;
    let found = survey.run()?;
    let (updates, is_cut) = (found.updates.len(), found.is_cut);
    let (draft, chosen) = choose::choose(found);
    let (text, left_out) = page::text(&draft, &chosen);
    Ok(Proposal { text, did: own_did, updates, left_out, is_cut })
}

/// The name of a canister after its file.
fn name_of(wasm: &Path) -> String {
    let file = wasm.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let stem = file.strip_suffix(".gz").unwrap_or(&file);
    let stem = stem.strip_suffix(".wasm").unwrap_or(stem);
    let fitting: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
    let begins = fitting.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let name = if begins { fitting } else { format!("c{fitting}") };
    name.chars().take(60).collect()
}

/// A path as it is written in a file of this folder.
fn relative(path: &Path, folder: &Path) -> String {
    let shown = |path: &Path| path.to_string_lossy().into_owned();
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let (Ok(target), Ok(from)) = (std::path::absolute(path), std::path::absolute(here)) else { return shown(path) };
    let (target, from): (Vec<_>, Vec<_>) = (
        target.components().collect(),
        from.components().filter(|part| !matches!(part, std::path::Component::CurDir)).collect(),
    );
    let common = target.iter().zip(&from).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n(std::path::Component::ParentDir, from.len() - common);
    // A path that would leave all folders is clearer from the root.
    if common <= 1 {
        return shown(&target.iter().collect::<PathBuf>());
    }
    shown(&up.chain(target[common..].iter().copied()).collect::<PathBuf>())
}
