//! The first world: canisters installed, setup calls done one by one.

use std::rc::Rc;
use std::sync::Arc;

use canloom::scenario::{CallState, CallView, Captured, Value};

use super::host::START_NS;
use super::ic0_system::BALANCE;
use super::message::Status;
use super::observe;
use super::relation::{Relation, Sent};
use super::step::Step;
use super::world::{Canister, Origin, Response, World};

/// The world in which the scenario begins.
pub fn first(relation: &Relation<'_>) -> World {
    let scenario = relation.scenario;
    let not_started = |instance: &canloom::scenario::Instance| CallView {
        entry: instance.entry,
        actor: instance.actor,
        state: CallState::NotStarted,
        args: scenario.calls[instance.entry].args.as_slice().into(),
        given: Arc::new(
            Value::decode_args(&scenario.calls[instance.entry].args, &scenario.labels).unwrap_or_else(Value::Failed),
        ),
    };
    let mut world = World {
        canisters: (0..relation.hosts.len()).map(|at| install(relation, at)).collect(),
        contexts: Default::default(),
        callbacks: Default::default(),
        queues: Default::default(),
        responses: Default::default(),
        calls: relation.instances.iter().map(not_started).collect(),
        submitted: vec![false; relation.instances.len()],
        setup_answer: None,
        captured: Captured::new(),
        spent: vec![0; scenario.faults.len()],
        passed: vec![0; scenario.times.len()],
        now_ns: START_NS,
        steps: 0,
        tasks: 0,
        last_chain: None,
        switches: 0,
        reach: 0,
        last_number: 0,
        ghosts: Vec::new(),
        observed: Vec::new(),
    };
    for call in &scenario.setup {
        let arg = match &call.template {
            None => call.args.clone(),
            Some(template) => template.variants(&world.captured).expect("captured values fit").remove(0).1,
        };
        let arg = Rc::new(arg);
        let method = &call.method;
        relation.begin(&mut world, call.canister, Origin::Setup, call.by, method, arg, Sent::FROM_OUTSIDE);
        while let Some(step) = oldest(relation, &world) {
            relation.apply(&mut world, &step);
        }
        match world.setup_answer.take() {
            Some(Response::Reply(reply)) => {
                for capture in &call.captures {
                    let value = capture.of(&reply, &scenario.names());
                    world.captured.entry(capture.name.clone()).or_default().extend(value);
                }
            }
            Some(Response::Reject { text, .. }) => panic!("setup: {method} is rejected: {text}"),
            None => panic!("setup: {method} is not answered"),
        }
    }
    (world.steps, world.last_chain, world.switches) = (0, None, 0);
    world.ghosts = vec![Value::Int(0.into()); scenario.ghosts.len()];
    observe::refresh(relation, None, &mut world);
    world
}

fn install(relation: &Relation<'_>, at: usize) -> Canister {
    let host = &relation.hosts[at][0];
    let canister = &relation.scenario.canisters[at];
    let mut fresh = Canister {
        code: Some(host.first()),
        balance: BALANCE,
        status: Status::Running,
        version: 0,
        timer_ns: 0,
        certified: Rc::default(),
        snapshot: None,
        stopped_by: None,
        timers: 0,
        heartbeats: 0,
    };
    match relation.enter_install(&fresh, at, host, &host.first(), "canister_init", &canister.init, START_NS) {
        Ok(Some(done)) => {
            fresh.code = Some(done.state);
            fresh.balance -= done.burned;
            fresh.timer_ns = done.timer_ns.unwrap_or(0);
            fresh.certified = done.certified.unwrap_or_default();
        }
        Ok(None) => {}
        Err(stop) => panic!("{} cannot be installed: {stop}", canister.name),
    }
    fresh
}

/// The delivery of the message that was sent first.
fn oldest(relation: &Relation<'_>, world: &World) -> Option<Step> {
    let age = |step: &Step| match step {
        Step::Request(pair, place) => world.queues[pair][*place].number,
        Step::Response(callback) => world.responses[callback].number,
        _ => unreachable!("no other step is a delivery"),
    };
    relation.deliveries(world, u32::MAX).into_iter().min_by_key(age)
}
