//! A scenario of small canisters written as text, in a folder of its own, and what is asked of it.
//!
//! In: modules in WAT and the rest of a scenario in TOML. Out: the folder, the installed engine, its exploration.
//! Canisters are named `c0`, `c1`, ... in the order given and have the ids that [`id`] says.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candid::Principal;
use canloom::engine::embedded::Embedded;
use canloom::explore::{Budget, Completeness, Explored, explore};
use canloom::scenario::Scenario;
use tempfile::TempDir;

/// Turns off the oracles of a scenario without invariants.
pub const NO_ORACLES: &str = "\n[check]\nall = false\n";

/// A folder with modules and a scenario. It goes when this goes.
pub struct Stage {
    folder: TempDir,
}

impl Stage {
    /// Writes the folder. `rest` is what the scenario has beside its head, its canisters and the actors alice and bob.
    pub fn new(canisters: &[String], rest: &str) -> Stage {
        let compile = |(at, wat): (usize, &String)| {
            wat::parse_str(wat).unwrap_or_else(|error| panic!("c{at} is no module: {error}\n{wat}"))
        };
        Stage::of_modules(&canisters.iter().enumerate().map(compile).collect::<Vec<_>>(), rest)
    }

    /// Likewise, of compiled modules.
    pub fn of_modules(canisters: &[Vec<u8>], rest: &str) -> Stage {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let mut text = "format = 1\nname = \"test\"\n[actor.alice]\n[actor.bob]\n".to_string();
        for (at, wasm) in canisters.iter().enumerate() {
            // One file for equal modules: they are compiled once.
            let file = canisters.iter().position(|other| other == wasm).expect("it is one of them");
            std::fs::write(folder.path().join(format!("c{file}.wasm")), wasm).expect("the folder can be written");
            let id = id(at);
            writeln!(text, "[canister.c{at}]\nwasm = \"c{file}.wasm\"\nid = \"{id}\"")
                .expect("a string takes everything");
        }
        text.push_str(rest);
        if !rest.contains("[[invariant]]") {
            // Else every oracle would be on.
            text.push_str(NO_ORACLES);
        }
        std::fs::write(folder.path().join("scenario.toml"), text).expect("the folder can be written");
        Stage { folder }
    }

    /// Writes the folder with nothing in it but this scenario: its modules lie elsewhere.
    pub fn with_scenario(text: &str) -> Stage {
        let folder = tempfile::tempdir().expect("a folder can be made");
        std::fs::write(folder.path().join("scenario.toml"), text).expect("the folder can be written");
        Stage { folder }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A file in the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The scenario.
    pub fn scenario(&self) -> Scenario {
        let file = self.file("scenario.toml");
        Scenario::load(&file).unwrap_or_else(|error| panic!("{error}\n{}", std::fs::read_to_string(&file).unwrap()))
    }

    /// The scenario, installed.
    pub fn open(&self) -> Embedded {
        Embedded::open(Arc::new(self.scenario())).unwrap_or_else(|error| panic!("{error}"))
    }

    /// All of it, explored.
    pub fn explore(&self) -> Explored {
        explore_all(&mut self.open())
    }
}

/// Explores without a budget; it must come to its end.
pub fn explore_all(engine: &mut Embedded) -> Explored {
    let explored = explore(engine, &Budget::default(), &mut |_| {}).expect("the engine offers what the canisters use");
    assert_eq!(explored.completeness, Completeness::Exhaustive);
    explored
}

/// Number of interleavings with and without faults, of a search that counted them.
pub fn counts(explored: &Explored) -> (u64, u64) {
    let number = |count: &Option<num_bigint::BigUint>| {
        count.as_ref().and_then(num_traits::ToPrimitive::to_u64).expect("interleavings are counted")
    };
    (number(&explored.interleavings), number(&explored.interleavings_without_faults))
}

/// The id of the canister at this place.
pub fn id(canister: usize) -> Principal {
    Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, canister as u8, 1, 1])
}

/// A call of `method` of canister `to` by alice, as a table of the scenario; `more` are further lines of it.
pub fn call(name: &str, to: usize, method: &str, more: &str) -> String {
    format!("[[call]]\nid = \"{name}\"\nto = \"c{to}\"\nmethod = \"{method}\"\nby = [\"alice\"]\n{more}\n")
}

/// An observation of the query `name` of canister `from`, under the query's name.
pub fn observe(from: usize, name: &str) -> String {
    format!("[observe.{name}]\nfrom = \"c{from}\"\nquery = \"{name}\"\n")
}

/// Ghosts of the effects and replies on an edge, where every other scenario has them, and invariants of steps that read
/// them and the observations x0 and x1.
pub fn ghosts(caller: usize, callee: usize, method: &str, remainder: u32) -> String {
    let mut text = String::new();
    if remainder.is_multiple_of(2) {
        let edge = format!("c{caller} -> c{callee}.{method}");
        let _ = writeln!(text, "[ghost.did]\non = \"{edge}:effect\"");
        let _ =
            writeln!(text, "[ghost.told]\non = \"{edge}:reply\"\nwhen = \"it.by == c{caller}\"\nadd = \"it.reply\"");
        let expr = "did <= before(did) or told > before(told) or x1 != before(x1)";
        let _ = writeln!(text, "[[invariant]]\nname = \"told at once\"\nwhen = \"step\"\nexpr = \"{expr}\"");
        let _ = writeln!(text, "[[invariant]]\nname = \"few\"\nwhen = \"always\"\nexpr = \"did < 2\"");
    }
    let expr = format!("x0 - x0 / 5 * 5 != {remainder} or before(x0) == x0");
    let _ = writeln!(text, "[[invariant]]\nname = \"by no step\"\nwhen = \"step\"\nexpr = \"{expr}\"");
    text
}

/// A fault on the edge from c0 to method `method` of c1, as often as the bound allows.
pub fn fault(method: &str, kinds: &str) -> String {
    format!("[[fault]]\nedge = \"c0 -> c1.{method}\"\nkinds = [{kinds}]\nbudget = 1\n")
}
