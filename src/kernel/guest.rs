//! A canister as the kernel sees it: a function from (state, message, environment) to (state, effects).
//!
//! The kernel knows nothing of wasm. A guest interns its own states and hands out [`MemoryId`]s; equal ids are equal
//! states. Whatever a guest reads of the environment it must report in [`Execution::reads`], because executions are
//! memoized on exactly that.

use std::sync::Arc;

use candid::Principal;
use serde::{Deserialize, Serialize};

use crate::schedule::Task;

use super::save::{Part, Reader};
use super::system::Status;

/// Amount of cycles.
pub type Cycles = u128;

/// A state of one guest, interned by that guest. Equal ids of the same guest are equal states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MemoryId(pub u32);

/// A function of the guest with the environment it is to be called with: a table index and a pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Function {
    /// Index in table 0. Not checked before it is called (semantics 1.2, `call_new`).
    pub index: u64,
    /// Argument of the call.
    pub env: u64,
}

/// What a caller is answered with.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Response {
    /// The callee's reply, as bytes.
    Reply(#[serde(with = "super::save::shared_bytes")] Arc<[u8]>),
    /// A reject with its code (1 to 6, interface specification "Reject codes") and text.
    Reject {
        /// 1 SYS_FATAL, 2 SYS_TRANSIENT, 3 DESTINATION_INVALID, 4 CANISTER_REJECT, 5 CANISTER_ERROR, 6 SYS_UNKNOWN.
        code: u8,
        /// The text that the caller sees.
        #[serde(with = "super::save::shared_text")]
        text: Arc<str>,
    },
}

/// What a guest is asked to execute.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// `canister_init`, on the state in which the module was loaded.
    Init {
        /// Candid argument.
        arg: &'a [u8],
    },
    /// An update call, or a query method called in replicated mode (its state changes are discarded).
    Call {
        /// Name of the method.
        method: &'a str,
        /// Candid argument.
        arg: &'a [u8],
    },
    /// A non-replicated query: an observation. State changes are discarded.
    Query {
        /// Name of the method.
        method: &'a str,
        /// Candid argument.
        arg: &'a [u8],
    },
    /// The transform function of an HTTP outcall: a query of the canister itself.
    Transform {
        /// Name of the method.
        method: &'a str,
        /// Candid argument.
        arg: &'a [u8],
    },
    /// `canister_inspect_message`, for a call from outside. State changes are discarded.
    Inspect {
        /// Name of the method that is to be called.
        method: &'a str,
        /// Candid argument.
        arg: &'a [u8],
    },
    /// The callback of a response to a composite query. State changes last until the query is answered.
    CompositeCallback {
        /// The reply or the reject function.
        function: Function,
        /// What the callee answered.
        response: &'a Response,
    },
    /// The cleanup function of a composite query's call whose callback trapped.
    CompositeCleanup {
        /// The function registered by `call_on_cleanup`.
        function: Function,
        /// The response that the callback was for.
        response: &'a Response,
    },
    /// A task that the system runs.
    Task(Task),
    /// `canister_pre_upgrade`.
    PreUpgrade,
    /// `canister_post_upgrade`, on the state in which the new module was loaded.
    PostUpgrade {
        /// Candid argument.
        arg: &'a [u8],
    },
    /// The callback of a response.
    Callback {
        /// The reply or the reject function, as the response asks for.
        function: Function,
        /// What the callee, or the system in its place, answered.
        response: &'a Response,
    },
    /// The cleanup function of a call whose callback trapped.
    Cleanup {
        /// The function registered by `call_on_cleanup`.
        function: Function,
        /// The response that the callback was for: cleanup may ask for its reject code.
        response: &'a Response,
    },
}

