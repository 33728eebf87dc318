//! Candid types of the ICP ledger's older methods, with the names and meanings of its public interface.
#![expect(missing_docs, reason = "the interface of the ICP ledger says what each field and each variant means")]

use candid::{CandidType, Deserialize, Empty, Int, Nat};

use super::super::account::AccountId;
use super::super::books::{self, Refusal, WINDOW_NS};

#[derive(Clone, Copy, Debug, PartialEq, Eq, CandidType, Deserialize)]
pub struct Tokens {
    pub e8s: u64,
}

impl Tokens {
    /// An amount of the books.
    ///
    /// # Errors
    /// If it does not fit into 64 bits.
    pub fn of(amount: &Nat) -> Result<Tokens, String> {
        let e8s = u64::try_from(&amount.0).map_err(|_| format!("{amount} e8s do not fit into 64 bits"))?;
        Ok(Tokens { e8s })
    }

    /// The amount as the books have it.
    pub fn nat(self) -> Nat {
        Nat::from(self.e8s)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, CandidType, Deserialize)]
pub struct TimeStamp {
    pub timestamp_nanos: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, CandidType, Deserialize)]
pub struct Transfer {
    pub memo: u64,
    pub amount: Tokens,
    pub fee: Tokens,
    pub from_subaccount: Option<Vec<u8>>,
    pub to: Vec<u8>,
    pub created_at_time: Option<TimeStamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, CandidType, Deserialize)]
pub enum TransferError {
    BadFee { expected_fee: Tokens },
    InsufficientFunds { balance: Tokens },
    TxTooOld { allowed_window_nanos: u64 },
    TxCreatedInFuture,
    TxDuplicate { duplicate_of: u64 },
}

impl TransferError {
    /// The refusal of a transfer by its owner, in this interface's words.
    pub fn of(refusal: Refusal) -> TransferError {
        let tokens = |amount| Tokens::of(&amount).expect("bug in canloom: the supply fits into 64 bits");
        match refusal {
            Refusal::BadFee { expected_fee } => TransferError::BadFee { expected_fee: tokens(expected_fee) },
            Refusal::InsufficientFunds { balance } => TransferError::InsufficientFunds { balance: tokens(balance) },
            Refusal::TooOld => TransferError::TxTooOld { allowed_window_nanos: WINDOW_NS },
            Refusal::CreatedInFuture { .. } => TransferError::TxCreatedInFuture,
            Refusal::Duplicate { duplicate_of } => TransferError::TxDuplicate { duplicate_of },
            _ => panic!("bug in canloom: {refusal:?} of a transfer by the owner"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, CandidType, Deserialize)]
pub struct AccountBalance {
    pub account: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq, CandidType, Deserialize)]
pub struct TransferFee {
    pub transfer_fee: Tokens,
}

#[derive(Clone, Debug, PartialEq, Eq, CandidType, Deserialize)]
pub struct Symbol {
    pub symbol: String,
}

#[derive(Clone, Debug, PartialEq, Eq, CandidType, Deserialize)]
pub struct Name {
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, CandidType, Deserialize)]
pub struct Decimals {
    pub decimals: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, CandidType, Deserialize)]
pub struct GetBlocks {
    pub start: u64,
    pub length: u64,
}

#[derive(Debug, CandidType, Deserialize)]
pub struct Blocks {
    pub chain_length: u64,
    pub certificate: Option<Vec<u8>>,
    pub blocks: Vec<Block>,
    pub first_block_index: u64,
    pub archived_blocks: Vec<Empty>,
}

#[derive(Clone, Debug, PartialEq, Eq, CandidType, Deserialize)]
pub struct Block {
    pub parent_hash: Option<Vec<u8>>,
    pub transaction: Transaction,
    pub timestamp: TimeStamp,
}

#[derive(Clone, Debug, PartialEq, Eq, CandidType, Deserialize)]
pub struct Transaction {
    pub memo: u64,
    pub icrc1_memo: Option<Vec<u8>>,
    pub operation: Option<Operation>,
    pub created_at_time: TimeStamp,
}

#[derive(Clone, Debug, PartialEq, Eq, CandidType, Deserialize)]
pub enum Operation {
    Mint {
        to: Vec<u8>,
        amount: Tokens,
    },
    Burn {
        from: Vec<u8>,
        spender: Option<Vec<u8>>,
        amount: Tokens,
    },
    Transfer {
        from: Vec<u8>,
        to: Vec<u8>,
        amount: Tokens,
        fee: Tokens,
        spender: Option<Vec<u8>>,
    },
    Approve {
        from: Vec<u8>,
        spender: Vec<u8>,
        allowance_e8s: Int,
        allowance: Tokens,
        fee: Tokens,
        expires_at: Option<TimeStamp>,
        expected_allowance: Option<Tokens>,
    },
}

impl Block {
    /// A block of the books, on a ledger with this fee.
    ///
    /// # Errors
    /// If an amount does not fit into 64 bits.
    pub fn of(block: &books::Block, fee: &Nat) -> Result<Block, String> {
        let books::Transaction { created_ns, operation, memo, icrc1_memo } = &block.transaction;
        let transaction = Transaction {
            memo: *memo,
            icrc1_memo: icrc1_memo.clone(),
            operation: Some(Operation::of(operation, fee)?),
            created_at_time: TimeStamp { timestamp_nanos: created_ns.unwrap_or(block.time_ns) },
        };
        Ok(Block { parent_hash: None, transaction, timestamp: TimeStamp { timestamp_nanos: block.time_ns } })
    }
}

impl Operation {
    fn of(operation: &books::Operation, fee: &Nat) -> Result<Operation, String> {
        let address = |account: &Option<AccountId>| account.as_ref().map(AccountId::address);
        Ok(match operation {
            books::Operation::Mint { to, amount } => Operation::Mint { to: to.address(), amount: Tokens::of(amount)? },
            books::Operation::Burn { from, spender, amount } => {
                Operation::Burn { from: from.address(), spender: address(spender), amount: Tokens::of(amount)? }
            }
            books::Operation::Transfer { from, to, spender, amount, .. } => Operation::Transfer {
                from: from.address(),
                to: to.address(),
                amount: Tokens::of(amount)?,
                fee: Tokens::of(fee)?,
                spender: address(spender),
            },
            books::Operation::Approve { from, spender, amount, expected, expires_ns, .. } => Operation::Approve {
                from: from.address(),
                spender: spender.address(),
                allowance_e8s: Int::from(amount.clone()),
                allowance: Tokens::of(amount)?,
                fee: Tokens::of(fee)?,
                expires_at: expires_ns.map(|timestamp_nanos| TimeStamp { timestamp_nanos }),
                expected_allowance: expected.as_ref().map(Tokens::of).transpose()?,
            },
        })
    }
}
