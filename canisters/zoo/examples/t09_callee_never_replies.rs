//! T9, a callee that never replies: the user says whom to notify, and the canister waits for the answer without a bound.
//! A callee that keeps the call open keeps the canister from ever being stopped, and so from a safe upgrade.

use candid::Principal;
use ic_cdk::call::Call;
use ic_cdk::{query, update};
use std::cell::Cell;
use zoo::Error;

thread_local! {
    /// Notifications that were answered.
    static ANSWERED: Cell<u64> = const { Cell::new(0) };
    /// Notifications that nobody waits for any more.
    static GIVEN_UP: Cell<u64> = const { Cell::new(0) };
}

/// Notifies a canister of the caller's choice. The bug: it waits as long as that canister likes.
#[update]
async fn notify(whom: Principal) -> Result<(), Error> {
    let call = Call::unbounded_wait(whom, "on_event");
    end(call.await.is_ok())
}

/// Notifies a canister of the caller's choice, and waits ten seconds at most.
#[update]
async fn notify_fixed(whom: Principal) -> Result<(), Error> {
    let call = Call::bounded_wait(whom, "on_event").change_timeout(10);
    end(call.await.is_ok())
}

fn end(is_answered: bool) -> Result<(), Error> {
    if is_answered {
        ANSWERED.set(ANSWERED.get() + 1);
        return Ok(());
    }
    GIVEN_UP.set(GIVEN_UP.get() + 1);
    Err(Error::Unknown)
}

#[query]
fn answered() -> u64 {
    ANSWERED.get()
}

#[query]
fn given_up() -> u64 {
    GIVEN_UP.get()
}

zoo::interface!("../did/t09_callee_never_replies.did");
