//! T20, an await that is none: when a call cannot even be made, as with a full queue, its future is ready at once, and
//! nothing that was written before it is committed. The trap that follows takes back more than the developer thinks:
//! here, that the bill before was paid.

use candid::Principal;
use ic_cdk::{init, query, update};
use std::cell::RefCell;
use zoo::Error;
use zoo::lock::Lock;
use zoo::payment::{self, Outcome, Payment, transfer};

struct Bills {
    ledger: Principal,
    payee: Principal,
    balance: u64,
    /// Amount of each bill.
    amounts: Vec<u64>,
    /// How many of them are paid; they are paid in turn.
    paid: usize,
}

thread_local! {
    static BILLS: RefCell<Option<Bills>> = const { RefCell::new(None) };
}

fn bills<R>(access: impl FnOnce(&mut Bills) -> R) -> R {
    BILLS.with_borrow_mut(|bills| access(bills.as_mut().expect("init has set the state")))
}

#[init]
fn init(ledger: Principal, payee: Principal, balance: u64, amounts: Vec<u64>) {
    BILLS.set(Some(Bills { ledger, payee, balance, amounts, paid: 0 }));
}

/// The next bill, if there is money for it.
fn next() -> Option<(Principal, Principal, u64)> {
    bills(|bills| {
        let amount = *bills.amounts.get(bills.paid)?;
        (amount <= bills.balance).then_some((bills.ledger, bills.payee, amount))
    })
}

/// Pays all bills, one caller at a time. The bug: a trap is meant to end the method at a bill that is not paid, with all
/// before it written down by their awaits. If the call was not made, the last message still goes back to the bill
/// before.
#[update]
async fn pay() -> Result<u64, Error> {
    let _lock = Lock::take()?;
    while let Some((ledger, payee, amount)) = next() {
        if transfer(ledger, payee, amount).await != Outcome::Paid {
            ic_cdk::trap("a bill is not paid");
        }
        bills(|bills| {
            bills.paid += 1;
            bills.balance -= amount;
        });
    }
    Ok(0)
}

/// Pays all bills, one caller at a time, and returns how many are left: no trap, and each bill is written down before it
/// is paid.
#[update]
async fn pay_fixed() -> Result<u64, Error> {
    let _lock = Lock::take()?;
    while let Some((ledger, payee, amount)) = next() {
        bills(|bills| {
            bills.paid += 1;
            bills.balance -= amount;
        });
        if Payment::open(ledger, payee, amount).make().await == Outcome::Refused {
            bills(|bills| {
                bills.paid -= 1;
                bills.balance += amount;
            });
            break;
        }
    }
    Ok(bills(|bills| (bills.amounts.len() - bills.paid) as u64))
}

#[update]
async fn settle() {
    payment::settle().await;
}

#[query]
fn balance() -> u64 {
    bills(|bills| bills.balance)
}

#[query]
fn pending() -> u64 {
    payment::pending()
}

zoo::interface!("../did/t20_false_await.did");
