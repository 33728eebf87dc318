//! T2, check, then act: a claim is marked as paid after the payment only, so two callers both find it open and both
//! are paid. Afterwards the canister's own books look perfect; the ledger's do not.

use candid::Principal;
use ic_cdk::api::msg_caller;
use ic_cdk::{init, query, update};
use std::cell::RefCell;
use std::collections::BTreeMap;
use zoo::Error;
use zoo::payment::{self, Outcome, Payment, transfer};

#[derive(Clone, Copy)]
struct Claim {
    amount: u64,
    is_paid: bool,
}

struct Treasury {
    ledger: Principal,
    /// By number.
    claims: BTreeMap<u64, Claim>,
}

thread_local! {
    static TREASURY: RefCell<Option<Treasury>> = const { RefCell::new(None) };
}

fn treasury<R>(access: impl FnOnce(&mut Treasury) -> R) -> R {
    TREASURY.with_borrow_mut(|treasury| access(treasury.as_mut().expect("init has set the state")))
}

/// Sets up claims with the numbers 0, 1, ... for these amounts.
#[init]
fn init(ledger: Principal, amounts: Vec<u64>) {
    let claims = (0..).zip(amounts).map(|(id, amount)| (id, Claim { amount, is_paid: false })).collect();
    TREASURY.set(Some(Treasury { ledger, claims }));
}

fn find(id: u64) -> Result<(Principal, Claim), Error> {
    let claim = treasury(|treasury| treasury.claims.get(&id).map(|claim| (treasury.ledger, *claim)));
    claim.filter(|(_, claim)| !claim.is_paid).ok_or(Error::NotFound)
}

fn mark(id: u64, is_paid: bool) {
    treasury(|treasury| treasury.claims.get_mut(&id).expect("claims stay").is_paid = is_paid);
}

/// Pays a claim to the caller. The bug: between check and mark others check, too.
#[update]
async fn claim(id: u64) -> Result<(), Error> {
    let (ledger, claim) = find(id)?;
    let outcome = transfer(ledger, msg_caller(), claim.amount).await;
    if outcome == Outcome::Paid {
        mark(id, true);
    }
    outcome.result()
}

/// Pays a claim to the caller: check and mark are one message, and only a certain refusal takes the mark back.
#[update]
async fn claim_fixed(id: u64) -> Result<(), Error> {
    let (ledger, claim) = find(id)?;
    mark(id, true);
    let outcome = Payment::open(ledger, msg_caller(), claim.amount).make().await;
    if outcome == Outcome::Refused {
        mark(id, false);
    }
    outcome.result()
}

#[update]
async fn settle() {
    payment::settle().await;
}

/// What the claims that are not paid amount to.
#[query]
fn unpaid() -> u64 {
    treasury(|treasury| treasury.claims.values().filter(|claim| !claim.is_paid).map(|claim| claim.amount).sum())
}

#[query]
fn pending() -> u64 {
    payment::pending()
}

zoo::interface!("../did/t02_check_then_act.did");
