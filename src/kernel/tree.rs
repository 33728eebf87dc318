//! One root, a call or a task, with everything it caused: its open call contexts and its outstanding requests.
//!
//! A [`CallTree`] holds no name of its own root, so the same progress of two interchangeable calls is the same
//! value, interned once, and moving a call's subtree to another instance is a change of one number in the world.

use serde::{Deserialize, Serialize};

use crate::schedule::Path;

use super::guest::{Cycles, Function};

/// An interned message: [`super::Message`].
pub type MessageId = u32;
/// An interned response.
pub type ResponseId = u32;

/// Progress of one root. The default value: started and nothing left of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CallTree {
    /// Open call contexts, sorted by path; the call's own has the empty path.
    pub contexts: Vec<Context>,
    /// Outstanding requests, sorted by path.
    pub requests: Vec<Request>,
    /// How the call itself was answered.
    pub answer: Option<ResponseId>,
    /// Whether the call was accepted by `canister_inspect_message` and waits to start.
    pub submitted: bool,
    /// The message of a call whose argument was chosen at its start; `None` for all others.
    pub chosen: Option<MessageId>,
    /// What happened to it that leaves no other trace; empty unless the plan asks for it.
    pub marks: Marks,
}

/// What happened in a tree, as far as an oracle asks: one bit for each canister of which a callback trapped, one for a call
/// that ended in SYS_UNKNOWN, one for a trap that a fault injected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Marks(u128);

/// Above the bits of canisters, of which there are fewer.
const UNKNOWN: u128 = 1 << 127;
const INJECTED: u128 = 1 << 126;

impl Marks {
    /// A callback of this canister trapped by itself.
    pub fn add_trap(&mut self, canister: u16) {
        self.0 |= 1 << canister;
    }

    /// A call ended in SYS_UNKNOWN.
    pub fn add_unknown(&mut self) {
        self.0 |= UNKNOWN;
    }

    /// Whether a callback of this canister trapped by itself.
    pub fn has_trap(self, canister: u16) -> bool {
        self.0 & (1 << canister) != 0
    }

    /// Whether a call ended in SYS_UNKNOWN.
    pub fn has_unknown(self) -> bool {
        self.0 & UNKNOWN != 0
    }

    /// A fault made a callback trap.
    pub fn add_injected(&mut self) {
        self.0 |= INJECTED;
    }

    /// Whether a fault made a callback trap.
    pub fn has_injected(self) -> bool {
        self.0 & INJECTED != 0
    }

    /// Whether nothing is marked.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// A call context: one call with all its deliveries on one canister (interface specification "Call contexts").
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Context {
    /// Path of the request that opened it.
    pub path: Path,
    /// Where it runs.
    pub canister: u16,
    /// Who called; an interned principal.
    pub caller: u32,
    /// Whether it has responded, or need not: nobody waits for a task.
    pub answered: bool,
    /// Whether it awaits something that never comes: it stays open, and nothing of it happens any more.
    pub held: bool,
    /// Whether its canister was uninstalled since: its callbacks run no code any more.
    pub deleted: bool,
    /// Cycles received and not accepted.
    pub available: Cycles,
    /// Deadline of the call, 0 for a guaranteed response.
    pub deadline_ns: u64,
    /// Instructions so far, 0 unless the canister can see them.
    pub instructions: u64,
    /// The message that opened it, if a ghost counts it when it is answered.
    pub noted: Option<MessageId>,
}

/// A request that still matters: it may start, or its caller waits for the response.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Request {
    /// Its name below the call instance.
    pub path: Path,
    /// The canister that sent it.
    pub caller: u16,
    /// The canister it goes to.
    pub callee: u16,
    /// The message, as long as it waits in its pair's queue.
    pub queued: Option<MessageId>,
    /// Cycles travelling with it, as long as it waits.
    pub cycles: Cycles,
    /// The caller's half; `None` once the callback has run: then the request has expired and only may still start.
    pub callback: Option<Callback>,
    /// Which faults of the scenario match its edge: bit i for fault i.
    pub faults: u32,
    /// The canister that it told the management canister to stop, until it has stopped.
    pub waits_for_stop: Option<u16>,
}

/// The caller's half of an outstanding call.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Callback {
    /// Position in [`CallTree::contexts`] of the context that waits.
    pub context: u32,
    /// Called with a reply.
    pub on_reply: Function,
    /// Called with a reject.
    pub on_reject: Function,
    /// Called when the callback traps.
    pub on_cleanup: Option<Function>,
    /// Cycles sent with the call: a refund is never more.
    pub sent: Cycles,
    /// Deadline of a bounded-wait call, 0 for a guaranteed response.
    pub deadline_ns: u64,
    /// The response in flight, once there is one.
    pub response: Option<InFlight>,
    /// Whether the call ended in SYS_UNKNOWN: the real response, if any comes, is dropped.
    pub expired: bool,
    /// The message sent, if a ghost counts it when the reply is delivered.
    pub noted: Option<MessageId>,
}

