//! T8, what a cleanup does after a callback has trapped: the state goes back to before the callback, then the method's
//! locals are dropped. A refund that is disarmed in the callback is armed again by then, and refunds what was paid.

use candid::Principal;
use ic_cdk::api::msg_caller;
use ic_cdk::{init, query, update};
use std::cell::RefCell;
use zoo::Error;
use zoo::lock::{self, Lock};
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

/// Takes the amount from the book and returns the ledger.
fn debit(amount: u64) -> Result<Principal, Error> {
    vault(|vault| {
        vault.balance = vault.balance.checked_sub(amount).ok_or(Error::Insufficient)?;
        Ok(vault.ledger)
    })
}

/// Gives an amount back when it is dropped, unless it is disarmed.
struct Refund {
    amount: u64,
    is_armed: bool,
}

impl Drop for Refund {
    fn drop(&mut self) {
        if self.is_armed {
            vault(|vault| vault.balance += self.amount);
        }
    }
}

/// Pays out to the caller, one at a time. The bug: the refund is also dropped in the cleanup, when nobody knows whether
/// the ledger has paid, and `is_armed` is what it was at the await.
#[update]
async fn withdraw(amount: u64) -> Result<(), Error> {
    let _lock = Lock::take()?;
    let ledger = debit(amount)?;
    let mut refund = Refund { amount, is_armed: true };
    let outcome = transfer(ledger, msg_caller(), amount).await;
    refund.is_armed = outcome == Outcome::Refused;
    outcome.result()
}

/// Pays out to the caller, one at a time. What is dropped in the cleanup releases the lock and leaves the payment to
/// `settle`; money moves in the callback only.
#[update]
async fn withdraw_fixed(amount: u64) -> Result<(), Error> {
    let _lock = Lock::take()?;
    let ledger = debit(amount)?;
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
fn is_locked() -> bool {
    lock::is_held()
}

#[query]
fn pending() -> u64 {
    payment::pending()
}

zoo::interface!("../did/t08_refund_in_cleanup.did");
