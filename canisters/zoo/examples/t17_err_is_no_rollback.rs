//! T17, `Err` is no rollback: a swap has two legs, and when the second is impossible the method returns an error. Only a
//! trap would have undone the first.

use candid::{CandidType, Principal};
use ic_cdk::call::Call;
use ic_cdk::{init, query, update};
use std::cell::RefCell;
use zoo::Error;

/// Two tokens that somebody has.
#[derive(CandidType, Clone, Copy)]
struct Tokens {
    a: u64,
    b: u64,
}

#[derive(Clone, Copy)]
struct Swaps {
    /// Knows how many B one A is worth.
    rates: Principal,
    user: Tokens,
    pool: Tokens,
}

thread_local! {
    static SWAPS: RefCell<Option<Swaps>> = const { RefCell::new(None) };
}

fn swaps<R>(access: impl FnOnce(&mut Swaps) -> R) -> R {
    SWAPS.with_borrow_mut(|swaps| access(swaps.as_mut().expect("init has set the state")))
}

#[init]
fn init(rates: Principal, user_a: u64, pool_b: u64) {
    SWAPS.set(Some(Swaps { rates, user: Tokens { a: user_a, b: 0 }, pool: Tokens { a: 0, b: pool_b } }));
}

/// Moves an amount, if it is there.
fn leg(from: &mut u64, to: &mut u64, amount: u64) -> Result<(), Error> {
    *from = from.checked_sub(amount).ok_or(Error::Insufficient)?;
    *to += amount;
    Ok(())
}

/// Both legs of a swap.
fn exchange(swaps: &mut Swaps, amount: u64, rate: u64) -> Result<(), Error> {
    leg(&mut swaps.user.a, &mut swaps.pool.a, amount)?;
    leg(&mut swaps.pool.b, &mut swaps.user.b, amount * rate)
}

async fn rate() -> Result<u64, Error> {
    let reply = Call::unbounded_wait(swaps(|swaps| swaps.rates), "rate").await.map_err(|_| Error::Unknown)?;
    reply.candid().map_err(|_| Error::Unknown)
}

/// Swaps an amount of A. The bug: if the pool has too little B, A is gone all the same.
#[update]
async fn swap(amount: u64) -> Result<(), Error> {
    let rate = rate().await?;
    swaps(|swaps| exchange(swaps, amount, rate))
}

/// Swaps an amount of A: the legs are tried on a copy, which replaces the original if both went well.
#[update]
async fn swap_fixed(amount: u64) -> Result<(), Error> {
    let rate = rate().await?;
    swaps(|swaps| {
        let mut after = *swaps;
        exchange(&mut after, amount, rate)?;
        *swaps = after;
        Ok(())
    })
}

#[query]
fn user() -> Tokens {
    swaps(|swaps| swaps.user)
}

#[query]
fn pool() -> Tokens {
    swaps(|swaps| swaps.pool)
}

zoo::interface!("../did/t17_err_is_no_rollback.did");
