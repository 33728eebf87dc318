//! Merging, canonical form, workers, shards and bounds change nothing that is found: random small scenarios, up to 3 calls and
//! 1 fault, against brute force.
//!
//! Each scenario is explored with 1, 2 and 3 workers (the whole result must be the same), in 2 to 4 shards, with interchangeable
//! calls told apart, and within a random bound of each kind and two bounds at once; brute force walks the same, each time. `make complete`
//! compares 1,000 scenarios of up to 200,000 interleavings; those of them that are small are compared in every run, as far as
//! they come.

use std::time::Instant;

use canloom::engine::embedded::Embedded;
use canloom::explore::{Budget, Completeness, Explored, explore};
use canloom::scenario::{BoundName, Bounds, Scenario};
use canloom::schedule::Task;

use super::super::brute::{Enumerator, Found, Limits};
use super::super::divided::merged;
use super::super::puppet::{random, unrest};
use super::super::random_canister::recipes;
use super::super::stage::{Stage, counts};
use super::Summary;

/// More interleavings than this are too many for brute force.
const INTERLEAVINGS_MAX: u64 = 200_000;
/// More than this are left to `make complete`.
const INTERLEAVINGS_SMALL: u64 = 300;
/// Up to this many, brute force walks within a bound of each kind; beyond, within one of them and two at once.
const INTERLEAVINGS_MANY: u64 = 3_000;
/// More deliveries, or steps, than this take brute force too long; nine are three calls that await once.
const STEPS_MAX: usize = 9;
const CALLS_MAX: usize = 3;
const FAULTS_MAX: u32 = 1;

/// What was compared.
#[derive(Default)]
struct Tally {
    agreeing: usize,
    /// Too many steps, of which nothing was counted.
    too_long: usize,
    /// Too many interleavings.
    redrawn: usize,
    /// More calls or faults than these scenarios have.
    passed_over: usize,
    interleavings: u64,
    violated: usize,
    /// For each kind of bound: comparisons, and those in which it cut something off.
    bounds: Vec<(&'static str, usize, usize)>,
}

/// Compares scenarios of one kind, in the order in which they are drawn, with the most steps that each can make; `share` is how
/// many of the 1,000 are of this kind.
fn compare_all(kind: &str, share: usize, drawn: impl Iterator<Item = (usize, Box<dyn FnOnce() -> Stage>)>) {
    let began = Instant::now();
    let is_nightly = std::env::var_os("COMPLETE").is_some();
    let wanted = if is_nightly { share } else { share / 10 };
    let mut tally = Tally::default();
    for (number, (steps_max, stage)) in drawn.enumerate() {
        if tally.agreeing == wanted {
            break;
        }
        if steps_max > STEPS_MAX {
            tally.too_long += 1;
            continue;
        }
        let stage = stage();
        let scenario = stage.scenario();
        if scenario.instances().len() > CALLS_MAX || scenario.bounds.faults > FAULTS_MAX {
            tally.passed_over += 1;
            continue;
        }
        let mut engine = stage.open();
        let explored = search(&mut engine, 1);
        let (interleavings, _) = counts(&explored);
        if interleavings > INTERLEAVINGS_MAX {
            tally.redrawn += 1;
            continue;
        }
        if !is_nightly && interleavings > INTERLEAVINGS_SMALL {
            continue;
        }
        Comparison { engine, scenario: &scenario, number, tally: &mut tally }.run(&explored);
        tally.agreeing += 1;
        tally.interleavings += interleavings;
        tally.violated += usize::from(!explored.findings.is_empty());
    }
    let Tally { agreeing, too_long, redrawn, passed_over, interleavings, violated, bounds } = tally;
    println!("{kind}: {agreeing} scenarios agree, {redrawn} redrawn for more than {INTERLEAVINGS_MAX} interleavings");
    println!("{too_long} drawn with more than {STEPS_MAX} steps, {passed_over} with more calls or faults");
    println!("{interleavings} interleavings, {violated} with a violation, {:.0} s", began.elapsed().as_secs_f64());
    println!("bounds (compared, cut something off): {bounds:?}");
    assert!(violated >= agreeing / 5, "only {violated} of the random scenarios violate something");
    for (name, compared, cut) in bounds {
        // Chains are short, and few puppets have timers.
        assert!(cut > 0 || ["depth", "timers"].contains(&name), "{name} cut off nothing in {compared} scenarios");
    }
}

struct Comparison<'a> {
    engine: Embedded,
    scenario: &'a Scenario,
    number: usize,
    tally: &'a mut Tally,
}

