//! T5, a rollback to a stale or wrong value: when the ledger refuses, the book is set to what it was before, which
//! erases what others did meanwhile; and what is given back is not what was taken: the fee is missing.

use candid::Principal;
use ic_cdk::api::msg_caller;
use ic_cdk::{init, query, update};
use std::cell::RefCell;
use zoo::Error;
use zoo::payment::{self, Outcome, Payment, transfer};

/// The ledger's fee; it is debited with the amount.
const FEE: u64 = 1;

struct Vault {
    ledger: Principal,
    balance: u64,
}

thread_local! {
    static VAULT: RefCell<Option<Vault>> = const { RefCell::new(None) };
}

fn vault<R>(access: impl FnOnce(&mut Vault) -> R) -> R {
    VAULT.with_borrow_mut(|vault| access(vault.as_mut().expect("init has set the state")))
}

#[init]
fn init(ledger: Principal, balance: u64) {
    VAULT.set(Some(Vault { ledger, balance }));
}

/// Pays out to the caller. The bug: the rollback writes an old value, and forgets that no fee was taken.
#[update]
async fn withdraw(amount: u64) -> Result<(), Error> {
    let (ledger, before) = vault(|vault| (vault.ledger, vault.balance));
    let after = before.checked_sub(amount + FEE).ok_or(Error::Insufficient)?;
    vault(|vault| vault.balance = after);
    let outcome = transfer(ledger, msg_caller(), amount).await;
    if outcome == Outcome::Refused {
        vault(|vault| vault.balance = after + amount);
    }
    outcome.result()
}

/// Pays out to the caller. What is given back is what was taken, and it is added to the balance of then.
#[update]
async fn withdraw_fixed(amount: u64) -> Result<(), Error> {
    let taken = amount + FEE;
    let ledger = vault(|vault| {
        vault.balance = vault.balance.checked_sub(taken).ok_or(Error::Insufficient)?;
        Ok(vault.ledger)
    })?;
    let outcome = Payment::open(ledger, msg_caller(), amount).make().await;
    if outcome == Outcome::Refused {
        vault(|vault| vault.balance += taken);
    }
    outcome.result()
}

#[update]
async fn settle() {
    payment::settle().await;
}

#[query]
fn balance() -> u64 {
    vault(|vault| vault.balance)
}

#[query]
fn pending() -> u64 {
    payment::pending_with_fees(FEE)
}

zoo::interface!("../did/t05_stale_rollback.did");
