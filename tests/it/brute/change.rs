//! What is done to a canister as a whole: stop, start, upgrade, reinstall, uninstall, snapshots (docs/semantics.md).
//!
//! In: a world in which calls may be in flight. Out: the world after it. A change that the IC rejects changes nothing.

use std::rc::Rc;

use candid::Principal;
use canloom::scenario::FaultKind;

use super::host::{Host, State};
use super::message::{Done, Entry, Message, Mode, Status, Stop};
use super::relation::Relation;
use super::settle::send;
use super::step::Change;
use super::world::{Canister, Origin, Response, World};

impl Relation<'_> {
    /// Makes such a step; `fault` is the one that begins with it.
    pub fn change(&self, world: &mut World, fault: Option<usize>, at: usize, change: Change) {
        if let Some(fault) = fault {
            world.spent[fault] += 1;
        }
        let ordered_by = fault.or(world.canisters[at].stopped_by);
        let canister = &mut world.canisters[at];
        match change {
            Change::Stop => {
                canister.status = Status::Stopping;
                canister.version += 1;
                let kinds = &self.scenario.faults[fault.expect("a fault begins with it")].kinds;
                let goes_on = kinds.contains(&FaultKind::StopStart) || kinds.contains(&FaultKind::StopUpgradeStart);
                canister.stopped_by = fault.filter(|_| goes_on);
            }
            Change::Start => start(canister),
            Change::Upgrade => self.upgrade(world, at, ordered_by.expect("somebody ordered it")),
            Change::UpgradeAndStart => {
                self.upgrade(world, at, ordered_by.expect("somebody ordered it"));
                start(&mut world.canisters[at]);
            }
            Change::Reinstall => self.reinstall(world, at, ordered_by.expect("somebody ordered it")),
            Change::Uninstall => self.uninstall(world, at),
            Change::Snapshot => {
                // There is none of a canister without a module; an older one stays.
                if let Some(code) = &canister.code {
                    canister.snapshot = Some((code.clone(), Rc::clone(&canister.certified)));
                }
            }
            Change::Load => {
                let (code, certified) = canister.snapshot.take().expect("a snapshot was taken");
                canister.code = Some(code);
                canister.certified = certified;
                canister.version += 1;
            }
        }
    }

    /// A stopping canister has stopped when neither a call context nor a callback is left (section 7.1).
    pub fn stop_what_is_idle(&self, world: &mut World) {
        for (at, canister) in world.canisters.iter_mut().enumerate() {
            let is_busy = world.contexts.values().any(|context| context.canister == at);
            if canister.status == Status::Stopping && !is_busy {
                canister.status = Status::Stopped;
            }
        }
    }

    /// Runs the entry point of an installation, if the module has it; a new module sees the version to come.
    #[expect(clippy::too_many_arguments, reason = "an installation has that many parts")]
    pub fn enter_install(
        &self,
        canister: &Canister,
        at: usize,
        host: &Host,
        state: &State,
        export: &str,
        arg: &[u8],
        now_ns: u64,
    ) -> Result<Option<Done>, Stop> {
        if !host.has_export(export) {
            return Ok(None);
        }
        let by = self.scenario.canisters[at].controllers.first().copied();
        let by = by.unwrap_or(Principal::anonymous());
        let mode = if export == "canister_pre_upgrade" { Mode::PreUpgrade } else { Mode::Init };
        let entry = Entry::Export(String::from(export));
        let mut message = Message::new(mode, entry, by, Rc::new(arg.to_vec()), canister.around(now_ns));
        message.cycles.balance = canister.balance;
        host.run(state, message).map(Some)
    }

    /// Old heap away, stable memory kept, timer off; all of it or nothing (section 7.2).
    fn upgrade(&self, world: &mut World, at: usize, fault: usize) {
        let now_ns = world.now_ns;
        let new = &self.hosts[at][fault + 1];
        let mut canister = world.canisters[at].clone();
        let Some(mut code) = canister.code.take() else { return };
        let old = &self.hosts[at][code.module];
        match self.enter_install(&canister, at, old, &code, "canister_pre_upgrade", &[], now_ns) {
            Ok(Some(done)) => {
                canister.certified = done.certified.clone().unwrap_or(canister.certified);
                canister.balance -= done.burned;
                code = done.state;
            }
            Ok(None) => {}
            Err(_) => return,
        }
        canister.timer_ns = 0;
        canister.version += 1;
        let mut fresh = new.first();
        fresh.stable = code.stable;
        self.finish_install(world, at, canister, new, fresh, "canister_post_upgrade", fault);
    }

    /// Heap, stable memory, certified data and timer away (section 7.2).
    fn reinstall(&self, world: &mut World, at: usize, fault: usize) {
        let new = &self.hosts[at][fault + 1];
        let mut canister = world.canisters[at].clone();
        canister.timer_ns = 0;
        canister.version += 1;
        canister.certified = Rc::default();
        self.finish_install(world, at, canister, new, new.first(), "canister_init", fault);
    }

    #[expect(clippy::too_many_arguments, reason = "an installation has that many parts")]
    fn finish_install(
        &self,
        world: &mut World,
        at: usize,
        mut canister: Canister,
        new: &Host,
        fresh: State,
        export: &str,
        fault: usize,
    ) {
        let arg = &self.scenario.faults[fault].arg;
        match self.enter_install(&canister, at, new, &fresh, export, arg, world.now_ns) {
            Ok(Some(done)) => {
                canister.code = Some(done.state);
                canister.balance -= done.burned;
                canister.timer_ns = done.timer_ns.unwrap_or(0);
                canister.certified = done.certified.unwrap_or(canister.certified);
            }
            Ok(None) => canister.code = Some(fresh),
            Err(_) => return,
        }
        world.canisters[at] = canister;
    }

    /// Every open call is rejected with what it brought; what it waits for runs no code (section 7.3).
    fn uninstall(&self, world: &mut World, at: usize) {
        let canister = &mut world.canisters[at];
        canister.code = None;
        canister.certified = Rc::default();
        canister.timer_ns = 0;
        canister.version += 1;
        let of_it = |(number, context): (&u32, &super::world::Context)| (context.canister == at).then_some(*number);
        let numbers: Vec<u32> = world.contexts.iter().filter_map(of_it).collect();
        for number in numbers {
            let context = world.contexts.get_mut(&number).expect("it is open");
            context.is_deleted = true;
            let refund = std::mem::take(&mut context.available);
            let (origin, was_responded) = (context.origin, std::mem::replace(&mut context.is_responded, true));
            let text = String::from("Canister has been uninstalled.");
            let response = Response::Reject { code: 4, text };
            match origin {
                _ if was_responded => {}
                Origin::Call(call) => self.answer_call(world, call, response),
                Origin::Callback(callback) => send(world, callback, response, refund),
                Origin::Setup | Origin::Task => unreachable!("neither waits for an answer now"),
            }
        }
    }
}

fn start(canister: &mut Canister) {
    canister.status = Status::Running;
    canister.version += 1;
    canister.stopped_by = None;
}
