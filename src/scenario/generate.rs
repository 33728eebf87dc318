//! Values of a Candid type that are worth trying: boundary values first, then drawn ones.
//!
//! In: a type with its definitions, and what is known of the scenario. Out: typed values, in a fixed order, none twice. A
//! pure function: the same values in every run and on every machine. Left out: how values are written (`filling`).

use candid::types::value::{IDLField, IDLValue, VariantValue};
use candid::types::{Field, Type, TypeEnv, TypeInner};
use candid::{Principal, TypeEnv as Env};
use num_bigint::BigInt;

/// Deepest nesting of a generated value, and most types looked at for one list of values.
const DEPTH_MAX: usize = 12;
const VISITS_MAX: usize = 10_000;
/// Most values taken from what is known.
const KNOWN_MAX: usize = 4;
/// Letters of the long text, more than any memo takes.
const LONG: usize = 100;

/// What is known where values are generated.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'a> {
    /// Principals of the scenario, actors first.
    pub principals: &'a [Principal],
    /// Values that canisters have given; those that fit a type are tried too.
    pub values: &'a [IDLValue],
    /// Seed of drawn values.
    pub seed: u64,
}

/// The first `count` values of a type, and a few known ones that fit it. None for a type without values.
pub fn values(ty: &Type, env: &TypeEnv, known: &Known<'_>, count: usize) -> Vec<IDLValue> {
    Generator { env, known, count, visits: VISITS_MAX }.of(ty, DEPTH_MAX)
}

/// The first `count` lists of arguments of these types.
pub fn arguments(types: &[Type], env: &TypeEnv, known: &Known<'_>, count: usize) -> Vec<Vec<IDLValue>> {
    let mut generator = Generator { env, known, count, visits: VISITS_MAX };
    let lists: Vec<Vec<IDLValue>> = types.iter().map(|ty| generator.of(ty, DEPTH_MAX)).collect();
    combinations(&lists, count)
}

struct Generator<'a> {
    env: &'a Env,
    known: &'a Known<'a>,
    count: usize,
    visits: usize,
}

