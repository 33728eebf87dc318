//! Arbitrary scripts on PocketIC: calls, rounds, places and times drawn from any bytes, on the replica's own code.
//!
//! In: a scenario, and a seed or the bytes of a fuzzer. Out: [`Explored`], as sampling gives it; for each violated invariant a
//! counterexample of the embedded engine that comes to the same, and the shortest script that shows it on the replica. After
//! each round what the replica shows must be possible in the embedded engine ([`crate::follow`]); if it is not, that is an
//! error, and one of the two is wrong.
//!
//! 1. `draw` turns bytes into choices among what a driver can do next; any bytes make a script that can be played.
//! 2. `run` plays one, and lets rounds pass at its end until nothing is left to happen.
//! 3. Several threads have an instance each, on one server. Scripts are numbered; what is found depends on seed and numbers.

pub mod draw;
pub mod run;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::confirm::{Confirmation, confirm};
use crate::engine::allowance::Allowance;
use crate::engine::embedded::{Embedded, EmbeddedError};
use crate::engine::pocket_ic::Server;
use crate::engine::pocket_ic::drive::DriveError;
use crate::engine::pocket_ic::stage::{Source, StageError};
use crate::explore::workers::STACK;
use crate::explore::{Completeness, Coverage, Exercised, Explored, Sampled};
use crate::scenario::Scenario;
use crate::scheduler::{Generator, Strategy};
use crate::script::{Op, Script};
use crate::shrink::{Effort, shrink};

use draw::Draws;
use run::{Ran, Stages, Violation};

/// Bytes of a script that is drawn at random.
const BYTES: usize = 24;

/// What to play.
#[derive(Clone, Copy, Debug)]
pub struct Campaign {
    /// Seed of all draws.
    pub seed: u64,
    /// Most scripts.
    pub scripts: u64,
    /// Stop after this time.
    pub time: Option<Duration>,
    /// Threads, with an instance each.
    pub workers: usize,
    /// Whether to stop when an invariant is violated.
    pub until_found: bool,
}

/// How far it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct CampaignProgress {
    /// Scripts played.
    pub scripts: u64,
    /// Rounds in all of them.
    pub rounds: u64,
    /// Invariants violated.
    pub violated: u64,
}

/// Why a campaign ended without a result.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// The scenario cannot be played.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// The replica did what cannot be, or cannot be followed.
    #[error("{error}\nafter script {number} of seed {seed}:\n{script}")]
    Driven {
        /// What went wrong.
        error: Box<DriveError>,
        /// Seed of the draws.
        seed: u64,
        /// Number of the script, from 0.
        number: u64,
        /// What was done.
        script: Script,
    },
}

/// What a campaign found.
pub struct Campaigned {
    /// As sampling says it.
    pub explored: Explored,
    /// Rounds in all scripts.
    pub rounds: u64,
    /// For each finding, in the same order: what was done on the replica.
    pub scripts: Vec<Script>,
    /// Scripts that were cut short, because the replica could be in too many worlds.
    pub cut: u64,
    /// Violations on the replica that the embedded engine does not replay within the scenario's bounds: invariant and script.
    pub beyond: Vec<(usize, Script)>,
}

/// What all threads add to.
#[derive(Default)]
struct Sum {
    scripts: u64,
    rounds: u64,
    cut: u64,
    exercised: Exercised,
    sometimes: BTreeSet<usize>,
    outcomes: BTreeMap<(u32, u32), BTreeSet<String>>,
    /// By invariant: the violation of the lowest number, and in how many scripts there was one.
    violations: BTreeMap<usize, (u64, Violation, u64)>,
}

impl Sum {
    fn add(&mut self, number: u64, ran: Ran) {
        self.scripts += 1;
        self.rounds += ran.rounds;
        self.cut += u64::from(ran.is_cut);
        self.exercised = self.exercised.or(ran.exercised);
        self.sometimes.extend(ran.sometimes);
        if let Some((key, outcome)) = ran.outcome {
            self.outcomes.entry(key).or_default().insert(outcome);
        }
        for violation in ran.violations {
            match self.violations.get_mut(&violation.invariant) {
                Some((first, known, scripts)) => {
                    *scripts += 1;
                    if number < *first {
                        (*first, *known) = (number, violation);
                    }
                }
                None => drop(self.violations.insert(violation.invariant, (number, violation, 1))),
            }
        }
    }
}

