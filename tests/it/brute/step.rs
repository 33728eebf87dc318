//! One thing that can happen next, by what it acts upon. No behaviour but its name.

use std::sync::Arc;

use super::message::Mode;

/// One thing that can happen next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A call instance with this argument is inspected, and if it is let in waits for its start.
    Submit(usize, Arc<[u8]>),
    /// A call instance starts with this argument, and its first message runs.
    Start(usize, Arc<[u8]>),
    /// The system runs the timer or the heartbeat of a canister.
    Task(usize, Mode),
    /// The request at this place of a pair's queue runs; what is ahead of it is dropped.
    Request((usize, usize), usize),
    /// The response to this callback is delivered.
    Response(u32),
    /// The deadline of this callback passes; without a fault, when its time has come.
    Expire { fault: Option<usize>, callback: u32 },
    /// Time passes by this entry.
    Time(usize),
    /// A fault, paid by this entry: the request at this place of a pair's queue is rejected with this code.
    Reject { fault: usize, pair: (usize, usize), place: usize, code: u32 },
    /// A fault: the callee replies to the request at this place as the scenario says, and does nothing.
    Script { fault: usize, pair: (usize, usize), place: usize, is_lie: bool },
    /// A fault: the callback traps.
    Trap { fault: usize, callback: u32 },
    /// A fault: this delivery is made, and its n-th `call_perform`, from 1, fails.
    PerformFails { fault: usize, n: usize, of: Box<Step> },
    /// A canister is changed as a whole: by a fault that begins, or as an earlier one goes on.
    Change { fault: Option<usize>, canister: usize, change: Change },
}

impl Step {
    /// Its kind in a word.
    pub fn kind(&self) -> &'static str {
        match self {
            Step::Submit(..) => "submit",
            Step::Start(..) => "start",
            Step::Task(_, Mode::Timer) => "timer",
            Step::Task(..) => "heartbeat",
            Step::Request(..) => "request",
            Step::Response(_) => "response",
            Step::Expire { fault: None, .. } => "expire in time",
            Step::Expire { .. } => "expire",
            Step::Time(_) => "time",
            Step::Reject { code: 5, .. } => "canister error",
            Step::Reject { .. } => "reject",
            Step::Script { is_lie: true, .. } => "lie",
            Step::Script { .. } => "business error",
            Step::Trap { .. } => "trap",
            Step::PerformFails { .. } => "perform fails",
            Step::Change { change, .. } => match change {
                Change::Stop => "stop",
                Change::Start => "start again",
                Change::Upgrade => "upgrade",
                Change::UpgradeAndStart => "upgrade and start",
                Change::Reinstall => "reinstall",
                Change::Uninstall => "uninstall",
                Change::Snapshot => "snapshot",
                Change::Load => "load",
            },
        }
    }
}

/// What is done to a canister as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Stop,
    Start,
    Upgrade,
    UpgradeAndStart,
    Reinstall,
    Uninstall,
    Snapshot,
    Load,
}
