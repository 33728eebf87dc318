//! The ICP ledger: ICRC-1 and ICRC-2 (see `ledger`) and the older methods with account identifiers.
//!
//! In: its Candid methods. Out: books that both kinds of methods share. What an account holds at first are mints in the
//! first blocks, as on mainnet. `transfer` takes the time of the call where the caller writes none, and so refuses a
//! second equal one within the window; `icrc1_transfer` does not. Left out: archives, certificates and hashes of blocks,
//! `send_dfx`, `notify`, ICRC-21, and the methods in protobuf.

pub mod types;

#[cfg(test)]
mod tests;

use candid::{CandidType, Deserialize, Nat, Principal, decode_args};

use super::account::{Account, AccountId};
use super::books::{Block, Books, Operation, Refusal, Transaction};
use super::ledger::{Init, Ledger, settled};
use super::{Answer, Around, Call, Contract, Turn, reply};
use crate::engine::embedded::START_NS;
use types::{Blocks, GetBlocks, Tokens, Transfer, TransferError};

/// Methods beside those of the standards that change the books.
pub const UPDATES: [&str; 1] = ["transfer"];
/// Methods beside those of the standards that only read.
pub const QUERIES: [&str; 7] =
    ["account_balance", "account_identifier", "transfer_fee", "symbol", "name", "decimals", "query_blocks"];

/// What a transfer costs on mainnet, in e8s.
pub const FEE_E8S: u64 = 10_000;
/// Most blocks in one reply.
const BLOCKS_MAX: u64 = 2_000;

#[derive(Clone, Debug, Default, CandidType, Deserialize)]
struct IcpInit {
    fee: Option<Nat>,
    balances: Option<Vec<(Principal, Nat)>>,
    account_balances: Option<Vec<(Account, Nat)>>,
    minting_account: Option<Account>,
    name: Option<String>,
    symbol: Option<String>,
    decimals: Option<u8>,
}

/// The rules of the ICP ledger.
#[derive(Clone, Debug)]
pub struct IcpLedger {
    icrc: Ledger,
}

impl IcpLedger {
    /// The ledger with its first books.
    ///
    /// # Errors
    /// If the argument is neither `()` nor the record that docs/scenario.md describes, if the fee or all tokens together
    /// do not fit into 64 bits, or what [`Ledger::of`] says.
    pub fn install(init: &[u8]) -> Result<(IcpLedger, Books), String> {
        let (init,): (Option<IcpInit>,) =
            decode_args(init).map_err(|error| format!("`init` is not that of an ICP ledger: {error}"))?;
        let init = init.unwrap_or_default();
        let init = Init {
            fee: init.fee.unwrap_or(Nat::from(FEE_E8S)),
            balances: init.balances.unwrap_or_default(),
            account_balances: init.account_balances,
            minting_account: init.minting_account,
            name: init.name,
            symbol: init.symbol,
            decimals: init.decimals,
        };
        let (icrc, endowments) = Ledger::of(init, ("Internet Computer", "ICP"), true)?;
        Tokens::of(&icrc.rules.fee)?;
        let mut books = Books::default();
        for (to, amount) in endowments {
            books.endow(to, &amount);
            let operation = Operation::Mint { to, amount };
            let transaction = Transaction { created_ns: Some(START_NS), operation, memo: 0, icrc1_memo: None };
            books.begin_with(Block { transaction, time_ns: START_NS });
        }
        Tokens::of(&books.supply())?;
        Ok((IcpLedger { icrc }, books))
    }

    fn transfer(
        &self,
        books: &Books,
        arg: Transfer,
        around: &mut Around<'_>,
    ) -> Result<Result<(Books, u64), Refusal>, String> {
        let owner = around.caller();
        if owner == Principal::anonymous() {
            return Err(format!("Sending from {owner} is not allowed"));
        }
        let from = Account { owner, subaccount: arg.from_subaccount }.id()?;
        let to = AccountId::of_address(&arg.to).map_err(|error| format!("Invalid account identifier: {error}"))?;
        let rules = &self.icrc.rules;
        let (mints, burns) = (rules.minting == Some(from), rules.minting == Some(to));
        let (amount, fee) = (arg.amount.nat(), arg.fee.nat());
        if (mints || burns) && fee != 0u8 {
            return Err(format!("Fee for {} should be zero", if mints { "minting" } else { "burning" }));
        }
        if mints && burns {
            return Err("It is illegal to mint to a minting_account".to_string());
        }
        // Unlike `icrc1_transfer`, which burns a whole balance however small it is, and refuses without a trap.
        if burns && amount < rules.fee {
            return Err(format!("Burns lower than {} are not allowed", rules.fee));
        }
        let operation = match rules.transfer(books, (from, to, None), amount, Some(fee)) {
            Ok(operation) => operation,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let created_ns = Some(arg.created_at_time.map_or_else(|| around.time_ns(), |time| time.timestamp_nanos));
        let transaction = Transaction { created_ns, operation, memo: arg.memo, icrc1_memo: None };
        Ok(books.record(rules, transaction, around))
    }

    fn blocks(&self, books: &Books, arg: &GetBlocks) -> Result<Blocks, String> {
        let length = usize::try_from(arg.length.min(BLOCKS_MAX)).unwrap_or(usize::MAX);
        let found = books.blocks(arg.start).iter().take(length);
        let blocks = found.map(|block| types::Block::of(block, &self.icrc.rules.fee));
        Ok(Blocks {
            chain_length: books.length(),
            certificate: None,
            blocks: blocks.collect::<Result<_, _>>()?,
            first_block_index: arg.start,
            archived_blocks: Vec::new(),
        })
    }
}

impl Contract for IcpLedger {
    type State = Books;

    fn update(&self, books: &Books, call: &Call<'_>, around: &mut Around<'_>) -> Result<Option<Turn<Books>>, String> {
        if call.method != "transfer" {
            return self.icrc.update(books, call, around);
        }
        let (arg,): (Transfer,) = call.args()?;
        match self.transfer(books, arg, around)? {
            Ok(done) => settled(books, Ok(done), |block| block, TransferError::of),
            Err(refusal) => settled(books, Err(refusal), |block| block, TransferError::of),
        }
    }

    fn query(&self, books: &Books, call: &Call<'_>, around: &mut Around<'_>) -> Result<Option<Answer>, String> {
        let answer = match call.method {
            "account_balance" => {
                let (arg,): (types::AccountBalance,) = call.args()?;
                let account = AccountId::of_address(&arg.account);
                let account = account.map_err(|error| format!("Invalid account identifier: {error}"))?;
                reply((Tokens::of(&books.balance(&account))?,))
            }
            "account_identifier" => {
                let (account,): (Account,) = call.args()?;
                reply((account.id()?.address(),))
            }
            "transfer_fee" => reply((types::TransferFee { transfer_fee: Tokens::of(&self.icrc.rules.fee)? },)),
            "symbol" => reply((types::Symbol { symbol: self.icrc.symbol.clone() },)),
            "name" => reply((types::Name { name: self.icrc.name.clone() },)),
            "decimals" => reply((types::Decimals { decimals: u32::from(self.icrc.decimals) },)),
            "query_blocks" => {
                let (arg,): (GetBlocks,) = call.args()?;
                reply((self.blocks(books, &arg)?,))
            }
            _ => return self.icrc.query(books, call, around),
        };
        answer.map(Some)
    }
}
