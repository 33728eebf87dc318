//! Three ways to pay money out of a vault: two that many canisters use, and one that survives.
//!
//! The vault keeps a book (`balance`) of what it owes its owner; the money itself is on an ICRC-1 ledger.
//! A withdrawal has to change both, and the two are in different canisters: no order of the two steps is
//! atomic. All three variants run side by side on the same state, so that they can be compared.
//!
//! | | `withdraw_stale` | `withdraw_rollback` | `withdraw_sound` |
//! |---|---|---|---|
//! | checks the funds | yes | no | yes |
//! | changes the book | after the await, from an old read | before, undone from an old read | before, by difference |
//! | looks into the reply | yes | no | yes |
//! | outcomes | paid, not paid | paid, not paid | paid, not paid, unknown |
//!
//! What holds for the sound one: `book <= ledger <= book + pending` at every moment, hence `book == ledger`
//! whenever `pending` is 0. That `book == ledger` at *every* moment is more than any vault can promise.
//!
//! The vault agrees to no fee: it asks for transfers with a fee of 0, and a ledger that charges one
//! refuses them with `BadFee`.

use super::host::{CallError, Host, Wait};
use super::icrc1::{Account, TransferArg, TransferError};
use candid::{CandidType, Deserialize, Nat, Principal};
use std::collections::BTreeMap;

/// The canister's whole state.
#[derive(CandidType, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct State {
    ledger: Principal,
    owner: Principal,
    balance: u64,
    /// Payments of [`withdraw_sound`] that are debited and not known to be settled, by id.
    journal: BTreeMap<u64, Payment>,
    next_id: u64,
}

impl State {
    /// A vault that owes `balance` to `owner` and keeps its money on `ledger`.
    pub fn new(ledger: Principal, owner: Principal, balance: u64) -> Self {
        Self { ledger, owner, balance, journal: BTreeMap::new(), next_id: 0 }
    }

    /// Gives up the payments that were being sent: after an upgrade nobody waits for their replies.
    pub fn after_upgrade(&mut self) {
        for payment in self.journal.values_mut() {
            payment.progress = Progress::Unknown;
        }
    }
}

/// A journal entry. Its id, the time and the amount determine the transfer byte for byte, so that the
/// ledger recognises a repetition.
#[derive(CandidType, Deserialize, Clone, Debug, PartialEq, Eq)]
struct Payment {
    amount: u64,
    created_at_time: u64,
    progress: Progress,
}

#[derive(CandidType, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// The first request is out.
    Sending,
    /// No request is out, and nothing is proven.
    Unknown,
    /// [`reconcile`] has repeated the request.
    Resending,
}

/// Adds to the book and returns the new balance. It is bookkeeping only: the money comes another way.
pub fn deposit(host: &impl Host<State = State>, amount: u64) -> u64 {
    host.state(|vault| {
        vault.credit(amount);
        vault.balance
    })
}

/// What the book says the vault owes.
pub fn balance(host: &impl Host<State = State>) -> u64 {
    host.state(|vault| vault.balance)
}

/// What is debited but neither known to be paid nor known not to be.
pub fn pending(host: &impl Host<State = State>) -> u64 {
    host.state(|vault| vault.journal.values().map(|payment| payment.amount).sum())
}

/// Pays, then writes down what it *had* before minus what it paid.
///
/// The bug: `balance` is read before the await and written after it. Two withdrawals that overlap read
/// the same number; both are paid, and the second write erases the first.
pub async fn withdraw_stale(host: &impl Host<State = State>, amount: u64) -> bool {
    let balance = balance(host);
    if amount > balance {
        return false;
    }
    let transfer = transfer_arg(host, amount, None);
    let reply = send(host, transfer, Wait::Unbounded).await;
    let is_paid = matches!(reply.as_deref().map(decode), Ok(Some(Ok(_))));
    if is_paid {
        set_balance(host, balance - amount);
    }
    is_paid
}

