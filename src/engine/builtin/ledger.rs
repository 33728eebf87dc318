//! A token ledger after the standards ICRC-1 and ICRC-2 (github.com/dfinity/ICRC-1).
//!
//! In: the standards' methods in Candid. Out: the books after them. One implementation for `icrc1-ledger`, for
//! `icrc2-ledger`, which adds three methods, and for the same methods of the ICP ledger. Fees are burned. Left out: blocks
//! that can be read (ICRC-3), archives, throttling (`TemporarilyUnavailable`), `GenericError`.

mod types;

#[cfg(test)]
mod tests;

use candid::{CandidType, Deserialize, Nat, Principal, decode_one};

pub use types::{
    AllowanceArgs, AllowanceReply, ApproveArgs, ApproveError, TransferArg, TransferError, TransferFromArgs,
    TransferFromError, Value,
};

use super::account::{Account, AccountId};
use super::books::{Books, DRIFT_NS, Operation, Refusal, Rules, Transaction, WINDOW_NS};
use super::{Action, Answer, Around, Call, Contract, Turn, reply};

/// Methods of ICRC-1 that change the books.
pub const UPDATES: [&str; 1] = ["icrc1_transfer"];
/// Methods of ICRC-1 that only read.
pub const QUERIES: [&str; 9] = [
    "icrc1_balance_of",
    "icrc1_total_supply",
    "icrc1_fee",
    "icrc1_name",
    "icrc1_symbol",
    "icrc1_decimals",
    "icrc1_metadata",
    "icrc1_minting_account",
    "icrc1_supported_standards",
];
/// Methods of ICRC-2 that change the books.
pub const ICRC2_UPDATES: [&str; 2] = ["icrc2_approve", "icrc2_transfer_from"];
/// Methods of ICRC-2 that only read.
pub const ICRC2_QUERIES: [&str; 1] = ["icrc2_allowance"];

/// Longest memo in bytes: what the standard demands and DFINITY's ledgers have unless told otherwise.
const MEMO_MAX: usize = 32;

/// The argument of `init` in a scenario.
#[derive(Clone, Debug, CandidType, Deserialize)]
pub struct Init {
    /// What a transfer or an approval costs.
    pub fee: Nat,
    /// What default accounts hold at first.
    pub balances: Vec<(Principal, Nat)>,
    /// What other accounts hold at first.
    pub account_balances: Option<Vec<(Account, Nat)>>,
    /// The account that mints and burns; none if nobody does.
    pub minting_account: Option<Account>,
    /// Name of the token.
    pub name: Option<String>,
    /// Its symbol.
    pub symbol: Option<String>,
    /// Its decimal places, 8 if not said.
    pub decimals: Option<u8>,
}

/// The rules of a ledger.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// Fee and minting account.
    pub rules: Rules,
    /// Name of the token.
    pub name: String,
    /// Its symbol.
    pub symbol: String,
    /// Its decimal places.
    pub decimals: u8,
    minting_account: Option<Account>,
    has_approvals: bool,
    /// The ICP ledger counts in 64 bits, has no anonymous senders, and takes a fee that is not written for a written one.
    is_icp: bool,
}

impl Ledger {
    /// A ledger with its first books, with the methods of ICRC-2 or without.
    ///
    /// # Errors
    /// If the argument is not an [`Init`], or gives tokens to the minting account.
    pub fn install(init: &[u8], has_approvals: bool) -> Result<(Ledger, Books), String> {
        let init: Init = decode_one(init).map_err(|error| {
            format!("`init` must be (record {{ fee : nat; balances : vec record {{ principal; nat }} }}): {error}")
        })?;
        let (mut ledger, endowments) = Ledger::of(init, ("Built-in token", "BIT"), false)?;
        ledger.has_approvals = has_approvals;
        let mut books = Books::default();
        for (account, amount) in endowments {
            books.endow(account, &amount);
        }
        Ok((ledger, books))
    }

