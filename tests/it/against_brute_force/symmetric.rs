//! Actors that are promised to be interchangeable: the search visits fewer worlds and finds what brute force finds, which
//! tells them apart.

use super::super::stage::{Stage, counts, fault, observe};
use super::super::wat_canister::{Wait, forwarder, ledger};
use super::agreed;

const SYMMETRIC: &str = "symmetric = [\"carol\", \"alice\", \"bob\"]\n";

/// Each of three actors withdraws `max` / 3 times, then pays back; at most `calls` calls start.
fn stage(symmetric: &str, calls: u32, after: &str, faults: &str) -> Stage {
    let entry = |id: &str, arg: u32, more: &str| {
        format!(
            "[[call]]\nid = \"{id}\"\nto = \"c0\"\nmethod = \"w\"\nby = [\"alice\", \"bob\", \"carol\"]\nargs = \"({arg} : nat32)\"\nmax = 3\n{more}\n"
        )
    };
    let calls = format!("[explore]\ncalls = {calls}\n{symmetric}{faults}");
    let invariant = "[[invariant]]\nname = \"i\"\nwhen = \"always\"\nexpr = \"total != 897\"\n";
    let rest = format!(
        "[actor.carol]\n{calls}{}{}{}{invariant}",
        entry("w", 1, ""),
        entry("v", 2, after),
        observe(1, "total")
    );
    Stage::new(&[forwarder(&[1], Wait::Bounded), ledger()], &rest)
}

#[test]
fn symmetric_actors_are_counted_as_if_they_were_told_apart_in_fewer_worlds() {
    let faults = format!("faults = 1\n{}", fault("t", "\"clean_reject\", \"sys_unknown\""));
    for (calls, after, faults) in [(2, "", &*faults), (3, "", "faults = 0\n"), (3, "after = \"w\"", "faults = 0\n")] {
        let (apart, alike) = (stage("", calls, after, faults), stage(SYMMETRIC, calls, after, faults));
        let (all, fewer) = (apart.explore(), alike.explore());
        assert_eq!(counts(&fewer), counts(&all), "{calls} calls {after}");
        assert_eq!(fewer.outcomes, all.outcomes, "{calls} calls {after}");
        assert!(fewer.worlds < all.worlds, "{} worlds, and {} told apart", fewer.worlds, all.worlds);
        agreed(&alike);
    }
}
