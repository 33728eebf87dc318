//! `canloom shrink`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use canloom::counterexample::store::write_atomically;
use canloom::counterexample::{Counterexample, replay};
use canloom::engine::embedded::Embedded;
use canloom::report::text;
use canloom::schedule::Schedule;
use canloom::shrink::{Effort, Other, Shrinking, Shrunk, shrink_at, unneeded};

use super::entry::{Opened, open};
use super::numbers::duration;
use super::output::save;
use super::paint::show;
use super::progress::Line;
use super::told::Told;
use super::{Exit, Failure, Memory};

/// Time that is spent where none is given.
const TIME: Duration = Duration::from_secs(60);
/// Time between two writes of what was reached.
const SAVED_EVERY: Duration = Duration::from_secs(1);

/// Options of `canloom shrink`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The counterexample file; its scenario lies beside it. It is not changed: a simpler one is written beside it, as *.cx.new.
    file: PathBuf,
    /// Stop after this time, for example 60s or 5m: half of it at most for making it simpler, the rest to show that nothing
    /// simpler exists. What was reached is kept, and another run goes on from there. [default: 60s]
    #[arg(long, value_parser = duration)]
    budget: Option<Duration>,
    #[command(flatten)]
    memory: Memory,
    /// Print only the result.
    #[arg(long)]
    quiet: bool,
}

/// Runs it.
pub fn run(options: &Options) -> Result<Exit, Failure> {
    let mut line = Line::new(options.quiet);
    line.say("loading canisters");
    let mut opened = open(&options.file, &options.memory)?;
    opened.engine.prepare(None);
    opened.violated(&options.file)?;
    let Opened { counterexample, mut engine, invariant } = opened;
    let partial = Partial::of(&options.file);
    // What an earlier run had reached counts only if it still shows the bug.
    let reached = partial.read(&counterexample).filter(|(steps, _)| {
        replay(&mut engine, steps, Some(invariant)).is_ok_and(|replayed| replayed.violated.is_some())
    });
    let (steps, point) = reached.unwrap_or_else(|| (counterexample.schedule.clone(), counterexample.point.clone()));
    let time = options.budget.unwrap_or(TIME);
    let effort = Effort { time: Some(time), most: u64::MAX, proves: true };
    let mut saved = Instant::now();
    let key = (invariant, point.as_deref());
    let shrunk = shrink_at(&mut engine, key, &steps.steps, 1, effort, &mut |now: &Shrinking<'_>| {
        line.show_shrinking(now);
        if saved.elapsed() >= SAVED_EVERY {
            saved = Instant::now();
            partial.write(&counterexample, now);
        }
    });
    line.end();
    let file = options.file.display();
    let shrunk =
        shrunk.map_err(Failure::engine)?.expect("bug in canloom: a replay violates it and following it does not");
    let mut out = format!("{file}: \"{}\" at {}\n", counterexample.invariant, shrunk.guilty[0].point);
    out.push_str(&text::shrunk(&engine.scenario, &shrunk));
    let (all, before) = (counterexample.schedule.steps.len(), shrunk.before.rank.steps as usize);
    if all > before {
        out.push_str(&format!("of its {all} steps, {} come after the violation\n", all - before));
    }
    let point = &shrunk.guilty[0].point;
    // What cannot be told makes the counterexample no worse.
    if let Ok(unneeded) = unneeded(&mut engine, invariant, &shrunk.finding.schedule, point) {
        out.push_str(&text::unneeded(&engine.scenario, &unneeded));
    }
    let simpler = Counterexample { status: counterexample.status, ..made(&engine, invariant, &shrunk) };
    let is_same = simpler.schedule == counterexample.schedule;
    let at = if is_same { Some(options.file.clone()) } else { save(&engine.scenario, &simpler) };
    let is_kept = at.is_some();
    if is_kept {
        partial.remove();
    }
    if !options.quiet {
        let told = Told::found(&mut engine, simpler, invariant)?;
        out.push_str(&format!("\n{}\n", told.text(&engine)));
    }
    match at {
        _ if is_same => out.push_str("nothing simpler was found; no file was written\n"),
        Some(at) => out.push_str(&format!("saved: {}\n", at.display())),
        None => {}
    }
    for other in &shrunk.others {
        out.push_str(&another(&mut engine, other)?);
    }
    show(&out)?;
    // What was asked for is not there.
    Ok(if is_kept { Exit::Held } else { Exit::Internal })
}

fn made(engine: &Embedded, invariant: usize, shrunk: &Shrunk) -> Counterexample {
    let made = Counterexample::of(engine, invariant, shrunk.finding.schedule.clone());
    // The key that the shrinker stayed with, of several awaits that it may hang on.
    made.at(&shrunk.guilty[0].point)
}

/// Keeps another bug that showed on the way.
fn another(engine: &mut Embedded, other: &Other) -> Result<String, Failure> {
    let key = (other.invariant, Some(other.guilty.point.name.as_str()));
    let shrunk = shrink_at(engine, key, &other.steps, 1, Effort::QUICK, &mut |_| {}).map_err(Failure::input)?;
    let Some(shrunk) = shrunk else { return Ok(String::new()) };
    let counterexample = made(engine, other.invariant, &shrunk);
    let name = &engine.scenario.invariants[other.invariant].name;
    let at = save(&engine.scenario, &counterexample);
    let at = at.map_or_else(String::new, |at| format!(": {}", at.display()));
    Ok(format!("another bug on the way: \"{name}\" at {}{at}\n", shrunk.guilty[0].point))
}

/// What was reached so far, beside the counterexample, as long as it is being shrunk.
struct Partial(PathBuf);

impl Partial {
    fn of(file: &Path) -> Partial {
        let mut name = file.file_name().unwrap_or_default().to_os_string();
        name.push(".shrinking");
        Partial(file.with_file_name(name))
    }

    /// The steps that an earlier run had reached, and the await point that it stayed with, if it was of the same counterexample.
    fn read(&self, counterexample: &Counterexample) -> Option<(Schedule, Option<String>)> {
        let partial = Counterexample::read(&self.0).ok()?;
        let is_same = partial.invariant == counterexample.invariant;
        let is_simpler = partial.schedule.steps.len() <= counterexample.schedule.steps.len();
        (is_same && is_simpler).then_some((partial.schedule, partial.point))
    }

    fn write(&self, counterexample: &Counterexample, now: &Shrinking<'_>) {
        let schedule = Schedule { steps: now.steps.to_vec() };
        let partial = Counterexample { schedule, ..counterexample.clone() }.at(now.point);
        // What cannot be kept is only lost if this process is killed.
        let _ = write_atomically(&self.0, partial.text().as_bytes());
    }

    fn remove(&self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
