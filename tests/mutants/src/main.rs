//! Makes mutants of correct canisters and lets canloom look for them: `mutants [--check] [--canloom FILE]`, in the root
//! of the project.
//!
//! In: sources of canisters, scenarios of the corpus, reasons of misses. Out: `docs/mutants.md`, or with `--check`
//! whether it is what it would be. It fails if a mutant is missed without a reason, or a reason is for no miss.
//!
//! Subject ─> operators ─> workspace (compiles) ─> explored ─> table

mod explored;
mod operators;
mod subject;
mod table;
#[cfg(test)]
mod tests;
mod workspace;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{available_parallelism, scope};

use explored::{Explorer, Verdict};
use subject::SUBJECTS;
use table::{End, Row};
use workspace::{Workspace, code};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let mut canloom = PathBuf::from("target/release/canloom");
    let mut is_check = false;
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--check" => is_check = true,
            "--canloom" => canloom = words.next().ok_or("--canloom needs a file")?.into(),
            _ => return Err(format!("unknown argument {word}: mutants [--check] [--canloom FILE]")),
        }
    }
    let root = std::env::current_dir().map_err(|error| error.to_string())?;
    let folder = root.join("target/mutants");
    let explorer = Explorer { root: &root, canloom: root.join(canloom), folder: folder.join("scenarios") };

    let (mut rows, sources) = rows(&root)?;
    let modules = compile(&root, &folder, &mut rows, sources)?;
    explore(&explorer, &mut rows, &modules)?;

    let misses = root.join("tests/mutants/misses.toml");
    let reasons = fs::read_to_string(&misses).map_err(|error| format!("cannot read {}: {error}", misses.display()))?;
    let reasons = table::reasons(&reasons).map_err(|error| format!("{}: {error}", misses.display()))?;
    let operators: Vec<&str> = operators::names().collect();
    let text = table::markdown(&rows, &reasons, &operators);
    let document = root.join("docs/mutants.md");
    if is_check {
        let committed = fs::read_to_string(&document).unwrap_or_default();
        if committed != text {
            let new = folder.join("mutants.md");
            fs::write(&new, text).map_err(|error| format!("cannot write {}: {error}", new.display()))?;
            return Err(format!("docs/mutants.md is not what it would be now: see {}", new.display()));
        }
    } else {
        fs::write(&document, &text).map_err(|error| format!("cannot write {}: {error}", document.display()))?;
    }
    let complaints = table::complaints(&rows, &reasons);
    if complaints.is_empty() { Ok(()) } else { Err(complaints.join("\nerror: ")) }
}

/// All mutants, with their canisters; the first ones are the subjects themselves.
fn rows(root: &Path) -> Result<(Vec<Row>, Vec<String>), String> {
    let (mut rows, mut sources) = (Vec::new(), Vec::new());
    for subject in &SUBJECTS {
        sources.push(subject.canister(root, subject.read(root)?)?);
    }
    for (at, subject) in SUBJECTS.iter().enumerate() {
        for mutant in operators::mutants(&subject.read(root)?, subject.skipped) {
            let operators::Mutant { operator, function, number, what, source } = mutant;
            let name = format!("{}.{operator}.{function}.{number}", subject.name);
            rows.push(Row { name, operator, subject: at, what, end: End::Missed });
            sources.push(subject.canister(root, source)?);
        }
    }
    Ok((rows, sources))
}

/// Builds all canisters; marks those that do not compile, and those whose module was there before. The modules of the
/// subjects, then those of the mutants, whether they are there or not.
fn compile(root: &Path, folder: &Path, rows: &mut [Row], sources: Vec<String>) -> Result<Vec<PathBuf>, String> {
    let workspace = Workspace::new(root, folder);
    let mut examples: Vec<(String, String)> = Vec::new();
    for (number, source) in sources.into_iter().enumerate() {
        examples.push((Workspace::example(number), source));
    }
    let names: Vec<String> = examples.iter().map(|(name, _)| name.clone()).collect();
    eprintln!("mutants: compiling {}", rows.len());
    workspace.write(&examples)?;
    let broken = workspace.broken()?;
    examples.retain(|(name, _)| !broken.contains(name));
    workspace.write(&examples)?;
    let modules = workspace.build()?;
    let modules: Vec<PathBuf> = names.iter().map(|name| modules.join(name).with_extension("wasm")).collect();

    let mut seen = BTreeSet::new();
    for (number, (name, module)) in names.iter().zip(&modules).enumerate() {
        let row = number.checked_sub(SUBJECTS.len()).map(|at| &mut rows[at]);
        match row {
            None if broken.contains(name) => return Err(format!("{} does not compile", SUBJECTS[number].name)),
            Some(row) if broken.contains(name) => row.end = End::Broken,
            None => drop(seen.insert(code(module)?)),
            Some(row) => {
                if !seen.insert(code(module)?) {
                    row.end = End::Equal;
                }
            }
        }
    }
    let index: String =
        rows.iter().zip(&names[SUBJECTS.len()..]).map(|(row, name)| format!("{name} {}\n", row.name)).collect();
    let file = folder.join("index.txt");
    fs::write(&file, index).map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    Ok(modules)
}

/// Explores the subjects, which must hold, and every mutant that has a module of its own.
fn explore(explorer: &Explorer<'_>, rows: &mut [Row], modules: &[PathBuf]) -> Result<(), String> {
    for (subject, module) in SUBJECTS.iter().zip(modules) {
        for scenario in subject.scenarios {
            match explorer.explore(scenario, subject.wasm, module, subject.name)? {
                Verdict::Held => {}
                Verdict::Found(found) => {
                    return Err(format!("{scenario}: flagged without a change: {}", found.by.join("; ")));
                }
                Verdict::Unusable(why) => return Err(format!("{scenario}: {why}")),
            }
        }
    }
    let (next, ends) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let (to_do, count) = (&*rows, rows.len());
    let worker = || -> Result<(), String> {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(row) = to_do.get(at) else { return Ok(()) };
            if let End::Missed = row.end {
                let end = end(explorer, row, &modules[SUBJECTS.len() + at])?;
                eprintln!("mutants: {} of {count}: {} {}", at + 1, row.name, word(&end));
                ends.lock().expect("nobody panics here").push((at, end));
            }
        }
    };
    let workers = available_parallelism().map_or(1, usize::from);
    scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("a worker does not panic"))
    })?;
    for (at, end) in ends.into_inner().expect("nobody panics here") {
        rows[at].end = end;
    }
    Ok(())
}

fn end(explorer: &Explorer<'_>, row: &Row, module: &Path) -> Result<End, String> {
    let subject = &SUBJECTS[row.subject];
    for scenario in subject.scenarios {
        match explorer.explore(scenario, subject.wasm, module, &row.name)? {
            Verdict::Held => {}
            Verdict::Found(found) => return Ok(End::Found(found)),
            Verdict::Unusable(_) => return Ok(End::Unusable),
        }
    }
    Ok(End::Missed)
}

fn word(end: &End) -> &'static str {
    match end {
        End::Found(_) => "found",
        End::Missed => "missed",
        End::Broken | End::Equal | End::Unusable => "left out",
    }
}
