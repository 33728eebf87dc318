//! The ledger of `plain_vault`: what it holds for the vault and what it has paid, as plain numbers.
//!
//! It keeps no accounts, blocks or log, so that states which mean the same have the same bytes.

use ic_cdk::{init, query, update};
use std::cell::Cell;

thread_local! {
    static BALANCE: Cell<u64> = const { Cell::new(0) };
    static PAID: Cell<u64> = const { Cell::new(0) };
}

#[init]
fn init(balance: u64) {
    BALANCE.set(balance);
}

/// Pays out of the vault's money, wholly or not at all; says whether it did.
#[update]
fn transfer(amount: u64) -> bool {
    let Some(rest) = BALANCE.get().checked_sub(amount) else { return false };
    BALANCE.set(rest);
    PAID.set(PAID.get() + amount);
    true
}

/// What is left of the vault's money.
#[query]
fn balance() -> u64 {
    BALANCE.get()
}

/// What was paid out.
#[query]
fn paid() -> u64 {
    PAID.get()
}

/// The Candid interface, readable through the export `get_candid_pointer`.
///
/// It needs no types of this canister: numbers are all that is exchanged.
mod interface {
    ic_cdk::export_candid!();

    #[cfg(test)]
    #[test]
    fn interface_file_is_what_the_module_exports() {
        let file = include_str!("../plain_ledger.did");
        assert_eq!(__export_service().trim(), file.trim());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transfer_moves_the_amount_and_nothing_if_it_is_too_much() {
        init(100);
        assert!(transfer(30));
        assert!(!transfer(71));
        assert_eq!((balance(), paid()), (70, 30));
        assert!(transfer(70));
        assert_eq!((balance(), paid()), (0, 100));
    }
}
