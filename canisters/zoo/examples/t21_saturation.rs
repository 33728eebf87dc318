//! T21, saturating arithmetic hides the violation: two redemptions pass one check, and the second leaves the pool at zero
//! instead of below. The pool's own number looks fine; the money was that of others.

use candid::Principal;
use ic_cdk::api::msg_caller;
use ic_cdk::{init, query, update};
use std::cell::RefCell;
use zoo::Error;
use zoo::payment::{self, Outcome, Payment, transfer};

struct Pools {
    ledger: Principal,
    /// What can be redeemed.
    pool: u64,
    /// What belongs to others, in the same account on the ledger.
    others: u64,
}

thread_local! {
    static POOLS: RefCell<Option<Pools>> = const { RefCell::new(None) };
}

fn pools<R>(access: impl FnOnce(&mut Pools) -> R) -> R {
    POOLS.with_borrow_mut(|pools| access(pools.as_mut().expect("init has set the state")))
}

#[init]
fn init(ledger: Principal, pool: u64, others: u64) {
    POOLS.set(Some(Pools { ledger, pool, others }));
}

/// Pays out of the pool to the caller. The bug: the subtraction cannot fail, so nobody sees that it should have.
#[update]
async fn redeem(amount: u64) -> Result<(), Error> {
    let (ledger, pool) = pools(|pools| (pools.ledger, pools.pool));
    if amount > pool {
        return Err(Error::Insufficient);
    }
    let outcome = transfer(ledger, msg_caller(), amount).await;
    if outcome == Outcome::Paid {
        pools(|pools| pools.pool = pools.pool.saturating_sub(amount));
    }
    outcome.result()
}

/// Pays out of the pool to the caller: the subtraction is the check.
#[update]
async fn redeem_fixed(amount: u64) -> Result<(), Error> {
    let ledger = pools(|pools| {
        pools.pool = pools.pool.checked_sub(amount).ok_or(Error::Insufficient)?;
        Ok(pools.ledger)
    })?;
    let outcome = Payment::open(ledger, msg_caller(), amount).make().await;
    if outcome == Outcome::Refused {
        pools(|pools| pools.pool += amount);
    }
    outcome.result()
}

#[update]
async fn settle() {
    payment::settle().await;
}

#[query]
fn pool() -> u64 {
    pools(|pools| pools.pool)
}

#[query]
fn others() -> u64 {
    pools(|pools| pools.others)
}

#[query]
fn pending() -> u64 {
    payment::pending()
}

zoo::interface!("../did/t21_saturation.did");
