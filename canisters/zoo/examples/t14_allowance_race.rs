//! T14, a race for an allowance: the shop looks whether the customer has approved the price, hands out the item and
//! then takes the money. Two purchases see one allowance; the second item is handed out and never paid.

use candid::{Nat, Principal};
use ic_cdk::api::{canister_self, msg_caller};
use ic_cdk::call::{Call, CallErrorExt};
use ic_cdk::{init, query, update};
use std::cell::RefCell;
use zoo::Error;
use zoo::icrc1::Account;
use zoo::icrc2::{Allowance, AllowanceArgs, Block, TransferFromArgs};
use zoo::payment::Outcome;

struct Shop {
    ledger: Principal,
    price: u64,
    /// Items.
    stock: u64,
    /// Items whose price is not decided about.
    reserved: u64,
    /// What was taken for items.
    earned: u64,
}

thread_local! {
    static SHOP: RefCell<Option<Shop>> = const { RefCell::new(None) };
}

fn shop<R>(access: impl FnOnce(&mut Shop) -> R) -> R {
    SHOP.with_borrow_mut(|shop| access(shop.as_mut().expect("init has set the state")))
}

#[init]
fn init(ledger: Principal, price: u64, stock: u64) {
    SHOP.set(Some(Shop { ledger, price, stock, reserved: 0, earned: 0 }));
}

/// What a customer has approved.
async fn allowance(ledger: Principal, customer: Principal) -> Result<Nat, Error> {
    let args = AllowanceArgs { account: Account::of(customer), spender: Account::of(canister_self()) };
    let reply = Call::unbounded_wait(ledger, "icrc2_allowance").with_arg(args).await.map_err(|_| Error::Unknown)?;
    Ok(reply.candid::<Allowance>().map_err(|_| Error::Unknown)?.allowance)
}

/// Takes the price from a customer. The ledger checks the allowance and lowers it in one message.
async fn charge(ledger: Principal, customer: Principal, price: u64) -> Outcome {
    let (from, to) = (Account::of(customer), Account::of(canister_self()));
    let args = TransferFromArgs { from, to, amount: Nat::from(price) };
    match Call::unbounded_wait(ledger, "icrc2_transfer_from").with_arg(args).await {
        Ok(reply) => match reply.candid::<Block>() {
            Ok(Ok(_block)) => Outcome::Paid,
            Ok(Err(_)) => Outcome::Refused,
            Err(_) => Outcome::Unknown,
        },
        Err(error) if error.is_clean_reject() => Outcome::Refused,
        Err(_) => Outcome::Unknown,
    }
}

/// Sells an item to the caller. The bug: what was approved a message ago may be gone, and with it the item.
#[update]
async fn buy() -> Result<(), Error> {
    let ((ledger, price), customer) = (shop(|shop| (shop.ledger, shop.price)), msg_caller());
    if allowance(ledger, customer).await? < price {
        return Err(Error::Refused);
    }
    shop(|shop| {
        shop.stock = shop.stock.checked_sub(1).ok_or(Error::NotFound)?;
        Ok(())
    })?;
    let outcome = charge(ledger, customer, price).await;
    if outcome == Outcome::Paid {
        shop(|shop| shop.earned += price);
    }
    outcome.result()
}

/// Sells an item to the caller: it is reserved until the ledger has decided, and for good if nobody knows how.
#[update]
async fn buy_fixed() -> Result<(), Error> {
    let ((ledger, price), customer) = (shop(|shop| (shop.ledger, shop.price)), msg_caller());
    shop(|shop| {
        shop.stock = shop.stock.checked_sub(1).ok_or(Error::NotFound)?;
        shop.reserved += 1;
        Ok(())
    })?;
    let outcome = charge(ledger, customer, price).await;
    shop(|shop| match outcome {
        Outcome::Paid => {
            shop.reserved -= 1;
            shop.earned += price;
        }
        Outcome::Refused => {
            shop.reserved -= 1;
            shop.stock += 1;
        }
        Outcome::Unknown => {}
    });
    outcome.result()
}

#[query]
fn reserved() -> u64 {
    shop(|shop| shop.reserved)
}

#[query]
fn stock() -> u64 {
    shop(|shop| shop.stock)
}

#[query]
fn earned() -> u64 {
    shop(|shop| shop.earned)
}

zoo::interface!("../did/t14_allowance_race.did");
