//! What goes into one execution of a canister's code and what comes out of it. No behaviour.

use std::rc::Rc;

use candid::Principal;

use super::host::State;

/// In which way code is entered; it decides which system calls are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `canister_init` and `canister_post_upgrade`.
    Init,
    PreUpgrade,
    Inspect,
    Timer,
    Heartbeat,
    Update,
    /// A query that is called by an update.
    ReplicatedQuery,
    /// A query that is asked from outside.
    Query,
    Reply,
    Reject,
    Cleanup,
}

/// What is entered.
#[derive(Clone)]
pub enum Entry {
    Export(String),
    /// A function of table 0, with its environment.
    Table(u32, u32),
}

/// One message, with what code can ask about it.
#[derive(Clone)]
pub struct Message {
    pub mode: Mode,
    pub entry: Entry,
    /// The argument, or the payload of a reply.
    pub arg: Rc<Vec<u8>>,
    pub caller: Principal,
    pub reject_code: u32,
    pub reject_text: String,
    pub deadline_ns: u64,
    /// Whether an earlier message of this call context has answered.
    pub is_responded: bool,
    pub cycles: Cycles,
    pub around: Around,
    /// What an inspected message calls.
    pub method: String,
    /// Which `call_perform` fails, from 1; 0: none.
    pub perform_fails: usize,
}

/// What code can ask about its canister and about the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Around {
    pub now_ns: u64,
    pub status: Status,
    pub version: u64,
    pub timer_ns: u64,
}

/// Whether a canister takes messages; the numbers are those of `ic0.canister_status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Running = 1,
    Stopping = 2,
    Stopped = 3,
}

/// The cycles that code can ask about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cycles {
    /// Of the canister, before the message.
    pub balance: u128,
    /// Of those that came with the call, what is left.
    pub available: u128,
    /// Came back with the response.
    pub refunded: u128,
}

impl Message {
    /// A message that is no reject, in a call context that has not answered.
    pub fn new(mode: Mode, entry: Entry, caller: Principal, arg: Rc<Vec<u8>>, around: Around) -> Self {
        Self {
            mode,
            entry,
            arg,
            caller,
            reject_code: 0,
            reject_text: String::new(),
            deadline_ns: 0,
            is_responded: false,
            cycles: Cycles::default(),
            around,
            method: String::new(),
            perform_fails: 0,
        }
    }
}

/// What a canister answers by itself.
#[derive(Clone)]
pub enum Answer {
    Reply(Vec<u8>),
    Reject(String),
}

/// A call that was performed.
#[derive(Clone)]
pub struct Outgoing {
    pub callee: Vec<u8>,
    pub method: String,
    pub arg: Vec<u8>,
    pub cycles: u128,
    pub on_reply: (u32, u32),
    pub on_reject: (u32, u32),
    pub on_cleanup: Option<(u32, u32)>,
    /// Only for a bounded wait.
    pub deadline_ns: Option<u64>,
}

/// Why code did not return: the number of the IC's error and its text.
#[derive(Clone, Debug, Default, thiserror::Error)]
#[error("IC0{code}: {text}")]
pub struct Stop {
    pub code: u32,
    pub text: String,
    /// The calls that it had performed: callee and method.
    pub performed: Vec<(Vec<u8>, String)>,
}

impl Stop {
    pub fn new(code: u32, text: &str) -> Stop {
        Stop { code, text: String::from(text), performed: Vec::new() }
    }
}

/// What a message that returned leaves behind.
#[derive(Clone)]
pub struct Done {
    pub state: State,
    pub answer: Option<Answer>,
    pub requests: Vec<Outgoing>,
    /// Cycles that it took from its call.
    pub accepted: u128,
    /// Cycles that it burned.
    pub burned: u128,
    /// The timer, if it was set; 0 for none.
    pub timer_ns: Option<u64>,
    /// The certified data, if it was set.
    pub certified: Option<Rc<Vec<u8>>>,
    /// Whether an inspected message was let in.
    pub is_let_in: bool,
}

/// How a method is exported.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Query,
    Composite,
    Update,
}
