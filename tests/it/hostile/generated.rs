//! Random modules, made by `tests/smith`: whatever they do, canloom goes on; and what is added to them changes nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use canloom::engine::allowance::Allowance;
use canloom::engine::embedded::Embedded;
use canloom::engine::wasm::module::Instrumentation;
use canloom::explore::{Budget, explore};
use canloom::kernel::Input;
use canloom::kernel::guest::Guest as _;

use super::super::stage::{Stage, call};
use super::{Canister, end};

/// Instructions of a message here: endless loops are frequent.
const FEW: u64 = 300_000;

/// The modules: those that the variable names (`make hostile`), or the fewer ones of the fixtures.
fn modules() -> Vec<Vec<u8>> {
    let named = std::env::var_os("HOSTILE_MODULES").map(PathBuf::from);
    let file =
        named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/canisters/fixtures/smith.modules"));
    let bytes = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}: run `make fixtures`", file.display()));
    let mut rest = &bytes[..];
    let mut modules = Vec::new();
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let (module, behind) = behind.split_at(u32::from_le_bytes(*length) as usize);
        modules.push(module.to_vec());
        rest = behind;
    }
    modules
}

/// Does something with each module, on as many threads as there are cores.
fn for_each(modules: &[Vec<u8>], what: impl Fn(&[u8]) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(module) = modules.get(next.fetch_add(1, Ordering::Relaxed)) {
                    what(module);
                }
            });
        }
    });
}

#[test]
fn random_modules_are_refused_or_explored_to_the_end() {
    let modules = modules();
    let (refused, failed, explored) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let rest =
        [call("first", 0, "a", ""), call("second", 0, "b", ""), "[explore]\ntimers = 1\ndepth = 6\n".into()].concat();
    for_each(&modules, |module| {
        let stage = Stage::of_modules(&[module.to_vec()], &rest);
        let allowance = Allowance { instructions: Some(FEW), ..Allowance::default() };
        let mut engine = match Embedded::open_within(Arc::new(stage.scenario()), &allowance) {
            Ok(engine) => engine,
            Err(error) => {
                let text = error.to_string();
                let count = if text.contains("installation failed") { &failed } else { &refused };
                count.fetch_add(1, Ordering::Relaxed);
                return assert!(!text.contains("not a valid wasm module"), "{text}");
            }
        };
        let ended = explore(&mut engine, &Budget::default(), &mut |_| {}).unwrap_or_else(|error| panic!("{error}"));
        assert!(ended.worlds >= 2);
        explored.fetch_add(1, Ordering::Relaxed);
    });
    let [refused, failed, explored] = [refused, failed, explored].map(AtomicUsize::into_inner);
    println!("{} modules: {refused} refused, {failed} not installed, {explored} explored", modules.len());
    assert!(explored * 2 > modules.len(), "{explored} of {}", modules.len());
}

#[test]
fn instrumentation_changes_neither_results_nor_states() {
    let modules = modules();
    let compared = AtomicUsize::new(0);
    for_each(&modules[..modules.len() / 4], |module| {
        // A module that looks at the counter sees it.
        if module.windows(19).any(|name| name == b"performance_counter") {
            return;
        }
        let Ok(mut full) = Canister::load_with(module, Instrumentation::Full) else { return };
        let mut plain = Canister::load_with(module, Instrumentation::None).expect("it loads as well");
        let mut watched = Canister::load_with(module, Instrumentation::Watched).expect("it loads as well");
        let arg: &[u8] = b"DIDL\0\0";
        let inputs = [
            Input::Init { arg },
            Input::Call { method: "a", arg },
            Input::Query { method: "q", arg },
            Input::Call { method: "b", arg },
            Input::PreUpgrade,
            Input::Call { method: "a", arg },
        ];
        for input in inputs {
            let expected = full.run(input);
            let ended = end(&expected);
            // What did not end, or went as deep as the stack, would not, or elsewhere, without what was added.
            if ended.starts_with("IC0522") || ended.contains("stack overflow") {
                return;
            }
            for other in [&mut plain, &mut watched] {
                let found = other.run(input);
                assert_eq!(end(&found), ended, "{input:?}");
                assert_eq!(found.response, expected.response);
                assert_eq!(found.requests, expected.requests);
                assert_eq!(
                    other.guest.fingerprint(other.memory),
                    full.guest.fingerprint(full.memory),
                    "{input:?}: {ended}"
                );
            }
            compared.fetch_add(1, Ordering::Relaxed);
        }
    });
    let compared = compared.into_inner();
    println!("{compared} messages compared");
    assert!(compared > modules.len() / 4, "{compared}");
}