/// What an execution may read beside its own state and its message.
pub struct Env<'a> {
    /// The canister itself.
    pub own_id: Principal,
    /// Nanoseconds since 1970.
    pub time_ns: u64,
    /// Caller of the call context.
    pub caller: Principal,
    /// Whether the call context has responded already.
    pub answered: bool,
    /// Cycles that came with the call and were not accepted yet.
    pub available: Cycles,
    /// Cycles that came back with the response.
    pub refunded: Cycles,
    /// Deadline of the call context, 0 if it has none.
    pub deadline_ns: u64,
    /// Instructions that earlier deliveries of the call context executed.
    pub instructions: u64,
    /// The canister's balance.
    pub balance: Cycles,
    /// `ic0.canister_version`.
    pub version: u64,
    /// The global timer, 0 if it is not set.
    pub timer_ns: u64,
    /// Whether the canister is running.
    pub status: Status,
    /// Who controls the canister.
    pub controllers: Arc<[Principal]>,
    /// Which `call_perform` of the execution fails whatever it is for, from 1; 0: none.
    pub perform_fails: u32,
    /// Callees of the canister's open calls, one entry an open call.
    pub outstanding: &'a [Principal],
}

/// One thing an execution read of its environment, with the value it saw. Part of the memo key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Read {
    /// [`Env::time_ns`].
    Time(u64),
    /// [`Env::caller`].
    Caller(Principal),
    /// [`Env::answered`].
    Answered(bool),
    /// [`Env::available`].
    Available(Cycles),
    /// [`Env::refunded`].
    Refunded(Cycles),
    /// [`Env::deadline_ns`].
    Deadline(u64),
    /// [`Env::instructions`].
    Instructions(u64),
    /// [`Env::balance`].
    Balance(Cycles),
    /// [`Env::version`].
    Version(u64),
    /// [`Env::timer_ns`].
    Timer(u64),
    /// [`Env::status`].
    Status(Status),
    /// Whether this principal is among [`Env::controllers`].
    Controller(Principal, bool),
    /// [`Env::perform_fails`]: read by every execution that makes a call.
    PerformFails(u32),
    /// Whether at least `needed` calls to `callee` fit: only the answer was seen, not the number.
    Slots {
        /// Whom the call goes to.
        callee: Principal,
        /// How many slots this execution needs in all, this call included.
        needed: u32,
        /// What the kernel said.
        fits: bool,
    },
}

impl Env<'_> {
    /// What a message sees that comes from outside, with no cycles and no deadline: an installation, a query.
    pub fn outside(own_id: Principal, caller: Principal, time_ns: u64) -> Env<'static> {
        Env {
            own_id,
            time_ns,
            caller,
            answered: false,
            available: 0,
            refunded: 0,
            deadline_ns: 0,
            instructions: 0,
            balance: super::START_BALANCE,
            version: 0,
            timer_ns: 0,
            status: Status::Running,
            controllers: Arc::default(),
            perform_fails: 0,
            outstanding: &[],
        }
    }

    /// Whether an execution that made this read would see the same value here.
    pub fn agrees(&self, read: &Read) -> bool {
        match read {
            Read::Time(seen) => *seen == self.time_ns,
            Read::Caller(seen) => *seen == self.caller,
            Read::Answered(seen) => *seen == self.answered,
            Read::Available(seen) => *seen == self.available,
            Read::Refunded(seen) => *seen == self.refunded,
            Read::Deadline(seen) => *seen == self.deadline_ns,
            Read::Instructions(seen) => *seen == self.instructions,
            Read::Balance(seen) => *seen == self.balance,
            Read::Version(seen) => *seen == self.version,
            Read::Timer(seen) => *seen == self.timer_ns,
            Read::Status(seen) => *seen == self.status,
            Read::Controller(who, seen) => *seen == self.controllers.contains(who),
            Read::PerformFails(seen) => *seen == self.perform_fails,
            Read::Slots { callee, needed, fits } => (self.free_slots(callee) >= *needed) == *fits,
        }
    }

    /// How many more calls to this callee fit into its queue (semantics 4.4).
    pub fn free_slots(&self, callee: &Principal) -> u32 {
        let open = self.outstanding.iter().filter(|other| *other == callee).count() as u32;
        super::QUEUE_CAPACITY.saturating_sub(open)
    }
}

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

