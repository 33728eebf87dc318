//! `canloom report`.

use std::path::PathBuf;

use canloom::explore::Grade;
use canloom::rounds::class::Class;

use super::class;
use super::entry::{Opened, open};
use super::output::{check_places, is_standard_output, named, write_to};
use super::told::{Beside, Told};
use super::{Exit, Failure, Memory};

/// Options of `canloom report`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
pub struct Options {
    /// The counterexample file; its scenario lies beside it.
    file: PathBuf,
    /// Write one HTML file that needs nothing else: step through it by keyboard and click. `-` is standard output.
    #[arg(long, value_name = "OUT", group = "what")]
    html: Option<PathBuf>,
    /// Write a Mermaid sequence diagram, for Markdown. `-` is standard output.
    #[arg(long, value_name = "OUT", group = "what")]
    mermaid: Option<PathBuf>,
    /// Write what the page is drawn from, as JSON. `-` is standard output.
    #[arg(long, value_name = "OUT", group = "what")]
    json: Option<PathBuf>,
    #[command(flatten)]
    memory: Memory,
}

/// Runs it.
pub fn run(options: &Options) -> Result<Exit, Failure> {
    let outputs = named([("--html", &options.html), ("--mermaid", &options.mermaid), ("--json", &options.json)]);
    if outputs.iter().filter(|(_, file)| is_standard_output(file)).count() > 1 {
        return Err(Failure::input("only one of --html, --mermaid and --json can go to standard output"));
    }
    check_places(&outputs)?;
    let mut opened = open(&options.file, &options.memory)?;
    let replayed = opened.violated(&options.file)?;
    let Opened { counterexample, mut engine, invariant } = opened;
    let file = options.file.display();
    let is_trap = |event: &canloom::trace::Event| event.trap.is_some() && event.step.runs_callback();
    let traps = replayed.trace.events.iter().any(is_trap);
    let faults = replayed.trace.events.iter().filter(|event| event.is_fault).count() as u32;
    let beside = Beside {
        file: Some(file.to_string()),
        grade: Grade::of(&counterexample.schedule.steps, traps, faults),
        class: class::of(&engine, &counterexample.schedule, invariant)?.map(Class::word),
        minimal: None,
    };
    let told = Told::of(&mut engine, counterexample, invariant, replayed);
    if let Some(out) = &options.html {
        write_to(out, &told.html(&mut engine, &beside)?)?;
    }
    if let Some(out) = &options.mermaid {
        write_to(out, &told.mermaid(&mut engine, &beside)?)?;
    }
    if let Some(out) = &options.json {
        write_to(out, &told.json(&mut engine, &beside)?)?;
    }
    Ok(Exit::Held)
}
