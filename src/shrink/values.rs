//! Simpler values of a Candid type.
//!
//! In: a value. Out: values of its type that are simpler in one place: numbers nearer to zero, shorter texts, blobs and
//! vectors, nothing in place of something.

use candid::types::value::{IDLField, IDLValue, VariantValue};
use candid::types::{Type, TypeEnv, TypeInner};
use candid::{Int, Nat};
use num_bigint::{BigInt, BigUint};
use num_traits::{ToPrimitive, Zero};

/// Deepest nesting that is looked into, and most elements of a vector that are taken away one by one.
const DEPTH_MAX: usize = 16;
const ELEMENTS_MAX: usize = 8;

/// Simpler values, the simplest first.
pub(super) fn simpler(value: &IDLValue, ty: &Type, env: &TypeEnv) -> Vec<IDLValue> {
    at(value, ty, env, DEPTH_MAX)
}

fn at(value: &IDLValue, ty: &Type, env: &TypeEnv, depth: usize) -> Vec<IDLValue> {
    let Some(ty) = env.trace_type(ty).ok().filter(|_| depth > 0) else { return Vec::new() };
    let below = depth - 1;
    match (value, ty.as_ref()) {
        (IDLValue::Bool(true), _) => vec![IDLValue::Bool(false)],
        (IDLValue::Text(text), _) => shorter(&text.chars().collect::<Vec<char>>())
            .into_iter()
            .map(|chars| IDLValue::Text(chars.into_iter().collect()))
            .collect(),
        (IDLValue::Blob(bytes), _) => shorter(bytes).into_iter().map(IDLValue::Blob).collect(),
        (IDLValue::Opt(inner), TypeInner::Opt(ty)) => {
            let some = at(inner, ty, env, below).into_iter().map(|inner| IDLValue::Opt(Box::new(inner)));
            std::iter::once(IDLValue::None).chain(some).collect()
        }
        (IDLValue::Vec(items), TypeInner::Vec(ty)) => {
            let mut all: Vec<Vec<IDLValue>> = shorter(items);
            for (place, item) in items.iter().enumerate().take(ELEMENTS_MAX) {
                all.extend(at(item, ty, env, below).into_iter().map(|item| replaced(items, place, item)));
            }
            all.into_iter().map(IDLValue::Vec).collect()
        }
        (IDLValue::Record(values), TypeInner::Record(fields)) => {
            let mut all = Vec::new();
            for (place, (value, field)) in values.iter().zip(fields).enumerate() {
                all.extend(at(&value.val, &field.ty, env, below).into_iter().map(|val| {
                    let value = IDLField { id: value.id.clone(), val };
                    IDLValue::Record(replaced(values, place, value))
                }));
            }
            all
        }
        (IDLValue::Variant(variant), TypeInner::Variant(fields)) => {
            let Some(field) = fields.get(variant.1 as usize) else { return Vec::new() };
            let inner = at(&variant.0.val, &field.ty, env, below).into_iter();
            let of = |val| IDLField { id: variant.0.id.clone(), val };
            inner.map(|val| IDLValue::Variant(VariantValue(Box::new(of(val)), variant.1))).collect()
        }
        _ => numbers(value),
    }
}

fn replaced<T: Clone>(items: &[T], place: usize, item: T) -> Vec<T> {
    let mut items = items.to_vec();
    items[place] = item;
    items
}

/// Shorter ones: none, halves, and one element less.
fn shorter<T: Clone>(items: &[T]) -> Vec<Vec<T>> {
    let n = items.len();
    if n == 0 {
        return Vec::new();
    }
    let mut all = vec![Vec::new(), items[..n / 2].to_vec(), items[n / 2..].to_vec()];
    for place in 0..n.min(ELEMENTS_MAX) {
        let mut less = items.to_vec();
        less.remove(place);
        all.push(less);
    }
    all.retain(|one| one.len() < n);
    all
}

/// Numbers nearer to zero.
fn numbers(value: &IDLValue) -> Vec<IDLValue> {
    macro_rules! fixed {
        ($($kind:ident: $to:ident),*) => {
            match value {
                $(IDLValue::$kind(n) => nearer(&BigInt::from(*n)).iter().filter_map(|n| Some(IDLValue::$kind(n.$to()?))).collect(),)*
                IDLValue::Nat(n) => {
                    let of = |n: &BigInt| Some(IDLValue::Nat(Nat(BigUint::try_from(n.clone()).ok()?)));
                    nearer(&BigInt::from(n.0.clone())).iter().filter_map(of).collect()
                }
                IDLValue::Int(n) => nearer(&n.0).into_iter().map(|n| IDLValue::Int(Int(n))).collect(),
                IDLValue::Float64(n) if *n != 0.0 => vec![IDLValue::Float64(0.0), IDLValue::Float64(n.trunc())],
                IDLValue::Float32(n) if *n != 0.0 => vec![IDLValue::Float32(0.0), IDLValue::Float32(n.trunc())],
                _ => Vec::new(),
            }
        };
    }
    fixed!(Nat8: to_u8, Nat16: to_u16, Nat32: to_u32, Nat64: to_u64, Int8: to_i8, Int16: to_i16, Int32: to_i32, Int64: to_i64)
}

/// Zero, one, powers of ten, and half the way back again and again.
fn nearer(n: &BigInt) -> Vec<BigInt> {
    if n.is_zero() {
        return Vec::new();
    }
    let mut all = vec![BigInt::zero()];
    let sign = if n.sign() == num_bigint::Sign::Minus { -1 } else { 1 };
    let mut ten = BigInt::from(sign);
    while ten.magnitude() < n.magnitude() && all.len() < 40 {
        all.push(ten.clone());
        ten *= 10;
    }
    let mut gap: BigInt = n / 2;
    while !gap.is_zero() && all.len() < 180 {
        all.push(n - &gap);
        gap /= 2;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simpler_values_are_of_the_type_and_nearer_to_nothing() {
        let env = TypeEnv::new();
        let of = |value: IDLValue| simpler(&value, &value.value_ty(), &env);
        assert_eq!(of(IDLValue::Nat64(5)), [0u64, 1, 3, 4].map(IDLValue::Nat64).to_vec());
        assert_eq!(of(IDLValue::Int8(-3)), [0i8, -1, -2].map(IDLValue::Int8).to_vec());
        assert_eq!(of(IDLValue::Nat8(0)), Vec::new());
        assert_eq!(
            of(IDLValue::Text("ab".into())),
            ["", "a", "b", "b", "a"].map(|t| IDLValue::Text(t.into())).to_vec()
        );
        let some = IDLValue::Opt(Box::new(IDLValue::Bool(true)));
        assert_eq!(of(some), vec![IDLValue::None, IDLValue::Opt(Box::new(IDLValue::Bool(false)))]);
    }
}
