//! `canloom corpus export`.

use std::path::{Path, PathBuf};

use canloom::counterexample::store::write_atomically;
use canloom::export::{ExportError, Exported, Kind, export};
use canloom::files::{cannot_write, shown, words};

use super::super::entry::{Opened, open};
use super::super::output::make_folder;
use super::super::{Exit, Failure, Memory, print};

/// Options of `canloom corpus export`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The counterexample file; its scenario lies beside it.
    file: PathBuf,
    /// What the test runs on: the replica's own code, without canloom; or canloom's engine.
    #[arg(long, value_enum)]
    test: Test,
    /// Write a package to this folder, which must not exist yet or be empty: Cargo.toml and tests/NAME.rs. Without it, the test is
    /// printed; its head says what it depends on.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    memory: Memory,
}

/// What a test runs on.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Test {
    /// PocketIC.
    PocketIc,
    /// The embedded engine.
    Canloom,
}

/// Runs it.
pub fn run(options: &Options) -> Result<Exit, Failure> {
    let Opened { counterexample, mut engine, invariant } = open(&options.file, &options.memory)?;
    let kind = match options.test {
        Test::PocketIc => Kind::PocketIc,
        Test::Canloom => Kind::Canloom,
    };
    if let Some(folder) = &options.out {
        prepare(folder)?;
    }
    let root = options.out.as_deref().unwrap_or(Path::new("."));
    let exported = export(kind, &mut engine, &counterexample, invariant, root).map_err(|error| match error {
        ExportError::NotExpressible(_) => {
            Failure { exit: Exit::Inconclusive, text: format!("{}: {error}", options.file.display()) }
        }
        ExportError::Embedded(_) | ExportError::Read(_) | ExportError::Path { .. } => Failure::input(error),
    })?;
    match &options.out {
        Some(folder) => write(folder, &exported)?,
        None => print(&exported.test)?,
    }
    Ok(Exit::Held)
}

/// Makes the folder; one that has something in it is somebody's.
fn prepare(folder: &Path) -> Result<(), Failure> {
    if std::fs::metadata(folder).is_ok_and(|found| !found.is_dir()) {
        return Err(Failure::input(format!("--out {} is a file; name a folder", shown(folder))));
    }
    make_folder(folder)?;
    let fail = |error| Failure::outside(format!("cannot read {}: {}", shown(folder), words(&error)));
    if std::fs::read_dir(folder).map_err(fail)?.next().is_some() {
        return Err(Failure::input(format!("{}: the folder is not empty; name another one", shown(folder))));
    }
    Ok(())
}

/// Writes a package; what could be written of one that could not is removed, so that the next try finds the folder empty.
fn write(folder: &Path, exported: &Exported) -> Result<(), Failure> {
    let mut files = vec![
        (folder.join("Cargo.toml"), exported.manifest.as_bytes()),
        (folder.join("tests").join(format!("{}.rs", exported.name)), exported.test.as_bytes()),
    ];
    files.extend(exported.files.iter().map(|(name, bytes)| (folder.join(name), &bytes[..])));
    for (at, (file, bytes)) in files.iter().enumerate() {
        let made = make_folder(file.parent().unwrap_or(folder));
        let written = made
            .and_then(|()| write_atomically(file, bytes).map_err(|error| Failure::outside(cannot_write(file, &error))));
        if let Err(failure) = written {
            // The folder was empty before: what is in it now was made here.
            for (file, _) in &files[..at] {
                let _ = std::fs::remove_file(file);
            }
            for (file, _) in files[..=at].iter().rev() {
                let below = file.ancestors().skip(1).take_while(|above| *above != folder);
                below.for_each(|folder| drop(std::fs::remove_dir(folder)));
            }
            return Err(Failure {
                text: format!("{}; nothing was left in {}", failure.text, shown(folder)),
                ..failure
            });
        }
    }
    let test = &files[1].0;
    print(&format!("written: {}\n", test.display()))?;
    if exported.manifest.contains("canloom = {") {
        print(&format!("say in {} where canloom's sources are\n", folder.join("Cargo.toml").display()))?;
    }
    Ok(())
}