/// How a canister gets another module (semantics 7.2, 7.3). The numbers are those that the guest gave its modules.
#[derive(Clone, Copy, Debug)]
pub enum Replacement<'a> {
    /// Stable memory is kept, the heap too if the module wants it.
    Upgrade(Module<'a>),
    /// Nothing is kept.
    Reinstall(Module<'a>),
    /// The module goes, and everything with it.
    Uninstall,
}

/// A module to be installed.
#[derive(Clone, Copy, Debug)]
pub enum Module<'a> {
    /// One that the guest knows by this number.
    Known(u16),
    /// The bytes of one.
    Bytes(&'a [u8]),
}

/// A canister, executing one message at a time.
pub trait Guest: Send {
    /// Runs one message to its end or to its next await, on the given state.
    ///
    /// A trap is a value, not an error.
    ///
    /// # Errors
    /// A text where this guest cannot tell what the IC would do: a system function or a limit it does not offer.
    fn execute(&mut self, memory: MemoryId, input: Input<'_>, env: &Env<'_>) -> Result<Execution, String>;

    /// The same canister for another thread: states have the same ids for both.
    fn fork(&self) -> Box<dyn Guest>;

    /// From now on each call of an execution says which functions were running ([`Outgoing::stack`]), if the guest can tell.
    fn trace(&mut self) {}

    /// Whether the module can see [`Env::instructions`]; if not they are kept out of the world.
    fn sees_instructions(&self, _memory: MemoryId) -> bool {
        false
    }

    /// Whether the module can see [`Env::version`]; if not it is kept out of the world.
    fn sees_version(&self, _memory: MemoryId) -> bool {
        false
    }

    /// Whether the module has an entry point for this task in this state.
    fn runs(&self, _memory: MemoryId, _task: Task) -> bool {
        false
    }

    /// Whether any of the canister's modules has one.
    fn may_run(&self, _task: Task) -> bool {
        false
    }

    /// Whether calls from outside must pass `canister_inspect_message` in this state.
    fn inspects(&self, _memory: MemoryId) -> bool {
        false
    }

    /// The state in which another module finds the canister before any of its code has run.
    ///
    /// # Errors
    /// A text with which the installation is rejected.
    fn replace(&mut self, _memory: MemoryId, _how: Replacement<'_>) -> Result<MemoryId, Trap> {
        Err(Trap { code: 505, text: "a built-in canister has no module to be replaced".to_string() })
    }

    /// SHA-256 of the module in this state; `None` if there is none.
    fn module_hash(&self, _memory: MemoryId) -> Option<Vec<u8>> {
        None
    }

    /// Bytes of the heap in this state.
    fn heap_bytes(&self, _memory: MemoryId) -> u64 {
        0
    }

    /// Bytes of heap and stable memory in this state.
    fn bytes(&self, _memory: MemoryId) -> u64 {
        0
    }

    /// Whether there is no module in this state, so that nothing can run.
    fn is_empty(&self, _memory: MemoryId) -> bool {
        false
    }

    /// Content hash of a state, the same in every run.
    fn fingerprint(&self, memory: MemoryId) -> u128;

    /// How much each of its tables holds; the first are its states.
    fn sizes(&self) -> Vec<u32> {
        Vec::new()
    }

    /// Writes what its tables hold beyond these [`Guest::sizes`].
    ///
    /// # Errors
    /// If this guest cannot.
    fn save(&self, _since: &[u32], _out: &mut Part) -> Result<(), String> {
        Err("its states cannot be saved".to_string())
    }

    /// Reads what [`Guest::save`] wrote, into tables that hold what they held then; every value gets the id that it had.
    ///
    /// # Errors
    /// What is wrong with the bytes. The tables may hold a part of them then.
    fn load(&mut self, _part: &mut Reader<'_>) -> Result<(), String> {
        Err("its states cannot be loaded".to_string())
    }
}
