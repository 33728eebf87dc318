//! What the world outside the canisters does: time that passes, and answers to HTTP outcalls.

use super::document::{Table, Text};
use super::error::ScenarioError;
use super::suggest::shorten;

/// Most `[[time]]`, and most `[[outcall]]`.
const TABLES_MAX: usize = 16;
/// Most uses of one time step.
const TIME_MAX: u32 = 64;
/// Most replies of one outcall, and most bytes of one.
const REPLIES_MAX: usize = 64;
const NS: u64 = 1_000_000_000;
/// Longest time that one step may pass, a hundred years: nothing overflows.
const ADVANCE_MAX_NS: u64 = 100 * 365 * 86_400 * NS;

/// Units of durations, in nanoseconds.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", NS),
    ("m", 60 * NS),
    ("h", 3_600 * NS),
    ("d", 86_400 * NS),
    ("w", 7 * 86_400 * NS),
];

/// Time that may pass as one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeStep {
    /// By how many nanoseconds; not 0.
    pub advance_ns: u64,
    /// How often on one path, 1 to 64.
    pub max: u32,
}

/// What HTTP outcalls to some addresses are answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcall {
    /// The whole address, or its beginning followed by `*`.
    pub url: String,
    /// HTTP status, 100 to 599.
    pub status: u16,
    /// Bodies, one after the other; the last one repeats. At least one.
    pub replies: Vec<String>,
}

/// Reads `[[time]]`.
pub(crate) fn times(root: &Table<'_>) -> Result<Vec<TimeStep>, ScenarioError> {
    let read = |table: &Table<'_>| {
        table.check_keys(&["advance", "max"], &[])?;
        let advance_ns = duration(&table.required_text("advance", "\"7d\"")?)?;
        Ok(TimeStep { advance_ns, max: table.integer("max", 1..=TIME_MAX)?.unwrap_or(1) })
    };
    root.array_of_tables("time", TABLES_MAX)?.iter().map(read).collect()
}

/// Reads `[[outcall]]`.
pub(crate) fn outcalls(root: &Table<'_>) -> Result<Vec<Outcall>, ScenarioError> {
    let read = |table: &Table<'_>| {
        table.check_keys(&["url", "status", "replies"], &[])?;
        let url = table.required_text("url", "\"https://api.example.com/*\"")?;
        if url.value.trim_end_matches('*').is_empty() {
            return Err(url.error("`url` is empty; write an address, or the beginning of one followed by `*`"));
        }
        let example = "[\"{ \\\"price\\\": 7 }\"]";
        let replies = table.texts("replies", REPLIES_MAX)?.ok_or_else(|| table.missing("replies", example))?;
        if replies.is_empty() {
            return Err(table.error_at_key("replies", format!("`replies` is empty; for example {example}")));
        }
        Ok(Outcall {
            url: url.value.to_string(),
            status: table.integer("status", 100..=599)?.unwrap_or(200) as u16,
            replies: replies.iter().map(|text| text.value.to_string()).collect(),
        })
    };
    root.array_of_tables("outcall", TABLES_MAX)?.iter().map(read).collect()
}

/// A duration such as `90s`, `1h30m` or `7d`, in nanoseconds.
fn duration(text: &Text<'_>) -> Result<u64, ScenarioError> {
    let wrong = || {
        let text_wrong = shorten(text.value);
        text.error(format!(
            "`{text_wrong}` is not a duration; write numbers with ns, us, ms, s, m, h, d or w, as in `1h30m`"
        ))
    };
    let mut total: u64 = 0;
    let mut rest = text.value.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == rest[..letters].trim()).ok_or_else(wrong)?;
        rest = &rest[letters..];
        total = number.checked_mul(*unit).and_then(|ns| total.checked_add(ns)).ok_or_else(wrong)?;
    }
    if total == 0 || total > ADVANCE_MAX_NS {
        return Err(text.error("time must pass, and at most 100 years a step"));
    }
    Ok(total)
}
