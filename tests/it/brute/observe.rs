//! What can be observed of a world: the answers of queries that leave no trace.
//!
//! In: a world and the one before it. Out: the world with its observations. A canister that did not run since the
//! world before and has as many cycles keeps its values; nothing else is remembered.

use std::rc::Rc;
use std::sync::Arc;

use candid::Principal;
use canloom::scenario::{Observation, Value};

use super::message::{Answer, Cycles, Entry, Kind, Message, Mode};
use super::relation::Relation;
use super::world::World;

/// Observes `world`, which is one step after `before`.
pub fn refresh(relation: &Relation<'_>, before: Option<&World>, world: &mut World) {
    let observations = &relation.scenario.observations;
    let observe = |(at, observation): (usize, &Observation)| {
        let canister = observation.canister;
        let memory = &world.canisters[canister].memory;
        match before {
            Some(before)
                if Rc::ptr_eq(&before.canisters[canister].memory, memory)
                    && before.balances[canister] == world.balances[canister] =>
            {
                Arc::clone(&before.observed[at])
            }
            _ => Arc::new(value(relation, world, observation)),
        }
    };
    world.observed = observations.iter().enumerate().map(observe).collect();
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
    let host = &relation.hosts[of.canister];
    let (kind, export) =
        host.method(&of.method).ok_or_else(|| format!("Canister {} has no query method '{}'", host.id, of.method))?;
    let mode = match kind {
        Kind::Query | Kind::Composite => Mode::Query,
        Kind::Update => Mode::Update,
    };
    let arg = Rc::new(of.args.clone());
    let entry = Entry::Export(export);
    let message = Message::new(mode, entry, Principal::anonymous(), arg, 0);
    let balance = world.balances[of.canister];
    let message = Message { cycles: Cycles { balance, ..Cycles::default() }, ..message };
    let asked = host.ask(&world.canisters[of.canister], message);
    let (answer, requests) = asked.map_err(|stop| stop.text)?;
    if requests > 0 {
        return Err(String::from("the getter makes a call"));
    }
    match answer {
        Some(Answer::Reply(bytes)) => Ok(bytes),
        Some(Answer::Reject(text)) => Err(text),
        None => Err(format!("Canister {} did not reply to the call", host.id)),
    }
}
