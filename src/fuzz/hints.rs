//! What an argument may have to equal: constants of the modules, and operands that were compared with an argument.
//!
//! In: modules; operands of comparisons with the numbers of the arguments of that schedule. Out: replacements. A number that
//! a canister compares as it came is found so in one step, whatever its size (Aschermann et al.: "REDQUEEN: Fuzzing with
//! Input-to-State Correspondence", NDSS 2019; operands are taken from the run itself, arguments are not coloured first).

use std::collections::{BTreeSet, VecDeque};

use hashbrown::HashMap;

use crate::engine::wasm::module::Constants;
use crate::scheduler::Generator;

/// Replacements that are kept for one number, the newest ones, and numbers that have any.
const REPLACEMENTS_MAX: usize = 32;
const NUMBERS_MAX: usize = 1 << 14;

/// Numbers and texts worth trying.
#[derive(Default)]
pub struct Hints {
    numbers: Vec<u64>,
    texts: Vec<String>,
    replacements: HashMap<u64, VecDeque<u64>>,
}

impl Hints {
    /// Those of modules.
    pub fn of<'a>(modules: impl Iterator<Item = &'a Constants>) -> Hints {
        let (mut numbers, mut texts) = (BTreeSet::new(), BTreeSet::new());
        for constants in modules {
            numbers.extend(constants.numbers.iter().copied());
            texts.extend(constants.texts.iter().cloned());
        }
        Hints {
            numbers: numbers.into_iter().collect(),
            texts: texts.into_iter().collect(),
            replacements: HashMap::new(),
        }
    }

    /// Two operands were compared and were not equal, in a run whose arguments contain these numbers.
    pub fn compared(&mut self, one: u64, other: u64, arguments: &BTreeSet<u64>) {
        for (from, to) in [(one, other), (other, one)] {
            if !arguments.contains(&from) {
                continue;
            }
            if self.replacements.len() >= NUMBERS_MAX {
                self.replacements.clear();
            }
            let known = self.replacements.entry(from).or_default();
            if known.contains(&to) {
                continue;
            }
            if known.len() == REPLACEMENTS_MAX {
                known.pop_front();
            }
            known.push_back(to);
        }
    }

    /// What this number was compared with.
    pub fn replacement(&self, number: u64, random: &mut Generator) -> Option<u64> {
        let known = self.replacements.get(&number)?;
        known.get(random.below(known.len() as u64) as usize).copied()
    }

    /// Some number that code compares with.
    pub fn number(&self, random: &mut Generator) -> Option<u64> {
        pick(&self.numbers, random).copied()
    }

    /// Some text of the modules' data.
    pub fn text(&self, random: &mut Generator) -> Option<&str> {
        pick(&self.texts, random).map(String::as_str)
    }
}

/// One of these, if there are any.
pub fn pick<'a, T>(all: &'a [T], random: &mut Generator) -> Option<&'a T> {
    if all.is_empty() { None } else { all.get(random.below(all.len() as u64) as usize) }
}
