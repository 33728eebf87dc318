//! Sampling strategies: schedules to the first violation over 20 seeds, sampled schedules per second, and how far off the
//! estimate of the remaining worlds is. Prints Markdown for docs/sampling.md; an argument picks one of `table`, `rate`,
//! `estimate`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use canloom::engine::embedded::Embedded;
use canloom::explore::{Budget, Explored, explore};
use canloom::report::text::grouped;
use canloom::sample::{Sampling, sample};
use canloom::scenario::Scenario;
use canloom::scheduler::Strategy;

const SEEDS: u64 = 20;
/// Schedules after which a seed counts as having found nothing.
const SCHEDULES: u64 = 2_000;
const STRATEGIES: [Strategy; 4] = [Strategy::Random, Strategy::Pos, Strategy::Pct, Strategy::Turns];

/// Name, scenario of the corpus, and what is replaced in its text.
type Variant = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const NO_FAULTS: (&str, &str) = ("faults = 1", "faults = 0");
const VARIANTS: [Variant; 20] = [
    ("vault-stale, 2 calls", "vault-stale", &[("calls = 3", "calls = 2"), NO_FAULTS]),
    ("vault-stale, 2 calls, 1 fault", "vault-stale", &[("calls = 3", "calls = 2")]),
    ("vault-stale, 3 calls", "vault-stale", &[NO_FAULTS]),
    ("vault-stale, 3 calls, 1 fault", "vault-stale", &[]),
    ("vault-stale, 4 calls", "vault-stale", &[("calls = 3", "calls = 4"), NO_FAULTS, FOURTH]),
    ("vault-stale, 4 calls, 1 fault", "vault-stale", &[("calls = 3", "calls = 4"), FOURTH]),
    ("vault-rollback, 1 call, 1 fault", "vault-rollback", &[("calls = 3", "calls = 1")]),
    ("vault-rollback, 2 calls, 1 fault", "vault-rollback", &[("calls = 3", "calls = 2")]),
    ("vault-rollback, 3 calls, 1 reject", "vault-rollback", &[(", \"sys_unknown\"", "")]),
    ("vault-rollback, 3 calls, 1 fault", "vault-rollback", &[]),
    ("outcall, 2 calls", "outcall", &[("calls = 3", "calls = 2"), ("faults = 2", "faults = 0")]),
    ("outcall, 3 calls", "outcall", &[("faults = 2", "faults = 0")]),
    ("outcall, 3 calls, 2 faults", "outcall", &[]),
    ("timer", "timer", &[NO_FAULTS]),
    ("timer, 1 fault", "timer", &[]),
    ("heartbeat, 2 heartbeats", "heartbeat", &[NO_FAULTS]),
    ("heartbeat, 2 heartbeats, 1 fault", "heartbeat", &[]),
    ("heartbeat, 3 heartbeats, 1 fault", "heartbeat", &[("heartbeats = 2", "heartbeats = 3")]),
    ("upgrade, 2 calls, 1 fault", "upgrade", &[("faults = 2", "faults = 1")]),
    ("upgrade, 2 calls, 2 faults", "upgrade", &[]),
];
const FOURTH: (&str, &str) = (
    "[[fault]]",
    "[[call]]\nid = \"withdraw-5\"\nto = \"vault\"\nmethod = \"withdraw_stale\"\nby = [\"alice\"]\nargs = \"(5 : nat64)\"\n\n[[fault]]",
);

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(root.join("target/canisters/vault.wasm").exists(), "run `make canisters` first");
    let only: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |part: &str| only.is_empty() || only.iter().any(|name| name == part);
    if wanted("table") {
        table(root);
    }
    if wanted("rate") {
        rate(root);
    }
    if wanted("estimate") {
        estimate(root);
    }
}

/// Writes a variant of a scenario of the corpus below target/bench, from where its relative paths still lead to the modules.
fn variant(root: &Path, &(name, corpus, edits): &Variant) -> PathBuf {
    let file = root.join("corpus").join(corpus).join("scenario.toml");
    let mut text = std::fs::read_to_string(&file).expect("the corpus is there");
    for (from, to) in edits {
        assert!(text.contains(from), "{name}: `{from}` is not in {}", file.display());
        text = text.replacen(from, to, 1);
    }
    write(root, name, &text)
}

fn write(root: &Path, name: &str, text: &str) -> PathBuf {
    let folder = root.join("target/bench");
    std::fs::create_dir_all(&folder).expect("target/bench can be made");
    let file = folder.join(format!("{}.toml", name.replace([' ', ','], "-")));
    std::fs::write(&file, text).expect("target/bench can be written");
    file
}

fn open(file: &Path) -> Embedded {
    let scenario = Scenario::load(file).unwrap_or_else(|error| panic!("{error}"));
    Embedded::open(Arc::new(scenario)).unwrap_or_else(|error| panic!("{error}"))
}

fn search(engine: &mut Embedded) -> Explored {
    explore(engine, &Budget::default(), &mut |_| {}).expect("the search runs")
}

