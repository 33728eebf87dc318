//! What a step or a world shows, as numbers of counters that libFuzzer looks at after each run.
//!
//! In: executions with what they covered ([`Covered`]), steps, worlds. Out: lists of counters, made once and remembered with
//! the step, so that a step that is walked again shows the same without running anything.
//!
//! 1. Blocks of the canisters' code, with how often each ran: the first half of the counters, one for each block as long as
//!    there are enough.
//! 2. In the other half, by hash: the arms of switches, where in a chain of messages the operands of a comparison were equal
//!    (small modules share functions among methods), and pairs of a method and an await point of its canister that was open
//!    (`explore::coverage`).
//! 3. In smaller parts of it: of each comparison how many bits were equal at best, and values of all observations. They lead
//!    further, but are no places: worlds that differ only in numbers must not fill the corpus.
//!
//! libFuzzer attributes what its own hooks for comparisons see to the place of the call, which would be one for all sites of a
//! canister; so sites are told apart here, and operands go to `hints`.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use hashbrown::HashMap;
use xxhash_rust::xxh3::Xxh3Builder;

use crate::engine::embedded::Embedded;
use crate::explore::coverage;
use crate::kernel::guest::Covered;
use crate::kernel::intern::content_hash;
use crate::kernel::{Choice, Effects, Happened, Unsupported, World};
use crate::sample::atlas::Watch;

/// Counters.
pub const COUNTERS: usize = 1 << 17;
/// Those of blocks come first, then those of other places, of closeness, of observed values.
const BLOCKS: usize = 1 << 16;
const PLACES: Range<u32> = 1 << 16..(1 << 17) - (1 << 15);
const CLOSENESS: Range<u32> = (1 << 17) - (1 << 15)..(1 << 17) - (1 << 12);
const VALUES: Range<u32> = (1 << 17) - (1 << 12)..1 << 17;

/// What was shown at one place.
#[derive(Default)]
pub struct Shown {
    /// Counters and what they are at least.
    counters: Box<[(u32, u8)]>,
    /// Operands that were compared and were not equal.
    pub unequal: Box<[(u64, u64)]>,
}

/// Everything that was shown so far.
#[derive(Default)]
pub struct Feedback {
    shown: Vec<Shown>,
    /// By hash of what they show.
    known: HashMap<u128, u32, Xxh3Builder>,
    /// Executions by address and place, kept so that addresses stay theirs.
    executions: HashMap<(usize, u128), (Arc<Effects>, u32), Xxh3Builder>,
    /// By canister and module: the counter of its first block.
    first_blocks: HashMap<(u16, u16), usize>,
    blocks: usize,
    /// Counters of blocks and places that were raised by now.
    reached: BTreeSet<u32>,
}

impl Feedback {
    /// Gives the blocks of a canister's module their counters, so that these do not depend on what runs first.
    pub fn place(&mut self, canister: u16, blocks: usize) {
        let next = self.blocks;
        if *self.first_blocks.entry((canister, 0)).or_insert(next) == next {
            self.blocks += blocks;
        }
    }

    /// What was reached, for worlds and executions that have other numbers.
    pub fn reached(self) -> Feedback {
        let Feedback { first_blocks, blocks, reached, .. } = self;
        Feedback { first_blocks, blocks, reached, ..Feedback::default() }
    }

    /// What a number stands for.
    pub fn shown(&self, number: u32) -> &Shown {
        &self.shown[number as usize]
    }

    fn add(&mut self, key: u128, shown: impl FnOnce(&mut Feedback) -> Shown) -> u32 {
        if let Some(&number) = self.known.get(&key) {
            return number;
        }
        let shown = shown(self);
        self.shown.push(shown);
        let number = (self.shown.len() - 1) as u32;
        self.known.insert(key, number);
        number
    }

    /// Number of what an execution shows.
    fn execution(&mut self, canister: u16, place: u128, effects: &Arc<Effects>) -> u32 {
        let address = Arc::as_ptr(effects) as usize;
        if let Some((_, number)) = self.executions.get(&(address, place)) {
            return *number;
        }
        let shown =
            effects.covered.as_ref().map_or_else(Shown::default, |covered| self.covered(canister, place, covered));
        self.shown.push(shown);
        let number = (self.shown.len() - 1) as u32;
        self.executions.insert((address, place), (effects.clone(), number));
        number
    }

