//! The stale withdrawal of `vault` in plain numbers: what the search costs when messages cost little.
//!
//! Nearly all instructions of `vault` and `ledger` go into the Candid of the types of ICRC-1. Here every argument and
//! answer is a number, so that a message runs some ten thousand instructions.

use candid::Principal;
use ic_cdk::call::Call;
use ic_cdk::{init, query, update};
use std::cell::Cell;

thread_local! {
    static BOOK: Cell<u64> = const { Cell::new(0) };
    static LEDGER: Cell<Principal> = const { Cell::new(Principal::anonymous()) };
}

#[init]
fn init(ledger: Principal, balance: u64) {
    LEDGER.set(ledger);
    BOOK.set(balance);
}

/// Pays, then writes down what the book said *before* minus what it paid.
///
/// The bug: two withdrawals that overlap read the same number, and the second write erases the first.
#[update]
async fn withdraw(amount: u64) -> bool {
    let before = BOOK.get();
    if amount > before {
        return false;
    }
    let reply = Call::unbounded_wait(LEDGER.get(), "transfer").with_arg(amount).await;
    let is_paid = reply.is_ok_and(|reply| reply.candid().is_ok_and(|is_paid: bool| is_paid));
    if is_paid {
        BOOK.set(before - amount);
    }
    is_paid
}

/// What the vault believes to have on the ledger.
#[query]
fn book() -> u64 {
    BOOK.get()
}

/// The Candid interface, readable through the export `get_candid_pointer`.
mod interface {
    use super::*;

    ic_cdk::export_candid!();

    #[cfg(test)]
    #[test]
    fn interface_file_is_what_the_module_exports() {
        let file = include_str!("../plain_vault.did");
        assert_eq!(__export_service().trim(), file.trim());
    }
}
