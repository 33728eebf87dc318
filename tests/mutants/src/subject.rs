//! Subjects: the correct canisters that mutants are made of, and the scenarios that explore them.

use std::fs;
use std::path::Path;

use syn::{File, Item, Token, token};

/// A correct canister.
pub struct Subject {
    /// What the names of its mutants begin with.
    pub name: &'static str,
    /// The source that is changed, from the root of the project.
    pub source: &'static str,
    /// The source that has that one as the module of this name, if it is a module.
    within: Option<(&'static str, &'static str)>,
    /// Functions that stay as they are: no call of a scenario reaches them, or without them nothing works.
    pub skipped: &'static [&'static str],
    /// The canister's module in its scenarios, as they write it.
    pub wasm: &'static str,
    /// Folders of its scenarios in `corpus`, the one to ask first in front.
    pub scenarios: &'static [&'static str],
}

/// All of them.
pub const SUBJECTS: [Subject; 5] = [
    Subject {
        name: "vault",
        source: "canisters/vault/src/handlers.rs",
        within: Some(("canisters/vault/src/lib.rs", "handlers")),
        skipped: &["deposit", "balance", "pending", "withdraw_stale", "withdraw_rollback", "set_balance"],
        wasm: "../../target/canisters/vault.wasm",
        scenarios: &["control-vault"],
    },
    Subject {
        name: "guard",
        source: "canisters/controls/examples/guarded_withdraw.rs",
        within: None,
        skipped: &["init"],
        wasm: "../../target/canisters/controls/guarded_withdraw.wasm",
        scenarios: &["control-guard"],
    },
    Subject {
        name: "journal",
        source: "canisters/controls/examples/journal.rs",
        within: None,
        skipped: &["init", "pre_upgrade"],
        wasm: "../../target/canisters/controls/journal.wasm",
        scenarios: &["control-journal"],
    },
    Subject {
        name: "escrow",
        source: "canisters/controls/examples/escrow.rs",
        within: None,
        skipped: &["init"],
        wasm: "../../target/canisters/controls/escrow.wasm",
        scenarios: &["control-escrow"],
    },
    Subject {
        name: "heartbeat",
        source: "canisters/controls/examples/heartbeat_job.rs",
        within: None,
        skipped: &["init"],
        wasm: "../../target/canisters/controls/heartbeat_job.wasm",
        scenarios: &["control-heartbeat"],
    },
];

impl Subject {
    /// The source that is changed.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is no Rust.
    pub fn read(&self, root: &Path) -> Result<File, String> {
        parse(&root.join(self.source))
    }

    /// The canister in one file, with this as the source that is changed. Its `#[path]`s begin with `../../`, and so lead
    /// to the folder of the package's folder.
    ///
    /// # Errors
    ///
    /// The source around a module cannot be read, or lacks it.
    pub fn canister(&self, root: &Path, source: File) -> Result<String, String> {
        let Some((outer, name)) = self.within else { return Ok(prettyplease::unparse(&source)) };
        let mut canister = parse(&root.join(outer))?;
        let module = canister.items.iter_mut().find_map(|item| match item {
            Item::Mod(module) if module.ident == name => Some(module),
            _ => None,
        });
        let module = module.ok_or_else(|| format!("{outer} has no module {name}"))?;
        module.content = Some((token::Brace::default(), source.items));
        module.semi = None::<Token![;]>;
        Ok(prettyplease::unparse(&canister))
    }
}

fn parse(file: &Path) -> Result<File, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    syn::parse_file(&text).map_err(|error| format!("{}: {error}", file.display()))
}
