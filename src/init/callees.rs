//! What stands in for a canister that was called: decided by its id, the methods and their arguments.
//!
//! In: calls that canisters of a draft sent. Out: the draft with a canister for each callee that it did not have, and with the
//! methods that a stub did not know.

use candid::Principal;

use crate::scenario::{Labels, Value};

use super::draft::{ACTORS, Draft, Kind, Setup, StandIn};
use super::stand::{Sent, Stand};

/// What a stub may reply, the likeliest first.
pub(super) const REPLIES: [&str; 14] = [
    "()",
    "(true)",
    "(1 : nat64)",
    "(1 : nat)",
    "(variant { Ok = 1 : nat })",
    "(variant { Ok = 1 : nat64 })",
    "(variant { Ok })",
    "(variant { ok = 1 : nat })",
    "(variant { ok })",
    "(\"a\")",
    "(opt (1 : nat64))",
    "(blob \"a\")",
    "(vec {})",
    "(1 : nat32)",
];

/// A stub has a new method, or there is a new canister of another kind.
pub(super) struct Added {
    /// Position among the others.
    pub(super) other: usize,
    /// The method.
    pub(super) method: Option<String>,
}

/// Canisters of mainnet that are built in.
const ICP_LEDGER: &str = "ryjl3-tyaaa-aaaaa-aaaba-cai";
const CMC: &str = "rkp4c-7iaaa-aaaaa-aaaca-cai";
const XRC: &str = "uf6dk-hyaaa-aaaaq-qaaaq-cai";

/// Adds what was called and is not there.
pub(super) fn add(draft: &mut Draft, stand: &Stand, sent: &[Sent]) -> Vec<Added> {
    let mut added = Vec::new();
    let mut unknown: Vec<Principal> = Vec::new();
    for sent in sent {
        match sent.callee {
            Some(0) => {}
            // The management canister is nobody's position.
            Some(callee) if callee > draft.others.len() => {}
            Some(callee) => {
                let method = sent.method.clone();
                match &mut draft.others[callee - 1].kind {
                    Kind::Stub(replies) if replies.iter().all(|(name, _)| *name != method) => {
                        replies.push((method.clone(), "()".to_string()));
                        added.push(Added { other: callee - 1, method: Some(method) });
                    }
                    Kind::Ledger { icrc2, .. } if !*icrc2 && method.starts_with("icrc2_") => {
                        *icrc2 = true;
                        added.push(Added { other: callee - 1, method: None });
                    }
                    _ => {}
                }
            }
            None if stand.is_actor(&sent.id) || unknown.contains(&sent.id) => {}
            None => unknown.push(sent.id),
        }
    }
    for id in unknown {
        let own: Vec<&Sent> = sent.iter().filter(|sent| sent.callee.is_none() && sent.id == id).collect();
        let (wanted, kind) = kind(&id, &own);
        let is_at_home = matches!(kind, Kind::IcpLedger { .. }) && id.to_text() == ICP_LEDGER
            || matches!(kind, Kind::Cmc | Kind::Xrc);
        let peer = stand.peer(&id);
        let name = draft.free_name(wanted);
        let other = draft.others.len();
        match &kind {
            Kind::Stub(replies) => {
                let methods = replies.iter().map(|(method, _)| Added { other, method: Some(method.clone()) });
                added.extend(methods);
            }
            _ => added.push(Added { other, method: None }),
        }
        let id = Some(id).filter(|_| peer.is_none() && !is_at_home);
        draft.others.push(StandIn { name, id, peer, kind });
    }
    approve(draft, sent);
    added
}

/// Lets the canister take tokens from the actors, where it tries to.
fn approve(draft: &mut Draft, sent: &[Sent]) {
    if !sent.iter().any(|sent| sent.method == "icrc2_transfer_from") {
        return;
    }
    let takes = |other: &&StandIn| matches!(other.kind, Kind::Ledger { icrc2: true, .. } | Kind::IcpLedger { .. });
    let Some(ledger) = draft.others.iter().find(takes).map(|other| other.name.clone()) else { return };
    for by in [ACTORS[0], ACTORS[1]] {
        let args = format!(
            "(record {{ spender = record {{ owner = principal \"${{{}}}\" }}; amount = 1_000_000_000 }})",
            draft.name
        );
        let setup = Setup { to: ledger.clone(), method: "icrc2_approve".to_string(), by, args };
        if !draft.setup.contains(&setup) {
            draft.setup.push(setup);
        }
    }
}

/// What a callee is, and what it may be called.
fn kind(id: &Principal, sent: &[&Sent]) -> (&'static str, Kind) {
    let fee = sent.iter().filter(|sent| sent.method.ends_with("transfer")).find_map(|sent| fee(sent));
    match id.to_text().as_str() {
        ICP_LEDGER => return ("icp_ledger", Kind::IcpLedger { fee: 10_000 }),
        CMC => return ("cmc", Kind::Cmc),
        XRC => return ("xrc", Kind::Xrc),
        _ => {}
    }
    if sent.iter().any(|sent| sent.method == "transfer" && is_icp_transfer(sent)) {
        return ("icp_ledger", Kind::IcpLedger { fee: 10_000 });
    }
    let begins = |prefix: &str| sent.iter().any(|sent| sent.method.starts_with(prefix));
    if begins("icrc1_") || begins("icrc2_") {
        return ("ledger", Kind::Ledger { icrc2: begins("icrc2_"), fee: fee.unwrap_or(0) });
    }
    let mut replies: Vec<(String, String)> = Vec::new();
    for sent in sent {
        if replies.iter().all(|(method, _)| *method != sent.method) {
            replies.push((sent.method.clone(), "()".to_string()));
        }
    }
    ("callee", Kind::Stub(replies))
}

/// The fee that a transfer agrees to.
fn fee(sent: &Sent) -> Option<u64> {
    match Value::decode_with(&sent.arg, &Labels::common()).ok()? {
        Value::Record(fields) => match fields.get("fee")? {
            Value::Int(fee) => fee.try_into().ok(),
            _ => None,
        },
        _ => None,
    }
}

/// Whether it is a transfer as the ICP ledger had it before ICRC-1.
fn is_icp_transfer(sent: &Sent) -> bool {
    let mut labels = Labels::common();
    labels.add("e8s");
    match Value::decode_with(&sent.arg, &labels) {
        Ok(Value::Record(fields)) => {
            matches!(fields.get("amount"), Some(Value::Record(amount)) if amount.contains_key("e8s"))
        }
        _ => false,
    }
}
