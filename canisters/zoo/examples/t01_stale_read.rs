//! T1, stale read across an await: a balance is read, others change it while the ledger is asked, and what is written
//! afterwards was computed from the old one. Two withdrawals of 30 from 100 leave 70.

use candid::Principal;
use ic_cdk::api::msg_caller;
use ic_cdk::{init, query, update};
use std::cell::RefCell;
use zoo::Error;
use zoo::payment::{self, Outcome, Payment, transfer};

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

/// Pays out to the caller. The bug: `balance` is of before the await.
#[update]
async fn withdraw(amount: u64) -> Result<(), Error> {
    let (ledger, balance) = vault(|vault| (vault.ledger, vault.balance));
    if amount > balance {
        return Err(Error::Insufficient);
    }
    let outcome = transfer(ledger, msg_caller(), amount).await;
    if outcome == Outcome::Paid {
        vault(|vault| vault.balance = balance - amount);
    }
    outcome.result()
}

/// Pays out to the caller: debits first, and gives back relative to the balance of then.
#[update]
async fn withdraw_fixed(amount: u64) -> Result<(), Error> {
    let ledger = vault(|vault| {
        vault.balance = vault.balance.checked_sub(amount).ok_or(Error::Insufficient)?;
        Ok(vault.ledger)
    })?;
    let outcome = Payment::open(ledger, msg_caller(), amount).make().await;
    if outcome == Outcome::Refused {
        vault(|vault| vault.balance += amount);
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
    payment::pending()
}

zoo::interface!("../did/t01_stale_read.did");
