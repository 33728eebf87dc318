//! Makes a counterexample as simple as it can be, and stays with its bug.
//!
//! In: a schedule that violates an invariant, from a search, from sampling, a fuzzer, a replica or a person. Out: a [`Shrunk`]: a
//! schedule with fewer calls, faults, context switches and deliveries, in an order nearer to the one in which messages were
//! sent, with simpler arguments; and whether anything simpler exists.
//!
//! 1. Parts are taken away and moved ([`moves`]), and what is left is followed in the kernel. It is accepted if it is simpler
//!    ([`Size`]) and violates the same invariant at the same await point ([`Guilty`]); what shows another bug is kept beside.
//! 2. When nothing helps any more, everything simpler is searched exhaustively ([`below`]). Either something simpler is found
//!    there, or the counterexample is `minimal: proved`.
//!
//! Delta debugging (Zeller and Hildebrandt, 2002) for the first part; we add moves, since an order has no parts.

mod moves;
mod size;
mod values;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::counterexample::awaits::{Guilty, guilty};
use crate::counterexample::play::{Play, items, play};
use crate::engine::embedded::Embedded;
use crate::explore::below::below;
use crate::explore::look::{Successor, add_met};
use crate::explore::workers::Deadline;
use crate::explore::{Finding, Grade, Rank};
use crate::kernel::Unsupported;
use crate::kernel::intern::content_hash;
use crate::schedule::{Schedule, Step};

pub use size::{Size, switches};

/// Most other bugs that are kept on the way.
const OTHERS_MAX: usize = 16;
/// Of a limited time, the part that taking away and moving may take; the rest is for the search below.
const SHARE_OF_MOVES: u32 = 2;

/// How much is done.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Stop after this time.
    pub time: Option<Duration>,
    /// Follow at most so many schedules.
    pub most: u64,
    /// Whether everything simpler is searched in the end.
    pub proves: bool,
}

impl Effort {
    /// For findings that are one of many, in a report that does not depend on time.
    pub const QUICK: Effort = Effort { time: None, most: 20_000, proves: false };
}

/// How far a shrinker is.
#[derive(Clone, Debug)]
pub struct Shrinking<'a> {
    /// Schedules followed.
    pub tried: u64,
    /// The simplest one so far.
    pub size: &'a Size,
    /// Its steps.
    pub steps: &'a [Step],
    /// Whether everything simpler is being searched.
    pub proving: bool,
}

/// What is known about simpler counterexamples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Minimal {
    /// There is none with fewer faults, calls, bounded context switches or steps, in this order: all were looked at.
    Proved,
    /// No single change gives one; that there is none was not shown within the time.
    One,
    /// The time ended first.
    Cut,
}

impl Minimal {
    /// As reports say it.
    pub fn word(self) -> &'static str {
        match self {
            Minimal::Proved => "proved",
            Minimal::One => "1-minimal",
            Minimal::Cut => "not minimal, the time ended first",
        }
    }
}

/// Another bug that showed on the way.
#[derive(Clone, Debug)]
pub struct Other {
    /// The invariant, by position.
    pub invariant: usize,
    /// What it hangs on.
    pub guilty: Guilty,
    /// The steps up to it.
    pub steps: Vec<Step>,
}

/// A counterexample that was shrunk.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The counterexample.
    pub finding: Finding,
    /// The awaits that it hangs on, the most telling one first.
    pub guilty: Vec<Guilty>,
    /// Its size before and after.
    pub before: Size,
    /// See above.
    pub size: Size,
    /// What is known about simpler ones.
    pub minimal: Minimal,
    /// Other bugs that showed on the way, one for each invariant and await point.
    pub others: Vec<Other>,
    /// Schedules that were followed.
    pub tried: u64,
}

