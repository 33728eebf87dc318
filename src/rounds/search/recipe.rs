//! What a driver needs to bring about what happens in a schedule.
//!
//! In: a schedule. Out: a [`Recipe`]: the calls, time steps, administration and faults that it has; and what of that may be
//! done next.

use crate::engine::embedded::Embedded;
use crate::kernel::{Choice, Kernel, MANAGEMENT, Target, Unsupported, World};
use crate::rounds::{Aim, Rounds};
use crate::scenario::Code;
use crate::schedule::{Root, Schedule, Step, StepKind};
use crate::script::Op;

/// Seconds after which every bounded wait has ended: the longest, and two for deadlines in whole seconds.
const EXPIRY_S: u64 = 302;

/// What there is to do; each of it once.
#[derive(Clone, Debug, Default)]
pub(super) struct Recipe {
    /// Calls, with their values.
    starts: Vec<Step>,
    /// Entries of `[[time]]`, in order.
    times: Vec<u32>,
    /// Times that all bounded waits end.
    advances: u8,
    /// What administrators do, in order.
    changes: Vec<Step>,
    /// Canisters that have too few cycles for a while.
    freezes: Vec<String>,
    /// Requests that are answered with an error or a lie of the scenario.
    scripted: Vec<Step>,
    /// Faults that strike in place of the delivery of their message.
    pub faults: Vec<Step>,
    /// Canisters with a module that the driver has to play.
    pub stand_ins: Vec<String>,
}

/// What of it was done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Left {
    /// Bit i for call i of the recipe.
    started: u64,
    times: usize,
    advances: u8,
    changes: usize,
    frozen: u64,
    thawed: u64,
}

impl Recipe {
    /// The recipe of a schedule, or why there is none.
    pub fn of(engine: &mut Embedded, schedule: &Schedule, aim: Aim) -> Result<Result<Recipe, String>, Unsupported> {
        let mut recipe = Recipe::default();
        let mut world = engine.start().clone();
        for step in &schedule.steps {
            let choice = match engine.kernel.find(&world, step) {
                Ok(choice) => choice,
                Err(refusal) => return Ok(Err(format!("the schedule does not replay: {refusal}"))),
            };
            let added = match aim {
                Aim::Label => recipe.add_for_label(engine, &world, step, &choice),
                Aim::PocketIc | Aim::Test => recipe.add_for_replica(engine, &world, step, &choice, aim),
            };
            if let Err(reason) = added {
                return Ok(Err(reason));
            }
            world = engine.kernel.apply(&world, &choice)?.0;
        }
        Ok(Ok(recipe))
    }

    /// What needs no fault, or the same for every aim.
    fn add(&mut self, step: &Step, choice: &Choice) {
        let begins = step.path.depth() == 0;
        match (&step.root, step.kind) {
            (Root::Time(entry), _) => self.times.push(*entry),
            (Root::Task { task, .. }, _) if begins && !task.is_message() => self.changes.push(step.clone()),
            (Root::Call(_), _) if begins && self.starts.iter().all(|start| start.root != step.root) => {
                let kind = if step.kind == StepKind::Submit { StepKind::Submit } else { StepKind::Start };
                self.starts.push(Step { kind, ..step.clone() });
            }
            (_, StepKind::Expire) if choice.fault.is_some() => self.advances += 1,
            _ => {}
        }
    }

    fn add_for_label(&mut self, engine: &Embedded, world: &World, step: &Step, choice: &Choice) -> Result<(), String> {
        self.add(step, choice);
        match step.kind {
            StepKind::BusinessError | StepKind::Lie if callee(&engine.kernel, world, choice) == Some(MANAGEMENT) => {
                self.scripted.push(step.clone());
            }
            StepKind::BusinessError | StepKind::Lie => self.faults.push(step.clone()),
            StepKind::Reject(_) | StepKind::Trap | StepKind::PerformFails(_) => self.faults.push(step.clone()),
            _ => {}
        }
        Ok(())
    }

