//! `canloom corpus export`.

use std::path::{Path, PathBuf};

use canloom::export::{ExportError, Exported, Kind, export};

use super::super::entry::{Opened, open};
use super::super::output::write_to;
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
    let fail = |error: std::io::Error| Failure::outside(format!("{}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(fail)?;
    if std::fs::read_dir(folder).map_err(fail)?.next().is_some() {
        return Err(Failure::input(format!("{}: the folder is not empty; name another one", folder.display())));
    }
    Ok(())
}

fn write(folder: &Path, exported: &Exported) -> Result<(), Failure> {
    let fail = |error: std::io::Error| Failure::outside(format!("{}: {error}", folder.display()));
    std::fs::create_dir_all(folder.join("tests")).map_err(fail)?;
    write_to(&folder.join("Cargo.toml"), &exported.manifest)?;
    let test = folder.join("tests").join(format!("{}.rs", exported.name));
    write_to(&test, &exported.test)?;
    for (name, bytes) in &exported.files {
        let file = folder.join(name);
        file.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(fail)?;
        std::fs::write(&file, bytes).map_err(fail)?;
    }
    print(&format!("written: {}\n", test.display()))?;
    if exported.manifest.contains("canloom = {") {
        print(&format!("say in {} where canloom's sources are\n", folder.join("Cargo.toml").display()))?;
    }
    Ok(())
}
