//! What the controls share: the types of the ledgers they pay with. The canisters are the examples of this package.

use candid::{CandidType, Nat};

#[path = "../../icrc1.rs"]
pub mod icrc1;

use icrc1::Account;

/// The argument of `icrc2_transfer_from`.
#[derive(CandidType, Clone, Debug)]
pub struct TransferFromArg {
    /// Which account of the caller has the allowance.
    pub spender_subaccount: Option<[u8; 32]>,
    /// Who pays.
    pub from: Account,
    /// Who receives the amount.
    pub to: Account,
    /// What the receiver gets; the fee comes on top.
    pub amount: Nat,
    /// The fee that the caller agrees to; none means the ledger's own.
    pub fee: Option<Nat>,
    /// Free bytes, part of the deduplication key.
    pub memo: Option<Vec<u8>>,
    /// When the caller made the transaction; without it nothing is deduplicated.
    pub created_at_time: Option<u64>,
}

impl TransferFromArg {
    /// A transfer from one account to another, without a deduplication key.
    pub fn new(from: Account, to: Account, amount: Nat) -> Self {
        Self { spender_subaccount: None, from, to, amount, fee: None, memo: None, created_at_time: None }
    }
}
