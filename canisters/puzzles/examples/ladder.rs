//! Eight calls in one order pay a customer twice, if the code that confirms the order fits the key that it was registered
//! with. Any other call on the way ends the order.

use std::cell::RefCell;

use ic_cdk::{query, update};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Idle,
    Registered,
    Funded,
    Priced,
    Approved,
    Packed,
    Confirmed,
    Sent,
}

struct Shop {
    stage: Stage,
    key: u64,
    paid: u64,
}

thread_local! {
    static SHOP: RefCell<Shop> = const { RefCell::new(Shop { stage: Stage::Idle, key: 0, paid: 0 }) };
}

/// Goes on from one stage to the next one; from any other stage back to the first.
fn step(from: Stage, to: Stage) -> bool {
    SHOP.with_borrow_mut(|shop| {
        let fits = shop.stage == from;
        shop.stage = if fits { to } else { Stage::Idle };
        fits
    })
}

#[update]
fn register(key: u64) -> bool {
    SHOP.with_borrow_mut(|shop| shop.key = key);
    key > 1_000_000 && step(Stage::Idle, Stage::Registered)
}

#[update]
fn fund() -> bool {
    step(Stage::Registered, Stage::Funded)
}

#[update]
fn price() -> bool {
    step(Stage::Funded, Stage::Priced)
}

#[update]
fn approve() -> bool {
    step(Stage::Priced, Stage::Approved)
}

/// Packing takes a while; what happens meanwhile counts.
#[update]
async fn pack() -> bool {
    puzzles::pause().await;
    step(Stage::Approved, Stage::Packed)
}

#[update]
fn confirm(code: u64) -> bool {
    let fits = SHOP.with_borrow(|shop| code == shop.key.wrapping_mul(3) ^ 0x00c0_ffee);
    fits && step(Stage::Packed, Stage::Confirmed)
}

#[update]
fn send() -> bool {
    step(Stage::Confirmed, Stage::Sent)
}

/// The bug: it pays again what was paid on the way.
#[update]
async fn settle() -> bool {
    puzzles::pause().await;
    let fits = step(Stage::Sent, Stage::Idle);
    if fits {
        SHOP.with_borrow_mut(|shop| shop.paid += 2);
    }
    fits
}

#[query]
fn paid() -> u64 {
    SHOP.with_borrow(|shop| shop.paid)
}

#[update]
fn nothing() {}
