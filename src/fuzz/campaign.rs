//! One scenario as libFuzzer sees it: inputs are run and changed, violations become counterexamples.
//!
//! In: a scenario file, and inputs. Out: counters raised for what an input showed, other inputs, and for an invariant that is
//! violated for the first time a `.cx.new` beside the scenario, with the input beside it.
//!
//! The campaign runs modules that write down what they execute. A finding is followed once more on the modules as they are,
//! with the least that it needs, and that is what is stored: replaying it needs nothing of this.

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use super::feedback::{COUNTERS, Feedback};
use super::hints::Hints;
use super::input::{Draws, Input};
use super::mutate::Mutator;
use super::walks::{Walked, Walks};
use crate::counterexample::{Counterexample, store};
use crate::engine::embedded::{Embedded, Modules};
use crate::engine::wasm::module::Instrumentation;
use crate::files;
use crate::kernel::Unsupported;
use crate::scenario::{self, Scenario};
use crate::schedule::Step;
use crate::scheduler::Generator;
use crate::shrink::{Effort, shrink};

/// Inputs on the frontier.
const FRONTIER_MAX: usize = 64;
/// Inputs that wait to be tried.
const TRIES_MAX: usize = 256;
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
        // ClusterFuzzLite starts a target somewhere else than where it lies with its files.
        let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join(&scenario)));
        let scenario = beside.filter(|beside| !scenario.exists() && beside.exists()).unwrap_or(scenario);
        let is_set = |name: &str, value: &str| std::env::var(name).is_ok_and(|other| other == value);
        Ok(Options {
            scenario,
            feedback: !is_set("CANLOOM_FEEDBACK", "off"),
            passes_known: is_set("CANLOOM_KNOWN", "1"),
        })
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
    /// None while they are forgotten.
    walks: Option<Walks>,
    mutator: Mutator,
    hints: Hints,
    known: BTreeSet<String>,
    /// The last inputs that reached something new, up to where they did, newest last.
    frontier: VecDeque<Input>,
    /// Inputs in which an argument is what it was compared with, newest last.
    tries: Vec<Input>,
    done: Done,
    is_refused: bool,
}

impl Campaign {
    /// Installs the scenario.
    ///
    /// # Errors
    /// What is wrong with the scenario or its modules, as for any other command.
    pub fn open(options: Options) -> Result<Campaign, String> {
        let text = files::read(&options.scenario, &scenario::FILE).map_err(|error| error.to_string())?;
        let scenario = Arc::new(Scenario::load(&options.scenario).map_err(|error| error.to_string())?);
        let instrumentation = if options.feedback { Instrumentation::Watched } else { Instrumentation::Full };
        let mut modules = Modules::with(instrumentation).map_err(|error| error.to_string())?;
        let walks = Walks::install(&scenario, &mut modules, Feedback::default())?;
        let known = if options.passes_known { known(&scenario) } else { BTreeSet::new() };
        let hints = Hints::of(modules.all().map(|module| &module.shape.constants));
        let mutator = Mutator::new(&walks);
        let done = Done::default();
        Ok(Campaign {
            options,
            scenario,
            text,
            modules,
            walks: Some(walks),
            mutator,
            hints,
            known,
            frontier: VecDeque::new(),
            tries: Vec::new(),
            done,
            is_refused: false,
        })
    }

    /// How much was run.
    pub fn done(&self) -> Done {
        self.done
    }

    /// Forgets what was executed, and all worlds: for benchmarks.
    pub fn forget_executions(&mut self) {
        let walks = present(&mut self.walks);
        walks.atlas.forget();
        walks.engine.kernel.forget_executions();
    }

    /// The scenario.
    pub fn scenario(&self) -> &Arc<Scenario> {
        &self.scenario
    }

    /// Takes what a run elsewhere came to, as steps: raises the counters for what they show here, and makes a counterexample
    /// of an invariant, by position, that was violated there by so many of them.
    pub fn take(
        &mut self,
        steps: &[Step],
        violated: Option<(usize, &[Step])>,
        bytes: &[u8],
        counters: &mut [u8],
    ) -> Option<Found> {
        self.make_room();
        let walked = present(&mut self.walks).steps(steps);
        if let Some(walked) = self.allowed(walked) {
            self.show(&walked, counters);
        }
        let (invariant, steps) =
            violated.filter(|(at, _)| !self.known.contains(&self.scenario.invariants[*at].name))?;
        Some(self.found(invariant, steps, bytes))
    }

