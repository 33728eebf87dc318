//! One execution, turn by turn.
//!
//! In: which call has the next turn; loom says so. Out: what is left for that call. A turn makes one step: the one that the
//! plan names, else the first delivery that the call can make. After each step the observations are read and, if this order
//! is new, every invariant is checked.
//!
//! An order that the IC does not have, or that belongs to another plan, is *cut*: nothing happens in it any more, and it does
//! not count.

use std::collections::BTreeSet;
use std::sync::Arc;

use canloom::schedule::Step;

use crate::error::ModelError;
use crate::findings::Findings;
use crate::mutation::Mutation;
use crate::orders::{Orders, Place};
use crate::plan::Plan;
use crate::setting::Setting;
use crate::world::World;

/// What is left for a call after its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Next {
    /// At least one more turn.
    More,
    /// Nothing.
    Done,
    /// The execution is cut.
    Cut,
}

/// What the executions of a plan have in common.
pub(crate) struct Shared {
    pub findings: Findings,
    pub orders: Orders,
    /// Steps that could have been made in a turn instead.
    pub others: BTreeSet<((usize, usize), Step)>,
    /// Complete orders, each counted once.
    pub interleavings: u64,
    /// Executions that were cut.
    pub cut: u64,
}

/// One execution.
pub(crate) struct Execution {
    plan: Arc<Plan>,
    world: World,
    /// Turns that each call has had.
    turns: Vec<usize>,
    /// Calls that are not done.
    left: usize,
    is_cut: bool,
    place: Place,
}

impl Execution {
    pub fn new(setting: &Arc<Setting>, plan: &Arc<Plan>, shared: &mut Shared) -> Execution {
        let world = World::boot(setting);
        let (turns, left) = (vec![0; setting.calls.len()], plan.calls.len());
        Execution { plan: plan.clone(), world, turns, left, is_cut: false, place: shared.orders.root() }
    }

    /// The call has its turn.
    pub fn turn(&mut self, call: usize, shared: &mut Shared) -> Result<Next, ModelError> {
        if self.is_cut {
            return Ok(Next::Cut);
        }
        loop {
            let next = match self.choose(call, shared) {
                Some(step) => self.make(call, &step, shared)?,
                None => Next::Cut,
            };
            match next {
                Next::More if self.world.setting.mutation == Some(Mutation::LockAcrossAwaits) => continue,
                Next::More => {}
                Next::Done => {
                    if self.left == 0 && shared.orders.end(self.place) {
                        shared.interleavings += 1;
                    }
                }
                Next::Cut => {
                    self.is_cut = true;
                    shared.cut += 1;
                }
            }
            return Ok(next);
        }
    }

    /// The step of this turn; none if the plan or the IC has no such turn.
    fn choose(&self, call: usize, shared: &mut Shared) -> Option<Step> {
        let possible = self.world.steps_of(call);
        let at = (call, self.turns[call]);
        let usual = self.must_go_on(call).then(|| possible.first()).flatten();
        let step = match self.plan.entries.get(&at) {
            Some(entry) => Some(entry).filter(|entry| possible.contains(entry) && Some(*entry) != usual),
            None => {
                self.note_others(at, &possible, usual, shared);
                usual
            }
        };
        step.filter(|step| self.world.is_legal(step)).cloned()
    }

    fn must_go_on(&self, call: usize) -> bool {
        !self.world.trees[call].is_started || self.world.trees[call].is_busy()
    }

    fn note_others(&self, at: (usize, usize), possible: &[Step], usual: Option<&Step>, shared: &mut Shared) {
        let others = possible.iter().filter(|step| Some(*step) != usual);
        shared.others.extend(others.map(|step| (at, step.clone())));
    }

    fn make(&mut self, call: usize, step: &Step, shared: &mut Shared) -> Result<Next, ModelError> {
        let depth = self.world.setting.scenario.bounds.depth;
        if step.path.depth() as u32 > depth {
            return Err(ModelError::TooDeep { step: step.to_string(), depth });
        }
        let effects = self.world.apply(step)?;
        self.turns[call] += 1;
        let at = (call, self.turns[call]);
        let next = if self.must_go_on(call) || self.plan.entries.contains_key(&at) {
            Next::More
        } else {
            self.note_others(at, &self.world.steps_of(call), None, shared);
            self.left -= 1;
            Next::Done
        };
        let observed = self.world.observe();
        let did = (step, &effects, &observed, next);
        let words = |findings: &mut Findings| format!("`{}`, {effects}", findings.in_words(&observed));
        let went = shared.orders.go(self.place, step.call, &did, || words(&mut shared.findings));
        let (place, is_new) = went.map_err(|contradiction| ModelError::NotDeterministic {
            step: step.to_string(),
            after: self.world.steps.iter().rev().skip(1).rev().map(Step::to_string).collect(),
            first: contradiction.first,
            second: words(&mut shared.findings),
        })?;
        self.place = place;
        if is_new {
            let is_complete = self.left == 0 && self.world.is_quiet();
            shared.findings.check(&self.world, &observed, is_complete);
        }
        Ok(next)
    }
}
