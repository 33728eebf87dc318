//! loom against the search on the wasm: the same handlers, calls, observations and invariants, 2 to 4 withdrawals, in one run.
//!
//! The two must agree on outcomes and on the number of interleavings, else the times mean nothing. What 4 withdrawals take is
//! added to `target/bench.json` if that is there; `make bench` makes it and prints all its rows as one table.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use canloom::engine::embedded::Embedded;
use canloom::explore::{Budget, Explored, explore};
use canloom::scenario::Scenario;
use model::{compare, samples};

/// Searches, of which the one with the median time counts.
const SEARCHES: usize = 5;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the repository");
    assert!(root.join("target/canisters/vault.wasm").exists(), "run `make canisters` first");
    println!(
        "{:<12} {:>14} {:>16} {:>9} {:>16} {:>11} {:>9} {:>9}",
        "withdrawals",
        "interleavings",
        "loom executions",
        "loom s",
        "wasm executions",
        "embedded s",
        "ratio",
        "us/order"
    );
    let file = root.join("target/bench.json");
    for calls in 2..=4 {
        let rows = measure(&scenario(root, calls), calls);
        // Fewer calls take milliseconds, which a ratio cannot be made of.
        if calls == 4 && file.exists() {
            add(&file, rows);
        }
    }
}

/// Searches both ways; returns rows for the table.
fn measure(file: &Path, calls: usize) -> [serde_json::Value; 3] {
    let load = || Scenario::load(file).expect("the scenario loads");
    let model = samples::model(load());
    let walked = model.explore(calls).expect("the model runs");
    let search = |_| {
        let mut engine = Embedded::open(Arc::new(load())).expect("the canisters load");
        explore(&mut engine, &Budget::default(), &mut |_| {}).expect("the search runs")
    };
    let mut searches: Vec<Explored> = (0..SEARCHES).map(search).collect();
    searches.sort_by_key(|searched| searched.elapsed);
    let searched = searches.swap_remove(SEARCHES / 2);
    let embedded_s = searched.elapsed.as_secs_f64();
    let counted = searched.interleavings.map(|counted| counted.to_string());
    assert_eq!(counted, Some(walked.interleavings.to_string()), "both walk the same orders");
    let differences = compare(&walked.outcomes, &searched.outcomes, calls as u32);
    assert!(differences.is_empty(), "{}", differences[0]);
    let loom_s = walked.elapsed.as_secs_f64();
    println!(
        "{calls:<12} {:>14} {:>16} {loom_s:>9.3} {:>16} {embedded_s:>11.4} {:>9.1} {:>9.1}",
        walked.interleavings,
        walked.executions,
        searched.executions,
        loom_s / embedded_s,
        loom_s / walked.interleavings as f64 * 1e6
    );
    let name = format!("withdraw_sound, {calls} distinct");
    let row = |what: &str, value: serde_json::Value, unit: &str, ratio_to: Option<&str>, ratio: Option<f64>| {
        let name = format!("{name}: {what}");
        serde_json::json!({ "name": name, "value": value, "unit": unit, "ratio_to": ratio_to, "ratio": ratio })
    };
    let embedded = format!("{name}: embedded");
    [
        row("loom", loom_s.into(), "s", Some(&embedded), Some(loom_s / embedded_s)),
        row("embedded", embedded_s.into(), "s", None, None),
        row("loom's executions", walked.executions.into(), "executions", None, None),
    ]
}

/// Adds rows to a file of the other benchmark, in place of those of the same names.
fn add(file: &Path, rows: [serde_json::Value; 3]) {
    let text = std::fs::read_to_string(file).expect("the file can be read");
    let mut run: serde_json::Value = serde_json::from_str(&text).expect("the file is JSON");
    let known = run["rows"].as_array_mut().expect("the file has rows");
    known.retain(|old| rows.iter().all(|row| row["name"] != old["name"]));
    known.extend(rows);
    std::fs::write(file, format!("{run:#}\n")).expect("the file can be written");
}

/// A scenario of so many withdrawals of distinct amounts, without faults.
fn scenario(root: &Path, calls: usize) -> PathBuf {
    let text = std::fs::read_to_string(root.join("corpus/vault-sound/scenario.toml")).expect("the corpus is there");
    let (head, rest) = text.split_once("[[call]]").expect("the scenario has calls");
    let (_, invariants) = rest.split_once("[[invariant]]").expect("the scenario has invariants");
    let (invariants, _) = invariants.split_once("[[invariant]]\nname = \"an unknown").expect("it has faults");
    let mut text = head.replace("calls = 3\nfaults = 1", &format!("calls = {calls}\nfaults = 0"));
    for call in 0..calls {
        let amount = [30, 50, 10, 5][call];
        text += &format!(
            "[[call]]\nid = \"withdraw-{amount}\"\nto = \"vault\"\nmethod = \"withdraw_sound\"\nby = [\"alice\"]\nargs = \"({amount} : nat64)\"\n\n"
        );
    }
    text += &format!("[[invariant]]{invariants}");
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("withdrawals-{calls}.toml"));
    std::fs::write(&file, text.replace("../../", &format!("{}/", root.display())))
        .expect("the scenario can be written");
    file
}
