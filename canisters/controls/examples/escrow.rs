//! An escrow: a seller deposits goods, tokens of one ledger, and whoever pays the price on another ledger gets them.
//!
//! A method first locks everybody whose deals it touches: `accept` its caller and the seller, so that no second buyer
//! and no `cancel` comes in between while a payment is under way. Locks are given back when they are dropped. Goods
//! leave the book before they are sent, and return to it if it is proven that they were not.

use candid::{Nat, Principal, Reserved};
use controls::TransferFromArg;
use controls::icrc1::{Account, TransferArg};
use ic_cdk::api::{canister_self, msg_caller};
use ic_cdk::call::{Call, CallErrorExt};
use ic_cdk::{init, query, update};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

struct Escrow {
    goods: Principal,
    money: Principal,
    next_id: u64,
    deals: BTreeMap<u64, Deal>,
    /// Goods of which nobody knows whether the escrow still holds them.
    unclear: u64,
}

#[derive(Clone, Copy)]
struct Deal {
    seller: Principal,
    amount: u64,
    price: u64,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    Open,
    /// Paid by this buyer, who gets the goods with the next `accept` if the ledger refused to send them.
    Sold(Principal),
    /// Nobody knows whether it is paid; somebody has to look at the ledger's blocks.
    Disputed,
}

thread_local! {
    static ESCROW: RefCell<Option<Escrow>> = const { RefCell::new(None) };
    static LOCKED: RefCell<BTreeSet<Principal>> = const { RefCell::new(BTreeSet::new()) };
}

fn escrow<R>(access: impl FnOnce(&mut Escrow) -> R) -> R {
    ESCROW.with_borrow_mut(|escrow| access(escrow.as_mut().expect("init has set the state")))
}

/// Keeps others from working on deals of this user.
struct UserLock(Principal);

impl UserLock {
    fn take(user: Principal) -> Result<Self, String> {
        let is_new = LOCKED.with_borrow_mut(|locked| locked.insert(user));
        if is_new { Ok(Self(user)) } else { Err("busy".to_string()) }
    }
}

impl Drop for UserLock {
    fn drop(&mut self) {
        LOCKED.with_borrow_mut(|locked| locked.remove(&self.0));
    }
}

#[init]
fn init(goods: Principal, money: Principal) {
    ESCROW.set(Some(Escrow { goods, money, next_id: 0, deals: BTreeMap::new(), unclear: 0 }));
}

/// Takes the caller's goods, which he has approved, and offers them for `price`; returns the id of the deal.
#[update]
async fn create(amount: u64, price: u64) -> Result<u64, String> {
    let seller = msg_caller();
    let _lock = UserLock::take(seller)?;
    let goods = escrow(|escrow| escrow.goods);
    match transfer_from(goods, seller, canister_self(), amount).await {
        Outcome::Paid => Ok(escrow(|escrow| {
            escrow.next_id += 1;
            escrow.deals.insert(escrow.next_id, Deal { seller, amount, price, state: State::Open });
            escrow.next_id
        })),
        Outcome::NotPaid => Err("the goods were not deposited".to_string()),
        Outcome::Unknown => {
            escrow(|escrow| escrow.unclear += amount);
            Err("unclear".to_string())
        }
    }
}

/// Pays the price to the seller. True: the goods are delivered; false: unclear, or the next `accept` delivers them.
#[update]
async fn accept(id: u64) -> Result<bool, String> {
    let buyer = msg_caller();
    let seller = deal(id)?.seller;
    let _buyer_lock = UserLock::take(buyer)?;
    let _seller_lock = UserLock::take(seller)?;
    let deal = deal(id)?;
    match deal.state {
        State::Open => {
            let money = escrow(|escrow| escrow.money);
            match transfer_from(money, buyer, seller, deal.price).await {
                Outcome::Paid => set_state(id, State::Sold(buyer)),
                Outcome::NotPaid => return Err("the price was not paid".to_string()),
                Outcome::Unknown => {
                    set_state(id, State::Disputed);
                    return Err("unclear".to_string());
                }
            }
        }
        State::Sold(to) if to == buyer => {}
        State::Sold(_) | State::Disputed => return Err("not for sale".to_string()),
    }
    Ok(matches!(release(id, buyer).await, Outcome::Paid))
}

/// Gives the goods back to the seller.
#[update]
async fn cancel(id: u64) -> Result<(), String> {
    let caller = msg_caller();
    let _lock = UserLock::take(caller)?;
    let deal = deal(id)?;
    if deal.seller != caller || !matches!(deal.state, State::Open) {
        return Err("not for sale".to_string());
    }
    match release(id, caller).await {
        Outcome::Paid => Ok(()),
        Outcome::NotPaid => Err("the goods were not returned".to_string()),
        Outcome::Unknown => Err("unclear".to_string()),
    }
}

/// Sends the goods of a deal, which is over then; without a doubt not sent, it is as it was.
async fn release(id: u64, to: Principal) -> Outcome {
    let goods = escrow(|escrow| escrow.goods);
    let Some(deal) = escrow(|escrow| escrow.deals.remove(&id)) else { return Outcome::NotPaid };
    let outcome = transfer(goods, to, deal.amount).await;
    match outcome {
        Outcome::Paid => {}
        Outcome::NotPaid => drop(escrow(|escrow| escrow.deals.insert(id, deal))),
        Outcome::Unknown => escrow(|escrow| escrow.unclear += deal.amount),
    }
    outcome
}

fn deal(id: u64) -> Result<Deal, String> {
    escrow(|escrow| escrow.deals.get(&id).copied()).ok_or("not for sale".to_string())
}

fn set_state(id: u64, state: State) {
    escrow(|escrow| escrow.deals.get_mut(&id).expect("its seller is locked").state = state);
}

#[derive(Clone, Copy)]
enum Outcome {
    Paid,
    NotPaid,
    Unknown,
}

async fn transfer_from(ledger: Principal, from: Principal, to: Principal, amount: u64) -> Outcome {
    let arg = TransferFromArg::new(Account::of(from), Account::of(to), Nat::from(amount));
    pay(Call::bounded_wait(ledger, "icrc2_transfer_from").with_arg(&arg)).await
}

async fn transfer(ledger: Principal, to: Principal, amount: u64) -> Outcome {
    let (to, amount) = (Account::of(to), Nat::from(amount));
    let arg = TransferArg { from_subaccount: None, to, amount, fee: None, memo: None, created_at_time: None };
    pay(Call::bounded_wait(ledger, "icrc1_transfer").with_arg(&arg)).await
}

async fn pay(call: Call<'_, '_>) -> Outcome {
    match call.await {
        Ok(reply) => match reply.candid::<Result<Nat, Reserved>>() {
            Ok(Ok(_block)) => Outcome::Paid,
            Ok(Err(_refusal)) => Outcome::NotPaid,
            Err(_) => Outcome::Unknown,
        },
        Err(error) if error.is_clean_reject() => Outcome::NotPaid,
        Err(_) => Outcome::Unknown,
    }
}

/// Goods that the escrow holds for deals.
#[query]
fn held() -> u64 {
    escrow(|escrow| escrow.deals.values().map(|deal| deal.amount).sum())
}

#[query]
fn unclear() -> u64 {
    escrow(|escrow| escrow.unclear)
}

/// The Candid interface, readable through the export `get_candid_pointer`.
mod interface {
    use super::*;

    ic_cdk::export_candid!();

    #[cfg(test)]
    #[test]
    fn interface_file_is_what_the_module_exports() {
        let file = include_str!("../did/escrow.did");
        assert_eq!(__export_service().trim(), file.trim());
    }
}
