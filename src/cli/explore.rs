//! `canloom explore`.

use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::Duration;

use canloom::corpus::{self, Entry};
use canloom::counterexample::{Counterexample, Status};
use canloom::engine::embedded::Embedded;
use canloom::explore::{
    Budget, Checkpoint, CheckpointError, Completeness, ExploreError, Explored, Finding, Shard, explore, explore_from,
    identity,
};
use canloom::portfolio::{self, Phase, Portfolio};
use canloom::report::json::Report;
use canloom::report::part::{Origin, Part};
use canloom::report::{Verdict, is_violation, missing, text};
use canloom::sample::{Sampling, sample};
use canloom::scenario::{BoundName, Scenario};
use canloom::scheduler::Strategy;
use canloom::shrink::another;

use super::class::label;
use super::output::{Outputs, check_places, save};
use super::paint::show;
use super::progress::Line;
use super::replica::{self, Engine};
use super::reports::Reports;
use super::told::Told;
use super::{Exit, Failure, Memory, install, numbers, say};

/// Options of `canloom explore`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The scenario file (TOML, format 1).
    pub(super) scenario: PathBuf,
    /// Who executes: our own engine, in every order; or the replica's own code on PocketIC, where scripts of calls, rounds,
    /// places and times are drawn at random, and each round is checked against our own engine.
    #[arg(long, value_enum, default_value_t)]
    engine: Engine,
    /// Play each violation on PocketIC, too: confirmed, not expressible there, or diverged.
    #[arg(long)]
    confirm: bool,
    /// How to choose orders: all of them; sampled ones; or, unless you say otherwise, all of them until it is clear that time
    /// or memory will not suffice, and sampled ones for the rest [default: portfolio; of a shard or with a checkpoint: exhaustive]
    #[arg(long, value_enum)]
    strategy: Option<Choose>,
    /// Seed of sampled schedules; default 0. The same seed and number of schedules give the same report.
    #[arg(long, value_name = "N", value_parser = numbers::whole)]
    pub(super) seed: Option<u64>,
    /// Most schedules to sample; default 10,000, or as many as the budget allows.
    #[arg(long, value_name = "N", value_parser = numbers::count)]
    pub(super) schedules: Option<u64>,
    /// Stop after this time, for example 60s or 5m; the verdict may then be inconclusive.
    #[arg(long, value_parser = duration)]
    pub(super) budget: Option<Duration>,
    /// Threads; all cores by default. The report does not depend on their number.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: Option<u16>,
    /// Search only the paths of shard I of N, on this machine; the JSON reports of all shards become one by `canloom merge`.
    #[arg(long, value_name = "I/N", value_parser = shard)]
    shard: Option<Shard>,
    #[command(flatten)]
    pub(super) outputs: Outputs,
    #[command(flatten)]
    reports: Reports,
    /// What makes the exit code 3: any violation, or only those that no accepted counterexample beside the scenario is of. One
    /// that is marked as fixed has come back, and counts as new.
    #[arg(long, value_enum, value_name = "WHICH", default_value_t)]
    fail_on: FailOn,
    /// Narrow a bound of the scenario, for example switches=2: one of calls, in_flight, faults, switches (context switches),
    /// depth, time (time steps in all), timers, heartbeats. Can be given once for each.
    #[arg(long = "bound", value_name = "NAME=N", value_parser = bound)]
    pub(super) bounds: Vec<(BoundName, u32)>,
    /// Save the search to this directory every now and then, and go on from what is saved there: after a kill, or with a
    /// further budget. It is made if it is missing.
    #[arg(long, value_name = "DIR")]
    checkpoint: Option<PathBuf>,
    #[command(flatten)]
    pub(super) memory: Memory,
    /// Print only the verdict.
    #[arg(long)]
    pub(super) quiet: bool,
}

/// Time for looking for other bugs of invariants whose simplest violation is known, where no budget is given.
const BEYOND: Duration = Duration::from_secs(60);

/// Which violations make a run fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum FailOn {
    /// Any.
    #[default]
    Any,
    /// Those that the corpus does not have, or has as fixed.
    New,
}

/// A finding as a counterexample, and what the corpus knows of it.
struct Seen {
    counterexample: Counterexample,
    file: Option<String>,
    known: Option<Status>,
}

impl Seen {
    fn of(engine: &Embedded, finding: &Finding, entries: &[Entry], wanted: bool) -> Seen {
        let counterexample = counterexample(engine, finding);
        let entry = corpus::known(entries, &counterexample).filter(|_| wanted);
        let (file, known) = match entry {
            // The steps of a fixed one hold; these do not.
            Some(entry) if entry.counterexample.status == Status::Fixed => {
                (save(&engine.scenario, &counterexample), Some(Status::Fixed))
            }
            Some(entry) => (Some(entry.file.clone()), Some(Status::Open)),
            None if wanted => (save(&engine.scenario, &counterexample), None),
            None => (None, None),
        };
        Seen { counterexample, file: file.map(|file| file.display().to_string()), known }
    }
}

