//! A shop that sells at a price from the web: an HTTP outcall, and an await point like any other.
//!
//! The shop has a fixed number of items. Before it asks for the price it looks whether there are enough; when
//! the price is there, others may have bought them. `buy_stale` sells them all the same, `buy` reserves them
//! before it asks.
//!
//! Every node of the subnet fetches the price itself, and all have to see the same: `transform` keeps the
//! body of the response only, because headers differ from node to node.

use ic_cdk::{init, query, update};
use ic_cdk_management_canister::{
    HttpMethod, HttpRequestArgs, HttpRequestResult, TransformArgs, http_request, transform_context_from_query,
};
use std::cell::RefCell;

const PRICE_URL: &str = "https://prices.example/item";
/// A longer price is none; it also bounds what the outcall costs.
const PRICE_BYTES_MAX: u64 = 100;

/// All counts are of items; money is in the currency of the price.
#[derive(Default)]
struct Shop {
    stock: u64,
    reserved: u64,
    sold: u64,
    revenue: u64,
}

impl Shop {
    /// Items that are neither sold nor promised to a buyer whose price is being fetched.
    fn available(&self) -> u64 {
        self.stock.saturating_sub(self.sold + self.reserved)
    }

    fn sell(&mut self, items: u64, price: u64) -> u64 {
        let cost = items * price;
        self.sold += items;
        self.revenue += cost;
        cost
    }
}

thread_local! {
    static SHOP: RefCell<Shop> = RefCell::default();
}

#[init]
fn init(stock: u64) {
    SHOP.set(Shop { stock, ..Shop::default() });
}

/// Sells items and returns what they cost.
///
/// The bug: that there are enough items was true before the await. Two buyers that overlap both find them.
#[update]
async fn buy_stale(items: u64) -> Result<u64, String> {
    if items > SHOP.with_borrow(Shop::available) {
        return Err("sold out".to_string());
    }
    let price = fetch_price().await?;
    Ok(SHOP.with_borrow_mut(|shop| shop.sell(items, price)))
}

/// Reserves items, then sells them at the price of now and returns what they cost.
///
/// Whatever becomes of the price, the reservation ends with this call: with a sale, or with nothing.
#[update]
async fn buy(items: u64) -> Result<u64, String> {
    let reservation = Reservation::of(items).ok_or("sold out")?;
    let price = fetch_price().await?;
    Ok(reservation.sell(price))
}

/// Items that are kept for a buyer until this is dropped.
///
/// It is dropped too when the message after the await traps: ic-cdk then drops what the method holds in a
/// cleanup, whose changes are kept.
struct Reservation {
    items: u64,
}

impl Reservation {
    fn of(items: u64) -> Option<Self> {
        SHOP.with_borrow_mut(|shop| {
            (items <= shop.available()).then(|| {
                shop.reserved += items;
                Self { items }
            })
        })
    }

    fn sell(self, price: u64) -> u64 {
        SHOP.with_borrow_mut(|shop| shop.sell(self.items, price))
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        SHOP.with_borrow_mut(|shop| shop.reserved -= self.items);
    }
}

/// The price of one item.
async fn fetch_price() -> Result<u64, String> {
    let request = HttpRequestArgs {
        url: PRICE_URL.to_string(),
        max_response_bytes: Some(PRICE_BYTES_MAX),
        method: HttpMethod::GET,
        headers: Vec::new(),
        body: None,
        transform: Some(transform_context_from_query("transform".to_string(), Vec::new())),
        is_replicated: Some(true),
    };
    let response = http_request(&request).await.map_err(|_| "no answer")?;
    let price = std::str::from_utf8(&response.body).ok().and_then(|body| body.trim().parse().ok());
    match price {
        Some(price) if response.status == 200u8 => Ok(price),
        _ => Err("no price".to_string()),
    }
}

/// What is the same on all nodes: the status and the body.
#[query]
fn transform(args: TransformArgs) -> HttpRequestResult {
    HttpRequestResult { headers: Vec::new(), ..args.response }
}

#[query]
fn sold() -> u64 {
    SHOP.with_borrow(|shop| shop.sold)
}

#[query]
fn reserved() -> u64 {
    SHOP.with_borrow(|shop| shop.reserved)
}

#[query]
fn revenue() -> u64 {
    SHOP.with_borrow(|shop| shop.revenue)
}

/// The Candid interface, readable through the export `get_candid_pointer`.
mod interface {
    use super::*;

    ic_cdk::export_candid!();

    #[cfg(test)]
    #[test]
    fn interface_file_is_what_the_module_exports() {
        let file = include_str!("../shop.did");
        assert_eq!(__export_service().trim(), file.trim());
    }
}
