//! Built-in canisters answer as the wasm ones that they stand in for.

use std::path::Path;
use std::sync::Arc;

use canloom::engine::embedded::Embedded;
use canloom::report::text::outcomes;
use canloom::scenario::Scenario;

use super::stage::explore_all;

#[test]
fn vaults_end_alike_with_the_built_in_ledger_and_with_the_wasm_ledger() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in ["vault-stale", "vault-rollback", "vault-sound"] {
        let corpus = root.join("corpus").join(name);
        let text = std::fs::read_to_string(corpus.join("scenario.toml")).expect("the corpus is there");
        let wasm = "wasm = \"../../target/canisters/ledger.wasm\"\ndid = \"../../canisters/ledger/ledger.did\"\n";
        assert!(text.contains(wasm), "{name} uses the wasm ledger");
        let text =
            text.replace(wasm, "builtin = \"icrc1-ledger\"\n").replace("../../", &format!("{}/", root.display()));
        let folder = tempfile::tempdir().expect("a folder can be made");
        let file = folder.path().join("scenario.toml");
        std::fs::write(&file, text).expect("the folder can be written");
        let scenario = Scenario::load(&file).unwrap_or_else(|error| panic!("{error}"));
        let mut engine = Embedded::open(Arc::new(scenario)).unwrap_or_else(|error| panic!("{error}"));
        let wanted = std::fs::read_to_string(corpus.join("outcomes.txt")).expect("the corpus has outcomes");
        assert_eq!(outcomes(&explore_all(&mut engine)), wanted, "{name}");
    }
}
