//! Values as observations and replies give them: exact, ordered, comparable, without Candid's widths.
//!
//! In go the bytes of a Candid reply, out comes one [`Value`] or a text that says why there is none. Decoding is untyped
//! and bounded, since a canister may answer anything: `nat8` and `nat` become the same integer, `opt x` becomes `x` or
//! null, and a field whose name is not known keeps its hash as its name. Left out: encoding (see `candid_text`), and
//! anything that compares more than one value (see `expr`).

use std::collections::BTreeMap;

use candid::types::Label;
use candid::types::value::IDLValue;
use candid::{DecoderConfig, IDLArgs, Principal};
use num_bigint::BigInt;

use super::path::ValuePath;

/// Most work one reply may cost, in the units of [`DecoderConfig::set_skipping_quota`]: a blob of 2 MB fits.
const DECODE_COST_MAX: usize = 12_000_000;
/// The decoder counts 50 units of its other quota for a value whose type it does not know.
const UNTYPED_FACTOR: usize = 50;
/// Most values in one reply, nested ones included; a blob is one.
const VALUES_MAX: usize = 250_000;
/// Most entries in the type table of a reply.
const TYPES_MAX: usize = 2_000;
/// Most bits of an integer: arithmetic and printing must stay cheap whatever a canister answers.
const INTEGER_BITS_MAX: u64 = 4096;
/// Deepest nesting of a value; deeper replies are refused, whatever the stack would bear.
const DEPTH_MAX: usize = 100;

/// A value of Candid, exact; integers of every width are one kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// `null`, `reserved`, an absent option, or a reply without a value.
    Null,
    /// A boolean.
    Bool(bool),
    /// Every `nat` and `int`, of any width.
    Int(BigInt),
    /// The bits of an `f64`; an `f32` is widened, which is exact.
    Float(u64),
    /// A text, or a `func` reference written as `principal.method`.
    Text(String),
    /// A principal, or a service reference.
    Principal(Principal),
    /// A `vec nat8`.
    Blob(Vec<u8>),
    /// Any other `vec`.
    List(Vec<Value>),
    /// A record by field name; tuples have the names `0`, `1`, ..., unknown names are the decimal hash.
    Record(BTreeMap<String, Value>),
    /// A variant's label and payload; no payload is [`Value::Null`].
    Variant(String, Box<Value>),
    /// The getter trapped or was refused, with the reason.
    Failed(String),
}

/// Names of fields, by the hash that stands for them on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels(BTreeMap<u32, String>);

impl Labels {
    /// Names that nearly every canister uses; others stay numbers until they are [added](Labels::add).
    pub fn common() -> Labels {
        let mut labels = Labels(BTreeMap::new());
        for name in [
            "Ok",
            "Err",
            "ok",
            "err",
            "owner",
            "subaccount",
            "amount",
            "balance",
            // The token standards ICRC-1 and ICRC-2.
            "to",
            "from",
            "fee",
            "memo",
            "created_at_time",
            "from_subaccount",
            "spender",
            "spender_subaccount",
            "expected_allowance",
            "expires_at",
            "allowance",
            "BadFee",
            "BadBurn",
            "InsufficientFunds",
            "InsufficientAllowance",
            "AllowanceChanged",
            "Expired",
            "TooOld",
            "CreatedInFuture",
            "Duplicate",
            "TemporarilyUnavailable",
            "GenericError",
            "expected_fee",
            "min_burn_amount",
            "current_allowance",
            "ledger_time",
            "duplicate_of",
            "error_code",
            "message",
            // The management canister.
            "canister_id",
            "settings",
            "controllers",
            "status",
            "mode",
            "wasm_module",
            "arg",
            "url",
            "method",
            "get",
            "head",
            "post",
            "headers",
            "body",
            "transform",
            "function",
            "context",
            "max_response_bytes",
            "is_replicated",
            "key_id",
            "derivation_path",
            "message_hash",
            "signature",
            "public_key",
        ] {
            labels.add(name);
        }
        labels
    }

    /// Makes `name` known, unless another name already has its hash.
    pub fn add(&mut self, name: &str) {
        self.0.entry(candid::idl_hash(name)).or_insert_with(|| name.to_string());
    }

    /// The name of a field of this hash.
    pub(crate) fn known(&self, hash: u32) -> Option<&str> {
        self.0.get(&hash).map(String::as_str)
    }

    fn name(&self, label: &Label) -> String {
        match label {
            Label::Named(name) => name.clone(),
            Label::Id(hash) | Label::Unnamed(hash) => self.0.get(hash).cloned().unwrap_or_else(|| hash.to_string()),
        }
    }
}

impl Default for Labels {
    fn default() -> Labels {
        Labels::common()
    }
}

impl Value {
    /// The first value of a Candid reply; a reply without one is [`Value::Null`].
    ///
    /// # Errors
    /// The reply is not Candid, nests deeper than 100 levels, or costs more than the decoder's quota. Never panics.
    pub fn decode(reply: &[u8]) -> Result<Value, String> {
        Value::decode_with(reply, &Labels::common())
    }

