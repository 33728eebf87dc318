//! The cycles minting canister: what a top-up by `notify_top_up` needs.
//!
//! In: the index of a block of the ICP ledger and a canister. Out: that canister has the cycles for what was paid. It asks
//! the ledger for the block, sends the cycles with `deposit_cycles` of the management canister, and pays back what it
//! cannot use. A block is used once: a repetition gets the answer of the first, or `Processing` meanwhile. The texts and
//! the order of its checks are those of the public source; its calls to the ledger are `query_blocks` and `transfer`
//! instead of their forms in protobuf. Left out: the burning of what was paid (it stays on the CMC's account, with no
//! effect on the answer), the limit on cycles an hour, canister creation, `notify_mint_cycles`, votes on the rate.

mod types;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use candid::{CandidType, Deserialize, Nat, Principal, decode_one, encode_one};
use serde::Serialize;

use super::account::{Account, AccountId, hex};
use super::icp::FEE_E8S;
use super::icp::types::{Block, GetBlocks, Operation, Tokens, Transaction, Transfer, TransferError};
use super::{Action, Answer, Around, Call, Contract, Request, Turn, reply};
use crate::kernel::{Cycles, Response};
pub use types::{CanisterId, ConversionRate, FoundBlocks, NotifyError, NotifyTopUp, Rate};

/// Update methods.
pub const UPDATES: [&str; 1] = ["notify_top_up"];
/// Query methods.
pub const QUERIES: [&str; 1] = ["get_icp_xdr_conversion_rate"];

/// The memo of a payment for cycles of a canister.
pub const TOP_UP: u64 = 0x5055_5054;
/// Memos of payments for other things that the CMC offers, with what it calls them.
const OTHER_MEMOS: [(u64, &str); 2] = [(0x4145_5243, "CreateCanister"), (0x544e_494d, "MintCycles")];

const FAILED_TO_FETCH_BLOCK: u64 = 2;
const REFUND_FAILED: u64 = 3;
/// What it keeps of a payment for a top-up that fails, beside the fee of the transfer.
const REFUND_FEE_E8S: u64 = 2 * FEE_E8S;

#[derive(Clone, Debug, Default, CandidType, Deserialize)]
struct Init {
    ledger: Option<Principal>,
    xdr_permyriad_per_icp: Option<u64>,
    timestamp_seconds: Option<u64>,
}

/// What does not change: the ledger and the rate.
#[derive(Clone, Debug)]
pub struct Cmc {
    ledger: Principal,
    rate: Rate,
}

type TopUp = Result<Nat, NotifyError>;

/// What it keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Notifications {
    blocks: BTreeMap<u64, Status>,
    /// Calls on their way, by [`Request::point`].
    open: BTreeMap<u64, Progress>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum Status {
    Processing,
    ToppedUp(#[serde(with = "super::save::nat_or_error")] TopUp),
    /// Paid back, because its memo means nothing to the CMC.
    NotMeaningful(NotifyError),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum Progress {
    Fetching(Notice),
    Depositing(Notice, Payment, Cycles),
    /// With the reason, and whether the memo is it.
    Refunding(Notice, String, bool),
}

/// Which block is for which canister.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Notice {
    block: u64,
    canister: Principal,
}

/// What the block says.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Payment {
    from: Vec<u8>,
    e8s: u64,
}

