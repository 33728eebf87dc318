//! A bank whose customers withdraw one at a time each: the pattern of the caller guard.
//!
//! `withdraw` reads the caller's balance, asks the ledger for its fee, and writes the balance after that await. This is
//! right for one reason: nothing else changes the balance meanwhile, because the guard turns a second withdrawal of the
//! same caller away. The guard is dropped on every way out of the method and, by ic-cdk's cleanup, after a trap.
//!
//! A payment has three outcomes. What is proven not to be paid is given back; what is unknown stays debited and is
//! noted as unsettled, for somebody to look at the ledger's blocks.

use candid::{Nat, Principal};
use controls::icrc1::{Account, TransferArg, TransferError};
use ic_cdk::api::msg_caller;
use ic_cdk::call::{Call, CallErrorExt};
use ic_cdk::{init, query, update};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

struct Bank {
    ledger: Principal,
    balances: BTreeMap<Principal, u64>,
    /// Debited, and neither known to be paid nor known not to be.
    unsettled: u64,
}

thread_local! {
    static BANK: RefCell<Option<Bank>> = const { RefCell::new(None) };
    /// Customers who are withdrawing at this moment.
    static WITHDRAWING: RefCell<BTreeSet<Principal>> = const { RefCell::new(BTreeSet::new()) };
}

fn bank<R>(access: impl FnOnce(&mut Bank) -> R) -> R {
    BANK.with_borrow_mut(|bank| access(bank.as_mut().expect("init has set the state")))
}

/// Held by the withdrawal of one customer.
struct CallerGuard {
    caller: Principal,
}

impl CallerGuard {
    fn new(caller: Principal) -> Result<Self, String> {
        if WITHDRAWING.with_borrow_mut(|withdrawing| withdrawing.insert(caller)) {
            Ok(Self { caller })
        } else {
            Err("a withdrawal is under way".to_string())
        }
    }
}

impl Drop for CallerGuard {
    fn drop(&mut self) {
        WITHDRAWING.with_borrow_mut(|withdrawing| withdrawing.remove(&self.caller));
    }
}

#[init]
fn init(ledger: Principal, balances: Vec<(Principal, u64)>) {
    BANK.set(Some(Bank { ledger, balances: balances.into_iter().collect(), unsettled: 0 }));
}

/// Pays `amount` to the caller, who bears the ledger's fee, and returns the ledger's block.
#[update]
async fn withdraw(amount: u64) -> Result<Nat, String> {
    let caller = msg_caller();
    let _guard = CallerGuard::new(caller)?;
    let balance = bank(|bank| bank.balances.get(&caller).copied().unwrap_or_default());
    let fee = ledger_fee().await?;
    let cost = amount.checked_add(fee).ok_or("too large an amount")?;
    if balance < cost {
        return Err("insufficient funds".to_string());
    }
    bank(|bank| bank.balances.insert(caller, balance - cost));
    match transfer(caller, amount, fee).await {
        Outcome::Paid(block) => Ok(block),
        Outcome::NotPaid => {
            bank(|bank| *bank.balances.entry(caller).or_default() += cost);
            Err("not paid".to_string())
        }
        Outcome::Unknown => {
            bank(|bank| bank.unsettled += cost);
            Err("unsettled".to_string())
        }
    }
}

enum Outcome {
    Paid(Nat),
    NotPaid,
    Unknown,
}

async fn ledger_fee() -> Result<u64, String> {
    let ledger = bank(|bank| bank.ledger);
    let reply = Call::bounded_wait(ledger, "icrc1_fee").await.map_err(|_| "the fee is not known")?;
    let fee: Nat = reply.candid().map_err(|_| "the fee is no number")?;
    u64::try_from(fee.0).map_err(|_| "too high a fee".to_string())
}

async fn transfer(to: Principal, amount: u64, fee: u64) -> Outcome {
    let ledger = bank(|bank| bank.ledger);
    let arg = TransferArg {
        from_subaccount: None,
        to: Account::of(to),
        amount: Nat::from(amount),
        fee: Some(Nat::from(fee)),
        memo: None,
        created_at_time: None,
    };
    match Call::bounded_wait(ledger, "icrc1_transfer").with_arg(&arg).await {
        Ok(reply) => match reply.candid::<Result<Nat, TransferError>>() {
            Ok(Ok(block)) => Outcome::Paid(block),
            Ok(Err(_)) => Outcome::NotPaid,
            Err(_) => Outcome::Unknown,
        },
        Err(error) if error.is_clean_reject() => Outcome::NotPaid,
        Err(_) => Outcome::Unknown,
    }
}

/// What the bank owes all of its customers.
#[query]
fn book() -> u64 {
    bank(|bank| bank.balances.values().sum())
}

#[query]
fn unsettled() -> u64 {
    bank(|bank| bank.unsettled)
}

/// The Candid interface, readable through the export `get_candid_pointer`.
mod interface {
    use super::*;

    ic_cdk::export_candid!();

    #[cfg(test)]
    #[test]
    fn interface_file_is_what_the_module_exports() {
        let file = include_str!("../did/guarded_withdraw.did");
        assert_eq!(__export_service().trim(), file.trim());
    }
}
