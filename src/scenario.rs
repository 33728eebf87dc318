//! Scenarios: what is set up and asked, read from a TOML file of format 1.
//!
//! In goes a path, out comes a [`Scenario`] in which every name is an index, every principal is decided and every Candid
//! argument is encoded; or an error with line, column and remedy. Nothing else of a scenario is looked at again later.
//! Left out: the wasm modules, which the engine opens, and whether a method exists where there is no `did`.
//!
//! 1. `document` reads the TOML as tables that know their place.
//! 2. `cast` names canisters and actors and gives them principals.
//! 3. `calls`, `fault`, `invariant` and `check` read the rest, with `candid_text` for arguments and `expr` for expressions.
//!
//! Limits, each refused with a text: file 1 MiB; 64 canisters, actors, faults; 256 setup calls, observations, invariants;
//! 64 call instances; 8 faults on a path; depth 10,000.

mod builtin;
mod calls;
mod candid_text;
mod capture;
mod cast;
mod check;
mod document;
mod environment;
mod error;
mod expr;
mod failure;
mod fault;
mod filling;
pub mod generate;
mod generator;
mod ghost;
mod interface;
mod invariant;
mod load;
mod names;
mod narrow;
mod open;
mod path;
mod position;
mod show;
mod stub;
mod suggest;
mod symmetric;
mod template;
mod value;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candid::Principal;

use crate::files;

pub(crate) use builtin::offers;
pub(crate) use calls::observed_as;
pub use calls::{CallEntry, Observation, SetupCall};
pub use capture::{Capture, first_value};
pub use cast::{Actor, Canister, Code};
pub use check::Oracle;
pub use environment::{Outcall, TimeStep};
pub use error::ScenarioError;
pub use expr::{CallState, CallView, Expr, ExprError, Reply, View};
pub use fault::{Fault, FaultKind, FaultPlace};
pub use filling::Filling;
pub use ghost::{Ghost, GhostAt};
pub use invariant::{Ask, Closure, Expect, Holds, Invariant, Rule, When};
pub use names::Names;
pub use narrow::{BoundError, BoundName};
pub use path::ValuePath;
pub use stub::{StubAnswer, StubCall, StubReplies};
pub use template::{Captured, Made, Template};
pub use value::{Labels, Value};

pub(crate) use candid_text::{check_size as check_candid_size, encode_str};
pub(crate) use expr::{RustType, Surroundings, variable};
pub(crate) use interface::{FILE as INTERFACE_FILE, Interface};
pub(crate) use names::{automatic_actor_id, automatic_canister_id, check_identifier, check_name};
pub(crate) use open::Opener;

/// A scenario's file.
pub(crate) const FILE: files::Kind = files::Kind {
    noun: "a scenario file",
    most: 1 << 20,
    missing: "correct the path, or write a first scenario: canloom init --wasm W --did D -o scenario.toml",
    instead: "name a scenario file, such as corpus/counter/scenario.toml",
};
/// Most faults that are followed on a replica.
const REJECTS_MAX: u32 = 64;

/// A scenario; positions are indexes into its vectors, which are in file order.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Name of the scenario; not empty.
    pub name: String,
    /// What it shows, for people; may be empty.
    pub about: String,
    /// The file as the user named it.
    pub file: PathBuf,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
    /// Bounds of the search: the file's, or narrower ones ([`Scenario::narrow`]).
    pub bounds: Bounds,
    /// Bounds that the file says: the question that is asked.
    pub own_bounds: Bounds,
    /// The canisters; at least one.
    pub canisters: Vec<Canister>,
    /// Who calls.
    pub actors: Vec<Actor>,
    /// Calls made one by one before the exploration.
    pub setup: Vec<SetupCall>,
    /// What is read in every world.
    pub observations: Vec<Observation>,
    /// The calls explored; at least one. [`Scenario::instances`] numbers them.
    pub calls: Vec<CallEntry>,
    /// Faults that may be injected.
    pub faults: Vec<Fault>,
    /// Sums over the messages between canisters.
    pub ghosts: Vec<Ghost>,
    /// Time that may pass.
    pub times: Vec<TimeStep>,
    /// What HTTP outcalls are answered with.
    pub outcalls: Vec<Outcall>,
    /// Actors that are interchangeable, in the order in which they start; none or at least two.
    pub symmetric: Vec<usize>,
    /// Seed of the random bytes that canisters draw.
    pub seed: u32,
    /// What is checked.
    pub invariants: Vec<Invariant>,
    /// Names of record fields and variants that the scenario and its `.did` files mention, for decoding replies.
    pub labels: Labels,
}