    fn add_for_replica(
        &mut self,
        engine: &Embedded,
        world: &World,
        step: &Step,
        choice: &Choice,
        aim: Aim,
    ) -> Result<(), String> {
        self.add(step, choice);
        let callee = callee(&engine.kernel, world, choice);
        let of_callee = callee.and_then(|callee| engine.scenario.canisters.get(usize::from(callee)));
        match (step.kind, of_callee) {
            (StepKind::Trap, _) => {
                return Err(format!("{step}: a driver cannot make a callback trap that does not trap by itself"));
            }
            (StepKind::PerformFails(_), _) => {
                return Err(format!("{step}: a driver cannot keep one chosen call of a canister from being performed"));
            }
            (StepKind::Reject(2), Some(callee)) if self.freezes.contains(&callee.name) => {}
            (StepKind::Reject(2), Some(callee)) => self.freezes.push(callee.name.clone()),
            (StepKind::Reject(2), None) => {
                return Err(format!("{step}: the management canister cannot be made to reject a request unseen"));
            }
            (StepKind::Reject(code), _) => {
                return Err(format!(
                    "{step}: a driver makes a callee reject by leaving it too few cycles, and that is code 2, not {code}"
                ));
            }
            (StepKind::BusinessError | StepKind::Lie, Some(callee)) if aim == Aim::Test => {
                if matches!(callee.code, Code::Wasm(_)) {
                    return Err(format!(
                        "{step}: {} is asked to answer what the scenario says, and a test that stands alone runs its own module",
                        callee.name
                    ));
                }
                self.faults.push(step.clone());
            }
            (StepKind::BusinessError | StepKind::Lie, of_callee) => {
                self.scripted.push(step.clone());
                if let Some(callee) = of_callee
                    && matches!(callee.code, Code::Wasm(_))
                    && !self.stand_ins.contains(&callee.name)
                {
                    self.stand_ins.push(callee.name.clone());
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// What may be done next, with what was done then.
    pub fn offers(&self, left: &Left, rounds: &Rounds, kernel: &Kernel, has_load: bool) -> Vec<(Op, Left)> {
        let mut offers = Vec::new();
        for (at, start) in self.starts.iter().enumerate() {
            if left.started & (1 << at) == 0 {
                offers.push((Op::Submit(start.clone()), Left { started: left.started | 1 << at, ..left.clone() }));
            }
        }
        offers.push((Op::Tick { loaded: false }, left.clone()));
        if has_load {
            offers.push((Op::Tick { loaded: true }, left.clone()));
        }
        for request in rounds.to_serve(kernel) {
            let is_same = |scripted: &&Step| scripted.root == request.root && scripted.path == request.path;
            let step = self.scripted.iter().find(is_same).unwrap_or(&request);
            offers.push((Op::Serve(step.clone()), left.clone()));
        }
        offers.extend(rounds.to_answer(kernel).into_iter().map(|request| (Op::Answer(request), left.clone())));
        if let Some(change) = self.changes.get(left.changes) {
            offers.push((Op::Change(change.clone()), Left { changes: left.changes + 1, ..left.clone() }));
        }
        if let Some(entry) = self.times.get(left.times) {
            offers.push((Op::Time(*entry), Left { times: left.times + 1, ..left.clone() }));
        }
        if left.advances < self.advances {
            offers.push((Op::Advance(EXPIRY_S), Left { advances: left.advances + 1, ..left.clone() }));
        }
        for (at, name) in self.freezes.iter().enumerate() {
            let bit = 1 << at;
            if left.frozen & bit == 0 {
                offers.push((Op::Freeze(name.clone()), Left { frozen: left.frozen | bit, ..left.clone() }));
            } else if left.thawed & bit == 0 {
                offers.push((Op::Thaw(name.clone()), Left { thawed: left.thawed | bit, ..left.clone() }));
            }
        }
        offers
    }
}

/// Whom the request of a step is for, if the step is about one.
fn callee(kernel: &Kernel, world: &World, choice: &Choice) -> Option<u16> {
    match choice.target {
        Target::Request { tree, request } => {
            Some(kernel.tree(world.trees[tree as usize]).requests[request as usize].callee)
        }
        Target::Root(_) | Target::Clock(_) | Target::Canister { .. } => None,
    }
}
