//! `make bench`: one table of what the search costs, against what else could be done and against a saved run.
//!
//! ```text
//! rows     what was measured, as a file      pair       the scenarios                    search    exhaustive, in children
//! walk     schedules one at a time           execution  one message, new and bare        bars      what should be reached
//! compare  a run against the saved one       table      all of it as text
//! ```
//!
//! `measure` writes `target/bench.json`, other programs add rows to it (`model/benches`), `report` prints it beside
//! `benches/baseline.json`. Without either, both are done. `--full` adds the searches that take minutes, `--save` makes
//! this run the baseline. What the rows mean: docs/performance.md.

mod bars;
mod compare;
mod execution;
mod pair;
mod rows;
mod search;
mod table;
mod walk;

use std::path::Path;
use std::process::ExitCode;

use sha2::{Digest, Sha256};

use execution::Message;
use pair::{Pair, Withdrawals};
use rows::Run;

fn main() -> ExitCode {
    // Cargo adds `--bench`.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let done = match args.as_slice() {
        ["search", withdrawals, workers] => child(root, withdrawals, workers),
        ["measure", options @ ..] => checked(options).and_then(|()| measure(root, options)),
        ["report", options @ ..] => checked(options).and_then(|()| report(root, options)),
        options => checked(options).and_then(|()| measure(root, options)).and_then(|()| report(root, options)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("error: {what}");
            ExitCode::FAILURE
        }
    }
}

fn checked(options: &[&str]) -> Result<(), String> {
    match options.iter().find(|option| !["--full", "--save"].contains(option)) {
        Some(unknown) => Err(format!("unknown argument `{unknown}`; there are measure, report, --full, --save")),
        None => Ok(()),
    }
}

fn child(root: &Path, withdrawals: &str, workers: &str) -> Result<(), String> {
    let workers = workers.parse().map_err(|_| format!("`{workers}` is no number of workers"))?;
    search::child(root, withdrawals.parse()?, workers)
}

fn measure(root: &Path, options: &[&str]) -> Result<(), String> {
    let folder = root.join("target/bench");
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut run = Run::here(root);
    for name in [Pair::Plain, Pair::Icrc1].iter().flat_map(|pair| pair.modules()) {
        let file = root.join("target/canisters").join(name).with_extension("wasm");
        let wasm = std::fs::read(&file).map_err(|_| format!("{} is missing: run `make canisters`", file.display()))?;
        let hash = Sha256::digest(&wasm).iter().map(|byte| format!("{byte:02x}")).collect();
        run.modules.insert(name.to_string(), hash);
    }
    for withdrawals in search::all(options.contains(&"--full")) {
        for &workers in search::WORKERS {
            eprintln!("measuring {}", search::name(withdrawals, workers));
            search::measure(&mut run, withdrawals, workers)?;
        }
    }
    for message in [Message::plain(), Message::icrc1()] {
        eprintln!("measuring {}", message.row_name());
        execution::measure(&mut run, root, &message)?;
    }
    for pair in [Pair::Plain, Pair::Icrc1] {
        let [three, four] = [3, 4].map(|calls| Withdrawals { pair, calls, distinct: true });
        eprintln!("measuring schedules of {pair:?}");
        walk::sample(&mut run, root, three)?;
        walk::replay(&mut run, root, four)?;
    }
    run.save(&root.join("target/bench.json"))
}

/// Prints the table; an error if something is worse than in the baseline.
fn report(root: &Path, options: &[&str]) -> Result<(), String> {
    let (file, baseline) = (root.join("target/bench.json"), root.join("benches/baseline.json"));
    let now = Run::load(&file)?;
    let then = if baseline.exists() { Some(Run::load(&baseline)?) } else { None };
    print!("{}", table::text(&now, then.as_ref()));
    match std::env::var_os("POCKET_IC_BIN") {
        None => println!("\nPocketIC: left out, POCKET_IC_BIN is not set"),
        Some(_) => println!("\nPocketIC: left out, canloom does not drive it yet"),
    }
    println!("written: target/bench.json");
    if options.contains(&"--save") {
        now.save(&baseline)?;
        println!("saved: benches/baseline.json");
        return Ok(());
    }
    let alarms = then.map_or_else(Vec::new, |then| table::alarms(&now, &then));
    if alarms.is_empty() { Ok(()) } else { Err(format!("changed since the baseline:\n  {}", alarms.join("\n  "))) }
}
