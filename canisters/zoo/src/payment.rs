//! Transfers on an ICRC-1 ledger, with and without what makes them safe.
//!
//! A call has three outcomes: it was done, it was not, nobody knows. [`transfer`] tells them apart and remembers
//! nothing. A [`Payment`] is written into a journal before it is sent and leaves it when its outcome is known, so that
//! [`settle`] can find out what became of the others. The ledger makes it once, however often it is sent: amount,
//! receiver, time and memo are its deduplication key.

use super::Error;
use super::icrc1::{Account, TransferArg, TransferError};
use candid::{CandidType, Deserialize, Nat, Principal};
use ic_cdk::call::{Call, CallErrorExt, CallFailed, Response};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// What became of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the ledger.
    Paid,
    /// This request is not in the ledger and will never be.
    Refused,
    /// It may be in the ledger, or get there later.
    Unknown,
}

impl Outcome {
    /// Of the answer to `icrc1_transfer`.
    pub fn of(answer: Result<Response, CallFailed>) -> Self {
        match answer {
            Ok(reply) => match reply.candid::<Result<Nat, TransferError>>() {
                Ok(Ok(_) | Err(TransferError::Duplicate { .. })) => Outcome::Paid,
                Ok(Err(_)) => Outcome::Refused,
                Err(_) => Outcome::Unknown,
            },
            Err(error) if error.is_clean_reject() => Outcome::Refused,
            Err(_) => Outcome::Unknown,
        }
    }

    /// As the reply of a method.
    pub fn result(self) -> Result<(), Error> {
        match self {
            Outcome::Paid => Ok(()),
            Outcome::Refused => Err(Error::Refused),
            Outcome::Unknown => Err(Error::Unknown),
        }
    }
}

/// The argument of a transfer that the ledger would make again if it were asked again.
pub fn plain(to: Principal, amount: u64) -> TransferArg {
    TransferArg {
        from_subaccount: None,
        to: Account::of(to),
        amount: Nat::from(amount),
        fee: None,
        memo: None,
        created_at_time: None,
    }
}

/// Makes a plain transfer and waits for the ledger as long as it takes.
pub async fn transfer(ledger: Principal, to: Principal, amount: u64) -> Outcome {
    Outcome::of(Call::unbounded_wait(ledger, "icrc1_transfer").with_arg(plain(to, amount)).await)
}

/// What the journal holds.
#[derive(CandidType, Deserialize, Clone, Copy)]
struct Entry {
    ledger: Principal,
    to: Principal,
    amount: u64,
    created_at_time: u64,
    /// Whether there is a [`Payment`] for it, that is, code which will tell what became of it.
    is_awaited: bool,
}

/// The journal and the number of the next entry.
#[derive(CandidType, Deserialize, Default)]
pub struct Journal {
    next: u64,
    open: BTreeMap<u64, Entry>,
}

thread_local! {
    static JOURNAL: RefCell<Journal> = RefCell::default();
}

/// A payment that stands in the journal until [`Payment::close`]. If it is dropped before, at a return or in the
/// cleanup after a trap, it stays there for [`settle`].
pub struct Payment {
    id: u64,
    /// Its ledger.
    pub ledger: Principal,
    /// What the receiver gets.
    pub amount: u64,
}

impl Payment {
    /// Writes a payment into the journal; the caller debits it in the same message.
    pub fn open(ledger: Principal, to: Principal, amount: u64) -> Self {
        let created_at_time = ic_cdk::api::time();
        JOURNAL.with_borrow_mut(|journal| {
            let id = journal.next;
            journal.next += 1;
            journal.open.insert(id, Entry { ledger, to, amount, created_at_time, is_awaited: true });
            Self { id, ledger, amount }
        })
    }

    /// One that stands in the journal and that nobody awaits.
    pub fn idle() -> Option<Self> {
        JOURNAL.with_borrow_mut(|journal| {
            let (id, entry) = journal.open.iter_mut().find(|(_, entry)| !entry.is_awaited)?;
            entry.is_awaited = true;
            Some(Self { id: *id, ledger: entry.ledger, amount: entry.amount })
        })
    }

    /// Asks the ledger to make it. After [`Outcome::Unknown`], a later [`Outcome::Refused`] speaks of the repetition
    /// only.
    pub async fn send(&self) -> Outcome {
        let entry = JOURNAL.with_borrow(|journal| journal.open[&self.id]);
        let arg = TransferArg {
            memo: Some(self.id.to_be_bytes().to_vec()),
            created_at_time: Some(entry.created_at_time),
            ..plain(entry.to, entry.amount)
        };
        Outcome::of(Call::bounded_wait(entry.ledger, "icrc1_transfer").with_arg(arg).await)
    }

    /// Sends it once, for the first time; it leaves the journal unless it stays unknown. The caller credits a refused one
    /// before its next await: a message later it may be too late.
    pub async fn make(self) -> Outcome {
        let outcome = self.send().await;
        if outcome != Outcome::Unknown {
            self.close();
        }
        outcome
    }

    /// Takes it out of the journal: what became of it is known and dealt with.
    pub fn close(self) {
        JOURNAL.with_borrow_mut(|journal| journal.open.remove(&self.id));
    }
}

impl Drop for Payment {
    fn drop(&mut self) {
        JOURNAL.with_borrow_mut(|journal| {
            if let Some(entry) = journal.open.get_mut(&self.id) {
                entry.is_awaited = false;
            }
        });
    }
}

/// Sends again what nobody awaits, the oldest first, until one stays unknown. Those that are paid leave the journal; the
/// others stay, since a refusal says nothing of the first request.
pub async fn settle() {
    while let Some(payment) = Payment::idle() {
        match payment.send().await {
            Outcome::Paid => payment.close(),
            Outcome::Refused | Outcome::Unknown => return,
        }
    }
}

/// What the payments in the journal amount to.
pub fn pending() -> u64 {
    pending_with_fees(0)
}

/// What the payments in the journal amount to on a ledger with this fee.
pub fn pending_with_fees(fee: u64) -> u64 {
    JOURNAL.with_borrow(|journal| journal.open.values().map(|entry| entry.amount + fee).sum())
}

/// The journal, to be saved before an upgrade.
pub fn take_journal() -> Journal {
    JOURNAL.take()
}

/// Brings the journal back after an upgrade. The code that awaited its payments is gone.
pub fn restore(mut journal: Journal) {
    journal.open.values_mut().for_each(|entry| entry.is_awaited = false);
    JOURNAL.set(journal);
}
