//! The books of a ledger: balances, allowances, and the transactions that a repetition is compared with.
//!
//! In: a transaction. Out: the next books with the index of its block, or why it is refused. What callers write and are
//! told is left to `ledger` and `icp`. Sources: the standards ICRC-1 and ICRC-2, and where they leave it open, the order
//! in which DFINITY's ledgers check: fee and smallest burn, then age and repetition, then allowance, then funds; for an
//! approval funds for the fee, then its expiry, then the allowance that the caller expects.

use std::collections::BTreeMap;

use candid::Nat;
use serde::{Deserialize, Serialize};

use super::Around;
use super::account::AccountId;
use super::save::{nat, nats, optional_nat};

/// `TX_WINDOW` of ICRC-1, "transaction deduplication": the age that a transaction may have.
pub const WINDOW_NS: u64 = 24 * 3_600 * 1_000_000_000;
/// `PERMITTED_DRIFT`: how far the clocks of caller and ledger may differ.
pub const DRIFT_NS: u64 = 2 * 60 * 1_000_000_000;

/// What does not change.
#[derive(Clone, Debug)]
pub struct Rules {
    /// What a transfer or an approval costs; it is burned.
    pub fee: Nat,
    /// The account that creates and burns tokens.
    pub minting: Option<AccountId>,
    /// How old a transaction may be, in nanoseconds.
    pub window_ns: u64,
    /// Whether blocks can be read; otherwise they are only counted, and fewer worlds differ.
    pub keeps_blocks: bool,
}

/// What a ledger keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Books {
    /// Accounts that hold something.
    #[serde(with = "nats")]
    balances: BTreeMap<AccountId, Nat>,
    /// By account and spender; those that are used up are left out, those that expired are not.
    allowances: BTreeMap<(AccountId, AccountId), Allowance>,
    /// Blocks of the transactions that had a time of creation, oldest first.
    seen: BTreeMap<Transaction, u64>,
    length: u64,
    blocks: Vec<Block>,
}

/// What a spender may still transfer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Allowance {
    /// Tokens, fees included.
    #[serde(with = "nat")]
    pub amount: Nat,
    /// Until when.
    pub expires_ns: Option<u64>,
}

/// A transaction. Two of the same content are one and its repetition. The time comes first: maps have the oldest first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Transaction {
    /// When the caller made it; without it nothing is compared.
    pub created_ns: Option<u64>,
    /// What it does.
    pub operation: Operation,
    /// The number that `transfer` of the ICP ledger takes; 0 elsewhere.
    pub memo: u64,
    /// The bytes that methods of ICRC-1 and ICRC-2 take.
    pub icrc1_memo: Option<Vec<u8>>,
}

/// What a transaction does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Operation {
    /// The minting account creates tokens.
    Mint {
        /// Who gets them.
        to: AccountId,
        /// How many.
        #[serde(with = "nat")]
        amount: Nat,
    },
    /// Tokens go back to the minting account.
    Burn {
        /// Whose.
        from: AccountId,
        /// Who may, if another one.
        spender: Option<AccountId>,
        /// How many.
        #[serde(with = "nat")]
        amount: Nat,
    },
    /// Tokens change their owner.
    Transfer {
        /// Who pays them and the fee.
        from: AccountId,
        /// Who gets them.
        to: AccountId,
        /// Who may, if another one.
        spender: Option<AccountId>,
        /// How many.
        #[serde(with = "nat")]
        amount: Nat,
        /// The fee as the caller wrote it.
        #[serde(with = "optional_nat")]
        fee: Option<Nat>,
    },
    /// A spender gets an allowance.
    Approve {
        /// From whose account; it pays the fee.
        from: AccountId,
        /// Who may transfer.
        spender: AccountId,
        /// The new allowance.
        #[serde(with = "nat")]
        amount: Nat,
        /// The allowance that the caller believes to replace.
        #[serde(with = "optional_nat")]
        expected: Option<Nat>,
        /// Until when.
        expires_ns: Option<u64>,
        /// The fee as the caller wrote it.
        #[serde(with = "optional_nat")]
        fee: Option<Nat>,
    },
}

