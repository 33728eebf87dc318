//! Composite queries: queries that call queries of other canisters (interface specification, "Composite query").
//!
//! In: a world and the requests of a composite query's first execution. Out: its answer. All callees answer in the same
//! world; what anybody writes is dropped in the end, and only the caller keeps it from one of its callbacks to the next.
//! Responses are delivered in the order in which the requests were made, so that an observation has one value.

use std::collections::VecDeque;
use std::sync::Arc;

use super::guest::{Env, MemoryId, Response};
use super::memo::{Effects, Sent};
use super::world::World;
use super::{Kernel, MANAGEMENT, Message, Unsupported};

/// Most queries that one composite query may lead to, one inside the other.
const DEPTH_MAX: u32 = 20;

impl Kernel {
    /// Finishes a query that may have made calls: its answer, as an interned response.
    pub(super) fn finish_query(
        &mut self,
        world: &World,
        canister: u16,
        first: Arc<Effects>,
        env: &Env<'_>,
        depth: u32,
    ) -> Result<u32, Unsupported> {
        let mut executions = vec![first];
        let mut waiting: VecDeque<(usize, usize)> = VecDeque::new();
        let mut at = 0;
        loop {
            let effects = executions[at].clone();
            if let (None, Some(response)) = (&effects.trap, effects.response) {
                return Ok(response);
            }
            if effects.trap.is_none() {
                waiting.extend((0..effects.sent.len()).map(|sent| (at, sent)));
            }
            let Some((execution, sent)) = waiting.pop_front() else {
                let text = match &effects.trap {
                    Some(trap) => self.trap_text(canister, trap),
                    None => format!("IC0506: Canister {} did not reply to the call", self.id(canister)),
                };
                return Ok(self.tables.responses.intern(Response::Reject { code: 5, text: text.into() }));
            };
            let sender = executions[execution].clone();
            let request = &sender.sent[sent];
            let response = self.answer_of_query(world, canister, request, depth)?;
            let memory = executions[at].memory;
            let next = self.composite_callback(canister, memory, request, response, env)?;
            executions.push(next);
            at = executions.len() - 1;
        }
    }

    /// What a callee answers, as an interned response.
    fn answer_of_query(
        &mut self,
        world: &World,
        canister: u16,
        request: &Sent,
        depth: u32,
    ) -> Result<u32, Unsupported> {
        let refuse = |kernel: &mut Kernel, code, text: String| {
            Ok(kernel.tables.responses.intern(Response::Reject { code, text: text.into() }))
        };
        let callee = match request.callee {
            Some(callee) if callee != MANAGEMENT => callee,
            _ => return refuse(self, 3, format!("No route to canister {}", request.callee_id)),
        };
        if depth >= DEPTH_MAX {
            let text = format!("IC0528: Composite query calls exceeded the maximum call depth of {DEPTH_MAX}.");
            return refuse(self, 5, text);
        }
        if let Some((code, text)) = self.not_running(world, callee) {
            return refuse(self, code, text);
        }
        let Message::Call { method, arg } = *self.tables.messages.value(request.message) else {
            unreachable!("bug in canloom: a request calls a method")
        };
        let query = self.tables.messages.intern(Message::Query { method, arg });
        let caller = self.id(canister);
        let env = Env { caller, ..self.env_outside(world, callee) };
        let memory = world.canisters[usize::from(callee)].memory;
        let effects = self.execute(callee, memory, query, &env)?;
        self.finish_query(world, callee, effects, &env, depth + 1)
    }

    /// Runs the callback of a composite query, and its cleanup if it traps.
    fn composite_callback(
        &mut self,
        canister: u16,
        memory: MemoryId,
        request: &Sent,
        response: u32,
        env: &Env<'_>,
    ) -> Result<Arc<Effects>, Unsupported> {
        let function = match self.response(response) {
            Response::Reply(_) => request.on_reply,
            Response::Reject { .. } => request.on_reject,
        };
        let message = self.tables.messages.intern(Message::CompositeCallback { function, response });
        let effects = self.execute(canister, memory, message, env)?;
        let Some(function) = request.on_cleanup.filter(|_| effects.trap.is_some()) else { return Ok(effects) };
        let message = self.tables.messages.intern(Message::CompositeCleanup { function, response });
        let cleanup = self.execute(canister, memory, message, env)?;
        // What cleanup wrote stays for later callbacks; the trap stays the reason why this one has not answered.
        let trap = effects.trap.clone();
        let memory = if cleanup.trap.is_none() { cleanup.memory } else { memory };
        Ok(Arc::new(Effects { trap, ..Effects::none(memory) }))
    }
}
