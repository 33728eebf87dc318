//! A value of a Candid type, changed a little.
//!
//! In: a value and its type. Out: another value of the type: one number, text or length in it is different. Numbers become
//! what they were compared with, what code compares with, what another argument has, a neighbour, a number with one bit
//! changed, a power of two, or a random one.

use std::collections::BTreeSet;

use candid::types::value::{IDLField, IDLValue, VariantValue};
use candid::types::{Field, Type, TypeEnv, TypeInner};
use candid::{IDLArgs, Principal};
use num_bigint::BigInt;
use num_traits::{One, ToPrimitive, Zero};

use super::hints::{Hints, pick};
use crate::scenario::generate::{self, Known};
use crate::scheduler::Generator;

/// Deepest nesting that is looked into.
const DEPTH_MAX: usize = 16;
/// Bits of the longest random number of an unbounded type, and longest text, blob and vector that grows.
const BITS_MAX: u64 = 130;
const LENGTH_MAX: usize = 256;

/// What values are changed with.
pub struct Changer<'a> {
    /// Random choices.
    pub random: &'a mut Generator,
    /// What may have to be equalled.
    pub hints: &'a Hints,
    /// Numbers of all arguments of the schedule.
    pub others: &'a BTreeSet<u64>,
    /// Principals of the scenario.
    pub principals: &'a [Principal],
}

