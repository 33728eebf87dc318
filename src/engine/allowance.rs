//! What a run may take of the machine: memory, instructions of one message, and time until it is interrupted.
//!
//! In: what is about to be taken. Out: whether it may be. Modules are hostile: whatever grows with what they do asks here
//! before it grows. Time is not limited here; an execution ends by its instructions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::interrupt::Interrupt;

/// Between two looks at the memory of the process, at most this much is promised; a sixteenth of the limit if that is
/// less.
const STEP: u64 = 16 << 20;
/// Bytes in a page of the operating system, in which `/proc/self/statm` counts.
const SYSTEM_PAGE: u64 = 4096;

/// What a run may take. The default is what the IC allows for instructions, and none for memory.
#[derive(Clone, Debug, Default)]
pub struct Allowance {
    /// Memory of the whole process.
    pub ceiling: Ceiling,
    /// Instructions of one message where that is less than what the IC allows: for tests, in which an endless loop should
    /// end soon.
    pub instructions: Option<u64>,
    /// Time: until somebody wants the end.
    pub interrupt: Interrupt,
}

impl Allowance {
    /// The limit of instructions for a message that has this one on the IC.
    pub fn instructions(&self, of_the_ic: u64) -> u64 {
        self.instructions.map_or(of_the_ic, |most| most.min(of_the_ic))
    }
}

/// A limit on the memory of this process. Clones share it.
///
/// Where the system tells how much memory is resident (Linux), that is what counts: it includes what no counter of ours
/// sees, warm instances, the compiler, the allocator's waste. Elsewhere pages and worlds that are kept are counted.
#[derive(Clone, Debug)]
pub struct Ceiling(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit: u64,
    /// Promised since the last look.
    pending: AtomicU64,
    /// Bytes of pages kept, and of worlds.
    pages: AtomicU64,
    worlds: AtomicU64,
    exceeded: AtomicBool,
}

impl Default for Ceiling {
    fn default() -> Ceiling {
        Ceiling::new(u64::MAX)
    }
}

impl Ceiling {
    /// A limit in bytes.
    pub fn new(limit: u64) -> Ceiling {
        let (pending, pages, worlds) = Default::default();
        Ceiling(Arc::new(Shared { limit, pending, pages, worlds, exceeded: AtomicBool::new(false) }))
    }

    /// Half of this machine's memory, or of the container's; 4 GiB where the system does not tell.
    pub fn of_this_machine() -> Ceiling {
        let text = |file| std::fs::read_to_string(file).unwrap_or_default();
        let machine = text("/proc/meminfo");
        let total =
            machine.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse().ok());
        let container: Option<u64> = text("/sys/fs/cgroup/memory.max").trim().parse().ok();
        let half = total.map_or(4 << 30, |kib: u64| kib * 1024 / 2);
        Ceiling::new(container.map_or(half, |bytes| half.min(bytes / 2)))
    }

    /// Whether this many bytes more may be taken. What is small is promised without a look.
    pub fn allows(&self, more: u64) -> bool {
        let shared = &*self.0;
        if shared.limit == u64::MAX {
            return true;
        }
        let pending = shared.pending.fetch_add(more, Ordering::Relaxed).saturating_add(more);
        if pending < STEP.min(shared.limit / 16) {
            return true;
        }
        shared.pending.store(0, Ordering::Relaxed);
        self.held().saturating_add(more) <= shared.limit
    }

    /// Whether the limit is kept; looks each time.
    pub fn is_kept(&self) -> bool {
        self.0.limit == u64::MAX || self.held() <= self.0.limit
    }

    /// Share of the limit that is used; 0 without a limit.
    pub fn used(&self) -> f64 {
        if self.0.limit == u64::MAX { 0.0 } else { self.held() as f64 / self.0.limit.max(1) as f64 }
    }

    /// Counts bytes of a page that is kept from now on.
    pub fn keep_page(&self, bytes: u64) {
        self.0.pages.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Says how many bytes the worlds take.
    pub fn set_worlds(&self, bytes: u64) {
        self.0.worlds.store(bytes, Ordering::Relaxed);
    }

    /// Notes that something was refused; the text names what was too much and the limit.
    pub fn refuse(&self, what: &str) -> String {
        self.0.exceeded.store(true, Ordering::Relaxed);
        let limit = size(self.0.limit);
        format!(
            "{what} would exceed the limit of {limit} for the memory of canloom (--max-memory), together with what it has \
             already; give more"
        )
    }

    /// Whether something was refused.
    pub fn is_exceeded(&self) -> bool {
        self.0.exceeded.load(Ordering::Relaxed)
    }

    /// The limit as text.
    pub fn text(&self) -> String {
        size(self.0.limit)
    }

    fn held(&self) -> u64 {
        resident().unwrap_or_else(|| self.counted())
    }

    /// Bytes of pages and worlds that were counted: less than what is resident, and gone when their owners are.
    pub fn counted(&self) -> u64 {
        self.0.pages.load(Ordering::Relaxed) + self.0.worlds.load(Ordering::Relaxed)
    }
}

/// Bytes of this process that are in memory, if the system tells.
fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * SYSTEM_PAGE)
}

/// A number of bytes in the largest unit that leaves no fraction, or else in MiB.
pub fn size(bytes: u64) -> String {
    match bytes {
        _ if bytes >= 1 << 30 && bytes.is_multiple_of(1 << 30) => format!("{} GiB", bytes >> 30),
        _ if bytes >= 1 << 20 => format!("{} MiB", bytes >> 20),
        _ => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_amounts_are_promised_until_a_step_is_full_and_then_the_limit_decides() {
        let tiny = Ceiling::new(1600);
        assert!(tiny.allows(99));
        assert!(!tiny.allows(1), "the process itself is larger than 1600 bytes");
        assert!(!tiny.is_exceeded());
        let said = tiny.refuse("a heap of 2 MiB");
        let begin = "a heap of 2 MiB would exceed the limit of 1600 bytes for the memory of canloom (--max-memory), \
                     together with what it has already; give more";
        assert_eq!(said, begin);
        assert!(tiny.is_exceeded());
    }

    #[test]
    fn without_a_limit_everything_is_allowed() {
        let none = Ceiling::default();
        assert!(none.allows(u64::MAX) && none.allows(u64::MAX) && none.is_kept());
    }

    #[test]
    fn sizes_are_shown_in_the_unit_that_fits() {
        let shown = [1599, 1 << 20, 512 << 20, 4 << 30, (4 << 30) + 1].map(size);
        assert_eq!(shown, ["1599 bytes", "1 MiB", "512 MiB", "4 GiB", "4096 MiB"]);
    }
}
