//! The bars that the search is measured against, and which way is better.
//!
//! In: the rows of a run. Out: for a row, what it should reach and whether it does. Bars in seconds were set on one machine
//! and are shown for every machine; those of ratios hold everywhere.

use std::fmt;

use super::rows::{Row, Run};

/// What a row should reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar {
    /// Name of the row.
    pub row: &'static str,
    of: Of,
    limit: Limit,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Of {
    Value,
    Ratio,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

/// Whether a bar is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// The row, or what its ratio compares with, is not there.
    NotMeasured,
}

/// All bars.
pub const BARS: [Bar; 8] = [
    bar("plain, 4 distinct: search", Of::Value, Limit::AtMost(0.2)),
    bar("plain, 7 equal: search", Of::Value, Limit::AtMost(15.0)),
    bar("plain, 7 equal: peak memory", Of::Value, Limit::AtMost(4_096.0)),
    bar("plain, 6 equal, 2 workers: search", Of::Ratio, Limit::AtLeast(1.7)),
    bar("plain_ledger.transfer: new execution", Of::Ratio, Limit::AtMost(4.0)),
    bar("ledger.icrc1_transfer: new execution", Of::Ratio, Limit::AtMost(4.0)),
    bar("withdraw_sound, 4 distinct: loom", Of::Ratio, Limit::AtLeast(10.0)),
    // 10,000 times the 4.8 schedules per second of PocketIC on two cores.
    bar("icrc1, 3 distinct: sampled schedules", Of::Value, Limit::AtLeast(48_000.0)),
];

const fn bar(row: &'static str, of: Of, limit: Limit) -> Bar {
    Bar { row, of, limit }
}

impl Bar {
    /// The bar of a row.
    pub fn of(row: &str) -> Option<&'static Bar> {
        BARS.iter().find(|bar| bar.row == row)
    }

    /// Whether a run reaches it.
    pub fn met(&self, run: &Run) -> Met {
        let value = run.row(self.row).and_then(|row| match self.of {
            Of::Value => Some(row.value),
            Of::Ratio => row.ratio,
        });
        match (value, self.limit) {
            (None, _) => Met::NotMeasured,
            (Some(value), Limit::AtMost(most)) if value <= most => Met::Yes,
            (Some(value), Limit::AtLeast(least)) if value >= least => Met::Yes,
            _ => Met::No,
        }
    }
}

/// Whether a smaller ratio of this row is better. One without a bar says how many times faster the search is.
pub fn is_less_better(row: &Row) -> bool {
    Bar::of(&row.name).is_some_and(|bar| matches!((bar.of, bar.limit), (Of::Ratio, Limit::AtMost(_))))
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.of {
            Of::Ratio => " times",
            Of::Value if self.row.ends_with("memory") => " MB",
            Of::Value => " s",
        };
        match self.limit {
            Limit::AtMost(most) => write!(f, "<= {most}{unit}"),
            Limit::AtLeast(least) => write!(f, ">= {least}{unit}"),
        }
    }
}

impl fmt::Display for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Met::Yes => "yes",
            Met::No => "NO",
            Met::NotMeasured => "not measured",
        })
    }
}
