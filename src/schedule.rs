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
mod values;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

pub use values::Values;

/// Longest path a name may have, in segments. Far above any useful bound, low enough for hostile files.
pub const PATH_MAX: usize = 4_096;

/// The part of a step's name below its call instance: which request of which delivery, from the root down.
///
/// A segment is the number of a request within its delivery, from 1; a segment may be marked as seen from the callback
/// that its response runs. The empty path is the first delivery of the call itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(SmallVec<[u32; 5]>);

const CALLBACK: u32 = 1 << 31;

impl Path {
    /// The call's own first delivery.
    pub fn root() -> Path {
        Path::default()
    }

    /// The `n`-th request, from 1, that the delivery of this name sent.
    pub fn request(&self, n: u32) -> Path {
        let mut path = self.clone();
        path.0.push(n);
        path
    }

    /// The delivery of the response to the request of this name.
    pub fn response(&self) -> Path {
        let mut path = self.clone();
        if let Some(last) = path.0.last_mut() {
            *last |= CALLBACK;
        }
        path
    }

    /// Number of segments: how many messages led here.
    pub fn depth(&self) -> usize {
        self.0.len()
    }

    /// Segments as numbers, the callback mark in the highest bit; for hashing and storing.
    pub fn segments(&self) -> &[u32] {
        &self.0
    }

    /// The path of these segments, as [`Path::segments`] gave them.
    pub fn from_segments(segments: &[u32]) -> Path {
        Path(SmallVec::from_slice(segments))
    }

    /// Whether the delivery of this name is that of a response.
    pub fn is_response(&self) -> bool {
        self.0.last().is_some_and(|last| last & CALLBACK != 0)
    }

    /// The call context that the delivery of this name runs in: the path of the request that opened it, empty for the root's own.
    pub fn context(&self) -> Path {
        let opened = self.0.iter().rposition(|segment| segment & CALLBACK == 0).map_or(0, |at| at + 1);
        Path::from_segments(&self.0[..opened])
    }

    /// Whether this is the context that a request opened, or one below it.
    pub fn is_below(&self, request: &Path) -> bool {
        self.0.starts_with(&request.0)
    }

    /// Whether the delivery of this name comes after that of another name of the same root, in every order.
    pub fn follows(&self, earlier: &Path) -> bool {
        let (own, earlier) = (&self.0, &earlier.0);
        let common = own.iter().zip(earlier).take_while(|(a, b)| a == b).count();
        match (own.get(common), earlier.get(common)) {
            // It was caused by the earlier one, or by what that caused.
            (_, None) => true,
            // The response to a request comes after all that the request caused.
            (Some(own), Some(earlier)) => *own == *earlier | CALLBACK,
            (None, Some(_)) => false,
        }
    }

    /// The delivery that sent the request of this name.
    pub fn sender(&self) -> Path {
        Path::from_segments(&self.0[..self.0.len().saturating_sub(1)])
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.0 {
            write!(f, ".{}", segment & !CALLBACK)?;
            if segment & CALLBACK != 0 {
                f.write_str("r")?;
            }
        }
        Ok(())
    }
}

/// What happens to a canister without a call from outside: the system, or whoever administers it, does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Task {
    /// `canister_global_timer` runs.
    Timer,
    /// `canister_heartbeat` runs.
    Heartbeat,
    /// `canister_on_low_wasm_memory` runs.
    LowMemory,
    /// It is told to stop.
    Stop,
    /// It is started again.
    Start,
    /// Its module is upgraded.
    Upgrade,
    /// Its module is installed anew: heap and stable memory are lost.
    Reinstall,
    /// Its module is removed.
    Uninstall,
    /// A snapshot of it is taken.
    Snapshot,
    /// The snapshot is loaded.
    Load,
}

/// Words of the tasks in the names of steps.
const TASKS: [(Task, &str); 10] = [
    (Task::Timer, "t"),
    (Task::Heartbeat, "h"),
    (Task::LowMemory, "m"),
    (Task::Stop, "stop"),
    (Task::Start, "start"),
    (Task::Upgrade, "upgrade"),
    (Task::Reinstall, "reinstall"),
    (Task::Uninstall, "uninstall"),
    (Task::Snapshot, "snapshot"),
    (Task::Load, "load"),
];

impl Task {
    /// Whether the canister's own code runs as a message, with a call context that may await.
    pub fn is_message(self) -> bool {
        matches!(self, Task::Timer | Task::Heartbeat | Task::LowMemory)
    }

