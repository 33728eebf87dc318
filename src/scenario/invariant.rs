//! Invariants of a scenario: when they are checked, what they say, and what is expected of them.

use super::document::{Table, Text};
use super::error::ScenarioError;
use super::expr::{Expr, Purpose};
use super::names::Names;
use super::suggest::{hint, shorten};

/// Most `[[invariant]]`.
const ITEMS_MAX: usize = 256;

const WHEN: &[(&str, When)] = &[
    ("always", When::Always),
    ("step", When::Step),
    ("quiescent", When::Quiescent),
    ("final", When::Final),
    ("sometimes", When::Sometimes),
];
const EXPECT: &[(&str, Expect)] = &[("holds", Expect::Holds), ("violated", Expect::Violated)];

/// A property of observations and calls.
#[derive(Clone, Debug)]
pub struct Invariant {
    /// Its name; no other invariant has it.
    pub name: String,
    /// The worlds it is checked in.
    pub when: When,
    /// The expression.
    pub expr: Expr,
    /// The expression as the file has it.
    pub text: String,
    /// Whether it should hold.
    pub expect: Expect,
    /// Line of the file, from 1.
    pub line: usize,
}

/// The worlds in which an invariant is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum When {
    /// In every world.
    Always,
    /// In every step from one world to the next.
    Step,
    /// Where nothing is pending.
    Quiescent,
    /// Where all calls are answered and nothing can run.
    Final,
    /// In at least one world; else the run is vacuous and fails.
    Sometimes,
}

/// What is expected of an invariant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Expect {
    /// It holds; a violation is a finding.
    Holds,
    /// It is violated somewhere; for teaching and for bugs not fixed yet.
    Violated,
}

/// Reads `[[invariant]]`.
pub(crate) fn read(root: &Table<'_>, names: &Names) -> Result<Vec<Invariant>, ScenarioError> {
    let mut invariants: Vec<Invariant> = Vec::new();
    for table in root.array_of_tables("invariant", ITEMS_MAX)? {
        table.check_keys(&["name", "when", "expr", "expect"], &[])?;
        let name = table.required_text("name", "\"book equals ledger\"")?;
        if name.value.trim().is_empty() {
            return Err(name.error("`name` is empty; say what should hold"));
        }
        if invariants.iter().any(|other| other.name == name.value) {
            return Err(name.error(format!(
                "there is another invariant `{}`; give one of them another `name`",
                shorten(name.value)
            )));
        }
        let invariant = invariant(&table, name.value, names)?;
        invariants.push(invariant);
    }
    Ok(invariants)
}

fn invariant(table: &Table<'_>, name: &str, names: &Names) -> Result<Invariant, ScenarioError> {
    let when = table.required_text("when", "\"quiescent\"")?;
    let when = choose("`when`", &when, WHEN)?;
    let expect_text = table.text("expect")?;
    let expect = expect_text.as_ref().map_or(Ok(Expect::Holds), |text| choose("`expect`", text, EXPECT))?;
    if let (When::Sometimes, Expect::Violated, Some(text)) = (when, expect, expect_text) {
        return Err(text.error("what is never seen is `when = \"always\"` with `not (...)`; remove `expect`"));
    }
    let text = table.required_text("expr", "\"book == real\"")?;
    let purpose = if when == When::Step { Purpose::Step } else { Purpose::World };
    let expr = Expr::parse_for(text.value, names, purpose).map_err(|error| text.error_at(error.offset, error.text))?;
    Ok(Invariant { name: name.to_string(), when, expr, text: text.value.to_string(), expect, line: table.line() })
}

fn choose<T: Copy>(key: &str, text: &Text<'_>, choices: &[(&str, T)]) -> Result<T, ScenarioError> {
    let found = choices.iter().find(|(name, _)| *name == text.value);
    found.map(|(_, choice)| *choice).ok_or_else(|| {
        let hint = hint(text.value, choices.iter().map(|(name, _)| *name));
        text.error(format!("{key} cannot be `{}`{hint}", shorten(text.value)))
    })
}