/// Bounds of the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Most calls started on one path, at most the number of instances; by default all instances.
    pub calls: u32,
    /// Most calls open at one time, at most `calls`; by default `calls`.
    pub in_flight: u32,
    /// Most faults on one path, over all `[[fault]]`; by default 1 if the file has any, else 0.
    pub faults: u32,
    /// Most messages in a chain that cause each other; by default 200.
    pub depth: u32,
    /// Most firings of each canister's timer on one path; by default 8.
    pub timers: u32,
    /// Most heartbeats of each canister on one path; by default 1.
    pub heartbeats: u32,
    /// Most canisters that others may create; by default none.
    pub create: u32,
    /// Most time steps on one path, over all `[[time]]`; the file has no key for it, so as many as they allow.
    pub times: u32,
    /// Most context switches on one path; by default any number.
    pub switches: Option<u32>,
}

/// One call that can be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Index into [`Scenario::calls`].
    pub entry: usize,
    /// Index into [`Scenario::actors`].
    pub actor: usize,
}

impl Scenario {
    /// The position of the invariant with this name.
    pub fn invariant(&self, name: &str) -> Option<usize> {
        self.invariants.iter().position(|invariant| invariant.name == name)
    }

    /// Reads a scenario file and the `.did` files it names.
    ///
    /// # Errors
    /// The first problem of the file, with its place and remedy.
    pub fn load(path: &Path) -> Result<Scenario, ScenarioError> {
        Scenario::load_with_ids(path, &BTreeMap::new())
    }

    /// Likewise, with these ids for canisters whose ids would be automatic, by name.
    ///
    /// # Errors
    /// As [`Scenario::load`].
    pub fn load_with_ids(path: &Path, ids: &BTreeMap<String, Principal>) -> Result<Scenario, ScenarioError> {
        load::from_bytes(path, &files::read(path, &FILE)?, ids)
    }

    /// The scenario in a text, as if it were this file's; the file itself is not looked at, those that it names are.
    ///
    /// # Errors
    /// As [`Scenario::load`].
    pub fn from_text(file: &Path, text: &str) -> Result<Scenario, ScenarioError> {
        load::from_bytes(file, text.as_bytes(), &BTreeMap::new())
    }

    /// The folder of its file.
    pub fn folder(&self) -> &Path {
        self.file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    /// The call instances in file order: an entry with `max = 3` gives three, by its actors in turn.
    pub fn instances(&self) -> Vec<Instance> {
        let of_entry = |(entry, call): (usize, &CallEntry)| {
            let actors: Vec<usize> = call.by.iter().copied().cycle().take(call.max as usize).collect();
            actors.into_iter().map(move |actor| Instance { entry, actor })
        };
        self.calls.iter().enumerate().flat_map(of_entry).collect()
    }

    /// Ids of the canisters that others may create: the automatic ones that the scenario's own canisters leave.
    pub fn ids_to_create(&self) -> Vec<Principal> {
        let taken = |id: &Principal| self.canisters.iter().any(|canister| canister.id == *id);
        (0..).map(names::automatic_canister_id).filter(|id| !taken(id)).take(self.bounds.create as usize).collect()
    }

    /// The same with room for the timers and heartbeats that a replica runs in every round.
    pub fn with_room_for_tasks(self) -> Scenario {
        let wide = |bounds: Bounds| Bounds { timers: load::TIMERS_MAX, heartbeats: load::TIMERS_MAX, ..bounds };
        Scenario { bounds: wide(self.bounds), own_bounds: wide(self.own_bounds), ..self }
    }

    /// The same with room for all that rounds of a replica bring about: timers and heartbeats; and rejects, since a canister
    /// without cycles rejects all requests that come.
    pub fn with_room_for_rounds(mut self) -> Scenario {
        let wide = |bounds: Bounds| {
            let faults = if bounds.faults > 0 { REJECTS_MAX } else { 0 };
            Bounds { switches: None, faults, ..bounds }
        };
        self.faults.iter_mut().for_each(|fault| fault.budget = REJECTS_MAX);
        Scenario { bounds: wide(self.bounds), own_bounds: wide(self.own_bounds), ..self }.with_room_for_tasks()
    }

    /// Names of what is read in every world: the observations, then the ghosts.
    pub fn observed_names(&self) -> Vec<String> {
        let observations = self.observations.iter().map(|observation| &observation.name);
        observations.chain(self.ghosts.iter().map(|ghost| &ghost.name)).cloned().collect()
    }

    /// The names expressions of this scenario may use.
    pub fn names(&self) -> Names {
        Names {
            canisters: self.canisters.iter().map(|canister| (canister.name.clone(), canister.id)).collect(),
            actors: self.actors.iter().map(|actor| (actor.name.clone(), actor.id)).collect(),
            observations: self.observed_names(),
            calls: self.calls.iter().map(|call| call.id.clone()).collect(),
            refusals: self.calls.iter().map(|call| call.expect_err.clone()).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
