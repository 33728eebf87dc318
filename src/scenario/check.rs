//! `[check]`: the generic oracles of a scenario, which need no expression of the user's.
//!
//! In: the table, and what the scenario has. Out: an [`Invariant`] for each oracle and what it is about (a call, a canister),
//! named `oracle: subject`, so that each is found, counted and replayed like an invariant.
//!
//! Without `[check]`, all of them are on in a scenario that has no `[[invariant]]`, and none in one that has.

use super::calls::CallEntry;
use super::cast::{Canister, Code};
use super::document::{Table, Text};
use super::error::ScenarioError;
use super::expr::{Expr, Purpose};
use super::invariant::{Expect, Invariant, Rule, When};
use super::names::Names;
use super::suggest::{hint, shorten};

/// Most texts of `ignore` and `allow`, and most `conserve`.
const ITEMS_MAX: usize = 64;

const KEYS: &[&str] = &[
    "all",
    "serializable",
    "err_is_noop",
    "probe",
    "no_callback_trap",
    "stop_terminates",
    "all_calls_answered",
    "conserve",
];

/// A property that needs no text from the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Oracle {
    /// Without faults, replies and observations are those of some one-after-the-other order of the same calls.
    Serializable {
        /// Observations that are not compared, by position.
        ignore: Vec<usize>,
        /// Whether replies are compared.
        replies: bool,
    },
    /// A call that runs alone and answers with an error leaves all observations as they were.
    ErrIsNoop {
        /// Indexes of the call entries that call the method.
        entries: Vec<usize>,
        /// Observations that are not compared, by position.
        ignore: Vec<usize>,
    },
    /// At rest, the call answers with no error that it does not answer with in a one-after-the-other execution.
    Probe {
        /// Indexes of the call entries that call the method.
        entries: Vec<usize>,
        /// Texts of errors that are allowed.
        allow: Vec<String>,
    },
    /// No callback of the canister traps, but for injected traps.
    NoCallbackTrap {
        /// Index of the canister.
        canister: usize,
    },
    /// At rest, the canister does not wait without a bound for what never comes, which would keep it from stopping.
    StopTerminates {
        /// Index of the canister.
        canister: usize,
    },
    /// At rest, the call is answered or waits for something that comes, and it is its canister that answers.
    AllCallsAnswered {
        /// Indexes of the call entries that call the method.
        entries: Vec<usize>,
    },
}

impl Oracle {
    /// Whether it compares with executions one after the other.
    pub fn compares(&self) -> bool {
        matches!(self, Oracle::Serializable { .. } | Oracle::ErrIsNoop { .. } | Oracle::Probe { .. })
    }

    /// Whether it says something only of worlds in which nothing is in flight.
    pub fn is_about_rest(&self) -> bool {
        !matches!(self, Oracle::NoCallbackTrap { .. })
    }

    /// What it demands, for reports.
    pub fn text(&self) -> &'static str {
        match self {
            Oracle::Serializable { .. } => {
                "replies and observations are those of some one-after-the-other order of the same calls"
            }
            Oracle::ErrIsNoop { .. } => "a call that answers with an error changes nothing",
            Oracle::Probe { .. } => "at rest, the call fails only as it fails in a one-after-the-other execution",
            Oracle::NoCallbackTrap { .. } => "no callback traps",
            Oracle::StopTerminates { .. } => "at rest, the canister can be stopped",
            Oracle::AllCallsAnswered { .. } => "every call is answered by its canister in the end",
        }
    }
}

