//! Royalties that a heartbeat pays out, at most once a minute.
//!
//! A heartbeat that awaits does not keep the next one from starting. So the job marks what it is about to do before
//! it awaits: when it may run again, and that what it pays is owed no longer. The next heartbeat finds nothing to do.

use candid::{Nat, Principal};
use controls::icrc1::{Account, TransferArg, TransferError};
use ic_cdk::call::{Call, CallErrorExt};
use ic_cdk::{heartbeat, init, query, update};
use std::cell::RefCell;

const MINUTE_NS: u64 = 60_000_000_000;

struct Royalties {
    ledger: Principal,
    author: Principal,
    /// All royalties so far.
    earned: u64,
    /// Royalties that nobody has begun to pay.
    owed: u64,
    /// Royalties of which nobody knows whether they are paid.
    unclear: u64,
    /// The job does not run before.
    next_run_ns: u64,
    /// How often it has run.
    runs: u64,
}

thread_local! {
    static ROYALTIES: RefCell<Option<Royalties>> = const { RefCell::new(None) };
}

fn royalties<R>(access: impl FnOnce(&mut Royalties) -> R) -> R {
    ROYALTIES.with_borrow_mut(|royalties| access(royalties.as_mut().expect("init has set the state")))
}

#[init]
fn init(ledger: Principal, author: Principal) {
    ROYALTIES.set(Some(Royalties { ledger, author, earned: 0, owed: 0, unclear: 0, next_run_ns: 0, runs: 0 }));
}

/// Takes note of a sale.
#[update]
fn sell(royalty: u64) {
    royalties(|royalties| {
        royalties.earned += royalty;
        royalties.owed += royalty;
    });
}

/// Pays what is owed, if it is time.
#[heartbeat]
async fn pay_out() {
    let now_ns = ic_cdk::api::time();
    let (amount, next_run_ns) = royalties(|royalties| (royalties.owed, royalties.next_run_ns));
    if amount == 0 || now_ns < next_run_ns {
        return;
    }
    royalties(|royalties| royalties.runs += 1);
    royalties(|royalties| royalties.next_run_ns = now_ns + MINUTE_NS);
    royalties(|royalties| royalties.owed -= amount);
    match transfer(amount).await {
        Outcome::Paid => {}
        // The next run pays it together with what was earned meanwhile.
        Outcome::NotPaid => royalties(|royalties| royalties.owed += amount),
        Outcome::Unknown => royalties(|royalties| royalties.unclear += amount),
    }
}

enum Outcome {
    Paid,
    NotPaid,
    Unknown,
}

async fn transfer(amount: u64) -> Outcome {
    let (ledger, author) = royalties(|royalties| (royalties.ledger, royalties.author));
    let arg = TransferArg {
        from_subaccount: None,
        to: Account::of(author),
        amount: Nat::from(amount),
        fee: None,
        memo: None,
        created_at_time: None,
    };
    match Call::bounded_wait(ledger, "icrc1_transfer").with_arg(&arg).await {
        Ok(reply) => match reply.candid::<Result<Nat, TransferError>>() {
            Ok(Ok(_block)) => Outcome::Paid,
            Ok(Err(_)) => Outcome::NotPaid,
            Err(_) => Outcome::Unknown,
        },
        Err(error) if error.is_clean_reject() => Outcome::NotPaid,
        Err(_) => Outcome::Unknown,
    }
}

#[query]
fn earned() -> u64 {
    royalties(|royalties| royalties.earned)
}

#[query]
fn owed() -> u64 {
    royalties(|royalties| royalties.owed)
}

#[query]
fn unclear() -> u64 {
    royalties(|royalties| royalties.unclear)
}

#[query]
fn runs() -> u64 {
    royalties(|royalties| royalties.runs)
}

/// The Candid interface, readable through the export `get_candid_pointer`.
mod interface {
    use super::*;

    ic_cdk::export_candid!();

    #[cfg(test)]
    #[test]
    fn interface_file_is_what_the_module_exports() {
        let file = include_str!("../did/heartbeat_job.did");
        assert_eq!(__export_service().trim(), file.trim());
    }
}
