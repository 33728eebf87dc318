//! Rates, errors and what they cost.

use candid::{Principal, encode_args};

use super::super::stage::{NOW_NS, Stage, value};
use super::*;

type Found = Result<ExchangeRate, ExchangeRateError>;

fn crypto(symbol: &str) -> Asset {
    Asset { symbol: symbol.to_string(), class: AssetClass::Cryptocurrency }
}

fn fiat(symbol: &str) -> Asset {
    Asset { symbol: symbol.to_string(), class: AssetClass::FiatCurrency }
}

fn known(base: Asset, quote: Asset, rate: u64) -> KnownRate {
    KnownRate { base, quote, rate, decimals: 9 }
}

/// A canister that knows ICP in USD, ICP in BTC and EUR in USD, called with enough cycles.
fn xrc() -> Stage<Xrc> {
    let rates = vec![
        known(crypto("ICP"), fiat("USD"), 5_000_000_000),
        known(crypto("ICP"), crypto("BTC"), 70_000),
        known(fiat("EUR"), fiat("USD"), 1_100_000_000),
    ];
    let mut stage = Stage::new(Xrc::install(&encode_args((rates,)).unwrap()).unwrap());
    stage.cycles = ATTACHED;
    stage
}

/// What is found, and the cycles it costs.
fn ask(stage: &mut Stage<Xrc>, base_asset: Asset, quote_asset: Asset, timestamp: Option<u64>) -> (Found, Cycles) {
    let execution = stage.call("get_exchange_rate", (Request { base_asset, quote_asset, timestamp },));
    (value(&execution), execution.accepted)
}

#[test]
fn a_rate_of_the_scenario_is_replied_with_the_minute_and_the_assets() {
    let (found, cost) = ask(&mut xrc(), crypto("icp"), fiat("usd"), None);
    let minute_s = NOW_NS / 1_000_000_000 / 60 * 60;
    let metadata = Metadata {
        decimals: 9,
        base_asset_num_received_rates: 8,
        base_asset_num_queried_sources: 8,
        quote_asset_num_received_rates: 8,
        quote_asset_num_queried_sources: 8,
        standard_deviation: 0,
        forex_timestamp: Some(NOW_NS / 1_000_000_000 / 86_400 * 86_400),
    };
    let (base_asset, quote_asset) = (crypto("ICP"), fiat("USD"));
    let wanted = ExchangeRate { base_asset, quote_asset, timestamp: minute_s, rate: 5_000_000_000, metadata };
    assert_eq!((found, cost), (Ok(wanted), 260_000_000));
}

#[test]
fn a_rate_costs_more_for_each_cryptocurrency() {
    let mut xrc = xrc();
    let (found, cost) = ask(&mut xrc, crypto("ICP"), crypto("BTC"), Some(119));
    let found = found.unwrap();
    assert_eq!((found.timestamp, found.metadata.forex_timestamp, cost), (60, None, 500_000_000));
    assert_eq!(ask(&mut xrc, fiat("EUR"), fiat("USD"), None).1, 20_000_000);
}

#[test]
fn fewer_cycles_than_a_billion_buy_nothing_and_come_back() {
    let mut xrc = xrc();
    xrc.cycles = ATTACHED - 1;
    let refused = ask(&mut xrc, crypto("ICP"), fiat("USD"), None);
    assert_eq!(refused, (Err(ExchangeRateError::NotEnoughCycles), 0));
}

#[test]
fn the_anonymous_principal_is_refused_whatever_it_pays() {
    let mut xrc = xrc();
    xrc.caller = Principal::anonymous();
    let refused = ask(&mut xrc, crypto("ICP"), fiat("USD"), None);
    assert_eq!(refused, (Err(ExchangeRateError::AnonymousPrincipalNotAllowed), 0));
}

#[test]
fn the_asset_that_is_not_known_is_named_for_a_million_cycles() {
    use ExchangeRateError::*;
    let cases = [
        (crypto("XYZ"), fiat("USD"), CryptoBaseAssetNotFound),
        (fiat("XYZ"), crypto("ICP"), ForexBaseAssetNotFound),
        (crypto("ICP"), crypto("XYZ"), CryptoQuoteAssetNotFound),
        (crypto("ICP"), fiat("XYZ"), ForexQuoteAssetNotFound),
        (fiat("XYZ"), fiat("ABC"), ForexAssetsNotFound),
        // Both are known, and no rate of one in the other is.
        (crypto("BTC"), crypto("ICP"), CryptoQuoteAssetNotFound),
    ];
    for (base, quote, error) in cases {
        assert_eq!(ask(&mut xrc(), base, quote, None), (Err(error), 1_000_000));
    }
}

#[test]
fn a_rate_is_given_once() {
    let rates = vec![known(crypto("ICP"), fiat("USD"), 1), known(crypto("icp"), fiat("USD"), 2)];
    let problem = Xrc::install(&encode_args((rates,)).unwrap()).err();
    assert_eq!(problem.as_deref(), Some("`init` has two rates of ICP in USD"));
}
