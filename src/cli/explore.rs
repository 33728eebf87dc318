//! `canloom explore`.

mod known;
mod options;
mod search;

use canloom::corpus;
use canloom::counterexample::Status;
use canloom::engine::embedded::Embedded;
use canloom::explore::{Explored, Finding, Shard, identity};
use canloom::report::json::Report;
use canloom::report::part::{Origin, Part};
use canloom::report::{Verdict, is_violation, missing, text};
use canloom::scenario::BoundName;

pub use known::counterexample;
use known::{Seen, beyond_known};
use options::{FailOn, strategy};
pub use options::{Options, narrowed};
use search::search;

use super::class::label;
use super::paint::show;
use super::progress::Line;
use super::replica::{self, Engine};
use super::told::Told;
use super::{Exit, Failure, install};

/// Runs it.
pub fn run(options: &Options) -> Result<Exit, Failure> {
    let strategy = strategy(options)?;
    if options.engine == Engine::PocketIc {
        return on_replica(options);
    }
    super::interrupt::hear();
    let mut line = Line::new(options.quiet);
    line.say("loading canisters");
    let mut engine = install(narrowed(&options.scenario, &options.bounds)?, &options.memory)?;
    if options.confirm {
        replica::check()?;
    }
    // Before the search adds states to those that the canisters begin with.
    let origin = options.shard.map(|_| origin(&engine, &options.bounds));
    let explored = search(options, strategy, &mut engine, &mut line)?;
    line.end();
    let scenario = engine.scenario.clone();
    // The same bug may have another simplest way in another shard, so shards report all that they found.
    let explored = if options.shard.is_some() { explored } else { explored.folded(&scenario) };
    let names = explored.findings.iter().map(|finding| scenario.invariants[finding.invariant].name.as_str());
    let entries = corpus::beside(&engine, &names.collect::<Vec<&str>>());
    let mut all = Vec::new();
    for finding in &explored.findings {
        // A shard's finding may not be the simplest one: `canloom merge` knows, and saves that.
        let wanted = is_violation(&scenario.invariants[finding.invariant]) && options.shard.is_none();
        all.push(Seen::of(&engine, finding, &entries, wanted));
    }
    let files: Vec<Option<String>> = all.iter().map(|seen| seen.file.clone()).collect();
    let part = match (options.shard, origin) {
        (Some(shard), Some(origin)) => Some(part(&mut engine, shard, origin, &explored, &all)?),
        _ => None,
    };
    let mut document = Report { shard: part, ..Report::new(&scenario, &explored, &files) };
    let interrupted = || engine.allowance().interrupt.is_requested();
    if options.shard.is_none() {
        line.say("looking for the weakest class of orders");
        if !interrupted() {
            label(&engine, &explored, &mut document)?;
        }
        line.say("explaining");
        for (seen, violation) in all.iter().zip(&mut document.violations) {
            violation.point.clone_from(&seen.counterexample.point);
            violation.known = seen.known.map(Status::word);
        }
    }
    let wanted: Vec<usize> =
        (0..all.len()).filter(|&at| is_violation(&scenario.invariants[explored.findings[at].invariant])).collect();
    // The first one is shown; the others only where a report asks for them.
    let most = if options.reports.is_empty() { 1 } else { wanted.len() };
    let mut told = Vec::new();
    if options.shard.is_none() && !(options.quiet && options.reports.is_empty()) {
        for &at in wanted.iter().take(most) {
            let one = Told::found(&mut engine, all[at].counterexample.clone(), explored.findings[at].invariant)?;
            let place = one.explanation.as_ref().and_then(|explanation| explanation.place.as_ref());
            document.violations[at].place = place.map(ToString::to_string);
            told.push((at, one));
        }
    }
    line.end();
    // What cannot be written now must not cost the verdict.
    let written = options.reports.write(&mut engine, &explored, &document, &told, options.fail_on == FailOn::New);
    let told: Option<Told> = told.into_iter().next().map(|(_, told)| told);
    let (document, confirmed, exit) = if options.confirm {
        confirmed(options, &engine, &explored, document)?
    } else {
        (document, String::new(), None)
    };
    let written = written.and(options.outputs.write(&document, &explored));
    if !options.outputs.take_standard_output() {
        show(&(report(options, &mut engine, &explored, &all, told.as_ref())? + &confirmed))?;
    }
    written?;
    let exit = exit.unwrap_or(Exit::of(Verdict::of(&scenario, &explored)));
    if options.fail_on == FailOn::Any || exit != Exit::Violated || !missing(&scenario, &explored).is_empty() {
        return Ok(exit);
    }
    if !wanted.iter().all(|&at| all[at].known == Some(Status::Open)) {
        return Ok(Exit::Violated);
    }
    line.say("looking for other bugs of the same invariants");
    let exit = beyond_known(options, &mut engine, &explored, &wanted, &entries)?;
    line.end();
    Ok(exit)
}

