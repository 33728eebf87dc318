//! A scenario as it was read, and as it is with ids of a replica.

use std::collections::BTreeMap;
use std::sync::Arc;

use candid::Principal;

use super::StageError;
use crate::engine::allowance::Allowance;
use crate::engine::embedded::{Embedded, EmbeddedError, Modules};
use crate::scenario::Scenario;

/// A scenario, to be installed many times: nothing that two installations share is done twice.
pub struct Source {
    pub(super) scenario: Scenario,
    allowance: Allowance,
    pub(super) modules: Modules,
    /// In the embedded engine, by the ids of canisters whose ids would be automatic.
    opened: Vec<(BTreeMap<String, Principal>, Embedded)>,
}

impl Source {
    /// A scenario as it was read, within its bounds.
    ///
    /// # Errors
    /// If no module can be loaded on this machine.
    pub fn new(scenario: &Scenario, allowance: &Allowance) -> Result<Source, EmbeddedError> {
        Ok(Source {
            scenario: scenario.clone(),
            allowance: allowance.clone(),
            modules: Modules::new()?,
            opened: Vec::new(),
        })
    }

    /// The scenario as it was read.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// In the embedded engine, with room for the tasks that a replica runs in each round, and with these ids.
    ///
    /// # Errors
    /// If it cannot be read or installed.
    pub fn open(&mut self, ids: &BTreeMap<String, Principal>) -> Result<Embedded, StageError> {
        if let Some((_, engine)) = self.opened.iter().find(|(known, _)| known == ids) {
            return Ok(engine.fork());
        }
        let read = Scenario::load_with_ids(&self.scenario.file, ids)?;
        let scenario = Scenario { bounds: self.scenario.bounds, ..read }.with_room_for_rounds();
        let engine = Embedded::open_with(Arc::new(scenario), &self.allowance, &mut self.modules)?;
        let fork = engine.fork();
        self.opened.push((ids.clone(), engine));
        Ok(fork)
    }
}
