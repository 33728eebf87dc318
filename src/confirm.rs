//! Confirms a counterexample on the replica's own code: does it happen there, too?
//!
//! In: a schedule that violates an invariant in the embedded engine. Out: a [`Confirmation`]. A driver of a replica cannot choose
//! the order of messages, so `rounds` looks for the shortest script of submits, rounds, places and times that comes to such
//! an order. It is played on PocketIC, and what the replica shows is compared with the embedded engine after every round.

use std::collections::BTreeMap;

use crate::engine::embedded::EmbeddedError;
use crate::engine::pocket_ic::Server;
use crate::engine::pocket_ic::drive::{DriveError, Driver};
use crate::engine::pocket_ic::stage::{Source, StageError};
use crate::follow::Lost;
use crate::rounds::Aim;
use crate::rounds::class::Class;
use crate::rounds::search::{Planned, plan};
use crate::scenario::Value;
use crate::schedule::Schedule;
use crate::script::{Op, Script};

/// Rounds that a replica may take more than it was thought to.
const MORE_ROUNDS: usize = 3;

/// What a replica says of a counterexample.
#[derive(Clone, Debug)]
pub enum Confirmation {
    /// It is violated there.
    Confirmed(Confirmed),
    /// It cannot be brought about there.
    NotExpressible {
        /// The class of the schedule, if it is known.
        class: Option<Class>,
        /// Why not, in a sentence.
        reason: String,
    },
    /// The replica did what the embedded engine says cannot happen.
    Diverged {
        /// What was done.
        script: Script,
        /// What was seen.
        text: String,
    },
}

/// A violation on a replica.
#[derive(Clone, Debug)]
pub struct Confirmed {
    /// What it needs of a replica.
    pub class: Class,
    /// What was done.
    pub script: Script,
    /// Values after the last round: name, the replica's if it shows it, ours.
    pub values: Vec<(String, Option<Value>, Value)>,
    /// What an oracle says, or why the expression could not be evaluated.
    pub error: Option<String>,
}

/// Looks for a script that leads to the violation of an invariant, by position, as this schedule does, and plays it.
///
/// # Errors
/// If the scenario cannot be installed, or client or server fails.
pub fn confirm(
    server: &Server,
    source: &mut Source,
    schedule: &Schedule,
    invariant: usize,
) -> Result<Confirmation, StageError> {
    let mut engine = source.open(&BTreeMap::new())?;
    let planned = plan(&mut engine, schedule, invariant, Aim::PocketIc).map_err(EmbeddedError::from)?;
    let (class, script) = match planned {
        Planned::Found { class, script, .. } => (class, script),
        Planned::NotExpressible { reason } => return Ok(Confirmation::NotExpressible { class: None, reason }),
        Planned::NotFound { is_cut: true } => {
            let reason = "the search for a script was cut off by its bound".to_string();
            return Ok(Confirmation::NotExpressible { class: None, reason });
        }
        Planned::NotFound { is_cut: false } => {
            let reason = "no script of submits, rounds, places and times leads a replica to such an order".to_string();
            return Ok(Confirmation::NotExpressible { class: Some(Class::SpecOnly), reason });
        }
    };
    match play(server, source, &script, invariant) {
        Ok(Some((script, values, error))) => Ok(Confirmation::Confirmed(Confirmed { class, script, values, error })),
        Ok(None) => Ok(missed(class, "after its last line the invariant holds there")),
        Err((_, DriveError::Lost(Lost::Misplaced(text)))) => Ok(missed(class, &text)),
        Err((_, DriveError::Stage(StageError::NotExpressible(reason)))) => {
            Ok(Confirmation::NotExpressible { class: Some(class), reason })
        }
        Err((script, DriveError::Stage(StageError::Diverged(text)))) => Ok(Confirmation::Diverged { script, text }),
        Err((script, DriveError::Lost(lost @ Lost::Diverged(_)))) => {
            Ok(Confirmation::Diverged { script, text: lost.to_string() })
        }
        Err((_, DriveError::Lost(lost))) => {
            Ok(Confirmation::NotExpressible { class: Some(class), reason: lost.to_string() })
        }
        Err((_, DriveError::Stage(error))) => Err(error),
    }
}

fn missed(class: Class, what: &str) -> Confirmation {
    let reason = format!("the replica takes the messages of the script in another order than was expected: {what}");
    Confirmation::NotExpressible { class: Some(class), reason }
}

/// What was done, the values after it, and what is said of the violation.
type Violated = (Script, Vec<(String, Option<Value>, Value)>, Option<String>);

/// Plays a script until the invariant is violated; `None` if it is not. A failure comes with what was done before.
fn play(
    server: &Server,
    source: &mut Source,
    script: &Script,
    invariant: usize,
) -> Result<Option<Violated>, (Script, DriveError)> {
    let is_loaded = script.ops.contains(&Op::Tick { loaded: true });
    let first = Driver::new(server, source, script, is_loaded);
    let mut driver = first.map_err(|error| (Script { ops: Vec::new(), ..script.clone() }, error))?;
    let tick = Op::Tick { loaded: false };
    for op in script.ops.iter().chain(std::iter::repeat_n(&tick, MORE_ROUNDS)) {
        patiently(&mut driver, op).map_err(|error| (driver.script.clone(), error))?;
        if let Some(error) = violated(&mut driver, invariant).map_err(|error| (driver.script.clone(), error))? {
            let values = values(&mut driver).map_err(|error| (driver.script.clone(), error))?;
            return Ok(Some((driver.script, values, error)));
        }
    }
    Ok(None)
}

/// Does one thing; where it is too early for it, some rounds later.
fn patiently(driver: &mut Driver, op: &Op) -> Result<(), DriveError> {
    for _ in 0..MORE_ROUNDS {
        match driver.play(op) {
            Err(DriveError::Lost(Lost::Misplaced(_))) => driver.play(&Op::Tick { loaded: false })?,
            other => return other,
        }
    }
    driver.play(op)
}

/// What is said of the invariant's violation, if it is violated now.
fn violated(driver: &mut Driver, invariant: usize) -> Result<Option<Option<String>>, DriveError> {
    let violated = driver.violated()?;
    Ok(violated.into_iter().find(|(at, _)| *at == invariant).map(|(_, error)| error))
}

fn values(driver: &mut Driver) -> Result<Vec<(String, Option<Value>, Value)>, DriveError> {
    let world = driver.follower.world().clone();
    let ours = driver.engine.observe(&world)?;
    let names = driver.engine.scenario.observed_names();
    let theirs = driver.seen.last().map(|(_, seen)| seen.observations.clone()).unwrap_or_default();
    let theirs = theirs.into_iter().chain(std::iter::repeat(None));
    Ok(names
        .into_iter()
        .zip(theirs)
        .zip(ours)
        .map(|((name, theirs), ours)| (name, theirs, ours.as_ref().clone()))
        .collect())
}
