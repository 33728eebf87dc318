//! T12, a round that fails in part: wages are paid with several calls at once; if one fails, the round counts as failed,
//! nothing is written down, and the next round pays again those who were paid.

use candid::Principal;
use futures::future::join_all;
use ic_cdk::{init, query, update};
use std::cell::RefCell;
use std::collections::BTreeMap;
use zoo::Error;
use zoo::lock::Lock;
use zoo::payment::{self, Outcome, Payment, transfer};

struct Payroll {
    ledger: Principal,
    balance: u64,
    /// Wages that are not paid, by worker.
    due: BTreeMap<Principal, u64>,
}

thread_local! {
    static PAYROLL: RefCell<Option<Payroll>> = const { RefCell::new(None) };
}

fn payroll<R>(access: impl FnOnce(&mut Payroll) -> R) -> R {
    PAYROLL.with_borrow_mut(|payroll| access(payroll.as_mut().expect("init has set the state")))
}

#[init]
fn init(ledger: Principal, balance: u64, workers: Vec<Principal>, wage: u64) {
    let due = workers.into_iter().map(|worker| (worker, wage)).collect();
    PAYROLL.set(Some(Payroll { ledger, balance, due }));
}

/// Pays all wages that are due and returns how many are left. The bug: all or nothing is what the ledger does with one
/// transfer, not with several.
#[update]
async fn pay() -> Result<u64, Error> {
    let _lock = Lock::take()?;
    let (ledger, due) = payroll(|payroll| (payroll.ledger, payroll.due.clone()));
    let total: u64 = due.values().sum();
    if total > payroll(|payroll| payroll.balance) {
        return Err(Error::Insufficient);
    }
    let outcomes = join_all(due.iter().map(|(worker, wage)| transfer(ledger, *worker, *wage))).await;
    if outcomes.iter().any(|outcome| *outcome != Outcome::Paid) {
        return Err(Error::Refused);
    }
    payroll(|payroll| {
        payroll.balance -= total;
        payroll.due.clear();
    });
    Ok(0)
}

/// Pays all wages that are due and returns how many are left: each has its own outcome, which is dealt with in the
/// message that brings it.
#[update]
async fn pay_fixed() -> Result<u64, Error> {
    let (ledger, due) = payroll(|payroll| {
        let total = payroll.due.values().sum();
        payroll.balance = payroll.balance.checked_sub(total).ok_or(Error::Insufficient)?;
        Ok((payroll.ledger, std::mem::take(&mut payroll.due)))
    })?;
    let left = join_all(due.into_iter().map(|(worker, wage)| pay_one(ledger, worker, wage))).await;
    Ok(left.into_iter().sum())
}

/// Pays one wage that is debited and returns how many are left, 0 or 1.
async fn pay_one(ledger: Principal, worker: Principal, wage: u64) -> u64 {
    if Payment::open(ledger, worker, wage).make().await != Outcome::Refused {
        return 0;
    }
    payroll(|payroll| {
        payroll.balance += wage;
        payroll.due.insert(worker, wage);
    });
    1
}

#[update]
async fn settle() {
    payment::settle().await;
}

#[query]
fn balance() -> u64 {
    payroll(|payroll| payroll.balance)
}

/// How many wages are due.
#[query]
fn due() -> u64 {
    payroll(|payroll| payroll.due.len() as u64)
}

#[query]
fn pending() -> u64 {
    payment::pending()
}

zoo::interface!("../did/t12_partial_failure.did");
