//! A token ledger after the standard ICRC-1 (github.com/dfinity/ICRC-1, "ICRC-1 Token Standard").
//!
//! Transfers with fee and deduplication, balances, supply. The fee is burned. There is no minting account: the first
//! balances are all there is.

use std::collections::BTreeMap;

use candid::{CandidType, Decode, Deserialize, Encode, Nat, Principal};

use super::{Answer, Around, Call, Contract};

/// How far `created_at_time` may lie in the past and in the future (ICRC-1, "transaction deduplication").
const WINDOW_NS: u64 = 24 * 3_600 * 1_000_000_000;
const DRIFT_NS: u64 = 2 * 60 * 1_000_000_000;

/// Methods that change balances.
pub const UPDATES: [&str; 1] = ["icrc1_transfer"];
/// Methods that only read.
pub const QUERIES: [&str; 7] = [
    "icrc1_balance_of",
    "icrc1_total_supply",
    "icrc1_fee",
    "icrc1_name",
    "icrc1_symbol",
    "icrc1_decimals",
    "icrc1_minting_account",
];

/// An account: an owner and a subaccount, of which none and all zeros are the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, CandidType, Deserialize)]
pub struct Account {
    owner: Principal,
    subaccount: Option<Vec<u8>>,
}

impl Account {
    fn normal(self) -> Result<Account, String> {
        let subaccount = self.subaccount.filter(|bytes| bytes.iter().any(|&byte| byte != 0));
        match subaccount.as_ref().map(Vec::len) {
            None | Some(32) => Ok(Account { owner: self.owner, subaccount }),
            Some(bytes) => Err(format!("a subaccount has 32 bytes, this one has {bytes}")),
        }
    }
}

/// The argument of `init` in a scenario.
#[derive(Clone, Debug, CandidType, Deserialize)]
pub struct Init {
    fee: Nat,
    balances: Vec<(Principal, Nat)>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, CandidType, Deserialize)]
struct Transfer {
    from_subaccount: Option<Vec<u8>>,
    to: Account,
    amount: Nat,
    fee: Option<Nat>,
    memo: Option<Vec<u8>>,
    created_at_time: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, CandidType, Deserialize)]
enum TransferError {
    BadFee { expected_fee: Nat },
    BadBurn { min_burn_amount: Nat },
    InsufficientFunds { balance: Nat },
    TooOld,
    CreatedInFuture { ledger_time: u64 },
    TemporarilyUnavailable,
    Duplicate { duplicate_of: Nat },
    GenericError { error_code: Nat, message: String },
}

/// The rules: only the fee differs between two ledgers.
#[derive(Clone, Debug)]
pub struct Ledger {
    fee: Nat,
}

/// Balances, and the transfers that a repetition is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Books {
    balances: BTreeMap<Account, Nat>,
    seen: BTreeMap<(Principal, Transfer), Nat>,
    blocks: Nat,
}

impl Ledger {
    /// A ledger with its first books.
    ///
    /// # Errors
    /// If the argument is not `record { fee : nat; balances : vec record { principal; nat } }`.
    pub fn install(init: &[u8]) -> Result<(Ledger, Books), String> {
        let init = Decode!(init, Init).map_err(|error| {
            format!("`init` must be (record {{ fee : nat; balances : vec record {{ principal; nat }} }}): {error}")
        })?;
        let mut books = Books { balances: BTreeMap::new(), seen: BTreeMap::new(), blocks: Nat::from(0u8) };
        for (owner, amount) in init.balances {
            credit(&mut books.balances, Account { owner, subaccount: None }, &amount);
        }
        Ok((Ledger { fee: init.fee }, books))
    }

    fn transfer(
        &self,
        books: &Books,
        arg: Transfer,
        around: &mut Around<'_>,
    ) -> Result<Result<(Books, Nat), TransferError>, String> {
        let caller = around.caller();
        let from = Account { owner: caller, subaccount: arg.from_subaccount.clone() }.normal()?;
        let to = arg.to.clone().normal()?;
        if let Some(created_ns) = arg.created_at_time {
            let now_ns = around.time_ns();
            if created_ns.saturating_add(WINDOW_NS + DRIFT_NS) < now_ns {
                return Ok(Err(TransferError::TooOld));
            }
            if created_ns > now_ns + DRIFT_NS {
                return Ok(Err(TransferError::CreatedInFuture { ledger_time: now_ns }));
            }
            if let Some(block) = books.seen.get(&(caller, arg.clone())) {
                return Ok(Err(TransferError::Duplicate { duplicate_of: block.clone() }));
            }
        }
        if arg.fee.as_ref().is_some_and(|fee| *fee != self.fee) {
            return Ok(Err(TransferError::BadFee { expected_fee: self.fee.clone() }));
        }
        let balance = books.balances.get(&from).cloned().unwrap_or_default();
        let debit = arg.amount.clone() + self.fee.clone();
        if balance < debit {
            return Ok(Err(TransferError::InsufficientFunds { balance }));
        }
        let mut next = books.clone();
        let left = balance - debit;
        if left == 0u8 {
            next.balances.remove(&from);
        } else {
            next.balances.insert(from, left);
        }
        credit(&mut next.balances, to, &arg.amount);
        let block = next.blocks.clone();
        next.blocks += 1u8;
        if arg.created_at_time.is_some() {
            next.seen.insert((caller, arg), block.clone());
        }
        Ok(Ok((next, block)))
    }
}

fn credit(balances: &mut BTreeMap<Account, Nat>, account: Account, amount: &Nat) {
    if *amount != 0u8 {
        *balances.entry(account).or_default() += amount.clone();
    }
}

fn encoded(result: candid::Result<Vec<u8>>) -> Result<Vec<u8>, String> {
    result.map_err(|error| error.to_string())
}

impl Contract for Ledger {
    type State = Books;

    fn update(&self, books: &Books, call: &Call<'_>, around: &mut Around<'_>) -> Result<Answer<Books>, String> {
        if call.method != UPDATES[0] {
            return Ok(None);
        }
        let arg = Decode!(call.arg, Transfer).map_err(|error| format!("failed to decode the argument: {error}"))?;
        Ok(Some(match self.transfer(books, arg, around)? {
            Ok((next, block)) => (next, encoded(Encode!(&Ok::<Nat, TransferError>(block)))?),
            Err(error) => (books.clone(), encoded(Encode!(&Err::<Nat, TransferError>(error)))?),
        }))
    }

    fn query(&self, books: &Books, call: &Call<'_>) -> Result<Option<Vec<u8>>, String> {
        let reply = match call.method {
            "icrc1_balance_of" => {
                let account =
                    Decode!(call.arg, Account).map_err(|error| format!("failed to decode the argument: {error}"))?;
                Encode!(&books.balances.get(&account.normal()?).cloned().unwrap_or_default())
            }
            "icrc1_total_supply" => {
                let supply = books.balances.values().fold(Nat::from(0u8), |sum, amount| sum + amount.clone());
                Encode!(&supply)
            }
            "icrc1_fee" => Encode!(&self.fee),
            "icrc1_name" => Encode!(&"Built-in token"),
            "icrc1_symbol" => Encode!(&"BIT"),
            "icrc1_decimals" => Encode!(&8u8),
            "icrc1_minting_account" => Encode!(&None::<Account>),
            _ => return Ok(None),
        };
        encoded(reply).map(Some)
    }
}
