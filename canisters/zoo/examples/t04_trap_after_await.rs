//! T4, a trap behind an await: the debit before the await is committed, and the code that would undo it traps. A ledger
//! that refuses one request costs the user money.

use candid::{Nat, Principal};
use ic_cdk::api::msg_caller;
use ic_cdk::call::Call;
use ic_cdk::{init, query, update};
use std::cell::RefCell;
use zoo::Error;
use zoo::icrc1::TransferError;
use zoo::payment::{self, Outcome, Payment, plain};

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

/// Pays out to the caller. The bug: each `expect` takes back its own message only, not the debit.
#[update]
async fn withdraw(amount: u64) -> Result<(), Error> {
    let ledger = debit(amount)?;
    let call = Call::unbounded_wait(ledger, "icrc1_transfer").with_arg(plain(msg_caller(), amount));
    let reply = call.await.expect("the ledger answers");
    let block: Result<Nat, TransferError> = reply.candid().expect("the ledger answers what it should");
    block.expect("the ledger pays");
    Ok(())
}

/// Pays out to the caller: every answer has its outcome, and if the callback traps, the journal knows of the payment.
#[update]
async fn withdraw_fixed(amount: u64) -> Result<(), Error> {
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
fn pending() -> u64 {
    payment::pending()
}

zoo::interface!("../did/t04_trap_after_await.did");
