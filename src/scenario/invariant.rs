//! Invariants of a scenario: when they are checked, what they say, and what is expected of them.

use std::fmt;
use std::sync::Arc;

use candid::Principal;

use super::check::Oracle;
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
    /// What it demands.
    pub rule: Rule,
    /// That as a text: the expression as the file has it.
    pub text: String,
    /// Whether it should hold.
    pub expect: Expect,
    /// Whether it comes from `[check]`.
    pub is_generic: bool,
    /// Line of the file, from 1.
    pub line: usize,
}

impl Invariant {
    /// Its expression, if it has one.
    pub fn expr(&self) -> Option<&Expr> {
        match &self.rule {
            Rule::Expr(expr) => Some(expr),
            Rule::Oracle(_) | Rule::Closure(_) => None,
        }
    }

    /// The generic oracle that it is, if it is one with a verdict of its own.
    pub fn oracle(&self) -> Option<&Oracle> {
        match &self.rule {
            Rule::Expr(_) | Rule::Closure(_) => None,
            Rule::Oracle(oracle) => Some(oracle),
        }
    }
}

/// What an invariant demands.
#[derive(Clone, Debug)]
pub enum Rule {
    /// That an expression is true.
    Expr(Expr),
    /// What a generic oracle says.
    Oracle(Oracle),
    /// What a closure of the Rust API says.
    Closure(Closure),
}

/// What an invariant in Rust may ask of a world.
pub trait Ask {
    /// What a query of this canister replies in this world, run on a copy.
    ///
    /// # Errors
    /// If there is no such canister, or the query is rejected or traps.
    fn query(&mut self, canister: &Principal, method: &str, arg: &[u8]) -> Result<Vec<u8>, String>;

    /// Whether nothing has to happen.
    fn is_quiet(&self) -> bool;

    /// Faults so far.
    fn faulted(&self) -> u32;

    /// Replies to the calls of this id so far, as Candid.
    fn replies(&self, id: &str) -> Vec<Vec<u8>>;
}

/// Whether an invariant in Rust holds in a world, or why not.
pub type Holds = dyn Fn(&mut dyn Ask) -> Result<(), String> + Send + Sync;

/// An invariant in Rust.
#[derive(Clone)]
pub struct Closure(pub Arc<Holds>);

impl fmt::Debug for Closure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Closure")
    }
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
        if name.value.contains(char::is_control) {
            return Err(name.error("`name` has a line break or another control character; it is one line"));
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
    let rule = Rule::Expr(expr);
    Ok(Invariant {
        name: name.to_string(),
        when,
        rule,
        text: text.value.to_string(),
        expect,
        is_generic: false,
        line: table.line(),
    })
}

fn choose<T: Copy>(key: &str, text: &Text<'_>, choices: &[(&str, T)]) -> Result<T, ScenarioError> {
    let found = choices.iter().find(|(name, _)| *name == text.value);
    found.map(|(_, choice)| *choice).ok_or_else(|| {
        let hint = hint(text.value, choices.iter().map(|(name, _)| *name));
        text.error(format!("{key} cannot be `{}`{hint}", shorten(text.value)))
    })
}
