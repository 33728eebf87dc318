//! What canloom says of a module in a scenario.
//!
//! In: a scenario of the corpus and a module. A copy of the scenario that names this module in place of its own is
//! explored. Out: whether something was violated, and what. What canloom said is kept, for as long as canloom, scenario and
//! module stay the same.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What became of a mutant in a scenario.
pub enum Verdict {
    /// Something is violated.
    Found(Found),
    /// Everything holds.
    Held,
    /// The scenario cannot be set up with this module, for the reason that canloom gives.
    Unusable(String),
}

/// What shows that a module is wrong.
pub struct Found {
    /// Names of oracles and invariants, the one with the simplest counterexample first. A `sometimes` that was never
    /// seen is one of them.
    pub by: Vec<String>,
    /// Calls, faults and deliveries of the simplest counterexample; none if only a `sometimes` was not seen.
    pub size: Option<[u64; 3]>,
}

/// How scenarios are explored.
pub struct Explorer<'a> {
    /// The root of the project.
    pub root: &'a Path,
    /// canloom.
    pub canloom: PathBuf,
    /// Where copies of scenarios go, and their counterexamples.
    pub folder: PathBuf,
}

impl Explorer<'_> {
    /// Explores a scenario of the corpus with `module` where it has `wasm`.
    ///
    /// # Errors
    ///
    /// The scenario does not name `wasm`; a file cannot be written; canloom ends otherwise than with a verdict.
    pub fn explore(&self, scenario: &str, wasm: &str, module: &Path, name: &str) -> Result<Verdict, String> {
        let original = self.root.join("corpus").join(scenario).join("scenario.toml");
        let text =
            fs::read_to_string(&original).map_err(|error| format!("cannot read {}: {error}", original.display()))?;
        let here = self.root.display();
        let replaced = text.replace(&format!("wasm = \"{wasm}\""), &format!("wasm = \"{}\"", module.display()));
        if replaced == text {
            return Err(format!("{} does not name {wasm}", original.display()));
        }
        let folder = self.folder.join(name.replace("::", ".")).join(scenario);
        let file = folder.join("scenario.toml");
        let explain = |error| format!("cannot write {}: {error}", file.display());
        fs::create_dir_all(&folder).map_err(explain)?;
        fs::write(&file, replaced.replace("\"../../", &format!("\"{here}/"))).map_err(explain)?;

        let key = self.key(&replaced, module)?;
        let kept = folder.join("report.json");
        if let Some(report) = fs::read_to_string(&kept).ok().as_deref().and_then(|text| text.strip_prefix(&key)) {
            return verdict(report);
        }
        let mut canloom = Command::new(&self.canloom);
        canloom.args(["explore", "--workers", "1", "--strategy", "exhaustive", "--budget", "120s", "--json", "-"]);
        let output = canloom.arg(&file).output();
        let output = output.map_err(|error| format!("cannot run {}: {error}", self.canloom.display()))?;
        let said = String::from_utf8_lossy(&output.stderr).trim().to_string();
        match output.status.code() {
            Some(0 | 3) => {
                let report = String::from_utf8_lossy(&output.stdout);
                fs::write(&kept, format!("{key}{report}")).map_err(explain)?;
                verdict(&report)
            }
            Some(2) => Ok(Verdict::Unusable(said)),
            other => Err(format!("{name} in {scenario}: canloom ends with {other:?}: {said}")),
        }
    }

    /// What a report depends on, as a line.
    fn key(&self, scenario: &str, module: &Path) -> Result<String, String> {
        let explain = |error| format!("cannot read {}: {error}", module.display());
        let mut hasher = DefaultHasher::new();
        (scenario, fs::read(module).map_err(explain)?).hash(&mut hasher);
        let canloom = fs::metadata(&self.canloom).and_then(|canloom| Ok((canloom.len(), canloom.modified()?)));
        canloom.map_err(|error| format!("cannot read {}: {error}", self.canloom.display()))?.hash(&mut hasher);
        Ok(format!("{:016x}\n", hasher.finish()))
    }
}

fn verdict(report: &str) -> Result<Verdict, String> {
    let report: Value = serde_json::from_str(report).map_err(|error| error.to_string())?;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let size = |violation: &Value| ["calls", "faults", "deliveries"].map(|key| number(&violation[key]));
    let mut violations: Vec<([u64; 3], String)> = list(&report["violations"])
        .iter()
        .map(|violation| (size(violation), violation["invariant"].as_str().unwrap_or_default().to_string()))
        .collect();
    // By faults first, as the search goes.
    violations.sort_by_key(|([calls, faults, deliveries], _)| (*faults, *calls, *deliveries));
    let sometimes = report["sometimes"].as_object().cloned().unwrap_or_default();
    let unseen = sometimes.into_iter().filter(|(_, seen)| seen == &Value::Bool(false));
    let unseen = unseen.map(|(name, _)| format!("never seen: {name}"));
    let size = violations.first().map(|(size, _)| *size);
    let by: Vec<String> = violations.into_iter().map(|(_, name)| name).chain(unseen).collect();
    Ok(if by.is_empty() { Verdict::Held } else { Verdict::Found(Found { by, size }) })
}
