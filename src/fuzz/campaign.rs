//! One scenario as libFuzzer sees it: inputs are run and changed, violations become counterexamples.
//!
//! In: a scenario file, and inputs. Out: counters raised for what an input showed, other inputs, and for an invariant that is
//! violated for the first time a `.cx.new` beside the scenario, with the input beside it.
//!
//! The campaign runs modules that write down what they execute. A finding is followed once more on the modules as they are,
//! with the least that it needs, and that is what is stored: replaying it needs nothing of this.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::feedback::{COUNTERS, Feedback};
use super::hints::Hints;
use super::input::{Draws, Input};
use super::mutate::Mutator;
use super::walks::{Walked, Walks};
use crate::counterexample::{Counterexample, store};
use crate::engine::allowance::{Allowance, Ceiling};
use crate::engine::embedded::{Embedded, Modules};
use crate::engine::wasm::module::Instrumentation;
use crate::kernel::Unsupported;
use crate::sample::trim::trim;
use crate::scenario::Scenario;
use crate::schedule::Step;
use crate::scheduler::Generator;

/// Bytes of this process at which all worlds and states are forgotten; if it is soon there again, because the allocator did
/// not give everything back, it may have so many more.
const MEMORY: u64 = 1 << 30;
const GROWTH: u64 = 512 << 20;
/// Runs after which forgetting again is no surprise.
const RUNS_MIN: u64 = 10_000;
/// Runs between two looks at the memory.
const RUNS_BETWEEN_LOOKS: u64 = 64;
/// Shortest output that holds a schedule's text; libFuzzer begins with fewer bytes.
const TEXT_MIN: usize = 64;

/// How a campaign is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The scenario file.
    pub scenario: PathBuf,
    /// Whether modules write down what they execute; without it nothing is shown, for comparison.
    pub feedback: bool,
    /// Whether violations that a `.cx` or `.cx.new` beside the scenario records are passed over.
    pub passes_known: bool,
}

impl Options {
    /// As the environment says: `CANLOOM_SCENARIO`, `CANLOOM_FEEDBACK=off`, `CANLOOM_KNOWN=1`.
    ///
    /// # Errors
    /// If no scenario is named.
    pub fn from_environment() -> Result<Options, String> {
        let scenario = std::env::var_os("CANLOOM_SCENARIO")
            .map(PathBuf::from)
            .ok_or("CANLOOM_SCENARIO names no scenario; try `make fuzz SCENARIO=corpus/vault-stale/scenario.toml`")?;
        let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|other| other == value);
        Ok(Options { scenario, feedback: !is("CANLOOM_FEEDBACK", "off"), passes_known: is("CANLOOM_KNOWN", "1") })
    }
}

/// How much was run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Inputs.
    pub runs: u64,
    /// Messages delivered, those that were remembered included.
    pub deliveries: u64,
    /// How often all worlds were forgotten for want of memory.
    pub forgotten: u64,
}

/// A violation that is new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Name of the invariant.
    pub invariant: String,
    /// The counterexample.
    pub counterexample: Counterexample,
    /// Where it was written, or why it was not.
    pub file: Result<PathBuf, String>,
}

/// A campaign.
pub struct Campaign {
    options: Options,
    scenario: Arc<Scenario>,
    text: Vec<u8>,
    modules: Modules,
    walks: Walks,
    mutator: Mutator,
    hints: Hints,
    known: BTreeSet<String>,
    done: Done,
    /// Bytes at which worlds are forgotten, and the run at which they were last.
    limit: u64,
    forgotten_at: u64,
    is_refused: bool,
}

impl Campaign {
    /// Installs the scenario.
    ///
    /// # Errors
    /// What is wrong with the scenario or its modules, as for any other command.
    pub fn open(options: Options) -> Result<Campaign, String> {
        let text =
            std::fs::read(&options.scenario).map_err(|error| format!("{}: {error}", options.scenario.display()))?;
        let scenario = Arc::new(Scenario::load(&options.scenario).map_err(|error| error.to_string())?);
        let instrumentation = if options.feedback { Instrumentation::Watched } else { Instrumentation::Full };
        let mut modules = Modules::with(instrumentation).map_err(|error| error.to_string())?;
        let walks = installed(&scenario, &mut modules, MEMORY)?;
        let known = if options.passes_known { known(&scenario) } else { BTreeSet::new() };
        let hints = Hints::of(modules.all().map(|module| &module.shape.constants));
        let mutator = Mutator::new(&walks);
        let done = Done::default();
        Ok(Campaign {
            options,
            scenario,
            text,
            modules,
            walks,
            mutator,
            hints,
            known,
            done,
            limit: MEMORY,
            forgotten_at: 0,
            is_refused: false,
        })
    }

