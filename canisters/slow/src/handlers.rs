//! Canister B of the article: a callee so slow that anything can happen to its caller meanwhile.

use std::hint::black_box;

/// Iterations of the loop in [`bar`].
pub const ITERATIONS: u32 = 3_900_000_000;

/// The multiplier of Knuth's MMIX generator. It is odd, so no seed dies out in zeros.
pub const MULTIPLIER: u64 = 6_364_136_223_846_793_005;

/// The first value; odd as well.
pub const SEED: u64 = 1_442_695_040_888_963_407;

/// Steps a multiplicative generator [`ITERATIONS`] times and returns its last value.
///
/// In the module that `build.sh` makes, one iteration is nine WebAssembly instructions without a memory
/// access, so a call executes 35.1e9 of them, most of the 40e9 that one update call may use. Each
/// value depends on the one before it, and the result is returned: nothing can be skipped.
pub fn bar() -> u64 {
    let mut value = black_box(SEED);
    let mut left = ITERATIONS;
    loop {
        value = value.wrapping_mul(MULTIPLIER);
        left -= 1;
        if left == 0 {
            return value;
        }
    }
}
