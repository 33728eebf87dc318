//! Drives a replica and follows it: each thing that a script does is done there, and what is seen afterwards must be possible.
//!
//! In: a scenario on a [`Stage`], and operations one by one. Out: what was seen after each round, and the worlds that the
//! replica may be in ([`Follower`]). Left out: which operations, and what is concluded.

mod change;
mod serve;

use std::collections::{BTreeMap, BTreeSet};

use serve::Bound;

use super::stage::{Source, Stage, StageError};
use super::{Rejected, ReplicaError, Server};
use crate::engine::embedded::Embedded;
use crate::follow::{Follower, Lost, Seen};
use crate::kernel::world::NOT_STARTED;
use crate::kernel::{self, MANAGEMENT, Target, Unsupported, World};
use crate::scenario::{FaultKind, FaultPlace};
use crate::schedule::{Path, Root, Step, StepKind};
use crate::script::{Op, Script};

/// Nanoseconds in a second.
const SECOND_NS: u64 = 1_000_000_000;
/// Most changes of canisters that are offered, beside those that go on with one.
const CHANGES_MAX: usize = 2;
/// Error codes of a replica for canisters that are stopped, or are being stopped.
const STOPPED: [u32; 2] = [508, 509];

/// Why a script cannot be played any further.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The replica, or what stands on it.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// What it did does not fit, or cannot be followed.
    #[error(transparent)]
    Lost(#[from] Lost),
}

impl From<ReplicaError> for DriveError {
    fn from(error: ReplicaError) -> DriveError {
        DriveError::Stage(StageError::Replica(error))
    }
}

impl From<Unsupported> for DriveError {
    fn from(error: Unsupported) -> DriveError {
        DriveError::Lost(Lost::Unsupported(error))
    }
}

/// A replica with a scenario, driven and followed.
pub struct Driver {
    /// The scenario in the embedded engine, with the replica's ids.
    pub engine: Embedded,
    /// The worlds that the replica may be in.
    pub follower: Follower,
    stage: Stage,
    /// What was done.
    pub script: Script,
    /// What was seen before the first operation, and after each round, with the number of operations before.
    pub seen: Vec<(usize, Seen)>,
    sent: BTreeSet<u32>,
    /// By the key that the follower knows.
    served: Vec<Bound>,
    /// By canister: the snapshot that was taken.
    snapshots: BTreeMap<usize, Vec<u8>>,
}

impl Driver {
    /// Installs a scenario where the script says, and looks at it.
    ///
    /// # Errors
    /// If it cannot be installed, or the replica shows something else than the embedded engine.
    pub fn new(server: &Server, source: &mut Source, places: &Script, is_loaded: bool) -> Result<Driver, DriveError> {
        let (stage, engine) = Stage::set(server, source, places, is_loaded)?;
        Driver::on(stage, engine, places)
    }

    /// Looks at a stage on which nothing was done yet, or that went back.
    ///
    /// # Errors
    /// If the replica shows something else than the embedded engine.
    pub fn on(stage: Stage, mut engine: Embedded, places: &Script) -> Result<Driver, DriveError> {
        let follower = Follower::new(&mut engine, stage.played());
        let script = Script { ops: Vec::new(), ..places.clone() };
        let mut driver = Driver {
            engine,
            follower,
            stage,
            script,
            seen: Vec::new(),
            sent: BTreeSet::new(),
            served: Vec::new(),
            snapshots: BTreeMap::new(),
        };
        let seen = driver.see()?;
        driver.follower.look(&mut driver.engine, &seen)?;
        driver.seen.push((0, seen));
        Ok(driver)
    }

    /// The stage, taken back to its beginning; `None` if that is not possible.
    ///
    /// # Errors
    /// If client or server fails.
    pub fn go_back(mut self) -> Result<Option<Stage>, DriveError> {
        let is_over = |world: &World| {
            let trees = world.trees.iter().filter(|tree| **tree != NOT_STARTED);
            trees
                .map(|tree| self.engine.kernel.tree(*tree))
                .all(|tree| tree.contexts.is_empty() && tree.requests.is_empty())
        };
        let has_changed = self.script.ops.iter().any(|op| matches!(op, Op::Change(_)));
        if has_changed || !self.stage.frozen().is_empty() || !self.is_quiet() || !self.follower.worlds().all(is_over) {
            return Ok(None);
        }
        Ok(self.stage.go_back()?.then_some(self.stage))
    }

