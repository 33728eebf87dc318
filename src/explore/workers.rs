//! Threads that visit worlds: each with instances of its own, all with the same states and remembered executions.
//!
//! In: worlds of one rank, by number. Out: their visits, by position, so that the caller can add them in order and no
//! result depends on which thread took which world.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::graph::Graph;
use super::look::{Visit, Visitor, visit};
use crate::engine::allowance::Ceiling;
use crate::engine::embedded::Embedded;
use crate::engine::interrupt::Interrupt;
use crate::kernel::Unsupported;
use crate::kernel::world::Shape;

/// Stack of a thread: what the command line's own has, and more than an execution needs.
pub const STACK: usize = 32 << 20;
/// With fewer worlds for each thread than this, starting the threads takes longer than it saves.
const WORLDS_FOR_A_THREAD: usize = 16;
/// Worlds visited between two looks at the memory: a look takes some microseconds, as a visit does, and executions ask on
/// their own for what is large.
const VISITS_BETWEEN_LOOKS: usize = 16;

/// After this time no further world is taken: only between two chunks can a search be saved.
const SLICE: Duration = Duration::from_millis(250);

/// What comes of a world: `None` if it was not taken.
pub type Visited = Option<Result<Visit, Unsupported>>;

/// What comes of a chunk of worlds.
pub struct Visits {
    /// By position; the first ones were taken.
    pub by_position: Vec<Visited>,
    /// Whether the search cannot go on: the deadline, memory or an error. If not, the worlds that were not taken may be
    /// taken next.
    pub is_stopped: bool,
}

/// When to stop.
#[derive(Clone, Debug)]
pub struct Deadline {
    /// When the search began.
    pub began: Instant,
    /// How long it may last.
    pub time: Option<Duration>,
    /// Whether somebody wants the end.
    pub interrupt: Interrupt,
}

impl Deadline {
    /// From now on.
    pub fn of(engine: &Embedded, time: Option<Duration>) -> Deadline {
        Deadline { began: Instant::now(), time, interrupt: engine.allowance().interrupt.clone() }
    }

    /// Whether the time is over.
    pub fn is_over(&self) -> bool {
        self.interrupt.is_requested() || self.time.is_some_and(|time| self.began.elapsed() >= time)
    }
}

/// Visits these worlds with this engine and its forks. `tick` is called now and then, with the numbers of worlds
/// visited and of executions so far.
///
/// No world is taken after the deadline, when memory is full, after an error, or when the chunk has taken long enough. They
/// are taken in order, so the first error is the same whatever the number of threads.
pub fn visit_all(
    engine: &mut Embedded,
    forks: &mut [Embedded],
    graph: &Graph,
    worlds: &[u32],
    deadline: &Deadline,
    tick: &mut dyn FnMut(u64, u64),
) -> Visits {
    let shape = engine.start().shape();
    let job = Job {
        graph,
        worlds,
        shape,
        deadline,
        ceiling: engine.allowance().ceiling.clone(),
        began: Instant::now(),
        next: AtomicUsize::new(0),
        done: AtomicU64::new(0),
        stop: AtomicBool::new(false),
    };
    let threads = forks.len().min((worlds.len() / WORLDS_FOR_A_THREAD).saturating_sub(1));
    let mut taken = std::thread::scope(|scope| {
        let others: Vec<_> = forks[..threads]
            .iter_mut()
            .map(|fork| {
                let run = || job.work(fork, &mut |_, _| {});
                std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, run)
            })
            .collect();
        let mut taken = job.work(engine, tick);
        // A thread that cannot be had is one that does nothing.
        for other in others.into_iter().flatten() {
            taken.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        taken
    });
    taken.sort_by_key(|(position, _)| *position);
    let mut by_position: Vec<Visited> = worlds.iter().map(|_| None).collect();
    for (position, visit) in taken {
        by_position[position] = Some(visit);
    }
    Visits { by_position, is_stopped: job.stop.load(Ordering::Relaxed) }
}

struct Job<'a> {
    graph: &'a Graph,
    worlds: &'a [u32],
    shape: Shape,
    deadline: &'a Deadline,
    ceiling: Ceiling,
    began: Instant,
    next: AtomicUsize,
    done: AtomicU64,
    stop: AtomicBool,
}

impl Job<'_> {
    fn work(&self, engine: &mut Embedded, tick: &mut dyn FnMut(u64, u64)) -> Vec<(usize, Result<Visit, Unsupported>)> {
        let mut visits = Vec::new();
        let mut visitor = Visitor::default();
        while !self.stop.load(Ordering::Relaxed) {
            if self.deadline.is_over() || (visits.len() % VISITS_BETWEEN_LOOKS == 0 && !self.ceiling.is_kept()) {
                self.stop.store(true, Ordering::Relaxed);
                break;
            }
            if !visits.is_empty() && self.began.elapsed() >= SLICE {
                break;
            }
            let position = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(&at) = self.worlds.get(position) else { break };
            let world = self.graph.world(at, self.shape);
            let visited = visit(engine, &world, self.graph.rank(at).steps, &mut visitor);
            if visited.is_err() {
                self.stop.store(true, Ordering::Relaxed);
            }
            visits.push((position, visited));
            tick(self.done.fetch_add(1, Ordering::Relaxed) + 1, engine.kernel.counters().executions);
        }
        visits
    }
}
