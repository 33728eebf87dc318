//! Canister A of the article: what can happen between the two halves of `foo`?
//!
//! `foo` increments, awaits a slow call and increments again. The await splits it into two messages;
//! whatever arrives in between sees the counter half way, and may change it.

use super::host::{Host, Wait};
use candid::{CandidType, Deserialize, Principal};

/// The canister's whole state.
#[derive(CandidType, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The counter, modulo 2^64.
    pub x: u64,
}

/// Increments, awaits `callee.bar()`, increments again.
///
/// Both increments act on the value of their own moment, so no increment is ever lost: `foo` adds two
/// in the end, whether `bar` replied or not. What does not hold is that it adds two *at once*: every
/// message delivered while `bar` runs finds the counter after the first increment.
pub async fn foo(host: &impl Host<State = State>, callee: Principal) {
    increment(host);
    bar(host, callee).await;
    increment(host);
}

/// Awaits `callee.bar()` and says whether the counter has the same value as before.
///
/// False means that another message changed the counter during the await. True does not mean that none
/// did: an increment and a decrement in between leave the same value (the ABA problem). A check that
/// misses nothing would compare a number of changes, which only grows.
pub async fn foo_checked(host: &impl Host<State = State>, callee: Principal) -> bool {
    let x_before = x(host);
    bar(host, callee).await;
    let x_after = x(host);
    x_before == x_after
}

/// Adds one.
pub fn increment(host: &impl Host<State = State>) {
    host.state(|state| state.x = state.x.wrapping_add(1));
}

/// Subtracts one: the compensation of [`increment`].
pub fn decrement(host: &impl Host<State = State>) {
    host.state(|state| state.x = state.x.wrapping_sub(1));
}

/// The counter.
pub fn x(host: &impl Host<State = State>) -> u64 {
    host.state(|state| state.x)
}

/// Awaits `callee.bar()` and ignores both its result and its failure, as the article does.
async fn bar(host: &impl Host<State = State>, callee: Principal) {
    let no_arguments = candid::encode_args(()).expect("no arguments can be encoded");
    let _ = host.call(callee, "bar", no_arguments, Wait::Unbounded).await;
}