    /// What it is called where it runs code; its word otherwise.
    pub fn title(self) -> &'static str {
        match self {
            Task::Timer => "global timer",
            Task::Heartbeat => "heartbeat",
            Task::LowMemory => "low-memory hook",
            _ => self.word(),
        }
    }

    /// Its word in the names of steps.
    pub fn word(self) -> &'static str {
        TASKS.iter().find(|(task, _)| *task == self).expect("bug in canloom: every task has a word").1
    }
}

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
mod tests {
    use super::parse::can_call;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_read_as_the_module_says() {
        for (text, kind) in [
            ("2", StepKind::Start),
            ("2s", StepKind::Submit),
            ("2p1", StepKind::PerformFails(1)),
            ("2.1", StepKind::Request),
            ("2.1r", StepKind::Response),
            ("2.1r.1", StepKind::Request),
            ("2.1j", StepKind::Reject(2)),
            ("2.1j3", StepKind::Reject(3)),
            ("2.1j5", StepKind::Reject(5)),
            ("2.1b", StepKind::BusinessError),
            ("2.1l", StepKind::Lie),
            ("2.1rt", StepKind::Trap),
            ("2.1rp12", StepKind::PerformFails(12)),
            ("2.1p3", StepKind::PerformFails(3)),
            ("2.1r.7x", StepKind::Expire),
            ("ledger.t1", StepKind::Start),
            ("a-b_c.h12", StepKind::Start),
            ("ledger.t2.1r", StepKind::Response),
            ("ledger.t2p1", StepKind::PerformFails(1)),
            ("gov.stop1", StepKind::Start),
            ("gov.upgrade3", StepKind::Start),
            ("@1", StepKind::Start),
            ("2{amt=30}", StepKind::Start),
            ("2{amt=30,to=\"a.b c\"}s", StepKind::Submit),
            ("2{amt=3.5}p1", StepKind::PerformFails(1)),
        ] {
            let step: Step = text.parse().unwrap();
            assert_eq!(step.kind, kind, "{text}");
            assert_eq!(step.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "",
            "x",
            "-1",
            "01",
            "1.",
            "1.0",
            "1.1q",
            "1.1j2",
            "1.1x.2",
            "1..2",
            "9999999999",
            "1.1rr",
            "1.+1",
            "@",
            "@0",
            "@1.1",
            "@1s",
            "a.t",
            "a.t0",
            "a.q1",
            "a.t1s",
            "a.stop1p1",
            "1.1s",
            "1.1t",
            "1x",
            "1p0",
            "1.1rb",
            "a.t1.1s",
            "2{amt=30}.1",
            "2{amt=30}.1r",
            "2.1{amt=30}",
            "2{amt=30",
            "2{}",
            "a.t1{amt=30}",
            "@1{amt=30}",
            "{amt=30}",
        ] {
            assert!(text.parse::<Step>().is_err(), "{text}");
        }
    }

    fn arbitrary_root() -> impl Strategy<Value = Root> {
        let task = ("[a-z_][a-z0-9_-]{0,8}", 0..TASKS.len(), 1u32..99);
        prop_oneof![
            (0u32..1000).prop_map(Root::Call),
            (1u32..9).prop_map(Root::Time),
            task.prop_map(|(canister, task, n)| Root::Task {
                canister: canister.as_str().into(),
                task: TASKS[task].0,
                n
            }),
        ]
    }

    proptest! {
        #[test]
        fn every_step_survives_its_text(
            root in arbitrary_root(),
            path in prop::collection::vec((1u32..50, any::<bool>()), 0..12),
            mark in 0u8..10,
            values in prop::collection::btree_map("[a-z]{1,3}", "[a-z0-9. {}\"]{0,4}", 0..3),
        ) {
            let mut name = Path::root();
            for (n, callback) in path {
                name = name.request(n);
                if callback { name = name.response(); }
            }
            if matches!(root, Root::Time(_)) { name = Path::root(); }
            let kind = match (name.depth(), name.is_response(), mark) {
                (_, _, 9) if can_call(&root) => StepKind::PerformFails(7),
                (0, _, 8) if root.call().is_some() => StepKind::Submit,
                (0, _, _) => StepKind::Start,
                (_, true, 7) => StepKind::Trap,
                (_, true, _) => StepKind::Response,
                (_, _, 0) => StepKind::Request,
                (_, _, 1) => StepKind::Expire,
                (_, _, 2) => StepKind::BusinessError,
                (_, _, 3) => StepKind::Lie,
                (_, _, code) => StepKind::Reject(if code == 4 { 5 } else { code % 3 + 1 }),
            };
            let begins = name.depth() == 0 && root.call().is_some();
            let values = if begins { Values::new(values.into_iter().collect()) } else { Values::default() };
            let step = Step { root, path: name, kind, values };
            prop_assert_eq!(step.to_string().parse::<Step>().unwrap(), step);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,40}") {
            let _ = text.parse::<Step>();
        }
    }
}
