//! A counterexample, replayed and explained: for all commands that show one.

use canloom::counterexample::{Counterexample, Replayed, replay};
use canloom::engine::embedded::Embedded;
use canloom::explain::{Explanation, explain};
use canloom::explore::Grade;
use canloom::report::story::{Known, Story};
use canloom::report::{html, mermaid, text};

use super::Failure;

/// A counterexample as it is shown.
pub struct Told {
    /// What it says.
    pub counterexample: Counterexample,
    /// Its invariant, by position.
    pub invariant: usize,
    /// What happens.
    pub replayed: Replayed,
    /// Why; `None` if the invariant holds.
    pub explanation: Option<Explanation>,
}

/// What is known of it from elsewhere.
#[derive(Clone, Debug)]
pub struct Beside {
    /// Where it lies.
    pub file: Option<String>,
    /// What it needs.
    pub grade: Grade,
    /// Weakest class of orders.
    pub class: Option<&'static str>,
    /// What is known about simpler ones.
    pub minimal: Option<&'static str>,
}

impl Told {
    /// Replays a counterexample that the search has just found, and explains it.
    pub fn found(engine: &mut Embedded, counterexample: Counterexample, invariant: usize) -> Result<Told, Failure> {
        let replayed = replay(engine, &counterexample.schedule, Some(invariant))
            .map_err(|error| Failure::outside(format!("bug in canloom: a finding does not replay: {error}")))?;
        Ok(Told::of(engine, counterexample, invariant, replayed))
    }

    /// Explains a replay.
    pub fn of(engine: &mut Embedded, counterexample: Counterexample, invariant: usize, replayed: Replayed) -> Told {
        // A replay is told without the reasons, too, if memory ends before they are found.
        let explanation = explain(engine, invariant, &counterexample.schedule, &replayed).ok().flatten();
        Told { counterexample, invariant, replayed, explanation }
    }

    /// Step by step, with the explanation.
    pub fn text(&self, engine: &Embedded) -> String {
        let mut out = text::counterexample(&engine.scenario, self.invariant, &self.replayed);
        if let Some(explanation) = &self.explanation {
            out.push('\n');
            out.push_str(&text::explanation(explanation, &self.replayed.trace));
        }
        out
    }

    /// As a page.
    pub fn html(&self, engine: &mut Embedded, beside: &Beside) -> Result<String, Failure> {
        Ok(html::page(&self.story(engine, beside)?))
    }

    /// As a diagram for Markdown.
    pub fn mermaid(&self, engine: &mut Embedded, beside: &Beside) -> Result<String, Failure> {
        Ok(mermaid::diagram(&self.story(engine, beside)?))
    }

    /// As the document that the page is drawn from.
    pub fn json(&self, engine: &mut Embedded, beside: &Beside) -> Result<String, Failure> {
        let story = self.story(engine, beside)?;
        serde_json::to_string_pretty(&story).map(|text| text + "\n").map_err(Failure::outside)
    }

    fn story(&self, engine: &mut Embedded, beside: &Beside) -> Result<Story, Failure> {
        let Some(explanation) = &self.explanation else {
            return Err(Failure::outside(
                "the violation cannot be explained within the limit of memory (--max-memory)",
            ));
        };
        let known = Known {
            counterexample: &self.counterexample,
            file: beside.file.clone(),
            invariant: self.invariant,
            explanation,
            grade: beside.grade,
            class: beside.class,
            minimal: beside.minimal,
        };
        Story::new(engine, &self.replayed, &known).map_err(Failure::input)
    }
}
