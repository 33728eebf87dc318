//! A scenario written in Rust: one method for each table of a scenario file, and for each key.
//!
//! In: calls of these methods. Out: the text of a scenario file, which is then read like any other, so that a scenario means the
//! same in both. Paths are relative to the current folder, which in `cargo test` is the package's.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use candid::utils::ArgumentEncoder;
use candid::{IDLArgs, Principal};

use super::seen::Seen;
use crate::report::when_word;
use crate::scenario::{Closure, Expect, Scenario, When, automatic_actor_id, automatic_canister_id};

/// A scenario that is being written. See [`crate::testing`].
#[derive(Clone, Debug)]
pub struct Builder {
    pub(super) name: String,
    about: String,
    explore: Vec<(String, String)>,
    check: Vec<(String, String)>,
    tables: Vec<Table>,
    /// How many there are.
    canisters: u64,
    pub(super) closures: Vec<(String, When, Closure, Expect)>,
    pub(super) budget: Option<Duration>,
    pub(super) workers: usize,
}

/// A table of the file.
#[derive(Clone, Debug)]
struct Table {
    header: String,
    keys: Vec<(String, String)>,
}

/// A canister of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canister {
    pub(super) name: String,
    /// Its id.
    pub id: Principal,
}

/// Somebody who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    name: String,
    /// Their principal.
    pub id: Principal,
}

impl Scenario {
    /// A scenario of this name, to be written in Rust.
    pub fn builder(name: &str) -> Builder {
        Builder {
            name: name.to_string(),
            about: String::new(),
            explore: Vec::new(),
            check: Vec::new(),
            tables: Vec::new(),
            canisters: 0,
            closures: Vec::new(),
            budget: None,
            workers: 1,
        }
    }
}

/// Writes the methods that set one key of `[explore]` to a number.
macro_rules! bounds {
    ($($name:ident: $text:literal),* $(,)?) => {
        $(#[doc = $text]
        pub fn $name(&mut self, most: u32) -> &mut Self {
            self.explore.push((stringify!($name).to_string(), most.to_string()));
            self
        })*
    };
}

impl Builder {
    /// What it shows, for people.
    pub fn about(&mut self, about: &str) -> &mut Self {
        self.about = about.to_string();
        self
    }

    bounds! {
        calls: "Most calls started in one execution.",
        in_flight: "Most calls started and not yet answered at one time.",
        faults: "Most faults in one execution.",
        depth: "Longest chain of messages that cause each other.",
        timers: "Most firings of each canister's timer.",
        heartbeats: "Most heartbeats of each canister.",
        create: "Most canisters that others may create.",
        switches: "Most context switches.",
        seed: "Seed of the bytes that `raw_rand` gives.",
    }

    /// Ends the search after this time; [`Builder::check`] fails then, because nothing is proved.
    pub fn budget(&mut self, time: Duration) -> &mut Self {
        self.budget = Some(time);
        self
    }

    /// Searches with so many threads, 1 by default: tests run beside each other.
    pub fn workers(&mut self, workers: usize) -> &mut Self {
        self.workers = workers.max(1);
        self
    }

    /// Turns a generic oracle on, by its key in `[check]`: `probe`, `serializable`, `all`.
    pub fn preset(&mut self, key: &str) -> &mut Self {
        self.check.push((key.to_string(), "true".to_string()));
        self
    }

    /// The book of a canister equals what is real, when nothing is on its way; both are expressions over observations.
    pub fn conserve(&mut self, book: &str, real: &str) -> &mut Self {
        self.check.push(("conserve".to_string(), format!("{{ book = {}, real = {} }}", quoted(book), quoted(real))));
        self
    }

    /// Somebody with a principal of their own.
    pub fn actor(&mut self, name: &str) -> Actor {
        self.tables.push(Table { header: format!("[actor.{}]", quoted(name)), keys: Vec::new() });
        Actor { name: name.to_string(), id: automatic_actor_id(name) }
    }

    /// A canister at the next automatic id; say with the keys what it runs.
    pub fn canister(&mut self, name: &str) -> Canister {
        let id = automatic_canister_id(self.canisters);
        self.canister_at(name, id)
    }

    /// A canister at this id.
    pub fn canister_at(&mut self, name: &str, id: Principal) -> Canister {
        self.canisters += 1;
        let id_key = ("id".to_string(), quoted(&id.to_text()));
        self.tables.push(Table { header: format!("[canister.{}]", quoted(name)), keys: vec![id_key] });
        Canister { name: name.to_string(), id }
    }

