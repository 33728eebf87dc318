//! Schedules of the scenario that `CANLOOM_SCENARIO` names, in the embedded engine: see `canloom::fuzz::campaign`.
#![no_main]

use std::cell::RefCell;

use canloom::fuzz::campaign::{Campaign, Options};
use canloom_fuzz::{counters, fail, only_counters};
use libfuzzer_sys::{fuzz_crossover, fuzz_mutator, fuzz_target};

thread_local! {
    static CAMPAIGN: RefCell<Campaign> = RefCell::new(
        Options::from_environment().and_then(Campaign::open).unwrap_or_else(|error| fail(&error)),
    );
}

fuzz_target!(|bytes: &[u8]| {
    let found = CAMPAIGN.with_borrow_mut(|campaign| campaign.run(bytes, counters()));
    only_counters();
    if let Some(found) = found {
        eprintln!("{found}");
        std::process::abort();
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, longest: usize, seed: u32| {
    let mutated = CAMPAIGN.with_borrow_mut(|campaign| campaign.mutate(data, size, longest, seed));
    mutated.unwrap_or_else(|| libfuzzer_sys::fuzzer_mutate(data, size, longest))
});

fuzz_crossover!(|one: &[u8], other: &[u8], out: &mut [u8], seed: u32| {
    CAMPAIGN.with_borrow_mut(|campaign| campaign.cross(one, other, out, seed))
});
