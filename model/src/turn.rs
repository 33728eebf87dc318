//! One execution, turn by turn.
//!
//! In: which call has the next turn; loom says so. Out: what is left for that call. A turn makes one step: the one that the
//! plan names, else the first delivery that the call can make. After each step that is new in this order, the observations are
//! read and every invariant is checked.
//!
//! Turns that other executions began with as well are not carried out at once: what is left after them is known. The
//! execution catches up when it does something new; then it must do what those others did, or the model is not deterministic.
//!
//! An order that the IC does not have, or that belongs to another plan, is *cut*: nothing happens in it any more, and it does
//! not count.

use std::collections::BTreeSet;
use std::sync::Arc;

use canloom::schedule::Step;

use crate::error::ModelError;
use crate::findings::Findings;
use crate::mutation::Mutation;
use crate::orders::{Orders, Place, Turn, digest};
use crate::plan::Plan;
use crate::setting::Setting;
use crate::tree::call_of;
use crate::world::{Effects, World};

/// Stack of what an execution does in one go, in bytes: as large as Candid wants it and much larger than handlers need.
const STACK: usize = 256 << 10;

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
    setting: Arc<Setting>,
    /// The system after the turns that were carried out, once there are any.
    world: Option<World>,
    /// Turns that each call has had in that world.
    turns: Vec<usize>,
    /// Where that world is.
    carried_out: Place,
    /// Turns since then: calls, and places after them.
    behind: Vec<(usize, Place)>,
    /// Where the execution is.
    place: Place,
    /// Calls that are not done.
    left: usize,
    is_cut: bool,
}

impl Execution {
    pub fn new(setting: Arc<Setting>, plan: Arc<Plan>) -> Execution {
        let (turns, left) = (vec![0; setting.calls.len()], plan.calls.len());
        let (carried_out, place) = (Place::default(), Place::default());
        Execution { plan, setting, world: None, turns, carried_out, behind: Vec::new(), place, left, is_cut: false }
    }

    /// The call has its turn.
    pub fn turn(&mut self, call: usize, shared: &mut Shared) -> Result<Next, ModelError> {
        if self.is_cut {
            return Ok(Next::Cut);
        }
        loop {
            let next = match shared.orders.known(self.place, call) {
                Some(place) => {
                    self.behind.push((call, place));
                    self.place = place;
                    shared.orders.turn(place).next
                }
                None => on_a_stack(|| {
                    self.catch_up(shared)?;
                    self.new_turn(call, shared)
                })?,
            };
            match next {
                Next::More if self.setting.mutation == Some(Mutation::LockAcrossAwaits) => continue,
                Next::More => {}
                Next::Done => {
                    self.left -= 1;
                    if self.left == 0 {
                        on_a_stack(|| self.catch_up(shared))?;
                        shared.interleavings += u64::from(shared.orders.end(self.place));
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

    /// A turn that no execution has made here.
    fn new_turn(&mut self, call: usize, shared: &mut Shared) -> Result<Next, ModelError> {
        let Some(step) = self.choose(call, shared) else { return Ok(Next::Cut) };
        let (effects, next) = self.make(&step, shared)?;
        let is_last = next == Next::Done && self.left == 1;
        let world = self.world();
        let observed = world.observe();
        let (is_complete, what) = (is_last && world.is_quiet(), shared.findings.in_words(&observed));
        shared.findings.check(world, &observed, is_complete);
        let what = format!("{what}{effects}");
        let (effects, observed) = (digest(&effects), digest(&observed));
        self.place = shared.orders.add(self.place, call, Turn { step, next, effects, observed, what, is_end: false });
        self.carried_out = self.place;
        Ok(next)
    }

    /// Carries out the turns that others have made before, and compares.
    fn catch_up(&mut self, shared: &mut Shared) -> Result<(), ModelError> {
        let behind = std::mem::take(&mut self.behind);
        for (at, &(call, place)) in behind.iter().enumerate() {
            let step = self.choose(call, shared);
            let known = shared.orders.turn(place);
            if step.as_ref() != Some(&known.step) {
                let second = step.map_or("cannot be made".to_string(), |step| format!("is step {step} instead"));
                return Err(self.contradiction(known, second));
            }
            let (effects, next) = self.make(&shared.orders.turn(place).step.clone(), shared)?;
            // Reading the observations costs more than the step, so they are read once.
            let is_last = at + 1 == behind.len();
            let observed = if is_last { self.world().observe() } else { Vec::new() };
            let known = shared.orders.turn(place);
            let is_same = !is_last || known.observed == digest(&observed);
            if known.effects != digest(&effects) || known.next != next || !is_same {
                let second = format!("{}{effects}", shared.findings.in_words(&self.world().observe()));
                return Err(self.contradiction(shared.orders.turn(place), second));
            }
            self.carried_out = place;
        }
        debug_assert_eq!(self.carried_out, self.place);
        Ok(())
    }

    fn contradiction(&mut self, known: &Turn, second: String) -> ModelError {
        let after = self.world().steps.iter().map(Step::to_string);
        let after = after.filter(|step| *step != known.step.to_string()).collect();
        ModelError::NotDeterministic { step: known.step.to_string(), after, first: known.what.clone(), second }
    }

    /// The step of this turn; none if the plan or the IC has no such turn.
    fn choose(&mut self, call: usize, shared: &mut Shared) -> Option<Step> {
        let possible = self.world().steps_of(call);
        let at = (call, self.turns[call]);
        let usual = if self.must_go_on(call) { possible.first() } else { None };
        let step = match self.plan.entries.get(&at) {
            Some(entry) => Some(entry).filter(|entry| possible.contains(entry) && Some(*entry) != usual),
            None => {
                let others = possible.iter().filter(|step| Some(*step) != usual);
                shared.others.extend(others.map(|step| (at, step.clone())));
                usual
            }
        };
        let step = step.cloned()?;
        self.world().is_legal(&step).then_some(step)
    }

    /// Makes a step; says what it did, and what is left for its call.
    fn make(&mut self, step: &Step, shared: &mut Shared) -> Result<(Effects, Next), ModelError> {
        let call = call_of(step) as usize;
        let depth = self.setting.scenario.bounds.depth;
        if step.path.depth() as u32 > depth {
            return Err(ModelError::TooDeep { step: step.to_string(), depth });
        }
        let effects = self.world().apply(step)?;
        self.turns[call] += 1;
        let at = (call, self.turns[call]);
        if self.must_go_on(call) || self.plan.entries.contains_key(&at) {
            return Ok((effects, Next::More));
        }
        shared.others.extend(self.world().steps_of(call).into_iter().map(|step| (at, step)));
        Ok((effects, Next::Done))
    }

    fn must_go_on(&mut self, call: usize) -> bool {
        let tree = &self.world().trees[call];
        !tree.is_started || tree.is_busy()
    }

    fn world(&mut self) -> &mut World {
        self.world.get_or_insert_with(|| World::boot(&self.setting))
    }
}

/// Runs something on a stack of its own, whose end Candid can find.
fn on_a_stack<R>(what: impl FnOnce() -> R) -> R {
    stacker::grow(STACK, what)
}
