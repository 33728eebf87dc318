//! A run against a saved one.
//!
//! In: two runs. Out: for each row, now divided by then, and whether that is a change for the worse.
//!
//! - Interleavings follow from the rules of the IC: they are equal, or one of the two is wrong.
//! - Worlds, executions and instructions depend on the modules too: they are equal if the modules are.
//! - Ratios have no unit and say the same on every machine, but for noise: they are not worse by more than [`NOISE`].
//! - Seconds, rates and memory are shown and not judged: they belong to a machine and to what else it does.

use super::bars::is_less_better;
use super::rows::{Row, Run};

/// A ratio that is worse by less than this factor may be the same.
pub const NOISE: f64 = 1.5;

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// There was none then.
    New,
    /// A count that is the same.
    Same,
    /// A count that must be the same and is not; now divided by then.
    Differs(f64),
    /// A ratio that is worse, now divided by then.
    Worse(f64),
    /// Anything else, now divided by then.
    Factor(f64),
}

/// What became of a row of `now`.
pub fn change(row: &Row, now: &Run, then: &Run) -> Change {
    let Some(old) = then.row(&row.name) else { return Change::New };
    let factor = row.value / old.value;
    match row.unit.as_str() {
        "interleavings" if row.value != old.value => Change::Differs(factor),
        "worlds" | "executions" | "instructions" if row.value != old.value && now.modules == then.modules => {
            Change::Differs(factor)
        }
        "interleavings" | "worlds" | "executions" | "instructions" if row.value == old.value => Change::Same,
        _ => change_of_ratio(row, old).unwrap_or(Change::Factor(factor)),
    }
}

/// As [`change`], of a row that has a ratio to the same thing in both runs.
fn change_of_ratio(row: &Row, old: &Row) -> Option<Change> {
    if row.ratio_to != old.ratio_to {
        return None;
    }
    let factor = row.ratio? / old.ratio?;
    let is_worse = if is_less_better(row) { factor > NOISE } else { factor < 1.0 / NOISE };
    Some(if is_worse { Change::Worse(factor) } else { Change::Factor(factor) })
}

/// Names of rows that only the saved run has.
pub fn missing<'a>(now: &'a Run, then: &'a Run) -> impl Iterator<Item = &'a str> {
    then.rows.iter().filter(|row| now.row(&row.name).is_none()).map(|row| row.name.as_str())
}
