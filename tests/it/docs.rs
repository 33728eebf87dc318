//! What the README shows is what the program prints, and what the documentation shows can be installed.

use std::path::Path;
use std::process::Command;

use super::stage::Stage;

#[test]
fn built_in_canisters_can_be_installed_as_the_documentation_shows() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/scenario.md");
    let text = std::fs::read_to_string(docs).expect("docs/scenario.md is there");
    let start = text.find("### Stubs").expect("stubs are documented");
    let length = text[start..].find("\n## ").expect("another section follows");
    let blocks = text[start..start + length].split("```toml\n").skip(1);
    let examples: Vec<&str> = blocks.map(|block| block.split("```").next().unwrap_or_default()).collect();
    assert_eq!(examples.len(), 4);
    for example in examples {
        let around = "[actor.minter]\n[canister.vault]\nbuiltin = \"stub\"\nreplies = { withdraw = \"()\" }\n\
                      [[call]]\nid = \"call\"\nto = \"vault\"\nmethod = \"withdraw\"\nby = \"alice\"\n";
        Stage::new(&[], &format!("{around}{example}")).open();
    }
}

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
