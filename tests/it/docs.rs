//! What the README shows is what the program prints.

use std::path::Path;
use std::process::Command;

#[test]
fn the_counterexample_in_the_readme_is_the_one_that_is_printed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).expect("README.md is there");
    let start = readme.find("counterexample to").expect("the README shows a counterexample");
    let length = readme[start..].find("\n```").expect("the block ends");
    let shown = &readme[start..start + length];
    let output = Command::new(env!("CARGO_BIN_EXE_canloom"))
        .current_dir(root)
        .args(["explore", "corpus/vault-stale/scenario.toml"])
        .output()
        .expect("canloom runs");
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(printed.contains(shown), "the README shows\n{shown}\n\nand canloom prints\n{printed}");
    // Worlds depend on the compiled module; interleavings do not.
    assert!(readme.replace('\n', " ").contains("3,300 orders"), "the README names the interleavings");
    assert!(printed.contains("3,300 interleavings, "), "{printed}");
}
