//! A vault with its ledger, and a number of withdrawals from it: the scenarios that are measured.
//!
//! A withdrawal is three deliveries: its start reads the book, the ledger pays, the callback writes what it had read less
//! what was paid. Book and ledger are observed, and compared by an invariant, in every world.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use canloom::scenario::Scenario;

/// Which canisters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pair {
    /// `plain_vault` and `plain_ledger`: numbers only.
    Plain,
    /// `vault` and `ledger`: the types of ICRC-1.
    Icrc1,
}

/// A scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withdrawals {
    /// From which vault.
    pub pair: Pair,
    /// How many.
    pub calls: usize,
    /// Whether each is of another amount; equal ones are interchangeable.
    pub distinct: bool,
}

impl Pair {
    /// Its modules.
    pub fn modules(self) -> [&'static str; 2] {
        match self {
            Pair::Plain => ["plain_vault", "plain_ledger"],
            Pair::Icrc1 => ["vault", "ledger"],
        }
    }

    fn canisters(self, folder: &Path) -> String {
        let [vault, ledger] = self.modules().map(|name| folder.join(name).with_extension("wasm").display().to_string());
        let (ledger_init, vault_init, book, real) = match self {
            Pair::Plain => {
                ("(1000 : nat64)", r#"(principal "${ledger}", 1000 : nat64)"#, "book", r#"query = "balance""#)
            }
            Pair::Icrc1 => (
                r#"(record { fee = 0 : nat; balances = vec { record { principal "${vault}"; 1000 : nat } } })"#,
                r#"(principal "${ledger}", principal "${alice}", 1000 : nat64)"#,
                "get_balance",
                "query = \"icrc1_balance_of\"\nargs = '(record { owner = principal \"${vault}\"; subaccount = null })'",
            ),
        };
        format!(
            r#"
[canister.ledger]
wasm = "{ledger}"
init = '{ledger_init}'
[canister.vault]
wasm = "{vault}"
init = '{vault_init}'
[observe.book]
from = "vault"
query = "{book}"
[observe.real]
from = "ledger"
{real}
[[invariant]]
name = "book equals ledger when quiet"
when = "quiescent"
expr = "book == real"
"#
        )
    }
}

impl Withdrawals {
    /// The scenario, on the modules in `target/canisters` below the repository. It is written to `target/bench`.
    ///
    /// # Errors
    /// If it cannot be written or loaded.
    pub fn scenario(self, root: &Path) -> Result<Scenario, String> {
        let canisters = root.join("target/canisters");
        let method = if self.pair == Pair::Plain { "withdraw" } else { "withdraw_stale" };
        let mut text = format!("format = 1\nname = \"bench\"\n[actor.alice]{}", self.pair.canisters(&canisters));
        let (entries, max) = if self.distinct { (self.calls, 1) } else { (1, self.calls) };
        for at in 1..=entries {
            let call = format!(
                "[[call]]\nid = \"w{at}\"\nto = \"vault\"\nmethod = \"{method}\"\nby = [\"alice\"]\nargs = \"({} : nat64)\"\nmax = {max}\n",
                at * 10
            );
            text.push_str(&call);
        }
        let file = self.file(&root.join("target/bench"));
        std::fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
        Scenario::load(&file).map_err(|error| error.to_string())
    }

    fn file(self, folder: &Path) -> PathBuf {
        folder.join(self.to_string().replace([',', ' '], "-")).with_extension("toml")
    }
}

impl fmt::Display for Withdrawals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pair = if self.pair == Pair::Plain { "plain" } else { "icrc1" };
        let kind = if self.distinct { "distinct" } else { "equal" };
        write!(f, "{pair}, {} {kind}", self.calls)
    }
}

impl FromStr for Withdrawals {
    type Err = String;

    fn from_str(text: &str) -> Result<Withdrawals, String> {
        let wrong = || format!("`{text}` is no scenario such as `plain, 4 distinct`");
        let (pair, rest) = text.split_once(", ").ok_or_else(wrong)?;
        let (calls, kind) = rest.split_once(' ').ok_or_else(wrong)?;
        let pair = match pair {
            "plain" => Pair::Plain,
            "icrc1" => Pair::Icrc1,
            _ => return Err(wrong()),
        };
        if !["distinct", "equal"].contains(&kind) {
            return Err(wrong());
        }
        Ok(Withdrawals { pair, calls: calls.parse().map_err(|_| wrong())?, distinct: kind == "distinct" })
    }
}
