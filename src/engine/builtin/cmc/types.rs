//! Candid types of the CMC, with the names and meanings of its public interface.
#![expect(missing_docs, reason = "the interface of the CMC says what each field and each variant means")]

use candid::{CandidType, Deserialize, Principal};
use serde::Serialize;

use super::super::icp::types::Block;

#[derive(Clone, Debug, PartialEq, Eq, CandidType, Deserialize)]
pub struct NotifyTopUp {
    pub block_index: u64,
    pub canister_id: Principal,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, CandidType, Deserialize, Serialize)]
pub enum NotifyError {
    Refunded { reason: String, block_index: Option<u64> },
    Processing,
    TransactionTooOld(u64),
    InvalidTransaction(String),
    Other { error_code: u64, error_message: String },
}

#[derive(Clone, Debug, PartialEq, Eq, CandidType, Deserialize)]
pub struct Rate {
    pub timestamp_seconds: u64,
    pub xdr_permyriad_per_icp: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, CandidType, Deserialize)]
pub struct ConversionRate {
    pub data: Rate,
    pub hash_tree: Vec<u8>,
    pub certificate: Vec<u8>,
}

/// The argument of `deposit_cycles` of the management canister.
#[derive(Clone, Debug, PartialEq, Eq, CandidType, Deserialize)]
pub struct CanisterId {
    pub canister_id: Principal,
}

/// What is read of the reply of `query_blocks`.
#[derive(Clone, Debug, PartialEq, Eq, CandidType, Deserialize)]
pub struct FoundBlocks {
    pub blocks: Vec<Block>,
}