/// Reads `[check]`; `invariants` are the scenario's own.
pub(crate) fn read(
    root: &Table<'_>,
    names: &Names,
    calls: &[CallEntry],
    canisters: &[Canister],
    invariants: &[Invariant],
) -> Result<Vec<Invariant>, ScenarioError> {
    let table = root.table("check")?;
    if let Some(table) = &table {
        table.check_keys(KEYS, &[])?;
    }
    let table = table.as_ref();
    let settings = |key: &str, keys: &[&str]| table.map_or(Ok(None), |table| Setting::read(table, key, keys));
    let serializable = settings("serializable", &["ignore", "replies"])?;
    let err_is_noop = settings("err_is_noop", &["ignore"])?;
    let probe = settings("probe", &["allow"])?;
    let others = ["no_callback_trap", "stop_terminates", "all_calls_answered"].map(|key| settings(key, &[]));
    let [no_callback_trap, stop_terminates, all_calls_answered] = others;
    let (no_callback_trap, stop_terminates) = (no_callback_trap?, stop_terminates?);
    let all_calls_answered = all_calls_answered?;
    let conserve = table.map_or(Ok(Vec::new()), |table| conserve(table, names))?;

    let all_settings = [&serializable, &err_is_noop, &probe, &no_callback_trap, &stop_terminates, &all_calls_answered];
    let is_any_named = all_settings.into_iter().flatten().any(|setting| setting.is_on) || !conserve.is_empty();
    let all = match table {
        Some(table) => table.boolean("all")?,
        None => None,
    };
    let default = all.unwrap_or(invariants.is_empty() && !is_any_named);
    let is_on = |setting: &Option<Setting<'_>>| setting.as_ref().map_or(default, |setting| setting.is_on);
    let line = table.map_or_else(|| root.line(), Table::line);
    let methods = methods(calls, canisters);
    let wasm = || canisters.iter().enumerate().filter(|(_, canister)| matches!(canister.code, Code::Wasm(_)));

    let mut found: Vec<Invariant> = conserve;
    let mut add = |name: String, when: When, oracle: Oracle| {
        let text = oracle.text().to_string();
        found.push(Invariant {
            name,
            when,
            rule: Rule::Oracle(oracle),
            text,
            expect: Expect::Holds,
            is_generic: true,
            line,
        });
    };
    if is_on(&no_callback_trap) {
        for (canister, Canister { name, .. }) in wasm() {
            add(format!("no-callback-trap: {name}"), When::Always, Oracle::NoCallbackTrap { canister });
        }
    }
    if is_on(&err_is_noop) {
        let ignore = Setting::observations(&err_is_noop, names)?;
        for (method, entries) in &methods {
            let oracle = Oracle::ErrIsNoop { entries: entries.clone(), ignore: ignore.clone() };
            add(format!("err-is-noop: {method}"), When::Quiescent, oracle);
        }
    }
    if is_on(&serializable) {
        let ignore = Setting::observations(&serializable, names)?;
        let replies = match &serializable {
            Some(Setting { table: Some(table), .. }) => table.boolean("replies")?.unwrap_or(true),
            _ => true,
        };
        add("serializable".to_string(), When::Quiescent, Oracle::Serializable { ignore, replies });
    }
    if is_on(&stop_terminates) {
        for (canister, Canister { name, .. }) in wasm() {
            add(format!("stop-terminates: {name}"), When::Quiescent, Oracle::StopTerminates { canister });
        }
    }
    if is_on(&all_calls_answered) {
        for (method, entries) in &methods {
            let oracle = Oracle::AllCallsAnswered { entries: entries.clone() };
            add(format!("all-calls-answered: {method}"), When::Quiescent, oracle);
        }
    }
    if is_on(&probe) {
        let allow = match &probe {
            Some(Setting { table: Some(table), .. }) => table.texts("allow", ITEMS_MAX)?.unwrap_or_default(),
            _ => Vec::new(),
        };
        let allow: Vec<String> = allow.into_iter().map(|text| text.value.to_string()).collect();
        for (method, entries) in methods {
            let oracle = Oracle::Probe { entries, allow: allow.clone() };
            add(format!("probe: {method}"), When::Quiescent, oracle);
        }
    }
    if let Some(twice) = invariants.iter().find(|own| found.iter().any(|other| other.name == own.name)) {
        let text = format!(
            "the invariant \"{}\" has the name of an oracle of `[check]`; give it another `name`",
            shorten(&twice.name)
        );
        return Err(root.source.error_at_line(twice.line, text));
    }
    Ok(found)
}

