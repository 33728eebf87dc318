//! What is known of a scenario on the way: the canister, those that stand in for its callees, and what is called first.
//!
//! In: what trials found. Out: the tables of a scenario that say so, for a trial and for the scenario that is written. Left
//! out: calls, observations, faults and checks (`page`).

use std::fmt::Write as _;

use candid::Principal;

use crate::scenario::offers;

/// The actors of a draft: somebody, somebody else, who installs the canister, and the anonymous principal.
pub(super) const ACTORS: [&str; 4] = ["alice", "bob", "admin", "nobody"];
/// Most canisters whose ids are arguments.
pub(super) const PEERS: usize = 8;
/// What an account holds at first, and the amount of an installation: several payments of [`AMOUNTS`] can be made of it.
pub(super) const START: u64 = 100;
/// Amounts and numbers of calls: two of the first can be paid, of the second only one; 0 is the first place of a list.
pub(super) const AMOUNTS: [u64; 4] = [10, 60, 1, 100];

/// A scenario on its way.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    /// Name of the canister.
    pub(super) name: String,
    /// Path of its module, from the scenario's folder.
    pub(super) wasm: String,
    /// Path of its interface, likewise.
    pub(super) did: Option<String>,
    /// What it is installed with.
    pub(super) init: Option<String>,
    /// Other canisters.
    pub(super) others: Vec<StandIn>,
    /// Calls that are made before the others.
    pub(super) setup: Vec<Setup>,
    /// What the web answers.
    pub(super) body: &'static str,
}

/// What the web may answer, the first one where it is not asked.
pub(super) const BODIES: [&str; 5] = ["", "10", "{}", "true", "[]"];

/// A canister that the module calls.
#[derive(Clone, Debug)]
pub(super) struct StandIn {
    /// Its name.
    pub(super) name: String,
    /// Its id, where the canister knows it by itself.
    pub(super) id: Option<Principal>,
    /// Which argument its id is, if it is one.
    pub(super) peer: Option<usize>,
    /// What it is.
    pub(super) kind: Kind,
}

/// What stands in for a callee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A token, with or without allowances, and its fee.
    Ledger { icrc2: bool, fee: u64 },
    /// The ICP ledger, and its fee.
    IcpLedger { fee: u64 },
    /// The cycles minting canister.
    Cmc,
    /// The exchange rate canister.
    Xrc,
    /// Anything else: what it replies, by method.
    Stub(Vec<(String, String)>),
}

impl Kind {
    /// The built-in that it is in a scenario; `None` for a stub.
    pub(super) fn builtin(&self) -> Option<&'static str> {
        match self {
            Kind::Ledger { icrc2: true, .. } => Some("icrc2-ledger"),
            Kind::Ledger { .. } => Some("icrc1-ledger"),
            Kind::IcpLedger { .. } => Some("icp-ledger"),
            Kind::Cmc => Some("cmc"),
            Kind::Xrc => Some("xrc"),
            Kind::Stub(_) => None,
        }
    }

    /// Whether it has a method: what it stands in for may have more than a built-in offers.
    pub(super) fn offers(&self, method: &str) -> bool {
        self.builtin().is_none_or(|name| offers(name, method))
    }
}

/// A call before the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setup {
    pub(super) to: String,
    pub(super) method: String,
    pub(super) by: &'static str,
    pub(super) args: String,
}

impl Draft {
    /// The tables of the canister and the others, of the setup, and of the actors that `used` says.
    pub(super) fn tables(&self, used: &dyn Fn(&str) -> bool) -> String {
        let mut out = String::new();
        let mut line = |text: String| writeln!(out, "{text}").expect("a string takes everything");
        line("[actor]".to_string());
        for actor in ACTORS.into_iter().filter(|actor| used(actor)) {
            let principal = if actor == "nobody" { " principal = \"anonymous\" " } else { "" };
            line(format!("{actor} = {{{principal}}}"));
        }
        line(String::new());
        line(format!("[canister.{}]", self.name));
        line(format!("wasm = {}", quoted(&self.wasm)));
        if let Some(did) = &self.did {
            line(format!("did = {}", quoted(did)));
        }
        if let Some(init) = &self.init {
            line(format!("init = {}", quoted(&self.named(init))));
        }
        line("controllers = [\"admin\"]  # the first one installs it".to_string());
        for other in &self.others {
            line(String::new());
            for text in other.lines(&self.name) {
                line(text);
            }
        }
        if !self.setup.is_empty() {
            line(String::new());
            line("# What is done before anything is explored.".to_string());
        }
        for setup in &self.setup {
            line("[[setup]]".to_string());
            line(format!("to = \"{}\"", setup.to));
            line(format!("method = {}", quoted(&setup.method)));
            line(format!("by = \"{}\"", setup.by));
            line(format!("args = {}", quoted(&self.named(&setup.args))));
        }
        out
    }

