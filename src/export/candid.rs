//! Candid bytes as text that a person can read, with names in place of principals.
//!
//! In: an argument as the scenario has it. Out: Candid text in which `${name}` stands for canisters and actors, because a
//! canister has another id in each installation. The text, read again, gives the same value.

use candid::types::Label;
use candid::types::value::{IDLField, IDLValue, VariantValue};
use candid::{IDLArgs, Principal};

use crate::scenario::{Labels, Scenario};

/// Most bytes of an argument that is written out.
const BYTES_MAX: usize = 64 << 10;

/// Names of a scenario, and the principals that they stand for.
pub struct Names<'a> {
    canisters: Vec<(&'a str, Principal, bool)>,
    actors: Vec<(&'a str, Principal)>,
    labels: &'a Labels,
}

impl<'a> Names<'a> {
    /// Those of this scenario.
    pub fn of(scenario: &'a Scenario) -> Names<'a> {
        let canisters = scenario.canisters.iter();
        let canisters = canisters.map(|canister| (canister.name.as_str(), canister.id, canister.has_automatic_id));
        let actors = scenario.actors.iter().map(|actor| (actor.name.as_str(), actor.id));
        Names { canisters: canisters.collect(), actors: actors.collect(), labels: &scenario.labels }
    }

    /// The name of a principal.
    pub fn name(&self, id: Principal) -> Option<&'a str> {
        let canister = self.canisters.iter().find(|(_, other, _)| *other == id).map(|(name, ..)| *name);
        canister.or_else(|| self.actors.iter().find(|(_, other)| *other == id).map(|(name, _)| *name))
    }

    /// The text of an argument or a reply.
    ///
    /// # Errors
    /// Why it has none, as the end of a sentence that begins with what it is.
    pub fn text(&self, bytes: &[u8]) -> Result<String, String> {
        if bytes.len() > BYTES_MAX {
            return Err(format!("has {} bytes, more than a test that is read by people should", bytes.len()));
        }
        let args = IDLArgs::from_bytes(bytes).map_err(|_| "is not Candid".to_string())?;
        let args = IDLArgs { args: args.args.into_iter().map(|value| self.named(value)).collect() };
        // In a string or a blob it is no name; `\24` is the dollar sign.
        let mut text = one_line(&args.to_string()).replace("${", "\\24{");
        for (name, id) in
            self.canisters.iter().map(|(name, id, _)| (name, id)).chain(self.actors.iter().map(|(name, id)| (name, id)))
        {
            // Within a string, the quotation mark would be behind a backslash.
            text = text.replace(&format!("principal \"{id}\""), &format!("principal \"${{{name}}}\""));
        }
        self.check(&args, &text)?;
        Ok(text)
    }

    /// The text must mean the same, also when canisters have other ids.
    fn check(&self, args: &IDLArgs, text: &str) -> Result<(), String> {
        let read = |id: &dyn Fn(Principal) -> Principal| {
            let mut filled = text.to_string();
            for (name, own, _) in &self.canisters {
                filled = filled.replace(&format!("${{{name}}}"), &id(*own).to_text());
            }
            for (name, own) in &self.actors {
                filled = filled.replace(&format!("${{{name}}}"), &own.to_text());
            }
            candid_parser::parse_idl_args(&filled).map_err(|_| "cannot be written as Candid text".to_string())
        };
        let same = read(&|own| own)?;
        // Printed, since an option without a value is read as null, which a canister takes alike.
        let printed = |args: &IDLArgs| one_line(&args.to_string()).replace("null : null", "null");
        if same.to_bytes().is_err() || printed(&same) != printed(args) {
            return Err("cannot be written as Candid text".to_string());
        }
        let elsewhere = read(&|_| Principal::management_canister())?.to_bytes().unwrap_or_default();
        for (name, id, is_automatic) in &self.canisters {
            if *is_automatic && elsewhere.windows(id.as_slice().len()).any(|part| part == id.as_slice()) {
                return Err(format!("has the id of `{name}` within other bytes, and it has another id on a replica"));
            }
        }
        Ok(())
    }

    /// With the names of fields that the scenario knows.
    fn named(&self, value: IDLValue) -> IDLValue {
        let field = |field: IDLField| {
            let id = match &field.id {
                Label::Id(hash) | Label::Unnamed(hash) => {
                    self.labels.known(*hash).map(|name| Label::Named(name.to_string()))
                }
                Label::Named(_) => None,
            };
            IDLField { id: id.unwrap_or(field.id), val: self.named(field.val) }
        };
        match value {
            IDLValue::Opt(inner) => IDLValue::Opt(Box::new(self.named(*inner))),
            IDLValue::Vec(items) => IDLValue::Vec(items.into_iter().map(|item| self.named(item)).collect()),
            IDLValue::Record(fields) => IDLValue::Record(fields.into_iter().map(field).collect()),
            IDLValue::Variant(VariantValue(variant, at)) => {
                IDLValue::Variant(VariantValue(Box::new(field(*variant)), at))
            }
            other => other,
        }
    }
}

/// Candid's printer breaks lines between parts, never within a string; the lines as one.
fn one_line(text: &str) -> String {
    let mut line = String::new();
    for part in text.lines().map(str::trim) {
        if part.starts_with(')') {
            line.truncate(line.trim_end_matches(',').len());
        } else if part.starts_with('}') {
            line.truncate(line.trim_end_matches(';').len());
        }
        if !line.is_empty() && !line.ends_with('(') && !part.starts_with(')') {
            line.push(' ');
        }
        line.push_str(part);
    }
    line
}
