//! What an input costs the fuzzer: inputs and deliveries per second with and without modules that write down what they run,
//! and without remembering anything, as one table. libFuzzer's own part is left out; `fuzz/measure.sh` measures the whole.
//!
//! `cargo bench --locked --bench fuzz [-- SECONDS]`

use std::path::Path;
use std::time::{Duration, Instant};

use canloom::fuzz::campaign::{Campaign, Options};
use canloom::fuzz::feedback::COUNTERS;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(root.join("target/canisters/vault.wasm").exists(), "run `make canisters` first");
    let seconds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(5);
    let folder = root.join("target/bench");
    std::fs::create_dir_all(&folder).expect("target/bench can be made");
    // From there the scenario's paths lead to the same modules, and nothing is written beside the corpus.
    let file = folder.join("fuzz.toml");
    std::fs::copy(root.join("corpus/vault-stale/scenario.toml"), &file).expect("the corpus is there");
    println!(
        "{:<34} {:>10} {:>14} {:>18}",
        "vault-stale, 3 withdrawals", "inputs/s", "deliveries/s", "deliveries/input"
    );
    let mut first = None;
    for (name, feedback, remembers) in [
        ("watched", true, true),
        ("not watched", false, true),
        ("watched, nothing remembered", true, false),
        ("not watched, nothing remembered", false, false),
    ] {
        let options = Options { scenario: file.clone(), feedback, passes_known: false };
        let mut campaign = Campaign::open(options).unwrap_or_else(|error| panic!("{error}"));
        let (inputs, deliveries) = rate(&mut campaign, Duration::from_secs(seconds), remembers);
        let ratio = inputs / *first.get_or_insert(inputs);
        println!("{name:<34} {inputs:>10.0} {deliveries:>14.0} {:>18.1}   x {ratio:.3}", deliveries / inputs);
    }
    for entry in std::fs::read_dir(&folder).expect("target/bench is there").flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "new") {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Inputs and deliveries per second. Each input is made of one of nine deliveries, as the fuzzer changes inputs.
fn rate(campaign: &mut Campaign, time: Duration, remembers: bool) -> (f64, f64) {
    let base = b"0\n1\n2\n0.1\n1.1\n2.1\n0.1r\n1.1r\n2.1r\n";
    let (mut counters, mut data) = (vec![0u8; COUNTERS], vec![0u8; 4096]);
    campaign.run(base, &mut counters);
    let (before, began) = (campaign.done(), Instant::now());
    let mut seed = 0u32;
    while began.elapsed() < time {
        seed += 1;
        data[..base.len()].copy_from_slice(base);
        let size = campaign.mutate(&mut data, base.len(), 4096, seed).expect("there is room for a schedule");
        if !remembers {
            campaign.forget_executions();
        }
        counters.fill(0);
        campaign.run(&data[..size], &mut counters);
    }
    let (done, took) = (campaign.done(), began.elapsed().as_secs_f64());
    ((done.runs - before.runs) as f64 / took, (done.deliveries - before.deliveries) as f64 / took)
}