/// A transaction with its place in time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Block {
    /// What happened.
    pub transaction: Transaction,
    /// When.
    pub time_ns: u64,
}

/// Why a transaction was refused; nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named by the standards, which say more")]
pub enum Refusal {
    BadFee { expected_fee: Nat },
    BadBurn { min_burn_amount: Nat },
    InsufficientFunds { balance: Nat },
    InsufficientAllowance { allowance: Nat },
    AllowanceChanged { current_allowance: Nat },
    Expired { ledger_time: u64 },
    TooOld,
    CreatedInFuture { ledger_time: u64 },
    Duplicate { duplicate_of: u64 },
}

impl Rules {
    /// The transfer that a caller asks for: a mint, a burn or a transfer, with the right fee.
    ///
    /// # Errors
    /// A wrong fee, or too little to burn.
    pub fn transfer(
        &self,
        books: &Books,
        (from, to, spender): (AccountId, AccountId, Option<AccountId>),
        amount: Nat,
        fee: Option<Nat>,
    ) -> Result<Operation, Refusal> {
        let burns = self.minting == Some(to);
        let mints = self.minting == Some(from);
        let expected_fee = if burns || mints { Nat::from(0u8) } else { self.fee.clone() };
        if fee.as_ref().is_some_and(|fee| *fee != expected_fee) {
            return Err(Refusal::BadFee { expected_fee });
        }
        if burns {
            // A balance below the fee can be burned as a whole.
            let min_burn_amount = books.balance(&from).min(self.fee.clone());
            if amount < min_burn_amount {
                return Err(Refusal::BadBurn { min_burn_amount });
            }
            if amount == 0u8 {
                return Err(Refusal::BadBurn { min_burn_amount: self.fee.clone() });
            }
            return Ok(Operation::Burn { from, spender, amount });
        }
        Ok(if mints { Operation::Mint { to, amount } } else { Operation::Transfer { from, to, spender, amount, fee } })
    }
}

impl Books {
    /// What an account holds.
    pub fn balance(&self, account: &AccountId) -> Nat {
        self.balances.get(account).cloned().unwrap_or_default()
    }

    /// What all accounts hold together.
    pub fn supply(&self) -> Nat {
        self.balances.values().fold(Nat::from(0u8), |sum, amount| sum + amount.clone())
    }

    /// What a spender may transfer now.
    pub fn allowance(&self, from: AccountId, spender: AccountId, around: &mut Around<'_>) -> Allowance {
        match self.allowances.get(&(from, spender)) {
            Some(Allowance { expires_ns: Some(expires_ns), .. }) if *expires_ns <= around.time_ns() => {
                Allowance::default()
            }
            found => found.cloned().unwrap_or_default(),
        }
    }

    /// Number of blocks.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Blocks from an index on; none unless they are kept.
    pub fn blocks(&self, start: u64) -> &[Block] {
        usize::try_from(start).ok().and_then(|start| self.blocks.get(start..)).unwrap_or_default()
    }

    /// Gives an account its first tokens, without a block.
    pub fn endow(&mut self, account: AccountId, amount: &Nat) {
        let balance = self.balance(&account) + amount.clone();
        self.set_balance(account, balance);
    }

    /// Adds a block that has happened before anything is asked.
    pub fn begin_with(&mut self, block: Block) {
        self.length += 1;
        self.blocks.push(block);
    }

