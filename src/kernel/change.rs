//! What is done to a canister as a whole: stop, start, upgrade, reinstall, uninstall, snapshots (semantics 7).
//!
//! In: a world in which calls may be in flight. Out: the world after it; call contexts and callbacks stay, except that
//! uninstalling answers them. Whoever administers the canister is outside: its orders take effect at once, as one step.

use std::sync::Arc;

use candid::Principal;

use crate::schedule::{StepKind, Task};

use super::Happened;
use super::enabled::{Choice, Target};
use super::guest::{Env, Module, Replacement, Response, Trap};
use super::memo::Effects;
use super::plan::{Change, Place};
use super::settle::deliver_answer;
use super::system::{Pending, Snapshot, Status};
use super::tree::InFlight;
use super::world::{NOT_STARTED, World};
use super::{FaultSpec, Kernel, MemoryId, Message, Unsupported};

impl Kernel {
    /// Steps that act upon canisters as a whole.
    pub(super) fn changes(&self, world: &World, out: &mut Vec<Choice>) {
        for canister in 0..self.guests.len() as u16 {
            let here = |fault: &FaultSpec| fault.place == Place::Canister(canister);
            if !self.plan.faults.iter().any(here) {
                continue;
            }
            let mut add = |task, fault| {
                let target = Target::Canister { canister, task };
                out.push(Choice { fault, ..Choice::new(target, StepKind::Start) });
            };
            let system = self.system(world.canisters[usize::from(canister)]);
            match system.pending {
                Pending::AfterStop(fault) => {
                    let changes = &self.plan.faults[usize::from(fault)].changes;
                    if changes.contains(&Change::StopStart) {
                        add(Task::Start, None);
                    }
                    if changes.contains(&Change::StopUpgradeStart) && system.status == Status::Stopped {
                        add(Task::Upgrade, None);
                    }
                }
                Pending::Nothing => {}
            }
            if system.snapshot.is_some() {
                add(Task::Load, None);
            }
            if system.status != Status::Running || !self.may_fault(world) {
                continue;
            }
            for task in [Task::Stop, Task::Upgrade, Task::Reinstall, Task::Uninstall, Task::Snapshot] {
                let begins =
                    |fault: &FaultSpec| here(fault) && fault.changes.iter().any(|change| change.first() == task);
                if let Some(fault) = self.payer_of(world, u32::MAX, begins) {
                    add(task, Some(fault));
                }
            }
        }
    }

    /// How often a fault has changed a canister as a whole.
    pub(super) fn changes_made(&self, world: &World, canister: u16) -> u32 {
        let faults = self.plan.faults.iter().zip(&world.faults);
        faults.filter(|(fault, _)| fault.place == Place::Canister(canister)).map(|(_, &n)| u32::from(n)).sum()
    }

    /// Makes such a step.
    pub(super) fn change(
        &mut self,
        world: &mut World,
        canister: u16,
        task: Task,
        fault: Option<u8>,
    ) -> Result<Happened, Unsupported> {
        let pending = self.system(world.canisters[usize::from(canister)]).pending;
        let result = match task {
            Task::Stop => {
                let fault = fault.expect("bug in canloom: a fault pays for a stop");
                self.stop(world, canister);
                let changes = &self.plan.faults[usize::from(fault)].changes;
                let goes_on = changes.contains(&Change::StopStart) || changes.contains(&Change::StopUpgradeStart);
                let pending = if goes_on { Pending::AfterStop(fault) } else { Pending::Nothing };
                self.change_system(world, canister, |system| system.pending = pending);
                Ok(())
            }
            Task::Start => {
                self.start_again(world, canister);
                Ok(())
            }
            Task::Upgrade | Task::Reinstall => {
                let spec = match (fault, pending) {
                    (Some(fault), _) | (None, Pending::AfterStop(fault)) => &self.plan.faults[usize::from(fault)],
                    _ => unreachable!("bug in canloom: an upgrade that nobody ordered"),
                };
                let (module, arg) = (Module::Known(spec.module), spec.arg.clone());
                let installer = self.administrator(world, canister);
                let done = match task {
                    Task::Upgrade => self.upgrade(world, canister, module, arg, installer, true)?,
                    _ => self.install_anew(world, canister, module, arg, installer)?,
                };
                if fault.is_none() {
                    self.start_again(world, canister);
                }
                done
            }
            Task::Uninstall => {
                self.uninstall(world, canister);
                Ok(())
            }
            Task::Snapshot => {
                let memory = world.canisters[usize::from(canister)].memory;
                if self.guests[usize::from(canister)].is_empty(memory) {
                    let text = "Failed to take a snapshot: the canister contains no Wasm module".to_string();
                    Err(Trap { code: 537, text })
                } else {
                    self.change_system(world, canister, |system| {
                        system.snapshot = Some(Snapshot { memory, certified: system.certified });
                    });
                    Ok(())
                }
            }
            Task::Load => {
                self.load(world, canister);
                Ok(())
            }
            Task::Timer | Task::Heartbeat | Task::LowMemory => {
                unreachable!("bug in canloom: a message is not a change of a canister")
            }
        };
        Ok(Happened::System(match result {
            Ok(()) => String::new(),
            Err(trap) => format!("rejected, nothing changes: {}", self.trap_text(canister, &trap)),
        }))
    }

