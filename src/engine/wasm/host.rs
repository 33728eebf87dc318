//! What system functions see and change while one message executes.
//!
//! In: the message and the environment. Out: the effects, and what was read of the environment. One [`Host`] belongs to one
//! warm instance and is reset for each message.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use candid::Principal;

use crate::engine::allowance::{Ceiling, size};
use crate::kernel::guest::{Env, Execution, Outgoing, Read, Trap};
use crate::kernel::{Cycles, Input, MemoryId, Response, Status};

use super::ic0::Mode;
use super::pages::Root;
use super::stable::Stable;

/// Bytes a reply or reject may have in replicated execution (semantics 1.2).
pub const REPLY_MAX: usize = 2 * 1024 * 1024;
/// Bytes a query's reply may have.
pub const QUERY_REPLY_MAX: usize = 3 * 1024 * 1024;

/// Elements that a table may have on the IC.
const TABLE_MAX: usize = 1_000_000;
/// Bytes of `debug_print` kept of one execution: the last ones, as in a canister's log.
const LOG_MAX: usize = 64 * 1024;

/// The environment of the message, owned, with what was read of it.
pub struct Surroundings {
    own_id: Principal,
    time_ns: u64,
    caller: Principal,
    answered: bool,
    available: Cycles,
    refunded: Cycles,
    deadline_ns: u64,
    instructions: u64,
    balance: Cycles,
    version: u64,
    timer_ns: u64,
    status: Status,
    controllers: Arc<[Principal]>,
    perform_fails: u32,
    outstanding: Vec<Principal>,
    reads: Vec<Read>,
}

/// What system functions need of the instance.
#[derive(Clone, Copy, Default)]
pub struct Parts {
    /// The heap.
    pub heap: Option<wasmtime::Memory>,
    /// One byte a page of the heap, set when it was written to.
    pub written: Option<wasmtime::Memory>,
    /// Counter of instructions left.
    pub left: Option<wasmtime::Global>,
}

/// State of one execution.
pub struct Host {
    /// Where the execution is.
    pub mode: Mode,
    /// Argument, or payload of the reply.
    pub arg: Arc<[u8]>,
    /// Name of the method that is being inspected.
    pub method: String,
    /// Calls performed so far, failed ones included.
    performs: u32,
    /// Reject that runs this callback.
    pub reject: Option<(u8, Arc<str>)>,
    /// Limit of instructions of this execution.
    pub limit: u64,
    /// Bytes appended to the reply.
    pub reply: Vec<u8>,
    /// The answer given in this execution.
    pub response: Option<Response>,
    /// Cycles accepted in this execution.
    pub accepted: Cycles,
    /// Cycles burned in this execution.
    pub burned: Cycles,
    /// A call under construction.
    pub call: Option<Outgoing>,
    /// Calls performed.
    pub requests: Vec<Outgoing>,
    /// New global timer.
    pub timer_ns: Option<u64>,
    /// New certified data.
    pub certified: Option<Vec<u8>>,
    /// Lines printed, the last [`LOG_MAX`] bytes of them.
    log: VecDeque<String>,
    log_bytes: usize,
    /// Why the execution is being stopped, set by a system function.
    pub trap: Option<Trap>,
    /// What a system function asked for that is not offered.
    pub unsupported: Option<String>,
    /// Stable memory.
    pub stable: Stable,
    /// The instance's own parts, once it is there.
    pub parts: Parts,
    /// Memory of the whole run.
    pub ceiling: Ceiling,
    /// Whether calls say which functions were running.
    pub traces: bool,
    heap_max: u64,
    /// Environment variables by name: settings of the canister, which nothing changes.
    pub variables: Arc<BTreeMap<String, String>>,
    around: Surroundings,
}

impl Host {
    /// A host with nothing to do yet.
    pub fn new(ceiling: Ceiling, heap_max: u64) -> Host {
        let nobody = Principal::management_canister();
        Host {
            mode: Mode::Init,
            arg: Arc::from([]),
            method: String::new(),
            performs: 0,
            reject: None,
            limit: 0,
            reply: Vec::new(),
            response: None,
            accepted: 0,
            burned: 0,
            call: None,
            requests: Vec::new(),
            timer_ns: None,
            certified: None,
            log: VecDeque::new(),
            log_bytes: 0,
            trap: None,
            unsupported: None,
            stable: Stable::default(),
            parts: Parts::default(),
            ceiling,
            traces: false,
            heap_max,
            variables: Arc::default(),
            around: Surroundings {
                own_id: nobody,
                time_ns: 0,
                caller: nobody,
                answered: false,
                available: 0,
                refunded: 0,
                deadline_ns: 0,
                instructions: 0,
                balance: 0,
                version: 0,
                timer_ns: 0,
                status: Status::Running,
                controllers: Arc::default(),
                perform_fails: 0,
                outstanding: Vec::new(),
                reads: Vec::new(),
            },
        }
    }

