//! T11, an order of messages that nobody promised: the buyer approves the price and orders from the shop at once, since
//! the approval is sent first. The shop's request may reach the ledger before it. Only requests from one canister to
//! one other keep their order.

use candid::{Nat, Principal};
use futures::future::join;
use ic_cdk::call::{Call, CallErrorExt};
use ic_cdk::{init, query, update};
use std::cell::RefCell;
use std::future::IntoFuture;
use zoo::Error;
use zoo::icrc1::Account;
use zoo::icrc2::{ApproveArgs, Block};
use zoo::lock::Lock;

struct Buyer {
    ledger: Principal,
    /// Takes the price from the buyer's account when something is ordered, and then answers.
    shop: Principal,
    balance: u64,
    /// What is ordered, and perhaps paid.
    pending: u64,
}

thread_local! {
    static BUYER: RefCell<Option<Buyer>> = const { RefCell::new(None) };
}

fn buyer<R>(access: impl FnOnce(&mut Buyer) -> R) -> R {
    BUYER.with_borrow_mut(|buyer| access(buyer.as_mut().expect("init has set the state")))
}

#[init]
fn init(ledger: Principal, shop: Principal, balance: u64) {
    BUYER.set(Some(Buyer { ledger, shop, balance, pending: 0 }));
}

/// The two calls of an order.
fn calls(price: u64) -> Result<[Call<'static, 'static>; 2], Error> {
    let (ledger, shop, balance) = buyer(|buyer| (buyer.ledger, buyer.shop, buyer.balance));
    if price > balance {
        return Err(Error::Insufficient);
    }
    let approval = ApproveArgs { spender: Account::of(shop), amount: Nat::from(price) };
    Ok([
        Call::unbounded_wait(ledger, "icrc2_approve").with_arg(approval),
        Call::unbounded_wait(shop, "order").with_arg(price),
    ])
}

/// Buys something. The bug: the approval is sent first, and need not arrive first.
#[update]
async fn buy(price: u64) -> Result<(), Error> {
    let _lock = Lock::take()?;
    let [approve, order] = calls(price)?;
    let (approved, ordered) = join(approve.into_future(), order.into_future()).await;
    let block: Block = approved.map_err(|_| Error::Unknown)?.candid().map_err(|_| Error::Unknown)?;
    block.map_err(|_| Error::Refused)?;
    ordered.map_err(|_| Error::Unknown)?;
    buyer(|buyer| buyer.balance -= price);
    Ok(())
}

/// Buys something: orders when the ledger has confirmed the approval. From then on the price is pending until the shop
/// has answered, or has certainly not seen the order.
#[update]
async fn buy_fixed(price: u64) -> Result<(), Error> {
    let _lock = Lock::take()?;
    let [approve, order] = calls(price)?;
    let block: Block = approve.await.map_err(|_| Error::Unknown)?.candid().map_err(|_| Error::Unknown)?;
    block.map_err(|_| Error::Refused)?;
    buyer(|buyer| {
        buyer.balance -= price;
        buyer.pending += price;
    });
    let answer = order.await;
    buyer(|buyer| match answer {
        Ok(_) => {
            buyer.pending -= price;
            Ok(())
        }
        Err(error) if error.is_clean_reject() => {
            buyer.pending -= price;
            buyer.balance += price;
            Err(Error::Refused)
        }
        Err(_) => Err(Error::Unknown),
    })
}

#[query]
fn balance() -> u64 {
    buyer(|buyer| buyer.balance)
}

#[query]
fn pending() -> u64 {
    buyer(|buyer| buyer.pending)
}

zoo::interface!("../did/t11_assumed_order.did");
