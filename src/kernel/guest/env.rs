//! What an execution may read beside its own state and its message, and what it did read.

use std::sync::Arc;

use candid::Principal;
use serde::{Deserialize, Serialize};

use super::super::system::Status;
use super::Cycles;

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
            balance: super::super::START_BALANCE,
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
        super::super::QUEUE_CAPACITY.saturating_sub(open)
    }
}
