//! What the README shows is what the program prints, and what the documentation shows can be installed.

use std::path::Path;
use std::process::Command;

use super::stage::Stage;

mod page;
mod session;

#[test]
fn every_command_of_the_documentation_prints_what_is_shown() {
    let wish = std::env::var("DOCS_PAGE").ok();
    let pages: Vec<String> =
        session::pages().into_iter().filter(|page| wish.as_ref().is_none_or(|wish| wish == page)).collect();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let work = || {
        let take = || next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut wrong = String::new();
        while let Some(page) = pages.get(take()) {
            wrong += &session::check(page).err().unwrap_or_default();
        }
        wrong
    };
    let wrong = std::thread::scope(|scope| {
        let other = scope.spawn(work);
        work() + &other.join().expect("no page ends the test")
    });
    assert!(wrong.is_empty(), "{wrong}\nDOCS=write makes pages show what is printed; DOCS_PAGE=docs/init.md takes one");
}

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

/// Texts between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_test_that_the_table_of_rules_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/semantics.md")).expect("docs/semantics.md is there");
    let mut checked = 0;
    for name in quoted(&text).filter(|name| name.contains("::") && !name.contains(' ')) {
        let path: Vec<&str> = name.split("::").collect();
        let file = |parts: &[&str]| root.join("tests/it").join(parts.join("/")).with_extension("rs");
        if file(&path).exists() {
            checked += 1;
            continue;
        }
        let (test, module) = path.split_last().expect("a name has parts");
        let source = std::fs::read_to_string(file(module)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(source.contains(&format!("fn {test}(")), "docs/semantics.md names {name}, which does not exist");
        checked += 1;
    }
    assert!(checked > 100, "the table was read: {checked}");
    for corner in 1..=28 {
        assert!(text.contains(&format!("\n| {corner} | ")), "corner {corner} has a row");
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
    let docs = std::fs::read_to_string(root.join("docs/counterexamples.md")).expect("docs/counterexamples.md is there");
    let explained = docs.split("```\n").find(|block| block.starts_with("why: ")).expect("it shows an explanation");
    assert!(printed.contains(explained), "the documentation shows\n{explained}\n\nand canloom prints\n{printed}");
    // Worlds depend on the compiled module; interleavings do not.
    assert!(readme.replace('\n', " ").contains("3,300 orders"), "the README names the interleavings");
    assert!(printed.contains("3,300 interleavings, "), "{printed}");
}
