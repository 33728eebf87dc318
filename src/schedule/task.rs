//! Tasks: what happens without a call.

use serde::{Deserialize, Serialize};

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
pub(super) const TASKS: [(Task, &str); 10] = [
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
