//! T10, an upgrade while callbacks are outstanding: the new module knows nothing of the code that waits for an answer,
//! so what it would have done is never done. Here that is the debit of what the ledger pays meanwhile.

use candid::{CandidType, Deserialize, Principal};
use ic_cdk::api::msg_caller;
use ic_cdk::{init, post_upgrade, pre_upgrade, query, update};
use std::cell::RefCell;
use zoo::Error;
use zoo::lock::Lock;
use zoo::payment::{self, Journal, Outcome, Payment, transfer};

/// What an upgrade carries over, with the journal.
#[derive(CandidType, Deserialize)]
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

#[pre_upgrade]
fn pre_upgrade() {
    let saved = (VAULT.take().expect("init has set the state"), payment::take_journal());
    ic_cdk::storage::stable_save(saved).expect("stable memory takes the state");
}

#[post_upgrade]
fn post_upgrade() {
    let (vault, journal): (Vault, Journal) = ic_cdk::storage::stable_restore().expect("the state was saved");
    VAULT.set(Some(vault));
    payment::restore(journal);
}

/// Pays out to the caller, one at a time, and debits what was paid. The bug: only the heap knows that there is something
/// to debit.
#[update]
async fn withdraw(amount: u64) -> Result<(), Error> {
    let _lock = Lock::take()?;
    let (ledger, balance) = vault(|vault| (vault.ledger, vault.balance));
    if amount > balance {
        return Err(Error::Insufficient);
    }
    let outcome = transfer(ledger, msg_caller(), amount).await;
    if outcome == Outcome::Paid {
        vault(|vault| vault.balance -= amount);
    }
    outcome.result()
}

/// Pays out to the caller. The debit comes first, and the journal that is saved in an upgrade knows of the payment.
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

zoo::interface!("../did/t10_upgrade_forgets.did");
