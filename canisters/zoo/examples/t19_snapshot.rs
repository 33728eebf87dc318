//! T19, a snapshot across an await: a loop works on a copy of the requests, and while it awaits, one is cancelled. It is
//! paid all the same, and what writes that down traps.

use candid::Principal;
use ic_cdk::{init, query, update};
use std::cell::RefCell;
use std::collections::BTreeMap;
use zoo::Error;
use zoo::payment::{self, Outcome, Payment, transfer};

#[derive(Clone, Copy)]
struct Request {
    amount: u64,
    is_paid: bool,
}

struct Desk {
    ledger: Principal,
    owner: Principal,
    /// What the canister holds beyond open requests.
    free: u64,
    /// By number.
    requests: BTreeMap<u64, Request>,
}

thread_local! {
    static DESK: RefCell<Option<Desk>> = const { RefCell::new(None) };
}

fn desk<R>(access: impl FnOnce(&mut Desk) -> R) -> R {
    DESK.with_borrow_mut(|desk| access(desk.as_mut().expect("init has set the state")))
}

/// Sets up requests with the numbers 0, 1, ... for these amounts.
#[init]
fn init(ledger: Principal, owner: Principal, free: u64, amounts: Vec<u64>) {
    let requests = (0..).zip(amounts).map(|(id, amount)| (id, Request { amount, is_paid: false })).collect();
    DESK.set(Some(Desk { ledger, owner, free, requests }));
}

/// Pays all requests. The bug: what is in the copy may be gone from the original.
#[update]
async fn process() {
    let (ledger, owner, requests) = desk(|desk| (desk.ledger, desk.owner, desk.requests.clone()));
    for (id, request) in requests.into_iter().filter(|(_, request)| !request.is_paid) {
        if transfer(ledger, owner, request.amount).await != Outcome::Paid {
            return;
        }
        desk(|desk| desk.requests.get_mut(&id).expect("it was there").is_paid = true);
    }
}

/// Pays all requests: each is looked up when its turn comes, and marked before it is paid.
#[update]
async fn process_fixed() {
    let (ledger, owner) = desk(|desk| (desk.ledger, desk.owner));
    while let Some((id, amount)) = next() {
        if Payment::open(ledger, owner, amount).make().await == Outcome::Refused {
            desk(|desk| desk.requests.get_mut(&id).expect("a marked one is not cancelled").is_paid = false);
            return;
        }
    }
}

/// Marks the first request that is not paid.
fn next() -> Option<(u64, u64)> {
    desk(|desk| {
        let (id, request) = desk.requests.iter_mut().find(|(_, request)| !request.is_paid)?;
        request.is_paid = true;
        Some((*id, request.amount))
    })
}

/// Cancels a request that is not paid.
#[update]
fn cancel(id: u64) -> Result<(), Error> {
    desk(|desk| {
        let request = desk.requests.get(&id).filter(|request| !request.is_paid).copied().ok_or(Error::NotFound)?;
        desk.requests.remove(&id);
        desk.free += request.amount;
        Ok(())
    })
}

#[update]
async fn settle() {
    payment::settle().await;
}

/// What the canister holds by its own book.
#[query]
fn balance() -> u64 {
    desk(|desk| {
        let open = desk.requests.values().filter(|request| !request.is_paid);
        desk.free + open.map(|request| request.amount).sum::<u64>()
    })
}

#[query]
fn pending() -> u64 {
    payment::pending()
}

zoo::interface!("../did/t19_snapshot.did");
