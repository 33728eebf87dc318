//! Added to canloom as `src/mutant.rs`: which mutant is on, and the mutated forms of operators.
//!
//! One binary has all mutants, each behind its number; the environment variable `MUTANT` switches one on. With `MUTANT_REACHED`
//! the numbers that an execution passes are appended to that file, each once.
#![allow(missing_docs, dead_code)]

use std::io::Write as _;
use std::ops::{Add, BitAnd, BitOr, BitXor, Div, Mul, Not, Rem, Shl, Shr, Sub};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex};

static ACTIVE: LazyLock<u32> =
    LazyLock::new(|| std::env::var("MUTANT").ok().and_then(|number| number.parse().ok()).unwrap_or(u32::MAX));
static REACHED: LazyLock<Option<Mutex<std::fs::File>>> = LazyLock::new(|| {
    let file = std::env::var_os("MUTANT_REACHED")?;
    let file = std::fs::OpenOptions::new().append(true).create(true).open(file);
    Some(Mutex::new(file.expect("the file of reached mutants")))
});
static SEEN: [AtomicBool; 16_384] = [const { AtomicBool::new(false) }; 16_384];

#[inline]
pub fn on(number: u32) -> bool {
    if REACHED.is_some() {
        reach(number);
    }
    *ACTIVE == number
}

#[cold]
fn reach(number: u32) {
    if SEEN[number as usize].load(Ordering::Relaxed) || SEEN[number as usize].swap(true, Ordering::Relaxed) {
        return;
    }
    if let Some(file) = &*REACHED {
        let mut file = file.lock().expect("nobody panics in here");
        file.write_all(format!("{number}\n").as_bytes()).expect("it can be written");
    }
}

#[inline]
pub fn flip(number: u32, value: bool) -> bool {
    on(number) != value
}

#[inline]
pub fn not<T: Not<Output = T>>(number: u32, value: T) -> T {
    if on(number) { value } else { !value }
}

/// Of a guard: always, never.
#[inline]
pub fn guard(number: u32, value: bool) -> bool {
    !on(number + 1) && (on(number) || value)
}

macro_rules! comparison {
    ($name:ident, $own:tt, $($other:tt)*) => {
        #[inline]
        pub fn $name<T: PartialOrd + ?Sized>(number: u32, a: &T, b: &T) -> bool {
            let mut at = number;
            $(if on(at) { return a $other b; } at += 1;)*
            let _ = at;
            a $own b
        }
    };
}
comparison!(less, <, == > <=);
comparison!(more, >, == < >=);
comparison!(at_most, <=, >);
comparison!(at_least, >=, <);

macro_rules! arithmetic {
    ($name:ident, $assign:ident, $own:tt, $a:tt, $b:tt, $($bound:ident)*) => {
        #[inline]
        pub fn $name<T: $($bound<Output = T> +)*>(number: u32, a: T, b: T) -> T {
            if on(number) { return a $a b; }
            if on(number + 1) { return a $b b; }
            a $own b
        }
        #[inline]
        pub fn $assign<T: Copy $(+ $bound<Output = T>)*>(number: u32, a: &mut T, b: T) {
            *a = $name(number, *a, b);
        }
    };
}
arithmetic!(add, add_assign, +, -, *, Add Sub Mul);
arithmetic!(sub, sub_assign, -, +, /, Add Sub Div);
arithmetic!(mul, mul_assign, *, +, /, Add Mul Div);
arithmetic!(div, div_assign, /, %, *, Mul Div Rem);
arithmetic!(rem, rem_assign, %, /, +, Add Div Rem);
arithmetic!(and, and_assign, &, |, ^, BitAnd BitOr BitXor);
arithmetic!(or, or_assign, |, &, ^, BitAnd BitOr BitXor);
arithmetic!(xor, xor_assign, ^, |, &, BitAnd BitOr BitXor);
arithmetic!(shl, shl_assign, <<, >>, >>, Shl Shr);
arithmetic!(shr, shr_assign, >>, <<, <<, Shl Shr);
