//! Confirms a counterexample on the replica's own code: does it happen there, too?
//!
//! In: a schedule that violates an invariant in the embedded engine. Out: a [`Confirmation`]. A driver of a replica cannot choose
//! the order of messages, so `rounds` looks for the shortest script of submits, rounds, places and times that comes to such
//! an order. It is played on PocketIC, and what the replica shows is compared with the embedded engine after every round.

use std::collections::BTreeMap;
use std::sync::Arc;

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
        /// What was tried there, with the values after it.
        tried: Option<(Script, Values)>,
    },
    /// The replica did what the embedded engine says cannot happen.
    Diverged {
        /// What was done.
        script: Script,
        /// What was seen.
        text: String,
    },
}

/// Values after the last round: name, the replica's if it shows it, ours.
pub type Values = Vec<(String, Option<Value>, Value)>;

/// A violation on a replica.
#[derive(Clone, Debug)]
pub struct Confirmed {
    /// What it needs of a replica.
    pub class: Class,
    /// What was done.
    pub script: Script,
    /// Values after it.
    pub values: Values,
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
        Planned::NotExpressible { reason } => return Ok(inexpressible(None, reason)),
        Planned::NotFound { is_cut: true } => {
            let reason = "the search for a script was cut off by its bound".to_string();
            return Ok(inexpressible(None, reason));
        }
        Planned::NotFound { is_cut: false } => {
            let reason = "no script of submits, rounds, places and times leads a replica to such an order".to_string();
            return Ok(inexpressible(Some(Class::SpecOnly), reason));
        }
    };
    let is_loaded = script.ops.contains(&Op::Tick { loaded: true });
    let mut driver = match Driver::new(server, source, &script, is_loaded) {
        Ok(driver) => driver,
        Err(error) => return failed(class, Script { ops: Vec::new(), ..script }, error),
    };
    match play(&mut driver, &script, invariant) {
        Ok(Some(error)) => {
            let values = values(&mut driver)?;
            Ok(Confirmation::Confirmed(Confirmed { class, script: driver.script, values, error }))
        }
        Ok(None) => missed(class, driver, "after its last line the invariant holds there"),
        Err(DriveError::Lost(Lost::Misplaced(text))) => missed(class, driver, &text),
        Err(error) => failed(class, driver.script, error),
    }
}

fn inexpressible(class: Option<Class>, reason: String) -> Confirmation {
    Confirmation::NotExpressible { class, reason, tried: None }
}

fn missed(class: Class, mut driver: Driver, what: &str) -> Result<Confirmation, StageError> {
    let reason = format!("the replica takes the messages of the script in another order than was expected: {what}");
    let values = values(&mut driver)?;
    Ok(Confirmation::NotExpressible { class: Some(class), reason, tried: Some((driver.script, values)) })
}

/// What it means that a script could not be played.
fn failed(class: Class, script: Script, error: DriveError) -> Result<Confirmation, StageError> {
    match error {
        DriveError::Stage(StageError::NotExpressible(reason)) => Ok(inexpressible(Some(class), reason)),
        DriveError::Stage(StageError::Diverged(text)) => Ok(Confirmation::Diverged { script, text }),
        DriveError::Stage(error) => Err(error),
        DriveError::Lost(lost @ Lost::Diverged(_)) => Ok(Confirmation::Diverged { script, text: lost.to_string() }),
        DriveError::Lost(lost) => Ok(inexpressible(Some(class), lost.to_string())),
    }
}

/// Plays a script until the invariant is violated, and says what is said of it; `None` if it is not.
fn play(driver: &mut Driver, script: &Script, invariant: usize) -> Result<Option<Option<String>>, DriveError> {
    let tick = Op::Tick { loaded: false };
    for op in script.ops.iter().chain(std::iter::repeat_n(&tick, MORE_ROUNDS)) {
        patiently(driver, op)?;
        if let Some((_, error)) = driver.violated()?.into_iter().find(|(at, _)| *at == invariant) {
            return Ok(Some(error));
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

fn values(driver: &mut Driver) -> Result<Values, StageError> {
    let world = driver.follower.world().clone();
    let ours = driver.engine.observe(&world).map_err(EmbeddedError::from)?;
    let names = driver.engine.scenario.observed_names();
    let theirs = driver.seen.last().map(|(_, seen)| seen.observations.clone()).unwrap_or_default();
    let theirs = theirs.into_iter().chain(std::iter::repeat(None));
    let row = |((name, theirs), ours): ((String, Option<Value>), Arc<Value>)| (name, theirs, ours.as_ref().clone());
    Ok(names.into_iter().zip(theirs).zip(ours).map(row).collect())
}
