//! Steps, named by their cause, and schedules as text, one step per line.
//!
//! In: text of a `.cx` file or the search's choices. Out: [`Schedule`]. A name depends on no order between other calls,
//! so two interleavings that commute reach the same world, and names survive shrinking and recompilation.
//!
//! ```text
//! 2        start of call instance 2: its first delivery
//! 2.1      delivery of the first request that this delivery sent
//! 2.1r     delivery of the response to it
//! 2.1r.1   delivery of the first request that the callback sent
//! 2.1j     clean reject of request 2.1, code 2 (2.1j1, 2.1j3: the other clean codes)
//! 2.1x     expiry of the bounded-wait call 2.1: SYS_UNKNOWN
//! 2.1b     the callee of 2.1 answers with the scenario's error and does nothing (2.1l: with its reply, a lie)
//! 2.1j5    it rejects with code 5, as a callee that traps or stops
//! 2.1rt    the callback of that response traps
//! 2.1p1    request 2.1 is delivered, and the first call that it makes cannot be performed
//! 2s       call 2 is accepted by `canister_inspect_message`; start it with 2
//! ledger.t1, ledger.h1   first firing of the ledger's timer, first heartbeat; requests below it: ledger.t1.1
//! ledger.stop1, ledger.start1, ledger.upgrade1, ...   what its administrator does
//! 2{amt=30}   the start of a call whose argument is chosen then: with these values; what follows is 2.1 as before
//! @1       time passes by the first `[[time]]` of the scenario
//! ```

mod parse;
mod path;
mod task;
mod values;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use path::CALLBACK;
pub use path::{PATH_MAX, Path};
use task::TASKS;
pub use task::Task;
pub use values::Values;

/// Where a chain of messages begins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Root {
    /// A call instance, from 0, in file order.
    Call(u32),
    /// The `n`-th task of this kind, from 1, of a canister.
    Task {
        /// Name of the canister in the scenario.
        canister: Arc<str>,
        /// What happens.
        task: Task,
        /// Which of them.
        n: u32,
    },
    /// Time passes: by this entry of the scenario's `[[time]]`, from 1. The name is the same each time.
    Time(u32),
}

impl Root {
    /// The number of a call instance.
    pub fn call(&self) -> Option<u32> {
        match self {
            Root::Call(call) => Some(*call),
            Root::Task { .. } | Root::Time(_) => None,
        }
    }
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Root::Call(call) => write!(f, "{call}"),
            Root::Task { canister, task, n } => write!(f, "{canister}.{}{n}", task.word()),
            Root::Time(entry) => write!(f, "@{entry}"),
        }
    }
}

/// What a step does with the message it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StepKind {
    /// A call arrives at a canister that inspects messages: accepted, it may start.
    Submit,
    /// The root itself: execute a call's ingress message, fire a timer, upgrade, let time pass.
    Start,
    /// Deliver a request to its callee.
    Request,
    /// Deliver a response to the caller's callback.
    Response,
    /// A fault: the request is rejected before it starts, with a clean code (1, 2 or 3), or with 5 as by a callee that
    /// traps or stops.
    Reject(u8),
    /// The bounded-wait call ends in SYS_UNKNOWN while the request goes its own way: a fault, unless its deadline has passed.
    Expire,
    /// A fault: the callee answers with the scenario's error without doing anything.
    BusinessError,
    /// A fault: the callee answers with the scenario's reply without doing anything.
    Lie,
    /// A fault: the callback of the response traps.
    Trap,
    /// A fault: the delivery of this name is made, and its `n`-th `call_perform`, from 1, fails.
    PerformFails(u32),
}

/// One thing that can happen next, by name. The name is its text: `2.1r`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step {
    /// Where its chain of messages begins.
    pub root: Root,
    /// The message, below that root.
    pub path: Path,
    /// What happens to it.
    pub kind: StepKind,
    /// What is chosen with it: values of the argument, for a call that begins.
    pub values: Values,
}

impl Step {
    /// A step that chooses no values.
    pub fn new(root: Root, path: Path, kind: StepKind) -> Step {
        Step { root, path, kind, values: Values::default() }
    }

    /// Whether the step runs a callback, with whatever it does.
    pub fn runs_callback(&self) -> bool {
        match self.kind {
            StepKind::Response => true,
            StepKind::PerformFails(_) => self.path.is_response(),
            _ => false,
        }
    }

    /// Whether the step executes a message of a canister.
    pub fn is_delivery(&self) -> bool {
        match (&self.root, self.kind) {
            (Root::Task { task, .. }, StepKind::Start) => task.is_message(),
            (Root::Time(_), _) => false,
            (_, StepKind::Start | StepKind::Request | StepKind::Response) => true,
            (_, StepKind::Trap | StepKind::PerformFails(_)) => true,
            _ => false,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.root, self.values, self.path)?;
        match self.kind {
            StepKind::Submit => f.write_str("s"),
            StepKind::Reject(2) => f.write_str("j"),
            StepKind::Reject(code) => write!(f, "j{code}"),
            StepKind::Expire => f.write_str("x"),
            StepKind::BusinessError => f.write_str("b"),
            StepKind::Lie => f.write_str("l"),
            StepKind::Trap => f.write_str("t"),
            StepKind::PerformFails(n) => write!(f, "p{n}"),
            StepKind::Start | StepKind::Request | StepKind::Response => Ok(()),
        }
    }
}

/// Why a text is not a step's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not the name of a step: {why}; names look like 0, 0.1, 0.1r, 0.1j, 0.1x, ledger.t1, @1")]
pub struct StepError {
    text: String,
    why: &'static str,
}

impl FromStr for Step {
    type Err = StepError;

    fn from_str(text: &str) -> Result<Step, StepError> {
        parse::step(text).map_err(|why| StepError { text: text.chars().take(60).collect(), why })
    }
}

/// The steps chosen, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// First step first.
    pub steps: Vec<Step>,
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "{step}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