    /// Does one thing.
    ///
    /// # Errors
    /// If it is not possible here, or the replica then shows what cannot be.
    pub fn play(&mut self, op: &Op) -> Result<(), DriveError> {
        match op {
            Op::Submit(step) => self.submit(step)?,
            Op::Tick { loaded } => {
                self.script.ops.push(op.clone());
                return self.round(*loaded);
            }
            Op::Time(entry) => {
                self.check_clock(op)?;
                let time = (*entry as usize).checked_sub(1).and_then(|at| self.engine.scenario.times.get(at));
                let advance_ns =
                    time.map(|time| time.advance_ns).ok_or_else(|| misplaced(op, "there is no such time"))?;
                self.follower.make(&mut self.engine, &Step::new(Root::Time(*entry), Path::root(), StepKind::Start))?;
                self.advance(advance_ns)?;
            }
            Op::Advance(seconds) => {
                self.check_clock(op)?;
                self.advance(seconds.saturating_mul(SECOND_NS))?;
            }
            Op::Change(step) => {
                self.change(op, step)?;
                self.script.ops.push(op.clone());
                return self.round(false);
            }
            Op::Freeze(name) => self.freeze(op, name, true)?,
            Op::Thaw(name) => self.freeze(op, name, false)?,
            Op::Serve(step) => self.serve(op, step)?,
            Op::Answer(step) => self.answer(op, step)?,
        }
        self.script.ops.push(op.clone());
        Ok(())
    }

    /// What could be done next, besides letting a round pass.
    ///
    /// # Errors
    /// If the engine cannot tell, or client or server fails.
    pub fn offers(&mut self) -> Result<Vec<Op>, DriveError> {
        let world = self.follower.world().clone();
        let mut choices = Vec::new();
        self.engine.kernel.choices(&world, &mut choices)?;
        let mut offers = Vec::new();
        let limits = self.engine.kernel.limits();
        let calls = self.engine.kernel.calls().len();
        let answers = world.trees[..calls].iter().filter(|tree| self.engine.kernel.answer(**tree).is_some()).count();
        let is_room =
            (self.sent.len() as u32) < limits.calls && ((self.sent.len() - answers) as u32) < limits.in_flight;
        let changes = self.script.ops.iter().filter(|op| matches!(op, Op::Change(_))).count();
        for choice in &choices {
            match (choice.target, choice.kind) {
                (Target::Root(tree), StepKind::Start | StepKind::Submit)
                    if (tree as usize) < calls && is_room && !self.sent.contains(&tree) =>
                {
                    offers.push(Op::Submit(self.engine.kernel.name(&world, choice)));
                }
                (Target::Clock(entry), _) => offers.push(Op::Time(entry + 1)),
                (Target::Canister { .. }, _) if choice.fault.is_none() || changes < CHANGES_MAX => {
                    offers.push(Op::Change(self.engine.kernel.name(&world, choice)));
                }
                _ => {}
            }
        }
        offers.extend(self.faults());
        for waiting in self.follower.waiting(&mut self.engine)? {
            let is_there = match waiting.callee {
                MANAGEMENT => self.outcall(&waiting)?.is_some(),
                _ => self.held(&waiting)?.is_some(),
            };
            if is_there {
                offers.push(Op::Serve(waiting.step));
            }
        }
        for (key, bound) in self.served.iter().enumerate() {
            if !bound.is_answered && self.follower.response(&self.engine, key as u32).is_some() {
                let (root, path) = bound.name.clone();
                offers.push(Op::Answer(Step::new(root, path, StepKind::Request)));
            }
        }
        Ok(offers)
    }

    /// Whether nothing is left to happen.
    pub fn is_quiet(&self) -> bool {
        self.follower.is_quiet(&self.engine)
    }

