//! Which lines of the canisters a set of inputs runs.
//!
//! In: a scenario, and inputs or schedules. Out: for each canister the blocks of its code that ran while messages were
//! delivered, and the functions and lines that they belong to, where the module says it. Installation, setup calls and
//! queries are not counted: they run whatever the input is.
//!
//! A block counts as run when it begins; in one that traps, the instructions behind the trap count too.
//!
//! ```text
//! code    a module's functions, and what its blocks are made of
//! report  the same as text, and as LCOV
//! ```

mod code;
mod report;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::feedback::Feedback;
use super::walks::{Walked, Walks};
use crate::engine::embedded::Modules;
use crate::engine::wasm::module::Instrumentation;
use crate::kernel::{Effects, Unsupported};
use crate::scenario::{Code as Runs, FaultPlace, Scenario};
use crate::schedule::Schedule;

use code::Code;

/// A scenario whose canisters write down what they run.
pub struct Lines {
    scenario: Arc<Scenario>,
    modules: Modules,
    /// None after they could not be installed again.
    walks: Option<Walks>,
    /// Modules of each canister, by the numbers that they have there.
    files: Vec<Vec<PathBuf>>,
    /// By canister and module: how often each block ran.
    ran: BTreeMap<(usize, usize), BTreeMap<u32, u8>>,
    done: Done,
}

/// What was run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Inputs and schedules.
    pub inputs: u64,
    /// Messages, each counted once for each world that it was delivered in.
    pub messages: u64,
    /// Steps of schedules that were not possible, and left out.
    pub left_out: u64,
    /// Inputs that the engine could not run to their end, and so are not counted; and why the first one could not.
    pub ended_early: u64,
    /// See above.
    pub why: Option<String>,
}

/// Which code of one module of a canister ran.
#[derive(Clone, Debug, Default)]
pub struct Ran {
    /// Name of the canister.
    pub canister: String,
    /// The module.
    pub module: PathBuf,
    /// Functions that the module defines, in its order.
    pub functions: Vec<Function>,
    /// By source file and line: the largest number of runs of one of its blocks within a message. Empty for a module
    /// without line tables.
    pub lines: BTreeMap<String, BTreeMap<u32, u8>>,
    /// Why the line tables cannot be read, if the module has some.
    pub trouble: Option<String>,
}

/// A function of a module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Function {
    /// Its name, or `function N`.
    pub name: String,
    /// Source file and line where it begins.
    pub place: Option<(String, u32)>,
    /// Blocks with something to run, and those of them that ran.
    pub blocks: u32,
    /// See above.
    pub covered: u32,
    /// The largest number of times that it was entered within a message.
    pub runs: u8,
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// What was run.
    pub done: Done,
    /// By canister, and a canister's modules in the order in which a scenario may install them. Built-in canisters have none.
    pub ran: Vec<Ran>,
}

impl Lines {
    /// Installs a scenario.
    ///
    /// # Errors
    /// What is wrong with the scenario or its modules, as for any other command.
    pub fn open(scenario: Arc<Scenario>) -> Result<Lines, String> {
        let mut modules = Modules::with(Instrumentation::Watched).map_err(|error| error.to_string())?;
        let walks = Walks::install(&scenario, &mut modules, Feedback::default())?;
        let files = (0..scenario.canisters.len()).map(|at| files(&scenario, &modules, at)).collect();
        let (ran, done) = (BTreeMap::new(), Done::default());
        Ok(Lines { scenario, modules, walks: Some(walks), files, ran, done })
    }

    /// Runs an input, as the fuzzer does.
    ///
    /// # Errors
    /// If the scenario cannot be installed another time, after its worlds were forgotten for want of memory; likewise below.
    pub fn input(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.run(|walks| walks.bytes(bytes))
    }

    /// Makes the steps of a schedule, and none after them.
    ///
    /// # Errors
    /// As above.
    pub fn schedule(&mut self, schedule: &Schedule) -> Result<(), String> {
        self.run(|walks| walks.steps(&schedule.steps))
    }

