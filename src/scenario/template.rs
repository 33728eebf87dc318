//! Arguments that are not the same in every call: Candid text in which generated and captured values are filled in.
//!
//! In: `args` with `${name}`, its generators, and later what was captured. Out: each argument with the values that make it.
//! Types are those of the `did`, if there is one; else the text says them, or a value has its own. Left out: who may use
//! which captured value, which the engine decides.

use std::collections::{BTreeMap, BTreeSet};

use candid::types::value::IDLValue;

use super::candid_text::{self, Problem};
use super::filling::Filling;
use super::generate::Odometer;
use super::generator::{Generator, VARIANTS_MAX};
use super::interface::MethodTypes;
use super::names::Names;
use super::suggest::shorten;

/// Values by the names they were captured under.
pub type Captured = BTreeMap<String, Vec<Filling>>;

/// Names and labels of the values that make an argument, and its Candid bytes.
pub type Made = (Vec<(String, String)>, Vec<u8>);

/// An argument that is put together when the call starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pub(super) text: String,
    pub(super) names: Names,
    pub(super) types: Option<MethodTypes>,
    pub(super) generators: Vec<Generator>,
    /// Names of captured values, in order of appearance.
    captured: Vec<String>,
    /// Line and column of the text, from 1.
    pub place: (usize, usize),
}

impl Template {
    /// A text with these generators; `captured` are the names of values that it may use.
    pub(crate) fn new(
        text: &str,
        names: &Names,
        types: Option<MethodTypes>,
        generators: Vec<Generator>,
        captured: &[String],
        place: (usize, usize),
    ) -> Template {
        let used = candid_text::names_used(text);
        let mut own: Vec<String> = Vec::new();
        for name in used.iter().filter(|name| captured.contains(name)) {
            if !own.contains(name) {
                own.push(name.clone());
            }
        }
        let names = Names { actors: names.actors.clone(), canisters: names.canisters.clone(), ..Names::default() };
        Template { text: text.to_string(), names, types, generators, captured: own, place }
    }

    /// A generator that the text does not use.
    pub(crate) fn unused(&self) -> Option<&str> {
        let used: BTreeSet<String> = candid_text::names_used(&self.text).into_iter().collect();
        self.generators.iter().map(|generator| generator.name.as_str()).find(|name| !used.contains(*name))
    }

    /// Checks what can be checked before anything is captured: names, and where nothing is captured, every argument.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        if self.captured.is_empty() {
            return self.variants_at(&Captured::new()).map(drop);
        }
        let generated = self.generators.iter().map(|generator| generator.name.as_str());
        candid_text::check_names(&self.text, &self.names, generated.chain(self.captured.iter().map(String::as_str)))
    }

    /// How many arguments its generators make.
    pub(crate) fn count(&self) -> usize {
        self.generators.iter().map(|generator| generator.fillings.len()).fold(1, usize::saturating_mul)
    }

    /// Names of the captured values that it needs.
    pub fn captured(&self) -> &[String] {
        &self.captured
    }

    /// The same with the values of its generators, now that it is known what canisters have given.
    ///
    /// # Errors
    /// If a type has no values.
    pub fn settled(&self, seed: u64, known: &[IDLValue]) -> Result<Template, String> {
        let settled = self.generators.iter().map(|generator| generator.settled(&self.names, seed, known));
        Ok(Template { generators: settled.collect::<Result<_, _>>()?, ..self.clone() })
    }

    /// Every argument, no two equal ones, with the values that make it; none if a captured value is missing.
    ///
    /// # Errors
    /// If there are too many, or one is not Candid of the right type.
    pub fn variants(&self, captured: &Captured) -> Result<Vec<Made>, String> {
        self.variants_at(captured).map_err(|(_, problem)| problem)
    }

    /// Likewise, with the byte of the text where a problem is.
    pub(crate) fn variants_at(&self, captured: &Captured) -> Result<Vec<Made>, Problem> {
        let empty = Vec::new();
        let mut lists: Vec<(&str, &[Filling])> =
            self.generators.iter().map(|generator| (generator.name.as_str(), &generator.fillings[..])).collect();
        lists.extend(self.captured.iter().map(|name| (name.as_str(), &captured.get(name).unwrap_or(&empty)[..])));
        let count = lists.iter().map(|(_, list)| list.len()).fold(1, usize::saturating_mul);
        if count > VARIANTS_MAX {
            return Err((0, too_many(count)));
        }
        let interface = self.types.as_ref().map(MethodTypes::interface);
        let mut variants: Vec<Made> = Vec::new();
        for chosen in Odometer::new(lists.iter().map(|(_, list)| list.len()).collect()) {
            let fillings: Vec<(&str, &Filling)> =
                lists.iter().zip(chosen).map(|((name, list), at)| (*name, &list[at])).collect();
            let signature = match (&interface, &self.types) {
                (Some(did), Some(types)) => Some(did.method(types.name()).map_err(|problem| (0, problem))?.0),
                _ => None,
            };
            let values: Vec<(String, String)> =
                fillings.iter().map(|(name, value)| (name.to_string(), value.label.clone())).collect();
            let bytes = candid_text::encode_str(&self.text, &self.names, &fillings, signature);
            let bytes = bytes.map_err(|(offset, problem)| {
                let with: Vec<String> =
                    values.iter().map(|(name, value)| format!("`{name} = {}`", shorten(value))).collect();
                (offset, format!("with {}: {problem}", with.join(", ")))
            })?;
            if variants.iter().all(|(_, other)| *other != bytes) {
                variants.push((values, bytes));
            }
        }
        Ok(variants)
    }

    /// The text with these values in place of their names, for people.
    pub fn shown<'a>(&self, values: impl Iterator<Item = (&'a str, &'a str)>) -> String {
        let mut text = self.text.clone();
        for (name, value) in values {
            text = text.replace(&format!("${{{name}}}"), value);
        }
        text
    }
}

/// What is said of so many arguments of one call.
pub(crate) fn too_many(count: usize) -> String {
    format!("{count} arguments of one call, at most {VARIANTS_MAX} are possible; try fewer values")
}
