//! One execution of a stage, step by step: what the kernel and the embedded engine do with named steps.

use canloom::engine::embedded::Embedded;
use canloom::kernel::{Delivery, World};
use canloom::scenario::{CallState, Reply};
use canloom::schedule::Step;

use super::stage::Stage;

/// An execution on its way.
pub struct Play {
    /// The engine.
    pub engine: Embedded,
    /// Where it stands.
    pub world: World,
}

impl Play {
    /// Nothing has happened yet.
    pub fn new(stage: &Stage) -> Play {
        let engine = stage.open();
        let world = engine.start().clone();
        Play { engine, world }
    }

    /// The same engine at its first world again.
    pub fn rewind(&mut self) {
        self.world = self.engine.start().clone();
    }

    /// Makes the steps of these names; returns what the last one did, if it was a delivery.
    pub fn steps(&mut self, names: &str) -> Option<Delivery> {
        let mut last = None;
        for name in names.split_whitespace() {
            let step: Step = name.parse().expect("the name of a step");
            let choice = self.engine.kernel.find(&self.world, &step);
            let choice = choice.unwrap_or_else(|refusal| panic!("{name} of `{names}`: {refusal}"));
            let (next, happened) = self.engine.kernel.apply(&self.world, &choice).expect("all is offered");
            self.world = next;
            last = happened.delivery().cloned();
        }
        last
    }

    /// Names of the steps that are possible.
    pub fn possible(&mut self) -> String {
        let mut choices = Vec::new();
        self.engine.kernel.choices(&self.world, &mut choices).expect("all is offered");
        let names = choices.iter().map(|choice| self.engine.kernel.name(&self.world, choice).to_string());
        names.collect::<Vec<_>>().join(" ")
    }

    /// Whether nothing is in flight.
    pub fn is_quiet(&self) -> bool {
        self.engine.kernel.is_quiescent(&self.world)
    }

    /// How a call stands: `open`, its value, or `reject CODE: TEXT`.
    pub fn answer(&mut self, call: usize) -> String {
        match &self.engine.calls(&self.world)[call].state {
            CallState::NotStarted => "not started".to_string(),
            CallState::Open => "open".to_string(),
            CallState::Done(reply) => match reply.as_ref() {
                Reply::Replied(value, _) => value.to_string(),
                Reply::Rejected { code, text } => format!("reject {code}: {text}"),
            },
        }
    }

    /// The value of an observation.
    pub fn observe(&mut self, name: &str) -> String {
        let at = self.engine.scenario.observed_names().iter().position(|observed| observed == name);
        let values = self.engine.observe(&self.world).expect("all is offered");
        values[at.expect("an observation of this name")].to_string()
    }

    /// Cycles of a canister.
    pub fn balance(&self, canister: usize) -> u128 {
        self.engine.kernel.system(self.world.canisters[canister]).balance
    }

    /// The world's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.world.encode(&mut bytes);
        bytes
    }
}
