//! What is found and what is missed, as Markdown; and explanations of what is missed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::explored::Found;
use crate::subject::{SUBJECTS, Subject};

/// A mutant with what became of it.
pub struct Row {
    /// `guard.write_stale.withdraw.1`: subject, operator, function, the how many-th change there.
    pub name: String,
    /// Which operator made it.
    pub operator: &'static str,
    /// Which subject it is a mutant of, in [`SUBJECTS`].
    pub subject: usize,
    /// What differs.
    pub what: String,
    /// What became of it.
    pub end: End,
}

/// What became of a mutant.
pub enum End {
    /// It does not compile.
    Broken,
    /// Its module is that of its subject, or of another mutant.
    Equal,
    /// No scenario can be set up with it.
    Unusable,
    /// A scenario shows that it is wrong.
    Found(Found),
    /// No scenario does.
    Missed,
}

/// Why mutants are missed, by their names.
pub type Reasons = BTreeMap<String, String>;

/// Reads the explanations.
///
/// # Errors
///
/// The text is no TOML, or has something else than texts in it.
pub fn reasons(text: &str) -> Result<Reasons, String> {
    let table: toml::Table = toml::from_str(text).map_err(|error| error.to_string())?;
    let text = |(name, value): (String, toml::Value)| match value {
        toml::Value::String(reason) => Ok((name, reason)),
        _ => Err(format!("{name} is no text")),
    };
    table.into_iter().map(text).collect()
}

/// What is wrong with the explanations: a miss without one, and one for a mutant that is not missed. One line each.
pub fn complaints(rows: &[Row], reasons: &Reasons) -> Vec<String> {
    let missed: BTreeSet<&String> =
        rows.iter().filter(|row| matches!(row.end, End::Missed)).map(|row| &row.name).collect();
    let unexplained = missed
        .iter()
        .filter(|name| !reasons.contains_key(**name))
        .map(|name| format!("missed without a reason: {name}"));
    let idle = reasons
        .keys()
        .filter(|name| !missed.contains(name))
        .map(|name| format!("a reason, but it is not missed: {name}"));
    unexplained.chain(idle).collect()
}

/// The document.
pub fn markdown(rows: &[Row], reasons: &Reasons, operators: &[&str]) -> String {
    let mut text = String::from(INTRODUCTION);
    let judged = |row: &&Row| matches!(row.end, End::Found(_) | End::Missed);
    let found = rows.iter().filter(|row| matches!(row.end, End::Found(_))).count();
    let all = rows.iter().filter(judged).count();
    let _ = writeln!(text, "\n{found} of {all} mutants are found.\n");
    totals(&mut text, "operator", operators.iter().map(|name| (*name, of(rows, |row| row.operator == *name))));
    totals(
        &mut text,
        "canister",
        SUBJECTS.iter().enumerate().map(|(at, subject)| (subject.name, of(rows, |row| row.subject == at))),
    );
    for (at, subject) in SUBJECTS.iter().enumerate() {
        section(&mut text, subject, &of(rows, |row| row.subject == at), reasons);
    }
    text
}

const INTRODUCTION: &str = "# Mutants

Written by `make mutants`; `make mutants MUTANTS=--check` compares.

Correct canisters must not be flagged, and a mistake in one of them should be. The operators of `tests/mutants` make
mistakes that are usual around an await, at every place of a source where they fit; nothing is chosen by hand. What does
not compile, is compiled to a module that was there before, or cannot be set up, is left out. Each of the others is
explored in the scenarios of the canister that it was made of, with the generic oracles. Calls, faults and deliveries
are those of the simplest counterexample. Each mutant that is missed has a reason, in `tests/mutants/misses.toml`: a few
do the same as the correct canister in every order, the others need what their scenarios do not offer.
";

fn of(rows: &[Row], is_in: impl Fn(&Row) -> bool) -> Vec<&Row> {
    rows.iter().filter(|row| is_in(row)).collect()
}

fn totals<'a>(text: &mut String, title: &str, groups: impl Iterator<Item = (&'a str, Vec<&'a Row>)>) {
    let _ = writeln!(
        text,
        "| {title} | made | does not compile | equal module | not set up | found | missed |\n|---|---|---|---|---|---|---|"
    );
    let mut sum = [0; 6];
    for (name, rows) in groups {
        let count = |is: fn(&End) -> bool| rows.iter().filter(|row| is(&row.end)).count();
        let counts = [
            rows.len(),
            count(|end| matches!(end, End::Broken)),
            count(|end| matches!(end, End::Equal)),
            count(|end| matches!(end, End::Unusable)),
            count(|end| matches!(end, End::Found(_))),
            count(|end| matches!(end, End::Missed)),
        ];
        sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        let _ = writeln!(text, "| {name} | {} |", counts.map(|count| count.to_string()).join(" | "));
    }
    let _ = writeln!(text, "| all | {} |\n", sum.map(|count| count.to_string()).join(" | "));
}

fn section(text: &mut String, subject: &Subject, rows: &[&Row], reasons: &Reasons) {
    let scenarios: Vec<String> = subject.scenarios.iter().map(|name| format!("`corpus/{name}`")).collect();
    let _ = writeln!(text, "## {}\n\n`{}`, explored in {}.\n", subject.name, subject.source, scenarios.join(" and "));
    let _ = writeln!(text, "| mutant | what differs | found by | calls/faults/deliveries |\n|---|---|---|---|");
    for row in rows {
        let End::Found(Found { by, size }) = &row.end else { continue };
        let size = size.map_or("-".to_string(), |size| size.map(|number| number.to_string()).join("/"));
        let _ = writeln!(text, "| {} | {} | {} | {size} |", row.name, cell(&row.what), cell(&by.join("; ")));
    }
    if rows.iter().any(|row| matches!(row.end, End::Missed)) {
        let _ = writeln!(text, "\n| missed | what differs | why it is missed |\n|---|---|---|");
    }
    for row in rows.iter().filter(|row| matches!(row.end, End::Missed)) {
        let reason = reasons.get(&row.name).map_or("", String::as_str);
        let _ = writeln!(text, "| {} | {} | {} |", row.name, cell(&row.what), cell(reason));
    }
    text.push('\n');
}

/// A text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