    /// Who administers a canister: its first controller.
    fn administrator(&self, world: &World, canister: u16) -> Principal {
        let controllers = self.system(world.canisters[usize::from(canister)]).controllers;
        self.tables.controllers.value(controllers).first().copied().unwrap_or(Principal::anonymous())
    }

    /// Stops a canister: from now on it takes responses only. It has stopped when no context and no callback is left.
    pub(super) fn stop(&mut self, world: &mut World, canister: u16) {
        self.change_system(world, canister, |system| system.status = Status::Stopping);
        self.count_version(world, canister);
    }

    /// Starts a canister that is stopping or stopped; whoever waits for it to stop is told that it will not.
    pub(super) fn start_again(&mut self, world: &mut World, canister: u16) {
        self.change_system(world, canister, |system| {
            system.status = Status::Running;
            if matches!(system.pending, Pending::AfterStop(_)) {
                system.pending = Pending::Nothing;
            }
        });
        self.count_version(world, canister);
        let text = format!("IC0511: Canister {}'s stop request was cancelled.", self.id(canister));
        let response = self.tables.responses.intern(Response::Reject { code: 5, text: text.into() });
        self.answer_who_waits_for_stop(world, canister, response);
    }

    /// Every canister that is stopping and has nothing left to wait for has stopped.
    pub(super) fn stop_what_is_idle(&mut self, world: &mut World) {
        for canister in 0..self.guests.len() as u16 {
            let system = self.system(world.canisters[usize::from(canister)]);
            if system.status != Status::Stopping || !self.is_idle(world, canister) {
                continue;
            }
            self.change_system(world, canister, |system| system.status = Status::Stopped);
            let response = self.tables.responses.intern(Response::Reply(super::manage::unit()));
            self.answer_who_waits_for_stop(world, canister, response);
        }
    }

    /// Whether a canister has neither call contexts nor callbacks, be they answered or deleted (semantics 7.1).
    fn is_idle(&self, world: &World, canister: u16) -> bool {
        world.trees.iter().filter(|&&tree| tree != NOT_STARTED).all(|&tree| {
            let tree = self.tree(tree);
            let waits = |request: &super::tree::Request| request.caller == canister && request.callback.is_some();
            !tree.contexts.iter().any(|context| context.canister == canister) && !tree.requests.iter().any(waits)
        })
    }

    fn answer_who_waits_for_stop(&mut self, world: &mut World, canister: u16, response: u32) {
        for at in 0..world.trees.len() {
            let tree = self.tree(world.trees[at]);
            let waits = |request: &super::tree::Request| request.waits_for_stop == Some(canister);
            if world.trees[at] == NOT_STARTED || !tree.requests.iter().any(waits) {
                continue;
            }
            let mut tree = tree.as_ref().clone();
            let paths: Vec<_> = tree.requests.iter().filter(|r| waits(r)).map(|r| (r.path.clone(), r.cycles)).collect();
            for (path, refund) in paths {
                let place = tree.request(&path).expect("bug in canloom: a request of this tree");
                tree.requests[place].waits_for_stop = None;
                tree.requests[place].cycles = 0;
                deliver_answer(&mut tree, &path, InFlight { response, refund });
            }
            world.trees[at] = self.tables.intern_tree(tree);
        }
    }

    /// Upgrades: `pre_upgrade`, the new module with the old stable memory, `post_upgrade`; all of it or nothing.
    pub(super) fn upgrade(
        &mut self,
        world: &mut World,
        canister: u16,
        module: Module<'_>,
        arg: Arc<[u8]>,
        installer: Principal,
        runs_pre_upgrade: bool,
    ) -> Result<Result<(), Trap>, Unsupported> {
        let old = world.canisters[usize::from(canister)].memory;
        let before = if runs_pre_upgrade {
            let message = self.tables.messages.intern(Message::PreUpgrade);
            let env = self.env_of_change(world, canister, installer, None);
            self.execute(canister, old, message, &env)?
        } else {
            Arc::new(Effects::none(old))
        };
        if let Some(trap) = &before.trap {
            return Ok(Err(trap.clone()));
        }
        let loaded = match self.guests[usize::from(canister)].replace(before.memory, Replacement::Upgrade(module)) {
            Ok(loaded) => loaded,
            Err(trap) => return Ok(Err(trap)),
        };
        let after = {
            let arg = self.tables.blobs.intern(arg);
            let message = self.tables.messages.intern(Message::PostUpgrade { arg });
            let mut env = self.env_of_change(world, canister, installer, Some(loaded));
            // What `pre_upgrade` burned cannot be burned again.
            env.balance -= before.burned;
            self.execute(canister, loaded, message, &env)?
        };
        if let Some(trap) = &after.trap {
            return Ok(Err(trap.clone()));
        }
        world.canisters[usize::from(canister)].memory = after.memory;
        self.change_system(world, canister, |system| {
            system.balance = system.balance - before.burned - after.burned;
            // A new module starts without a timer (semantics 7.2); certified data stays.
            system.timer_ns = after.timer_ns.unwrap_or(0);
            system.certified = after.certified.or(before.certified).unwrap_or(system.certified);
        });
        self.count_version(world, canister);
        self.watch_heap(world, canister);
        Ok(Ok(()))
    }