/// Shrinks steps that violate an invariant, by position; `None` if those of them that are possible do not. `worlds` violate it
/// in all, for the finding.
///
/// # Errors
/// If a canister asks for something that the engine does not offer.
pub fn shrink(
    engine: &mut Embedded,
    invariant: usize,
    steps: &[Step],
    worlds: u64,
    effort: Effort,
    progress: &mut dyn FnMut(&Shrinking<'_>),
) -> Result<Option<Shrunk>, Unsupported> {
    let played = play(engine, &items(steps), Some(invariant), None)?;
    if !played.violates(invariant) {
        return Ok(None);
    }
    let size = Size::of(engine, &played);
    let guilty = guilty(engine, invariant, &played)?;
    let began = Instant::now();
    let mut shrinker = Shrinker {
        engine,
        invariant,
        is_settled: guilty[0].is_shown(),
        best: Best { size: size.clone(), guilty, play: played },
        others: Vec::new(),
        known: HashSet::new(),
        tried: 0,
        most: effort.most,
        until: effort.time.map(|time| began + if effort.proves { time / SHARE_OF_MOVES } else { time }),
        is_cut: false,
        proving: false,
        progress,
    };
    shrinker.settle()?;
    shrinker.take_away_and_move()?;
    let mut minimal = if shrinker.is_cut { Minimal::Cut } else { Minimal::One };
    if effort.proves && shrinker.prove(effort.time.map(|time| time.saturating_sub(began.elapsed())))? {
        minimal = Minimal::Proved;
    }
    let Shrinker { best, others, tried, .. } = shrinker;
    let mut others = others;
    // What the counterexample itself shows, too, is the same bug under another name.
    others.retain(|other| other.invariant == invariant || !best.play.violates(other.invariant));
    let finding = finding(engine, invariant, &best.play, worlds);
    Ok(Some(Shrunk { finding, guilty: best.guilty, before: size, size: best.size, minimal, others, tried }))
}

/// A schedule that violates an invariant, as a finding.
fn finding(engine: &Embedded, invariant: usize, play: &Play, worlds: u64) -> Finding {
    let traps = |made: &crate::counterexample::play::Made| {
        let traps = made.happened.delivery().is_some_and(|delivery| delivery.effects.trap.is_some());
        traps && made.step.runs_callback()
    };
    let callback_traps = play.made.iter().any(traps);
    let world = |steps: usize| play.made.get(steps).map_or(&play.last, |made| &made.before);
    let mut met = Vec::new();
    let mut error = None;
    for (other, steps, why) in &play.met {
        add_met(std::iter::once(*other), Successor::new(engine, world(*steps), *steps as u32, 1).rank, &mut met);
        if *other == invariant {
            error.clone_from(why);
        }
    }
    let steps = engine.kernel.in_order_of_start(play.steps());
    let rank = Successor::new(engine, &play.last, steps.len() as u32, 1).rank;
    Finding {
        invariant,
        order: Vec::new(),
        calls: u32::from(rank.calls),
        switches: engine.scenario.bounds.switches.map(|_| u32::from(rank.switches)),
        deliveries: steps.iter().filter(|step| step.is_delivery()).count() as u32,
        faults: u32::from(rank.faults),
        grade: Grade::of(&steps, callback_traps, u32::from(rank.faults)),
        worlds,
        error,
        met,
        also: Vec::new(),
        schedule: Schedule { steps },
    }
}

/// The simplest schedule so far.
struct Best {
    play: Play,
    size: Size,
    guilty: Vec<Guilty>,
}

struct Shrinker<'a> {
    engine: &'a mut Embedded,
    invariant: usize,
    best: Best,
    /// Whether it is known which await the bug hangs on. In a schedule with two bugs, taking either away may not help.
    is_settled: bool,
    others: Vec<Other>,
    /// Hashes of schedules that were tried.
    known: HashSet<u128>,
    tried: u64,
    most: u64,
    until: Option<Instant>,
    is_cut: bool,
    proving: bool,
    progress: &'a mut dyn FnMut(&Shrinking<'_>),
}

