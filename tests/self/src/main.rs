//! Mutants of canloom: mistakes made in its kernel, search, oracles, invariants and shrinker, and how many its tests find.
//!
//! `self-mutants [--every N] [--budget SECONDS]` writes docs/self-mutants.md. All mutants are in one binary, behind numbers; a
//! mutant meets the tests that execute its place, the shortest first, until one fails or the budget is spent. What was done is
//! kept in target/self, and goes on there.

mod build;
mod operators;
mod run;
mod table;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

/// What is mutated: files, and folders with all that is in them.
const SCOPE: [&str; 10] = [
    "src/explore.rs",
    "src/explore",
    "src/invariant.rs",
    "src/invariant",
    "src/kernel.rs",
    "src/kernel",
    "src/oracle.rs",
    "src/oracle",
    "src/shrink.rs",
    "src/shrink",
];

/// What is wanted.
struct Wish {
    /// Every how many-th mutant is run.
    every: usize,
    /// Seconds of tests for one mutant.
    budget: f64,
}

fn wish() -> Result<Wish, String> {
    let mut wish = Wish { every: 1, budget: 30.0 };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a number"))?;
        let wrong = |_| format!("{name}: `{value}` is not a number");
        match name.as_str() {
            "--every" => wish.every = value.parse::<usize>().map_err(|_| wrong(()))?.max(1),
            "--budget" => wish.budget = value.parse().map_err(|_| wrong(()))?,
            _ => return Err(format!("unknown option {name}; there are --every N and --budget SECONDS")),
        }
    }
    Ok(wish)
}

fn work(root: &Path) -> Result<(), String> {
    let wish = wish()?;
    let place = build::Place::new(root);
    let built = build::build(&place)?;
    let tests = run::reached(&place, &built)?;
    let results = run::all(&place, &built, &tests, &wish)?;
    let page = table::page(&built, &tests, &results, &wish);
    let file = root.join("docs/self-mutants.md");
    std::fs::write(&file, page).map_err(|error| format!("{}: {error}", file.display()))?;
    println!("written: {}", file.display());
    Ok(())
}

fn main() {
    let root: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = root.canonicalize().expect("the repository");
    if let Err(error) = work(&root) {
        eprintln!("error: {error}");
        std::process::exit(1);
    }
}
