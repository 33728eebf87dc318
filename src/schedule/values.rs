//! What is chosen when a call starts, as part of the step's name: `{amt=30,to="a b"}`.
//!
//! In: names and texts of values, or the text of a name. Out: [`Values`], and their text. A value that is a plain word of
//! letters, digits and `_ + - .` stands as it is, any other one as a JSON string. What a value means is the scenario's.

use std::fmt;
use std::sync::Arc;

/// Most values of one step.
const VALUES_MAX: usize = 64;

/// Values by name, sorted; none for a step that chooses nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Values(Arc<[(String, String)]>);

impl Values {
    /// These values, in any order.
    pub fn new(mut values: Vec<(String, String)>) -> Values {
        values.sort();
        Values(values.into())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and texts, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Takes the values that a text begins with, if it begins with any; returns the rest.
    pub(super) fn cut(text: &str) -> Result<(Values, &str), &'static str> {
        let Some(mut rest) = text.strip_prefix('{') else { return Ok((Values::default(), text)) };
        let mut values: Vec<(String, String)> = Vec::new();
        loop {
            let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            let (name, value) = rest.split_at(end);
            let value = value.strip_prefix('=').filter(|_| !name.is_empty());
            let (value, after) = one(value.ok_or("values are written as in 0{amt=30}")?)?;
            if values.iter().any(|(other, _)| other == name) {
                return Err("a value is given twice");
            }
            if values.len() == VALUES_MAX {
                return Err("it has too many values");
            }
            values.push((name.to_string(), value));
            match (after.strip_prefix(','), after.strip_prefix('}')) {
                (Some(next), _) => rest = next,
                (None, Some(end)) => return Ok((Values::new(values), end)),
                (None, None) => return Err("values end with }, as in 0{amt=30}"),
            }
        }
    }
}

/// The value that a text begins with, and the rest.
fn one(text: &str) -> Result<(String, &str), &'static str> {
    if !text.starts_with('"') {
        let end = text.find(|c| !is_plain(c)).unwrap_or(text.len());
        if end == 0 {
            return Err("a value is a word, or a text in quotes");
        }
        return Ok((text[..end].to_string(), &text[end..]));
    }
    let mut strings = serde_json::Deserializer::from_str(text).into_iter::<String>();
    match strings.next() {
        Some(Ok(value)) => Ok((value, &text[strings.byte_offset()..])),
        _ => Err("a text in quotes is written as in JSON"),
    }
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

fn is_plain(c: char) -> bool {
    is_name(c) || c == '+' || c == '.'
}

impl fmt::Display for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return Ok(());
        }
        for (at, (name, value)) in self.iter().enumerate() {
            write!(f, "{}{name}=", if at == 0 { '{' } else { ',' })?;
            if !value.is_empty() && value.chars().all(is_plain) {
                f.write_str(value)?;
            } else {
                f.write_str(&serde_json::Value::from(value).to_string())?;
            }
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values(pairs: &[(&str, &str)]) -> Values {
        Values::new(pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect())
    }

    #[test]
    fn values_read_as_they_are_written() {
        for (written, pairs) in [
            ("{amt=30}", vec![("amt", "30")]),
            ("{amt=-1.5e+3,to=alice}", vec![("to", "alice"), ("amt", "-1.5e+3")]),
            (r#"{a="",b="x, y}"}"#, vec![("a", ""), ("b", "x, y}")]),
            (r#"{memo="blob \"\\01\"\n"}"#, vec![("memo", "blob \"\\01\"\n")]),
        ] {
            assert_eq!(values(&pairs).to_string(), written);
            assert_eq!(Values::cut(&format!("{written}s")), Ok((values(&pairs), "s")));
        }
        assert_eq!(Values::cut("s"), Ok((Values::default(), "s")));
        assert_eq!(Values::default().to_string(), "");
    }

    #[test]
    fn what_is_not_values_is_refused() {
        for (text, why) in [
            ("{}", "values are written as in 0{amt=30}"),
            ("{=3}", "values are written as in 0{amt=30}"),
            ("{amt}", "values are written as in 0{amt=30}"),
            ("{amt=}", "a value is a word, or a text in quotes"),
            ("{amt=3", "values end with }, as in 0{amt=30}"),
            ("{amt=3,amt=4}", "a value is given twice"),
            ("{amt=\"3}", "a text in quotes is written as in JSON"),
            ("{amt=3,}", "values are written as in 0{amt=30}"),
        ] {
            assert_eq!(Values::cut(text), Err(why), "{text}");
        }
        let many: Vec<String> = (0..65).map(|at| format!("a{at}=1")).collect();
        assert_eq!(Values::cut(&format!("{{{}}}", many.join(","))), Err("it has too many values"));
    }

    proptest! {
        #[test]
        fn every_value_survives_its_text(pairs in prop::collection::btree_map("[a-z]{1,3}", "\\PC{0,8}|[\\x00-\\x7f]{0,4}", 1..4)) {
            let values = Values::new(pairs.into_iter().collect());
            let text = values.to_string();
            prop_assert!(!text.contains('\n'));
            prop_assert_eq!(Values::cut(&text), Ok((values, "")));
        }
    }
}