    fn covered(&mut self, canister: u16, place: u128, covered: &Covered) -> Shown {
        let module = (canister, covered.module);
        // A module that an upgrade brings comes behind the others.
        let first = *self.first_blocks.entry(module).or_insert(self.blocks);
        let mut counters = Vec::with_capacity(covered.blocks.len() + covered.compared.len());
        for &(block, count) in &covered.blocks {
            let at = first + block as usize;
            self.blocks = self.blocks.max(at + 1);
            counters.push(((at % BLOCKS) as u32, count));
        }
        let mut unequal = Vec::new();
        for compared in &covered.compared {
            if compared.equal {
                counters.push((hashed(PLACES, &(0u8, module, place, compared.site)), 1));
            }
            if let Some((one, other)) = compared.unequal {
                let equal_bits = (one ^ other).count_zeros();
                counters.push((hashed(CLOSENESS, &(module, compared.site, equal_bits)), 1));
                unequal.push((one, other));
            }
        }
        for &(site, arms) in &covered.switched {
            let chosen = (0..64u32).filter(|arm| arms & (1 << arm) != 0);
            counters.extend(chosen.map(|arm| (hashed(PLACES, &(1u8, module, site, arm)), 1)));
        }
        Shown { counters: counters.into(), unequal: unequal.into() }
    }

    /// Places that were not reached when this was asked before; from now on they are.
    pub fn reaches(&mut self, number: u32) -> Vec<u32> {
        let counters = self.shown[number as usize].counters.iter().map(|(at, _)| *at);
        let places = counters.filter(|at| *at < PLACES.end);
        places.filter(|&at| self.reached.insert(at)).collect()
    }

    /// Whether all these places are shown here.
    pub fn shows(&self, number: u32, places: &[u32]) -> bool {
        let counters = &self.shown[number as usize].counters;
        places.iter().all(|place| counters.iter().any(|(at, _)| at == place))
    }

    /// Raises the counters to what is shown here.
    pub fn mark(&self, number: u32, counters: &mut [u8]) {
        for &(at, count) in &self.shown[number as usize].counters {
            let counter = &mut counters[at as usize];
            *counter = (*counter).max(count);
        }
    }
}

/// One of these counters.
fn hashed(range: Range<u32>, what: &impl std::hash::Hash) -> u32 {
    range.start + (content_hash(what) % u128::from(range.end - range.start)) as u32
}

impl Watch for Feedback {
    fn step(&mut self, engine: &Embedded, before: &World, choice: &Choice, happened: &Happened) -> u32 {
        let Some(delivery) = happened.delivery() else { return self.add(0, |_| Shown::default()) };
        let pairs = coverage::pairs(&engine.kernel, before, choice);
        let place = coverage::place(&engine.kernel, before, choice);
        let executed = self.execution(delivery.canister, place, &delivery.effects);
        let cleanup = delivery.cleanup.as_ref().map(|cleanup| self.execution(delivery.canister, !place, cleanup));
        if pairs.is_empty() && cleanup.is_none() {
            return executed;
        }
        let key = content_hash(&(executed, cleanup, &pairs)) | 1;
        self.add(key, |feedback| {
            let parts = std::iter::once(executed).chain(cleanup).map(|number| &feedback.shown[number as usize]);
            let (mut counters, mut unequal) = (Vec::new(), Vec::new());
            for part in parts {
                counters.extend_from_slice(&part.counters);
                unequal.extend_from_slice(&part.unequal);
            }
            counters.extend(pairs.iter().map(|pair| (hashed(PLACES, &(2u8, pair)), 1)));
            Shown { counters: counters.into(), unequal: unequal.into() }
        })
    }

    fn world(&mut self, engine: &mut Embedded, world: &World) -> Result<u32, Unsupported> {
        let observed = engine.observe(world)?;
        let text: Vec<String> = observed.iter().map(|value| value.to_string()).collect();
        let hash = content_hash(&text) & !1;
        Ok(self.add(hash, |_| Shown { counters: Box::new([(hashed(VALUES, &hash), 1)]), unequal: Box::default() }))
    }
}
