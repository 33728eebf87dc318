//! What can be observed of a world: the answers of queries that leave no trace.
//!
//! In: a world and the one before it. Out: the world with its observations. A canister that did not run since the
//! world before and has as many cycles keeps its values; nothing else is remembered.

use std::rc::Rc;
use std::sync::Arc;

use candid::Principal;
use canloom::scenario::{Observation, Value};

use super::message::{Answer, Cycles, Entry, Kind, Message, Mode, Status};
use super::relation::Relation;
use super::world::World;

/// Observes `world`, which is one step after `before`.
pub fn refresh(relation: &Relation<'_>, before: Option<&World>, world: &mut World) {
    let observations = &relation.scenario.observations;
    let observe = |(at, observation): (usize, &Observation)| {
        let canister = observation.canister;
        match before {
            Some(before) if looks_the_same(before, world, canister) => Arc::clone(&before.observed[at]),
            _ => Arc::new(value(relation, world, observation)),
        }
    };
    let ghosts = world.ghosts.iter().cloned().map(Arc::new);
    world.observed = observations.iter().enumerate().map(observe).chain(ghosts).collect();
}

/// Would a query see the same? Equal memories that are not one and the same need not be recognized.
fn looks_the_same(before: &World, world: &World, at: usize) -> bool {
    let (one, other) = (&before.canisters[at], &world.canisters[at]);
    let is_one_memory = match (&one.code, &other.code) {
        (Some(one), Some(other)) => Rc::ptr_eq(&one.memory, &other.memory) && one.module == other.module,
        (None, None) => true,
        _ => false,
    };
    is_one_memory
        && one.balance == other.balance
        && one.around(before.now_ns) == other.around(world.now_ns)
        && one.stopped_by == other.stopped_by
}

fn value(relation: &Relation<'_>, world: &World, observation: &Observation) -> Value {
    let bytes = match ask(relation, world, observation) {
        Ok(bytes) => bytes,
        Err(text) => return Value::Failed(text),
    };
    let value = Value::decode_with(&bytes, &relation.scenario.labels).and_then(|value| match &observation.path {
        Some(path) => value.at(path),
        None => Ok(value),
    });
    value.unwrap_or_else(Value::Failed)
}

/// Asks on a copy of the state that is thrown away. A getter that is an update runs as one.
fn ask(relation: &Relation<'_>, world: &World, of: &Observation) -> Result<Vec<u8>, String> {
    let canister = &world.canisters[of.canister];
    let id = relation.hosts[of.canister][0].id;
    // Who stopped it to upgrade it knows that queries fail until then: the state is read.
    if canister.status == Status::Stopped && canister.stopped_by.is_none() {
        return Err(format!("IC0508: Canister {id} is stopped"));
    }
    let (Some(host), Some(state)) = (relation.host(world, of.canister), &canister.code) else {
        return Err(relation.no_module(of.canister).to_string());
    };
    let (kind, export) =
        host.method(&of.method).ok_or_else(|| format!("Canister {} has no query method '{}'", host.id, of.method))?;
    let mode = match kind {
        Kind::Query | Kind::Composite => Mode::Query,
        Kind::Update => Mode::Update,
    };
    let arg = Rc::new(of.args.clone());
    let entry = Entry::Export(export);
    let message = Message::new(mode, entry, Principal::anonymous(), arg, canister.around(world.now_ns));
    let balance = canister.balance;
    let message = Message { cycles: Cycles { balance, ..Cycles::default() }, ..message };
    let asked = host.ask(state, message);
    let (answer, requests) = asked.map_err(|stop| stop.to_string())?;
    if requests > 0 {
        return Err(String::from("observing it needs a call, which is refused"));
    }
    match answer {
        Some(Answer::Reply(bytes)) => Ok(bytes),
        Some(Answer::Reject(text)) => Err(text),
        None => Err(format!("IC0506: Canister {} did not reply to the call", host.id)),
    }
}
