//! Exact integers that cost nothing while they are small: `i64` until it overflows, then a big integer.

use std::borrow::Cow;
use std::cmp::Ordering;

use num_bigint::BigInt;

/// An integer; `Big` only where it does not fit `Small`, so equal numbers have equal forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Number<'a> {
    Small(i64),
    Big(Cow<'a, BigInt>),
}

/// An operation of two integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    /// Rounds towards zero, as CEL does.
    Divide,
    /// Has the sign of the dividend.
    Remainder,
}

impl Arithmetic {
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Arithmetic::Add => "+",
            Arithmetic::Subtract => "-",
            Arithmetic::Multiply => "*",
            Arithmetic::Divide => "/",
            Arithmetic::Remainder => "%",
        }
    }

    /// The exact result; a division by zero is an error.
    pub(super) fn apply<'a>(self, a: &Number<'a>, b: &Number<'a>) -> Result<Number<'a>, String> {
        if matches!(self, Arithmetic::Divide | Arithmetic::Remainder) && *b == Number::Small(0) {
            return Err("division by zero".to_string());
        }
        if let (Number::Small(a), Number::Small(b)) = (a, b) {
            let small = match self {
                Arithmetic::Add => a.checked_add(*b),
                Arithmetic::Subtract => a.checked_sub(*b),
                Arithmetic::Multiply => a.checked_mul(*b),
                Arithmetic::Divide => a.checked_div(*b),
                Arithmetic::Remainder => a.checked_rem(*b),
            };
            if let Some(small) = small {
                return Ok(Number::Small(small));
            }
        }
        let (a, b) = (a.widen(), b.widen());
        let (a, b) = (a.as_ref(), b.as_ref());
        Ok(Number::from(match self {
            Arithmetic::Add => a + b,
            Arithmetic::Subtract => a - b,
            Arithmetic::Multiply => a * b,
            Arithmetic::Divide => a / b,
            Arithmetic::Remainder => a % b,
        }))
    }
}

impl<'a> Number<'a> {
    pub(super) fn of(number: &'a BigInt) -> Number<'a> {
        i64::try_from(number).map_or_else(|_| Number::Big(Cow::Borrowed(number)), Number::Small)
    }

    pub(super) fn into_big(self) -> BigInt {
        match self {
            Number::Small(n) => n.into(),
            Number::Big(n) => n.into_owned(),
        }
    }

    fn widen(&self) -> Cow<'_, BigInt> {
        match self {
            Number::Small(n) => Cow::Owned((*n).into()),
            Number::Big(n) => Cow::Borrowed(n.as_ref()),
        }
    }
}

impl From<BigInt> for Number<'_> {
    fn from(number: BigInt) -> Self {
        i64::try_from(&number).map_or_else(|_| Number::Big(Cow::Owned(number)), Number::Small)
    }
}

impl From<u64> for Number<'_> {
    fn from(number: u64) -> Self {
        i64::try_from(number).map_or_else(|_| Number::Big(Cow::Owned(number.into())), Number::Small)
    }
}

impl Ord for Number<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Number::Small(a), Number::Small(b)) => a.cmp(b),
            _ => self.widen().cmp(&other.widen()),
        }
    }
}

impl PartialOrd for Number<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number() -> impl Strategy<Value = BigInt> {
        prop_oneof![
            any::<i64>().prop_map(BigInt::from),
            any::<i128>().prop_map(BigInt::from),
            proptest::sample::select(vec![i64::MIN, -1, 0, 1, i64::MAX]).prop_map(BigInt::from),
        ]
    }

    proptest! {
        #[test]
        fn every_operation_agrees_with_big_integers(a in number(), b in number()) {
            let (x, y) = (Number::of(&a), Number::of(&b));
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
            prop_assert_eq!(Arithmetic::Add.apply(&x, &y).unwrap().into_big(), &a + &b);
            prop_assert_eq!(Arithmetic::Subtract.apply(&x, &y).unwrap().into_big(), &a - &b);
            prop_assert_eq!(Arithmetic::Multiply.apply(&x, &y).unwrap().into_big(), &a * &b);
            if b == BigInt::from(0) {
                prop_assert_eq!(Arithmetic::Divide.apply(&x, &y).unwrap_err(), "division by zero");
                prop_assert_eq!(Arithmetic::Remainder.apply(&x, &y).unwrap_err(), "division by zero");
            } else {
                prop_assert_eq!(Arithmetic::Divide.apply(&x, &y).unwrap().into_big(), &a / &b);
                prop_assert_eq!(Arithmetic::Remainder.apply(&x, &y).unwrap().into_big(), &a % &b);
            }
        }
    }
}
