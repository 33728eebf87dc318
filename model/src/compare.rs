//! The comparison of outcomes with `corpus/<scenario>/outcomes.txt`.
//!
//! In: the text of the file, and the outcomes of a model. Out: every outcome that one side lacks, with the side.

use std::collections::BTreeSet;
use std::fmt;

use crate::findings::Outcomes;

/// An outcome that one side lacks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// Number of calls and of faults.
    pub section: (u32, u32),
    /// The outcome.
    pub outcome: String,
    /// Who lacks it.
    pub lacking: Side,
}

/// A side of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The file does not have the outcome.
    File,
    /// The model never ends like this.
    Model,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (calls, faults) = self.section;
        let lacking = match self.lacking {
            Side::File => "the file lacks an outcome of the model",
            Side::Model => "the model lacks an outcome of the file",
        };
        write!(f, "{calls} calls, {faults} faults: {lacking}: {}", self.outcome)
    }
}

/// Reads the text of an `outcomes.txt`: sections `[2 calls, 1 fault]`, an outcome a line.
///
/// # Errors
/// The line, from 1, that fits neither.
pub fn read_outcomes(text: &str) -> Result<Outcomes, String> {
    let mut outcomes = Outcomes::new();
    let mut section = None;
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
        if line.starts_with('[') {
            let numbers = section_of(line).ok_or_else(|| format!("line {}: `{line}` is no section", at + 1))?;
            section = Some(numbers);
            outcomes.entry(numbers).or_default();
        } else {
            let section = section.ok_or_else(|| format!("line {}: an outcome before the first section", at + 1))?;
            outcomes.entry(section).or_default().insert(line.to_string());
        }
    }
    Ok(outcomes)
}

fn section_of(line: &str) -> Option<(u32, u32)> {
    let (calls, faults) = line.strip_prefix('[')?.strip_suffix(']')?.split_once(", ")?;
    let number =
        |text: &str, word: &str| text.split_once(' ').filter(|(_, rest)| rest.starts_with(word))?.0.parse().ok();
    Some((number(calls, "call")?, number(faults, "fault")?))
}

/// Compares the sections of up to `calls` calls, both ways.
pub fn compare(model: &Outcomes, file: &Outcomes, calls: u32) -> Vec<Difference> {
    let sections: BTreeSet<(u32, u32)> = model.keys().chain(file.keys()).copied().collect();
    let empty = BTreeSet::new();
    let mut differences = Vec::new();
    for section in sections.into_iter().filter(|section| section.0 <= calls) {
        let (model, file) = (model.get(&section).unwrap_or(&empty), file.get(&section).unwrap_or(&empty));
        let missing = |outcome: &String, lacking| Difference { section, outcome: outcome.clone(), lacking };
        differences.extend(model.difference(file).map(|outcome| missing(outcome, Side::File)));
        differences.extend(file.difference(model).map(|outcome| missing(outcome, Side::Model)));
    }
    differences
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_the_outcome_and_the_side_that_lacks_it() {
        let file = read_outcomes("[1 call, 0 faults]\nx = 1 | a\n\n[2 calls, 1 fault]\nx = 2 | a; b\n").unwrap();
        assert_eq!(compare(&file, &file, 2), []);
        let model = read_outcomes("[1 call, 0 faults]\nx = 0 | a\nx = 1 | a\n").unwrap();
        let texts: Vec<String> = compare(&model, &file, 2).iter().map(Difference::to_string).collect();
        assert_eq!(
            texts,
            [
                "1 calls, 0 faults: the file lacks an outcome of the model: x = 0 | a",
                "2 calls, 1 faults: the model lacks an outcome of the file: x = 2 | a; b",
            ]
        );
        assert_eq!(compare(&model, &file, 1).len(), 1);
    }

    #[test]
    fn what_is_no_list_of_outcomes_is_refused_with_its_line() {
        assert_eq!(read_outcomes("x = 1").unwrap_err(), "line 1: an outcome before the first section");
        assert_eq!(read_outcomes("[one call]").unwrap_err(), "line 1: `[one call]` is no section");
    }
}
