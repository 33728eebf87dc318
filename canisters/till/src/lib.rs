//! Payouts that are under way while the canister is upgraded.
//!
//! An upgrade replaces the heap and leaves open calls alone. When their responses come, the code that waited
//! for them is gone, so what it would have done is never done: ic-cdk says of a callback after such an upgrade
//! no more than that it must not be relied upon. Two ways out: stop the canister before the upgrade, so that
//! no call is open; or keep in stable memory what is under way, and find out after the upgrade what became of it.
//!
//! | | `withdraw_heap` | `withdraw` |
//! |---|---|---|
//! | book | carried over | carried over |
//! | journal of open payments | lost with the heap | carried over |
//! | after an upgrade with open calls | money that nobody knows of | `settle` finds out |

#[path = "../../icrc1.rs"]
pub mod icrc1;

use candid::{CandidType, Deserialize, Nat, Principal};
use ic_cdk::call::{Call, CallErrorExt};
use ic_cdk::{init, post_upgrade, pre_upgrade, query, update};
use icrc1::{Account, TransferArg, TransferError};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// What an upgrade carries over.
#[derive(CandidType, Deserialize)]
struct Till {
    ledger: Principal,
    owner: Principal,
    /// What the till owes its owner.
    book: u64,
    next_id: u64,
    /// Payments of `withdraw` that are debited and not known to be paid or refused, by id.
    journal: BTreeMap<u64, Payment>,
}

/// Id, time and amount determine the transfer, so that the ledger recognises a repetition.
#[derive(CandidType, Deserialize, Clone, Copy)]
struct Payment {
    amount: u64,
    created_at_time: u64,
    /// Whether code is running that will remove the entry.
    is_awaited: bool,
}

thread_local! {
    static TILL: RefCell<Option<Till>> = const { RefCell::new(None) };
    /// Payments of `withdraw_heap`: the bug is that no upgrade carries them over.
    static HEAP_JOURNAL: RefCell<BTreeMap<u64, Payment>> = const { RefCell::new(BTreeMap::new()) };
}

fn till<R>(access: impl FnOnce(&mut Till) -> R) -> R {
    TILL.with_borrow_mut(|till| access(till.as_mut().expect("init has set the state")))
}

#[init]
fn init(ledger: Principal, owner: Principal, book: u64) {
    TILL.set(Some(Till { ledger, owner, book, next_id: 0, journal: BTreeMap::new() }));
}

#[pre_upgrade]
fn pre_upgrade() {
    let saved = TILL.take().expect("init has set the state");
    ic_cdk::storage::stable_save((saved,)).expect("stable memory takes the state");
}

/// Nobody awaits the open payments any more: from now on they belong to `settle`.
#[post_upgrade]
fn post_upgrade() {
    let (mut saved,): (Till,) = ic_cdk::storage::stable_restore().expect("stable memory holds a saved state");
    saved.journal.values_mut().for_each(|payment| payment.is_awaited = false);
    TILL.set(Some(saved));
}

/// Pays out, with a journal that an upgrade loses.
#[update]
async fn withdraw_heap(amount: u64) -> Result<(), String> {
    let (id, payment) = debit(amount)?;
    HEAP_JOURNAL.with_borrow_mut(|journal| journal.insert(id, payment));
    let outcome = send(id, payment).await;
    if outcome != Outcome::Unknown {
        HEAP_JOURNAL.with_borrow_mut(|journal| journal.remove(&id));
    }
    close(payment, outcome)
}

/// Pays out, with a journal that survives.
#[update]
async fn withdraw(amount: u64) -> Result<(), String> {
    let (id, payment) = debit(amount)?;
    till(|till| till.journal.insert(id, payment));
    let outcome = send(id, payment).await;
    till(|till| match outcome {
        Outcome::Unknown => till.journal.get_mut(&id).expect("it is ours").is_awaited = false,
        Outcome::Paid | Outcome::Refused => drop(till.journal.remove(&id)),
    });
    close(payment, outcome)
}

/// Repeats the payments whose outcome is unknown. The ledger makes a payment once, however often it is asked.
#[update]
async fn settle() {
    let ids: Vec<u64> = till(|till| till.journal.keys().copied().collect());
    for id in ids {
        let taken = till(|till| {
            let payment = till.journal.get_mut(&id).filter(|payment| !payment.is_awaited)?;
            payment.is_awaited = true;
            Some(*payment)
        });
        let Some(payment) = taken else { continue };
        let outcome = send(id, payment).await;
        // A refusal speaks of the repetition only: the first request may have been paid, or may still be on its way.
        till(|till| match outcome {
            Outcome::Paid => drop(till.journal.remove(&id)),
            Outcome::Refused | Outcome::Unknown => {
                till.journal.get_mut(&id).expect("it is ours").is_awaited = false;
            }
        });
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Paid,
    Refused,
    Unknown,
}

/// Takes the amount from the book; the caller enters the payment into a journal in the same message.
fn debit(amount: u64) -> Result<(u64, Payment), String> {
    let created_at_time = ic_cdk::api::time();
    till(|till| {
        till.book = till.book.checked_sub(amount).ok_or("insufficient funds")?;
        till.next_id += 1;
        Ok((till.next_id, Payment { amount, created_at_time, is_awaited: true }))
    })
}

/// Gives back what was not paid.
fn close(payment: Payment, outcome: Outcome) -> Result<(), String> {
    match outcome {
        Outcome::Paid => Ok(()),
        Outcome::Refused => {
            till(|till| till.book += payment.amount);
            Err("refused".to_string())
        }
        Outcome::Unknown => Err("unknown".to_string()),
    }
}

async fn send(id: u64, payment: Payment) -> Outcome {
    let (ledger, owner) = till(|till| (till.ledger, till.owner));
    let arg = TransferArg {
        from_subaccount: None,
        to: Account::of(owner),
        amount: Nat::from(payment.amount),
        fee: None,
        memo: Some(id.to_be_bytes().to_vec()),
        created_at_time: Some(payment.created_at_time),
    };
    match Call::unbounded_wait(ledger, "icrc1_transfer").with_arg(&arg).await {
        Ok(reply) => match reply.candid::<Result<Nat, TransferError>>() {
            Ok(Ok(_) | Err(TransferError::Duplicate { .. })) => Outcome::Paid,
            Ok(Err(_)) => Outcome::Refused,
            Err(_) => Outcome::Unknown,
        },
        Err(error) if error.is_clean_reject() => Outcome::Refused,
        Err(_) => Outcome::Unknown,
    }
}

#[query]
fn book() -> u64 {
    till(|till| till.book)
}

/// What is debited and neither known to be paid nor known to be refused.
#[query]
fn pending() -> u64 {
    let of = |journal: &BTreeMap<u64, Payment>| journal.values().map(|payment| payment.amount).sum::<u64>();
    till(|till| of(&till.journal)) + HEAP_JOURNAL.with_borrow(of)
}

/// The Candid interface, readable through the export `get_candid_pointer`.
mod interface {
    use super::*;

    ic_cdk::export_candid!();

    #[cfg(test)]
    #[test]
    fn interface_file_is_what_the_module_exports() {
        let file = include_str!("../till.did");
        assert_eq!(__export_service().trim(), file.trim());
    }
}
