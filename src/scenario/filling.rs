//! What may stand for a `${name}` that is not an actor or a canister: a value as Candid text.
//!
//! In: a text of the scenario, or a value of Candid. Out: a [`Filling`], which knows how it is written in each place. Left
//! out: which values there are (`generator`, `generate`, `capture`), and which place it is (`candid_text`).

use std::fmt::Write as _;

use candid::types::Label;
use candid::types::value::IDLValue;

use super::names::Names;

/// A value that an argument may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filling {
    /// What the name of a step calls it.
    pub label: String,
    /// Candid text that takes its type from what is around it.
    pub(crate) plain: String,
    /// Candid text with the type of each number.
    pub(crate) typed: String,
    /// What stands inside a text or `principal "..."`.
    pub(crate) quoted: String,
}

impl Filling {
    /// A text of the scenario: Candid, or the name of an actor or a canister, which stands for its principal.
    pub(crate) fn of_text(text: &str, names: &Names) -> Filling {
        let (plain, quoted) = match names.principal(text) {
            Ok(id) => (format!("principal \"{id}\""), id.to_text()),
            Err(_) => (text.to_string(), text.to_string()),
        };
        Filling { label: text.to_string(), typed: plain.clone(), plain, quoted }
    }

    /// A value; principals of actors and canisters are called by their names.
    ///
    /// # Errors
    /// If Candid has no text for it.
    pub(crate) fn of_value(value: &IDLValue, names: &Names) -> Result<Filling, String> {
        let (mut plain, mut typed) = (String::new(), String::new());
        write(value, false, &mut plain)?;
        write(value, true, &mut typed)?;
        let (label, quoted) = match value {
            IDLValue::Principal(id) | IDLValue::Service(id) => {
                let known = names.actors.iter().chain(&names.canisters).find(|(_, other)| other == id);
                (known.map_or_else(|| id.to_text(), |(name, _)| name.clone()), id.to_text())
            }
            IDLValue::Text(text) => (text.clone(), escaped(text)),
            _ => (plain.clone(), plain.clone()),
        };
        Ok(Filling { label, plain, typed, quoted })
    }

    /// A whole list of arguments.
    ///
    /// # Errors
    /// As [`Filling::of_value`].
    pub(crate) fn of_arguments(values: &[IDLValue]) -> Result<Filling, String> {
        let mut plain = String::from("(");
        for (at, value) in values.iter().enumerate() {
            plain.push_str(if at == 0 { "" } else { ", " });
            write(value, false, &mut plain)?;
        }
        plain.push(')');
        Ok(Filling { label: plain.clone(), typed: plain.clone(), quoted: plain.clone(), plain })
    }

    /// The values once each, smaller ones first; equal labels of different values are told apart by their types.
    pub fn sorted(mut values: Vec<Filling>) -> Vec<Filling> {
        values.sort_by(|a, b| (a.typed.len(), &a.typed).cmp(&(b.typed.len(), &b.typed)));
        values.dedup_by(|a, b| a.typed == b.typed);
        let labels: Vec<String> = values.iter().map(|value| value.label.clone()).collect();
        for value in &mut values {
            if labels.iter().filter(|label| **label == value.label).count() > 1 {
                value.label.clone_from(&value.typed);
            }
        }
        values
    }
}

/// Writes a value as Candid text that the parser reads back.
fn write(value: &IDLValue, typed: bool, out: &mut String) -> Result<(), String> {
    let mut number = |digits: String, ty: &str| {
        if typed {
            let _ = write!(out, "({digits} : {ty})");
        } else {
            out.push_str(&digits);
        }
    };
    match value {
        IDLValue::Number(digits) => out.push_str(digits),
        IDLValue::Int(n) => number(n.0.to_string(), "int"),
        IDLValue::Nat(n) => number(n.0.to_string(), "nat"),
        IDLValue::Nat8(n) => number(n.to_string(), "nat8"),
        IDLValue::Nat16(n) => number(n.to_string(), "nat16"),
        IDLValue::Nat32(n) => number(n.to_string(), "nat32"),
        IDLValue::Nat64(n) => number(n.to_string(), "nat64"),
        IDLValue::Int8(n) => number(n.to_string(), "int8"),
        IDLValue::Int16(n) => number(n.to_string(), "int16"),
        IDLValue::Int32(n) => number(n.to_string(), "int32"),
        IDLValue::Int64(n) => number(n.to_string(), "int64"),
        IDLValue::Float32(n) if n.is_finite() => number(format!("{n:?}"), "float32"),
        IDLValue::Float64(n) if n.is_finite() => number(format!("{n:?}"), "float64"),
        IDLValue::Float32(_) | IDLValue::Float64(_) => return Err("a float that is not finite has no text".to_string()),
        IDLValue::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        IDLValue::Null | IDLValue::None => out.push_str("null"),
        IDLValue::Reserved if typed => out.push_str("(null : reserved)"),
        IDLValue::Reserved => out.push_str("null"),
        IDLValue::Text(text) => {
            let _ = write!(out, "\"{}\"", escaped(text));
        }
        IDLValue::Blob(bytes) => {
            out.push_str("blob \"");
            bytes.iter().for_each(|byte| {
                let _ = write!(out, "\\{byte:02x}");
            });
            out.push('"');
        }
        IDLValue::Principal(id) => {
            let _ = write!(out, "principal \"{id}\"");
        }
        IDLValue::Service(id) => {
            let _ = write!(out, "service \"{id}\"");
        }
        IDLValue::Func(id, method) => {
            let _ = write!(out, "func \"{id}\".\"{}\"", escaped(method));
        }
        IDLValue::Opt(inner) => {
            out.push_str("opt ");
            write(inner, typed, out)?;
        }
        IDLValue::Vec(items) => {
            out.push_str("vec { ");
            for item in items {
                write(item, typed, out)?;
                out.push_str("; ");
            }
            out.push('}');
        }
        IDLValue::Record(fields) => {
            out.push_str("record { ");
            for field in fields {
                write_label(&field.id, out);
                out.push_str(" = ");
                write(&field.val, typed, out)?;
                out.push_str("; ");
            }
            out.push('}');
        }
        IDLValue::Variant(variant) => {
            out.push_str("variant { ");
            write_label(&variant.0.id, out);
            if variant.0.val != IDLValue::Null {
                out.push_str(" = ");
                write(&variant.0.val, typed, out)?;
            }
            out.push_str(" }");
        }
    }
    Ok(())
}

