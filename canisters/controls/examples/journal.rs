//! Payouts with a journal: what a payment is meant to be is written down before it is sent.
//!
//! The intent (id, receiver, amount, time) determines the transfer, so that the ledger recognises a repetition and
//! executes it once. An intent leaves the journal when its outcome is proven; one whose outcome is unknown stays, and a
//! timer sends it again, with the same id and time, until the ledger says that it is paid, now or before (`Duplicate`).
//!
//! The journal survives an upgrade; what is being sent is noted on the heap only, since after an upgrade nobody waits
//! for an answer any more. Timers do not survive either, so `post_upgrade` sets them anew.

use candid::{CandidType, Deserialize, Nat, Principal};
use controls::icrc1::{Account, TransferArg, TransferError};
use ic_cdk::call::{Call, CallErrorExt};
use ic_cdk::{init, post_upgrade, pre_upgrade, query, update};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const RETRY: Duration = Duration::from_secs(60);

/// What an upgrade carries over.
#[derive(CandidType, Deserialize)]
struct Payouts {
    ledger: Principal,
    /// What may still be paid out.
    balance: u64,
    next_id: u64,
    /// Payments that are debited and whose outcome is not proven, by id.
    journal: BTreeMap<u64, Intent>,
}

#[derive(CandidType, Deserialize, Clone, Copy)]
struct Intent {
    to: Principal,
    amount: u64,
    created_at_time: u64,
}

/// What became of a payment.
#[derive(CandidType, Deserialize)]
enum Receipt {
    /// It is in this block of the ledger.
    Paid(Nat),
    /// Nobody knows yet; the intent of this id is in the journal.
    Pending(u64),
}

thread_local! {
    static PAYOUTS: RefCell<Option<Payouts>> = const { RefCell::new(None) };
    /// Ids of the intents that are being sent.
    static SENDING: RefCell<BTreeSet<u64>> = const { RefCell::new(BTreeSet::new()) };
}

fn payouts<R>(access: impl FnOnce(&mut Payouts) -> R) -> R {
    PAYOUTS.with_borrow_mut(|payouts| access(payouts.as_mut().expect("init has set the state")))
}

/// Held by the one who sends an intent, so that nobody else decides upon it.
struct Sending(u64);

impl Sending {
    fn start(id: u64) -> Option<Self> {
        SENDING.with_borrow_mut(|sending| sending.insert(id)).then(|| Self(id))
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        SENDING.with_borrow_mut(|sending| sending.remove(&self.0));
    }
}

#[init]
fn init(ledger: Principal, balance: u64) {
    PAYOUTS.set(Some(Payouts { ledger, balance, next_id: 0, journal: BTreeMap::new() }));
    ic_cdk_timers::set_timer_interval(RETRY, recover);
}

#[pre_upgrade]
fn pre_upgrade() {
    let saved = PAYOUTS.take().expect("init has set the state");
    ic_cdk::storage::stable_save((saved,)).expect("stable memory takes the state");
}

#[post_upgrade]
fn post_upgrade() {
    let (saved,): (Payouts,) = ic_cdk::storage::stable_restore().expect("stable memory holds a saved state");
    PAYOUTS.set(Some(saved));
    ic_cdk_timers::set_timer_interval(RETRY, recover);
}

/// Pays `amount` to `to`.
#[update]
async fn pay(to: Principal, amount: u64) -> Result<Receipt, String> {
    let created_at_time = ic_cdk::api::time();
    let intent = Intent { to, amount, created_at_time };
    let id = payouts(|payouts| {
        payouts.balance = payouts.balance.checked_sub(amount).ok_or("insufficient funds")?;
        payouts.next_id += 1;
        payouts.journal.insert(payouts.next_id, intent);
        Ok::<u64, String>(payouts.next_id)
    })?;
    let _sending = Sending::start(id);
    match send(id, intent).await {
        Outcome::Paid(block) => {
            payouts(|payouts| payouts.journal.remove(&id));
            Ok(Receipt::Paid(block))
        }
        Outcome::NotPaid => {
            payouts(|payouts| payouts.journal.remove(&id));
            payouts(|payouts| payouts.balance += amount);
            Err("not paid".to_string())
        }
        Outcome::Unknown => Ok(Receipt::Pending(id)),
    }
}

/// Sends again what is in the journal and is not being sent.
///
/// Only that a payment was made can be proven this way. A refusal speaks of the repetition: the first request may have
/// been executed, or may still be. The intent stays then.
async fn recover() {
    let ids: Vec<u64> = payouts(|payouts| payouts.journal.keys().copied().collect());
    for id in ids {
        let Some(_sending) = Sending::start(id) else { continue };
        // It may have been settled while the ones before it were sent.
        let Some(intent) = payouts(|payouts| payouts.journal.get(&id).copied()) else { continue };
        if let Outcome::Paid(_) = send(id, intent).await {
            payouts(|payouts| payouts.journal.remove(&id));
        }
    }
}

enum Outcome {
    Paid(Nat),
    NotPaid,
    Unknown,
}

async fn send(id: u64, intent: Intent) -> Outcome {
    let ledger = payouts(|payouts| payouts.ledger);
    let arg = TransferArg {
        from_subaccount: None,
        to: Account::of(intent.to),
        amount: Nat::from(intent.amount),
        fee: None,
        memo: Some(id.to_be_bytes().to_vec()),
        created_at_time: Some(intent.created_at_time),
    };
    match Call::bounded_wait(ledger, "icrc1_transfer").with_arg(&arg).await {
        Ok(reply) => match reply.candid::<Result<Nat, TransferError>>() {
            Ok(Ok(block)) => Outcome::Paid(block),
            Ok(Err(TransferError::Duplicate { duplicate_of })) => Outcome::Paid(duplicate_of),
            Ok(Err(_)) => Outcome::NotPaid,
            Err(_) => Outcome::Unknown,
        },
        Err(error) if error.is_clean_reject() => Outcome::NotPaid,
        Err(_) => Outcome::Unknown,
    }
}

#[query]
fn balance() -> u64 {
    payouts(|payouts| payouts.balance)
}

/// Sum of what is in the journal.
#[query]
fn pending() -> u64 {
    payouts(|payouts| payouts.journal.values().map(|intent| intent.amount).sum())
}

/// The Candid interface, readable through the export `get_candid_pointer`.
mod interface {
    use super::*;

    ic_cdk::export_candid!();

    #[cfg(test)]
    #[test]
    fn interface_file_is_what_the_module_exports() {
        let file = include_str!("../did/journal.did");
        assert_eq!(__export_service().trim(), file.trim());
    }
}
