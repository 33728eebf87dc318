//! A scenario on a replica: its canisters installed and set up, where a script says, with stand-ins where it says so.
//!
//! In: a server, a scenario's file and a [`Script`]'s places. Out: a [`Stage`], whose canisters have ids of the replica; and the
//! same scenario in the embedded engine, with the same ids. Setup calls are made on the replica, too; what stand-ins are asked
//! in them is answered as it was in the embedded engine.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candid::Principal;

use super::hog;
use super::stand_in::{self, Answer, End, Held};
use super::{Management, Outcall, Rejected, Replica, ReplicaError, Response, Server, Submitted};
use crate::engine::allowance::Allowance;
use crate::engine::builtin;
use crate::engine::embedded::{Embedded, EmbeddedError, Modules, START_NS};
use crate::engine::wasm::module;
use crate::files;
use crate::kernel::{self, START_BALANCE};
use crate::scenario::{Canister, Code, Scenario, ScenarioError};
use crate::script::Script;

/// Instructions that leave a round no room for a second iteration: 7 thousand million in a round, less the 5 thousand million
/// that one message may have, plus one.
const FULL_ROUND: u64 = 1_995_000_000;
/// A time, in seconds, for which no balance lasts; and the one that canisters have.
const FROZEN: u64 = u64::MAX / 2;
const THAWED: u64 = 2_592_000;
/// Rounds in which a setup call must come to its end.
const SETUP_ROUNDS: u32 = 100;
/// Calls that are numbered for one stand-in.
const CALLS_EACH: u32 = 10_000_000;

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

/// A scenario, to be installed many times: nothing that two installations share is done twice.
pub struct Source {
    scenario: Scenario,
    allowance: Allowance,
    modules: Modules,
    /// In the embedded engine, by the ids of canisters whose ids would be automatic.
    opened: Vec<(BTreeMap<String, Principal>, Embedded)>,
}

impl Source {
    /// A scenario as it was read, within its bounds.
    ///
    /// # Errors
    /// If no module can be loaded on this machine.
    pub fn new(scenario: &Scenario, allowance: &Allowance) -> Result<Source, EmbeddedError> {
        Ok(Source {
            scenario: scenario.clone(),
            allowance: allowance.clone(),
            modules: Modules::new()?,
            opened: Vec::new(),
        })
    }