    /// [`Value::decode`] with more names of fields than the common ones.
    ///
    /// # Errors
    /// As [`Value::decode`].
    pub fn decode_with(reply: &[u8], labels: &Labels) -> Result<Value, String> {
        let mut first = Value::decode_first(reply, labels, 1)?;
        Ok(first.pop().unwrap_or(Value::Null))
    }

    /// The arguments of a call: the first value if there is exactly one, else the list of them.
    ///
    /// # Errors
    /// As [`Value::decode`].
    pub fn decode_args(args: &[u8], labels: &Labels) -> Result<Value, String> {
        let mut values = Value::decode_first(args, labels, usize::MAX)?;
        Ok(if values.len() == 1 { values.remove(0) } else { Value::List(values) })
    }

    /// The first values, at most so many.
    fn decode_first(reply: &[u8], labels: &Labels, most: usize) -> Result<Vec<Value>, String> {
        let mut config = DecoderConfig::new();
        config
            .set_decoding_quota(DECODE_COST_MAX * UNTYPED_FACTOR)
            .set_skipping_quota(DECODE_COST_MAX)
            .set_max_type_len(TYPES_MAX)
            .set_full_error_message(false);
        let args = IDLArgs::from_bytes_with_config(reply, &config).map_err(|error| {
            let text = root_cause(&error);
            // Where the decoder gives up depends on the stack it finds, so its text must not.
            if text.contains("ecursion") { too_deep() } else { format!("not a Candid reply: {text}") }
        })?;
        let mut converter = Converter { labels, values_left: VALUES_MAX };
        args.args.into_iter().take(most).map(|value| converter.convert(value, DEPTH_MAX)).collect()
    }

    /// The value that `path` leads to.
    ///
    /// # Errors
    /// Says which step of the path failed and what was there instead.
    pub fn at(&self, path: &ValuePath) -> Result<Value, String> {
        path.follow(self).cloned()
    }

    /// One word for the kind of value, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "a bool",
            Value::Int(_) => "an integer",
            Value::Float(_) => "a float",
            Value::Text(_) => "a text",
            Value::Principal(_) => "a principal",
            Value::Blob(_) => "a blob",
            Value::List(_) => "a list",
            Value::Record(_) => "a record",
            Value::Variant(..) => "a variant",
            Value::Failed(_) => "a failed observation",
        }
    }

    /// Whether this is `variant { Err }`, or `variant { err }` as Motoko's `Result` spells it.
    pub fn is_err(&self) -> bool {
        matches!(self, Value::Variant(label, _) if label == "Err" || label == "err")
    }
}

/// The innermost error; those around it repeat types of the reply.
fn root_cause(error: &candid::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

fn too_deep() -> String {
    format!("the reply is nested deeper than {DEPTH_MAX} levels")
}

/// Turns what the decoder delivers into a [`Value`].
struct Converter<'a> {
    labels: &'a Labels,
    values_left: usize,
}

impl Converter<'_> {
    /// `depth` counts down; the decoder may nest as deep as its stack allows.
    fn convert(&mut self, value: IDLValue, depth: usize) -> Result<Value, String> {
        let deeper = depth.checked_sub(1).ok_or_else(too_deep)?;
        let left = self.values_left.checked_sub(1);
        self.values_left = left.ok_or(format!("the reply has more than {VALUES_MAX} values"))?;
        Ok(match value {
            IDLValue::Null | IDLValue::None | IDLValue::Reserved => Value::Null,
            IDLValue::Bool(b) => Value::Bool(b),
            IDLValue::Text(text) => Value::Text(text),
            IDLValue::Number(digits) => integer(digits.parse().map_err(|_| format!("`{digits}` is not an integer"))?)?,
            IDLValue::Int(n) => integer(n.0)?,
            IDLValue::Nat(n) => integer(n.0.into())?,
            IDLValue::Nat8(n) => Value::Int(n.into()),
            IDLValue::Nat16(n) => Value::Int(n.into()),
            IDLValue::Nat32(n) => Value::Int(n.into()),
            IDLValue::Nat64(n) => Value::Int(n.into()),
            IDLValue::Int8(n) => Value::Int(n.into()),
            IDLValue::Int16(n) => Value::Int(n.into()),
            IDLValue::Int32(n) => Value::Int(n.into()),
            IDLValue::Int64(n) => Value::Int(n.into()),
            IDLValue::Float32(x) => Value::Float(f64::from(x).to_bits()),
            IDLValue::Float64(x) => Value::Float(x.to_bits()),
            IDLValue::Opt(inner) => self.convert(*inner, deeper)?,
            IDLValue::Blob(bytes) => Value::Blob(bytes),
            IDLValue::Principal(id) | IDLValue::Service(id) => Value::Principal(id),
            IDLValue::Func(id, method) => Value::Text(format!("{id}.{method}")),
            IDLValue::Vec(items) => self.list(items, deeper)?,
            IDLValue::Record(fields) => {
                let fields = fields.into_iter();
                let fields = fields.map(|field| Ok((self.labels.name(&field.id), self.convert(field.val, deeper)?)));
                Value::Record(fields.collect::<Result<_, String>>()?)
            }
            IDLValue::Variant(variant) => {
                let (label, payload) = (self.labels.name(&variant.0.id), variant.0.val);
                Value::Variant(label, Box::new(self.convert(payload, deeper)?))
            }
        })
    }

    /// A non-empty list of `nat8` is a blob, however the decoder delivers it.
    fn list(&mut self, items: Vec<IDLValue>, depth: usize) -> Result<Value, String> {
        let byte = |item: &IDLValue| {
            if let IDLValue::Nat8(n) = item { Some(*n) } else { None }
        };
        match items.iter().map(byte).collect::<Option<Vec<u8>>>() {
            Some(bytes) if !bytes.is_empty() => Ok(Value::Blob(bytes)),
            _ => {
                let items = items.into_iter().map(|item| self.convert(item, depth));
                Ok(Value::List(items.collect::<Result<_, String>>()?))
            }
        }
    }
}

