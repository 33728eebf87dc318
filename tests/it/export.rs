//! Counterexamples as tests that stand alone: their text; that it compiles; that they fail on the bug and pass without it.
//!
//! Compiling needs the client crate in the local registry, running a server; without them a test says that it is skipped.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use canloom::counterexample::Counterexample;
use canloom::engine::embedded::Embedded;
use canloom::export::{ExportError, Exported, Kind, export};
use canloom::scenario::Scenario;

use super::corpus;

/// The test of a counterexample file, with paths relative to a folder.
fn exported(kind: Kind, file: &Path, root: &Path) -> Result<Exported, ExportError> {
    let found = Counterexample::read(file).unwrap_or_else(|error| panic!("{error}"));
    let scenario = Scenario::load(&file.with_file_name(&found.scenario)).unwrap_or_else(|error| panic!("{error}"));
    let at = scenario.invariants.iter().position(|invariant| invariant.name == found.invariant).expect("an invariant");
    let mut engine = Embedded::open(Arc::new(scenario)).unwrap_or_else(|error| panic!("{error}"));
    export(kind, &mut engine, &found, at, root)
}

/// The counterexamples of the corpus, by folder.
fn counterexamples() -> Vec<(String, PathBuf)> {
    let folders = std::fs::read_dir(corpus::folder()).expect("there is a corpus");
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.expect("readable").path()).expect("a folder"));
    let files = files.map(|file| file.expect("readable").path());
    let mut files: Vec<PathBuf> = files.filter(|file| file.extension().is_some_and(|end| end == "cx")).collect();
    files.sort();
    let named = |file: PathBuf| {
        let folder = file.parent().and_then(Path::file_name).expect("a folder").to_string_lossy().into_owned();
        (folder, file)
    };
    files.into_iter().map(named).collect()
}

#[test]
fn survey() {
    let out = PathBuf::from(std::env::var_os("OUT").unwrap());
    std::fs::create_dir_all(out.join("tests")).unwrap();
    for (folder, file) in counterexamples() {
        match exported(Kind::PocketIc, &file, &out) {
            Ok(exported) => {
                println!("{folder}: {}", exported.name);
                std::fs::write(out.join("Cargo.toml"), &exported.manifest).unwrap();
                std::fs::write(out.join(format!("tests/{}.rs", exported.name)), &exported.test).unwrap();
            }
            Err(error) => println!("{folder}: {error}"),
        }
    }
}
