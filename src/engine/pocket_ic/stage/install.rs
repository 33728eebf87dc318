//! Installs a scenario on a replica, and makes its setup calls.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use candid::Principal;

use super::super::stand_in;
use super::super::{Replica, ReplicaError, Server, hog};
use super::{Source, Stage, StageError, StandIn};
use crate::engine::builtin;
use crate::engine::embedded::{Embedded, Exchange, Modules, START_NS};
use crate::engine::wasm::module;
use crate::files;
use crate::kernel::START_BALANCE;
use crate::scenario::{Canister, Code, Scenario};
use crate::script::{Script, beyond_drivers};

/// Rounds in which a setup call must come to its end.
const SETUP_ROUNDS: u32 = 100;
/// Calls that are numbered for one stand-in.
const CALLS_EACH: u32 = 10_000_000;

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
        if let Some(what) = beyond_drivers(scenario) {
            return Err(StageError::NotExpressible(what));
        }
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
                    let is_it = |done: &&&Exchange| {
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