    /// The keys of a canister.
    ///
    /// # Panics
    /// If it is one of another scenario.
    pub fn install(&mut self, canister: &Canister) -> CanisterKeys<'_> {
        let header = format!("[canister.{}]", quoted(&canister.name));
        let table = self.tables.iter_mut().find(|table| table.header == header);
        CanisterKeys(table.expect("a canister of this scenario"))
    }

    /// A call that is made before the exploration.
    pub fn setup(&mut self, to: &Canister, method: &str, by: &Actor) -> SetupKeys<'_> {
        let table = self.table("[[setup]]".to_string());
        table.text("to", &to.name).text("method", method).text("by", &by.name);
        SetupKeys(table)
    }

    /// A query that is read in every world.
    pub fn observe(&mut self, name: &str, from: &Canister, query: &str) -> ObserveKeys<'_> {
        let table = self.table(format!("[observe.{}]", quoted(name)));
        table.text("from", &from.name).text("query", query);
        ObserveKeys(table)
    }

    /// A call that is explored.
    pub fn call(&mut self, id: &str, to: &Canister, method: &str, by: &[&Actor]) -> CallKeys<'_> {
        let table = self.table("[[call]]".to_string());
        let by: Vec<String> = by.iter().map(|actor| quoted(&actor.name)).collect();
        table.text("id", id).text("to", &to.name).text("method", method).raw("by", format!("[{}]", by.join(", ")));
        CallKeys(table)
    }

    /// Faults on a request: these kinds, as a scenario file names them.
    pub fn fault(&mut self, from: &Canister, to: &Canister, method: &str, kinds: &[&str]) -> FaultKeys<'_> {
        let table = self.table("[[fault]]".to_string());
        table.text("edge", &format!("{} -> {}.{method}", from.name, to.name)).kinds(kinds);
        FaultKeys(table)
    }

    /// Faults at a canister: `"callback"` or `"upgrade"`, with kinds as a scenario file names them.
    pub fn fault_at(&mut self, canister: &Canister, place: &str, kinds: &[&str]) -> FaultKeys<'_> {
        let table = self.table("[[fault]]".to_string());
        table.text("at", &format!("{}.{place}", canister.name)).kinds(kinds);
        FaultKeys(table)
    }

    /// Time that may pass as one step, so often.
    pub fn time(&mut self, advance: Duration, max: u32) -> &mut Self {
        let table = self.table("[[time]]".to_string());
        table.text("advance", &format!("{}ns", advance.as_nanos())).raw("max", max.to_string());
        self
    }

    /// An invariant as an expression.
    pub fn invariant(&mut self, name: &str, when: When, expr: &str) -> &mut Self {
        let table = self.table("[[invariant]]".to_string());
        table.text("name", name).text("when", when_word(when)).text("expr", expr);
        self
    }

    /// An invariant as a closure, which may ask anything of the canisters; `Err` says what is wrong.
    pub fn invariant_fn(
        &mut self,
        name: &str,
        when: When,
        holds: impl Fn(&mut Seen<'_>) -> Result<(), String> + Send + Sync + 'static,
    ) -> &mut Self {
        let closure = Closure(Arc::new(move |world| holds(&mut Seen(world))));
        self.closures.push((name.to_string(), when, closure, Expect::Holds));
        self
    }

    /// Further tables, as text of a scenario file: whatever has no method here.
    pub fn toml(&mut self, text: &str) -> &mut Self {
        self.tables.push(Table { header: text.to_string(), keys: Vec::new() });
        self
    }

    fn table(&mut self, header: String) -> &mut Table {
        self.tables.push(Table { header, keys: Vec::new() });
        self.tables.last_mut().expect("one was pushed")
    }

    /// The scenario file.
    pub fn text(&self) -> String {
        let mut out = format!("format = 1\nname = {}\nabout = {}\n", quoted(&self.name), quoted(&self.about));
        // Closures are no text, but they are invariants: oracles are on only if they are asked for.
        let mut check = self.check.clone();
        if !self.closures.is_empty() && check.is_empty() {
            check.push(("all".to_string(), "false".to_string()));
        }
        let heads = [("explore", self.explore.clone()), ("check", check)];
        let heads = heads.into_iter().filter(|(_, keys)| !keys.is_empty());
        let heads = heads.map(|(name, keys)| Table { header: format!("[{name}]"), keys });
        for table in heads.chain(self.tables.iter().cloned()) {
            let _ = writeln!(out, "\n{}", table.header);
            for (key, value) in &table.keys {
                let _ = writeln!(out, "{key} = {value}");
            }
        }
        out
    }
}

impl Table {
    fn raw(&mut self, key: &str, value: String) -> &mut Self {
        self.keys.push((key.to_string(), value));
        self
    }