impl Changer<'_> {
    /// Another value of the type, most of the time.
    pub fn change(&mut self, value: &IDLValue, ty: &Type, env: &TypeEnv) -> IDLValue {
        self.at(value, ty, env, DEPTH_MAX).unwrap_or_else(|| value.clone())
    }

    /// The value with each number in it random and large, so that it is recognized where it is compared.
    pub fn colour(&mut self, value: &IDLValue, ty: &Type, env: &TypeEnv) -> IDLValue {
        let mut random = |_: &BigInt| Some(BigInt::from(self.random.draw()));
        each_number(value, ty, env, DEPTH_MAX, &mut random).unwrap_or_else(|| value.clone())
    }

    fn below(&mut self, n: usize) -> usize {
        self.random.below(n as u64) as usize
    }

    fn at(&mut self, value: &IDLValue, ty: &Type, env: &TypeEnv, depth: usize) -> Option<IDLValue> {
        let ty = env.trace_type(ty).ok().filter(|_| depth > 0)?;
        Some(match (value, ty.as_ref()) {
            (IDLValue::Bool(is), _) => IDLValue::Bool(!is),
            (IDLValue::Text(text), _) => IDLValue::Text(self.text(text)),
            (IDLValue::Blob(bytes), _) => IDLValue::Blob(self.bytes(bytes)),
            (IDLValue::Principal(_), _) => IDLValue::Principal(*pick(self.principals, self.random)?),
            (IDLValue::Opt(inner), TypeInner::Opt(ty)) => match self.below(4) {
                0 => IDLValue::None,
                _ => IDLValue::Opt(Box::new(self.at(inner, ty, env, depth - 1)?)),
            },
            (_, TypeInner::Opt(ty)) => IDLValue::Opt(Box::new(self.any(ty, env)?)),
            (IDLValue::Vec(items), TypeInner::Vec(ty)) => self.items(items, ty, env, depth)?,
            (IDLValue::Record(values), TypeInner::Record(fields)) => self.record(values, fields, env, depth)?,
            (IDLValue::Variant(variant), TypeInner::Variant(fields)) => self.variant(variant, fields, env, depth)?,
            (IDLValue::Float32(n), _) => IDLValue::Float32(self.float(f64::from(*n)) as f32),
            (IDLValue::Float64(n), _) => IDLValue::Float64(self.float(*n)),
            _ => self.number(&integer(value)?, &ty, env)?,
        })
    }

    /// One of the first values of a type.
    fn any(&mut self, ty: &Type, env: &TypeEnv) -> Option<IDLValue> {
        let known = Known { principals: self.principals, values: &[], seed: self.random.draw() };
        let values = generate::values(ty, env, &known, 6);
        pick(&values, self.random).cloned()
    }

    fn number(&mut self, n: &BigInt, ty: &Type, env: &TypeEnv) -> Option<IDLValue> {
        let of = |n: &BigInt| IDLValue::Number(n.to_string()).annotate_type(true, env, ty).ok();
        // A try that does not fit the type is followed by another one.
        (0..8).find_map(|_| of(&self.other_number(n)))
    }

    fn other_number(&mut self, n: &BigInt) -> BigInt {
        let bits = low_bits(n);
        // Operands of 32 bits come without a sign, those of 64 as they are.
        let signed = |n: u64, random: &mut Generator| match random.below(4) {
            0 => BigInt::from(n as i64),
            1 if n <= u64::from(u32::MAX) => BigInt::from(n as u32 as i32),
            _ => BigInt::from(n),
        };
        let near = |random: &mut Generator| BigInt::from([0, 0, 0, 1, -1][random.below(5) as usize]);
        match self.random.below(16) {
            0..=6 => {
                if let Some(to) = self.hints.replacement(bits, self.random) {
                    return signed(to, self.random) + near(self.random);
                }
                n + BigInt::from(self.random.below(33) as i64 - 16)
            }
            7 => match self.hints.number(self.random) {
                Some(constant) => signed(constant, self.random) + near(self.random),
                None => n + BigInt::one(),
            },
            8 | 9 => {
                let at = self.below(self.others.len().max(1));
                let other = self.others.iter().nth(at).copied().unwrap_or_default();
                BigInt::from(other) + near(self.random)
            }
            10 | 11 => n ^ (BigInt::one() << self.random.below(64)),
            12 => (BigInt::one() << self.random.below(BITS_MAX)) - BigInt::from(self.random.below(2)),
            13 => -n,
            14 => {
                let width = self.random.below(20);
                BigInt::from(self.random.below(1 << width))
            }
            _ => {
                let width = self.random.below(64) as u32;
                BigInt::from(self.random.draw() >> width)
            }
        }
    }

    fn float(&mut self, n: f64) -> f64 {
        match self.random.below(5) {
            0 => -n,
            1 => n + 1.0,
            2 => n * 2.0,
            3 => n / 3.0,
            _ => self.random.below(1 << 20) as f64,
        }
    }

    fn text(&mut self, text: &str) -> String {
        let chars: Vec<char> = text.chars().collect();
        match self.random.below(6) {
            0 | 1 => self.hints.text(self.random).unwrap_or_default().to_string(),
            2 => chars[..self.below(chars.len() + 1)].iter().collect(),
            3 if text.len() < LENGTH_MAX => format!("{text}{text}"),
            4 => String::from_utf8(self.replaced(text.as_bytes())).unwrap_or_default(),
            _ => {
                let mut chars = chars;
                let at = self.below(chars.len() + 1);
                let new = char::from(32 + self.random.below(95) as u8);
                match chars.get_mut(at) {
                    Some(old) => *old = new,
                    None => chars.push(new),
                }
                chars.into_iter().collect()
            }
        }
    }

    fn bytes(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        match self.random.below(5) {
            0 => bytes.truncate(self.below(bytes.len() + 1)),
            1 if bytes.len() < LENGTH_MAX => bytes.push(self.random.draw() as u8),
            2 => bytes.resize([0, 1, 31, 32, 33][self.below(5)], 0),
            3 => return self.replaced(&bytes),
            _ if bytes.is_empty() => bytes.push(0),
            _ => {
                let at = self.below(bytes.len());
                bytes[at] ^= 1 << self.random.below(8);
            }
        }
        bytes
    }

    /// Eight or four bytes in a row become what they were compared with as one number.
    fn replaced(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        let windows: Vec<(usize, usize)> = [8, 4]
            .into_iter()
            .flat_map(|size| (0..(bytes.len() + 1).saturating_sub(size)).map(move |at| (at, size)))
            .collect();
        for _ in 0..windows.len() {
            let (at, size) = windows[self.below(windows.len())];
            if let Some(to) = self.hints.replacement(word(&bytes[at..at + size]), self.random) {
                bytes[at..at + size].copy_from_slice(&to.to_le_bytes()[..size]);
                break;
            }
        }
        bytes
    }

    fn items(&mut self, items: &[IDLValue], ty: &Type, env: &TypeEnv, depth: usize) -> Option<IDLValue> {
        let mut items = items.to_vec();
        let at = self.below(items.len().max(1));
        match self.below(4) {
            0 if !items.is_empty() => drop(items.remove(at)),
            1 if items.len() < LENGTH_MAX && !items.is_empty() => items.push(items[at].clone()),
            2 | 3 if !items.is_empty() => items[at] = self.at(&items[at], ty, env, depth - 1)?,
            _ => items.push(self.any(ty, env)?),
        }
        Some(IDLValue::Vec(items))
    }

    fn record(&mut self, values: &[IDLField], fields: &[Field], env: &TypeEnv, depth: usize) -> Option<IDLValue> {
        let mut values = values.to_vec();
        let at = self.below(values.len().max(1));
        let value = values.get_mut(at)?;
        let field = fields.iter().find(|field| field.id.get_id() == value.id.get_id())?;
        value.val = self.at(&value.val, &field.ty, env, depth - 1)?;
        Some(IDLValue::Record(values))
    }

    fn variant(&mut self, variant: &VariantValue, fields: &[Field], env: &TypeEnv, depth: usize) -> Option<IDLValue> {
        let own = fields.iter().position(|field| field.id.get_id() == variant.0.id.get_id())?;
        let inner = match self.below(3) {
            0 => None,
            _ => self.at(&variant.0.val, &fields[own].ty, env, depth - 1),
        };
        let (at, val) = match inner {
            Some(val) => (own, val),
            None => {
                let at = self.below(fields.len());
                (at, self.any(&fields[at].ty, env)?)
            }
        };
        let field = IDLField { id: fields[at].id.as_ref().clone(), val };
        Some(IDLValue::Variant(VariantValue(Box::new(field), at as u64)))
    }
}

