//! Candid types of ICRC-1 and ICRC-2, with the names and meanings of the standards.
#![expect(missing_docs, reason = "the standards say what each field and each variant means")]

use candid::{CandidType, Deserialize, Nat};

use super::super::account::Account;
use super::super::books::Refusal;

#[derive(Clone, Debug, PartialEq, Eq, CandidType, Deserialize)]
pub struct TransferArg {
    pub from_subaccount: Option<Vec<u8>>,
    pub to: Account,
    pub amount: Nat,
    pub fee: Option<Nat>,
    pub memo: Option<Vec<u8>>,
    pub created_at_time: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, CandidType, Deserialize)]
pub struct TransferFromArgs {
    pub spender_subaccount: Option<Vec<u8>>,
    pub from: Account,
    pub to: Account,
    pub amount: Nat,
    pub fee: Option<Nat>,
    pub memo: Option<Vec<u8>>,
    pub created_at_time: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, CandidType, Deserialize)]
pub struct ApproveArgs {
    pub from_subaccount: Option<Vec<u8>>,
    pub spender: Account,
    pub amount: Nat,
    pub expected_allowance: Option<Nat>,
    pub expires_at: Option<u64>,
    pub fee: Option<Nat>,
    pub memo: Option<Vec<u8>>,
    pub created_at_time: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, CandidType, Deserialize)]
pub struct AllowanceArgs {
    pub account: Account,
    pub spender: Account,
}

#[derive(Clone, Debug, PartialEq, Eq, CandidType, Deserialize)]
pub struct AllowanceReply {
    pub allowance: Nat,
    pub expires_at: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, CandidType, Deserialize)]
pub enum Value {
    Nat(Nat),
    Text(String),
}

#[derive(Clone, Debug, PartialEq, Eq, CandidType, Deserialize)]
pub struct Standard {
    pub name: String,
    pub url: String,
}

impl Standard {
    /// The standard ICRC-`number`.
    pub fn icrc(number: u8) -> Standard {
        let url = format!("https://github.com/dfinity/ICRC-1/tree/main/standards/ICRC-{number}");
        Standard { name: format!("ICRC-{number}"), url }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, CandidType, Deserialize)]
pub enum TransferError {
    BadFee { expected_fee: Nat },
    BadBurn { min_burn_amount: Nat },
    InsufficientFunds { balance: Nat },
    TooOld,
    CreatedInFuture { ledger_time: u64 },
    Duplicate { duplicate_of: Nat },
    TemporarilyUnavailable,
    GenericError { error_code: Nat, message: String },
}

#[derive(Clone, Debug, PartialEq, Eq, CandidType, Deserialize)]
pub enum TransferFromError {
    BadFee { expected_fee: Nat },
    BadBurn { min_burn_amount: Nat },
    InsufficientFunds { balance: Nat },
    InsufficientAllowance { allowance: Nat },
    TooOld,
    CreatedInFuture { ledger_time: u64 },
    Duplicate { duplicate_of: Nat },
    TemporarilyUnavailable,
    GenericError { error_code: Nat, message: String },
}

#[derive(Clone, Debug, PartialEq, Eq, CandidType, Deserialize)]
pub enum ApproveError {
    BadFee { expected_fee: Nat },
    InsufficientFunds { balance: Nat },
    AllowanceChanged { current_allowance: Nat },
    Expired { ledger_time: u64 },
    TooOld,
    CreatedInFuture { ledger_time: u64 },
    Duplicate { duplicate_of: Nat },
    TemporarilyUnavailable,
    GenericError { error_code: Nat, message: String },
}

impl From<TransferFromArgs> for TransferArg {
    /// What moves, without who may move it.
    fn from(arg: TransferFromArgs) -> TransferArg {
        let TransferFromArgs { to, amount, fee, memo, created_at_time, .. } = arg;
        TransferArg { from_subaccount: None, to, amount, fee, memo, created_at_time }
    }
}

impl From<Refusal> for TransferFromError {
    fn from(refusal: Refusal) -> TransferFromError {
        match refusal {
            Refusal::BadFee { expected_fee } => TransferFromError::BadFee { expected_fee },
            Refusal::BadBurn { min_burn_amount } => TransferFromError::BadBurn { min_burn_amount },
            Refusal::InsufficientFunds { balance } => TransferFromError::InsufficientFunds { balance },
            Refusal::InsufficientAllowance { allowance } => TransferFromError::InsufficientAllowance { allowance },
            Refusal::TooOld => TransferFromError::TooOld,
            Refusal::CreatedInFuture { ledger_time } => TransferFromError::CreatedInFuture { ledger_time },
            Refusal::Duplicate { duplicate_of } => {
                TransferFromError::Duplicate { duplicate_of: Nat::from(duplicate_of) }
            }
            Refusal::AllowanceChanged { .. } | Refusal::Expired { .. } => {
                panic!("bug in canloom: {refusal:?} of a transfer")
            }
        }
    }
}

impl From<Refusal> for TransferError {
    fn from(refusal: Refusal) -> TransferError {
        match refusal {
            Refusal::BadFee { expected_fee } => TransferError::BadFee { expected_fee },
            Refusal::BadBurn { min_burn_amount } => TransferError::BadBurn { min_burn_amount },
            Refusal::InsufficientFunds { balance } => TransferError::InsufficientFunds { balance },
            Refusal::TooOld => TransferError::TooOld,
            Refusal::CreatedInFuture { ledger_time } => TransferError::CreatedInFuture { ledger_time },
            Refusal::Duplicate { duplicate_of } => TransferError::Duplicate { duplicate_of: Nat::from(duplicate_of) },
            Refusal::InsufficientAllowance { .. } | Refusal::AllowanceChanged { .. } | Refusal::Expired { .. } => {
                panic!("bug in canloom: {refusal:?} of a transfer by the owner")
            }
        }
    }
}

impl From<Refusal> for ApproveError {
    fn from(refusal: Refusal) -> ApproveError {
        match refusal {
            Refusal::BadFee { expected_fee } => ApproveError::BadFee { expected_fee },
            Refusal::InsufficientFunds { balance } => ApproveError::InsufficientFunds { balance },
            Refusal::AllowanceChanged { current_allowance } => ApproveError::AllowanceChanged { current_allowance },
            Refusal::Expired { ledger_time } => ApproveError::Expired { ledger_time },
            Refusal::TooOld => ApproveError::TooOld,
            Refusal::CreatedInFuture { ledger_time } => ApproveError::CreatedInFuture { ledger_time },
            Refusal::Duplicate { duplicate_of } => ApproveError::Duplicate { duplicate_of: Nat::from(duplicate_of) },
            Refusal::BadBurn { .. } | Refusal::InsufficientAllowance { .. } => {
                panic!("bug in canloom: {refusal:?} of an approval")
            }
        }
    }
}
