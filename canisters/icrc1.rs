//! The Candid types of ICRC-1 that the ledger and its client share.
//!
//! Source: <https://github.com/dfinity/ICRC-1/tree/main/standards/ICRC-1>. The standard's metadata,
//! minting account and name methods are left out.

use candid::{CandidType, Deserialize, Nat, Principal};

/// An account: a principal and one of its subaccounts.
#[derive(CandidType, Deserialize, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Account {
    /// Who may transfer from the account.
    pub owner: Principal,
    /// Which of the owner's accounts; none means 32 zero bytes.
    pub subaccount: Option<[u8; 32]>,
}

impl Account {
    /// The default account of `owner`.
    pub fn of(owner: Principal) -> Self {
        Self { owner, subaccount: None }
    }
}

/// The argument of `icrc1_transfer`.
#[derive(CandidType, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct TransferArg {
    /// Which account of the caller pays.
    pub from_subaccount: Option<[u8; 32]>,
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

/// Why a ledger refused a transfer. A refused transfer moved nothing.
#[derive(CandidType, Deserialize, Clone, Debug, PartialEq, Eq)]
pub enum TransferError {
    /// The fee in the argument is not the ledger's.
    BadFee {
        /// The ledger's fee.
        expected_fee: Nat,
    },
    /// The amount is too small to burn.
    BadBurn {
        /// The smallest amount that can be burned.
        min_burn_amount: Nat,
    },
    /// The account holds less than amount and fee.
    InsufficientFunds {
        /// What the account holds.
        balance: Nat,
    },
    /// `created_at_time` lies before the deduplication window.
    TooOld,
    /// `created_at_time` lies further ahead than clocks may differ.
    CreatedInFuture {
        /// The ledger's time in nanoseconds.
        ledger_time: u64,
    },
    /// This very transaction is in the ledger already: the one refusal that means *paid*.
    Duplicate {
        /// The block that holds it.
        duplicate_of: Nat,
    },
    /// The ledger cannot serve the call now.
    TemporarilyUnavailable,
    /// Anything else.
    GenericError {
        /// A number of the ledger's choice.
        error_code: Nat,
        /// Text for people.
        message: String,
    },
}
