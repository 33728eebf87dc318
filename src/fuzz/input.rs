//! An input as a schedule.
//!
//! In: any bytes. Out: an [`Input`]: the steps to try, one after the other. An input that the mutator made is the text of its
//! steps, a line each, so that a corpus can be read, and edited; all other bytes are [`Draws`], which choose among the steps
//! that are possible.

use std::fmt::Write as _;

use arbitrary::{Arbitrary, Unstructured};

use crate::schedule::Step;

/// Last line of an input after whose steps all calls that are left begin.
const REST: &str = "rest";
/// Most steps of an input.
pub const STEPS_MAX: usize = 4096;

/// Steps by name. Those that are not possible when their turn comes are left out; after the last one, what is on its way is
/// delivered in the order of sending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Input {
    /// The steps.
    pub steps: Vec<Step>,
    /// Whether calls that have not started by then start too.
    pub finishes: bool,
}

impl Input {
    /// The input of a text; `None` for other bytes.
    pub fn parse(bytes: &[u8]) -> Option<Input> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut input = Input::default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if input.finishes || input.steps.len() == STEPS_MAX {
                return None;
            }
            match line {
                REST => input.finishes = true,
                step => input.steps.push(step.parse().ok()?),
            }
        }
        Some(input).filter(|input| input.finishes || !input.steps.is_empty())
    }

    /// Its text, without the last steps if it would be longer than that.
    pub fn text(&self, longest: usize) -> String {
        let rest = if self.finishes { REST.len() + 1 } else { 0 };
        let mut text = String::new();
        for step in &self.steps {
            let before = text.len();
            let _ = writeln!(text, "{step}");
            if text.len() + rest > longest {
                text.truncate(before);
                break;
            }
        }
        if rest > 0 && text.len() + rest <= longest {
            let _ = writeln!(text, "{REST}");
        }
        text
    }
}

/// Choices among the possible steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draws {
    /// As of an [`Input`].
    pub finishes: bool,
    /// One byte for each step.
    pub picks: Vec<u8>,
}

/// Of 256 values of a byte, those from this one on choose a fault, time, or another step that nothing waits for.
const EXTRAS: u8 = 224;

/// The first byte says whether it finishes, all others are picks: a derived implementation would spend half on a length.
impl<'a> Arbitrary<'a> for Draws {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Draws> {
        let finishes = bytes.arbitrary::<u8>()? % 2 == 0;
        let rest = bytes.len().min(STEPS_MAX);
        Ok(Draws { finishes, picks: bytes.bytes(rest)?.to_vec() })
    }
}

impl Draws {
    /// What is drawn from these bytes.
    pub fn of(bytes: &[u8]) -> Draws {
        Draws::arbitrary(&mut Unstructured::new(bytes)).unwrap_or_default()
    }

    /// Which of so many messages, or of the other steps behind them, a byte picks.
    pub fn pick(byte: u8, messages: usize, extras: usize) -> Option<usize> {
        match (messages, extras) {
            (0, 0) => None,
            (0, extras) => Some(usize::from(byte) % extras),
            (messages, 1..) if byte >= EXTRAS => Some(messages + usize::from(byte - EXTRAS) % extras),
            (messages, _) => Some(usize::from(byte) % messages),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_is_read_as_it_was_written() {
        let text = "0{amt=30}\n1\n0.1\n1.1r\nrest\n";
        let input = Input::parse(text.as_bytes()).unwrap();
        assert_eq!((input.steps.len(), input.finishes), (4, true));
        assert_eq!(input.text(1000), text);
        assert_eq!(input.text(18), "0{amt=30}\n1\nrest\n");
        assert_eq!(input.text(3), "");
    }

    #[test]
    fn what_is_no_schedule_is_drawn_from() {
        for text in ["", "\n", "rest\n0\n", "no step", "0\n\u{1}", "\u{feff}0"] {
            assert_eq!(Input::parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(Input::parse(&[0xff, 0x30]), None);
    }

    proptest! {
        #[test]
        fn every_byte_picks_what_there_is(bytes in prop::collection::vec(any::<u8>(), 0..40), messages in 0..4usize, extras in 0..4usize) {
            let draws = Draws::of(&bytes);
            prop_assert_eq!(draws.picks.len(), bytes.len().saturating_sub(1));
            for byte in draws.picks {
                let picked = Draws::pick(byte, messages, extras);
                prop_assert_eq!(picked.is_some(), messages + extras > 0);
                prop_assert!(picked.is_none_or(|at| at < messages + extras));
            }
        }
    }
}