impl Shrinker<'_> {
    /// The steps of the simplest schedule so far.
    fn steps(&self) -> Vec<Step> {
        self.best.play.steps()
    }

    /// Follows a candidate and takes it if it is simpler and shows the same bug; whether it was taken.
    fn accept(&mut self, candidate: &[Step]) -> Result<bool, Unsupported> {
        if self.is_cut || !self.known.insert(content_hash(&candidate)) {
            return Ok(false);
        }
        if self.tried >= self.most || self.until.is_some_and(|until| Instant::now() >= until) {
            self.is_cut = true;
            return Ok(false);
        }
        self.tried += 1;
        let played = play(self.engine, &items(candidate), Some(self.invariant), None)?;
        self.note(&played)?;
        if !played.violates(self.invariant) {
            return Ok(false);
        }
        let size = Size::of(self.engine, &played);
        if size >= self.best.size {
            return Ok(false);
        }
        let guilty = guilty(self.engine, self.invariant, &played)?;
        self.take(played, size, guilty)
    }

    /// Takes a simpler schedule if it shows the same bug.
    fn take(&mut self, play: Play, size: Size, mut guilty: Vec<Guilty>) -> Result<bool, Unsupported> {
        if self.is_settled {
            let point = &self.best.guilty[0].point;
            let Some(at) = guilty.iter().position(|guilty| guilty.point == *point) else {
                self.keep(self.invariant, guilty.swap_remove(0), play.steps());
                return Ok(false);
            };
            // The key stays in front.
            let own = guilty.remove(at);
            guilty.insert(0, own);
        }
        self.is_settled |= guilty[0].is_shown();
        self.best = Best { play, size, guilty };
        self.tell();
        Ok(true)
    }

    fn tell(&mut self) {
        let steps = self.steps();
        let now = Shrinking { tried: self.tried, size: &self.best.size, steps: &steps, proving: self.proving };
        (self.progress)(&now);
    }

    /// Keeps what violates other invariants on the way.
    fn note(&mut self, play: &Play) -> Result<(), Unsupported> {
        for (invariant, steps, _) in &play.met {
            let is_known = *invariant == self.invariant
                || self.others.iter().any(|other| other.invariant == *invariant)
                || self.best.play.violates(*invariant);
            if !is_known && self.others.len() < OTHERS_MAX {
                let steps: Vec<Step> = play.made[..*steps].iter().map(|made| made.step.clone()).collect();
                let own = play_all(self.engine, *invariant, &steps)?;
                let guilty = guilty(self.engine, *invariant, &own)?.swap_remove(0);
                self.keep(*invariant, guilty, steps);
            }
        }
        Ok(())
    }

    fn keep(&mut self, invariant: usize, guilty: Guilty, steps: Vec<Step>) {
        let is_same = |other: &Other| other.invariant == invariant && other.guilty.point == guilty.point;
        match self.others.iter().position(is_same) {
            Some(at) if steps.len() < self.others[at].steps.len() => self.others[at].steps = steps,
            None if self.others.len() < OTHERS_MAX => self.others.push(Other { invariant, guilty, steps }),
            _ => {}
        }
    }

    /// Finds out which bug it is, where the schedule shows several: one chain of messages alone may do.
    fn settle(&mut self) -> Result<(), Unsupported> {
        if self.is_settled {
            return Ok(());
        }
        let steps = self.steps();
        for root in moves::roots(&steps).iter().rev() {
            let alone: Vec<Step> = steps.iter().filter(|step| step.root == *root).cloned().collect();
            if self.accept(&alone)? {
                self.is_settled = true;
                return Ok(());
            }
        }
        Ok(())
    }

    /// Looks for a simpler one among everything simpler; whether all of that was seen.
    fn prove(&mut self, time: Option<Duration>) -> Result<bool, Unsupported> {
        self.proving = true;
        self.tell();
        // The search makes calls with the values that the scenario has, and a fuzzer may have found other ones.
        let world = &self.best.play.last;
        let calls = self.engine.kernel.calls().len();
        if (0..calls).any(|call| self.engine.kernel.is_untried(call, world.trees[call])) {
            return Ok(false);
        }
        let deadline = Deadline { began: Instant::now(), time };
        let mut engine = self.engine.fork();
        let (invariant, limit) = (self.invariant, self.best.size.rank);
        let mut accept = |engine: &mut Embedded, steps: Vec<Step>| -> Result<Option<Rank>, Unsupported> {
            let played = play_all(engine, invariant, &steps)?;
            if !played.violates(invariant) {
                return Ok(None);
            }
            self.tried += 1;
            let size = Size::of(engine, &played);
            let guilty = guilty(engine, invariant, &played)?;
            Ok(self.take(played, size, guilty)?.then_some(self.best.size.rank))
        };
        let is_complete = below(&mut engine, invariant, limit, &deadline, &mut accept)?;
        if self.best.size.rank < limit {
            // It is as short as can be; its order and values may still be simpler.
            self.is_cut = false;
            self.until = time.map(|time| deadline.began + time);
            self.take_away_and_move()?;
        }
        Ok(is_complete)
    }
}

/// Follows steps until an invariant is violated, looking at nothing else.
fn play_all(engine: &mut Embedded, invariant: usize, steps: &[Step]) -> Result<Play, Unsupported> {
    play(engine, &items(steps), Some(invariant), Some(invariant))
}
