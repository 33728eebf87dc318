//! Random numbers: SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).
//!
//! In: a seed and the number of a schedule. Out: numbers that are the same on every machine and in every version. Small
//! and written here because seeds are printed in reports and must mean the same for ever.

/// Step between two states: an odd number near the golden ratio, from the paper.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// A stream of random numbers.
#[derive(Clone, Debug, Default)]
pub struct Generator(u64);

impl Generator {
    /// The stream for a schedule of a seed; `purpose` tells streams of one schedule apart.
    pub fn new(seed: u64, schedule: u64, purpose: u64) -> Generator {
        Generator(mix(mix(mix(seed).wrapping_add(schedule)).wrapping_add(purpose)))
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        mix(self.0)
    }

    /// A number below `n`, which is not 0. Off from uniform by less than `n` in 2^64.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.draw()) * u128::from(n)) >> 64) as u64
    }

    /// The largest of so many numbers.
    pub fn largest(&mut self, draws: u32) -> u64 {
        (0..draws.max(1)).map(|_| self.draw()).max().expect("at least one")
    }
}

/// Spreads the bits of a number.
pub fn mix(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_reference_implementation() {
        // splitmix64.c by Sebastiano Vigna, state 1234567.
        let mut generator = Generator(1_234_567);
        let numbers: Vec<u64> = (0..3).map(|_| generator.draw()).collect();
        assert_eq!(numbers, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn small_ranges_are_drawn_evenly() {
        let mut generator = Generator::new(1, 0, 0);
        let mut counts = [0u32; 6];
        for _ in 0..60_000 {
            counts[generator.below(6) as usize] += 1;
        }
        assert!(counts.iter().all(|&count| (9_700..=10_300).contains(&count)), "{counts:?}");
    }
}
