//! What a message adds to a ghost: the scenario's expressions on Candid bytes.
//!
//! In: a ghost's sum and a message as bytes. Out: the next sum. A sum is its decimal digits; one that could not be formed is
//! the reason after an exclamation mark.

use candid::Principal;

use crate::kernel::Adder;
use crate::scenario::{Ghost, Labels, Value};

/// What a sum begins with that could not be formed.
const FAILED: &str = "!";

/// A ghost with the names of the fields that messages may have.
#[derive(Debug)]
pub(super) struct Sum {
    pub(super) ghost: Ghost,
    pub(super) labels: Labels,
}

impl Adder for Sum {
    fn start(&self) -> Vec<u8> {
        b"0".to_vec()
    }

    fn add(&self, sum: &[u8], arg: &[u8], reply: &[u8], by: Principal) -> Option<Vec<u8>> {
        let after = self.ghost.after(&value(sum), arg, reply, by, &self.labels)?;
        let text = match after {
            Value::Failed(reason) => format!("{FAILED}{reason}"),
            number => number.to_string(),
        };
        Some(text.into_bytes())
    }
}

/// The value of a sum.
pub(super) fn value(sum: &[u8]) -> Value {
    let text = String::from_utf8_lossy(sum);
    match (text.strip_prefix(FAILED), text.parse()) {
        (None, Ok(number)) => Value::Int(number),
        (reason, _) => Value::Failed(reason.unwrap_or(&text).to_string()),
    }
}
