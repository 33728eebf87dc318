//! Invariants in Rust: a closure asks the engine about a world.

use candid::Principal;

use crate::engine::embedded::Embedded;
use crate::kernel::{Response, Unsupported, World};
use crate::scenario::{Ask, CallState, Closure, Reply, View};

/// Why an invariant in Rust does not hold in a world, if it does not.
///
/// # Errors
/// If a query asks for something that the engine does not offer.
pub(super) fn ask(
    engine: &mut Embedded,
    world: &World,
    view: &View<'_>,
    closure: &Closure,
) -> Result<Option<String>, Unsupported> {
    let mut asked = Asked { engine, world, view, unsupported: None };
    let held = (closure.0)(&mut asked);
    match asked.unsupported {
        Some(unsupported) => Err(unsupported),
        None => Ok(held.err()),
    }
}

struct Asked<'a, 'b> {
    engine: &'a mut Embedded,
    world: &'a World,
    view: &'a View<'b>,
    /// What a query asked for that is not offered: no verdict about the canister.
    unsupported: Option<Unsupported>,
}

impl Ask for Asked<'_, '_> {
    fn query(&mut self, canister: &Principal, method: &str, arg: &[u8]) -> Result<Vec<u8>, String> {
        let canisters = &self.engine.scenario.canisters;
        let Some(at) = canisters.iter().position(|other| other.id == *canister) else {
            return Err(format!("there is no canister {canister}"));
        };
        let query = self.engine.kernel.query(method, arg);
        match self.engine.kernel.observe(self.world, at as u16, query) {
            Ok(response) => match self.engine.kernel.response(response) {
                Response::Reply(bytes) => Ok(bytes.to_vec()),
                Response::Reject { code, text } => Err(format!("{method}: reject {code}: {text}")),
            },
            Err(unsupported) => {
                self.unsupported = Some(unsupported.clone());
                Err(unsupported.to_string())
            }
        }
    }

    fn is_quiet(&self) -> bool {
        self.view.quiet
    }

    fn faulted(&self) -> u32 {
        self.view.faulted
    }

    fn replies(&self, id: &str) -> Vec<Vec<u8>> {
        let entry = self.engine.scenario.calls.iter().position(|call| call.id == id);
        let reply = |call: &crate::scenario::CallView| match &call.state {
            CallState::Done(reply) => match reply.as_ref() {
                Reply::Replied(_, bytes) => Some(bytes.clone()),
                Reply::Rejected { .. } => None,
            },
            CallState::NotStarted | CallState::Open => None,
        };
        self.view.calls.iter().filter(|call| Some(call.entry) == entry).filter_map(reply).collect()
    }
}
