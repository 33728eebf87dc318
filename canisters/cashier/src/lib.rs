//! Orders to pay, in a queue that every heartbeat works on.
//!
//! A heartbeat that awaits does not keep the next one from starting. One that leaves the order in the queue
//! until it is paid lets the next heartbeat take the same order; one that takes it out first does not.

#[path = "../../icrc1.rs"]
pub mod icrc1;

use candid::{CandidType, Deserialize, Nat, Principal};
use ic_cdk::call::Call;
use ic_cdk::{heartbeat, init, query, update};
use icrc1::{Account, TransferArg, TransferError};
use std::cell::RefCell;
use std::collections::VecDeque;

/// When a heartbeat takes an order out of the queue.
#[derive(CandidType, Deserialize, Clone, Copy)]
enum Mode {
    /// After it is paid: the bug.
    AfterPayment,
    /// Before the payment. An order that was not paid goes back.
    BeforePayment,
}

struct Cashier {
    ledger: Principal,
    payee: Principal,
    mode: Mode,
    /// Amounts, the oldest first.
    queue: VecDeque<u64>,
    /// Sum of all orders so far.
    ordered: u64,
}

thread_local! {
    static CASHIER: RefCell<Option<Cashier>> = const { RefCell::new(None) };
}

fn cashier<R>(access: impl FnOnce(&mut Cashier) -> R) -> R {
    CASHIER.with_borrow_mut(|cashier| access(cashier.as_mut().expect("init has set the state")))
}

#[init]
fn init(ledger: Principal, payee: Principal, mode: Mode) {
    CASHIER.set(Some(Cashier { ledger, payee, mode, queue: VecDeque::new(), ordered: 0 }));
}

/// Orders a payment; the next heartbeats make it.
#[update]
fn order(amount: u64) {
    cashier(|cashier| {
        cashier.ordered += amount;
        cashier.queue.push_back(amount);
    });
}

#[heartbeat]
async fn heartbeat() {
    match cashier(|cashier| cashier.mode) {
        Mode::AfterPayment => pay_then_take().await,
        Mode::BeforePayment => take_then_pay().await,
    }
}

/// Pays the oldest order, then takes it out of the queue.
///
/// The bugs: during the await the next heartbeat finds the same order and pays it again; and what it takes
/// out afterwards is another one, which nobody ever pays.
async fn pay_then_take() {
    let oldest = cashier(|cashier| cashier.queue.front().copied());
    let Some(amount) = oldest else { return };
    if transfer(amount).await {
        cashier(|cashier| cashier.queue.pop_front());
    }
}

/// Takes the oldest order out of the queue, then pays it. If it was not paid, it is put back.
async fn take_then_pay() {
    let taken = cashier(|cashier| cashier.queue.pop_front());
    let Some(amount) = taken else { return };
    if !transfer(amount).await {
        cashier(|cashier| cashier.queue.push_front(amount));
    }
}

/// Waits for the answer however long it takes: without one it could not say that nothing was paid.
async fn transfer(amount: u64) -> bool {
    let (ledger, payee) = cashier(|cashier| (cashier.ledger, cashier.payee));
    let arg = TransferArg {
        from_subaccount: None,
        to: Account::of(payee),
        amount: Nat::from(amount),
        fee: None,
        memo: None,
        created_at_time: None,
    };
    let reply = Call::unbounded_wait(ledger, "icrc1_transfer").with_arg(&arg).await;
    reply.is_ok_and(|reply| matches!(reply.candid(), Ok(Ok::<Nat, TransferError>(_block))))
}

#[query]
fn ordered() -> u64 {
    cashier(|cashier| cashier.ordered)
}

#[query]
fn queued() -> u64 {
    cashier(|cashier| cashier.queue.iter().sum())
}

/// The Candid interface, readable through the export `get_candid_pointer`.
mod interface {
    use super::*;

    ic_cdk::export_candid!();

    #[cfg(test)]
    #[test]
    fn interface_file_is_what_the_module_exports() {
        let file = include_str!("../cashier.did");
        assert_eq!(__export_service().trim(), file.trim());
    }
}
