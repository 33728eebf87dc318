//! What a step or a world shows, as numbers of counters that libFuzzer looks at after each run.
//!
//! In: executions with what they covered ([`Covered`]), steps, worlds. Out: lists of counters, made once and remembered with
//! the step, so that a step that is walked again shows the same without running anything.
//!
//! 1. Blocks of the canisters' code, with how often each ran: the first half of the counters, one for each block as long as
//!    there are enough.
//! 2. In the other half, by hash: the arms of switches; of each comparison how many bits were equal at best; pairs of a method
//!    and an await point of its canister that was open (`explore::coverage`); and values of all observations, in a small part
//!    of it, so that worlds that differ only in numbers do not fill the corpus.
//!
//! libFuzzer attributes what its own hooks for comparisons see to the place of the call, which would be one for all sites of a
//! canister; so sites are told apart here, and operands go to [`super::hints`].

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
/// Those of blocks.
const BLOCKS: usize = 1 << 16;
/// Those of observed values, of all others.
const VALUES: u64 = 1 << 12;

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
    /// Executions by address, kept so that addresses stay theirs.
    executions: HashMap<usize, (Arc<Effects>, u32), Xxh3Builder>,
    /// By canister and module: the counter of its first block.
    first_blocks: HashMap<(u16, u16), usize>,
    blocks: usize,
}

impl Feedback {
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
    fn execution(&mut self, canister: u16, effects: &Arc<Effects>) -> u32 {
        let address = Arc::as_ptr(effects) as usize;
        if let Some((_, number)) = self.executions.get(&address) {
            return *number;
        }
        let shown = effects.covered.as_ref().map_or_else(Shown::default, |covered| self.covered(canister, covered));
        self.shown.push(shown);
        let number = (self.shown.len() - 1) as u32;
        self.executions.insert(address, (effects.clone(), number));
        number
    }

    fn covered(&mut self, canister: u16, covered: &Covered) -> Shown {
        let place = (canister, covered.module);
        let first = *self.first_blocks.entry(place).or_insert(self.blocks);
        let mut counters = Vec::with_capacity(covered.blocks.len() + covered.compared.len());
        for &(block, count) in &covered.blocks {
            let at = first + block as usize;
            self.blocks = self.blocks.max(at + 1);
            counters.push(((at % BLOCKS) as u32, count));
        }
        let mut unequal = Vec::new();
        for compared in &covered.compared {
            if compared.equal {
                counters.push((hashed(&(0u8, place, compared.site, 64u32)), 1));
            }
            if let Some((one, other)) = compared.unequal {
                let equal_bits = (one ^ other).count_zeros();
                counters.push((hashed(&(0u8, place, compared.site, equal_bits)), 1));
                unequal.push((one, other));
            }
        }
        for &(site, arms) in &covered.switched {
            let chosen = (0..64u32).filter(|arm| arms & (1 << arm) != 0);
            counters.extend(chosen.map(|arm| (hashed(&(1u8, place, site, arm)), 1)));
        }
        Shown { counters: counters.into(), unequal: unequal.into() }
    }

    /// Raises the counters to what is shown here.
    pub fn mark(&self, number: u32, counters: &mut [u8]) {
        for &(at, count) in &self.shown[number as usize].counters {
            let counter = &mut counters[at as usize];
            *counter = (*counter).max(count);
        }
    }
}

/// One of the counters that are not of blocks.
fn hashed(what: &impl std::hash::Hash) -> u32 {
    let rest = (COUNTERS - BLOCKS) as u64 - VALUES;
    (BLOCKS as u64 + VALUES + content_hash(what) as u64 % rest) as u32
}

impl Watch for Feedback {
    fn step(&mut self, engine: &Embedded, before: &World, choice: &Choice, happened: &Happened) -> u32 {
        let pairs = coverage::pairs(&engine.kernel, before, choice);
        let Some(delivery) = happened.delivery() else { return self.add(0, |_| Shown::default()) };
        let executed = self.execution(delivery.canister, &delivery.effects);
        let cleanup = delivery.cleanup.as_ref().map(|cleanup| self.execution(delivery.canister, cleanup));
        let key = content_hash(&(executed, cleanup, &pairs)) | 1;
        self.add(key, |feedback| {
            let parts = std::iter::once(executed).chain(cleanup).map(|number| &feedback.shown[number as usize]);
            let (mut counters, mut unequal) = (Vec::new(), Vec::new());
            for part in parts {
                counters.extend_from_slice(&part.counters);
                unequal.extend_from_slice(&part.unequal);
            }
            counters.extend(pairs.iter().map(|pair| (hashed(&(2u8, pair)), 1)));
            Shown { counters: counters.into(), unequal: unequal.into() }
        })
    }

    fn world(&mut self, engine: &mut Embedded, world: &World) -> Result<u32, Unsupported> {
        let observed = engine.observe(world)?;
        let text: Vec<String> = observed.iter().map(|value| value.to_string()).collect();
        let hash = content_hash(&text) & !1;
        Ok(self.add(hash, |_| {
            let counter = (BLOCKS as u64 + hash as u64 % VALUES) as u32;
            Shown { counters: Box::new([(counter, 1)]), unequal: Box::default() }
        }))
    }
}
