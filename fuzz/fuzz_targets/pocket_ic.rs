//! Schedules of the scenario that `CANLOOM_SCENARIO` names, on the PocketIC that `POCKET_IC_BIN` names: see
//! `canloom::fuzz::replica`.
#![no_main]

use std::cell::RefCell;

use canloom::fuzz::campaign::{Campaign, Options};
use canloom::fuzz::replica::ReplicaCampaign;
use canloom_fuzz::{counters, fail, only_counters};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

thread_local! {
    static CAMPAIGN: RefCell<ReplicaCampaign> = RefCell::new(
        Options::from_environment()
            .and_then(Campaign::open)
            .and_then(ReplicaCampaign::open)
            .unwrap_or_else(|error| fail(&error)),
    );
}

fuzz_target!(|bytes: &[u8]| {
    let found = CAMPAIGN.with_borrow_mut(|campaign| campaign.run(bytes, counters()));
    only_counters();
    if let Some(found) = found.unwrap_or_else(|error| panic!("{error}")) {
        eprintln!("{found}");
        std::process::abort();
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, longest: usize, seed: u32| {
    let mutated = CAMPAIGN.with_borrow_mut(|campaign| campaign.embedded.mutate(data, size, longest, seed));
    mutated.unwrap_or_else(|| libfuzzer_sys::fuzzer_mutate(data, size, longest))
});