    /// Invariants that are violated now, whatever world the replica is in, with what is said of them. None is looked at while a
    /// canister cannot be asked.
    ///
    /// # Errors
    /// If the engine cannot tell.
    pub fn violated(&mut self) -> Result<Vec<(usize, Option<String>)>, DriveError> {
        if !self.stage.frozen().is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.follower.violated(&mut self.engine)?)
    }

    /// What brings about faults of the scenario: rejects. Deadlines that pass are no faults to an invariant that asks for them, so
    /// time passes only as the scenario says.
    fn faults(&self) -> Vec<Op> {
        let scenario = &self.engine.scenario;
        let mut offers = Vec::new();
        for fault in &scenario.faults {
            let FaultPlace::Edge { callee: Some(callee), .. } = &fault.place else { continue };
            for kind in &fault.kinds {
                let op = match kind {
                    FaultKind::Reject { code: 2 } if self.stage.frozen().contains(callee) => {
                        Op::Thaw(scenario.canisters[*callee].name.clone())
                    }
                    FaultKind::Reject { code: 2 } => Op::Freeze(scenario.canisters[*callee].name.clone()),
                    _ => continue,
                };
                if !offers.contains(&op) {
                    offers.push(op);
                }
            }
        }
        offers
    }

    /// Lets all canisters execute messages again, from the next round on; whether there was one that could not.
    ///
    /// # Errors
    /// If client or server fails.
    pub fn thaw(&mut self) -> Result<bool, DriveError> {
        let frozen = self.stage.frozen().clone();
        for &canister in &frozen {
            self.play(&Op::Thaw(self.engine.scenario.canisters[canister].name.clone()))?;
        }
        Ok(!frozen.is_empty())
    }

    /// How the calls have ended that the replica shows, and what it shows of the rest.
    fn see(&mut self) -> Result<Seen, DriveError> {
        let time_ns = self.stage.replica.time()?;
        let played = self.stage.played();
        let mut observations = Vec::new();
        for at in 0..self.engine.scenario.observations.len() {
            let (canister, method, arg) = self.engine.question(at);
            let canister = usize::from(canister);
            if played[canister] || self.stage.frozen().contains(&canister) {
                observations.push(None);
                continue;
            }
            let nobody = candid::Principal::anonymous();
            let answer = self.stage.replica.query(self.stage.id(canister), nobody, method, arg)?;
            // A replica does not ask a canister that is stopped, and the embedded engine does if it will be started again.
            let is_stopped = answer.as_ref().is_err_and(|reject| STOPPED.contains(&reject.error_code));
            observations.push((!is_stopped).then(|| self.engine.shown(at, &response(&answer))));
        }
        let mut replies = vec![None; self.engine.kernel.calls().len()];
        for (&call, end) in self.stage.ended()? {
            replies[call as usize] = Some(self.engine.answer(&response(end)));
        }
        Ok(Seen { time_ns, observations, replies })
    }

    fn round(&mut self, is_loaded: bool) -> Result<(), DriveError> {
        self.stage.tick(is_loaded)?;
        let seen = self.see()?;
        let ops = self.script.ops.len();
        self.seen.push((ops, seen));
        self.follower.round(&mut self.engine, &self.seen[self.seen.len() - 1].1, is_loaded)?;
        Ok(())
    }

    fn submit(&mut self, step: &Step) -> Result<(), DriveError> {
        let choice = self.follower.worlds().find_map(|world| self.engine.kernel.find(world, step).ok());
        let call = step.root.call().zip(choice);
        let Some((call, choice)) = call.filter(|(call, _)| !self.sent.contains(call)) else {
            return Err(misplaced(&Op::Submit(step.clone()), "this call cannot begin here"));
        };
        let spec = self.engine.kernel.calls()[call as usize].clone();
        let chosen = choice.message.and_then(|message| self.engine.kernel.call_text(message));
        let arg = chosen.map_or(spec.arg.as_slice(), |(_, arg)| arg).to_vec();
        let is_accepted = self.stage.submit(call, usize::from(spec.canister), spec.caller, &spec.method, &arg)?;
        self.sent.insert(call);
        if step.kind == StepKind::Submit || !is_accepted {
            self.follower.make(&mut self.engine, step)?;
        }
        if is_accepted {
            // After inspection it starts without the values that it has.
            let is_inspected = step.kind == StepKind::Submit;
            let start = Step::new(step.root.clone(), Path::root(), StepKind::Start);
            self.follower.send(if is_inspected { start } else { step.clone() });
        }
        Ok(())
    }

    /// What is sent must have begun before the clock moves, and an HTTP outcall must be answered: both expire, and the embedded
    /// engine knows neither.
    fn check_clock(&mut self, op: &Op) -> Result<(), DriveError> {
        if self.follower.has_sent() || self.stage.is_administered() {
            return Err(misplaced(op, "what was sent has not begun: let a round pass"));
        }
        if self.follower.waiting(&mut self.engine)?.iter().any(|waiting| waiting.callee == MANAGEMENT) {
            return Err(misplaced(op, "an HTTP outcall would time out: serve it first"));
        }
        Ok(())
    }

    fn advance(&mut self, by_ns: u64) -> Result<(), DriveError> {
        let now = self.stage.replica.time()?;
        Ok(self.stage.replica.set_time(now.saturating_add(by_ns))?)
    }

    fn freeze(&mut self, op: &Op, name: &str, is_frozen: bool) -> Result<(), DriveError> {
        let canister = self.position(op, name)?;
        self.stage.freeze(canister, is_frozen)?;
        self.follower.freeze(canister, is_frozen);
        Ok(())
    }

    fn position(&self, op: &Op, name: &str) -> Result<usize, DriveError> {
        let canisters = &self.engine.scenario.canisters;
        canisters.iter().position(|canister| canister.name == name).ok_or_else(|| misplaced(op, "no such canister"))
    }
}

fn misplaced(op: &Op, why: &str) -> DriveError {
    DriveError::Lost(Lost::Misplaced(format!("`{op}`: {why}")))
}

fn response(answer: &Result<Vec<u8>, Rejected>) -> kernel::Response {
    match answer {
        Ok(reply) => kernel::Response::Reply(reply.as_slice().into()),
        Err(reject) => kernel::Response::Reject { code: reject.code as u8, text: reject.text.as_str().into() },
    }
}
