//! The ledger as a canister: ic-cdk entry points that do nothing but call `handlers`.

#[path = "../../host.rs"]
pub mod host;
#[path = "../../ic.rs"]
pub mod ic;
#[path = "../../icrc1.rs"]
pub mod icrc1;

pub mod handlers;
#[cfg(test)]
mod tests;

use candid::Nat;
use handlers::{InitArg, State};
use ic::{Cell, Ic};
use ic_cdk::{init, post_upgrade, pre_upgrade, query, update};
use icrc1::{Account, TransferArg, TransferError};

thread_local! {
    static STATE: Cell<State> = const { Cell::new(None) };
}

const IC: Ic<State> = Ic(&STATE);

#[init]
fn init(arg: InitArg) {
    IC.init(State::new(arg));
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
fn icrc1_transfer(arg: TransferArg) -> Result<Nat, TransferError> {
    handlers::icrc1_transfer(&IC, ic_cdk::api::msg_caller(), arg)
}

#[query]
fn icrc1_balance_of(account: Account) -> Nat {
    handlers::icrc1_balance_of(&IC, account)
}

#[query]
fn icrc1_total_supply() -> Nat {
    handlers::icrc1_total_supply(&IC)
}

#[query]
fn icrc1_fee() -> Nat {
    handlers::icrc1_fee(&IC)
}

/// The Candid interface, readable through the export `get_candid_pointer`.
mod interface {
    use super::*;

    ic_cdk::export_candid!();

    #[cfg(test)]
    #[test]
    fn interface_file_is_what_the_module_exports() {
        let file = include_str!("../ledger.did");
        assert_eq!(__export_service().trim(), file.trim());
    }
}