    /// How much was run.
    pub fn done(&self) -> Done {
        self.done
    }

    /// Runs an input and raises the counters, [`COUNTERS`] of them, for what it showed.
    pub fn run(&mut self, bytes: &[u8], counters: &mut [u8]) -> Option<Found> {
        debug_assert_eq!(counters.len(), COUNTERS);
        self.make_room();
        let walked = self.walk(bytes)?;
        self.done.runs += 1;
        self.done.deliveries += walked.deliveries;
        if self.options.feedback {
            let feedback: &Feedback = &self.walks.atlas.watch;
            walked.shown.iter().for_each(|&number| feedback.mark(number, counters));
            self.learn(&walked);
        }
        let invariants = &self.scenario.invariants;
        let is_new = |(at, _): &&(usize, usize)| !self.known.contains(&invariants[*at].name);
        let &(invariant, steps) = walked.violated.iter().find(is_new)?;
        let steps = self.walks.names(&walked.made[..steps]);
        Some(self.found(invariant, &steps, bytes))
    }

    fn walk(&mut self, bytes: &[u8]) -> Option<Walked> {
        let walked = match Input::parse(bytes) {
            Some(input) => self.walks.input(&input),
            None => self.walks.draws(&Draws::of(bytes)),
        };
        self.allowed(walked)
    }

