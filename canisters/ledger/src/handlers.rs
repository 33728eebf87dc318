//! An ICRC-1 ledger: small, synchronous, and strict about deduplication.
//!
//! There is no await in it, so a transfer is one message: it happens entirely or not at all. What a
//! client cannot know is *whether* it happened, if the reply gets lost; deduplication is what lets the
//! client ask again without paying twice.
//!
//! Left out: minting, metadata, approvals, blocks (a block index is all that is kept of a block).

use super::host::Host;
use super::icrc1::{Account, TransferArg, TransferError};
use candid::{CandidType, Deserialize, Nat, Principal};
use std::collections::BTreeMap;

/// How long a transaction is remembered: 24 hours.
pub const WINDOW_NS: u64 = 24 * 60 * 60 * 1_000_000_000;

/// How far the clocks of client and ledger may differ: 2 minutes.
pub const DRIFT_NS: u64 = 2 * 60 * 1_000_000_000;

/// The argument of `init`.
#[derive(CandidType, Deserialize, Clone, Debug)]
pub struct InitArg {
    /// What every transfer costs the sender; it is burned.
    pub fee: Nat,
    /// What the default account of each principal holds at first.
    pub balances: Vec<(Principal, Nat)>,
}

/// The canister's whole state.
#[derive(CandidType, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct State {
    fee: Nat,
    /// Accounts that hold something; the default subaccount is written as none.
    balances: BTreeMap<Account, Nat>,
    /// The block of each transaction in the window that had a `created_at_time`, oldest first.
    remembered: BTreeMap<Transaction, Nat>,
    next_block: Nat,
}

impl State {
    /// A ledger that holds what the argument says.
    pub fn new(arg: InitArg) -> Self {
        let mut state =
            Self { fee: arg.fee, balances: BTreeMap::new(), remembered: BTreeMap::new(), next_block: Nat::from(0u8) };
        for (owner, amount) in arg.balances {
            let balance = state.balance(&Account::of(owner)) + amount;
            state.set_balance(Account::of(owner), balance);
        }
        state
    }

    fn balance(&self, account: &Account) -> Nat {
        self.balances.get(account).cloned().unwrap_or_default()
    }

    fn set_balance(&mut self, account: Account, balance: Nat) {
        if balance == 0u8 {
            self.balances.remove(&account);
        } else {
            self.balances.insert(account, balance);
        }
    }
}

/// What makes two transfers the same one. The time comes first, so that the oldest is first in order.
#[derive(CandidType, Deserialize, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Transaction {
    created_at_time: u64,
    from: Account,
    to: Account,
    amount: Nat,
    fee: Option<Nat>,
    memo: Option<Vec<u8>>,
}

/// Moves `amount` from the caller's account to another one and burns the fee.
///
/// A transfer with a `created_at_time` is executed at most once, however often it is sent: the ledger
/// remembers it for as long as it would accept it. The answer to a repetition is `Duplicate` with the
/// block of the first, and this is decided before fee and funds are looked at.
///
/// # Errors
///
/// Those of ICRC-1; nothing has changed then.
pub fn icrc1_transfer(
    host: &impl Host<State = State>,
    caller: Principal,
    arg: TransferArg,
) -> Result<Nat, TransferError> {
    let now_ns = host.now_ns();
    let from = normal(Account { owner: caller, subaccount: arg.from_subaccount });
    let to = normal(arg.to);
    host.state(|ledger| {
        let transaction = arg.created_at_time.map(|created_at_time| Transaction {
            created_at_time,
            from: from.clone(),
            to: to.clone(),
            amount: arg.amount.clone(),
            fee: arg.fee.clone(),
            memo: arg.memo,
        });
        if let Some(transaction) = &transaction {
            check_not_done(ledger, transaction, now_ns)?;
        }
        move_funds(ledger, from, to, arg.amount, arg.fee)?;
        let block = ledger.next_block.clone();
        ledger.next_block += 1u8;
        if let Some(transaction) = transaction {
            ledger.remembered.insert(transaction, block.clone());
        }
        Ok(block)
    })
}

/// What the account holds.
pub fn icrc1_balance_of(host: &impl Host<State = State>, account: Account) -> Nat {
    host.state(|ledger| ledger.balance(&normal(account)))
}

/// What all accounts hold together.
pub fn icrc1_total_supply(host: &impl Host<State = State>) -> Nat {
    host.state(|ledger| {
        let balances = ledger.balances.values().cloned();
        balances.fold(Nat::default(), |sum, balance| sum + balance)
    })
}

/// What a transfer costs the sender.
pub fn icrc1_fee(host: &impl Host<State = State>) -> Nat {
    host.state(|ledger| ledger.fee.clone())
}

/// Refuses a transaction that is outside the window or has been executed, and forgets those whose
/// repetition the window refuses anyway.
fn check_not_done(ledger: &mut State, transaction: &Transaction, now_ns: u64) -> Result<(), TransferError> {
    let oldest_ns = now_ns.saturating_sub(WINDOW_NS + DRIFT_NS);
    while let Some(first) = ledger.remembered.first_entry() {
        if first.key().created_at_time >= oldest_ns {
            break;
        }
        first.remove();
    }
    if transaction.created_at_time < oldest_ns {
        return Err(TransferError::TooOld);
    }
    if transaction.created_at_time > now_ns.saturating_add(DRIFT_NS) {
        return Err(TransferError::CreatedInFuture { ledger_time: now_ns });
    }
    match ledger.remembered.get(transaction) {
        Some(block) => Err(TransferError::Duplicate { duplicate_of: block.clone() }),
        None => Ok(()),
    }
}

/// Debits amount and fee, credits the amount, burns the fee.
fn move_funds(
    ledger: &mut State,
    from: Account,
    to: Account,
    amount: Nat,
    fee: Option<Nat>,
) -> Result<(), TransferError> {
    let expected_fee = ledger.fee.clone();
    if fee.is_some_and(|fee| fee != expected_fee) {
        return Err(TransferError::BadFee { expected_fee });
    }
    let cost = amount.clone() + expected_fee;
    let balance = ledger.balance(&from);
    if balance < cost {
        return Err(TransferError::InsufficientFunds { balance });
    }
    ledger.set_balance(from, balance - cost);
    let credited = ledger.balance(&to) + amount;
    ledger.set_balance(to, credited);
    Ok(())
}

/// The one way to write an account: 32 zero bytes are the default subaccount.
fn normal(account: Account) -> Account {
    Account { subaccount: account.subaccount.filter(|bytes| *bytes != [0; 32]), ..account }
}
