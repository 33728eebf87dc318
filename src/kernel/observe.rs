//! Executions that leave no trace: queries and updates that observe, and `canister_inspect_message`.

use candid::Principal;

use super::Happened;
use super::deliver::over_heap_limit;
use super::guest::{Env, Response};
use super::system::{Pending, Status};
use super::tree::CallTree;
use super::world::World;
use super::{Kernel, Message, Unsupported};

impl Kernel {
    /// Interns a query, for [`Kernel::observe`].
    pub fn query(&mut self, method: &str, arg: &[u8]) -> u32 {
        self.tables.intern_query(method, arg)
    }

    /// Interns an update call that observes, for [`Kernel::observe`].
    pub fn getter(&mut self, method: &str, arg: &[u8]) -> u32 {
        self.tables.intern_getter(method, arg)
    }

    /// What a query, or an update on a copy of the state, answers in one canister state, as an interned response.
    ///
    /// # Errors
    /// If the guest cannot tell what the IC would do.
    pub fn observe(&mut self, world: &World, canister: u16, query: u32) -> Result<u32, Unsupported> {
        let state = world.canisters[usize::from(canister)];
        let system = self.tables.systems.value(state.system);
        // Whoever administers the canister is at work on it: nobody is surprised that queries fail, so the state is read.
        let is_maintained = matches!(system.pending, Pending::AfterStop(_));
        if system.status == Status::Stopped && !is_maintained {
            let text = format!("IC0508: Canister {} is stopped", self.id(canister)).into();
            return Ok(self.tables.responses.intern(Response::Reject { code: 5, text }));
        }
        let env = self.env_outside(world, canister);
        let effects = self.execute(canister, state.memory, query, &env)?;
        if !matches!(self.tables.messages.value(query), Message::Getter { .. }) {
            return self.finish_query(world, canister, effects, &env, 0);
        }
        let text = match (self.exceeded_heap(canister, &effects), &effects.trap, effects.response) {
            (Some(limit), _, _) => self.trap_text(canister, &over_heap_limit(limit)),
            (None, Some(trap), _) => self.trap_text(canister, trap),
            (None, None, _) if !effects.sent.is_empty() => "observing it needs a call, which is refused".to_string(),
            (None, None, Some(response)) => return Ok(response),
            (None, None, None) => format!("IC0506: Canister {} did not reply to the call", self.id(canister)),
        };
        Ok(self.tables.responses.intern(Response::Reject { code: 5, text: text.into() }))
    }

    /// What a canister sees of itself, in a message that comes from outside.
    pub(super) fn env_outside(&self, world: &World, canister: u16) -> Env<'static> {
        let system = self.tables.systems.value(world.canisters[usize::from(canister)].system);
        Env {
            balance: system.balance,
            version: system.version,
            timer_ns: system.timer_ns,
            status: system.status,
            controllers: self.tables.controllers.value(system.controllers).clone(),
            ..Env::outside(self.id(canister), Principal::anonymous(), world.time_ns)
        }
    }

    /// Asks `canister_inspect_message` whether a call is accepted; what it wrote is dropped (semantics 2.7).
    pub(super) fn submit(&mut self, world: &mut World, at: u32, chosen: Option<u32>) -> Result<Happened, Unsupported> {
        let spec = &self.plan.calls[at as usize];
        let (canister, caller) = (spec.canister, spec.caller);
        let state = world.canisters[usize::from(canister)];
        let message = chosen.unwrap_or(self.call_messages[at as usize]);
        let Message::Call { method, arg } = *self.tables.messages.value(message) else {
            unreachable!("bug in canloom: a call's message is a call")
        };
        let message = self.tables.messages.intern(Message::Inspect { method, arg });
        let env = Env { caller, ..self.env_outside(world, canister) };
        let effects = self.execute(canister, state.memory, message, &env)?;
        let refusal = match (&effects.trap, effects.response) {
            (None, Some(_)) => None,
            (None, None) => Some((4, format!("IC0406: Canister {} rejected the message", self.id(canister)))),
            (Some(trap), _) => Some(((trap.code / 100) as u8, self.trap_text(canister, trap))),
        };
        let (tree, happened) = match refusal {
            None => (
                CallTree { submitted: true, chosen, ..CallTree::default() },
                "accepted by canister_inspect_message".to_string(),
            ),
            Some((code, text)) => {
                let response = Response::Reject { code, text: text.as_str().into() };
                let answer = Some(self.tables.responses.intern(response));
                (CallTree { answer, chosen, ..CallTree::default() }, text)
            }
        };
        world.trees[at as usize] = self.tables.intern_tree(tree);
        Ok(Happened::System(happened))
    }
}