/// Anticipates the payment in the book and rolls back if the call fails: the article's last vault.
///
/// The bugs, each enough to break the book:
/// - the rollback adds the amount to `balance`, which was read *before* the debit: one failed call
///   makes 130 out of 100 when 30 was asked for, and erases what others debited meanwhile;
/// - a bounded-wait call that failed with `SYS_UNKNOWN` may have been executed, or still will be;
/// - that the call succeeded does not mean that the ledger paid: the reply may be an `Err`;
/// - nothing checks that the funds suffice, and `u64` wraps in a release build.
///
/// # Errors
///
/// The call failed, which proves less than this handler believes.
pub async fn withdraw_rollback(host: &impl Host<State = State>, amount: u64) -> Result<(), String> {
    let balance = balance(host);
    set_balance(host, balance.wrapping_sub(amount));
    let transfer = transfer_arg(host, amount, None);
    match send(host, transfer, Wait::Bounded).await {
        Ok(_reply) => Ok(()),
        Err(error) => {
            set_balance(host, balance.wrapping_add(amount));
            Err(error.to_string())
        }
    }
}

/// Debits and journals before the call, then acts on what the response proves: paid, not paid, or neither.
///
/// 1. Check the funds, debit, write the journal entry: one message, so all or nothing.
/// 2. Send the transfer with a deduplication key (time and memo) that is in the journal.
/// 3. Paid: close the entry. Proven not paid: close it and refund *relative to the balance of now*.
///    Anything else, a trap of the callback included: the debit stays, the entry is left to [`reconcile`].
///
/// # Errors
///
/// The payment was not made, or its outcome is unknown; the text says which.
pub async fn withdraw_sound(host: &impl Host<State = State>, amount: u64) -> Result<Nat, String> {
    let now_ns = host.now_ns();
    let id = host.state(|vault| vault.debit(amount, now_ns))?;
    let request = Request { host, id };
    let outcome = judge(request.send(amount, now_ns).await);
    host.state(|vault| vault.settle(id, &outcome));
    match outcome {
        Outcome::Paid(block) => Ok(block),
        Outcome::NotPaid(why) => Err(format!("not paid: {why}")),
        Outcome::Unknown(why) => Err(format!("outcome unknown: {why}")),
    }
}

/// Repeats every payment of unknown outcome under its old deduplication key; returns how many are
/// still unknown.
///
/// A repetition proves one thing only, that the payment *was made*, now (`Ok`) or before (`Duplicate`).
/// It never proves that it was not: a reject, even a clean one, speaks of the repetition and not of the
/// request before it, and of a refusal ICRC-1 does not say whether the ledger looked for duplicates
/// first. So a refund after a repetition could be a second payment; the entry stays instead. Outside the
/// ledger's window of 24 hours (`TooOld`) only a look at the ledger's blocks can settle it.
///
/// Runs may overlap: an entry that is being sent is skipped by all others, and the list of entries is
/// only a list of candidates, looked at anew after each await.
pub async fn reconcile(host: &impl Host<State = State>) -> u64 {
    let candidates: Vec<u64> = host.state(|vault| vault.journal.keys().copied().collect());
    for id in candidates {
        let Some(payment) = host.state(|vault| vault.resume(id)) else {
            continue;
        };
        let request = Request { host, id };
        let reply = request.send(payment.amount, payment.created_at_time).await;
        let outcome = match judge(reply) {
            Outcome::NotPaid(why) => Outcome::Unknown(why),
            proven_or_unknown => proven_or_unknown,
        };
        host.state(|vault| vault.settle(id, &outcome));
    }
    host.state(|vault| {
        let payments = vault.journal.values();
        payments.filter(|payment| payment.progress != Progress::Sending).count() as u64
    })
}

impl State {
    /// Takes `amount` from the book into a new journal entry and returns the entry's id.
    fn debit(&mut self, amount: u64, now_ns: u64) -> Result<u64, String> {
        let rest = self.balance.checked_sub(amount);
        self.balance = rest.ok_or_else(|| String::from("not paid: insufficient funds"))?;
        let id = self.next_id;
        self.next_id += 1;
        let payment = Payment { amount, created_at_time: now_ns, progress: Progress::Sending };
        self.journal.insert(id, payment);
        Ok(id)
    }