fn integer(number: BigInt) -> Result<Value, String> {
    if number.bits() > INTEGER_BITS_MAX {
        let bits = number.bits();
        return Err(format!("the reply has an integer of {bits} bits, more than {INTEGER_BITS_MAX}"));
    }
    Ok(Value::Int(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str) -> Value {
        let args = candid_parser::parse_idl_args(text).unwrap();
        Value::decode(&args.to_bytes().unwrap()).unwrap()
    }

    #[test]
    fn integers_of_every_width_are_one_kind_and_exact() {
        for ty in ["nat", "int", "nat8", "nat16", "nat32", "nat64", "int8", "int16", "int32", "int64"] {
            assert_eq!(of(&format!("(7 : {ty})")), Value::Int(7.into()));
        }
        assert_eq!(
            of("(-170141183460469231731687303715884105729 : int)").to_string(),
            "-170141183460469231731687303715884105729"
        );
        assert_eq!(of("(1_000 : nat)").to_string(), "1000");
    }

    #[test]
    fn names_of_the_scenario_replace_hashes() {
        let mut labels = Labels::common();
        labels.add("somewhere");
        let bytes = candid_parser::parse_idl_args("(record { somewhere = 2 })").unwrap().to_bytes().unwrap();
        assert_eq!(Value::decode_with(&bytes, &labels).unwrap().to_string(), "{somewhere = 2}");
    }

    #[test]
    fn what_is_not_candid_is_refused_with_a_reason() {
        assert!(Value::decode(b"hello").unwrap_err().starts_with("not a Candid reply: "));
        // type 0 = vec null, a list of 2^32 nulls in 14 bytes.
        assert_eq!(
            Value::decode(b"DIDL\0\x01\x75\0").unwrap_err(),
            "not a Candid reply: Cannot read TypeInner :: Int32 value"
        );
        let bomb = [b"DIDL".as_slice(), &[1, 0x6d, 0x7f, 1, 0, 0x80, 0x80, 0x80, 0x80, 0x10]].concat();
        assert!(Value::decode(&bomb).unwrap_err().starts_with("not a Candid reply: "));
        // type 0 = opt 0, nested 150 and 100000 levels deep.
        for depth in [150, 100_000] {
            let deep = [b"DIDL".as_slice(), &[1, 0x6e, 0, 1, 0], &vec![1; depth], &[0]].concat();
            assert_eq!(Value::decode(&deep).unwrap_err(), "the reply is nested deeper than 100 levels");
        }
    }

    #[test]
    fn integers_too_large_to_compute_with_are_refused() {
        let reply = |bytes: usize| [b"DIDL\0\x01\x7d".as_slice(), &vec![0xff; bytes], &[1]].concat();
        assert!(Value::decode(&reply(500)).is_ok());
        let text = "the reply has an integer of 7001 bits, more than 4096";
        assert_eq!(Value::decode(&reply(1000)).unwrap_err(), text);
        assert!(Value::decode(&reply(2 << 20)).is_err());
    }

    #[test]
    fn the_largest_reply_of_the_ic_can_be_decoded() {
        let bytes = vec![7u8; 2_000_000];
        let reply = candid::encode_one(&bytes).unwrap();
        assert!(Value::decode(&reply) == Ok(Value::Blob(bytes)));
        let many = vec![true; 300_000];
        let text = "the reply has more than 250000 values";
        assert_eq!(Value::decode(&candid::encode_one(many).unwrap()).unwrap_err(), text);
    }

    proptest! {
        #[test]
        fn decoding_random_bytes_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200), magic: bool) {
            let bytes = if magic { [b"DIDL".as_slice(), &bytes].concat() } else { bytes };
            let _ = Value::decode(&bytes).map(|value| value.to_string());
        }

        #[test]
        fn decoding_a_mutated_reply_never_panics(at in 4usize..60, byte: u8) {
            let text = r#"(vec { record { a = opt variant { Ok = vec { 1 : nat; 2 } }; b = "x"; 0 = principal "aaaaa-aa" } }, blob "abc")"#;
            let mut bytes = candid_parser::parse_idl_args(text).unwrap().to_bytes().unwrap();
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = Value::decode(&bytes).map(|value| value.to_string());
        }
    }
}
