//! Makes a counterexample as simple as it can be, and stays with its bug.
//!
//! In: a schedule that violates an invariant, from a search, from sampling, a fuzzer, a replica or a person. Out: a [`Shrunk`]: a
//! schedule with fewer calls, faults, context switches and deliveries, in an order nearer to the one in which messages were
//! sent, with simpler arguments; and whether anything simpler exists.
//!
//! 1. Parts are taken away and moved (`moves`), and what is left is followed in the kernel. It is accepted if it is simpler
//!    ([`Size`]) and violates the same invariant at the same await point ([`Guilty`]); what shows another bug is kept beside.
//! 2. When nothing helps any more, everything simpler is searched exhaustively (`explore::below`). Either something simpler is found
//!    there, or the counterexample is `minimal: proved`.
//!
//! Delta debugging (Zeller and Hildebrandt, 2002) for the first part; we add moves, since an order has no parts.

mod moves;
mod needed;
mod size;
mod values;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::counterexample::awaits::{AwaitPoint, Guilty, guilty};
use crate::counterexample::play::{Made, Play, items, play, roots};
use crate::engine::embedded::Embedded;
use crate::explore::below::{below, each};
use crate::explore::look::{Successor, add_met};
use crate::explore::workers::Deadline;
use crate::explore::{Finding, Grade, Minimal, Rank};
use crate::kernel::Unsupported;
use crate::kernel::intern::content_hash;
use crate::schedule::{Schedule, Step};

pub use needed::{Unneeded, unneeded};
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
    /// The await point that it stays with.
    pub point: &'a AwaitPoint,
    /// Whether everything simpler is being searched.
    pub proving: bool,
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
    shrink_at(engine, (invariant, None), steps, worlds, effort, progress)
}

/// Likewise, where the await point of the bug is known by name: of several that the steps hang on, it stays with that one.
///
/// # Errors
/// As [`shrink`].
pub fn shrink_at(
    engine: &mut Embedded,
    (invariant, point): (usize, Option<&str>),
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
    let mut guilty = guilty(engine, invariant, &played)?;
    if let Some(at) = guilty.iter().position(|guilty| Some(guilty.point.name.as_str()) == point) {
        let own = guilty.remove(at);
        guilty.insert(0, own);
    }
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
    let first = shrinker.best.play.clone();
    shrinker.note(&first)?;
    shrinker.settle()?;
    shrinker.take_away_and_move()?;
    let is_proved = effort.proves && shrinker.prove(effort.time.map(|time| time.saturating_sub(began.elapsed())))?;
    let minimal = match (is_proved, shrinker.is_cut) {
        (true, _) => Minimal::Proved,
        (false, true) => Minimal::Cut,
        (false, false) => Minimal::One,
    };
    let Shrinker { best, mut others, tried, .. } = shrinker;
    // What the counterexample itself shows in the end, too, is the same bug under another name.
    others.retain(|other| other.invariant == invariant || !best.play.violates(other.invariant));
    let finding = finding(engine, invariant, &best.play, worlds, minimal);
    Ok(Some(Shrunk { finding, guilty: best.guilty, before: size, size: best.size, others, tried }))
}

/// A way to a violation of an invariant that hangs on none of these await points, if there is one. Of each violating world the
/// shortest ways are looked at, up to a number; `None`: not all of them, within the time.
///
/// # Errors
/// If a canister asks for something that the engine does not offer.
pub fn another(
    engine: &mut Embedded,
    invariant: usize,
    known: &[String],
    time: Option<Duration>,
) -> Result<Option<Option<Finding>>, Unsupported> {
    let deadline = Deadline::of(engine, time);
    let mut found: Option<Vec<Step>> = None;
    let mut accept = |engine: &mut Embedded, steps: Vec<Step>| -> Result<Option<Rank>, Unsupported> {
        let played = play_all(engine, invariant, &steps)?;
        let is_known = |guilty: &Guilty| known.contains(&guilty.point.name);
        if !played.violates(invariant) || guilty(engine, invariant, &played)?.iter().any(is_known) {
            return Ok(None);
        }
        found = Some(steps);
        // Nothing simpler is left, and nothing else is asked for.
        Ok(Some(Rank::default()))
    };
    let is_complete = each(engine, invariant, &deadline, &mut accept)?;
    match found {
        Some(steps) => {
            let played = play(engine, &items(&steps), Some(invariant), None)?;
            Ok(Some(Some(finding(engine, invariant, &played, 1, Minimal::One))))
        }
        None => Ok(is_complete.then_some(None)),
    }
}

/// A schedule that violates an invariant, as a finding.
fn finding(engine: &Embedded, invariant: usize, play: &Play, worlds: u64, minimal: Minimal) -> Finding {
    let traps = |made: &Made| {
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
        minimal,
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
        let own = &self.best.guilty[0];
        let is_same = |other: &Guilty| other.point == own.point && other.is_shown() == own.is_shown();
        match guilty.iter().position(is_same) {
            // The key stays in front.
            Some(at) => {
                let own = guilty.remove(at);
                guilty.insert(0, own);
            }
            // Where two bugs hide each other, the first one that shows is taken.
            None if !self.is_settled && guilty[0].is_shown() => {}
            None => {
                self.keep(self.invariant, guilty.swap_remove(0), play.steps());
                return Ok(false);
            }
        }
        self.is_settled |= guilty[0].is_shown();
        self.best = Best { play, size, guilty };
        self.tell();
        Ok(true)
    }

    fn tell(&mut self) {
        let steps = self.steps();
        let Best { size, guilty, .. } = &self.best;
        let now = Shrinking { tried: self.tried, size, steps: &steps, point: &guilty[0].point, proving: self.proving };
        (self.progress)(&now);
    }

    /// Keeps what violates other invariants on the way.
    fn note(&mut self, play: &Play) -> Result<(), Unsupported> {
        for (invariant, steps, _) in &play.met {
            let is_known =
                *invariant == self.invariant || self.others.iter().any(|other| other.invariant == *invariant);
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
        for root in roots(steps.iter()).iter().rev() {
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
        let deadline = Deadline::of(self.engine, time);
        let mut engine = self.engine.fork();
        let (invariant, limit) = (self.invariant, self.best.size.rank);
        let mut accept = |engine: &mut Embedded, steps: Vec<Step>| -> Result<Option<Rank>, Unsupported> {
            let played = play_all(engine, invariant, &steps)?;
            if !played.violates(invariant) {
                return Ok(None);
            }
            self.tried += 1;
            let size = Size::of(engine, &played);
            if size >= self.best.size {
                return Ok(None);
            }
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