/// Plays the findings on PocketIC.
#[cfg(feature = "pocket-ic")]
fn confirmed(
    options: &Options,
    engine: &Embedded,
    explored: &Explored,
    mut document: Report,
) -> Result<(Report, String, Option<Exit>), Failure> {
    let (all, told, exit) = super::campaign::confirmed(options, &engine.scenario, engine, explored)?;
    for (violation, confirmation) in document.violations.iter_mut().zip(all) {
        violation.pocket_ic = confirmation.as_ref().map(canloom::report::replica::word);
    }
    Ok((document, told, exit))
}

#[cfg(not(feature = "pocket-ic"))]
fn confirmed(_: &Options, _: &Embedded, _: &Explored, _: Report) -> Result<(Report, String, Option<Exit>), Failure> {
    Err(replica::missing())
}

#[cfg(feature = "pocket-ic")]
fn on_replica(options: &Options) -> Result<Exit, Failure> {
    super::campaign::run(options)
}

#[cfg(not(feature = "pocket-ic"))]
fn on_replica(_: &Options) -> Result<Exit, Failure> {
    Err(replica::missing())
}

/// What `canloom merge` needs of this shard.
fn part(
    engine: &mut Embedded,
    shard: Shard,
    origin: Origin,
    explored: &Explored,
    all: &[Seen],
) -> Result<Part, Failure> {
    let mut counterexamples = Vec::new();
    for (finding, seen) in explored.findings.iter().zip(all) {
        counterexamples.push((seen.counterexample.text(), steps(engine, finding, seen)?));
    }
    Ok(Part::new(shard, origin, explored, counterexamples))
}

/// What a shard is one of.
fn origin(engine: &Embedded, bounds: &[(BoundName, u32)]) -> Origin {
    let scenario = &engine.scenario;
    Origin {
        scenario: scenario.file.clone(),
        scenario_sha256: scenario.sha256.clone(),
        bounds: bounds.to_vec(),
        identity: identity(engine),
    }
}

/// A finding step by step.
fn steps(engine: &mut Embedded, finding: &Finding, seen: &Seen) -> Result<String, Failure> {
    Ok(Told::found(engine, seen.counterexample.clone(), finding.invariant)?.text(engine))
}

fn report(
    options: &Options,
    engine: &mut Embedded,
    explored: &Explored,
    all: &[Seen],
    told: Option<&Told>,
) -> Result<String, Failure> {
    let scenario = engine.scenario.clone();
    if options.quiet {
        return Ok(text::verdict(&scenario, explored));
    }
    let mut out = text::summary(&scenario, explored);
    let is_wanted = |finding: &Finding| is_violation(&scenario.invariants[finding.invariant]);
    let first = explored.findings.iter().position(is_wanted);
    for (at, seen) in all.iter().enumerate() {
        let at = Some(at);
        let (name, file) = (&seen.counterexample.invariant, seen.file.as_deref().unwrap_or_default());
        match seen.known {
            Some(Status::Open) => out.push_str(&format!("known: \"{name}\" is {file}\n")),
            Some(Status::Fixed) => out.push_str(&format!("came back: \"{name}\" is marked as fixed in the corpus\n")),
            None => {}
        }
        if at != first && !file.is_empty() {
            out.push_str(&format!("see also: \"{name}\": canloom repro {file}\n"));
        }
    }
    out.push_str(&text::coverage(&explored.coverage));
    if let Some(at) = first {
        let shown = match told {
            Some(told) => told.text(engine),
            None => steps(engine, &explored.findings[at], &all[at])?,
        };
        out.push_str(&text::with_replay(&shown, all[at].file.as_deref()));
        if options.shard.is_some() {
            out.push_str("\nnot saved: `canloom merge` saves the simplest counterexample of all shards\n");
        }
    }
    Ok(out)
}
