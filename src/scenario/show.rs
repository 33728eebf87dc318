//! Values as people read them in reports: short, one line, no widths of integers.

use std::collections::BTreeMap;
use std::fmt;

use super::value::Value;

/// Longest text and longest blob that [`Value`] prints in full; of lists and records, the most entries.
const SHOWN_CHARS: usize = 80;
const SHOWN_BYTES: usize = 32;
const SHOWN_ITEMS: usize = 16;

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(b) => write!(f, "{b}"),
            Value::Int(n) => write!(f, "{n}"),
            Value::Float(bits) => write!(f, "{:?}", f64::from_bits(*bits)),
            Value::Text(text) => match text.char_indices().nth(SHOWN_CHARS) {
                Some((end, _)) => write!(f, "{:?}...", &text[..end]),
                None => write!(f, "{text:?}"),
            },
            Value::Principal(id) => write!(f, "{id}"),
            // Bytes that are text, such as the body of an HTTP response, are read more easily as text.
            Value::Blob(bytes) if !bytes.is_empty() && bytes.iter().all(is_printable) => {
                write!(f, "b{}", Value::Text(String::from_utf8_lossy(bytes).into_owned()))
            }
            Value::Blob(bytes) => {
                f.write_str("0x")?;
                bytes.iter().take(SHOWN_BYTES).try_for_each(|byte| write!(f, "{byte:02x}"))?;
                if bytes.len() > SHOWN_BYTES { write!(f, "... ({} bytes)", bytes.len()) } else { Ok(()) }
            }
            Value::List(items) => {
                f.write_str("[")?;
                separated(f, items.len(), items.iter(), |f, item| write!(f, "{item}"))?;
                f.write_str("]")
            }
            Value::Record(fields) => record(f, fields),
            Value::Variant(label, payload) => match payload.as_ref() {
                Value::Null => f.write_str(label),
                payload => write!(f, "{label}({payload})"),
            },
            Value::Failed(reason) => write!(f, "failed: {reason}"),
        }
    }
}

fn is_printable(byte: &u8) -> bool {
    matches!(byte, b' '..=b'~')
}

fn record(f: &mut fmt::Formatter<'_>, fields: &BTreeMap<String, Value>) -> fmt::Result {
    let tuple: Option<Vec<&Value>> = (0..fields.len()).map(|i| fields.get(&i.to_string())).collect();
    match tuple {
        Some(items) if !items.is_empty() => {
            f.write_str("(")?;
            separated(f, items.len(), items.into_iter(), |f, item| write!(f, "{item}"))?;
            f.write_str(")")
        }
        _ => {
            f.write_str("{")?;
            separated(f, fields.len(), fields.iter(), |f, (name, value)| write!(f, "{name} = {value}"))?;
            f.write_str("}")
        }
    }
}

fn separated<T>(
    f: &mut fmt::Formatter<'_>,
    len: usize,
    items: impl Iterator<Item = T>,
    mut show: impl FnMut(&mut fmt::Formatter<'_>, T) -> fmt::Result,
) -> fmt::Result {
    for (i, item) in items.take(SHOWN_ITEMS).enumerate() {
        if i > 0 {
            f.write_str(", ")?;
        }
        show(f, item)?;
    }
    if len > SHOWN_ITEMS { write!(f, ", ... ({len} in all)") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Value {
        let args = candid_parser::parse_idl_args(text).unwrap();
        Value::decode(&args.to_bytes().unwrap()).unwrap()
    }

    #[test]
    fn a_value_prints_short_and_human() {
        let text = r#"(record { owner = principal "aaaaa-aa"; subaccount = null; amount = opt (5 : nat) })"#;
        assert_eq!(of(text).to_string(), "{amount = 5, owner = aaaaa-aa, subaccount = null}");
        assert_eq!(of(r#"(variant { Ok = 5 : nat64 })"#).to_string(), "Ok(5)");
        assert_eq!(of(r#"(variant { Err })"#).to_string(), "Err");
        assert_eq!(of(r#"(record { "a"; 2; true })"#).to_string(), r#"("a", 2, true)"#);
        assert_eq!(of(r#"(record { somewhere = 2 })"#).to_string(), "{1874520179 = 2}");
        assert_eq!(of(r#"(blob "\01\ff")"#).to_string(), "0x01ff");
        assert_eq!(of(r#"(blob "{ \"price\": 7 }")"#).to_string(), r#"b"{ \"price\": 7 }""#);
        assert_eq!(of("(vec { 1; 2 })").to_string(), "[1, 2]");
        assert_eq!(of("(1.5)").to_string(), "1.5");
        assert_eq!(of("()"), Value::Null);
        assert_eq!(Value::Failed("trapped".into()).to_string(), "failed: trapped");
        assert_eq!(Value::List(vec![Value::Null; 20]).to_string().matches("null").count(), 16);
        assert!(Value::Text("é".repeat(200)).to_string().ends_with("é\"..."));
    }
}
