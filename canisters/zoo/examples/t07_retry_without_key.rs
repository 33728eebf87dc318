//! T7, a retry that is no repetition: without an answer the same transfer is sent again, and to the ledger it is another
//! one. The first may have been paid.

use candid::Principal;
use ic_cdk::api::msg_caller;
use ic_cdk::call::Call;
use ic_cdk::{init, query, update};
use std::cell::RefCell;
use zoo::Error;
use zoo::payment::{self, Outcome, Payment, plain};

/// How often a transfer is sent before somebody else has to look.
const TRIES: usize = 3;

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

/// Pays out to the caller. The bug: nothing tells the ledger that it is the same transfer again.
#[update]
async fn withdraw(amount: u64) -> Result<(), Error> {
    let (ledger, caller) = (debit(amount)?, msg_caller());
    for _ in 0..TRIES {
        let call = Call::bounded_wait(ledger, "icrc1_transfer").with_arg(plain(caller, amount));
        match Outcome::of(call.await) {
            Outcome::Paid => return Ok(()),
            Outcome::Refused => {
                vault(|vault| vault.balance += amount);
                return Err(Error::Refused);
            }
            Outcome::Unknown => {}
        }
    }
    Err(Error::Unknown)
}

/// Pays out to the caller: each try has the time and the memo of the first, so the ledger pays once. A refusal means
/// that nothing was paid only if no earlier try is unknown.
#[update]
async fn withdraw_fixed(amount: u64) -> Result<(), Error> {
    let ledger = debit(amount)?;
    let payment = Payment::open(ledger, msg_caller(), amount);
    for earlier in 0..TRIES {
        match payment.send().await {
            Outcome::Paid => {
                payment.close();
                return Ok(());
            }
            Outcome::Refused if earlier == 0 => {
                payment.close();
                vault(|vault| vault.balance += amount);
                return Err(Error::Refused);
            }
            Outcome::Refused => break,
            Outcome::Unknown => {}
        }
    }
    Err(Error::Unknown)
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

zoo::interface!("../did/t07_retry_without_key.did");