fn write_label(label: &Label, out: &mut String) {
    let _ = match label {
        Label::Named(name) if is_plain(name) => write!(out, "{name}"),
        Label::Named(name) => write!(out, "\"{}\"", escaped(name)),
        Label::Id(id) | Label::Unnamed(id) => write!(out, "{id}"),
    };
}

/// Whether a name of a field needs no quotes; words of the grammar need them.
fn is_plain(name: &str) -> bool {
    const WORDS: &[&str] = &[
        "null",
        "opt",
        "vec",
        "record",
        "variant",
        "func",
        "service",
        "oneway",
        "query",
        "composite_query",
        "blob",
        "type",
        "import",
        "principal",
        "true",
        "false",
    ];
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !WORDS.contains(&name)
}

/// A text as it stands between the quotes of Candid.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use candid::IDLArgs;

    fn value(text: &str) -> IDLValue {
        let bytes = candid_parser::parse_idl_args(text).unwrap().to_bytes().unwrap();
        IDLArgs::from_bytes(&bytes).unwrap().args.remove(0)
    }

    fn bytes(text: &str) -> Vec<u8> {
        candid_parser::parse_idl_args(&format!("({text})")).unwrap().to_bytes().unwrap()
    }

    #[test]
    fn every_kind_of_value_is_written_so_that_it_reads_back() {
        for text in [
            "(7 : nat)",
            "(-7 : int)",
            "(255 : nat8)",
            "(18446744073709551615 : nat64)",
            "(-5 : int16)",
            "(1.5 : float64)",
            "(0.25 : float32)",
            "(true)",
            "(null)",
            "(opt opt (3 : nat32))",
            "(\"a\\\"b\\\\c\\nd\\u{1}é\")",
            "(blob \"\\00\\ff\")",
            "(principal \"aaaaa-aa\")",
            "(service \"aaaaa-aa\")",
            "(func \"aaaaa-aa\".\"a b\")",
            "(vec { 1 : nat; 2 })",
            "(record { a = 1 : nat; \"b c\" = record { 5 : nat8; \"x\" } })",
            "(variant { Ok = 3 : nat })",
            "(variant { None })",
        ] {
            let value = value(text);
            let filling = Filling::of_value(&value, &Names::default()).unwrap();
            assert_eq!(bytes(&filling.typed), IDLArgs { args: vec![value] }.to_bytes().unwrap(), "{}", filling.typed);
        }
        let infinite = Filling::of_value(&IDLValue::Float64(f64::INFINITY), &Names::default());
        assert_eq!(infinite.unwrap_err(), "a float that is not finite has no text");
    }

    #[test]
    fn labels_are_plain_and_principals_of_the_scenario_have_names() {
        let alice = candid::Principal::from_slice(&[1]);
        let names = Names { actors: vec![("alice".into(), alice)], ..Names::default() };
        let label = |value: IDLValue| Filling::of_value(&value, &names).unwrap().label;
        assert_eq!(label(IDLValue::Nat64(7)), "7");
        assert_eq!(label(IDLValue::Text("a b".into())), "a b");
        assert_eq!(label(IDLValue::Principal(alice)), "alice");
        assert_eq!(label(IDLValue::Principal(candid::Principal::anonymous())), "2vxsx-fae");
        assert_eq!(
            Filling::of_text("alice", &names).plain,
            "principal \"fucc4-taa\"".replace("fucc4-taa", &alice.to_text())
        );
        assert_eq!(Filling::of_text("(5 : nat)", &names).plain, "(5 : nat)");
    }

    #[test]
    fn captured_values_come_once_and_in_order() {
        let of = |text: &str| Filling::of_value(&value(text), &Names::default()).unwrap();
        let sorted = Filling::sorted(vec![of("(10 : nat)"), of("(9 : nat)"), of("(10 : nat)"), of("(9 : int)")]);
        let labels: Vec<&str> = sorted.iter().map(|filling| filling.label.as_str()).collect();
        assert_eq!(labels, ["(9 : int)", "(9 : nat)", "10"]);
    }
}