/// Schedules to the first violation: median, 90th percentile, and seeds that found nothing.
fn table(root: &Path) {
    let mut rows: Vec<(u64, String)> = Vec::new();
    for of in &VARIANTS {
        let mut engine = open(&variant(root, of));
        let all = search(&mut engine);
        assert!(!all.findings.is_empty(), "{}: no bug", of.0);
        let mut row = format!("| {} | {} |", of.0, grouped(all.worlds));
        for strategy in STRATEGIES {
            let mut needed: Vec<u64> = (0..SEEDS).filter_map(|seed| first(&mut engine, strategy, seed)).collect();
            needed.sort_unstable();
            let missed = SEEDS - needed.len() as u64;
            let at = |percent: u64| {
                let place = (SEEDS * percent).div_ceil(100) as usize - 1;
                needed.get(place).map_or(format!("> {}", grouped(SCHEDULES)), |&n| grouped(n))
            };
            let missed = if missed == 0 { String::new() } else { format!(", {missed} none") };
            row.push_str(&format!(" {}, {}{missed} |", at(50), at(90)));
        }
        rows.push((all.worlds, row));
    }
    rows.sort();
    let names: Vec<&str> =
        STRATEGIES.map(|strategy| if strategy == Strategy::Turns { "in turns" } else { strategy.word() }).into();
    println!("| scenario | worlds | {} |\n|---|---|{}", names.join(" | "), "---|".repeat(names.len()));
    rows.iter().for_each(|(_, row)| println!("{row}"));
    println!();
}

/// How many schedules there were up to and including the first that violates an invariant.
fn first(engine: &mut Embedded, strategy: Strategy, seed: u64) -> Option<u64> {
    let sampling = Sampling { strategy, seed, schedules: SCHEDULES, time: None, workers: 1, until_found: true };
    let sampled = sample(engine, &sampling, &mut |_| {}).expect("sampling runs").sampled.expect("it was sampled");
    sampled.first.iter().map(|&(_, schedule)| schedule + 1).min()
}

/// Sampled schedules per second on the vault with three withdrawals, from the installed scenario on.
fn rate(root: &Path) {
    let file = variant(root, &VARIANTS[2]);
    println!("| strategy | threads | schedules | distinct worlds | seconds | schedules/s |\n|---|---|---|---|---|---|");
    for (strategy, workers, schedules) in [
        (Strategy::Random, 2, 2_000),
        (Strategy::Random, 1, 500_000),
        (Strategy::Random, 2, 500_000),
        (Strategy::Pos, 2, 500_000),
        (Strategy::Pct, 2, 500_000),
    ] {
        let mut engine = open(&file);
        let sampling = Sampling { strategy, seed: 1, schedules, time: None, workers, until_found: false };
        let began = Instant::now();
        let explored = sample(&mut engine, &sampling, &mut |_| {}).expect("sampling runs");
        let seconds = began.elapsed().as_secs_f64();
        println!(
            "| {} | {workers} | {} | {} | {seconds:.2} | {} |",
            strategy.word(),
            grouped(schedules),
            grouped(explored.worlds),
            grouped((schedules as f64 / seconds) as u64)
        );
    }
    println!();
}

/// The estimate of all worlds against the real number, when 10, 25 and 50 % of them were expanded.
fn estimate(root: &Path) {
    println!("| scenario | worlds | at 10 % | at 25 % | at 50 % |\n|---|---|---|---|---|");
    let stale = |distinct: usize, equal: usize| {
        let file = root.join("corpus/vault-stale/scenario.toml");
        let text = std::fs::read_to_string(file).expect("the corpus is there").replace("faults = 1", "faults = 0");
        let mut text = text.replace("calls = 3", &format!("calls = {}", distinct.max(equal)));
        text.truncate(text.find("[[call]]").expect("it has calls"));
        for at in 1..=distinct.max(1) {
            let call = "to = \"vault\"\nmethod = \"withdraw_stale\"\nby = [\"alice\"]";
            let max = equal.max(1);
            text.push_str(&format!("[[call]]\nid = \"w{at}\"\n{call}\nargs = \"({at} : nat64)\"\nmax = {max}\n"));
        }
        text.push_str("[[invariant]]\nname = \"real\"\nwhen = \"always\"\nexpr = \"real >= 0\"\n");
        let name =
            if equal > 0 { format!("vault-stale, {equal} equal") } else { format!("vault-stale, {distinct} distinct") };
        let file = write(root, &name, &text);
        (name, file)
    };
    let mut all = vec![stale(4, 0), stale(0, 5), stale(0, 6)];
    all.extend([3, 5, 9, 12, 14, 17, 19].map(|at| (VARIANTS[at].0.to_string(), variant(root, &VARIANTS[at]))));
    all.extend([stale(5, 0), stale(0, 7)]);
    for (name, file) in all {
        let mut estimates: Vec<(u64, Option<u64>)> = Vec::new();
        let mut engine = open(&file);
        let mut note = |now: &canloom::explore::Progress| {
            estimates.push((now.expanded, now.remaining.map(|left| left + now.expanded)));
        };
        let explored = explore(&mut engine, &Budget::default(), &mut note).expect("the search runs");
        let at = |percent: u64| {
            let there = estimates.iter().find(|(expanded, _)| expanded * 100 >= explored.worlds * percent);
            match there.and_then(|(_, estimate)| *estimate) {
                None => "none".to_string(),
                Some(estimate) => format!("{:.2}", estimate as f64 / explored.worlds as f64),
            }
        };
        println!("| {name} | {} | {} | {} | {} |", grouped(explored.worlds), at(10), at(25), at(50));
    }
}
