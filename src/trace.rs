//! What an execution leaves behind: its outcome. In: observations and calls at the end. Out: text that can be compared.

use std::fmt;
use std::sync::Arc;

use crate::scenario::{CallState, CallView, Reply, Scenario, Value};

/// What one complete execution ended with, as one line of text.
///
/// Observations in file order, then the started calls sorted; reject codes without their text and no times, so that
/// engines which word a reject differently still agree (design section 2).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Outcome {
    text: String,
}

impl Outcome {
    /// The outcome of an execution that ended with these observations (one per `[observe]`) and these calls.
    pub fn new(scenario: &Scenario, observations: &[Arc<Value>], calls: &[CallView]) -> Outcome {
        let observed: Vec<String> = scenario
            .observations
            .iter()
            .zip(observations)
            .map(|(observation, value)| format!("{} = {value}", observation.name))
            .collect();
        let mut ended: Vec<String> = calls
            .iter()
            .filter_map(|call| {
                let id = &scenario.calls[call.entry].id;
                match &call.state {
                    CallState::NotStarted => None,
                    CallState::Open => Some(format!("{id} unanswered")),
                    CallState::Done(reply) => Some(match reply.as_ref() {
                        Reply::Replied(value, _) => format!("{id} = {value}"),
                        Reply::Rejected { code, .. } => format!("{id} rejected {code}"),
                    }),
                }
            })
            .collect();
        ended.sort();
        Outcome {
            text: format!("{} | {}", observed.join("; "), ended.join("; ")),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
