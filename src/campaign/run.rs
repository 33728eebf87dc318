//! One script on a replica, drawn as it is played.
//!
//! In: a server, a scenario, what to do next. Out: what was violated and seen on the way, and the outcome, if nothing was left to
//! happen at its end.

use crate::engine::pocket_ic::Server;
use crate::engine::pocket_ic::drive::{DriveError, Driver};
use crate::engine::pocket_ic::stage::{Source, Stage};
use crate::explore::Exercised;
use crate::follow::Lost;
use crate::schedule::Schedule;
use crate::script::{Op, Script};

/// Rounds at the end of a script in which everything must have come to its end.
const LAST_ROUNDS: u32 = 80;

/// What came of one script.
#[derive(Debug, Default)]
pub struct Ran {
    /// Rounds.
    pub rounds: u64,
    /// Invariants that were violated, each where it was first.
    pub violations: Vec<Violation>,
    /// `sometimes` that were seen, by position.
    pub sometimes: Vec<usize>,
    /// What became of the entries' instances.
    pub exercised: Exercised,
    /// Whether it was cut short, because the replica could be in too many worlds.
    pub is_cut: bool,
    /// Steps of the embedded engine that come to the same as all of it.
    pub schedule: Schedule,
    /// The outcome with the number of calls and faults, if nothing was left to happen.
    pub outcome: Option<((u32, u32), String)>,
}

/// An invariant was violated on the replica.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Position of the invariant.
    pub invariant: usize,
    /// What was done until then.
    pub script: Script,
    /// Steps of the embedded engine that come to the same.
    pub schedule: Schedule,
}

/// Stages that one thread keeps.
const STAGES_MAX: usize = 12;

/// What is done next, by the number of what was done and by what is possible; nothing at the end.
pub type Next<'a> = dyn FnMut(usize, &[Op]) -> Option<Op> + 'a;

/// A thread's stages: a script is played on one that went back after another, where that is possible.
#[derive(Default)]
pub struct Stages(Vec<(Script, Stage)>);

impl Stages {
    /// Plays one script: canisters are at these places, and what is done next is asked for with the number of what was done
    /// and with what is possible, until there is nothing.
    ///
    /// # Errors
    /// What went wrong, with what was done before.
    pub fn play(
        &mut self,
        server: &Server,
        source: &mut Source,
        places: Script,
        next: &mut Next<'_>,
    ) -> Result<Ran, Box<(Script, DriveError)>> {
        let mut driver = self.driver(server, source, &places).map_err(|error| Box::new((places.clone(), error)))?;
        let mut ran = Ran::default();
        match played(&mut driver, next, &mut ran) {
            Ok(()) => {}
            Err(DriveError::Lost(Lost::TooMany)) => return Ok(Ran { is_cut: true, ..ran }),
            Err(error) => return Err(Box::new((driver.script, error))),
        }
        let script = driver.script.clone();
        if let Some(stage) = driver.go_back().map_err(|error| Box::new((script, error)))? {
            if self.0.len() == STAGES_MAX {
                self.0.remove(0);
            }
            self.0.push((places, stage));
        }
        Ok(ran)
    }

    fn driver(&mut self, server: &Server, source: &mut Source, places: &Script) -> Result<Driver, DriveError> {
        match self.0.iter().position(|(known, _)| known == places) {
            // Some script may fill rounds there.
            None => Driver::new(server, source, places, true),
            Some(at) => {
                let (_, stage) = self.0.remove(at);
                let engine = source.open(stage.named())?;
                Driver::on(stage, engine, places)
            }
        }
    }
}

fn played(driver: &mut Driver, next: &mut Next<'_>, ran: &mut Ran) -> Result<(), DriveError> {
    look(driver, ran)?;
    for done in 0.. {
        let offers = driver.offers()?;
        let Some(op) = next(done, &offers) else { break };
        attempt(driver, &op, ran)?;
    }
    if driver.thaw()? {
        attempt(driver, &Op::Tick { loaded: false }, ran)?;
    }
    for _ in 0..LAST_ROUNDS {
        if driver.is_quiet() {
            break;
        }
        let offers = driver.offers()?;
        let is_held = offers.iter().any(|op| matches!(op, Op::Serve(_) | Op::Answer(_)));
        if driver.follower.is_still() && !is_held {
            // What is left waits for ever.
            break;
        }
        for op in offers.iter().filter(|op| matches!(op, Op::Serve(_) | Op::Answer(_))) {
            attempt(driver, op, ran)?;
        }
        attempt(driver, &Op::Tick { loaded: false }, ran)?;
    }
    let world = driver.follower.world().clone();
    let observations = driver.engine.observe(&world)?;
    let calls = driver.engine.calls(&world);
    ran.exercised = Exercised::of(&calls);
    ran.schedule = driver.follower.schedule();
    if driver.is_quiet() {
        let key = (driver.engine.kernel.started(&world), world.faulted());
        ran.outcome = Some((key, driver.engine.outcome(&observations, &calls).to_string()));
    }
    Ok(())
}

/// Does one thing. What is not possible here is left out: it was offered by a world that the replica may not be in.
fn attempt(driver: &mut Driver, op: &Op, ran: &mut Ran) -> Result<(), DriveError> {
    match driver.play(op) {
        Err(DriveError::Lost(Lost::Misplaced(_))) => return Ok(()),
        other => other?,
    }
    if matches!(op, Op::Tick { .. } | Op::Change(_)) {
        ran.rounds += 1;
        look(driver, ran)?;
    }
    Ok(())
}

fn look(driver: &mut Driver, ran: &mut Ran) -> Result<(), DriveError> {
    for (invariant, _) in driver.violated()? {
        if ran.violations.iter().all(|known| known.invariant != invariant) {
            let (script, schedule) = (driver.script.clone(), driver.follower.schedule());
            ran.violations.push(Violation { invariant, script, schedule });
        }
    }
    for at in driver.follower.seen(&mut driver.engine)? {
        if !ran.sometimes.contains(&at) {
            ran.sometimes.push(at);
        }
    }
    Ok(())
}
