//! The vault as a canister: ic-cdk entry points that do nothing but call `handlers`.
//!
//! Anyone may call it; the money goes to the owner whoever asks.

#[path = "../../host.rs"]
pub mod host;
#[path = "../../ic.rs"]
pub mod ic;
#[path = "../../icrc1.rs"]
pub mod icrc1;

pub mod handlers;
#[cfg(test)]
mod tests;

use candid::{Nat, Principal};
use handlers::State;
use host::Host;
use ic::{Cell, Ic};
use ic_cdk::{init, post_upgrade, pre_upgrade, query, update};

thread_local! {
    static STATE: Cell<State> = const { Cell::new(None) };
}

const IC: Ic<State> = Ic(&STATE);

#[init]
fn init(ledger: Principal, owner: Principal, balance: u64) {
    IC.init(State::new(ledger, owner, balance));
}

#[pre_upgrade]
fn pre_upgrade() {
    IC.save();
}

#[post_upgrade]
fn post_upgrade() {
    IC.restore();
    IC.state(State::after_upgrade);
}

#[update]
fn deposit(amount: u64) -> u64 {
    handlers::deposit(&IC, amount)
}

#[query]
fn get_balance() -> u64 {
    handlers::balance(&IC)
}

#[query]
fn pending() -> u64 {
    handlers::pending(&IC)
}

#[update]
async fn withdraw_stale(amount: u64) -> bool {
    handlers::withdraw_stale(&IC, amount).await
}

#[update]
async fn withdraw_rollback(amount: u64) -> Result<(), String> {
    handlers::withdraw_rollback(&IC, amount).await
}

#[update]
async fn withdraw_sound(amount: u64) -> Result<Nat, String> {
    handlers::withdraw_sound(&IC, amount).await
}

#[update]
async fn reconcile() -> u64 {
    handlers::reconcile(&IC).await
}

/// The Candid interface, readable through the export `get_candid_pointer`.
mod interface {
    use super::*;

    ic_cdk::export_candid!();

    #[cfg(test)]
    #[test]
    fn interface_file_is_what_the_module_exports() {
        let file = include_str!("../vault.did");
        assert_eq!(__export_service().trim(), file.trim());
    }
}
