//! A run as text: machine and commit, a line for each search, a line for each other measurement, with bars and with what
//! became of each since the baseline.

use std::fmt::Write as _;

use canloom::report::text::grouped;

use super::bars::{BARS, Bar, Met};
use super::compare::{Change, change, missing};
use super::rows::{Row, Run};

/// What a search measures, in the order of the columns.
const SEARCH: [&str; 5] = ["interleavings", "worlds", "executions", "search", "peak memory"];

/// The table; `then` is the baseline.
pub fn text(now: &Run, then: Option<&Run>) -> String {
    let mut out = format!("machine   {}\ncommit    {}{}\n", now.machine, now.commit, loaded(now));
    match then {
        None => out.push_str("baseline  none; save one with --save\n"),
        Some(then) => {
            let _ = writeln!(out, "baseline  {}{}, on {}", then.commit, loaded(then), then.machine);
            if then.machine != now.machine {
                out.push_str("          another machine: only counts and ratios compare, seconds do not\n");
            }
            if then.modules != now.modules {
                out.push_str("          other modules: worlds, executions and instructions may differ\n");
            }
        }
    }
    let _ = writeln!(
        out,
        "\n{:<30}{:>18} {:>9} {:>10} {:>9} {:>7}  {:<22}{:<6}now / baseline",
        "search", "interleavings", "worlds", "executions", "seconds", "MB", "bar", "met"
    );
    for scenario in scenarios(now) {
        search_line(&mut out, scenario, now, then);
    }
    let _ = writeln!(
        out,
        "\n{:<53}{:>10} {:<13} {:>8}  {:<48}{:<17}{:<14}now / baseline",
        "one of them", "value", "unit", "ratio", "to", "bar", "met"
    );
    for row in now.rows.iter().filter(|row| !is_of_search(row)) {
        row_line(&mut out, row, now, then);
    }
    for bar in BARS.iter().filter(|bar| now.row(bar.row).is_none()) {
        let _ = writeln!(out, "{:<53}{:>10} {:<70} {:<17}{}", bar.row, "", "", bar.to_string(), Met::NotMeasured);
    }
    if let Some(then) = then {
        let missing: Vec<&str> = missing(now, then).collect();
        if !missing.is_empty() {
            let _ = writeln!(out, "\nin the baseline and not measured now: {}", missing.join("; "));
        }
    }
    out
}

/// Rows that somebody has to look at, as lines.
pub fn alarms(now: &Run, then: &Run) -> Vec<String> {
    let alarm = |row: &Row| match change(row, now, then) {
        Change::Differs(_) => {
            let old = then.row(&row.name).map_or(f64::NAN, |old| old.value);
            Some(format!("{}: {} now, {} in the baseline", row.name, count(row.value), count(old)))
        }
        Change::Worse(factor) => Some(format!("{}: its ratio is {factor:.2} times that of the baseline", row.name)),
        _ => None,
    };
    now.rows.iter().filter_map(alarm).collect()
}

/// Says so if other programs ran.
fn loaded(run: &Run) -> String {
    let load = run.load.filter(|&load| load >= 0.5);
    load.map_or_else(String::new, |load| format!(", loaded: {load} other programs ran on average"))
}

fn is_of_search(row: &Row) -> bool {
    row.name.split_once(": ").is_some_and(|(_, what)| SEARCH.contains(&what))
}

/// Scenarios that were searched, in order.
fn scenarios(run: &Run) -> Vec<&str> {
    run.rows.iter().filter(|row| row.unit == "worlds").map(Row::scenario).collect()
}

fn search_line(out: &mut String, scenario: &str, now: &Run, then: Option<&Run>) {
    let rows = SEARCH.map(|what| now.row(&format!("{scenario}: {what}")));
    let cell = |at: usize| rows[at].map_or_else(|| "?".to_string(), |row| number(row.value, &row.unit));
    let bars: Vec<&Bar> = rows.iter().filter_map(|row| Bar::of(&row.as_ref()?.name)).collect();
    let text = bars.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let met = bars.iter().map(|bar| bar.met(now).to_string()).collect::<Vec<_>>().join(", ");
    let since = then.map_or_else(String::new, |then| since(&rows, now, then));
    let line = format!(
        "{scenario:<30}{:>18} {:>9} {:>10} {:>9} {:>7}  {text:<22}{met:<6}{since}",
        cell(0),
        cell(1),
        cell(2),
        cell(3),
        cell(4)
    );
    let _ = writeln!(out, "{}", line.trim_end());
}

/// Counts in one word, seconds and memory as factors.
fn since(rows: &[Option<&Row>; 5], now: &Run, then: &Run) -> String {
    let change = |at: usize| rows[at].map(|row| change(row, now, then));
    let counts: Vec<String> = (0..3)
        .filter_map(|at| match change(at)? {
            Change::Same => None,
            change => Some(format!("{} {}", SEARCH[at], word(change))),
        })
        .collect();
    let counts = if counts.is_empty() { "counts same".to_string() } else { counts.join(", ") };
    let [seconds, memory] = [3, 4].map(|at| change(at).map_or_else(|| "?".to_string(), word));
    format!("{counts}, s {seconds}, MB {memory}")
}

fn row_line(out: &mut String, row: &Row, now: &Run, then: Option<&Run>) {
    let bar = Bar::of(&row.name);
    let line = format!(
        "{:<53}{:>10} {:<13} {:>8}  {:<48}{:<17}{:<14}{}",
        row.name,
        number(row.value, &row.unit),
        row.unit,
        row.ratio.map_or_else(String::new, |ratio| number(ratio, "")),
        row.ratio_to.as_deref().unwrap_or_default(),
        bar.map_or_else(String::new, ToString::to_string),
        bar.map_or_else(String::new, |bar| bar.met(now).to_string()),
        then.map_or_else(String::new, |then| word(change(row, now, then))),
    );
    let _ = writeln!(out, "{}", line.trim_end());
}

fn word(change: Change) -> String {
    match change {
        Change::New => "new".to_string(),
        Change::Same => "same".to_string(),
        Change::Factor(factor) => format!("{factor:.2}"),
        Change::Differs(factor) => format!("DIFFERS {factor:.4}"),
        Change::Worse(factor) => format!("WORSE {factor:.2}"),
    }
}

fn number(value: f64, unit: &str) -> String {
    match unit {
        "interleavings" | "worlds" | "executions" | "instructions" | "MB" | "schedules/s" => count(value),
        _ if value >= 1000.0 => count(value),
        _ if value >= 100.0 => format!("{value:.0}"),
        _ if value >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

fn count(value: f64) -> String {
    grouped(value.round() as u64)
}