/// Most runs that a search can be divided into.
const SHARDS_MAX: u32 = 10_000;

/// Strategies as they are named on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Choose {
    /// Every order within the bounds.
    Exhaustive,
    /// Sampled, as evenly as can be over all orders.
    Random,
    /// Sampled, evenly over the orders of messages that race.
    Pos,
    /// Sampled, with few changes of priority.
    Pct,
    /// Every order, then sampled with the three in turns.
    Portfolio,
}

impl Options {
    /// Threads.
    pub(super) fn workers(&self) -> usize {
        self.workers.map_or_else(cores, usize::from)
    }
}

/// Schedules that are sampled where neither their number nor a time is given.
const SCHEDULES: u64 = 10_000;

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
    let written = options.reports.write(&mut engine, &explored, &document, &told);
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

/// A search names the simplest violation of an invariant, and that is known: whether it has others that are not.
fn beyond_known(
    options: &Options,
    engine: &mut Embedded,
    explored: &Explored,
    wanted: &[usize],
    entries: &[Entry],
) -> Result<Exit, Failure> {
    let is_complete = matches!(explored.completeness, Completeness::Exhaustive | Completeness::Within);
    let mut exit = if is_complete { Exit::Held } else { Exit::Inconclusive };
    for &at in wanted {
        let invariant = explored.findings[at].invariant;
        let name = engine.scenario.invariants[invariant].name.clone();
        let of_invariant = entries
            .iter()
            .filter(|entry| entry.counterexample.invariant == name && entry.counterexample.status == Status::Open);
        let known: Vec<String> = of_invariant.filter_map(|entry| entry.counterexample.point.clone()).collect();
        let time = options.budget.unwrap_or(BEYOND);
        match another(engine, invariant, &known, Some(time)).map_err(Failure::engine)? {
            Some(None) => {}
            Some(Some(finding)) => {
                let counterexample = counterexample(engine, &finding);
                let point = counterexample.point.clone().unwrap_or_default();
                let file =
                    save(&engine.scenario, &counterexample).map_or_else(String::new, |at| at.display().to_string());
                say(&format!("new: \"{name}\" at {point}: {file}"));
                exit = Exit::Violated;
            }
            None if exit == Exit::Held => {
                say(&format!(
                    "note: \"{name}\" is known, and time or memory did not suffice to look for other bugs of it"
                ));
                exit = Exit::Inconclusive;
            }
            None => {}
        }
    }
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

/// The strategy that the options ask for, if they fit together.
fn strategy(options: &Options) -> Result<Choose, Failure> {
    options.outputs.check()?;
    options.reports.check()?;
    check_places(&[options.outputs.places(), options.reports.places()].concat())?;
    let samples = options.strategy.is_some_and(|strategy| strategy != Choose::Exhaustive);
    if options.shard.is_some() && !(options.reports.is_empty() && options.fail_on == FailOn::Any) {
        let text = "--html, --junit, --sarif and --fail-on need the whole search, and a shard is a part of it";
        return Err(Failure::input(text));
    }
    if options.shard.is_some() && samples {
        let text = "--shard divides an exhaustive search; to sample on many machines give each another --seed";
        return Err(Failure::input(text));
    }
    if options.checkpoint.is_some() && samples {
        let text = "--checkpoint saves an exhaustive search; sampled schedules are made again from their --seed";
        return Err(Failure::input(text));
    }
    if options.engine == Engine::PocketIc {
        let orders = options.strategy.is_some_and(|strategy| strategy != Choose::Random);
        if orders || options.shard.is_some() || options.checkpoint.is_some() || options.confirm {
            let text = "--engine pocket-ic plays random scripts: a replica lets nobody choose the order of messages, so \
                        --strategy, --shard, --checkpoint and --confirm belong to the embedded engine";
            return Err(Failure::input(text));
        }
        return Ok(Choose::Random);
    }
    if options.confirm && options.shard.is_some() {
        return Err(Failure::input(
            "--confirm needs the whole search; `canloom repro FILE.cx --engine pocket-ic` confirms later",
        ));
    }
    let is_whole = options.shard.is_none() && options.checkpoint.is_none();
    let default = if is_whole { Choose::Portfolio } else { Choose::Exhaustive };
    let strategy = options.strategy.unwrap_or(default);
    if strategy == Choose::Exhaustive && (options.seed.is_some() || options.schedules.is_some()) {
        let text = "--seed and --schedules belong to sampled schedules, and an exhaustive search samples none";
        return Err(Failure::input(text));
    }
    Ok(strategy)
}

/// Searches or samples, as the options say.
fn search(options: &Options, strategy: Choose, engine: &mut Embedded, line: &mut Line) -> Result<Explored, Failure> {
    let workers = options.workers();
    let budget = Budget { time: options.budget, workers, shard: options.shard, gives_way: false };
    if let Some(folder) = &options.checkpoint {
        let mut checkpoint = Checkpoint::open(folder, engine, &searched(options)).map_err(unusable)?;
        let explored = explore_from(engine, &mut checkpoint, &budget, &mut |progress| line.show(progress));
        return explored.map_err(|error| match error {
            ExploreError::Unsupported(error) => Failure::engine(error),
            ExploreError::Checkpoint(error) => unusable(error),
        });
    }
    let seed = options.seed.unwrap_or(0);
    let most = if options.budget.is_some() { u64::MAX } else { SCHEDULES };
    let schedules = options.schedules.unwrap_or(most);
    let strategy = match strategy {
        Choose::Exhaustive => {
            return explore(engine, &budget, &mut |progress| line.show(progress)).map_err(Failure::engine);
        }
        Choose::Portfolio => {
            let portfolio = Portfolio { budget, seed, schedules };
            return portfolio::run(engine, &portfolio, &mut |phase| match phase {
                Phase::Searching(progress) => line.show(&progress),
                Phase::Sampling(progress) => line.show_sampling(&progress),
            })
            .map_err(Failure::engine);
        }
        Choose::Random => Strategy::Random,
        Choose::Pos => Strategy::Pos,
        Choose::Pct => Strategy::Pct,
    };
    let sampling = Sampling { strategy, seed, schedules, time: options.budget, workers, until_found: false };
    sample(engine, &sampling, &mut |progress| line.show_sampling(progress)).map_err(Failure::engine)
}

/// The options that decide what a search finds, for its checkpoint.
fn searched(options: &Options) -> String {
    let shard = options.shard.map(|shard| format!("--shard {}/{}", shard.index, shard.of));
    let mut bounds = options.bounds.clone();
    bounds.sort();
    let bounds = bounds.into_iter().map(|(name, most)| format!("--bound {}={most}", name.word()));
    shard.into_iter().chain(bounds).collect::<Vec<String>>().join(" ")
}

fn unusable(error: CheckpointError) -> Failure {
    match error {
        CheckpointError::Input(_) => Failure::input(error),
        CheckpointError::Outside(_) => Failure::outside(error),
    }
}

fn cores() -> usize {
    available_parallelism().map_or(1, usize::from)
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

/// The counterexample of a finding.
pub(super) fn counterexample(engine: &Embedded, finding: &Finding) -> Counterexample {
    Counterexample::of(engine, finding.invariant, finding.schedule.clone())
}

/// A share of a search: `2/8`.
fn shard(text: &str) -> Result<Shard, String> {
    let error = || format!("`{text}` is not a shard; write 2/8 for the second of eight");
    let (index, of) = text.split_once('/').ok_or_else(error)?;
    let number = |text: &str| text.parse::<u32>().map_err(|_| error());
    let (index, of) = (number(index)?, number(of)?);
    if !(1..=SHARDS_MAX).contains(&of) {
        return Err(format!("a search is divided into 1 to {SHARDS_MAX} shards"));
    }
    if !(1..=of).contains(&index) {
        return Err(format!("there is no shard {index} of {of}; they count from 1"));
    }
    Ok(Shard { index, of })
}

/// The scenario of a file, within these bounds.
pub(super) fn narrowed(file: &Path, bounds: &[(BoundName, u32)]) -> Result<Scenario, Failure> {
    let mut scenario = Scenario::load(file).map_err(Failure::input)?;
    for (at, &(name, most)) in bounds.iter().enumerate() {
        if bounds[..at].iter().any(|(other, _)| *other == name) {
            return Err(Failure::input(format!("--bound {}: given twice", name.word())));
        }
        scenario.narrow(name, most).map_err(|error| Failure::input(format!("{}: {error}", file.display())))?;
    }
    Ok(scenario)
}

/// The name of a bound and its number: switches=2.
fn bound(text: &str) -> Result<(BoundName, u32), String> {
    let names = || BoundName::ALL.map(BoundName::word).join(", ");
    let (name, most) = text.split_once('=').ok_or_else(|| format!("a bound is NAME=N, NAME one of {}", names()))?;
    let known = BoundName::of_word(name);
    let name = known.ok_or_else(|| format!("there is no bound `{name}`; the bounds are {}", names()))?;
    let most = most.parse().map_err(|_| format!("`{most}` is not a number of {}", name.word()))?;
    Ok((name, most))
}

/// A time with its unit: 500ms, 60s, 5m, 2h.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    if text.starts_with('-') {
        return Err("a time cannot be negative".to_string());
    }
    let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
    let (number, factor) = numbers::with_unit(text, &units).ok_or("a time needs a unit: 500ms, 60s, 5m or 2h")?;
    let is_plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let parsed = number.parse().ok().filter(|_| is_plain);
    let number: f64 = parsed.ok_or_else(|| format!("`{number}` is not a number"))?;
    Duration::try_from_secs_f64(number * factor).map_err(|_| "the time is too long".to_string())
}
