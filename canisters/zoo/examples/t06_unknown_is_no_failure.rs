//! T6, SYS_UNKNOWN treated as a failure: a bounded wait ends without an answer, the user gets the money back, and the
//! ledger pays it all the same. Whether it has paid already, or will, or never does, nobody knows at that time.

use candid::Principal;
use ic_cdk::api::msg_caller;
use ic_cdk::call::Call;
use ic_cdk::{init, query, update};
use std::cell::RefCell;
use zoo::Error;
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

/// Pays out to the caller. The bug: no answer is not a refusal.
#[update]
async fn withdraw(amount: u64) -> Result<(), Error> {
    let ledger = debit(amount)?;
    let call = Call::bounded_wait(ledger, "icrc1_transfer").with_arg(plain(msg_caller(), amount));
    if Outcome::of(call.await) == Outcome::Paid {
        return Ok(());
    }
    vault(|vault| vault.balance += amount);
    Err(Error::Refused)
}

/// Pays out to the caller: what is unknown stays debited and in the journal, and `settle` finds out.
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

zoo::interface!("../did/t06_unknown_is_no_failure.did");