impl Generator<'_> {
    fn of(&mut self, ty: &Type, depth: usize) -> Vec<IDLValue> {
        let Some(left) = self.visits.checked_sub(1).filter(|_| depth > 0) else { return Vec::new() };
        self.visits = left;
        let Ok(ty) = self.env.trace_type(ty) else { return Vec::new() };
        let count = self.count;
        let first = |values: Vec<IDLValue>| values.into_iter().take(count).collect::<Vec<_>>();
        match ty.as_ref() {
            TypeInner::Null => vec![IDLValue::Null],
            TypeInner::Reserved => vec![IDLValue::Reserved],
            TypeInner::Bool => first(vec![IDLValue::Bool(false), IDLValue::Bool(true)]),
            TypeInner::Nat
            | TypeInner::Int
            | TypeInner::Nat8
            | TypeInner::Nat16
            | TypeInner::Nat32
            | TypeInner::Nat64 => self.integers(&ty),
            TypeInner::Int8 | TypeInner::Int16 | TypeInner::Int32 | TypeInner::Int64 => self.integers(&ty),
            TypeInner::Float32 => first([0.0, 1.0, -1.0, f32::MAX, f32::MIN_POSITIVE].map(IDLValue::Float32).into()),
            TypeInner::Float64 => first([0.0, 1.0, -1.0, f64::MAX, f64::MIN_POSITIVE].map(IDLValue::Float64).into()),
            TypeInner::Text => {
                let texts = ["".to_string(), "a".to_string(), "x".repeat(LONG), "é\"\\".to_string()];
                let drawn = (0..count as u64).map(|n| format!("{:x}", self.draw(n)));
                let texts = first(texts.into_iter().chain(drawn).map(IDLValue::Text).collect());
                self.with_known(texts, |value| matches!(value, IDLValue::Text(_)))
            }
            TypeInner::Principal => {
                let outside = [Principal::anonymous(), Principal::management_canister()];
                let all = self.known.principals.iter().copied().chain(outside);
                let all = first(distinct(all.map(IDLValue::Principal).collect()));
                self.with_known(all, |value| matches!(value, IDLValue::Principal(_)))
            }
            TypeInner::Service(_) => vec![IDLValue::Service(Principal::management_canister())],
            TypeInner::Func(_) => vec![IDLValue::Func(Principal::management_canister(), "raw_rand".to_string())],
            TypeInner::Opt(inner) => {
                let some = self.of(inner, depth - 1).into_iter().map(|value| IDLValue::Opt(Box::new(value)));
                first(std::iter::once(IDLValue::None).chain(some).collect())
            }
            TypeInner::Vec(_) if ty.is_blob(self.env) => {
                let drawn =
                    (0..count as u64).map(|n| (0..4).flat_map(|part| self.draw(4 * n + part).to_le_bytes()).collect());
                let blobs: Vec<Vec<u8>> = vec![vec![], vec![0], vec![0; 32], vec![0xff; 33]];
                let blobs = first(blobs.into_iter().chain(drawn).map(IDLValue::Blob).collect());
                self.with_known(blobs, |value| matches!(value, IDLValue::Blob(_)))
            }
            TypeInner::Vec(inner) => {
                let one = self.of(inner, depth - 1).into_iter().map(|value| IDLValue::Vec(vec![value]));
                first(std::iter::once(IDLValue::Vec(Vec::new())).chain(one).collect())
            }
            TypeInner::Record(fields) => self.records(fields, depth),
            TypeInner::Variant(fields) => self.variants(fields, depth),
            _ => Vec::new(),
        }
    }

    fn records(&mut self, fields: &[Field], depth: usize) -> Vec<IDLValue> {
        let lists: Vec<Vec<IDLValue>> = fields.iter().map(|field| self.of(&field.ty, depth - 1)).collect();
        let record = |values: Vec<IDLValue>| {
            let fields = fields.iter().zip(values);
            IDLValue::Record(fields.map(|(field, val)| IDLField { id: field.id.as_ref().clone(), val }).collect())
        };
        combinations(&lists, self.count).into_iter().map(record).collect()
    }

    /// Each label with its first payload, then each with its second, and so on.
    fn variants(&mut self, fields: &[Field], depth: usize) -> Vec<IDLValue> {
        let payloads: Vec<Vec<IDLValue>> = fields.iter().map(|field| self.of(&field.ty, depth - 1)).collect();
        let most = payloads.iter().map(Vec::len).max().unwrap_or(0);
        let variant = |label: usize, val: &IDLValue| {
            let field = IDLField { id: fields[label].id.as_ref().clone(), val: val.clone() };
            IDLValue::Variant(VariantValue(Box::new(field), label as u64))
        };
        let all =
            (0..most).flat_map(|n| payloads.iter().enumerate().filter_map(move |(at, of)| Some((at, of.get(n)?))));
        all.map(|(label, val)| variant(label, val)).take(self.count).collect()
    }

    fn integers(&self, ty: &Type) -> Vec<IDLValue> {
        let of = |n: &BigInt| IDLValue::Number(n.to_string()).annotate_type(true, self.env, ty).ok();
        let power = |k: u32| BigInt::from(1) << k;
        let unbounded = matches!(ty.as_ref(), TypeInner::Nat | TypeInner::Int);
        // The largest and smallest of a type that has them; else the ends of 64 bits, where canisters narrow numbers.
        let fits = |n: &BigInt| of(n).is_some();
        let max = if unbounded {
            power(64) - 1
        } else {
            (7..=64).rev().map(|k| power(k) - 1).find(fits).expect("bug in canloom: a type holds 127")
        };
        let min = if fits(&BigInt::from(-1)) { -&max - 1 } else { BigInt::from(0) };
        let mut all =
            vec![BigInt::from(0), BigInt::from(1), max.clone(), &max - 1, min.clone(), BigInt::from(-1), min + 1];
        if unbounded {
            all.extend([max.clone() + 1, power(128), -power(128)]);
        }
        for k in [63, 53, 32, 31, 16, 8, 7] {
            all.extend([power(k) - 1, power(k), power(k) + 1]);
        }
        all.extend((0..self.count as u64).map(|n| BigInt::from(self.draw(n)) % (&max + 1)));
        let first = distinct(all.iter().filter_map(of).collect()).into_iter().take(self.count).collect();
        self.with_known(first, |value| {
            matches!(
                value,
                IDLValue::Int(_)
                    | IDLValue::Nat(_)
                    | IDLValue::Nat8(_)
                    | IDLValue::Nat16(_)
                    | IDLValue::Nat32(_)
                    | IDLValue::Nat64(_)
                    | IDLValue::Int8(_)
                    | IDLValue::Int16(_)
                    | IDLValue::Int32(_)
                    | IDLValue::Int64(_)
            )
        })
        .into_iter()
        .filter_map(|value| number(&value).and_then(|n| of(&n)))
        .collect()
    }

    /// These values, and the first of the known ones of this kind that are not among them.
    fn with_known(&self, mut values: Vec<IDLValue>, is_of_kind: impl Fn(&IDLValue) -> bool) -> Vec<IDLValue> {
        let most = values.len() + KNOWN_MAX;
        let known = self.known.values.iter().flat_map(parts).filter(|value| is_of_kind(value)).cloned();
        for value in known {
            let is_new = |other: &IDLValue| match (number(other), number(&value)) {
                (Some(a), Some(b)) => a != b,
                _ => *other != value,
            };
            if values.len() < most && values.iter().all(is_new) {
                values.push(value);
            }
        }
        values
    }

    fn draw(&self, n: u64) -> u64 {
        // The finalizer of splitmix64 (Steele, Lea, Flood 2014).
        let mut z = self.known.seed.wrapping_add(n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// The integer that a value is, of any width.
fn number(value: &IDLValue) -> Option<BigInt> {
    Some(match value {
        IDLValue::Int(n) => n.0.clone(),
        IDLValue::Nat(n) => n.0.clone().into(),
        IDLValue::Nat8(n) => (*n).into(),
        IDLValue::Nat16(n) => (*n).into(),
        IDLValue::Nat32(n) => (*n).into(),
        IDLValue::Nat64(n) => (*n).into(),
        IDLValue::Int8(n) => (*n).into(),
        IDLValue::Int16(n) => (*n).into(),
        IDLValue::Int32(n) => (*n).into(),
        IDLValue::Int64(n) => (*n).into(),
        _ => return None,
    })
}

/// A value and all that is in it.
fn parts(value: &IDLValue) -> Vec<&IDLValue> {
    let mut all = vec![value];
    let mut at = 0;
    while at < all.len() {
        match all[at] {
            IDLValue::Opt(inner) => all.push(inner),
            IDLValue::Vec(items) => all.extend(items),
            IDLValue::Record(fields) => all.extend(fields.iter().map(|field| &field.val)),
            IDLValue::Variant(variant) => all.push(&variant.0.val),
            _ => {}
        }
        at += 1;
    }
    all
}

fn distinct(values: Vec<IDLValue>) -> Vec<IDLValue> {
    let mut out: Vec<IDLValue> = Vec::with_capacity(values.len());
    for value in values {
        if !out.contains(&value) {
            out.push(value);
        }
    }
    out
}

/// At most so many combinations of one value of each list: first those in which all go on together, so that every value
/// comes up early, then the others, where the last list goes on first. None if a list is empty.
fn combinations<T: Clone + PartialEq>(lists: &[Vec<T>], most: usize) -> Vec<Vec<T>> {
    if lists.iter().any(Vec::is_empty) {
        return Vec::new();
    }
    let longest = lists.iter().map(Vec::len).max().unwrap_or(1);
    let together = (0..longest).map(|n| lists.iter().map(|list| n % list.len()).collect::<Vec<usize>>());
    let mut chosen: Vec<Vec<usize>> = Vec::new();
    for at in together.chain(Odometer::new(lists.iter().map(Vec::len).collect())) {
        if chosen.len() == most {
            break;
        }
        if !chosen.contains(&at) {
            chosen.push(at);
        }
    }
    let pick = |at: Vec<usize>| at.iter().zip(lists).map(|(&n, list)| list[n].clone()).collect();
    chosen.into_iter().map(pick).collect()
}

/// All positions in lists of these lengths, the last one going on first.
pub(crate) struct Odometer {
    lengths: Vec<usize>,
    next: Option<Vec<usize>>,
}

impl Odometer {
    /// Begins with all zeros; nothing if a length is zero.
    pub(crate) fn new(lengths: Vec<usize>) -> Odometer {
        let next = (!lengths.contains(&0)).then(|| vec![0; lengths.len()]);
        Odometer { lengths, next }
    }
}

impl Iterator for Odometer {
    type Item = Vec<usize>;

    fn next(&mut self) -> Option<Vec<usize>> {
        let here = self.next.take()?;
        let mut after = here.clone();
        for at in (0..after.len()).rev() {
            after[at] += 1;
            if after[at] < self.lengths[at] {
                self.next = Some(after);
                break;
            }
            after[at] = 0;
        }
        Some(here)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::filling::Filling;
    use crate::scenario::names::Names;

    /// The types of a method's arguments, as a `did` has them.
    fn types(text: &str) -> (TypeEnv, Vec<Type>) {
        let did = format!("type List = opt record {{ nat8; List }};\nservice : {{ m : ({text}) -> () }}");
        let mut env = TypeEnv::new();
        let service = candid_parser::check_prog(&mut env, &did.parse().unwrap()).unwrap().unwrap();
        let types = env.get_method(&service, "m").unwrap().args.clone();
        (env, types)
    }

    fn labels_with(text: &str, known: &Known<'_>, count: usize) -> Vec<String> {
        let (env, types) = types(text);
        let values = values(&types[0], &env, known, count);
        values.iter().map(|value| Filling::of_value(value, &Names::default()).unwrap().label).collect()
    }

    fn labels(text: &str, count: usize) -> Vec<String> {
        labels_with(text, &Known::default(), count)
    }

    #[test]
    fn numbers_begin_at_their_ends() {
        assert_eq!(labels("nat8", 5), ["0", "1", "255", "254", "127"]);
        assert_eq!(labels("nat64", 4), ["0", "1", "18446744073709551615", "18446744073709551614"]);
        assert_eq!(labels("int8", 7), ["0", "1", "127", "126", "-128", "-1", "-127"]);
        assert_eq!(
            labels("nat", 5),
            ["0", "1", "18446744073709551615", "18446744073709551614", "18446744073709551616"]
        );
        assert_eq!(labels("int", 6)[4..], ["-18446744073709551616", "-1"]);
        assert_eq!(labels("nat64", 64).len(), 64, "drawn ones follow");
        assert_eq!(labels("nat64", 64), labels("nat64", 64));
        let other = Known { seed: 1, ..Known::default() };
        assert_ne!(labels("nat64", 64), labels_with("nat64", &other, 64));
    }

    #[test]
    fn other_types_have_small_values_first() {
        assert_eq!(labels("bool", 4), ["false", "true"]);
        assert_eq!(labels("text", 3), ["".to_string(), "a".to_string(), "x".repeat(100)]);
        assert_eq!(labels("blob", 2), ["blob \"\"", "blob \"\\00\""]);
        assert_eq!(labels("opt bool", 4), ["null", "opt false", "opt true"]);
        assert_eq!(labels("vec bool", 2), ["vec { }", "vec { false; }"]);
        assert_eq!(labels("principal", 4), ["2vxsx-fae", "aaaaa-aa"]);
        assert_eq!(
            labels("variant { A; B : bool }", 4),
            ["variant { A }", "variant { B = false }", "variant { B = true }"]
        );
        assert_eq!(labels("empty", 4), [""; 0]);
    }

    #[test]
    fn records_show_every_value_before_all_combinations() {
        assert_eq!(
            labels("record { a : bool; b : nat8 }", 5),
            [
                "record { a = false; b = 0; }",
                "record { a = true; b = 1; }",
                "record { a = false; b = 255; }",
                "record { a = true; b = 254; }",
                "record { a = false; b = 127; }"
            ]
        );
        let all: Vec<Vec<u8>> = combinations(&[vec![1, 2], vec![3, 4]], 9);
        assert_eq!(all, [vec![1, 3], vec![2, 4], vec![1, 4], vec![2, 3]]);
    }

    #[test]
    fn recursive_types_end() {
        assert_eq!(labels("List", 2), ["null", "opt record { 0 = 0; 1 = null; }"]);
        assert!(labels("record { List; List; vec List }", 16).len() == 16);
    }

    #[test]
    fn lists_of_arguments_are_combined() {
        let (env, types) = types("nat64, bool");
        let lists = arguments(&types, &env, &Known::default(), 3);
        let texts: Vec<String> = lists.iter().map(|list| Filling::of_arguments(list).unwrap().label).collect();
        assert_eq!(texts, ["(0, false)", "(1, true)", "(18446744073709551615, false)"]);
        let (env, none) = (TypeEnv::new(), Vec::new());
        assert_eq!(arguments(&none, &env, &Known::default(), 3), [Vec::new()]);
    }

    #[test]
    fn known_values_are_tried_where_their_kind_fits() {
        let reply = "(variant { Ok = record { 500 : nat; \"memo\"; principal \"aaaaa-aa\"; 300 : nat64 } })";
        let bytes = candid_parser::parse_idl_args(reply).unwrap().to_bytes().unwrap();
        let replies = candid::IDLArgs::from_bytes(&bytes).unwrap().args;
        let known = Known { values: &replies, ..Known::default() };
        assert_eq!(labels_with("nat64", &known, 2), ["0", "1", "500", "300"]);
        assert_eq!(labels_with("nat8", &known, 2), ["0", "1"]);
        assert_eq!(labels_with("text", &known, 1), ["", "memo"]);
        assert_eq!(labels_with("principal", &known, 1), ["2vxsx-fae", "aaaaa-aa"]);
    }
}
