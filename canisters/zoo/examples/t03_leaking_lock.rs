//! T3, a lock that leaks: a flag is set by hand and reset by hand, and a `?` between the two leaves without resetting
//! it. After one refusal of the ledger nobody can ever pay again.

use candid::Principal;
use ic_cdk::call::{Call, CallErrorExt};
use ic_cdk::{init, query, update};
use std::cell::RefCell;
use zoo::Error;
use zoo::payment::{self, Outcome, Payment, plain};

struct Till {
    ledger: Principal,
    owner: Principal,
    balance: u64,
    is_busy: bool,
}

/// What is paid out at a time.
const PART: u64 = 10;

thread_local! {
    static TILL: RefCell<Option<Till>> = const { RefCell::new(None) };
}

fn till<R>(access: impl FnOnce(&mut Till) -> R) -> R {
    TILL.with_borrow_mut(|till| access(till.as_mut().expect("init has set the state")))
}

#[init]
fn init(ledger: Principal, owner: Principal, balance: u64) {
    TILL.set(Some(Till { ledger, owner, balance, is_busy: false }));
}

/// Pays a part to the owner, one payment at a time. The bug: the `?` behind the await keeps the flag set.
#[update]
async fn pay() -> Result<(), Error> {
    if till(|till| std::mem::replace(&mut till.is_busy, true)) {
        return Err(Error::Busy);
    }
    let (ledger, owner, balance) = till(|till| (till.ledger, till.owner, till.balance));
    if balance < PART {
        till(|till| till.is_busy = false);
        return Err(Error::Insufficient);
    }
    let answer = Call::unbounded_wait(ledger, "icrc1_transfer").with_arg(plain(owner, PART)).await;
    let reply = answer.map_err(|error| if error.is_clean_reject() { Error::Refused } else { Error::Unknown })?;
    let outcome = Outcome::of(Ok(reply));
    till(|till| {
        till.is_busy = false;
        if outcome == Outcome::Paid {
            till.balance -= PART;
        }
    });
    outcome.result()
}

/// The flag for as long as this lives. Dropping it resets the flag: at every return, and in the cleanup after a trap.
struct Busy;

impl Busy {
    fn begin() -> Result<Self, Error> {
        if till(|till| std::mem::replace(&mut till.is_busy, true)) { Err(Error::Busy) } else { Ok(Self) }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        till(|till| till.is_busy = false);
    }
}

/// Pays a part to the owner, one payment at a time, under a flag that resets itself.
#[update]
async fn pay_fixed() -> Result<(), Error> {
    let _busy = Busy::begin()?;
    let (ledger, owner) = till(|till| {
        till.balance = till.balance.checked_sub(PART).ok_or(Error::Insufficient)?;
        Ok((till.ledger, till.owner))
    })?;
    let outcome = Payment::open(ledger, owner, PART).make().await;
    if outcome == Outcome::Refused {
        till(|till| till.balance += PART);
    }
    outcome.result()
}

#[update]
async fn settle() {
    payment::settle().await;
}

#[query]
fn balance() -> u64 {
    till(|till| till.balance)
}

#[query]
fn is_busy() -> bool {
    till(|till| till.is_busy)
}

#[query]
fn pending() -> u64 {
    payment::pending()
}

zoo::interface!("../did/t03_leaking_lock.did");
