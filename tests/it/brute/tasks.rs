//! What code runs without a call: inspection, timers, heartbeats (docs/semantics.md).

use std::rc::Rc;
use std::sync::Arc;

use candid::Principal;
use canloom::scenario::CallState;

use super::message::{Entry, Message, Mode};
use super::relation::{Performed, Relation, performed};
use super::turns;
use super::world::{Context, Origin, Response, World};

impl Relation<'_> {
    /// Asks `canister_inspect_message`; nothing that it does is kept (section 2.7).
    pub fn inspect(&self, world: &mut World, call: usize, arg: &Arc<[u8]>) {
        let entry = &self.scenario.calls[self.instances[call].entry];
        let caller = self.scenario.actors[self.instances[call].actor].id;
        let canister = &world.canisters[entry.canister];
        let (Some(host), Some(state)) = (self.host(world, entry.canister), &canister.code) else {
            panic!("a canister that inspects has a module")
        };
        let export = Entry::Export(String::from("canister_inspect_message"));
        let given = Rc::new(arg.to_vec());
        let mut message = Message::new(Mode::Inspect, export, caller, given, canister.around(world.now_ns));
        message.cycles.balance = canister.balance;
        message.method.clone_from(&entry.method);
        let refusal = match host.run(state, message) {
            Ok(done) if done.is_let_in => None,
            Ok(_) => Some((4, format!("Canister {} rejected the message", host.id))),
            Err(stop) => Some((stop.code / 100, stop.text)),
        };
        world.calls[call].args = arg.clone();
        world.calls[call].state = CallState::Open;
        world.submitted[call] = refusal.is_none();
        if let Some((code, text)) = refusal {
            self.answer_call(world, call, Response::Reject { code, text });
        }
    }

    /// Runs a timer or a heartbeat (section 8): nobody waits for it and nobody called.
    pub fn run_task(&self, world: &mut World, at: usize, mode: Mode, perform_fails: usize) -> Performed {
        world.tasks += 1;
        world.reach = 0;
        let chain = turns::of_task(world.tasks);
        let canister = &mut world.canisters[at];
        let export = if mode == Mode::Timer {
            canister.timers += 1;
            // Before it runs, whatever comes of it.
            canister.timer_ns = 0;
            "canister_global_timer"
        } else {
            canister.heartbeats += 1;
            "canister_heartbeat"
        };
        let around = canister.around(world.now_ns);
        let caller = Principal::management_canister();
        let mut message = Message::new(mode, Entry::Export(String::from(export)), caller, Rc::default(), around);
        message.is_responded = true;
        message.cycles.balance = canister.balance;
        message.perform_fails = perform_fails;
        let context = world.number();
        let open = Context {
            canister: at,
            chain,
            origin: Origin::Task,
            caller,
            is_responded: true,
            is_deleted: false,
            deadline_ns: 0,
            available: 0,
            method: Rc::from(""),
            arg: Rc::default(),
        };
        world.contexts.insert(context, open);
        let result = self.run(world, at, "", message);
        let performed = performed(at, &result);
        let result = result.map(|done| self.commit(world, context, done, mode));
        self.settle(world, context, result);
        performed
    }
}
