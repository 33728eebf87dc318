//! Bytes as a script: each byte chooses among what a driver can do next.
//!
//! In: any bytes. Out: where the canisters are, and the next operation. Nothing is refused, and similar bytes make similar
//! scripts, so a fuzzer that changes a byte changes a choice.

use arbitrary::{Arbitrary, Unstructured};

use crate::scenario::Scenario;
use crate::script::{Op, Script};

/// Of 256 values of a byte, so many let a round pass, and so many more a loaded one.
const TICKS: u8 = 96;
const LOADED: u8 = 16;

/// What is drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draws {
    /// Where the canisters are, and whether rounds may be loaded.
    pub place: u8,
    /// One byte for each operation.
    pub turns: Vec<u8>,
}

/// The first byte is the place, all others are turns: a derived implementation would spend half of them on the length.
impl<'a> Arbitrary<'a> for Draws {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Draws> {
        let place = bytes.arbitrary()?;
        let rest = bytes.len();
        Ok(Draws { place, turns: bytes.bytes(rest)?.to_vec() })
    }
}

impl Draws {
    /// What is drawn from these bytes.
    pub fn of(bytes: &[u8]) -> Draws {
        Draws::arbitrary(&mut Unstructured::new(bytes)).unwrap_or_default()
    }

    /// Where the canisters are: together in half of the cases, else one of them, or each of them, apart.
    pub fn places(&self, scenario: &Scenario) -> Script {
        let canisters = scenario.canisters.iter().filter(|canister| canister.has_automatic_id);
        let names: Vec<String> = canisters.map(|canister| canister.name.clone()).collect();
        let kinds = names.len() + 1;
        let drawn = usize::from(self.place & 0x7f);
        let apart = match drawn % (2 * kinds) {
            _ if names.len() < 2 => Vec::new(),
            kind if kind < names.len() => vec![names[kind].clone()],
            kind if kind == names.len() => names,
            _ => Vec::new(),
        };
        Script { apart, ..Script::default() }
    }

    /// Whether other work may fill rounds.
    pub fn is_loaded(&self) -> bool {
        self.place & 0x80 != 0
    }

    /// The operation that a byte chooses, beside letting a round pass one of these.
    pub fn op(&self, turn: u8, offers: &[Op]) -> Op {
        let tick = Op::Tick { loaded: self.is_loaded() && (TICKS..TICKS + LOADED).contains(&turn) };
        if turn < TICKS + LOADED || offers.is_empty() {
            return tick;
        }
        offers[usize::from(turn - TICKS - LOADED) % offers.len()].clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_a_script(bytes in prop::collection::vec(any::<u8>(), 0..40), offers in 0..3usize) {
            let draws = Draws::of(&bytes);
            let offers = vec![Op::Advance(1); offers];
            for &turn in &draws.turns {
                let op = draws.op(turn, &offers);
                let is_possible = matches!(op, Op::Tick { .. }) || offers.contains(&op);
                let is_loaded = op == Op::Tick { loaded: true };
                prop_assert!(is_possible);
                prop_assert!(draws.is_loaded() || !is_loaded);
            }
        }
    }
}
