//! The class of each violation, for reports.

use std::sync::Arc;

use canloom::engine::embedded::Embedded;
use canloom::explore::Explored;
use canloom::report::json::Report;
use canloom::rounds::class::{Class, classify};
use canloom::scenario::Scenario;
use canloom::schedule::Schedule;

use super::Failure;

/// Says of each violation what a replica needs to produce such an order.
pub fn label(engine: &Embedded, explored: &Explored, document: &mut Report) -> Result<(), Failure> {
    let mut engine = with_room(engine)?;
    for (finding, violation) in explored.findings.iter().zip(&mut document.violations) {
        // What cannot be told here was told by the search, which had to go there.
        if let Ok(labelled) = classify(&mut engine, &finding.schedule, finding.invariant) {
            violation.class = labelled.class.map(Class::word);
        }
    }
    Ok(())
}

/// The class of one schedule that violates an invariant, by position.
pub fn of(engine: &Embedded, schedule: &Schedule, invariant: usize) -> Result<Option<Class>, Failure> {
    Ok(classify(&mut with_room(engine)?, schedule, invariant).ok().and_then(|labelled| labelled.class))
}

/// Rounds run tasks that need not run in an order of steps, so there must be room for them.
fn with_room(engine: &Embedded) -> Result<Embedded, Failure> {
    if engine.kernel.tasks_that_may_run().is_empty() {
        return Ok(engine.fork());
    }
    let scenario = Scenario::clone(&engine.scenario).with_room_for_tasks();
    Embedded::open_within(Arc::new(scenario), engine.allowance()).map_err(Failure::input)
}