    /// Marks an entry of unknown outcome as being sent again; none if there is no such entry (any more).
    fn resume(&mut self, id: u64) -> Option<Payment> {
        let payment = self.journal.get_mut(&id)?;
        if payment.progress != Progress::Unknown {
            return None;
        }
        payment.progress = Progress::Resending;
        Some(payment.clone())
    }

    /// Closes the entry if the outcome is proven, with a refund if it is proven that nothing was paid.
    fn settle(&mut self, id: u64, outcome: &Outcome) {
        match outcome {
            Outcome::Paid(_) => {
                self.journal.remove(&id);
            }
            Outcome::NotPaid(_) => {
                if let Some(payment) = self.journal.remove(&id) {
                    self.credit(payment.amount);
                }
            }
            Outcome::Unknown(_) => {}
        }
    }

    /// Adds to the book. Traps rather than wraps: a trap undoes the message, a wrong book stays wrong.
    fn credit(&mut self, amount: u64) {
        let sum = self.balance.checked_add(amount);
        self.balance = sum.expect("the balance fits into 64 bits");
    }
}

/// An open request for a journaled payment.
///
/// However it ends, by a response or by a trap of the callback, dropping it hands an entry that is still
/// in the journal to [`reconcile`]. (After a trap the state is that of before the callback, and then the
/// system's cleanup drops what was alive at the await; what that drop changes is committed.)
struct Request<'a, H: Host<State = State>> {
    host: &'a H,
    id: u64,
}

impl<H: Host<State = State>> Request<'_, H> {
    async fn send(&self, amount: u64, created_at_time: u64) -> Result<Vec<u8>, CallError> {
        let transfer = transfer_arg(self.host, amount, Some((created_at_time, self.id)));
        send(self.host, transfer, Wait::Bounded).await
    }
}

impl<H: Host<State = State>> Drop for Request<'_, H> {
    fn drop(&mut self) {
        self.host.state(|vault| {
            if let Some(payment) = vault.journal.get_mut(&self.id) {
                payment.progress = Progress::Unknown;
            }
        });
    }
}

/// What a response proves about a payment.
enum Outcome {
    /// It is in this block of the ledger.
    Paid(Nat),
    /// It is not on the ledger and never will be.
    NotPaid(String),
    /// It may be on the ledger, now or later.
    Unknown(String),
}

/// What the response to the *first* request of a payment proves.
fn judge(response: Result<Vec<u8>, CallError>) -> Outcome {
    match response {
        Ok(reply) => match decode(&reply) {
            Some(Ok(block)) => Outcome::Paid(block),
            Some(Err(TransferError::Duplicate { duplicate_of })) => Outcome::Paid(duplicate_of),
            Some(Err(refusal)) => Outcome::NotPaid(format!("{refusal:?}")),
            None => Outcome::Unknown(String::from("unreadable reply")),
        },
        Err(error) if error.is_clean() => Outcome::NotPaid(error.to_string()),
        Err(error) => Outcome::Unknown(error.to_string()),
    }
}

/// The transfer of `amount` to the owner; `key` is the time and the id that make it recognisable.
fn transfer_arg(host: &impl Host<State = State>, amount: u64, key: Option<(u64, u64)>) -> TransferArg {
    TransferArg {
        from_subaccount: None,
        to: Account::of(host.state(|vault| vault.owner)),
        amount: Nat::from(amount),
        fee: Some(Nat::from(0u8)),
        memo: key.map(|(_, id)| id.to_be_bytes().to_vec()),
        created_at_time: key.map(|(created_at_time, _)| created_at_time),
    }
}

async fn send(host: &impl Host<State = State>, transfer: TransferArg, wait: Wait) -> Result<Vec<u8>, CallError> {
    let ledger = host.state(|vault| vault.ledger);
    let arg = candid::encode_one(transfer).expect("a transfer can be encoded");
    host.call(ledger, "icrc1_transfer", arg, wait).await
}

/// The ledger's reply, or none if it is not one: a callee may answer whatever it likes.
fn decode(reply: &[u8]) -> Option<Result<Nat, TransferError>> {
    candid::decode_one(reply).ok()
}

fn set_balance(host: &impl Host<State = State>, balance: u64) {
    host.state(|vault| vault.balance = balance);
}
