//! Reports of a search for others than people at a terminal: HTML, JUnit, SARIF.

use std::path::{Path, PathBuf};

use canloom::counterexample::Status;
use canloom::engine::embedded::Embedded;
use canloom::explore::{Completeness, Explored};
use canloom::report::json::Report;
use canloom::report::junit::{self, Case};
use canloom::report::{Verdict, is_violation, missing, sarif, unchecked, was_refused};
use canloom::scenario::When;

use super::Failure;
use super::output::{is_standard_output, named, write_to};
use super::told::{Beside, Told};

/// Which reports are written.
#[derive(Debug, clap::Args)]
pub struct Reports {
    /// Write the first counterexample as one HTML file that needs nothing else; further ones beside it, numbered.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the invariants as JUnit XML to this file.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the violations as SARIF to this file: each at the line of its await, where modules have debug information.
    #[arg(long, value_name = "FILE")]
    sarif: Option<PathBuf>,
}

impl Reports {
    /// Whether none is asked for.
    pub fn is_empty(&self) -> bool {
        self.html.is_none() && self.junit.is_none() && self.sarif.is_none()
    }

    /// Refuses standard output; the places are checked together with those of other reports.
    pub fn check(&self) -> Result<(), Failure> {
        for file in [&self.html, &self.junit, &self.sarif].into_iter().flatten() {
            if is_standard_output(file) {
                return Err(Failure::input(
                    "--html, --junit and --sarif need a file; only --json can go to standard output",
                ));
            }
        }
        Ok(())
    }

    /// Where they go, by option.
    pub fn places(&self) -> Vec<(&'static str, &Path)> {
        named([("--html", &self.html), ("--junit", &self.junit), ("--sarif", &self.sarif)])
    }

    /// Writes them. `told` are the violations, by position among the findings.
    pub fn write(
        &self,
        engine: &mut Embedded,
        explored: &Explored,
        document: &Report,
        told: &[(usize, Told)],
        passes_over_known: bool,
    ) -> Result<(), Failure> {
        if let Some(file) = &self.html {
            for (number, (at, told)) in told.iter().enumerate() {
                let violation = &document.violations[*at];
                let beside = Beside {
                    file: violation.file.clone(),
                    grade: explored.findings[*at].grade,
                    class: violation.class,
                    minimal: violation.minimal,
                };
                write_to(&numbered(file, number), &told.html(engine, &beside)?)?;
            }
        }
        if let Some(file) = &self.junit {
            let cases = cases(engine, explored, document, told, passes_over_known);
            write_to(file, &junit::document(&engine.scenario.name, &cases, Some(explored.elapsed)))?;
        }
        if let Some(file) = &self.sarif {
            let findings: Vec<sarif::Finding> = told.iter().map(|(_, told)| finding(engine, told)).collect();
            write_to(file, &sarif::document(&findings))?;
        }
        Ok(())
    }
}

/// The file of the page with this number, from 0: report.html, report-2.html.
fn numbered(file: &Path, number: usize) -> PathBuf {
    if number == 0 {
        return file.to_path_buf();
    }
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let ending = file.extension().map_or_else(String::new, |ending| format!(".{}", ending.to_string_lossy()));
    file.with_file_name(format!("{stem}-{}{ending}", number + 1))
}

/// The invariants of a scenario, with what was found of each.
fn cases(
    engine: &Embedded,
    explored: &Explored,
    document: &Report,
    told: &[(usize, Told)],
    passes_over_known: bool,
) -> Vec<Case> {
    let scenario = &engine.scenario;
    let (missing, unchecked) = (missing(scenario, explored), unchecked(scenario, explored));
    let is_complete = explored.completeness == Completeness::Exhaustive;
    // What holds as far as was searched is no test that passes.
    let is_decided = is_complete && !was_refused(explored) || Verdict::of(scenario, explored) == Verdict::Held;
    let mut cases = Vec::new();
    for (at, invariant) in scenario.invariants.iter().enumerate() {
        let told = told.iter().find(|(_, told)| told.invariant == at && is_violation(invariant));
        let folded = explored.findings.iter().any(|finding| finding.also.contains(&at));
        let violation = told.map(|(position, _)| &document.violations[*position]);
        let known = violation.filter(|violation| passes_over_known && violation.known == Some(Status::Open.word()));
        let failure = match told {
            Some(_) if known.is_some() => None,
            Some((position, told)) => {
                let file = document.violations[*position].file.clone().unwrap_or_default();
                let line = told.explanation.as_ref().and_then(|explanation| explanation.sentences.last().cloned());
                Some((line.unwrap_or_default(), format!("{}\nreplay: canloom repro {file}\n", told.text(engine))))
            }
            None if missing.contains(&at) && is_complete => {
                let what =
                    if invariant.when == When::Sometimes { "never seen" } else { "not violated, though it should be" };
                Some((what.to_string(), format!("{what}: {}", invariant.text)))
            }
            None if folded => Some(("violated together with another one".to_string(), invariant.text.clone())),
            None => None,
        };
        let is_open = !is_decided || explored.undecided.contains(&at) || unchecked.contains(&at);
        let skipped = match known {
            Some(violation) => Some(format!("known: {}", violation.file.clone().unwrap_or_default())),
            None => is_open.then(|| "inconclusive".to_string()),
        };
        cases.push(Case { name: invariant.name.clone(), class: scenario.name.clone(), failure, skipped });
    }
    cases
}

fn finding(engine: &Embedded, told: &Told) -> sarif::Finding {
    let scenario = &engine.scenario;
    let invariant = &scenario.invariants[told.invariant];
    let explanation = told.explanation.as_ref();
    let place = explanation.and_then(|explanation| explanation.place.as_ref()?.line.clone());
    let (file, line) = place.unwrap_or_else(|| (scenario.file.display().to_string(), invariant.line as u32));
    let sentences = explanation.map_or_else(String::new, |explanation| explanation.sentences.join(" "));
    let point = told.counterexample.point.clone().unwrap_or_default();
    sarif::Finding {
        invariant: invariant.name.clone(),
        text: format!("\"{}\" is violated. {sentences}", invariant.name),
        file,
        line,
        key: format!("{}/{}/{point}", scenario.name, invariant.name),
    }
}