    /// The scenario as it was read.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// In the embedded engine, with room for the tasks that a replica runs in each round, and with these ids.
    ///
    /// # Errors
    /// If it cannot be read or installed.
    pub fn open(&mut self, ids: &BTreeMap<String, Principal>) -> Result<Embedded, StageError> {
        if let Some((_, engine)) = self.opened.iter().find(|(known, _)| known == ids) {
            return Ok(engine.fork());
        }
        let read = Scenario::load_with_ids(&self.scenario.file, ids)?;
        let scenario = Scenario { bounds: self.scenario.bounds, ..read }.with_room_for_rounds();
        let engine = Embedded::open_with(Arc::new(scenario), &self.allowance, &mut self.modules)?;
        let fork = engine.fork();
        self.opened.push((ids.clone(), engine));
        Ok(fork)
    }
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
    /// Installs and sets up; `is_loaded` if rounds are to be filled. Also the scenario in the embedded engine, with the ids and
    /// the time of the replica.
    ///
    /// # Errors
    /// What cannot be read, installed or set up, in either of them.
    pub fn set(
        server: &Server,
        source: &mut Source,
        script: &Script,
        is_loaded: bool,
    ) -> Result<(Stage, Embedded), StageError> {
        let scenario = &source.scenario;
        check(scenario)?;
        let is_named = |names: &[String], canister: &Canister| names.contains(&canister.name);
        let apart: Vec<&Canister> =
            scenario.canisters.iter().filter(|canister| is_named(&script.apart, canister)).collect();
        let has_mainnet = scenario.canisters.iter().any(|canister| !canister.has_automatic_id);
        let replica = Replica::new(server, 1 + apart.len(), has_mainnet)?;
        // Rounds are made in the order of subnet ids; the common subnet is the first.
        let mut subnets: Vec<usize> = (0..replica.subnets().len()).collect();
        subnets.sort_by_key(|at| replica.subnets()[*at]);
        // Canisters are installed at the time at which the embedded engine installs them, but for some nanoseconds.
        replica.set_time(START_NS)?;
        let mut ids = BTreeMap::new();
        let mut administrators = Vec::new();
        for canister in &scenario.canisters {
            let controllers = match canister.controllers.as_slice() {
                [] => vec![Principal::anonymous()],
                controllers => controllers.to_vec(),
            };
            administrators.push(controllers[0]);
            let id = if canister.has_automatic_id {
                let place = apart.iter().position(|other| other.name == canister.name).map_or(0, |at| at + 1);
                replica.create(subnets[place], &controllers, START_BALANCE)?
            } else {
                replica.create_with_id(canister.id, &controllers, START_BALANCE)?
            };
            ids.insert(canister.name.clone(), id);
        }
        let hog = if is_loaded { Some(hog_on(&replica, subnets[0])?) } else { None };
        let engine = source.open(&ids)?;
        let mut stage = Stage {
            replica,
            administrators,
            ids: engine.scenario.canisters.iter().map(|canister| canister.id).collect(),
            stand_ins: BTreeMap::new(),
            hog,
            keeps_heap: kept(&engine.scenario, &source.modules),
            frozen: BTreeSet::new(),
            thawing: BTreeSet::new(),
            is_administered: false,
            open: BTreeMap::new(),
            ended: BTreeMap::new(),
            snapshots: None,
            named: ids,
        };
        stage.install(&engine.scenario, script, &source.modules)?;
        stage.set_up(&engine)?;
        if can_go_back(&engine, &source.modules) {
            stage.snapshots = Some(stage.taken()?);
        }
        Ok((stage, engine))
    }

    fn taken(&self) -> Result<Vec<(usize, Vec<u8>)>, StageError> {
        let mut all = Vec::new();
        for at in (0..self.ids.len()).filter(|at| !self.stand_ins.contains_key(at)) {
            let taken = self.replica.snapshot(self.ids[at], self.administrators[at])?;
            all.push((at, taken.map_err(|reject| StageError::Diverged(format!("no snapshot: {}", reject.text)))?));
        }
        Ok(all)
    }

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

    fn install(&mut self, scenario: &Scenario, script: &Script, modules: &Modules) -> Result<(), StageError> {
        for (at, canister) in scenario.canisters.iter().enumerate() {
            let methods: Vec<String> = match &canister.code {
                Code::Wasm(wasm) if script.stand_ins.contains(&canister.name) => {
                    let module = modules.loaded(wasm).expect("bug in canloom: the module of a canister is loaded");
                    module.methods.keys().cloned().collect()
                }
                Code::Wasm(wasm) => {
                    self.put(at, canister, &read(wasm)?)?;
                    continue;
                }
                code => builtin::methods(code).into_keys().map(str::to_string).collect(),
            };
            let module = stand_in::module(&methods, &[], at as u32 * CALLS_EACH);
            let stand_in = Canister { init: Vec::new(), ..canister.clone() };
            self.put(at, &stand_in, &module)?;
            self.stand_ins.insert(at, StandIn { methods, seen: BTreeSet::new() });
        }
        Ok(())
    }

    fn put(&self, at: usize, canister: &Canister, module: &[u8]) -> Result<(), StageError> {
        let installed = self.replica.install(self.ids[at], module, &canister.init, self.administrators[at])?;
        installed.map_err(|reject| {
            StageError::Diverged(format!("canister `{}` cannot be installed: {}", canister.name, reject.text))
        })
    }

