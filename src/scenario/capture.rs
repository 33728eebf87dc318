//! Values that a scenario takes out of replies: `capture.NAME = ".Ok"`.
//!
//! In: the path, and a reply. Out: the value there, if the path leads to one. What it is used for is the template's.

use candid::types::Label;
use candid::types::value::IDLValue;
use candid::{DecoderConfig, IDLArgs};

use super::document::{Item, Table, Text};
use super::error::ScenarioError;
use super::filling::Filling;
use super::names::{Names, check_name};
use super::path::ValuePath;

/// Most captures of one call.
const CAPTURES_MAX: usize = 64;
/// Most work of the decoder for one reply, as for observations.
const DECODE_COST_MAX: usize = 12_000_000;
const UNTYPED_FACTOR: usize = 50;

/// A value that is taken out of the replies of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    /// What it is called; other calls may capture under the same name.
    pub name: String,
    /// Where it is in the first value of a reply; `None`: that value itself.
    pub path: Option<ValuePath>,
}

impl Capture {
    /// The value in these bytes of a reply; `None` if the path leads nowhere, or the value has no text.
    pub fn of(&self, reply: &[u8], names: &Names) -> Option<Filling> {
        let first = first_value(reply)?;
        let value = match &self.path {
            None => Some(&first),
            Some(path) => path.names().try_fold(&first, follow),
        };
        Filling::of_value(value?, names).ok()
    }
}

/// The first value of a reply, with its type; `None` if it has none or is not Candid.
pub fn first_value(reply: &[u8]) -> Option<IDLValue> {
    let mut config = DecoderConfig::new();
    config.set_decoding_quota(DECODE_COST_MAX * UNTYPED_FACTOR).set_skipping_quota(DECODE_COST_MAX);
    IDLArgs::from_bytes_with_config(reply, &config).ok()?.args.into_iter().next()
}

fn follow<'v>(value: &'v IDLValue, name: &str) -> Option<&'v IDLValue> {
    // Replies carry hashes; numbers of tuples are their own.
    let is = |label: &Label| label.get_id() == candid::idl_hash(name) || name.parse() == Ok(label.get_id());
    match value {
        IDLValue::Record(fields) => fields.iter().find(|field| is(&field.id)).map(|field| &field.val),
        IDLValue::Variant(variant) => is(&variant.0.id).then_some(&variant.0.val),
        IDLValue::Vec(items) => items.get(name.parse::<usize>().ok()?),
        // As in observations, `opt x` is `x`.
        IDLValue::Opt(inner) => follow(inner, name),
        _ => None,
    }
}

/// Reads the captures of a call.
pub(crate) fn read(table: &Table<'_>, names: &Names) -> Result<Vec<Capture>, ScenarioError> {
    let Some(captures) = table.table("capture")? else { return Ok(Vec::new()) };
    let one = |(name, item): (Text<'_>, Item<'_>)| {
        check_name(name.value).map_err(|problem| name.error(problem))?;
        if names.principal(name.value).is_ok() {
            return Err(name.error(format!("`{0}` is also an actor or a canister; rename `capture.{0}`", name.value)));
        }
        let Item::Text(path) = item else {
            return Err(name.error(format!("`capture.{}` is a path, such as `\".Ok\"`", name.value)));
        };
        let path = match path.value {
            "." => None,
            text => Some(ValuePath::parse(text).map_err(|(offset, problem)| path.error_at(offset, problem))?),
        };
        Ok(Capture { name: name.value.to_string(), path })
    };
    captures.all_items(CAPTURES_MAX)?.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(path: &str, reply: &str) -> Option<String> {
        let bytes = candid_parser::parse_idl_args(reply).unwrap().to_bytes().unwrap();
        let path = if path == "." { None } else { Some(ValuePath::parse(path).unwrap()) };
        let capture = Capture { name: "it".to_string(), path };
        capture.of(&bytes, &Names::default()).map(|filling| filling.typed)
    }

    #[test]
    fn a_path_leads_to_the_value_with_its_type() {
        assert_eq!(captured(".Ok", "(variant { Ok = 7 : nat })").unwrap(), "(7 : nat)");
        assert_eq!(captured(".Ok.id", "(opt variant { Ok = record { id = 7 : nat32 } })").unwrap(), "(7 : nat32)");
        assert_eq!(captured(".1", "(record { 5 : nat; \"x\" })").unwrap(), "\"x\"");
        assert_eq!(captured(".0", "(vec { true })").unwrap(), "true");
        assert_eq!(captured(".", "(7 : nat64, 8 : nat64)").unwrap(), "(7 : nat64)");
    }

    #[test]
    fn a_path_that_leads_nowhere_captures_nothing() {
        assert_eq!(captured(".Ok", "(variant { Err = 7 : nat })"), None);
        assert_eq!(captured(".Ok", "(5 : nat)"), None);
        assert_eq!(captured(".2", "(vec { true })"), None);
        assert_eq!(captured(".", "()"), None);
        assert_eq!(Capture { name: "it".to_string(), path: None }.of(b"DIDL?", &Names::default()), None);
    }
}
