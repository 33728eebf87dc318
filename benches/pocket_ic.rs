//! What a script costs on PocketIC, and how many schedules the embedded engine walks meanwhile: `make bench`.
//!
//! Same scenario for both: a vault with a ledger, three withdrawals, all invariants after every round or delivery. Without a
//! server one line says so.

#[cfg(all(feature = "pocket-ic", unix))]
fn main() {
    measure::all();
}

#[cfg(not(all(feature = "pocket-ic", unix)))]
fn main() {
    println!("PocketIC: not built");
}

#[cfg(all(feature = "pocket-ic", unix))]
mod measure {
    use std::path::Path;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use candid::Principal;
    use canloom::campaign::{Campaign, campaign};
    use canloom::engine::allowance::Allowance;
    use canloom::engine::embedded::Embedded;
    use canloom::engine::pocket_ic::{Management, Program, Replica, Server};
    use canloom::sample::{Sampling, sample};
    use canloom::scenario::{Code, Scenario};
    use canloom::scheduler::Strategy;

    const CYCLES: u128 = 100_000_000_000_000_000_000;
    const SCRIPTS: u64 = 200;
    const SCHEDULES: u64 = 500_000;

    pub fn all() {
        let server = match Program::find().and_then(|program| Server::start(&program)) {
            Ok(server) => server,
            Err(error) => return println!("PocketIC: not measured: {error}"),
        };
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let scenario = Scenario::load(&root.join("corpus/vault-stale/scenario.toml")).expect("the corpus is there");
        resets(&server, &scenario);
        rates(&server, &scenario);
    }

    /// Ways to begin anew, for both canisters together.
    fn resets(server: &Server, scenario: &Scenario) {
        let modules: Vec<(Vec<u8>, Vec<u8>)> = scenario
            .canisters
            .iter()
            .filter_map(|canister| match &canister.code {
                Code::Wasm(wasm) => Some((std::fs::read(wasm).expect("run `make canisters`"), canister.init.clone())),
                _ => None,
            })
            .collect();
        let nobody = Principal::anonymous();
        let fresh = |replica: &Replica| -> Vec<Principal> {
            let install = |(wasm, init): &(Vec<u8>, Vec<u8>)| {
                let id = replica.create(0, &[nobody], CYCLES).expect("a canister");
                replica.install(id, wasm, init, nobody).expect("an answer").expect("it installs");
                id
            };
            modules.iter().map(install).collect()
        };
        let new = || Replica::new(server, 1, false).expect("an instance");
        let replica = new();
        let ids = fresh(&replica);
        let snapshots: Vec<Vec<u8>> =
            ids.iter().map(|id| replica.snapshot(*id, nobody).expect("an answer").expect("a snapshot")).collect();
        println!("| beginning anew on PocketIC | ms |\n|---|---|");
        let row = |name: &str, times: u32, act: &dyn Fn()| {
            let began = Instant::now();
            (0..times).for_each(|_| act());
            println!("| {name} | {:.0} |", began.elapsed().as_secs_f64() * 1e3 / f64::from(times));
        };
        row("new instance, canisters installed", 3, &|| drop(fresh(&new())));
        row("fresh canisters on a warm instance", 3, &|| drop(fresh(&replica)));
        row("reinstall", 5, &|| {
            for (id, (wasm, init)) in ids.iter().zip(&modules) {
                replica.reinstall(*id, wasm, init, nobody).expect("an answer").expect("it installs");
            }
        });
        row("snapshots loaded, in one round", 10, &|| {
            for (id, snapshot) in ids.iter().zip(&snapshots) {
                replica
                    .submit_management(&Management::load(*id, snapshot), nobody)
                    .expect("an answer")
                    .expect("accepted");
            }
            replica.tick().expect("a round");
        });
        println!();
    }

    fn rates(server: &Server, scenario: &Scenario) {
        let allowance = Allowance::default();
        let asked = Campaign { seed: 1, scripts: SCRIPTS, time: None, workers: 2, until_found: false };
        let began = Instant::now();
        let played =
            campaign(server, scenario, &allowance, &asked, &mut |_| {}).unwrap_or_else(|error| panic!("{error}"));
        let there = rate(SCRIPTS, began.elapsed());
        let mut engine = Embedded::open(Arc::new(scenario.clone())).expect("run `make canisters`");
        let sampling = Sampling {
            strategy: Strategy::Random,
            seed: 1,
            schedules: SCHEDULES,
            time: None,
            workers: 2,
            until_found: false,
        };
        let began = Instant::now();
        sample(&mut engine, &sampling, &mut |_| {}).expect("sampling runs");
        let here = rate(SCHEDULES, began.elapsed());
        println!("| vault, 3 withdrawals, two threads | schedules/s |\n|---|---|");
        println!(
            "| PocketIC {}, {:.1} rounds each | {there:.1} |",
            server.version(),
            played.rounds as f64 / SCRIPTS as f64
        );
        println!("| embedded | {here:.0} |\n| ratio | {:.0} |\n", here / there);
    }

    fn rate(number: u64, time: Duration) -> f64 {
        number as f64 / time.as_secs_f64()
    }
}
