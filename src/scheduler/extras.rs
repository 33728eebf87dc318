//! Faults, time steps and optional steps of a schedule: how many, and when.
//!
//! In: how many there may be. Out: for each world of a schedule, whether one of them is made now. They are decided apart
//! from the order of messages. A scheduler that treated them as messages would spend nearly every budget in the first few
//! worlds, because many faults are possible in each; schedules without a fault, and with a fault late, would be rare.
//!
//! 1. A schedule draws how many faults it has: none in half of the cases, one in half of the rest, and so on to the bound.
//!    Bugs need few faults, and a schedule with fewer gives the simpler counterexample. Time steps and optional steps are
//!    drawn evenly between none and all, since what waits for them (a timer) often needs several.
//! 2. Each of them draws when: evenly among the worlds of a schedule in which a step of its class was possible, as many as
//!    the richest schedule so far had.
//! 3. When its turn has come, one of the possible steps of its class is drawn evenly. What is left when no message must be
//!    delivered any more is made then, as far as it is possible.

use super::{Class, Experience, Generator, Offer};

/// The classes, in the order in which they are asked.
const CLASSES: [Class; 3] = [Class::Fault, Class::Time, Class::Optional];
/// Most steps of one class that are drawn for one schedule.
const DRAWN_MAX: u32 = 1_000;

/// Decides about extra steps.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    seed: u64,
    most: [u32; 3],
    generator: Generator,
    /// For each class, latest first: at which opportunity one is made.
    turns: [Vec<u32>; 3],
    opportunities: [u32; 3],
    /// Whether what nobody waits for is delivered after everything else.
    goes_on: bool,
}

impl Extras {
    /// Extra steps of at most so many faults, time steps and optional steps.
    pub fn new(seed: u64, most: [u32; 3]) -> Extras {
        Extras { seed, most, ..Extras::default() }
    }

    /// A schedule of this number begins.
    pub fn begin(&mut self, schedule: u64, experience: &Experience) {
        self.generator = Generator::new(self.seed, schedule, 1);
        self.opportunities = [0; 3];
        self.goes_on = self.generator.below(2) == 1;
        for class in 0..CLASSES.len() {
            let count = self.draw(class);
            let range = u64::from(experience.opportunities(class).max(1));
            self.turns[class].clear();
            for _ in 0..count {
                let turn = self.generator.below(range) as u32;
                self.turns[class].push(turn);
            }
            self.turns[class].sort_unstable_by(|a, b| b.cmp(a));
        }
    }

    fn draw(&mut self, class: usize) -> u32 {
        let most = self.most[class].min(DRAWN_MAX);
        if CLASSES[class] != Class::Fault {
            return self.generator.below(u64::from(most) + 1) as u32;
        }
        let mut count = 0;
        while count < most && self.generator.below(2) == 1 {
            count += 1;
        }
        count
    }

    /// Which of these steps is made now, if any. `is_rest`: no message must be delivered any more.
    pub fn next(&mut self, offers: &[Offer], is_rest: bool) -> Option<usize> {
        for (class, kind) in CLASSES.into_iter().enumerate() {
            let possible = offers.iter().filter(|offer| offer.class == kind).count() as u64;
            if possible == 0 {
                continue;
            }
            let now = self.opportunities[class];
            self.opportunities[class] += 1;
            if self.turns[class].last().is_some_and(|&turn| turn <= now || is_rest) {
                self.turns[class].pop();
                let drawn = self.generator.below(possible) as usize;
                let of_class = offers.iter().enumerate().filter(|(_, offer)| offer.class == kind);
                return of_class.map(|(at, _)| at).nth(drawn);
            }
        }
        None
    }

    /// Whether this schedule goes on with messages that nobody waits for, once nothing else is left.
    pub fn goes_on(&self) -> bool {
        self.goes_on
    }

    /// How often steps of each class were possible in this schedule.
    pub fn opportunities(&self) -> [u32; 3] {
        self.opportunities
    }
}