    /// A Candid text with the names of canisters in place of the arguments that are their ids.
    pub(super) fn named(&self, text: &str) -> String {
        let with_id = self.others.iter().filter_map(|other| Some((other.peer?, &other.name)));
        with_id.fold(text.to_string(), |text, (peer, name)| {
            text.replace(&format!("${{peer{peer}}}"), &format!("${{{name}}}"))
        })
    }

    /// Whether a text names no argument that no canister stands for.
    pub(super) fn is_settled(&self, text: &str) -> bool {
        (1..=PEERS).all(|peer| self.has_peer(peer) || !text.contains(&format!("${{peer{peer}}}")))
    }

    /// Whether a canister stands for this argument.
    pub(super) fn has_peer(&self, peer: usize) -> bool {
        self.others.iter().any(|other| other.peer == Some(peer))
    }

    /// A name like this one that nothing has.
    pub(super) fn free_name(&self, wanted: &str) -> String {
        let is_free = |name: &str| {
            name != self.name && !ACTORS.contains(&name) && self.others.iter().all(|other| other.name != name)
        };
        let numbered = (2..).map(|n| format!("{wanted}{n}"));
        std::iter::once(wanted.to_string()).chain(numbered).find(|name| is_free(name)).unwrap_or_default()
    }
}

impl StandIn {
    fn lines(&self, canister: &str) -> Vec<String> {
        let mut lines = vec![format!("[canister.{}]", self.name)];
        let balances = |fee: u64| {
            // Enough for a few fees beside what payments take.
            let balance = START + 20 * fee;
            let owners = [canister, ACTORS[0], ACTORS[1]]
                .map(|name| format!("record {{ principal \"${{{name}}}\"; {balance} }}"));
            owners.join("; ")
        };
        let advice = match &self.kind {
            Kind::Xrc => "  # knows no rate: add those that the canister asks for to `init`",
            Kind::Stub(_) => "  # replies what stands here; write what the real one would",
            _ => "",
        };
        lines.push(format!("builtin = \"{}\"{advice}", self.kind.builtin().unwrap_or("stub")));
        match &self.kind {
            Kind::Ledger { fee, .. } => {
                lines.push(format!("init = '(record {{ fee = {fee}; balances = vec {{ {} }} }})'", balances(*fee)));
            }
            Kind::IcpLedger { fee } => {
                lines.push(format!("init = '(record {{ balances = vec {{ {} }} }})'", balances(*fee)));
            }
            Kind::Cmc => {}
            Kind::Xrc => lines.push("init = '(vec {})'".to_string()),
            Kind::Stub(replies) => {
                let replies = replies.iter().map(|(method, reply)| format!("{} = {}", key(method), quoted(reply)));
                lines.push(format!("replies = {{ {} }}", replies.collect::<Vec<_>>().join(", ")));
            }
        }
        if let Some(id) = self.id {
            lines.insert(1, format!("id = \"{id}\""));
        }
        lines
    }

    /// Whether it is a token with balances after ICRC-1.
    pub(super) fn is_ledger(&self) -> bool {
        matches!(self.kind, Kind::Ledger { .. } | Kind::IcpLedger { .. })
    }
}

/// A text of TOML.
pub(super) fn quoted(text: &str) -> String {
    let is_plain = |c: char| !c.is_control();
    if text.chars().all(|c| is_plain(c) && c != '"' && c != '\\') {
        return format!("\"{text}\"");
    }
    if text.chars().all(|c| is_plain(c) && c != '\'') {
        return format!("'{text}'");
    }
    let escaped = |c: char| match c {
        '"' => "\\\"".to_string(),
        '\\' => "\\\\".to_string(),
        c if is_plain(c) => c.to_string(),
        c => format!("\\u{:04x}", u32::from(c)),
    };
    format!("\"{}\"", text.chars().map(escaped).collect::<String>())
}

fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(is_bare) { name.to_string() } else { quoted(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_for_a_ledger_offers_what_the_built_in_has_and_a_stub_anything() {
        let ledger = Kind::Ledger { icrc2: false, fee: 0 };
        assert!(ledger.offers("icrc1_total_supply"));
        assert!(!ledger.offers("get_transactions"), "a ledger of another make has it");
        assert!(!ledger.offers("icrc2_approve"));
        assert!(Kind::Ledger { icrc2: true, fee: 0 }.offers("icrc2_approve"));
        assert!(Kind::Stub(Vec::new()).offers("get_transactions"));
    }
}