/// Plays scripts; `progress` hears of each.
///
/// # Errors
/// If the scenario cannot be played, or the replica does what cannot be.
pub fn campaign(
    server: &Server,
    scenario: &Scenario,
    allowance: &Allowance,
    campaign: &Campaign,
    progress: &mut (dyn FnMut(&CampaignProgress) + Send),
) -> Result<Campaigned, CampaignError> {
    let began = Instant::now();
    let next = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let sum = Mutex::new(Sum::default());
    let failed: Mutex<Option<(u64, CampaignError)>> = Mutex::new(None);
    let progress = Mutex::new(progress);
    let work = || {
        let mut source = match Source::new(scenario, allowance) {
            Ok(source) => source,
            Err(error) => {
                stop.store(true, Ordering::Relaxed);
                *failed.lock().expect("no thread panics here") = Some((0, StageError::from(error).into()));
                return;
            }
        };
        let mut stages = Stages::default();
        let goes_on = || !stop.load(Ordering::Relaxed) && !allowance.interrupt.is_requested();
        while goes_on() && campaign.time.is_none_or(|most| began.elapsed() < most) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= campaign.scripts {
                return;
            }
            let draws = draws(campaign.seed, number);
            let places = draws.places(scenario);
            let mut next = |done: usize, offers: &[Op]| Some(draws.op(*draws.turns.get(done)?, offers));
            match stages.play(server, &mut source, places, &mut next) {
                Ok(ran) => {
                    let mut sum = sum.lock().expect("no thread panics here");
                    sum.add(number, ran);
                    let violated = sum.violations.len() as u64;
                    if campaign.until_found && violated > 0 {
                        stop.store(true, Ordering::Relaxed);
                    }
                    let now = CampaignProgress { scripts: sum.scripts, rounds: sum.rounds, violated };
                    drop(sum);
                    (progress.lock().expect("no thread panics here"))(&now);
                }
                Err(failed_script) => {
                    let (script, error) = *failed_script;
                    stop.store(true, Ordering::Relaxed);
                    let seed = campaign.seed;
                    let error = match error {
                        DriveError::Stage(error) => CampaignError::Stage(error),
                        error => CampaignError::Driven { error: Box::new(error), seed, number, script },
                    };
                    let mut failed = failed.lock().expect("no thread panics here");
                    if failed.as_ref().is_none_or(|(first, _)| number < *first) {
                        *failed = Some((number, error));
                    }
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..campaign.workers.max(1) {
            let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
            thread.expect("the system gives this process no thread");
        }
    });
    if let Some((_, error)) = failed.into_inner().expect("no thread panics here") {
        return Err(error);
    }
    let sum = sum.into_inner().expect("no thread panics here");
    concluded(server, scenario, allowance, campaign, sum, began)
}

/// The bytes of a script, by number.
pub fn draws(seed: u64, number: u64) -> Draws {
    let mut generator = Generator::new(seed, number, 0);
    let bytes: Vec<u8> = (0..BYTES / 8).flat_map(|_| generator.draw().to_le_bytes()).collect();
    Draws::of(&bytes)
}

/// Makes counterexamples of what was violated.
fn concluded(
    server: &Server,
    scenario: &Scenario,
    allowance: &Allowance,
    campaign: &Campaign,
    sum: Sum,
    began: Instant,
) -> Result<Campaigned, CampaignError> {
    let opened = Embedded::open_within(std::sync::Arc::new(scenario.clone()), allowance);
    let mut engine = opened.map_err(StageError::from)?;
    let mut source = Source::new(scenario, allowance).map_err(StageError::from)?;
    let (mut found, mut beyond) = (Vec::new(), Vec::new());
    let mut first = Vec::new();
    for (invariant, (number, violation, worlds)) in sum.violations {
        first.push((invariant, number));
        let shrunk = shrink(&mut engine, invariant, &violation.schedule.steps, worlds, Effort::QUICK, &mut |_| {});
        match shrunk.map_err(EmbeddedError::from).map_err(StageError::from)?.map(|shrunk| shrunk.finding) {
            Some(finding) => {
                let confirmation = confirm(server, &mut source, &finding.schedule, invariant)?;
                let script = match confirmation {
                    Confirmation::Confirmed(confirmed) => confirmed.script,
                    _ => violation.script,
                };
                found.push((finding, script));
            }
            None => beyond.push((invariant, violation.script)),
        }
    }
    found.sort_by_key(|(finding, _)| finding.rank());
    let (findings, scripts) = found.into_iter().unzip();
    let sometimes = scenario.invariants.iter().enumerate();
    let sometimes = sometimes.filter(|(_, invariant)| invariant.when == crate::scenario::When::Sometimes);
    let explored = Explored {
        completeness: Completeness::Sampled,
        within: Vec::new(),
        unfinished: None,
        interleavings: None,
        interleavings_without_faults: None,
        worlds: sum.outcomes.values().map(|outcomes| outcomes.len() as u64).sum(),
        executions: 0,
        deliveries: 0,
        complete: sum.scripts,
        findings,
        sometimes: sometimes.map(|(at, _)| (at, sum.sometimes.contains(&at))).collect(),
        exercised: sum.exercised,
        refused: Vec::new(),
        undecided: Vec::new(),
        outcomes: sum.outcomes,
        by_faults: Vec::new(),
        tasks: engine.kernel.tasks_that_may_run(),
        timers: Vec::new(),
        coverage: Coverage::default(),
        elapsed: began.elapsed(),
        out_of_memory: None,
        shard: None,
        sampled: Some(Sampled {
            strategy: Strategy::Random,
            seed: campaign.seed,
            schedules: sum.scripts,
            worlds: 0,
            first,
        }),
    };
    Ok(Campaigned { explored, rounds: sum.rounds, scripts, cut: sum.cut, beyond })
}