/// The value with another number in place of this one, wherever it is in it; `None` if it is nowhere, or does not fit there.
pub fn replaced(value: &IDLValue, ty: &Type, env: &TypeEnv, from: u64, to: u64) -> Option<IDLValue> {
    let mut is_there = false;
    let other = each_number(value, ty, env, DEPTH_MAX, &mut |n| {
        let bits = low_bits(n);
        let is_same = bits == from || u64::from(bits as u32) == from;
        is_there |= is_same;
        is_same.then(|| BigInt::from(to))
    });
    other.filter(|_| is_there)
}

/// The value with other numbers where there are any, cut to their types; `None` if it cannot be made.
fn each_number(
    value: &IDLValue,
    ty: &Type,
    env: &TypeEnv,
    depth: usize,
    other: &mut impl FnMut(&BigInt) -> Option<BigInt>,
) -> Option<IDLValue> {
    let ty = env.trace_type(ty).ok().filter(|_| depth > 0)?;
    Some(match (value, ty.as_ref()) {
        (IDLValue::Opt(inner), TypeInner::Opt(ty)) => {
            IDLValue::Opt(Box::new(each_number(inner, ty, env, depth - 1, other)?))
        }
        (IDLValue::Vec(items), TypeInner::Vec(ty)) => {
            let items = items.iter().map(|item| each_number(item, ty, env, depth - 1, other));
            IDLValue::Vec(items.collect::<Option<_>>()?)
        }
        (IDLValue::Record(values), TypeInner::Record(fields)) => {
            let values = values.iter().map(|value| {
                let field = fields.iter().find(|field| field.id.get_id() == value.id.get_id())?;
                let val = each_number(&value.val, &field.ty, env, depth - 1, other)?;
                Some(IDLField { id: value.id.clone(), val })
            });
            IDLValue::Record(values.collect::<Option<_>>()?)
        }
        (IDLValue::Variant(variant), TypeInner::Variant(fields)) => {
            let field = fields.iter().find(|field| field.id.get_id() == variant.0.id.get_id())?;
            let val = each_number(&variant.0.val, &field.ty, env, depth - 1, other)?;
            IDLValue::Variant(VariantValue(Box::new(IDLField { id: variant.0.id.clone(), val }), variant.1))
        }
        _ => match integer(value).and_then(|n| other(&n)) {
            None => value.clone(),
            // As wide as the type is, with a sign or without.
            Some(n) => [0, 32, 48, 56].into_iter().find_map(|less| {
                let of = |n: &BigInt| IDLValue::Number(n.to_string()).annotate_type(true, env, &ty).ok();
                let cut: BigInt = &n & ((BigInt::one() << (64 - less)) - BigInt::one());
                let signed: BigInt = &cut - (BigInt::one() << (64 - less));
                of(&cut).or_else(|| of(&signed))
            })?,
        },
    })
}

