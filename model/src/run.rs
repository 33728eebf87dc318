//! One plan under loom.
//!
//! 1. Every call is a thread of loom. Its turns are increments of one atomic that all calls share, and nothing else of loom
//!    is used: no locks, no joins, std's `Rc` and `Arc`. So for loom every two turns of different calls depend on each other, and it
//!    enumerates their orders all, whichever canisters they touch; an atomic per canister would hide the cuts across canisters.
//! 2. Between two increments a thread of loom runs undisturbed: that is the critical section of the delivery.
//! 3. Before its first turn a thread does nothing, but loom would explore where it *begins* as well as where it has its
//!    first turn: 539 executions for 90 orders. Exploration is suspended in between, and 90 are left.
//! 4. An execution that is cut explores nothing from there on. Threads that have not begun still take a turn, in which
//!    nothing happens, so that loom knows that they could have had it earlier.
//!
//! Waiting with `yield_now` instead of a turn would be wrong: loom then runs the others first, and misses the orders in
//! which nobody comes between.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use loom::sync::atomic::{AtomicUsize, Ordering};

use crate::error::ModelError;
use crate::plan::Plan;
use crate::setting::Setting;
use crate::turn::{Execution, Next, Shared};
use crate::world::text_of;

/// Most calls at once: loom's threads without the main one.
pub const CALLS_MAX: usize = loom::MAX_THREADS - 1;

/// Most turns of one execution; loom needs to know it in advance.
const TURNS_MAX: usize = 2_000;

/// What the closure that loom repeats may touch.
pub(crate) struct Session {
    pub shared: Shared,
    /// Executions of loom, cut ones included.
    pub executions: u64,
    pub executions_max: u64,
    error: Option<ModelError>,
}

impl Session {
    pub fn new(shared: Shared, executions_max: u64) -> Session {
        Session { shared, executions: 0, executions_max, error: None }
    }
}

/// Ends all executions; [`Session::error`] says why.
struct Abort;

/// Makes every execution of a plan.
pub(crate) fn run(setting: &Arc<Setting>, plan: &Arc<Plan>, session: &Arc<Mutex<Session>>) -> Result<(), ModelError> {
    let mut builder = loom::model::Builder::new();
    builder.max_threads = loom::MAX_THREADS;
    builder.max_branches = 3 * TURNS_MAX;
    builder.max_permutations = None;
    builder.max_duration = None;
    builder.preemption_bound = None;
    builder.checkpoint_file = None;
    builder.location = false;
    builder.log = false;
    let execution = {
        let (setting, plan, session) = (setting.clone(), plan.clone(), session.clone());
        move || execute(&setting, &plan, &session)
    };
    let ended = catch_unwind(AssertUnwindSafe(|| builder.check(execution)));
    let error = lock(session).error.take();
    match (ended, error) {
        (_, Some(error)) => Err(error),
        (Ok(()), None) => Ok(()),
        (Err(panic), None) => Err(ModelError::Loom { text: text_of(panic.as_ref()), branches: TURNS_MAX }),
    }
}

/// One execution: the body of the model.
fn execute(setting: &Arc<Setting>, plan: &Arc<Plan>, session: &Arc<Mutex<Session>>) {
    {
        let mut state = lock(session);
        state.executions += 1;
        let most = state.executions_max;
        if state.executions > most {
            drop(state);
            abort(session, ModelError::TooManyExecutions { most });
        }
    }
    let execution = Rc::new(RefCell::new(Execution::new(setting.clone(), plan.clone())));
    let turns = Arc::new(AtomicUsize::new(0));
    for &call in &plan.calls {
        let (turns, execution, session) = (turns.clone(), execution.clone(), session.clone());
        loom::thread::spawn(move || {
            take_turns(&turns, || {
                let turn = execution.borrow_mut().turn(call, &mut lock(&session).shared);
                turn.unwrap_or_else(|error| abort(&session, error))
            });
        });
    }
}

/// The turns of one call.
fn take_turns(turns: &AtomicUsize, turn: impl Fn() -> Next) {
    let mut is_first = true;
    loop {
        if is_first {
            loom::stop_exploring();
        }
        // The one operation of a delivery.
        turns.fetch_add(1, Ordering::SeqCst);
        let next = turn();
        if next == Next::Cut {
            loom::skip_branch();
            return;
        }
        if is_first {
            loom::explore();
        }
        if next == Next::Done {
            return;
        }
        is_first = false;
    }
}

/// Leaves loom. Its threads are stacks on this very thread, so unwinding ends them all.
fn abort(session: &Mutex<Session>, error: ModelError) -> ! {
    lock(session).error = Some(error);
    resume_unwind(Box::new(Abort))
}

pub(crate) fn lock(session: &Mutex<Session>) -> MutexGuard<'_, Session> {
    session.lock().unwrap_or_else(PoisonError::into_inner)
}
