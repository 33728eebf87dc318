//! Where in the source an await is.
//!
//! In: a schedule and one of its steps. Out: file and line of the code that made a call there, if the module has debug
//! information; else the name of the function. The schedule is followed once more with guests that say which functions are
//! running when a call is made ([`Embedded::traced`]).

use std::fmt;

use sha2::{Digest, Sha256};

use crate::counterexample::play::{items, play};
use crate::engine::embedded::Embedded;
use crate::engine::wasm::debug::{Tables, names};
use crate::engine::wasm::module::{Calls, Instrumentation, plain, rewrite};
use crate::kernel::guest::Frame;
use crate::scenario::Code;
use crate::schedule::Schedule;

/// Paths that hold nobody's own code: registries, checkouts, the standard library.
const FOREIGN_PATHS: [&str; 6] =
    ["/registry/src/", "/git/checkouts/", "/rustc/", "/library/", "/vendor/", "/rust-src/"];
/// Beginnings of names that are nobody's own: libraries that make calls for others, and Motoko's runtime.
const FOREIGN_NAMES: [&str; 9] = ["ic_cdk", "ic0", "core::", "alloc::", "std::", "futures", "candid", "<", "@"];

/// A place in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The function, as the module names it.
    pub function: String,
    /// File and line, where the module has debug information.
    pub line: Option<(String, u32)>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.line {
            Some((file, line)) => write!(f, "{file}:{line}"),
            // An async function runs as a closure of itself.
            None => {
                let name = self.function.trim_end_matches("::{{closure}}");
                write!(f, "in {}", name.strip_prefix("canister_update ").unwrap_or(name))
            }
        }
    }
}

/// Where the request was made that a step of a schedule sent, by position, from 0 for its first one. What cannot be read says
/// nothing: an explanation is no place for errors of its own.
pub(super) fn place(engine: &Embedded, schedule: &Schedule, step: usize, request: usize) -> Option<Place> {
    let mut traced = engine.traced();
    let played = play(&mut traced, &items(&schedule.steps[..=step]), None, Some(usize::MAX)).ok()?;
    let delivery = played.made.get(step)?.happened.delivery()?;
    let stack = delivery.effects.sent.get(request)?.stack.clone()?;
    let canister = usize::from(delivery.canister);
    let Code::Wasm(file) = &engine.scenario.canisters.get(canister)?.code else { return None };
    let bytes = std::fs::read(file).ok()?;
    let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    // Of a module that a fault installed later, or that was built anew meanwhile, nothing is known.
    if engine.hashes[canister] != hash {
        return None;
    }
    in_module(&plain(&bytes).ok()?, &stack)
}

fn in_module(wasm: &[u8], stack: &[Frame]) -> Option<Place> {
    let own = Calls::of(wasm, u32::MAX).ok()?;
    let (imported, defined) = own.functions();
    let rewritten = Calls::of(&rewrite(wasm, Instrumentation::Full).ok()?.wasm, imported + defined).ok()?;
    let names = names(wasm).ok()?;
    let named = |frame: &Frame| names.get(frame.function.checked_sub(imported)? as usize).cloned();
    let mut tables = Tables::read(wasm);
    for frame in stack {
        let number = rewritten.number(frame.function, frame.offset);
        let Some(offset) = number.and_then(|number| own.offset(frame.function, number)) else { continue };
        let found = tables.frames(offset).into_iter().find(|(file, _)| is_own_path(file));
        if let Some((file, line)) = found {
            return Some(Place { function: named(frame).unwrap_or_default(), line: Some((shown(&file), line)) });
        }
    }
    let function = stack.iter().filter_map(named).find(|name| is_own_name(name))?;
    Some(Place { function, line: None })
}

fn is_own_path(file: &str) -> bool {
    !FOREIGN_PATHS.iter().any(|part| file.contains(part)) && !file.starts_with("library/")
}

fn is_own_name(name: &str) -> bool {
    !name.starts_with("function ") && !FOREIGN_NAMES.iter().any(|start| name.starts_with(start))
}

/// A path on one line, and without what comes before the source's own folders.
fn shown(file: &str) -> String {
    let file: String = file.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    let here = std::env::current_dir().ok().and_then(|here| Some(format!("{}/", here.to_str()?)));
    here.and_then(|here| file.strip_prefix(&here).map(String::from)).unwrap_or(file)
}