impl Comparison<'_> {
    fn run(mut self, explored: &Explored) {
        let limits = Limits::default();
        let brute = Enumerator::new(self.scenario, &limits);
        self.agree(explored, brute.within(self.scenario.bounds), "no bound");
        for workers in [2, 3] {
            self.engine.within(self.scenario.bounds);
            let others = search(&mut self.engine, workers);
            assert_eq!(whole(&others), whole(explored), "{workers} workers: {}", self.text());
        }
        let of = 2 + self.number as u32 % 3;
        let together = merged(&self.engine, of);
        let summary = |explored| Summary::of_search(self.scenario, explored);
        assert_eq!(summary(&together), summary(explored), "{of} shards: {}", self.text());
        let schedules = |explored: &Explored| {
            explored.findings.iter().map(|finding| finding.schedule.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(schedules(&together), schedules(explored), "{of} shards: {}", self.text());
        assert_eq!(together.coverage, explored.coverage, "{of} shards: {}", self.text());
        let mut drawn: Vec<(BoundName, u32)> = Vec::new();
        for (at, name) in BoundName::ALL.into_iter().enumerate() {
            let task = match name {
                BoundName::Timers => Some(Task::Timer),
                BoundName::Heartbeats => Some(Task::Heartbeat),
                _ => None,
            };
            if task.is_none_or(|task| self.engine.kernel.tasks_that_may_run().contains(&task)) {
                drawn.extend(narrower(&self.scenario.bounds, name, self.number / (at + 1)).map(|most| (name, most)));
            }
        }
        let (one, other) = (drawn[self.number % drawn.len()], drawn[(self.number + 1) % drawn.len()]);
        if counts(explored).0 > INTERLEAVINGS_MANY {
            drawn = vec![one];
        }
        for &(name, most) in &drawn {
            let is_cut = self.compare_within(&brute, &[(name, most)]);
            let bounds = &mut self.tally.bounds;
            let at = bounds.iter().position(|(word, ..)| *word == name.word()).unwrap_or_else(|| {
                bounds.push((name.word(), 0, 0));
                bounds.len() - 1
            });
            bounds[at].1 += 1;
            bounds[at].2 += usize::from(is_cut);
        }
        self.compare_within(&brute, &[one, other]);
    }

    /// Compares within these bounds; whether they cut something off.
    fn compare_within(&mut self, brute: &Enumerator<'_>, narrow: &[(BoundName, u32)]) -> bool {
        let mut narrowed = self.scenario.clone();
        for &(name, most) in narrow {
            narrowed.narrow(name, most).expect("it is narrower");
        }
        self.engine.within(narrowed.bounds);
        let explored = search(&mut self.engine, 1);
        let is_cut = !explored.within.is_empty();
        assert_eq!(explored.completeness == Completeness::Within, is_cut);
        assert!(explored.within.iter().all(|bound| narrow.contains(bound)), "{:?} of {narrow:?}", explored.within);
        self.agree(&explored, brute.within(narrowed.bounds), &format!("{narrow:?}"));
        self.engine.within(narrowed.bounds);
        assert_eq!(whole(&search(&mut self.engine, 2)), whole(&explored), "2 workers, {narrow:?}: {}", self.text());
        is_cut
    }

    /// The result of the search, and that of a search that tells interchangeable calls apart, is that of brute force.
    fn agree(&mut self, explored: &Explored, found: Found, bounds: &str) {
        let found = Summary::of_brute_force(found);
        let searched = Summary::of_search(self.scenario, explored);
        assert_eq!(searched, found, "{bounds}: {}", self.text());
        self.engine.within(self.engine.scenario.bounds);
        self.engine.kernel.tell_calls_apart();
        let apart = search(&mut self.engine, 1);
        assert!(apart.worlds >= explored.worlds);
        assert_eq!(Summary::of_search(self.scenario, &apart), found, "calls told apart, {bounds}: {}", self.text());
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.scenario.file).unwrap_or_default()
    }
}

/// A number for a bound that is narrower than the scenario's, if there is one.
fn narrower(bounds: &Bounds, name: BoundName, random: usize) -> Option<u32> {
    let (least, most) = match name {
        BoundName::Calls | BoundName::InFlight => (1, bounds.get(name)?.checked_sub(1)?),
        BoundName::Faults | BoundName::Time => (0, bounds.get(name)?.checked_sub(1)?),
        BoundName::Switches => (0, 3),
        BoundName::Depth => (1, 1),
        BoundName::Timers => (0, 1),
        BoundName::Heartbeats => (0, 0),
    };
    (least <= most).then(|| least + random as u32 % (most - least + 1))
}

fn search(engine: &mut Embedded, workers: usize) -> Explored {
    let budget = Budget { workers, ..Budget::default() };
    explore(engine, &budget, &mut |_| {}).expect("the engine offers what the canisters use")
}

/// All that was found, but for the time that it took.
fn whole(explored: &Explored) -> String {
    format!("{:?}", Explored { elapsed: std::time::Duration::ZERO, ..explored.clone() })
}

#[test]
fn random_small_canisters_are_explored_as_by_brute_force_whatever_the_workers_and_bounds() {
    let drawn = recipes().map(|recipe| {
        let stage: Box<dyn FnOnce() -> Stage> = Box::new({
            let recipe = recipe.clone();
            move || recipe.stage()
        });
        (recipe.deliveries_max(), stage)
    });
    compare_all("small canisters", 334, drawn);
}

#[test]
fn random_puppets_are_explored_as_by_brute_force_whatever_the_workers_and_bounds() {
    let drawn = random::plays().map(|play| {
        let stage: Box<dyn FnOnce() -> Stage> = Box::new({
            let play = play.clone();
            move || play.stage()
        });
        (play.deliveries_max(), stage)
    });
    compare_all("puppets", 333, drawn);
}

#[test]
fn random_unrest_is_explored_as_by_brute_force_whatever_the_workers_and_bounds() {
    let drawn = unrest::unrests().map(|unrest| {
        let stage: Box<dyn FnOnce() -> Stage> = Box::new({
            let unrest = unrest.clone();
            move || unrest.stage()
        });
        // Of these a step more makes many more interleavings.
        (unrest.steps_max() + 1, stage)
    });
    compare_all("unrest", 333, drawn);
}
