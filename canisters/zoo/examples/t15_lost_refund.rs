//! T15, a refund of cycles that nobody gets: cycles go with a call, and what the callee does not accept comes back. The
//! code thinks of that where the call succeeds; where it fails, the user's cycles stay with the canister.

use candid::{CandidType, Principal};
use ic_cdk::api::{canister_cycle_balance, msg_cycles_refunded};
use ic_cdk::call::{Call, CallFailed};
use ic_cdk::{init, query, update};
use std::cell::RefCell;
use zoo::Error;

/// What the exchange rate canister wants to see; it keeps less.
const ATTACHED: u128 = 1_000_000_000;

struct Proxy {
    rates: Principal,
    /// Cycles of the user that the canister holds.
    credit: u128,
    /// Cycles that are the canister's own.
    own: u128,
}

thread_local! {
    static PROXY: RefCell<Option<Proxy>> = const { RefCell::new(None) };
}

fn proxy<R>(access: impl FnOnce(&mut Proxy) -> R) -> R {
    PROXY.with_borrow_mut(|proxy| access(proxy.as_mut().expect("init has set the state")))
}

/// Of the cycles that the canister has now, `credit` are the user's.
#[init]
fn init(rates: Principal, credit: u128) {
    PROXY.set(Some(Proxy { rates, credit, own: canister_cycle_balance() - credit }));
}

#[derive(CandidType)]
enum AssetClass {
    Cryptocurrency,
    FiatCurrency,
}

#[derive(CandidType)]
struct Asset {
    symbol: &'static str,
    class: AssetClass,
}

/// A pair of assets; which one is asked for does not matter here.
#[derive(CandidType)]
struct Request {
    base_asset: Asset,
    quote_asset: Asset,
}

/// Takes cycles from the user and asks for a rate with them.
fn ask() -> Result<Call<'static, 'static>, Error> {
    let rates = proxy(|proxy| {
        proxy.credit = proxy.credit.checked_sub(ATTACHED).ok_or(Error::Insufficient)?;
        Ok(proxy.rates)
    })?;
    let base_asset = Asset { symbol: "ICP", class: AssetClass::Cryptocurrency };
    let quote_asset = Asset { symbol: "USD", class: AssetClass::FiatCurrency };
    let call = Call::bounded_wait(rates, "get_exchange_rate").with_arg(Request { base_asset, quote_asset });
    Ok(call.with_cycles(ATTACHED))
}

/// Asks for a rate at the user's cost. The bug: the `?` forgets what comes back from a call that fails.
#[update]
async fn rate() -> Result<(), Error> {
    ask()?.await.map_err(|_| Error::Unknown)?;
    proxy(|proxy| proxy.credit += msg_cycles_refunded());
    Ok(())
}

/// Asks for a rate at the user's cost: what comes back is the user's, whatever the answer.
#[update]
async fn rate_fixed() -> Result<(), Error> {
    let answer = ask()?.await;
    let back = match &answer {
        Ok(_) | Err(CallFailed::CallRejected(_)) => msg_cycles_refunded(),
        // The call was not made.
        Err(_) => ATTACHED,
    };
    proxy(|proxy| proxy.credit += back);
    answer.map(drop).map_err(|_| Error::Unknown)
}

/// What the user can spend, by the canister's book.
#[query]
fn credit() -> u128 {
    proxy(|proxy| proxy.credit)
}

/// What the canister has beyond its own cycles.
#[query]
fn held() -> u128 {
    proxy(|proxy| canister_cycle_balance() - proxy.own)
}

zoo::interface!("../did/t15_lost_refund.did");
