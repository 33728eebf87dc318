//! Kinds of errors: what is left of an error when the values in it are taken away.
//!
//! In: an answer to a call. Out: whether it is an error, and a text that is the same for the same error about other amounts,
//! ids and people. Two errors of one kind are one reason to fail.

use candid::Principal;

use super::expr::Reply;
use super::value::Value;

impl Reply {
    /// Whether it is a reject, or a reply `variant { Err }` or `variant { err }`.
    pub fn is_error(&self) -> bool {
        match self {
            Reply::Replied(value, _) => value.is_err(),
            Reply::Rejected { .. } => true,
        }
    }

    /// Whether it may say that the call was not made: an error, the reply `false`, or `null` where there could be a value.
    pub fn may_refuse(&self) -> bool {
        let is_nothing = |bytes: &[u8]| bytes == b"DIDL\0\0";
        self.is_error()
            || match self {
                Reply::Replied(Value::Bool(false), _) => true,
                Reply::Replied(Value::Null, bytes) => !is_nothing(bytes),
                _ => false,
            }
    }

    /// The kind of its failure, if it may be one.
    pub fn failure_kind(&self) -> Option<String> {
        match self {
            Reply::Replied(value, _) => self.may_refuse().then(|| kind(value)),
            Reply::Rejected { code, text } => Some(format!("reject {code}: {}", without_values(text))),
        }
    }

    /// The text of its failure, if it may be one: what a canister says and what a person reads.
    pub fn failure_text(&self) -> Option<String> {
        match self {
            Reply::Replied(value, _) => self.may_refuse().then(|| value.to_string()),
            Reply::Rejected { code, text } => Some(format!("reject {code}: {text}")),
        }
    }
}

/// A value without its numbers, ids and bytes.
fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_string(),
        Value::Bool(boolean) => boolean.to_string(),
        Value::Int(_) | Value::Float(_) => "#".to_string(),
        Value::Text(text) => format!("{:?}", without_values(text)),
        Value::Principal(_) => "principal".to_string(),
        Value::Blob(_) => "blob".to_string(),
        Value::List(items) => {
            let mut kinds: Vec<String> = items.iter().map(kind).collect();
            kinds.dedup();
            format!("[{}]", kinds.join(", "))
        }
        Value::Record(fields) => {
            let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name} = {}", kind(value))).collect();
            format!("{{{}}}", fields.join("; "))
        }
        Value::Variant(label, payload) if **payload == Value::Null => label.clone(),
        Value::Variant(label, payload) => format!("{label}({})", kind(payload)),
        Value::Failed(text) => without_values(text),
    }
}

/// A text in which every number is `#` and every principal is `principal`.
fn without_values(text: &str) -> String {
    let is_of_word = |c: char| c.is_alphanumeric() || c == '-';
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| !is_of_word(c)).unwrap_or(rest.len());
        if end == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (word, after) = rest.split_at(end);
        rest = after;
        if word.contains('-') && Principal::from_text(word).is_ok() {
            out.push_str("principal");
            continue;
        }
        // Account identifiers, hashes and signatures.
        if word.len() >= HEX_MIN && word.chars().all(|c| c.is_ascii_hexdigit()) {
            out.push('#');
            continue;
        }
        for c in word.chars() {
            match c.is_ascii_digit() {
                true if out.ends_with('#') => {}
                true => {
                    // A sign, and what groups digits or parts them, belongs to the number.
                    if out.ends_with('-') {
                        out.pop();
                    }
                    let is_inside = out.ends_with(['_', ',', '.', '\'']) && out[..out.len() - 1].ends_with('#');
                    if is_inside {
                        out.pop();
                    } else {
                        out.push('#');
                    }
                }
                false => out.push(c),
            }
        }
    }
    out
}

/// Digits from which on a word in hexadecimal is a number, and no word.
const HEX_MIN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_about_other_amounts_and_people_are_of_one_kind() {
        let rejected = |text: &str| Reply::Rejected { code: 4, text: text.to_string() }.failure_kind().unwrap();
        let anonymous = "2vxsx-fae has 30 of 1_000 left";
        assert_eq!(rejected(anonymous), "reject 4: principal has # of # left");
        assert_eq!(rejected(anonymous), rejected("aaaaa-aa has 7 of 2_000 left"));
        assert_ne!(rejected("busy"), rejected("not enough"));
        assert_eq!(rejected("has 7 left"), rejected("has 1_000_000 left"));
        assert_eq!((rejected("at 12.5 %"), rejected("at -5 %")), (rejected("at 7 %"), rejected("at 7 %")));
        assert_eq!(rejected("no 00ff12ab34cd56ef77"), rejected("no deadbeefdeadbeefdead"));
        assert_ne!(rejected("v1.Busy"), rejected("v1.Low"));
    }

    #[test]
    fn a_reply_that_is_neither_err_nor_false_is_no_failure() {
        let variant = |label: &str, value| Value::Variant(label.to_string(), Box::new(value));
        let reply = |value| Reply::Replied(value, b"DIDL\0\0".to_vec());
        assert!(!reply(Value::Null).may_refuse());
        assert!(Reply::Replied(Value::Null, b"DIDL\x01\x6e\x7d\x01\0\0".to_vec()).may_refuse());
        assert_eq!(reply(variant("Ok", Value::Null)).failure_kind(), None);
        let low = |n: i32| variant("Err", variant("Low", Value::Int(n.into())));
        assert_eq!(reply(low(5)).failure_kind().as_deref(), Some("Err(Low(#))"));
        assert_eq!(reply(low(5)).failure_kind(), reply(low(70)).failure_kind());
        assert_eq!(reply(variant("err", Value::Null)).failure_kind().as_deref(), Some("err"));
        assert_eq!(reply(Value::Bool(true)).failure_kind(), None);
        assert_eq!(
            (reply(Value::Bool(false)).failure_kind().as_deref(), reply(Value::Bool(false)).is_error()),
            (Some("false"), false)
        );
    }
}