    /// A ledger with all methods, and what its accounts hold at first, in the order of the argument.
    ///
    /// # Errors
    /// If the argument gives tokens to the minting account, or names a subaccount that is none.
    pub fn of(
        init: Init,
        (name, symbol): (&str, &str),
        is_icp: bool,
    ) -> Result<(Ledger, Vec<(AccountId, Nat)>), String> {
        let minting = init.minting_account.as_ref().map(Account::id).transpose()?;
        let defaults = init.balances.into_iter().map(|(owner, amount)| (Account::of(owner), amount));
        let mut endowments = Vec::new();
        for (account, amount) in defaults.chain(init.account_balances.unwrap_or_default()) {
            let id = account.id()?;
            if Some(id) == minting {
                return Err(format!("`init` gives tokens to {}, the minting account, which holds none", account.owner));
            }
            endowments.push((id, amount));
        }
        let ledger = Ledger {
            // The standard adds the drift to the window, the ICP ledger does not.
            rules: Rules {
                fee: init.fee,
                minting,
                window_ns: if is_icp { WINDOW_NS } else { WINDOW_NS + DRIFT_NS },
                keeps_blocks: is_icp,
            },
            name: init.name.unwrap_or_else(|| name.to_string()),
            symbol: init.symbol.unwrap_or_else(|| symbol.to_string()),
            decimals: init.decimals.unwrap_or(8),
            minting_account: init.minting_account,
            has_approvals: true,
            is_icp,
        };
        Ok((ledger, endowments))
    }

    /// Moves tokens between the accounts `(from, to, spender)`.
    fn transfer(
        &self,
        books: &Books,
        accounts: (AccountId, AccountId, Option<AccountId>),
        arg: TransferArg,
        around: &mut Around<'_>,
    ) -> Result<Result<(Books, u64), Refusal>, String> {
        if let Some(bytes) = arg.memo.as_ref().map(Vec::len).filter(|bytes| *bytes > MEMO_MAX) {
            return Err(format!("the memo field size of {bytes} bytes is above the allowed limit of {MEMO_MAX} bytes"));
        }
        let (from, _, spender) = accounts;
        if spender.is_some() && self.rules.minting == Some(from) {
            return Err("the minter account cannot delegate mints".to_string());
        }
        if self.is_icp && arg.amount > u64::MAX {
            return Ok(Err(Refusal::InsufficientFunds { balance: books.balance(&from) }));
        }
        let record = |mut operation| {
            if let (true, Operation::Transfer { fee, .. }) = (self.is_icp, &mut operation) {
                *fee = Some(self.rules.fee.clone());
            }
            let created_ns = arg.created_at_time;
            let transaction = Transaction { created_ns, operation, memo: 0, icrc1_memo: arg.memo };
            books.record(&self.rules, transaction, around)
        };
        Ok(self.rules.transfer(books, accounts, arg.amount, arg.fee).and_then(record))
    }

    fn approve(
        &self,
        books: &Books,
        arg: ApproveArgs,
        around: &mut Around<'_>,
    ) -> Result<Result<(Books, u64), Refusal>, String> {
        let owner = around.caller();
        self.check_sender(owner)?;
        if owner == arg.spender.owner {
            return Err("self approval is not allowed".to_string());
        }
        let from = Account { owner, subaccount: arg.from_subaccount }.id()?;
        if self.rules.minting == Some(from) {
            return Err("the minting account cannot delegate mints".to_string());
        }
        if arg.memo.as_ref().is_some_and(|memo| memo.len() > MEMO_MAX) {
            return Err("the memo field is too large".to_string());
        }
        let fee = self.rules.fee.clone();
        if arg.fee.as_ref().is_some_and(|written| *written != fee) {
            return Ok(Err(Refusal::BadFee { expected_fee: fee }));
        }
        let amount = if self.is_icp { arg.amount.min(Nat::from(u64::MAX)) } else { arg.amount };
        let operation = Operation::Approve {
            from,
            spender: arg.spender.id()?,
            amount,
            expected: arg.expected_allowance,
            expires_ns: arg.expires_at,
            fee: if self.is_icp { Some(fee) } else { arg.fee },
        };
        let created_ns = arg.created_at_time;
        let transaction = Transaction { created_ns, operation, memo: 0, icrc1_memo: arg.memo };
        Ok(books.record(&self.rules, transaction, around))
    }