    fn run(&mut self, walk: impl Fn(&mut Walks) -> Result<Walked, Unsupported>) -> Result<(), String> {
        self.done.inputs += 1;
        let mut was_forgotten = false;
        loop {
            let walks = self.present()?;
            match walk(walks).and_then(|walked| Ok((walked.left_out, delivered(walks, &walked)?))) {
                Ok((left_out, delivered)) => {
                    self.done.left_out += left_out as u64;
                    self.done.messages += delivered.len() as u64;
                    for (canister, effects) in &delivered {
                        self.count(*canister, effects);
                    }
                    return Ok(());
                }
                // With the worlds of the inputs before it gone, it may fit.
                Err(_) if walks.engine.allowance().ceiling.is_exceeded() && !was_forgotten => {
                    was_forgotten = true;
                    self.walks = None;
                }
                Err(error) => {
                    self.done.ended_early += 1;
                    self.done.why.get_or_insert_with(|| error.to_string());
                    return Ok(());
                }
            }
        }
    }

    /// The worlds, of which none is left if they had become too many.
    fn present(&mut self) -> Result<&mut Walks, String> {
        let walks = match self.walks.take().filter(|walks| !walks.is_full()) {
            Some(walks) => walks,
            None => Walks::install(&self.scenario, &mut self.modules, Feedback::default())?,
        };
        Ok(self.walks.insert(walks))
    }

    fn count(&mut self, canister: usize, effects: &[Arc<Effects>]) {
        for covered in effects.iter().filter_map(|effects| effects.covered.as_ref()) {
            let ran = self.ran.entry((canister, usize::from(covered.module))).or_default();
            for &(block, count) in &covered.blocks {
                let most = ran.entry(block).or_default();
                *most = count.max(*most);
            }
        }
    }

    /// What ran by now.
    ///
    /// # Errors
    /// If a module is no longer what it was when it was loaded.
    pub fn coverage(&self) -> Result<Coverage, String> {
        let mut coverage = Coverage { done: self.done.clone(), ran: Vec::new() };
        let mut codes: BTreeMap<&PathBuf, Code> = BTreeMap::new();
        let nothing = BTreeMap::new();
        for (canister, files) in self.files.iter().enumerate() {
            for (number, file) in files.iter().enumerate() {
                if !codes.contains_key(file) {
                    let hash = &self.modules.loaded(file).expect("bug in canloom: a module was not loaded").hash;
                    codes.insert(file, Code::read(file, hash)?);
                }
                let ran = self.ran.get(&(canister, number)).unwrap_or(&nothing);
                let (functions, lines) = codes[file].covered(ran);
                let (canister, module) = (self.scenario.canisters[canister].name.clone(), file.clone());
                let trouble = codes[file].trouble.clone();
                coverage.ran.push(Ran { canister, module, functions, lines, trouble });
            }
        }
        Ok(coverage)
    }
}

/// Modules of a canister: its own, then those that a fault may install; equal ones have one number.
fn files(scenario: &Scenario, modules: &Modules, canister: usize) -> Vec<PathBuf> {
    let Runs::Wasm(own) = &scenario.canisters[canister].code else { return Vec::new() };
    let of_faults = scenario.faults.iter().filter_map(|fault| match (&fault.place, &fault.wasm) {
        (FaultPlace::Canister(here), Some(wasm)) if *here == canister => Some(wasm),
        _ => None,
    });
    let hash = |file: &PathBuf| modules.loaded(file).map(|module| &module.hash);
    let mut files: Vec<PathBuf> = Vec::new();
    for file in std::iter::once(own).chain(of_faults) {
        if files.iter().all(|known| hash(known) != hash(file)) {
            files.push(file.clone());
        }
    }
    files
}

/// A canister, and what it executed in a step.
type Delivered = (usize, Vec<Arc<Effects>>);

/// The canister and the executions of each step that was made for the first time.
fn delivered(walks: &mut Walks, walked: &Walked) -> Result<Vec<Delivered>, Unsupported> {
    let mut all = Vec::new();
    for (nth, _) in walks.first_looks(walked) {
        let (at, position) = walked.made[nth];
        let happened = walks.atlas.happened(&mut walks.engine, at, position)?;
        if let Some(delivery) = happened.delivery() {
            let effects = std::iter::once(&delivery.effects).chain(&delivery.cleanup).cloned().collect();
            all.push((usize::from(delivery.canister), effects));
        }
    }
    Ok(all)
}
