//! What one execution did.

use std::sync::Arc;

use candid::Principal;
use serde::{Deserialize, Serialize};

use super::{Cycles, Function, MemoryId, Read, Response};

/// Why an execution was undone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Trap {
    /// Number of the IC error code: 503 for IC0503.
    pub code: u16,
    /// Description without the code and without the canister's name.
    pub text: String,
}

/// A function that was running when a call was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its index in the module.
    pub function: u32,
    /// Where in the module it was, as it is run.
    pub offset: u64,
}

/// A call that an execution made with `call_perform`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Whom it goes to.
    pub callee: Principal,
    /// Name of the method.
    pub method: String,
    /// Candid argument.
    pub arg: Vec<u8>,
    /// Cycles attached.
    pub cycles: Cycles,
    /// Seconds after which a bounded-wait call may end in SYS_UNKNOWN; `None`: guaranteed response.
    pub timeout_s: Option<u32>,
    /// Called with a reply.
    pub on_reply: Function,
    /// Called with a reject.
    pub on_reject: Function,
    /// Called when the callback traps.
    pub on_cleanup: Option<Function>,
    /// The functions that were running, innermost first, where the guest is traced.
    pub stack: Option<Arc<[Frame]>>,
}

/// What one execution did.
#[derive(Clone, Debug)]
pub struct Execution {
    /// The state after it; the state before it if it trapped.
    pub memory: MemoryId,
    /// `None`: it returned.
    pub trap: Option<Trap>,
    /// Its answer, if it gave one and returned; of `canister_inspect_message` a reply if it accepted.
    pub response: Option<Response>,
    /// Whether its call context stays open for ever, as if it awaited a call that is never answered; `false` if it trapped.
    pub held: bool,
    /// The calls it performed, in order; if it trapped, none of them is sent.
    pub requests: Vec<Outgoing>,
    /// Cycles it accepted.
    pub accepted: Cycles,
    /// Cycles it burned.
    pub burned: Cycles,
    /// New value of the global timer, where it set one (0: deactivated).
    pub timer_ns: Option<u64>,
    /// New certified data, where it set some.
    pub certified: Option<Vec<u8>>,
    /// Wasm instructions executed.
    pub instructions: u64,
    /// Lines of `debug_print`, kept even if it trapped.
    pub log: Vec<String>,
    /// What it read of its environment.
    pub reads: Vec<Read>,
    /// Which code ran, where the module was loaded to be watched.
    pub covered: Option<Arc<Covered>>,
}

/// Which code of a module an execution ran. Blocks and sites are numbered in the order of the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Covered {
    /// Number of the module among the canister's.
    pub module: u16,
    /// Blocks that ran, and how often, at most 255.
    pub blocks: Box<[(u32, u8)]>,
    /// Comparisons that were made.
    pub compared: Box<[Compared]>,
    /// Switches, and the arms that were chosen: bit i for arm i, the last one for all others.
    pub switched: Box<[(u32, u64)]>,
}

/// A comparison: of the operands that were not equal, those that differ in the fewest bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Its site.
    pub site: u32,
    /// The operands, if any two were not equal.
    pub unequal: Option<(u64, u64)>,
    /// Whether two were equal.
    pub equal: bool,
}

impl Execution {
    /// Where it differs from another execution of the same message on the same state; `None` if nowhere.
    pub fn difference(&self, other: &Execution) -> Option<&'static str> {
        let parts = [
            ("what it read of its environment", self.reads == other.reads),
            ("its instructions", self.instructions == other.instructions),
            ("whether it trapped", self.trap == other.trap),
            ("its answer", self.response == other.response && self.held == other.held),
            ("its requests", self.requests == other.requests),
            ("its cycles", (self.accepted, self.burned) == (other.accepted, other.burned)),
            ("its timer", self.timer_ns == other.timer_ns),
            ("its certified data", self.certified == other.certified),
            ("what it printed", self.log == other.log),
            ("the code that it ran", self.covered == other.covered),
            ("the state after it", self.memory == other.memory),
        ];
        parts.into_iter().find(|(_, is_same)| !is_same).map(|(part, _)| part)
    }

    /// An execution that did and read nothing.
    pub fn idle(memory: MemoryId) -> Execution {
        Execution {
            memory,
            trap: None,
            response: None,
            held: false,
            requests: Vec::new(),
            accepted: 0,
            burned: 0,
            timer_ns: None,
            certified: None,
            instructions: 0,
            log: Vec::new(),
            reads: Vec::new(),
            covered: None,
        }
    }
}