impl Cmc {
    /// A CMC that has seen no payment.
    ///
    /// # Errors
    /// If the argument is neither `()` nor the record that docs/scenario.md describes.
    pub fn install(init: &[u8]) -> Result<(Cmc, Notifications), String> {
        let (init,): (Option<Init>,) =
            candid::decode_args(init).map_err(|error| format!("`init` is not that of a CMC: {error}"))?;
        let init = init.unwrap_or_default();
        let mainnet = Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 2, 1, 1]);
        let rate = Rate {
            // The real one starts with this time and rate too: 100 XDR for an ICP.
            timestamp_seconds: init.timestamp_seconds.unwrap_or(1_620_633_600),
            xdr_permyriad_per_icp: init.xdr_permyriad_per_icp.unwrap_or(1_000_000),
        };
        Ok((Cmc { ledger: init.ledger.unwrap_or(mainnet), rate }, Notifications::default()))
    }

    /// Cycles for an amount of ICP.
    fn cycles(&self, e8s: u64) -> Cycles {
        // 10^12 cycles an XDR, 10^8 e8s an ICP, 10^4 ten-thousandths: the powers cancel out.
        Cycles::from(e8s) * Cycles::from(self.rate.xdr_permyriad_per_icp)
    }

    /// Goes on with a block that the ledger has given.
    fn fetched(
        &self,
        state: Notifications,
        notice: Notice,
        response: &Response,
        own_id: Principal,
    ) -> Result<Turn<Notifications>, String> {
        let (payment, memo) = match paid(&notice, response, own_id)? {
            Ok(found) => found,
            Err(error) => return answer(state, Err(error)),
        };
        let other = OTHER_MEMOS.iter().find(|(other, _)| *other == memo);
        if let Some((_, intent)) = other {
            let text = format!(
                "The memo ({intent} ({memo})) in the transaction does not match the expected memo (TopUp ({TOP_UP})) \
                 for the operation."
            );
            return answer(state, Err(NotifyError::InvalidTransaction(text)));
        }
        if let Some(known) = state.known(notice.block) {
            return answer(state, known);
        }
        let mut state = state;
        state.blocks.insert(notice.block, Status::Processing);
        if memo != TOP_UP {
            let reason = format!(
                "Memo ({memo:#08X}) in the incoming ICP transfer does not correspond to any of the operations that the \
                 Cycles Minting canister offers."
            );
            return self.refund(state, notice, &payment, reason, true);
        }
        let cycles = self.cycles(payment.e8s);
        let canister = CanisterId { canister_id: notice.canister };
        let progress = Progress::Depositing(notice, payment, cycles);
        state.send(progress, (Principal::management_canister(), "deposit_cycles"), &canister, cycles)
    }

    /// Sends a payment back, less what it costs, if anything is left.
    fn refund(
        &self,
        state: Notifications,
        notice: Notice,
        payment: &Payment,
        reason: String,
        is_meaningless: bool,
    ) -> Result<Turn<Notifications>, String> {
        let kept = FEE_E8S + if is_meaningless { 0 } else { REFUND_FEE_E8S };
        let Some(e8s) = payment.e8s.checked_sub(kept).filter(|e8s| *e8s > 0) else {
            return refunded(state, notice, reason, is_meaningless, None);
        };
        let transfer = Transfer {
            memo: 0,
            amount: Tokens { e8s },
            fee: Tokens { e8s: FEE_E8S },
            from_subaccount: Some(subaccount(notice.canister)),
            to: payment.from.clone(),
            created_at_time: None,
        };
        let progress = Progress::Refunding(notice, reason, is_meaningless);
        state.send(progress, (self.ledger, "transfer"), &transfer, 0)
    }
}

impl Notifications {
    /// What a repetition is answered with.
    fn known(&self, block: u64) -> Option<TopUp> {
        // The last block that it has forgotten is at first block 0.
        if block == 0 {
            return Some(Err(NotifyError::TransactionTooOld(1)));
        }
        Some(match self.blocks.get(&block)? {
            Status::Processing => Err(NotifyError::Processing),
            Status::ToppedUp(result) => result.clone(),
            Status::NotMeaningful(refunded) => Err(refunded.clone()),
        })
    }

    /// Makes a call, under the lowest number that is free.
    fn send(
        mut self,
        progress: Progress,
        (callee, method): (Principal, &str),
        arg: &impl CandidType,
        cycles: Cycles,
    ) -> Result<Turn<Notifications>, String> {
        let point = (0..).find(|point| !self.open.contains_key(point)).expect("bug in canloom: no number is free");
        self.open.insert(point, progress);
        let arg = encode_one(arg).map_err(|error| error.to_string())?;
        let request = Request { callee, method: method.to_string(), arg, cycles, point };
        Ok(Turn { state: self, action: Action::Call(request) })
    }
}

/// What a block of the ledger pays for which memo, or why it is no payment for this canister.
fn paid(
    notice: &Notice,
    response: &Response,
    own_id: Principal,
) -> Result<Result<(Payment, u64), NotifyError>, String> {
    let failed = |error_message| NotifyError::Other { error_code: FAILED_TO_FETCH_BLOCK, error_message };
    let bytes = match response {
        Response::Reply(bytes) => bytes,
        Response::Reject { text, .. } => return Ok(Err(failed(format!("Failed to fetch block: {text}")))),
    };
    let found: FoundBlocks = match decode_one(bytes) {
        Ok(found) => found,
        Err(error) => return Ok(Err(failed(format!("Failed to decode block: {error}")))),
    };
    let Some(Block { transaction, .. }) = found.blocks.into_iter().next() else {
        return Ok(Err(NotifyError::InvalidTransaction(format!("Block {} not found", notice.block))));
    };
    let memo = memo(&transaction);
    let Some(Operation::Transfer { from, to, amount, .. }) = transaction.operation else {
        let text = "Notification transaction must be of type Transfer".to_string();
        return Ok(Err(NotifyError::InvalidTransaction(text)));
    };
    let subaccount = subaccount(notice.canister);
    let expected = Account { owner: own_id, subaccount: Some(subaccount.clone()) }.id()?;
    if AccountId::of_address(&to) != Ok(expected) {
        return Ok(Err(NotifyError::InvalidTransaction(format!(
            "Destination account in the block ({}) different than in the notification ({})",
            hex(&to),
            hex(&subaccount)
        ))));
    }
    Ok(Ok((Payment { from, e8s: amount.e8s }, memo)))
}

