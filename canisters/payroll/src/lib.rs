//! Wages that a timer pays once a day, and a lock that such a timer needs.
//!
//! A timer whose body awaits can overlap with itself: the next firing does not wait for the last one. Neither
//! does `run_now`, with which a manager pays out of turn. `start_unlocked` sets a timer without a lock, so
//! both pay the same wages; `start` sets one with a lock.
//!
//! `ic-cdk-timers` runs every body as a call of the canister to itself. After a long pause, one firing of the
//! canister's only timer makes up for every interval that has passed, up to five bodies at a time.

#[path = "../../icrc1.rs"]
pub mod icrc1;

use candid::{Nat, Principal};
use ic_cdk::call::Call;
use ic_cdk::{init, query, update};
use icrc1::{Account, TransferArg, TransferError};
use std::cell::{Cell, RefCell};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

struct Payroll {
    ledger: Principal,
    worker: Principal,
    /// Wage of a day.
    wage: u64,
    /// All wages so far.
    earned: u64,
    /// Wages that are not paid yet.
    owed: u64,
}

thread_local! {
    static PAYROLL: RefCell<Option<Payroll>> = const { RefCell::new(None) };
    static LOCKED: Cell<bool> = const { Cell::new(false) };
}

fn payroll<R>(access: impl FnOnce(&mut Payroll) -> R) -> R {
    PAYROLL.with_borrow_mut(|payroll| access(payroll.as_mut().expect("init has set the state")))
}

#[init]
fn init(ledger: Principal, worker: Principal, wage: u64) {
    PAYROLL.set(Some(Payroll { ledger, worker, wage, earned: 0, owed: 0 }));
}

/// Begins to pay every day, without a lock.
#[update]
fn start_unlocked() {
    ic_cdk_timers::set_timer_interval(DAY, || async {
        earn();
        pay().await;
    });
}

/// Begins to pay every day, one payment at a time.
#[update]
fn start() {
    ic_cdk_timers::set_timer_interval(DAY, || async {
        earn();
        pay_locked().await;
    });
}

/// Pays what is owed a day from now, once, unless that is going on then.
#[update]
fn pay_tomorrow() {
    ic_cdk_timers::set_timer(DAY, pay_locked());
}

/// Pays what is owed, without a lock.
#[update]
async fn run_now_unlocked() {
    pay().await;
}

/// Pays what is owed, unless that is going on already.
#[update]
async fn run_now() {
    pay_locked().await;
}

fn earn() {
    payroll(|payroll| {
        payroll.earned += payroll.wage;
        payroll.owed += payroll.wage;
    });
}

/// Pays what is owed.
///
/// Alone it is right: the debt goes down by what was paid, and only if it was. But a second one that runs
/// during the await sees the same debt, and pays it again.
async fn pay() {
    let (ledger, worker, owed) = payroll(|payroll| (payroll.ledger, payroll.worker, payroll.owed));
    if owed > 0 && transfer(ledger, worker, owed).await {
        payroll(|payroll| payroll.owed = payroll.owed.saturating_sub(owed));
    }
}

/// Pays what is owed, one at a time; what is earned meanwhile is left to the next payment.
async fn pay_locked() {
    if let Some(_lock) = Lock::take() {
        pay().await;
    }
}

/// Held by the one who pays. It is given back when it is dropped: at every return and, because ic-cdk drops
/// what a method holds in a cleanup, after a trap.
struct Lock;

impl Lock {
    /// None if it is taken. With `then_some`, a lock would be made in any case, and its drop would give back the
    /// lock of another.
    fn take() -> Option<Self> {
        (!LOCKED.replace(true)).then(|| Self)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        LOCKED.set(false);
    }
}

async fn transfer(ledger: Principal, to: Principal, amount: u64) -> bool {
    let arg = TransferArg {
        from_subaccount: None,
        to: Account::of(to),
        amount: Nat::from(amount),
        fee: None,
        memo: None,
        created_at_time: None,
    };
    let reply = Call::unbounded_wait(ledger, "icrc1_transfer").with_arg(&arg).await;
    reply.is_ok_and(|reply| matches!(reply.candid(), Ok(Ok::<Nat, TransferError>(_block))))
}

#[query]
fn earned() -> u64 {
    payroll(|payroll| payroll.earned)
}

#[query]
fn owed() -> u64 {
    payroll(|payroll| payroll.owed)
}

#[query]
fn is_locked() -> bool {
    LOCKED.get()
}

/// The Candid interface, readable through the export `get_candid_pointer`.
mod interface {
    use super::*;

    ic_cdk::export_candid!();

    #[cfg(test)]
    #[test]
    fn interface_file_is_what_the_module_exports() {
        let file = include_str!("../payroll.did");
        assert_eq!(__export_service().trim(), file.trim());
    }
}