    /// What is not offered ends an input, and is said once.
    fn allowed<T>(&mut self, result: Result<T, Unsupported>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(_) if self.walks.engine.allowance().ceiling.is_exceeded() => {
                self.forget();
                None
            }
            Err(error) => {
                if !std::mem::replace(&mut self.is_refused, true) {
                    eprintln!("canloom: some inputs end early: {error}");
                }
                None
            }
        }
    }

    /// Takes what was compared in steps that nobody had made before.
    fn learn(&mut self, walked: &Walked) {
        if walked.fresh.is_empty() {
            return;
        }
        let input = Input { steps: self.walks.names(&walked.made), finishes: false };
        let arguments = self.mutator.numbers(&self.walks, &input);
        for &number in &walked.fresh {
            for &(one, other) in &self.walks.atlas.watch.shown(number).unequal {
                self.hints.compared(one, other, &arguments);
            }
        }
    }

    /// Writes another input over `data`, whose first `size` bytes are one; `None` if there is no room for a schedule.
    pub fn mutate(&mut self, data: &mut [u8], size: usize, longest: usize, seed: u32) -> Option<usize> {
        let longest = longest.min(data.len());
        if longest < TEXT_MIN {
            return None;
        }
        let mut random = Generator::new(u64::from(seed), 0, 2);
        let input = self.schedule(&data[..size])?;
        let mutated = self.mutator.mutate(&mut self.walks, &input, &self.hints, &mut random);
        let mutated = self.allowed(mutated)?;
        Some(write(&mutated, &mut data[..longest]))
    }

    /// Writes a part of one input and a part of another one.
    pub fn cross(&mut self, one: &[u8], other: &[u8], out: &mut [u8], seed: u32) -> usize {
        let mut random = Generator::new(u64::from(seed), 0, 3);
        let (Some(one), Some(other)) = (self.schedule(one), self.schedule(other)) else { return 0 };
        let spliced = self.mutator.splice(&mut self.walks, &one, &other, &mut random);
        self.allowed(spliced).map_or(0, |spliced| write(&spliced, out))
    }

    /// An input as steps, whatever it is made of.
    fn schedule(&mut self, bytes: &[u8]) -> Option<Input> {
        if let Some(input) = Input::parse(bytes) {
            return Some(input);
        }
        let draws = Draws::of(bytes);
        let walked = self.walks.draws(&Draws { finishes: false, ..draws.clone() });
        let made = self.allowed(walked)?.made;
        let drawn = &made[..made.len().min(draws.picks.len())];
        Some(Input { steps: self.walks.names(drawn), finishes: draws.finishes })
    }

    fn make_room(&mut self) {
        let looks = self.done.runs.is_multiple_of(RUNS_BETWEEN_LOOKS);
        if looks && !self.walks.engine.allowance().ceiling.is_kept() {
            self.forget();
        }
    }

    fn forget(&mut self) {
        self.done.forgotten += 1;
        if self.done.runs < self.forgotten_at + RUNS_MIN {
            self.limit += GROWTH;
        }
        self.forgotten_at = self.done.runs;
        // The file may have changed; the campaign goes on with what it read.
        match installed(&self.scenario, &mut self.modules, self.limit) {
            Ok(walks) => self.walks = walks,
            Err(error) => panic!("the scenario cannot be installed again: {error}"),
        }
    }

    /// Makes a counterexample of steps that violate an invariant, on the modules as they are, and stores it.
    fn found(&mut self, invariant: usize, steps: &[Step], bytes: &[u8]) -> Found {
        let name = self.scenario.invariants[invariant].name.clone();
        let mut engine = Embedded::open(self.scenario.clone()).unwrap_or_else(|error| panic!("{error}"));
        engine.prepare(None);
        let finding = trim(&mut engine, invariant, steps, 1).unwrap_or_else(|error| panic!("{error}"));
        let Some(finding) = finding else {
            panic!("bug in canloom: `{name}` is violated only where modules are watched; the input shows it");
        };
        let modules = self.scenario.canisters.iter().zip(&engine.hashes);
        let modules = modules.map(|(canister, hash)| (canister.name.clone(), hash.clone())).collect();
        let counterexample = Counterexample::new(&self.scenario, invariant, finding.schedule, modules);
        let file = store::save(&self.scenario, &counterexample);
        let file = file.map_err(|(file, error)| format!("{}: {error}", file.display()));
        if let Ok(file) = &file
            && file.extension().is_some_and(|extension| extension == "new")
        {
            let raw = file.with_extension("").with_extension("input.new");
            if let Err(error) = store::write_atomically(&raw, bytes) {
                eprintln!("canloom: {}: {error}", raw.display());
            }
        }
        if std::fs::read(&self.options.scenario).ok().as_deref() != Some(&self.text) {
            eprintln!(
                "canloom: {} has changed since this campaign began; this is of what it was",
                self.options.scenario.display()
            );
        }
        self.known.insert(name.clone());
        Found { invariant: name, counterexample, file }
    }
}

/// The violation in words, and the counterexample itself where it could not be stored.
impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let steps = self.counterexample.schedule.steps.len();
        write!(f, "canloom: `{}` is violated in {steps} steps: ", self.invariant)?;
        match &self.file {
            Ok(file) => write!(f, "{}; replay it with `canloom repro {0}`", file.display()),
            Err(why) => write!(f, "it could not be stored ({why}), so here it is:\n{}", self.counterexample.text()),
        }
    }
}

fn write(input: &Input, out: &mut [u8]) -> usize {
    let text = input.text(out.len());
    out[..text.len()].copy_from_slice(text.as_bytes());
    text.len()
}

fn installed(scenario: &Arc<Scenario>, modules: &mut Modules, limit: u64) -> Result<Walks, String> {
    let allowance = Allowance { ceiling: Ceiling::new(limit), instructions: None };
    let engine = Embedded::open_with(scenario.clone(), &allowance, modules).map_err(|error| error.to_string())?;
    let mut walks = Walks::new(engine);
    walks.engine.prepare(None);
    Ok(walks)
}

/// Names of the invariants that counterexamples beside the scenario violate.
fn known(scenario: &Scenario) -> BTreeSet<String> {
    let folder = scenario.file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_one = |file: &PathBuf| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        name.ends_with(".cx") || name.ends_with(".cx.new")
    };
    let read = files.filter(is_one).filter_map(|file| Counterexample::read(&file).ok());
    let own = scenario.file.file_name();
    let of_scenario = read.filter(|counterexample| counterexample.scenario.file_name() == own);
    of_scenario.map(|counterexample| counterexample.invariant).collect()
}