/// The memo as a number: that of `transfer`, or else the 8 bytes that ICRC-1 has, little-endian.
fn memo(transaction: &Transaction) -> u64 {
    let bytes = transaction.icrc1_memo.as_ref().and_then(|memo| <[u8; 8]>::try_from(memo.as_slice()).ok());
    match (transaction.memo, bytes) {
        (0, Some(bytes)) => u64::from_le_bytes(bytes),
        (memo, _) => memo,
    }
}

/// The subaccount of the CMC to which payments for a canister go: length and bytes of its id, then zeros.
pub fn subaccount(canister: Principal) -> Vec<u8> {
    let mut bytes = vec![canister.as_slice().len() as u8];
    bytes.extend_from_slice(canister.as_slice());
    bytes.resize(32, 0);
    bytes
}

fn answer(state: Notifications, result: TopUp) -> Result<Turn<Notifications>, String> {
    Ok(Turn { state, action: Action::Answer(reply((result,))?) })
}

fn refunded(
    mut state: Notifications,
    notice: Notice,
    reason: String,
    is_meaningless: bool,
    block_index: Option<u64>,
) -> Result<Turn<Notifications>, String> {
    let error = NotifyError::Refunded { reason, block_index };
    let status =
        if is_meaningless { Status::NotMeaningful(error.clone()) } else { Status::ToppedUp(Err(error.clone())) };
    state.blocks.insert(notice.block, status);
    answer(state, Err(error))
}

impl Contract for Cmc {
    type State = Notifications;

    fn update(
        &self,
        state: &Notifications,
        call: &Call<'_>,
        _: &mut Around<'_>,
    ) -> Result<Option<Turn<Notifications>>, String> {
        if call.method != "notify_top_up" {
            return Ok(None);
        }
        let (arg,): (NotifyTopUp,) = call.args()?;
        let notice = Notice { block: arg.block_index, canister: arg.canister_id };
        let blocks = GetBlocks { start: arg.block_index, length: 1 };
        state.clone().send(Progress::Fetching(notice), (self.ledger, "query_blocks"), &blocks, 0).map(Some)
    }

    fn query(&self, _: &Notifications, call: &Call<'_>, _: &mut Around<'_>) -> Result<Option<Answer>, String> {
        if call.method != "get_icp_xdr_conversion_rate" {
            return Ok(None);
        }
        let rate = ConversionRate { data: self.rate.clone(), hash_tree: Vec::new(), certificate: Vec::new() };
        reply((rate,)).map(Some)
    }

    fn resume(
        &self,
        state: &Notifications,
        point: u64,
        response: &Response,
        around: &mut Around<'_>,
    ) -> Result<Turn<Notifications>, String> {
        let mut state = state.clone();
        let progress = state.open.remove(&point).expect("bug in canloom: a call of the CMC");
        match (progress, response) {
            (Progress::Fetching(notice), _) => self.fetched(state, notice, response, around.own_id()),
            (Progress::Depositing(notice, _, cycles), Response::Reply(_)) => {
                let result = Ok(Nat::from(cycles));
                state.blocks.insert(notice.block, Status::ToppedUp(result.clone()));
                answer(state, result)
            }
            (Progress::Depositing(notice, payment, _), Response::Reject { code, text }) => {
                let reason = format!("Depositing cycles failed with code {code}: {text:?}");
                self.refund(state, notice, &payment, reason, false)
            }
            (Progress::Refunding(notice, reason, is_meaningless), _) => {
                let problem = match response {
                    Response::Reply(bytes) => match decode_one::<Result<u64, TransferError>>(bytes) {
                        Ok(Ok(block)) => return refunded(state, notice, reason, is_meaningless, Some(block)),
                        Ok(Err(error)) => format!("Refund failed: {error:?}"),
                        Err(error) => format!("Refund failed: {error}"),
                    },
                    Response::Reject { code, text } => format!("Refund failed with code {code}: {text}"),
                };
                // Whoever tries again starts from the beginning.
                state.blocks.remove(&notice.block);
                answer(state, Err(NotifyError::Other { error_code: REFUND_FAILED, error_message: problem }))
            }
        }
    }
}