/// Each method that is called, with the entries that call it: one bug of it is one finding, whatever the arguments.
fn methods(calls: &[CallEntry], canisters: &[Canister]) -> Vec<(String, Vec<usize>)> {
    let mut methods: Vec<(String, Vec<usize>)> = Vec::new();
    for (entry, call) in calls.iter().enumerate() {
        let name = format!("{}.{}", canisters[call.canister].name, call.method);
        match methods.iter_mut().find(|(known, _)| *known == name) {
            Some((_, entries)) => entries.push(entry),
            None => methods.push((name, vec![entry])),
        }
    }
    methods
}

/// An oracle's value: `true`, `false`, or a table with more, which turns it on.
struct Setting<'a> {
    is_on: bool,
    table: Option<Table<'a>>,
}

impl<'a> Setting<'a> {
    fn read(check: &Table<'a>, key: &str, keys: &[&str]) -> Result<Option<Setting<'a>>, ScenarioError> {
        match check.kind(key) {
            None => Ok(None),
            Some("a boolean") => Ok(check.boolean(key)?.map(|is_on| Setting { is_on, table: None })),
            Some("a table") if !keys.is_empty() => {
                let table = check.table(key)?;
                table.as_ref().map_or(Ok(()), |table| table.check_keys(keys, &[]))?;
                Ok(Some(Setting { is_on: true, table }))
            }
            Some(other) => {
                let table =
                    if keys.is_empty() { String::new() } else { format!(" or a table with `{}`", keys.join("`, `")) };
                Err(check.error_at_key(key, format!("`{key}` must be `true`, `false`{table}, not {other}")))
            }
        }
    }

    fn observations(setting: &Option<Setting<'_>>, names: &Names) -> Result<Vec<usize>, ScenarioError> {
        let Some(Setting { table: Some(table), .. }) = setting else { return Ok(Vec::new()) };
        let find = |text: &Text<'_>| {
            names.observations.iter().position(|name| name == text.value).ok_or_else(|| {
                let known = names.observations.iter().map(String::as_str);
                text.error(format!("unknown observation `{}`{}", shorten(text.value), hint(text.value, known)))
            })
        };
        table.texts("ignore", ITEMS_MAX)?.unwrap_or_default().iter().map(find).collect()
    }
}

/// Reads `conserve`: one table, or a list of them.
fn conserve(check: &Table<'_>, names: &Names) -> Result<Vec<Invariant>, ScenarioError> {
    let tables = match check.kind("conserve") {
        Some("a list") => check.array_of_tables("conserve", ITEMS_MAX)?,
        Some("a boolean") if check.boolean("conserve")? == Some(true) => {
            let text = "`conserve` must say of what: { book = \"book\", real = \"real\" } with names of observations";
            return Err(check.error_at_key("conserve", text));
        }
        Some("a boolean") => Vec::new(),
        _ => check.table("conserve")?.into_iter().collect(),
    };
    let mut found: Vec<Invariant> = Vec::new();
    for table in tables {
        table.check_keys(&["name", "book", "real", "pending"], &[])?;
        let number = |text: Text<'_>| -> Result<String, ScenarioError> {
            // Parsed for itself, so that what is no number is refused at its place.
            Expr::parse_for(text.value, names, Purpose::Amount)
                .map_err(|error| text.error_at(error.offset, error.text))?;
            let is_word = text.value.chars().all(|c| c.is_alphanumeric() || c == '_');
            Ok(if is_word { text.value.to_string() } else { format!("({})", text.value) })
        };
        let book = number(table.required_text("book", "\"book\"")?)?;
        let real = number(table.required_text("real", "\"real\"")?)?;
        let text = match table.text("pending")? {
            None => format!("{book} == {real}"),
            Some(pending) => format!("{book} <= {real} and {real} <= {book} + {}", number(pending)?),
        };
        let name = table.text("name")?;
        let name_text = name.as_ref().map_or("conserve".to_string(), |name| format!("conserve: {}", name.value));
        if found.iter().any(|other| other.name == name_text) {
            return Err(table.error("two `conserve` have one name; give each a `name`"));
        }
        let rule = Expr::parse(&text, names).map_err(|error| table.error(error.text))?;
        found.push(Invariant {
            name: name_text,
            when: When::Quiescent,
            rule: Rule::Expr(rule),
            text,
            expect: Expect::Holds,
            is_generic: true,
            line: table.line(),
        });
    }
    Ok(found)
}