    /// Prepares for a message.
    pub fn reset(&mut self, mode: Mode, input: &Input<'_>, env: &Env<'_>, stable: (u64, Root), limit: u64) {
        self.mode = mode;
        self.limit = limit;
        self.reject = None;
        self.arg = match input {
            Input::Init { arg } | Input::PostUpgrade { arg } => Arc::from(*arg),
            Input::Call { arg, .. } | Input::Query { arg, .. } | Input::Transform { arg, .. } => Arc::from(*arg),
            Input::Inspect { method, arg } => {
                self.method = (*method).to_string();
                Arc::from(*arg)
            }
            Input::Task(_) | Input::PreUpgrade => Arc::from([]),
            Input::Callback { response: Response::Reply(bytes), .. }
            | Input::CompositeCallback { response: Response::Reply(bytes), .. } => bytes.clone(),
            Input::Callback { response: Response::Reject { code, text }, .. }
            | Input::CompositeCallback { response: Response::Reject { code, text }, .. }
            | Input::CompositeCleanup { response: Response::Reject { code, text }, .. }
            | Input::Cleanup { response: Response::Reject { code, text }, .. } => {
                self.reject = Some((*code, text.clone()));
                Arc::from([])
            }
            Input::Cleanup { .. } | Input::CompositeCleanup { .. } => Arc::from([]),
        };
        self.performs = 0;
        self.reply.clear();
        self.response = None;
        self.accepted = 0;
        self.burned = 0;
        self.call = None;
        self.requests.clear();
        self.timer_ns = None;
        self.certified = None;
        self.log.clear();
        self.log_bytes = 0;
        self.trap = None;
        self.unsupported = None;
        self.stable.reset(stable);
        let around = &mut self.around;
        around.own_id = env.own_id;
        around.time_ns = env.time_ns;
        around.caller = env.caller;
        around.answered = env.answered;
        around.available = env.available;
        around.refunded = env.refunded;
        around.deadline_ns = env.deadline_ns;
        around.instructions = env.instructions;
        around.balance = env.balance;
        around.version = env.version;
        around.timer_ns = env.timer_ns;
        around.status = env.status;
        around.controllers = env.controllers.clone();
        around.perform_fails = env.perform_fails;
        around.outstanding.clear();
        around.outstanding.extend_from_slice(env.outstanding);
        around.reads.clear();
    }

    /// The effects, for a guest whose new state is `memory`; what a trap undoes is left out.
    pub fn finish(&mut self, memory: MemoryId, trap: Option<Trap>, instructions: u64) -> Execution {
        let returned = trap.is_none();
        self.stable.forget();
        let requests = std::mem::take(&mut self.requests);
        Execution {
            memory,
            response: self.response.take().filter(|_| returned),
            held: false,
            requests,
            accepted: if returned { self.accepted } else { 0 },
            burned: if returned { self.burned } else { 0 },
            timer_ns: self.timer_ns.filter(|_| returned),
            certified: self.certified.take().filter(|_| returned),
            trap,
            instructions,
            log: std::mem::take(&mut self.log).into(),
            reads: std::mem::take(&mut self.around.reads),
            covered: None,
        }
    }

    /// Prints a line; old ones go when there are too many.
    pub fn print(&mut self, line: String) {
        // An empty line takes room as well.
        self.log_bytes += line.len() + size_of::<String>();
        self.log.push_back(line);
        while self.log_bytes > LOG_MAX {
            let Some(first) = self.log.pop_front() else { break };
            self.log_bytes -= first.len() + size_of::<String>();
        }
    }

    /// Whether the execution may hold this many bytes more; if not it is to be stopped, for the reason noted here.
    pub fn may_hold(&mut self, bytes: u64) -> bool {
        let may = self.ceiling.allows(bytes);
        if !may {
            self.unsupported = Some(self.ceiling.refuse(&format!("a message that takes {} more", size(bytes))));
        }
        may
    }