    /// The books after a transaction, and the index of its block.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn record(
        &self,
        rules: &Rules,
        transaction: Transaction,
        around: &mut Around<'_>,
    ) -> Result<(Books, u64), Refusal> {
        let mut next = self.clone();
        if let Some(created_ns) = transaction.created_ns {
            next.check_new(&transaction, created_ns, rules.window_ns, around.time_ns())?;
        }
        next.apply(rules, &transaction.operation, around)?;
        let index = next.length;
        next.length += 1;
        if rules.keeps_blocks {
            next.blocks.push(Block { transaction: transaction.clone(), time_ns: around.time_ns() });
        }
        if transaction.created_ns.is_some() {
            next.seen.insert(transaction, index);
        }
        Ok((next, index))
    }

    /// Refuses what lies outside the window or has happened, and forgets what the window refuses from now on.
    fn check_new(
        &mut self,
        transaction: &Transaction,
        created_ns: u64,
        window_ns: u64,
        now_ns: u64,
    ) -> Result<(), Refusal> {
        let oldest_ns = now_ns.saturating_sub(window_ns);
        self.seen.retain(|transaction, _| transaction.created_ns >= Some(oldest_ns));
        if created_ns < oldest_ns {
            return Err(Refusal::TooOld);
        }
        if created_ns > now_ns.saturating_add(DRIFT_NS) {
            return Err(Refusal::CreatedInFuture { ledger_time: now_ns });
        }
        match self.seen.get(transaction) {
            Some(&duplicate_of) => Err(Refusal::Duplicate { duplicate_of }),
            None => Ok(()),
        }
    }

    fn apply(&mut self, rules: &Rules, operation: &Operation, around: &mut Around<'_>) -> Result<(), Refusal> {
        match operation {
            Operation::Mint { to, amount } => self.endow(*to, amount),
            Operation::Burn { from, spender, amount } => self.spend(*from, *spender, amount, around)?,
            Operation::Transfer { from, to, spender, amount, .. } => {
                self.spend(*from, *spender, &(amount.clone() + rules.fee.clone()), around)?;
                self.endow(*to, amount);
            }
            Operation::Approve { from, spender, amount, expected, expires_ns, .. } => {
                self.spend(*from, None, &rules.fee, around)?;
                if expires_ns.is_some_and(|expires_ns| expires_ns <= around.time_ns()) {
                    return Err(Refusal::Expired { ledger_time: around.time_ns() });
                }
                if let Some(expected) = expected {
                    let current_allowance = self.allowance(*from, *spender, around).amount;
                    if current_allowance != *expected {
                        return Err(Refusal::AllowanceChanged { current_allowance });
                    }
                }
                let allowance = Allowance { amount: amount.clone(), expires_ns: *expires_ns };
                self.set_allowance((*from, *spender), allowance);
            }
        }
        Ok(())
    }

    /// Takes tokens from an account, and from the allowance of the one who spends them if that is somebody else.
    fn spend(
        &mut self,
        from: AccountId,
        spender: Option<AccountId>,
        amount: &Nat,
        around: &mut Around<'_>,
    ) -> Result<(), Refusal> {
        let other = spender.filter(|spender| *spender != from);
        let allowance = other.map(|spender| (spender, self.allowance(from, spender, around)));
        if let Some((_, allowance)) = &allowance
            && allowance.amount < *amount
        {
            return Err(Refusal::InsufficientAllowance { allowance: allowance.amount.clone() });
        }
        let balance = self.balance(&from);
        if balance < *amount {
            return Err(Refusal::InsufficientFunds { balance });
        }
        self.set_balance(from, balance - amount.clone());
        if let Some((spender, allowance)) = allowance {
            self.set_allowance((from, spender), Allowance { amount: allowance.amount - amount.clone(), ..allowance });
        }
        Ok(())
    }

    fn set_balance(&mut self, account: AccountId, balance: Nat) {
        if balance == 0u8 {
            self.balances.remove(&account);
        } else {
            self.balances.insert(account, balance);
        }
    }

    fn set_allowance(&mut self, key: (AccountId, AccountId), allowance: Allowance) {
        if allowance.amount == 0u8 {
            self.allowances.remove(&key);
        } else {
            self.allowances.insert(key, allowance);
        }
    }
}
