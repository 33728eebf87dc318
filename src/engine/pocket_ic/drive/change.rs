//! Changes: what an administrator does to a canister of a replica.

use super::super::management::{Mode, snapshot_of};
use super::super::stage::StageError;
use super::super::{Management, Submitted};
use super::{DriveError, Driver, misplaced};
use crate::engine::wasm::module;
use crate::files;
use crate::kernel::Choice;
use crate::scenario::Code;
use crate::schedule::{Root, Step, Task};
use crate::script::Op;

impl Driver {
    /// An administrator's call, sent for the round that follows.
    pub(super) fn change(&mut self, op: &Op, step: &Step) -> Result<(), DriveError> {
        let Root::Task { canister, task, .. } = &step.root else { return Err(misplaced(op, "no change")) };
        let canister = self.position(op, canister)?;
        let found = self.follower.worlds().find_map(|world| self.engine.kernel.find(world, step).ok());
        let Some(choice) = found else { return Err(misplaced(op, "it is not possible here")) };
        for call in self.calls_of(op, canister, *task, &choice)? {
            let submitted = self.stage.administer(canister, &call)?;
            if *task == Task::Snapshot {
                self.take_snapshot(canister, &submitted)?;
            }
        }
        self.follower.make(&mut self.engine, step)?;
        Ok(())
    }

    /// The calls of the management canister that a change is made of.
    fn calls_of(&self, op: &Op, canister: usize, task: Task, choice: &Choice) -> Result<Vec<Management>, DriveError> {
        let id = self.stage.id(canister);
        let fault = choice.fault.map(usize::from);
        let install = |keeps: bool| -> Result<Management, DriveError> {
            let scenario = &self.engine.scenario;
            let own = match &scenario.canisters[canister].code {
                Code::Wasm(wasm) => wasm,
                _ => return Err(misplaced(op, "a stand-in has no module to be replaced")),
            };
            // A change that no fault pays for goes on with one that did.
            let upgrades = |at: &usize| scenario.faults[*at].wasm.is_some() || !scenario.faults[*at].arg.is_empty();
            let spent = || (0..scenario.faults.len()).find(|at| self.follower.world().faults[*at] > 0 && upgrades(at));
            let fault = fault.or_else(spent).map(|at| &scenario.faults[at]);
            let wasm = fault.and_then(|fault| fault.wasm.as_ref()).unwrap_or(own);
            let arg = fault.map_or(&[][..], |fault| &fault.arg);
            let module = files::read(wasm, &module::FILE).map_err(|error| misplaced(op, &error.to_string()))?;
            let keeps_heap = self.stage.keeps_heap(wasm);
            let mode = if keeps { Mode::upgrade(keeps_heap) } else { Mode::Reinstall };
            Ok(Management::install(id, mode, &module, arg))
        };
        Ok(match task {
            Task::Stop => vec![Management::stop(id)],
            Task::Start => vec![Management::start(id)],
            Task::Upgrade if fault.is_none() => vec![install(true)?, Management::start(id)],
            Task::Upgrade => vec![install(true)?],
            Task::Reinstall => vec![install(false)?],
            Task::Uninstall => vec![Management::uninstall(id)],
            Task::Snapshot => vec![Management::snapshot(id)],
            Task::Load => {
                let snapshot = self.snapshots.get(&canister).ok_or_else(|| misplaced(op, "there is no snapshot"))?;
                vec![Management::load(id, snapshot)]
            }
            Task::Timer | Task::Heartbeat | Task::LowMemory => return Err(misplaced(op, "tasks run by themselves")),
        })
    }

    fn take_snapshot(&mut self, canister: usize, submitted: &Submitted) -> Result<(), DriveError> {
        // The round after the change shows it; the worlds do not change by it.
        self.stage.tick(false)?;
        let reply = self.stage.replica.status(submitted)?;
        let snapshot = reply.and_then(Result::ok).and_then(|reply| snapshot_of(&reply));
        let snapshot = snapshot.ok_or_else(|| StageError::Diverged("no snapshot was taken".to_string()))?;
        self.snapshots.insert(canister, snapshot);
        Ok(())
    }
}