/// A response on its way to the caller.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct InFlight {
    /// What it says.
    pub response: ResponseId,
    /// Cycles that come back with it.
    pub refund: Cycles,
}

impl Context {
    /// A context in which nothing has been executed yet: unanswered, without cycles and without a deadline.
    pub fn new(path: Path, canister: u16, caller: u32) -> Context {
        Context {
            path,
            canister,
            caller,
            answered: false,
            held: false,
            deleted: false,
            available: 0,
            deadline_ns: 0,
            instructions: 0,
            noted: None,
        }
    }
}

impl Request {
    /// Whether nobody waits for the answer of this queued request any more, or only for a code 6 that is on its way.
    pub fn is_expired(&self) -> bool {
        self.callback.as_ref().is_none_or(|callback| callback.expired)
    }
}

impl CallTree {
    /// Whether something of this call must still happen: a request or a response that somebody waits for is on its way.
    ///
    /// Without held contexts that is the same as having an open context, because each open one waits for a request, and
    /// the innermost of those is on its way there or back. Held contexts, and those that wait for them, stay open for
    /// ever, and so does a request to stop a canister with such a context. An expired request that nobody waits for may
    /// still start, and does not count.
    pub fn is_busy(&self) -> bool {
        let moves = |request: &Request| {
            let awaited = |callback: &Callback| request.queued.is_some() || callback.response.is_some();
            request.callback.as_ref().is_some_and(awaited)
        };
        self.submitted || self.requests.iter().any(moves)
    }

    /// Adds a context in order of paths; returns its position.
    pub fn open_context(&mut self, context: Context) -> usize {
        let at = self.contexts.partition_point(|other| other.path < context.path);
        self.contexts.insert(at, context);
        for callback in self.requests.iter_mut().filter_map(|request| request.callback.as_mut()) {
            if (callback.context as usize) >= at {
                callback.context += 1;
            }
        }
        at
    }

    /// Removes a context that no callback belongs to any more.
    pub fn close_context(&mut self, at: usize) {
        self.contexts.remove(at);
        for callback in self.requests.iter_mut().filter_map(|request| request.callback.as_mut()) {
            assert!((callback.context as usize) != at, "bug in canloom: a context with open callbacks was closed");
            if (callback.context as usize) > at {
                callback.context -= 1;
            }
        }
    }

    /// Adds a request in order of paths.
    pub fn add_request(&mut self, request: Request) {
        let at = self.requests.partition_point(|other| other.path < request.path);
        self.requests.insert(at, request);
    }

    /// A request leaves its queue: its callback goes on waiting, and nothing is left of it if there is none.
    pub fn leave_queue(&mut self, path: &Path) {
        let at = self.request(path).expect("bug in canloom: queued, not in its tree");
        if self.requests[at].callback.is_none() {
            self.requests.remove(at);
        } else {
            self.requests[at].queued = None;
            self.requests[at].cycles = 0;
        }
    }

    /// Position of the request with this path.
    pub fn request(&self, path: &Path) -> Option<usize> {
        self.requests.binary_search_by(|request| request.path.cmp(path)).ok()
    }

    /// Whether this context waits for ever, in a tree of which nothing moves any more: it is held, or waits without a bound
    /// for a call whose context does.
    pub fn waits_for_ever(&self, context: usize) -> bool {
        self.contexts[context].held || self.requests.iter().any(|request| self.is_never_answered(request, context))
    }

    /// Whether this context waits without a bound for this request, which is never answered.
    fn is_never_answered(&self, request: &Request, context: usize) -> bool {
        let waits = |callback: &Callback| callback.context as usize == context && callback.deadline_ns == 0;
        // A callee's context has a longer path than its caller's, so this ends.
        let callee = || self.contexts.iter().position(|other| other.path == request.path);
        request.callback.as_ref().is_some_and(waits) && callee().is_some_and(|callee| self.waits_for_ever(callee))
    }

    /// Number of callbacks that belong to a context.
    pub fn outstanding(&self, context: usize) -> usize {
        let belongs = |request: &&Request| request.callback.as_ref().is_some_and(|c| (c.context as usize) == context);
        self.requests.iter().filter(belongs).count()
    }
}
