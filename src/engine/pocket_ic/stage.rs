//! A scenario on a replica: its canisters installed and set up, where a script says, with stand-ins where it says so.
//!
//! In: a server, a scenario's file and a [`Script`](crate::script::Script)'s places. Out: a [`Stage`], whose canisters have ids of the replica; and the
//! same scenario in the embedded engine, with the same ids. Setup calls are made on the replica, too; what stand-ins are asked
//! in them is answered as it was in the embedded engine.

mod install;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use candid::Principal;

pub use source::Source;

use super::hog;
use super::stand_in::{self, Answer, End, Held};
use super::{Management, Outcall, Rejected, Replica, ReplicaError, Response, Submitted};
use crate::engine::embedded::EmbeddedError;
use crate::kernel;
use crate::scenario::ScenarioError;

/// Instructions that leave a round no room for a second iteration: 7 thousand million in a round, less the 5 thousand million
/// that one message may have, plus one.
const FULL_ROUND: u64 = 1_995_000_000;
/// A time, in seconds, for which no balance lasts; and the one that canisters have.
const FROZEN: u64 = u64::MAX / 2;
const THAWED: u64 = 2_592_000;

/// Why a scenario cannot be played on a replica.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// Client or server failed.
    #[error(transparent)]
    Replica(#[from] ReplicaError),
    /// The scenario cannot be read again with other ids.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// It cannot be installed in the embedded engine.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// It has something that a driver of a replica cannot do.
    #[error("not expressible on PocketIC: {0}")]
    NotExpressible(String),
    /// The replica refused what the embedded engine accepts.
    #[error("the replica did what the embedded engine says cannot happen: {0}")]
    Diverged(String),
}

/// A canister that is played by the driver.
struct StandIn {
    /// Methods in the order of the module.
    methods: Vec<String>,
    /// The last number that was answered in the setup.
    seen: BTreeSet<u32>,
}

/// A scenario on a replica.
pub struct Stage {
    /// The replica.
    pub replica: Replica,
    /// By canister: who may administer it.
    administrators: Vec<Principal>,
    ids: Vec<Principal>,
    stand_ins: BTreeMap<usize, StandIn>,
    hog: Option<Principal>,
    /// Modules that keep their heap when they are upgraded to.
    keeps_heap: BTreeSet<PathBuf>,
    /// Canisters that have too few cycles to execute anything, or to be asked.
    frozen: BTreeSet<usize>,
    /// Those of them that get them back in the next round.
    thawing: BTreeSet<usize>,
    /// Whether an administrator's call was sent for the next round.
    is_administered: bool,
    /// Calls that were sent and have not ended, by call instance.
    open: BTreeMap<u32, Submitted>,
    /// How the others have ended.
    ended: BTreeMap<u32, Result<Vec<u8>, Rejected>>,
    /// Snapshots of the canisters after the setup, if loading them takes everything back that a canister can see.
    snapshots: Option<Vec<(usize, Vec<u8>)>>,
    named: BTreeMap<String, Principal>,
}

impl Stage {
    /// Takes all canisters back to where they were after the setup, for another script; `false` if that is not possible. All
    /// calls must have come to their end, with all that they caused.
    ///
    /// # Errors
    /// If client or server fails.
    pub fn go_back(&mut self) -> Result<bool, StageError> {
        let Some(snapshots) = self.snapshots.clone() else { return Ok(false) };
        let mut submitted = Vec::new();
        for (at, snapshot) in &snapshots {
            submitted.push(self.administer(*at, &Management::load(self.ids[*at], snapshot))?);
        }
        self.tick(false)?;
        for load in &submitted {
            if !matches!(self.replica.status(load)?, Some(Ok(_))) {
                return Ok(false);
            }
        }
        self.open.clear();
        self.ended.clear();
        Ok(true)
    }

    /// Ids of the replica, by name.
    pub fn named(&self) -> &BTreeMap<String, Principal> {
        &self.named
    }

    /// By canister: whether the driver plays it.
    pub fn played(&self) -> Vec<bool> {
        (0..self.ids.len()).map(|at| self.stand_ins.contains_key(&at)).collect()
    }

    /// The method that a held call is for.
    pub fn method(&self, canister: usize, held: &Held) -> String {
        self.stand_ins[&canister].methods.get(held.method as usize).cloned().unwrap_or_default()
    }

    /// Id of a canister.
    pub fn id(&self, canister: usize) -> Principal {
        self.ids[canister]
    }

    /// Calls that stand-ins hold and that were not answered yet, oldest first, each with the canister's position.
    ///
    /// # Errors
    /// If client or server fails.
    pub fn held(&self) -> Result<Vec<(usize, Held)>, ReplicaError> {
        let mut all = Vec::new();
        for (&at, stand_in) in self.stand_ins.iter().filter(|(at, _)| !self.frozen.contains(at)) {
            let (id, nobody) = (self.ids[at], Principal::anonymous());
            let mut above = 0;
            loop {
                let reply = self.replica.query(id, nobody, stand_in::PENDING, &stand_in::above(above))?;
                let reply = reply.map_err(|reject| ReplicaError(format!("a stand-in fails: {}", reject.text)))?;
                let held = stand_in::pending(&reply).map_err(ReplicaError)?;
                let Some(last) = held.last() else { break };
                above = last.number;
                all.extend(
                    held.into_iter().filter(|held| !stand_in.seen.contains(&held.number)).map(|held| (at, held)),
                );
            }
        }
        Ok(all)
    }

