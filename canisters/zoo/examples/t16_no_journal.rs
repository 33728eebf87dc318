//! T16, a saga without a journal: an exchange is two payments on two ledgers. If the second does not happen, nobody
//! remembers that the first did.

use candid::{CandidType, Principal};
use ic_cdk::{init, query, update};
use std::cell::RefCell;
use zoo::Error;
use zoo::payment::{self, Outcome, Payment, transfer};

/// Exchanges what a user has deposited: it goes to the pool on one ledger, and as much to the user on another.
#[derive(Clone, Copy)]
struct Exchange {
    ledger_in: Principal,
    ledger_out: Principal,
    pool: Principal,
    user: Principal,
    deposit: u64,
}

/// How far an exchange has come.
#[derive(CandidType)]
enum Progress {
    Done,
    /// `resume` goes on with it.
    Pending,
}

thread_local! {
    static EXCHANGE: RefCell<Option<Exchange>> = const { RefCell::new(None) };
}

fn exchange<R>(access: impl FnOnce(&mut Exchange) -> R) -> R {
    EXCHANGE.with_borrow_mut(|exchange| access(exchange.as_mut().expect("init has set the state")))
}

#[init]
fn init(ledger_in: Principal, ledger_out: Principal, pool: Principal, user: Principal, deposit: u64) {
    EXCHANGE.set(Some(Exchange { ledger_in, ledger_out, pool, user, deposit }));
}

/// Takes the amount out of the deposit.
fn debit(amount: u64) -> Result<Exchange, Error> {
    exchange(|exchange| {
        exchange.deposit = exchange.deposit.checked_sub(amount).ok_or(Error::Insufficient)?;
        Ok(*exchange)
    })
}

/// Exchanges an amount. The bug: when the second step fails, the first is done and forgotten.
#[update]
async fn swap(amount: u64) -> Result<(), Error> {
    let terms = debit(amount)?;
    let paid_in = transfer(terms.ledger_in, terms.pool, amount).await;
    if paid_in == Outcome::Refused {
        exchange(|exchange| exchange.deposit += amount);
    }
    paid_in.result()?;
    transfer(terms.ledger_out, terms.user, amount).await.result()
}

/// Exchanges an amount. Each step is in the journal before it begins, and the second enters it in the message in which
/// the first leaves it.
#[update]
async fn swap_fixed(amount: u64) -> Result<Progress, Error> {
    let terms = debit(amount)?;
    let step = Payment::open(terms.ledger_in, terms.pool, amount);
    match step.send().await {
        Outcome::Paid => Ok(pay_out(&terms, step).await),
        Outcome::Refused => {
            step.close();
            exchange(|exchange| exchange.deposit += amount);
            Err(Error::Refused)
        }
        Outcome::Unknown => Ok(Progress::Pending),
    }
}

/// The second step, after the first.
async fn pay_out(terms: &Exchange, first: Payment) -> Progress {
    let step = Payment::open(terms.ledger_out, terms.user, first.amount);
    first.close();
    finish(step).await
}

/// Ends the second step if it is paid. A refusal does not end it: what was paid in has to be paid out.
async fn finish(step: Payment) -> Progress {
    if step.send().await != Outcome::Paid {
        return Progress::Pending;
    }
    step.close();
    Progress::Done
}

/// Goes on with the oldest step that nobody is working on.
#[update]
async fn resume() {
    let terms = exchange(|exchange| *exchange);
    let Some(step) = Payment::idle() else { return };
    if step.ledger == terms.ledger_out {
        finish(step).await;
    } else if step.send().await == Outcome::Paid {
        pay_out(&terms, step).await;
    }
}

#[query]
fn deposit() -> u64 {
    exchange(|exchange| exchange.deposit)
}

#[query]
fn pending() -> u64 {
    payment::pending()
}

zoo::interface!("../did/t16_no_journal.did");