    fn show(&mut self, walked: &Walked, counters: &mut [u8]) {
        self.done.runs += 1;
        self.done.deliveries += walked.deliveries;
        if self.options.feedback {
            let feedback: &Feedback = &present(&mut self.walks).atlas.watch;
            walked.shown.iter().for_each(|&number| feedback.mark(number, counters));
            self.learn(walked);
        }
    }

    /// Runs an input and raises the counters, [`COUNTERS`] of them, for what it showed.
    pub fn run(&mut self, bytes: &[u8], counters: &mut [u8]) -> Option<Found> {
        debug_assert_eq!(counters.len(), COUNTERS);
        self.make_room();
        let walked = present(&mut self.walks).bytes(bytes);
        let walked = self.allowed(walked)?;
        self.show(&walked, counters);
        let invariants = &self.scenario.invariants;
        let is_new = |(at, _): &&(usize, usize)| !self.known.contains(&invariants[*at].name);
        let &(invariant, steps) = walked.violated.iter().find(is_new)?;
        let steps = present(&mut self.walks).names(&walked.made[..steps]);
        Some(self.found(invariant, &steps, bytes))
    }

    /// What is not offered ends an input, and is said once.
    fn allowed<T>(&mut self, result: Result<T, Unsupported>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(_) if present(&mut self.walks).engine.allowance().ceiling.is_exceeded() => {
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

    /// Takes what was compared in steps that nobody had made before, and keeps those that reached something.
    fn learn(&mut self, walked: &Walked) {
        let walks = present(&mut self.walks);
        let fresh = walks.first_looks(walked);
        if fresh.is_empty() {
            return;
        }
        let input = Input { steps: walks.names(&walked.made), finishes: false };
        let arguments = self.mutator.numbers(walks, &input);
        let mut last = None;
        for (at, number) in fresh {
            let unequal = &walks.atlas.watch.shown(number).unequal;
            self.tries.extend(self.mutator.tries(walks, &input.steps[..=at], unequal));
            for &(one, other) in unequal {
                self.hints.compared(one, other, &arguments);
            }
            let places = walks.atlas.watch.reaches(number);
            if !places.is_empty() {
                last = Some((at, places));
            }
        }
        self.tries.drain(..self.tries.len().saturating_sub(TRIES_MAX));
        let Some((at, places)) = last else { return };
        let least = walks.least(&input.steps[..=at], &places);
        let Some(steps) = self.allowed(least) else { return };
        if self.frontier.len() == FRONTIER_MAX {
            self.frontier.pop_front();
        }
        self.frontier.push_back(Input { steps, finishes: false });
    }

    /// Writes another input over `data`, whose first `size` bytes are one; `None` if there is no room for a schedule.
    pub fn mutate(&mut self, data: &mut [u8], size: usize, longest: usize, seed: u32) -> Option<usize> {
        let longest = longest.min(data.len());
        if longest < TEXT_MIN {
            return None;
        }
        let mut random = Generator::new(u64::from(seed), 0, 2);
        if random.below(2) == 0
            && let Some(input) = self.tries.pop()
        {
            return Some(write(&input, &mut data[..longest]));
        }
        // libFuzzer divides its time among all inputs; what has just reached something is worth more.
        let input = match random.below(2) {
            0 if !self.frontier.is_empty() => self.frontier[random.below(self.frontier.len() as u64) as usize].clone(),
            _ => self.schedule(&data[..size])?,
        };
        let mutated = self.mutator.mutate(present(&mut self.walks), &input, &self.hints, &mut random);
        let mutated = self.allowed(mutated)?;
        Some(write(&mutated, &mut data[..longest]))
    }

    /// Writes a part of one input and a part of another one.
    pub fn cross(&mut self, one: &[u8], other: &[u8], out: &mut [u8], seed: u32) -> usize {
        let mut random = Generator::new(u64::from(seed), 0, 3);
        let (Some(one), Some(other)) = (self.schedule(one), self.schedule(other)) else { return 0 };
        let spliced = self.mutator.splice(present(&mut self.walks), &one, &other, &mut random);
        self.allowed(spliced).map_or(0, |spliced| write(&spliced, out))
    }

    /// An input as steps, whatever it is made of.
    fn schedule(&mut self, bytes: &[u8]) -> Option<Input> {
        if let Some(input) = Input::parse(bytes) {
            return Some(input);
        }
        let draws = Draws::of(bytes);
        let walked = present(&mut self.walks).draws(&Draws { finishes: false, ..draws.clone() });
        let made = self.allowed(walked)?.made;
        let drawn = &made[..made.len().min(draws.picks.len())];
        Some(Input { steps: present(&mut self.walks).names(drawn), finishes: draws.finishes })
    }

    fn make_room(&mut self) {
        if self.done.runs.is_multiple_of(RUNS_BETWEEN_LOOKS) && present(&mut self.walks).is_full() {
            self.forget();
        }
    }

    fn forget(&mut self) {
        self.done.forgotten += 1;
        // What is old goes before what is new comes. The file may have changed; the campaign goes on with what it read.
        let feedback = self.walks.take().map(|walks| walks.atlas.watch.reached()).unwrap_or_default();
        let again = Walks::install(&self.scenario, &mut self.modules, feedback);
        self.walks = Some(again.unwrap_or_else(|error| panic!("the scenario cannot be installed again: {error}")));
    }

    /// Makes a counterexample of steps that violate an invariant, on the modules as they are, and stores it.
    fn found(&mut self, invariant: usize, steps: &[Step], bytes: &[u8]) -> Found {
        let name = self.scenario.invariants[invariant].name.clone();
        let own = &mut present(&mut self.walks).engine;
        let mut plain = match Embedded::open(self.scenario.clone()) {
            Ok(plain) if plain.hashes == own.hashes => Some(plain),
            Ok(_) => {
                eprintln!("canloom: modules have changed since this campaign began; this is of what they were");
                None
            }
            Err(error) => {
                eprintln!("canloom: this is of what was there when this campaign began: {error}");
                None
            }
        };
        let engine = plain.as_mut().unwrap_or(own);
        engine.prepare(None);
        let shrunk = shrink(engine, invariant, steps, 1, Effort::QUICK, &mut |_| {});
        let Some(shrunk) = shrunk.unwrap_or_else(|error| panic!("{error}")) else {
            panic!("bug in canloom: `{name}` is violated only where modules are watched; the input shows it");
        };
        let counterexample = Counterexample::of(engine, invariant, shrunk.finding.schedule);
        let file = store::save(&self.scenario, &counterexample);
        if let Ok(file) = &file
            && file.extension().is_some_and(|extension| extension == "new")
        {
            let raw = file.with_extension("").with_extension("input.new");
            if let Err(error) = store::write_atomically(&raw, bytes) {
                eprintln!("canloom: {}", files::cannot_write(&raw, &error));
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

/// The worlds, which are there but while they are forgotten.
fn present(walks: &mut Option<Walks>) -> &mut Walks {
    walks.as_mut().expect("bug in canloom: an input runs while worlds are forgotten")
}

fn write(input: &Input, out: &mut [u8]) -> usize {
    let text = input.text(out.len());
    out[..text.len()].copy_from_slice(text.as_bytes());
    text.len()
}

/// Names of the invariants that counterexamples beside the scenario violate.
fn known(scenario: &Scenario) -> BTreeSet<String> {
    let files = std::fs::read_dir(scenario.folder()).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_one = |file: &PathBuf| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        name.ends_with(".cx") || name.ends_with(".cx.new")
    };
    let read = files.filter(is_one).filter_map(|file| Counterexample::read(&file).ok());
    let own = scenario.file.file_name();
    let of_scenario = read.filter(|counterexample| counterexample.scenario.file_name() == own);
    of_scenario.map(|counterexample| counterexample.invariant).collect()
}