    /// Has a held call answered: it is some rounds later. `false` if its outcall does not show yet.
    ///
    /// # Errors
    /// If a stand-in cannot give such an answer, or client or server fails.
    pub fn answer(
        &mut self,
        canister: usize,
        number: u32,
        response: &kernel::Response,
        accept: kernel::Cycles,
    ) -> Result<bool, StageError> {
        let end = match response {
            kernel::Response::Reply(bytes) => End::Reply(bytes.to_vec()),
            kernel::Response::Reject { code: 4, text } => End::Reject(text.to_string()),
            kernel::Response::Reject { code: 5, text } => End::Trap(text.to_string()),
            kernel::Response::Reject { code, .. } => {
                return Err(StageError::NotExpressible(format!("no canister answers with reject code {code}")));
            }
        };
        let body = stand_in::instruction(&Answer { end, accept });
        let outcalls = self.replica.outcalls()?;
        let of_it = |outcall: &&Outcall| stand_in::number(&outcall.url) == Some(number);
        let Some(outcall) = outcalls.iter().find(of_it) else { return Ok(false) };
        self.replica.answer(outcall, Response::Reply { status: 200, headers: Vec::new(), body })?;
        if let Some(stand_in) = self.stand_ins.get_mut(&canister) {
            stand_in.seen.insert(number);
        }
        Ok(true)
    }

    /// Has an HTTP outcall of a canister answered; `false` if it does not show yet.
    ///
    /// # Errors
    /// If client or server fails.
    pub fn answer_outcall(&self, url: &str, status: u16, body: Vec<u8>) -> Result<bool, ReplicaError> {
        let outcalls = self.replica.outcalls()?;
        let Some(outcall) = outcalls.iter().find(|outcall| outcall.url == url) else { return Ok(false) };
        self.replica.answer(outcall, Response::Reply { status, headers: Vec::new(), body })?;
        Ok(true)
    }

    /// What is sent next comes after all that was sent before: messages of a block are executed in the order in which they
    /// expire.
    fn come_last(&self) -> Result<(), ReplicaError> {
        self.replica.set_time(self.replica.time()? + 1)
    }

    /// Takes from a canister all that it needs to execute anything, or gives it back.
    ///
    /// # Errors
    /// If client or server fails.
    pub fn freeze(&mut self, canister: usize, is_frozen: bool) -> Result<(), StageError> {
        let threshold = if is_frozen { FROZEN } else { THAWED };
        self.administer(canister, &Management::freezing_threshold(self.ids[canister], threshold))?;
        if is_frozen {
            self.frozen.insert(canister);
            self.thawing.remove(&canister);
        } else {
            self.thawing.insert(canister);
        }
        Ok(())
    }

    /// Whether an administrator's call waits for the next round.
    pub fn is_administered(&self) -> bool {
        self.is_administered
    }

    /// Canisters that have too few cycles.
    pub fn frozen(&self) -> &BTreeSet<usize> {
        &self.frozen
    }

    /// Sends a call. It is the last one of the block of the next round.
    ///
    /// # Errors
    /// If client or server fails.
    pub fn submit(
        &mut self,
        call: u32,
        canister: usize,
        caller: Principal,
        method: &str,
        arg: &[u8],
    ) -> Result<bool, ReplicaError> {
        self.come_last()?;
        let submitted = self.replica.submit(self.ids[canister], caller, method, arg)?;
        let is_accepted = submitted.is_ok();
        match submitted {
            Ok(submitted) => drop(self.open.insert(call, submitted)),
            Err(reject) => drop(self.ended.insert(call, Err(reject))),
        }
        Ok(is_accepted)
    }

    /// How the calls that were sent have ended, by call instance.
    ///
    /// # Errors
    /// If client or server fails.
    pub fn ended(&mut self) -> Result<&BTreeMap<u32, Result<Vec<u8>, Rejected>>, ReplicaError> {
        let mut ended = Vec::new();
        for (&call, submitted) in &self.open {
            if let Some(end) = self.replica.status(submitted)? {
                ended.push((call, end));
            }
        }
        for (call, end) in ended {
            self.open.remove(&call);
            self.ended.insert(call, end);
        }
        Ok(&self.ended)
    }

    /// One round on each subnet. If it is loaded, other work leaves the common subnet no second iteration.
    ///
    /// # Errors
    /// If client or server fails.
    pub fn tick(&mut self, is_loaded: bool) -> Result<(), StageError> {
        if is_loaded {
            let hog = self.hog.ok_or_else(|| StageError::NotExpressible("nothing fills a round here".to_string()))?;
            let burn = self.replica.submit(hog, Principal::anonymous(), hog::BURN, &hog::argument(FULL_ROUND))?;
            burn.map_err(|reject| ReplicaError(format!("a round cannot be filled: {}", reject.text)))?;
        }
        self.replica.tick()?;
        self.is_administered = false;
        for canister in std::mem::take(&mut self.thawing) {
            self.frozen.remove(&canister);
        }
        Ok(())
    }

    /// Whether an upgrade to this module keeps the heap.
    pub fn keeps_heap(&self, wasm: &Path) -> bool {
        self.keeps_heap.contains(wasm)
    }

    /// An administrator's call to the management canister, sent for the next round.
    ///
    /// # Errors
    /// If client or server fails, or the call is refused at once.
    pub fn administer(&mut self, canister: usize, call: &Management) -> Result<Submitted, StageError> {
        self.come_last()?;
        self.is_administered = true;
        let submitted = self.replica.submit_management(call, self.administrators[canister])?;
        submitted.map_err(|reject| StageError::Diverged(format!("{}: {}", call.method, reject.text)))
    }
}
