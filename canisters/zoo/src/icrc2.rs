//! The Candid types of ICRC-2 that the zoo needs.
//!
//! Source: <https://github.com/dfinity/ICRC-1/tree/main/standards/ICRC-2>. Of refusals only is told that there was one.

use super::icrc1::Account;
use candid::{CandidType, Deserialize, Nat, Reserved};

/// The argument of `icrc2_allowance`.
#[derive(CandidType)]
pub struct AllowanceArgs {
    /// Whose tokens they are.
    pub account: Account,
    /// Who may take them.
    pub spender: Account,
}

/// The reply of `icrc2_allowance`.
#[derive(CandidType, Deserialize)]
pub struct Allowance {
    /// What the spender may take, fees included.
    pub allowance: Nat,
}

/// The argument of `icrc2_approve`; what is optional is left out.
#[derive(CandidType)]
pub struct ApproveArgs {
    /// Who may take the tokens.
    pub spender: Account,
    /// How much, fees included.
    pub amount: Nat,
}

/// The argument of `icrc2_transfer_from`; of what is optional, only what makes a repetition known is there.
#[derive(CandidType)]
pub struct TransferFromArgs {
    /// Who pays.
    pub from: Account,
    /// Who receives.
    pub to: Account,
    /// What the receiver gets.
    pub amount: Nat,
}

/// The reply of `icrc2_approve` and `icrc2_transfer_from`: the block, or why nothing was done.
pub type Block = Result<Nat, Reserved>;
