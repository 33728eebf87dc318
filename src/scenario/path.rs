//! Paths into a value: `.total_assets`, `.Ok.0`; what `path =` of an observation and `it.reply.x` of an expression follow.
//!
//! A step names a record's field, a variant's label (and leads to its payload) or a position of a tuple or list. Names
//! are also tried by their Candid hash, because a reply carries hashes only. Left out: filters and wildcards.

use super::value::Value;

/// Most steps of one path.
const STEPS_MAX: usize = 32;

/// A parsed path, such as `.Ok.balance`; at least one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValuePath(Vec<Step>);

/// One step of a path: a name, and the text of its Candid hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    name: String,
    hash: String,
}

impl Step {
    pub(crate) fn new(name: &str) -> Step {
        Step { name: name.to_string(), hash: candid::idl_hash(name).to_string() }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What this step leads to, starting at `value`.
    pub(crate) fn follow<'v>(&self, value: &'v Value) -> Result<&'v Value, String> {
        match value {
            Value::Record(fields) => match fields.get(&self.name).or_else(|| fields.get(&self.hash)) {
                Some(value) => Ok(value),
                None => Err(format!("no field `{}` in {value}", self.name)),
            },
            Value::Variant(label, payload) if *label == self.name || *label == self.hash => Ok(payload),
            Value::Variant(..) => Err(format!("the variant is {value}, not `{}`", self.name)),
            Value::List(items) => match self.name.parse::<usize>() {
                Ok(i) => items.get(i).ok_or_else(|| format!("no item {i} in a list of {}", items.len())),
                Err(_) => Err(format!("no field `{}` in a list", self.name)),
            },
            Value::Failed(reason) => Err(reason.clone()),
            other => Err(format!("no field `{}` in {} ({other})", self.name, other.kind())),
        }
    }
}

impl ValuePath {
    /// Reads a path as it is written in a scenario: each step is a dot and a name or a number.
    ///
    /// # Errors
    /// The byte offset of the problem and its text.
    pub fn parse(text: &str) -> Result<ValuePath, (usize, String)> {
        let Some(rest) = text.strip_prefix('.') else {
            return Err((
                0,
                format!("a path starts with a dot, as in `.{}`", if text.is_empty() { "Ok" } else { text }),
            ));
        };
        let mut steps = Vec::new();
        let mut offset = 1;
        for name in rest.split('.') {
            let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
            if name.is_empty() || !name.chars().all(is_name) {
                return Err((
                    offset,
                    format!("`{name}` is not a name; write a path such as `.total_assets`, `.Ok` or `.0`"),
                ));
            }
            if steps.len() == STEPS_MAX {
                return Err((offset, format!("a path has at most {STEPS_MAX} steps")));
            }
            offset += name.len() + 1;
            steps.push(Step::new(name));
        }
        Ok(ValuePath(steps))
    }

    /// The value this path leads to, starting at `value`.
    ///
    /// # Errors
    /// As [`Value::at`].
    pub fn follow<'v>(&self, value: &'v Value) -> Result<&'v Value, String> {
        self.0.iter().try_fold(value, |value, step| step.follow(value))
    }

    /// The names of the steps, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(Step::name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, path: &str) -> Result<String, String> {
        let bytes = candid_parser::parse_idl_args(text).unwrap().to_bytes().unwrap();
        Value::decode(&bytes)?.at(&ValuePath::parse(path).map_err(|(_, text)| text)?).map(|value| value.to_string())
    }

    #[test]
    fn a_path_leads_through_records_variants_tuples_and_lists() {
        let text = r#"(variant { Ok = record { total_assets = vec { record { 7; "x" } } } })"#;
        assert_eq!(at(text, ".Ok.total_assets.0.1").unwrap(), "\"x\"");
        assert_eq!(at(text, ".Ok.total_assets").unwrap(), "[(7, \"x\")]");
    }

    #[test]
    fn a_path_that_leads_nowhere_says_what_was_there() {
        assert_eq!(at("(record { 1; 2 })", ".a").unwrap_err(), "no field `a` in (1, 2)");
        assert_eq!(at("(variant { Err = 3 })", ".Ok").unwrap_err(), "the variant is Err(3), not `Ok`");
        assert_eq!(at("(vec { 1 })", ".3").unwrap_err(), "no item 3 in a list of 1");
        assert_eq!(at("(vec { 1 })", ".a").unwrap_err(), "no field `a` in a list");
        assert_eq!(at("(5)", ".a").unwrap_err(), "no field `a` in an integer (5)");
        let failed = Value::Failed("trapped".into());
        assert_eq!(failed.at(&ValuePath::parse(".a").unwrap()).unwrap_err(), "trapped");
    }

    #[test]
    fn what_is_not_a_path_is_refused_at_its_place() {
        let write = "is not a name; write a path such as `.total_assets`, `.Ok` or `.0`";
        assert_eq!(ValuePath::parse("Ok").unwrap_err(), (0, "a path starts with a dot, as in `.Ok`".into()));
        assert_eq!(ValuePath::parse("").unwrap_err(), (0, "a path starts with a dot, as in `.Ok`".into()));
        assert_eq!(ValuePath::parse(".a..b").unwrap_err(), (3, format!("`` {write}")));
        assert_eq!(ValuePath::parse(".a[0]").unwrap_err(), (1, format!("`a[0]` {write}")));
        assert_eq!(ValuePath::parse(&".a".repeat(33)).unwrap_err(), (65, "a path has at most 32 steps".into()));
    }
}
