//! The counter as a canister: ic-cdk entry points that do nothing but call `handlers`.

#[path = "../../host.rs"]
pub mod host;
#[path = "../../ic.rs"]
pub mod ic;

pub mod handlers;

use candid::Principal;
use handlers::State;
use ic::{Cell, Ic};
use ic_cdk::{init, post_upgrade, pre_upgrade, query, update};

thread_local! {
    static STATE: Cell<State> = const { Cell::new(None) };
}

const IC: Ic<State> = Ic(&STATE);

#[init]
fn init() {
    IC.init(State::default());
}

#[pre_upgrade]
fn pre_upgrade() {
    IC.save();
}

#[post_upgrade]
fn post_upgrade() {
    IC.restore();
}

#[update]
async fn foo(callee: Principal) {
    handlers::foo(&IC, callee).await;
}

#[update]
async fn foo_checked(callee: Principal) -> bool {
    handlers::foo_checked(&IC, callee).await
}

#[update]
fn increment() {
    handlers::increment(&IC);
}

#[update]
fn decrement() {
    handlers::decrement(&IC);
}

#[query]
fn get_x() -> u64 {
    handlers::x(&IC)
}

/// The Candid interface, readable through the export `get_candid_pointer`.
mod interface {
    use super::*;

    ic_cdk::export_candid!();

    #[cfg(test)]
    #[test]
    fn interface_file_is_what_the_module_exports() {
        let file = include_str!("../counter.did");
        assert_eq!(__export_service().trim(), file.trim());
    }
}