    fn note(&mut self, read: Read) {
        if !self.around.reads.contains(&read) {
            self.around.reads.push(read);
        }
    }

    /// The canister's own id; fixed, so not a read.
    pub fn own_id(&self) -> Principal {
        self.around.own_id
    }

    /// `ic0.time`.
    pub fn time_ns(&mut self) -> u64 {
        self.note(Read::Time(self.around.time_ns));
        self.around.time_ns
    }

    /// Caller of the call context.
    pub fn caller(&mut self) -> Principal {
        self.note(Read::Caller(self.around.caller));
        self.around.caller
    }

    /// Whether the context has been answered, by this execution or before.
    pub fn is_answered(&mut self) -> bool {
        if self.response.is_some() {
            return true;
        }
        self.note(Read::Answered(self.around.answered));
        self.around.answered
    }

    /// Cycles that may still be accepted. Those that are left go back when the message that answers has ended, and not when it
    /// answers; a later one finds none.
    pub fn available(&mut self) -> Cycles {
        self.note(Read::Available(self.around.available));
        self.around.available - self.accepted
    }

    /// Cycles that came back.
    pub fn refunded(&mut self) -> Cycles {
        self.note(Read::Refunded(self.around.refunded));
        self.around.refunded
    }

    /// `ic0.msg_deadline`.
    pub fn deadline_ns(&mut self) -> u64 {
        self.note(Read::Deadline(self.around.deadline_ns));
        self.around.deadline_ns
    }

    /// Instructions of earlier deliveries of the context.
    pub fn instructions(&mut self) -> u64 {
        self.note(Read::Instructions(self.around.instructions));
        self.around.instructions
    }

    /// Balance after what this execution accepted and attached.
    pub fn balance(&mut self) -> Cycles {
        self.note(Read::Balance(self.around.balance));
        let performed: Cycles = self.requests.iter().map(|request| request.cycles).sum();
        let building = self.call.as_ref().map_or(0, |call| call.cycles);
        (self.around.balance + self.accepted).saturating_sub(performed + building + self.burned)
    }

    /// `ic0.canister_version`.
    pub fn version(&mut self) -> u64 {
        self.note(Read::Version(self.around.version));
        self.around.version
    }

    /// The global timer as this execution sees it.
    pub fn timer_ns(&mut self) -> u64 {
        if let Some(timer_ns) = self.timer_ns {
            return timer_ns;
        }
        self.note(Read::Timer(self.around.timer_ns));
        self.around.timer_ns
    }

    /// `ic0.canister_status`.
    pub fn status(&mut self) -> Status {
        self.note(Read::Status(self.around.status));
        self.around.status
    }

    /// `ic0.is_controller`.
    pub fn is_controlled_by(&mut self, who: Principal) -> bool {
        let is = self.around.controllers.contains(&who);
        self.note(Read::Controller(who, is));
        is
    }

    /// Whether the call that is being performed fails: by a fault, or because its callee's queue is full.
    pub fn performs(&mut self, callee: Principal) -> bool {
        self.note(Read::PerformFails(self.around.perform_fails));
        self.performs += 1;
        self.performs != self.around.perform_fails && self.fits(callee)
    }

    /// Whether one more call to this callee fits into its queue.
    fn fits(&mut self, callee: Principal) -> bool {
        let sent = self.requests.iter().filter(|request| request.callee == callee).count() as u32;
        let open = self.around.outstanding.iter().filter(|&&other| other == callee).count() as u32;
        let needed = sent + 1;
        let fits = crate::kernel::QUEUE_CAPACITY.saturating_sub(open) >= needed;
        self.note(Read::Slots { callee, needed, fits });
        fits
    }
}

/// What grows inside an instance. Beyond the limits of the IC growth fails, as there; beyond what canloom may use nobody
/// can tell how the message would end, so it is stopped.
impl wasmtime::ResourceLimiter for Host {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> Result<bool, wasmtime::Error> {
        let desired = desired as u64;
        if desired > self.heap_max {
            return Ok(false);
        }
        if self.ceiling.allows(desired) {
            return Ok(true);
        }
        let what = self.ceiling.refuse(&format!("a memory of {}", size(desired)));
        self.unsupported = Some(what.clone());
        Err(wasmtime::Error::msg(what))
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> Result<bool, wasmtime::Error> {
        Ok(desired <= TABLE_MAX)
    }
}