    /// Installs a module on an empty canister: nothing of the old one is left but its balance and its calls in flight.
    pub(super) fn install_anew(
        &mut self,
        world: &mut World,
        canister: u16,
        module: Module<'_>,
        arg: Arc<[u8]>,
        installer: Principal,
    ) -> Result<Result<(), Trap>, Unsupported> {
        let old = world.canisters[usize::from(canister)].memory;
        let loaded = match self.guests[usize::from(canister)].replace(old, Replacement::Reinstall(module)) {
            Ok(loaded) => loaded,
            Err(trap) => return Ok(Err(trap)),
        };
        let installed = {
            let arg = self.tables.blobs.intern(arg);
            let message = self.tables.messages.intern(Message::Init { arg });
            let env = self.env_of_change(world, canister, installer, Some(loaded));
            self.execute(canister, loaded, message, &env)?
        };
        if let Some(trap) = &installed.trap {
            return Ok(Err(trap.clone()));
        }
        world.canisters[usize::from(canister)].memory = installed.memory;
        let nothing = self.tables.blobs.intern(Arc::from([]));
        self.change_system(world, canister, |system| {
            system.balance -= installed.burned;
            system.timer_ns = installed.timer_ns.unwrap_or(0);
            system.certified = installed.certified.unwrap_or(nothing);
        });
        self.count_version(world, canister);
        self.watch_heap(world, canister);
        Ok(Ok(()))
    }

    /// Removes the module: contexts that are not answered are rejected, callbacks to come run no code (semantics 7.3).
    pub(super) fn uninstall(&mut self, world: &mut World, canister: u16) {
        let old = world.canisters[usize::from(canister)].memory;
        let removed = self.guests[usize::from(canister)].replace(old, Replacement::Uninstall);
        // A built-in has no module to be removed; its calls are answered all the same.
        world.canisters[usize::from(canister)].memory = removed.unwrap_or(old);
        let nothing = self.tables.blobs.intern(Arc::from([]));
        self.change_system(world, canister, |system| {
            system.timer_ns = 0;
            system.certified = nothing;
        });
        self.count_version(world, canister);
        let text = "Canister has been uninstalled.".into();
        let response = self.tables.responses.intern(Response::Reject { code: 4, text });
        for at in 0..world.trees.len() {
            let tree = self.tree(world.trees[at]);
            if world.trees[at] == NOT_STARTED || !tree.contexts.iter().any(|context| context.canister == canister) {
                continue;
            }
            let mut tree = tree.as_ref().clone();
            let mut context = 0;
            while context < tree.contexts.len() {
                if tree.contexts[context].canister != canister {
                    context += 1;
                    continue;
                }
                let refund = std::mem::take(&mut tree.contexts[context].available);
                let answered = std::mem::replace(&mut tree.contexts[context].answered, true);
                tree.contexts[context].deleted = true;
                let path = tree.contexts[context].path.clone();
                if !answered {
                    deliver_answer(&mut tree, &path, InFlight { response, refund });
                }
                if tree.outstanding(context) == 0 {
                    tree.close_context(context);
                } else {
                    context += 1;
                }
            }
            world.trees[at] = self.tables.intern_tree(tree);
        }
    }

    fn load(&mut self, world: &mut World, canister: u16) {
        let system = self.system(world.canisters[usize::from(canister)]);
        let snapshot = system.snapshot.expect("bug in canloom: a snapshot was taken");
        world.canisters[usize::from(canister)].memory = snapshot.memory;
        self.change_system(world, canister, |system| {
            system.certified = snapshot.certified;
            system.snapshot = None;
        });
        self.count_version(world, canister);
    }

    /// Code and text with which a canister that does not run rejects messages; `None` if it runs.
    pub(super) fn not_running(&self, world: &World, canister: u16) -> Option<(u8, String)> {
        let id = self.id(canister);
        match self.system(world.canisters[usize::from(canister)]).status {
            Status::Running => None,
            Status::Stopping => Some((5, format!("Canister {id} is stopping"))),
            Status::Stopped => Some((5, format!("Canister {id} is stopped"))),
            Status::Absent => Some((3, format!("No route to canister {id}"))),
        }
    }

    /// What the entry points of an installation see; a new module sees the next version.
    fn env_of_change(
        &self,
        world: &World,
        canister: u16,
        installer: Principal,
        loaded: Option<MemoryId>,
    ) -> Env<'static> {
        let mut env = Env { caller: installer, ..self.env_outside(world, canister) };
        if let Some(memory) = loaded {
            env.version += u64::from(self.guests[usize::from(canister)].sees_version(memory));
            env.timer_ns = 0;
        }
        env
    }
}