    /// Makes the setup calls that are for canisters of the replica.
    fn set_up(&mut self, engine: &Embedded) -> Result<(), StageError> {
        for (at, call) in engine.scenario.setup.iter().enumerate() {
            if self.stand_ins.contains_key(&call.canister) {
                continue;
            }
            let failed =
                |what: String| StageError::Diverged(format!("setup call {} (`{}`): {what}", at + 1, call.method));
            let arg = &engine.set_up.args[at];
            let submitted = self.replica.submit(self.ids[call.canister], call.by, &call.method, arg)?;
            let submitted = submitted.map_err(|reject| failed(reject.text))?;
            let mut exchanges: Vec<_> = engine.set_up.exchanges.iter().filter(|done| done.call == at).collect();
            let mut rounds = 0;
            let ended = loop {
                self.replica.tick()?;
                if let Some(ended) = self.replica.status(&submitted)? {
                    break ended;
                }
                rounds += 1;
                if rounds > SETUP_ROUNDS {
                    return Err(failed(format!("has no answer after {SETUP_ROUNDS} rounds")));
                }
                for (canister, held) in self.held()? {
                    let method = self.method(canister, &held);
                    let is_it = |done: &&&crate::engine::embedded::Exchange| {
                        usize::from(done.callee) == canister && done.method == method && done.arg == held.arg
                    };
                    let Some(found) = exchanges.iter().position(|done| is_it(&done)) else { continue };
                    if self.answer(canister, held.number, &exchanges[found].response, exchanges[found].accepted)? {
                        exchanges.remove(found);
                    }
                }
            };
            ended.map_err(|reject| failed(reject.text))?;
        }
        Ok(())
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

/// System functions that show more than a snapshot takes back: timers and versions go on. So does time, but then it does in
/// the embedded engine, too, whose worlds have the replica's.
const GOES_ON: [&str; 2] = ["global_timer_set", "canister_version"];

/// Whether canisters cannot tell that they were taken back by a snapshot.
fn can_go_back(engine: &Embedded, modules: &Modules) -> bool {
    let scenario = &engine.scenario;
    let is_timeless = |canister: &Canister| match &canister.code {
        Code::Wasm(wasm) => modules
            .loaded(wasm)
            .is_some_and(|module| !module.imports.iter().any(|import| GOES_ON.contains(&import.as_str()))),
        _ => true,
    };
    let has_tasks = !engine.kernel.tasks_that_may_run().is_empty();
    !has_tasks && scenario.times.is_empty() && scenario.canisters.iter().all(is_timeless)
}

/// The modules of a scenario that keep their heap.
fn kept(scenario: &Scenario, modules: &Modules) -> BTreeSet<PathBuf> {
    let installed = scenario.canisters.iter().filter_map(|canister| match &canister.code {
        Code::Wasm(wasm) => Some(wasm),
        _ => None,
    });
    let later = scenario.faults.iter().filter_map(|fault| fault.wasm.as_ref());
    let keeps = |wasm: &&PathBuf| modules.loaded(wasm).is_some_and(|module| module.keeps_heap);
    installed.chain(later).filter(keeps).cloned().collect()
}

fn read(wasm: &Path) -> Result<Vec<u8>, StageError> {
    files::read(wasm, &module::FILE).map_err(|error| StageError::NotExpressible(error.to_string()))
}

fn hog_on(replica: &Replica, subnet: usize) -> Result<Principal, StageError> {
    let hog = replica.create(subnet, &[Principal::anonymous()], START_BALANCE)?;
    let installed = replica.install(hog, &hog::module(), &[], Principal::anonymous())?;
    installed.map_err(|reject| ReplicaError(format!("a canister of ours cannot be installed: {}", reject.text)))?;
    Ok(hog)
}

/// What no driver of a replica can do.
fn check(scenario: &Scenario) -> Result<(), StageError> {
    if let Some(getter) = scenario.observations.iter().find(|observation| observation.is_update) {
        let text = format!(
            "`[observe.{}]` calls an update method, which a replica does not run on a copy; observe a query instead",
            getter.name
        );
        return Err(StageError::NotExpressible(text));
    }
    if scenario.bounds.create > 0 {
        return Err(StageError::NotExpressible(
            "canisters that are created get ids that the scenario does not know".to_string(),
        ));
    }
    Ok(())
}
