//! canloom in an ordinary `#[test]`: a scenario in Rust, with closures as invariants.
//!
//! In: a [`Builder`]. Out: nothing if every invariant held in every world within the bounds; else a panic whose message is the
//! report with the counterexample, and the command that replays it. Only a test that fails writes files:
//! `target/canloom/<scenario>/` then holds the scenario and the counterexample.
//!
//! ```no_run
//! use canloom::scenario::{Scenario, When};
//!
//! // #[test]
//! fn the_vault_keeps_its_book() {
//!     let mut s = Scenario::builder("vault");
//!     let alice = s.actor("alice");
//!     let ledger = s.canister("ledger");
//!     let vault = s.canister("vault");
//!     let balances = r#"(record { fee = 0; balances = vec { record { principal "${vault}"; 100 } } })"#;
//!     s.install(&ledger).builtin("icrc1-ledger").init_text(balances);
//!     s.install(&vault).wasm("target/canisters/vault.wasm").init((ledger.id, alice.id, 100u64));
//!     s.call("withdraw", &vault, "withdraw_sound", &[&alice]).args((30u64,)).max(2);
//!     s.fault(&vault, &ledger, "icrc1_transfer", &["clean_reject"]);
//!     s.preset("all");
//!     s.invariant_fn("never more than there was", When::Always, move |world| {
//!         let (book,): (u64,) = world.query(&vault, "get_balance", ())?;
//!         if book <= 100 { Ok(()) } else { Err(format!("the book says {book}")) }
//!     });
//!     s.check();
//! }
//! # the_vault_keeps_its_book();
//! ```

mod builder;
mod replay;
mod seen;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use builder::{Actor, Builder, CallKeys, Canister, CanisterKeys, FaultKeys, ObserveKeys, SetupKeys};
pub use replay::holds;
pub use seen::Seen;

use crate::counterexample::{self, Counterexample};
use crate::engine::embedded::Embedded;
use crate::explore::{Budget, Explored, Finding, explore};
use crate::report::{Verdict, is_violation, text};
use crate::scenario::{Invariant, Rule, Scenario};
use crate::schedule::Schedule;

/// Names the counterexample that [`Builder::check`] replays in place of a search.
const REPLAY: &str = "CANLOOM_REPLAY";

/// What [`Builder::run`] found.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Held, violated or inconclusive.
    pub verdict: Verdict,
    /// What the search says of it.
    pub explored: Explored,
    /// The report, with the first counterexample step by step.
    pub report: String,
}

impl Builder {
    /// Explores the scenario, or replays the counterexample that the environment variable `CANLOOM_REPLAY` names.
    ///
    /// # Panics
    /// With the report, if an invariant is violated or the search does not come to its end; with the reason if the scenario
    /// cannot be run.
    pub fn check(&self) {
        if let Some(file) = std::env::var_os(REPLAY).map(PathBuf::from)
            && file.parent().and_then(Path::file_name) == self.folder().file_name()
        {
            return self.replay_file(&file);
        }
        let checked = self.run().unwrap_or_else(|error| panic!("{error}"));
        assert!(checked.verdict == Verdict::Held, "{}", checked.report);
    }

    /// Explores the scenario.
    ///
    /// # Errors
    /// Why it cannot be run.
    pub fn run(&self) -> Result<Checked, String> {
        let mut engine = self.open()?;
        let budget = Budget { time: self.budget, workers: self.workers, ..Budget::default() };
        let explored = explore(&mut engine, &budget, &mut |_| {}).map_err(|error| error.to_string())?;
        let scenario = engine.scenario.clone();
        let explored = explored.folded(&scenario);
        let verdict = Verdict::of(&scenario, &explored);
        let mut report = text::summary(&scenario, &explored);
        let first = explored.findings.iter().find(|finding| is_violation(&scenario.invariants[finding.invariant]));
        if let Some(finding) = first {
            let steps = steps(&mut engine, &finding.schedule, finding.invariant)?;
            report.push_str(&format!("\n{steps}\n{}", self.save(&engine, finding)));
        }
        Ok(Checked { verdict, explored, report })
    }

    /// The scenario with its closures, installed.
    fn open(&self) -> Result<Embedded, String> {
        let mut scenario = Scenario::from_text(&self.folder().join("scenario.toml"), &self.text())
            .map_err(|error| error.to_string())?;
        for (name, when, closure, expect) in &self.closures {
            if scenario.invariants.iter().any(|invariant| invariant.name == *name) {
                return Err(format!("{}: there is another invariant \"{name}\"", self.name));
            }
            scenario.invariants.push(Invariant {
                name: name.clone(),
                when: *when,
                rule: Rule::Closure(closure.clone()),
                text: "the closure says so".to_string(),
                expect: *expect,
                is_generic: false,
                line: 0,
            });
        }
        Embedded::open(Arc::new(scenario)).map_err(|error| error.to_string())
    }

    /// Where a test that fails writes.
    fn folder(&self) -> PathBuf {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
        let word = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        target.join("canloom").join(self.name.chars().map(word).collect::<String>())
    }

    /// Writes scenario and counterexample; returns how to replay it.
    fn save(&self, engine: &Embedded, finding: &Finding) -> String {
        let counterexample = Counterexample::of(engine, finding.invariant, finding.schedule.clone());
        let folder = self.folder();
        let file = folder.join(counterexample.file_name(&self.name));
        let written = std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::write(folder.join("scenario.toml"), self.text()))
            .and_then(|()| std::fs::write(&file, counterexample.text()));
        match written {
            Ok(()) => format!("replay: {REPLAY}={} cargo test\n", file.display()),
            Err(error) => format!("the counterexample was not saved: {}: {error}\n", file.display()),
        }
    }

    fn replay_file(&self, file: &Path) {
        let counterexample = Counterexample::read(file).unwrap_or_else(|error| panic!("{error}"));
        let mut engine = self.open().unwrap_or_else(|error| panic!("{error}"));
        let position = engine.scenario.invariant(&counterexample.invariant);
        let invariant = position.unwrap_or_else(|| panic!("there is no invariant \"{}\"", counterexample.invariant));
        let replayed = counterexample::replay(&mut engine, &counterexample.schedule, Some(invariant));
        let replayed = replayed.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let report = text::counterexample(&engine.scenario, invariant, &replayed);
        assert!(replayed.violated.is_none(), "{report}");
        println!("{report}");
    }
}

fn steps(engine: &mut Embedded, schedule: &Schedule, invariant: usize) -> Result<String, String> {
    let replayed = counterexample::replay(engine, schedule, Some(invariant)).map_err(|error| error.to_string())?;
    Ok(text::counterexample(&engine.scenario, invariant, &replayed))
}
