//! T13, a timer that overlaps itself: every minute it pays what is due and strikes off what it has paid. If the ledger
//! takes longer than a minute, the next firing finds the same list. No user is needed for that.

use candid::Principal;
use ic_cdk::{init, query, update};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;
use zoo::payment::{self, Outcome, Payment, transfer};

const MINUTE: Duration = Duration::from_secs(60);

struct Standing {
    ledger: Principal,
    payee: Principal,
    balance: u64,
    /// Amounts to pay, by number.
    due: BTreeMap<u64, u64>,
}

thread_local! {
    static STANDING: RefCell<Option<Standing>> = const { RefCell::new(None) };
}

fn standing<R>(access: impl FnOnce(&mut Standing) -> R) -> R {
    STANDING.with_borrow_mut(|standing| access(standing.as_mut().expect("init has set the state")))
}

#[init]
fn init(ledger: Principal, payee: Principal, balance: u64, amounts: Vec<u64>) {
    STANDING.set(Some(Standing { ledger, payee, balance, due: (0..).zip(amounts).collect() }));
}

/// Begins to pay every minute.
#[update]
fn start() {
    ic_cdk_timers::set_timer_interval(MINUTE, pay);
}

/// Begins to pay every minute, with the correct body.
#[update]
fn start_fixed() {
    ic_cdk_timers::set_timer_interval(MINUTE, pay_fixed);
}

/// Pays what is due. The bug: the list is of before the payments, and another firing may have the same one.
async fn pay() {
    let (ledger, payee, due) = standing(|standing| (standing.ledger, standing.payee, standing.due.clone()));
    for (id, amount) in due {
        if transfer(ledger, payee, amount).await == Outcome::Paid {
            standing(|standing| {
                if standing.due.remove(&id).is_some() {
                    standing.balance -= amount;
                }
            });
        }
    }
}

/// Pays what is due: takes each amount off the list before it is paid, so that no other firing sees it.
async fn pay_fixed() {
    let (ledger, payee) = standing(|standing| (standing.ledger, standing.payee));
    while let Some((id, amount)) = take() {
        if Payment::open(ledger, payee, amount).make().await == Outcome::Refused {
            standing(|standing| {
                standing.due.insert(id, amount);
                standing.balance += amount;
            });
            return;
        }
    }
}

/// Takes the first amount off the list and out of the book.
fn take() -> Option<(u64, u64)> {
    standing(|standing| {
        let amount = *standing.due.first_key_value()?.1;
        standing.balance = standing.balance.checked_sub(amount)?;
        let (id, amount) = standing.due.pop_first()?;
        Some((id, amount))
    })
}

#[update]
async fn settle() {
    payment::settle().await;
}

#[query]
fn balance() -> u64 {
    standing(|standing| standing.balance)
}

#[query]
fn pending() -> u64 {
    payment::pending()
}

zoo::interface!("../did/t13_timer_overlap.did");