    fn check_sender(&self, caller: Principal) -> Result<(), String> {
        if self.is_icp && caller == Principal::anonymous() {
            return Err("Anonymous principal cannot hold tokens on the ledger.".to_string());
        }
        Ok(())
    }

    fn metadata(&self) -> Vec<(String, Value)> {
        vec![
            ("icrc1:decimals".to_string(), Value::Nat(Nat::from(self.decimals))),
            ("icrc1:name".to_string(), Value::Text(self.name.clone())),
            ("icrc1:symbol".to_string(), Value::Text(self.symbol.clone())),
            ("icrc1:fee".to_string(), Value::Nat(self.rules.fee.clone())),
            ("icrc1:max_memo_length".to_string(), Value::Nat(Nat::from(MEMO_MAX))),
        ]
    }

    fn standards(&self) -> Vec<types::Standard> {
        let numbers = if self.has_approvals { 1..=2 } else { 1..=1 };
        numbers.map(types::Standard::icrc).collect()
    }
}

/// The turn of a method that replies the index of a block or an error.
pub fn settled<T: CandidType, E: CandidType>(
    books: &Books,
    done: Result<(Books, u64), Refusal>,
    index: impl Fn(u64) -> T,
    error: impl Fn(Refusal) -> E,
) -> Result<Option<Turn<Books>>, String> {
    let (state, result) = match done {
        Ok((next, block)) => (next, Ok(index(block))),
        Err(refusal) => (books.clone(), Err(error(refusal))),
    };
    Ok(Some(Turn { state, action: Action::Answer(reply((result,))?) }))
}

impl Contract for Ledger {
    type State = Books;

    fn update(&self, books: &Books, call: &Call<'_>, around: &mut Around<'_>) -> Result<Option<Turn<Books>>, String> {
        match call.method {
            "icrc1_transfer" => {
                let (arg,): (TransferArg,) = call.args()?;
                let owner = around.caller();
                self.check_sender(owner)?;
                let from = Account { owner, subaccount: arg.from_subaccount.clone() }.id()?;
                let done = self.transfer(books, (from, arg.to.id()?, None), arg, around)?;
                settled(books, done, Nat::from, TransferError::from)
            }
            "icrc2_transfer_from" if self.has_approvals => {
                let (arg,): (TransferFromArgs,) = call.args()?;
                let owner = around.caller();
                self.check_sender(owner)?;
                let spender = Account { owner, subaccount: arg.spender_subaccount.clone() }.id()?;
                let accounts = (arg.from.id()?, arg.to.id()?, Some(spender));
                let done = self.transfer(books, accounts, arg.into(), around)?;
                settled(books, done, Nat::from, TransferFromError::from)
            }
            "icrc2_approve" if self.has_approvals => {
                let (arg,): (ApproveArgs,) = call.args()?;
                settled(books, self.approve(books, arg, around)?, Nat::from, ApproveError::from)
            }
            _ => Ok(None),
        }
    }

    fn query(&self, books: &Books, call: &Call<'_>, around: &mut Around<'_>) -> Result<Option<Answer>, String> {
        let answer = match call.method {
            "icrc1_balance_of" => {
                let (account,): (Account,) = call.args()?;
                reply((books.balance(&account.id()?),))
            }
            "icrc1_total_supply" => reply((books.supply(),)),
            "icrc1_fee" => reply((&self.rules.fee,)),
            "icrc1_name" => reply((&self.name,)),
            "icrc1_symbol" => reply((&self.symbol,)),
            "icrc1_decimals" => reply((self.decimals,)),
            "icrc1_metadata" => reply((self.metadata(),)),
            "icrc1_minting_account" => reply((&self.minting_account,)),
            "icrc1_supported_standards" => reply((self.standards(),)),
            "icrc2_allowance" if self.has_approvals => {
                let (arg,): (AllowanceArgs,) = call.args()?;
                let allowance = books.allowance(arg.account.id()?, arg.spender.id()?, around);
                reply((AllowanceReply { allowance: allowance.amount, expires_at: allowance.expires_ns },))
            }
            _ => return Ok(None),
        };
        answer.map(Some)
    }
}