/// The numbers that values contain, as operands of a comparison would have them.
pub fn numbers(values: &[IDLValue], out: &mut BTreeSet<u64>) {
    for value in values {
        match value {
            IDLValue::Opt(inner) => numbers(std::slice::from_ref(inner), out),
            IDLValue::Vec(items) => numbers(items, out),
            IDLValue::Record(fields) => fields.iter().for_each(|field| numbers(std::slice::from_ref(&field.val), out)),
            IDLValue::Variant(variant) => numbers(std::slice::from_ref(&variant.0.val), out),
            IDLValue::Text(text) => words(text.as_bytes(), out),
            IDLValue::Blob(bytes) => words(bytes, out),
            _ => {
                let bits = integer(value).map(|n| low_bits(&n));
                out.extend(bits);
                out.extend(bits.map(|bits| u64::from(bits as u32)));
            }
        }
    }
}

/// Bytes in a row, as code loads and compares several at once.
fn words(bytes: &[u8], out: &mut BTreeSet<u64>) {
    let bytes = &bytes[..bytes.len().min(LENGTH_MAX)];
    out.extend(bytes.windows(8).chain(bytes.windows(4)).map(word));
}

fn word(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
}

fn integer(value: &IDLValue) -> Option<BigInt> {
    Some(match value {
        IDLValue::Nat(n) => BigInt::from(n.0.clone()),
        IDLValue::Int(n) => n.0.clone(),
        IDLValue::Nat8(n) => BigInt::from(*n),
        IDLValue::Nat16(n) => BigInt::from(*n),
        IDLValue::Nat32(n) => BigInt::from(*n),
        IDLValue::Nat64(n) => BigInt::from(*n),
        IDLValue::Int8(n) => BigInt::from(*n),
        IDLValue::Int16(n) => BigInt::from(*n),
        IDLValue::Int32(n) => BigInt::from(*n),
        IDLValue::Int64(n) => BigInt::from(*n),
        _ => return None,
    })
}

/// The lowest 64 bits in two's complement.
fn low_bits(n: &BigInt) -> u64 {
    let modulus = BigInt::one() << 64;
    let rest: BigInt = n % &modulus;
    let rest = if rest < BigInt::zero() { rest + modulus } else { rest };
    rest.to_u64().expect("bug in canloom: less than 2^64")
}

/// The arguments of a message, as far as they can be read without their types.
pub fn arguments(arg: &[u8]) -> Vec<IDLValue> {
    IDLArgs::from_bytes(arg).map(|args| args.args).unwrap_or_default()
}
