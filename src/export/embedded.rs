//! A test in the embedded engine: the steps of the counterexample, followed as far as they are possible.

use std::fmt::Write as _;
use std::path::Path;

use super::literal::{literal, wrapped};
use super::{ExportError, Exported, manifest, name, relative};
use crate::counterexample::Counterexample;
use crate::engine::embedded::Embedded;

/// Where canloom is, as far as a package can know.
const CANLOOM: &str = "canloom = { path = \"../canloom\" }";

/// The package.
pub fn export(
    engine: &Embedded,
    counterexample: &Counterexample,
    invariant: usize,
    root: &Path,
) -> Result<Exported, ExportError> {
    let scenario = &engine.scenario;
    let wanted = &scenario.invariants[invariant];
    let name = name(scenario, invariant);
    let file = relative(&scenario.file, root)?;
    let what = format!("\"{}\" of scenario \"{}\": {}", wanted.name, scenario.name, scenario.about);
    let mut test = wrapped(what.trim_end_matches([':', ' ']), "//!", 120);
    test.push_str("//!\n");
    test.push_str(&wrapped(
        "It makes the steps of a counterexample, each of which delivers one message; those that are not possible are left out, and \
         what is under way then is delivered first in, first out. It fails as long as the canisters have the bug.",
        "//!",
        120,
    ));
    let _ = writeln!(
        test,
        "//!\n//! Dependency: {CANLOOM}, the folder of its source. The path of the scenario is relative to the package."
    );
    let _ = write!(test, "\n#[test]\nfn {name}() {{\n    canloom::testing::holds(\n        {},\n", literal(&file));
    let _ = write!(test, "        {},\n        &[\n", literal(&wanted.name));
    for step in &counterexample.schedule.steps {
        let _ = writeln!(test, "            {},", literal(&step.to_string()));
    }
    test.push_str("        ],\n    );\n}\n");
    Ok(Exported { manifest: manifest(&name, &[CANLOOM]), name, test, files: Vec::new() })
}
