//! The first world: canisters installed, setup calls done one by one.

use std::rc::Rc;

use candid::Principal;
use canloom::scenario::{CallState, CallView};

use super::host::State;
use super::ic0_system::BALANCE;
use super::message::{Cycles, Entry, Message, Mode};
use super::observe;
use super::relation::{Relation, Sent};
use super::world::{Origin, Response, Step, World};

/// The world in which the scenario begins.
pub fn first(relation: &Relation<'_>) -> World {
    let scenario = relation.scenario;
    let not_started = |instance: &canloom::scenario::Instance| CallView {
        entry: instance.entry,
        actor: instance.actor,
        state: CallState::NotStarted,
    };
    let mut world = World {
        canisters: install(relation),
        balances: vec![BALANCE; relation.hosts.len()],
        contexts: Default::default(),
        callbacks: Default::default(),
        queues: Default::default(),
        responses: Default::default(),
        calls: relation.instances.iter().map(not_started).collect(),
        setup_answer: None,
        spent: vec![0; scenario.faults.len()],
        deliveries: 0,
        last_number: 0,
        observed: Vec::new(),
    };
    for call in &scenario.setup {
        let arg = Rc::new(call.args.clone());
        let method = &call.method;
        relation.begin(&mut world, call.canister, Origin::Setup, call.by, method, arg, Sent::FROM_OUTSIDE);
        while let Some(step) = oldest(&world) {
            relation.apply(&mut world, &step);
        }
        match world.setup_answer.take() {
            Some(Response::Reply(_)) => {}
            Some(Response::Reject { text, .. }) => panic!("setup: {method} is rejected: {text}"),
            None => panic!("setup: {method} is not answered"),
        }
    }
    world.deliveries = 0;
    observe::refresh(relation, None, &mut world);
    world
}

fn install(relation: &Relation<'_>) -> Vec<State> {
    let canisters = relation.scenario.canisters.iter().zip(&relation.hosts);
    let install = |(canister, host): (&canloom::scenario::Canister, &super::host::Host)| {
        let state = host.first();
        if !host.has_export("canister_init") {
            return state;
        }
        let by = canister.controllers.first().copied();
        let by = by.unwrap_or_else(Principal::management_canister);
        let entry = Entry::Export(String::from("canister_init"));
        let message = Message::new(Mode::Init, entry, by, Rc::new(canister.init.clone()), 0);
        let message = Message { cycles: Cycles { balance: BALANCE, ..Cycles::default() }, ..message };
        match host.run(&state, message) {
            Ok(done) => done.state,
            Err(stop) => panic!("{} cannot be installed: {stop}", canister.name),
        }
    };
    canisters.map(install).collect()
}

/// The delivery of the message that was sent first.
fn oldest(world: &World) -> Option<Step> {
    let age = |step: &Step| match step {
        Step::Request(pair, place) => world.queues[pair][*place].number,
        Step::Response(callback) => world.responses[callback].number,
        _ => unreachable!("no other step is a delivery"),
    };
    world.deliveries().into_iter().min_by_key(age)
}
