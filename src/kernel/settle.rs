//! How a call context is answered when a delivery in it ends: the table of semantics 2.4.

use crate::schedule::Path;

use super::Kernel;
use super::guest::{Response, Trap};
use super::memo::Effects;
use super::tree::{CallTree, InFlight};

/// Result of settling one delivery.
pub(super) struct Settled {
    /// The context that was answered now, and with what.
    pub answered: Option<(Path, u32)>,
    /// Whether the context still waits for responses, for ever if it is held.
    pub awaits: bool,
    /// Whether the answer goes nowhere, because the call expired.
    pub dropped: bool,
}

impl Kernel {
    /// Settles a context after a delivery: answers it if the delivery did or if it was the last that could, and closes it
    /// when nothing of it is left.
    pub(super) fn settle(
        &mut self,
        tree: &mut CallTree,
        at: usize,
        effects: &Effects,
        cleanup: Option<&Effects>,
    ) -> Settled {
        let context = &tree.contexts[at];
        let (path, canister, responded) = (context.path.clone(), context.canister, context.answered);
        // To hold a call is to await an answer that never comes.
        tree.contexts[at].held |= effects.held;
        let awaits = tree.outstanding(at) > 0 || tree.contexts[at].held;
        let response = match (&effects.trap, effects.response) {
            _ if responded => None,
            (None, Some(response)) => Some(response),
            // Neither answered nor over: an error of this delivery is forgotten.
            (_, _) if awaits => None,
            (Some(trap), _) => {
                let mut text = self.trap_text(canister, trap);
                if let Some(second) = cleanup.and_then(|cleanup| cleanup.trap.as_ref()) {
                    text = format!("{text}\n\ncall_on_cleanup also failed:\n\n{}", second.text);
                }
                let code = (trap.code / 100) as u8;
                Some(self.tables.responses.intern(Response::Reject { code, text: text.into() }))
            }
            (None, None) => {
                let text = if path.depth() == 0 {
                    format!("IC0506: Canister {} did not reply to the call", self.id(canister))
                } else {
                    "No response".to_string()
                };
                Some(self.tables.responses.intern(Response::Reject { code: 5, text: text.into() }))
            }
        };
        let mut dropped = false;
        if let Some(response) = response {
            let refund = std::mem::take(&mut tree.contexts[at].available);
            tree.contexts[at].answered = true;
            tree.contexts[at].noted = None;
            dropped = !deliver_answer(tree, &path, InFlight { response, refund });
        }
        if tree.contexts[at].answered && !awaits {
            tree.close_context(at);
        }
        Settled { answered: response.map(|response| (path, response)), awaits, dropped }
    }

    /// The text of a trap as its caller sees it.
    pub(super) fn trap_text(&self, canister: u16, trap: &Trap) -> String {
        format!("IC{:04}: Error from Canister {}: {}", trap.code, self.id(canister), trap.text)
    }
}

/// Puts an answer on its way; `false` if nobody waits for it any more.
pub(super) fn deliver_answer(tree: &mut CallTree, path: &Path, answer: InFlight) -> bool {
    if path.depth() == 0 {
        tree.answer = Some(answer.response);
        return true;
    }
    let Some(request) = tree.request(path) else { return false };
    match tree.requests[request].callback.as_mut() {
        Some(callback) if !callback.expired => {
            callback.response = Some(answer);
            true
        }
        _ => false,
    }
}
