//! The class of each violation, for reports.

use std::sync::Arc;

use canloom::engine::embedded::Embedded;
use canloom::explore::Explored;
use canloom::report::json::Report;
use canloom::rounds::class::{Class, classify};
use canloom::scenario::Scenario;

use super::Failure;

/// Says of each violation what a replica needs to produce such an order.
pub fn label(engine: &Embedded, explored: &Explored, document: &mut Report) -> Result<(), Failure> {
    // Rounds run tasks that need not run in an order of steps, so there must be room for them.
    let has_tasks = !engine.kernel.tasks_that_may_run().is_empty();
    let mut engine = if has_tasks {
        let scenario = Scenario::clone(&engine.scenario).with_room_for_tasks();
        Embedded::open_within(Arc::new(scenario), engine.allowance()).map_err(Failure::input)?
    } else {
        engine.fork()
    };
    for (finding, violation) in explored.findings.iter().zip(&mut document.violations) {
        // What cannot be told here was told by the search, which had to go there.
        if let Ok(labelled) = classify(&mut engine, &finding.schedule, finding.invariant) {
            violation.class = labelled.class.map(Class::word);
        }
    }
    Ok(())
}