    fn text(&mut self, key: &str, value: &str) -> &mut Self {
        self.raw(key, quoted(value))
    }

    fn kinds(&mut self, kinds: &[&str]) -> &mut Self {
        let kinds: Vec<String> = kinds.iter().map(|kind| quoted(kind)).collect();
        self.raw("kinds", format!("[{}]", kinds.join(", ")))
    }

    /// Values as Candid text, with their types.
    fn candid(&mut self, key: &str, args: impl ArgumentEncoder) -> &mut Self {
        let bytes = candid::utils::encode_args(args).expect("Rust values with a Candid type can be encoded");
        let text = IDLArgs::from_bytes(&bytes).expect("what was encoded can be decoded").to_string();
        self.text(key, &text)
    }
}

/// What a canister is; each method is a key of `[canister.NAME]`.
pub struct CanisterKeys<'a>(&'a mut Table);

impl CanisterKeys<'_> {
    /// Its module, relative to the current folder.
    pub fn wasm(self, path: &str) -> Self {
        self.0.text("wasm", &absolute(path));
        self
    }

    /// A canister that is part of canloom: `"icrc1-ledger"`, `"stub"`.
    pub fn builtin(self, name: &str) -> Self {
        self.0.text("builtin", name);
        self
    }

    /// Its Candid interface, relative to the current folder.
    pub fn did(self, path: &str) -> Self {
        self.0.text("did", &absolute(path));
        self
    }

    /// The argument of its installation.
    pub fn init(self, args: impl ArgumentEncoder) -> Self {
        self.0.candid("init", args);
        self
    }

    /// Likewise, as Candid text, in which `${name}` is the principal of an actor or canister.
    pub fn init_text(self, text: &str) -> Self {
        self.0.text("init", text);
        self
    }

    /// Who may administer it.
    pub fn controllers(self, actors: &[&Actor]) -> Self {
        let names: Vec<String> = actors.iter().map(|actor| quoted(&actor.name)).collect();
        self.0.raw("controllers", format!("[{}]", names.join(", ")));
        self
    }

    /// An environment variable, in whose value `${name}` is the principal of an actor or canister.
    pub fn env(self, name: &str, value: &str) -> Self {
        self.0.text(&format!("env.{}", quoted(name)), value);
        self
    }

    /// What a stub replies to a method.
    pub fn reply(self, method: &str, reply: impl ArgumentEncoder) -> Self {
        self.0.candid(&format!("replies.{}", quoted(method)), reply);
        self
    }
}

/// A call before the exploration.
pub struct SetupKeys<'a>(&'a mut Table);

impl SetupKeys<'_> {
    /// Its arguments.
    pub fn args(self, args: impl ArgumentEncoder) -> Self {
        self.0.candid("args", args);
        self
    }
}

/// An observation.
pub struct ObserveKeys<'a>(&'a mut Table);

impl ObserveKeys<'_> {
    /// The arguments of the query.
    pub fn args(self, args: impl ArgumentEncoder) -> Self {
        self.0.candid("args", args);
        self
    }

    /// Where in the reply the value is: `.total`, `.Ok`.
    pub fn path(self, path: &str) -> Self {
        self.0.text("path", path);
        self
    }
}

/// A call that is explored.
pub struct CallKeys<'a>(&'a mut Table);

impl CallKeys<'_> {
    /// Its arguments.
    pub fn args(self, args: impl ArgumentEncoder) -> Self {
        self.0.candid("args", args);
        self
    }

    /// Likewise, as Candid text, in which `${name}` is the principal of an actor or canister.
    pub fn args_text(self, text: &str) -> Self {
        self.0.text("args", text);
        self
    }

    /// How often it may be made.
    pub fn max(self, max: u32) -> Self {
        self.0.raw("max", max.to_string());
        self
    }

    /// The call that must be answered before.
    pub fn after(self, id: &str) -> Self {
        self.0.text("after", id);
        self
    }
}

/// Faults of one place.
pub struct FaultKeys<'a>(&'a mut Table);

impl FaultKeys<'_> {
    /// How often in one execution.
    pub fn budget(self, most: u32) -> Self {
        self.0.raw("budget", most.to_string());
        self
    }

    /// The reply of a `business_err`.
    pub fn business_err(self, reply: impl ArgumentEncoder) -> Self {
        self.0.candid("business_err", reply);
        self
    }
}

/// A text of TOML; its escapes are those of JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The generated file lies elsewhere, so paths in it are absolute.
fn absolute(path: &str) -> String {
    std::path::absolute(path).map_or_else(|_| path.to_string(), |path| path.display().to_string())
}
