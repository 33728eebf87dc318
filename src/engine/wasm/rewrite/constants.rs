//! Numbers and texts that a module may compare with.
//!
//! In: a module. Out: the constants of its code that are compared or wide, and the texts in its data: a dictionary for fuzzing.

use std::collections::BTreeSet;

use wasmparser::{BinaryReaderError, Operator, Parser, Payload};

use super::watch::Site;

/// Most constants of a module that are kept.
const CONSTANTS_MAX: usize = 4096;
/// Lengths of texts in data that are kept.
const TEXT: std::ops::RangeInclusive<usize> = 3..=40;

/// What a module's code and data have in them that an argument may have to equal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Constants {
    /// Numbers of its code, each once, in order.
    pub numbers: Vec<u64>,
    /// Texts of its data.
    pub texts: Vec<String>,
}

impl Constants {
    pub(super) fn of(wasm: &[u8]) -> Result<Constants, BinaryReaderError> {
        let mut numbers = BTreeSet::new();
        let mut texts = BTreeSet::new();
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::CodeSectionEntry(body) => {
                    let operators: Vec<Operator<'_>> =
                        body.get_operators_reader()?.into_iter().collect::<Result<_, _>>()?;
                    // A constant that is compared stands just before the comparison, or two before it.
                    for (at, operator) in operators.iter().enumerate() {
                        let number = match *operator {
                            Operator::I64Const { value } => value as u64,
                            Operator::I32Const { value } => u64::from(value as u32),
                            _ => continue,
                        };
                        let is_compared = operators[at + 1..].iter().take(2).any(|next| Site::of(next).is_some());
                        let is_wide = matches!(operator, Operator::I64Const { .. }) && number > u64::from(u16::MAX);
                        if (is_compared || is_wide) && numbers.len() < CONSTANTS_MAX {
                            numbers.insert(number);
                        }
                    }
                }
                Payload::DataSection(reader) => {
                    for data in reader {
                        let printable = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
                        let runs = data?.data.split(|byte| !printable(byte));
                        for run in runs.filter(|run| TEXT.contains(&run.len())).take(CONSTANTS_MAX) {
                            texts.insert(String::from_utf8_lossy(run).into_owned());
                        }
                    }
                }
                _ => {}
            }
        }
        texts = texts.into_iter().take(CONSTANTS_MAX).collect();
        Ok(Constants { numbers: numbers.into_iter().collect(), texts: texts.into_iter().collect() })
    }
}
