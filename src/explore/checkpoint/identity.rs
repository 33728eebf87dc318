//! Which search a checkpoint belongs to: everything that its worlds and their numbers depend on.
//!
//! In: an installed scenario. Out: hashes of it, and what differs between two of them, in words.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::engine::embedded::Embedded;
use crate::kernel::intern::content_hash;
use crate::kernel::save::{Reader, Sizes};
use crate::scenario::{Code, Scenario};

/// A search, by what determines it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    tool: String,
    scenario: String,
    options: String,
    /// Canisters and what they run.
    modules: Vec<(String, String)>,
    /// What the scenario file says, paths and `about` left out; which fault installs which module.
    text: u128,
    /// The states that the canisters and all modules of the scenario begin with.
    states: u128,
    start: u128,
    sizes: Sizes,
}

impl Identity {
    /// The search that begins with this engine. `options` names what else was asked for.
    pub fn of(engine: &Embedded, options: &str) -> Identity {
        let scenario = &engine.scenario;
        let names = scenario.canisters.iter().map(|canister| canister.name.clone());
        Identity {
            tool: format!("canloom {}", env!("CARGO_PKG_VERSION")),
            scenario: scenario.name.clone(),
            options: options.to_string(),
            modules: names.zip(engine.hashes.iter().cloned()).collect(),
            text: content_hash(&format!("{:?}{:?}", without_paths(scenario), engine.kernel.faults())),
            states: engine.kernel.content_of_states(),
            start: engine.kernel.fingerprint(engine.start()),
            sizes: engine.kernel.sizes(),
        }
    }

    /// How the search of a checkpoint, whose identity these bytes are, differs from this one; `None` if it does not.
    ///
    /// # Errors
    /// If they are no identity.
    pub fn difference_from(&self, bytes: &[u8]) -> Result<Option<String>, String> {
        // The version comes first: what follows may look different in another one.
        let tool: String = Reader::new(bytes).take()?;
        if tool != self.tool {
            return Ok(Some(format!("it was made by {tool}, and this is {}", self.tool)));
        }
        let found: Identity = Reader::new(bytes).take()?;
        Ok(found.difference(self))
    }

    fn difference(&self, other: &Identity) -> Option<String> {
        let differ = |what: &str, a: &str, b: &str| Some(format!("it was made {what} {a}, and this is {b}"));
        let named = |options: &str| if options.is_empty() { "none".to_string() } else { format!("`{options}`") };
        if self.scenario != other.scenario {
            return differ("for the scenario", &format!("`{}`", self.scenario), &format!("`{}`", other.scenario));
        }
        if self.options != other.options {
            return differ("with the options", &named(&self.options), &named(&other.options));
        }
        if self.text != other.text {
            return Some("the scenario file has changed since".to_string());
        }
        let changed = self.modules.iter().zip(&other.modules).find(|(a, b)| a != b);
        if let Some(((name, _), _)) = changed {
            return Some(format!("the module of canister `{name}` has changed since"));
        }
        if (self.states, self.start) != (other.states, other.start) {
            return Some("a module that a fault installs, or what installation leaves, has changed since".to_string());
        }
        (self.sizes != other.sizes).then(|| "installation takes another course here".to_string())
    }
}

/// A scenario that is equal for equal files, wherever they lie.
fn without_paths(scenario: &Scenario) -> Scenario {
    let mut scenario = scenario.clone();
    scenario.file = PathBuf::new();
    scenario.sha256.clear();
    scenario.about.clear();
    for canister in &mut scenario.canisters {
        if let Code::Wasm(wasm) = &mut canister.code {
            *wasm = PathBuf::new();
        }
    }
    for fault in &mut scenario.faults {
        // Whether it names a module at all counts.
        fault.wasm = fault.wasm.as_ref().map(|_| PathBuf::new());
    }
    scenario
}
