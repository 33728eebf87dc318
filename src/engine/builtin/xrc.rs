//! The exchange rate canister, with the rates of the scenario.
//!
//! In: a pair of assets and 10^9 cycles. Out: the rate in `init`, at once, as agreed on by all of 8 sources. It checks in
//! the order of the public source: caller, cycles, assets. It keeps what a rate costs that is not cached: 20 million
//! cycles and 240 million for each cryptocurrency; of an error that comes after the check of cycles, 1 million. Left out:
//! rates that change with time, `Pending`, rate limits, stablecoins, and the callers that pay nothing.

use candid::{CandidType, Deserialize, Principal, decode_args};

use super::{Action, Answer, Around, Call, Contract, Turn, reply};
use crate::kernel::Cycles;

/// Update methods.
pub const UPDATES: [&str; 1] = ["get_exchange_rate"];

/// Cycles that have to come with a call.
pub const ATTACHED: Cycles = 1_000_000_000;
const BASE_COST: Cycles = 20_000_000;
const ASSET_COST: Cycles = 240_000_000;
const ERROR_COST: Cycles = 1_000_000;
/// Sources that are said to know the rate.
const SOURCES: u64 = 8;
const MINUTE_S: u64 = 60;
const DAY_S: u64 = 24 * 3_600;

/// Kind of an asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, CandidType, Deserialize)]
#[expect(missing_docs, reason = "the variants say it")]
pub enum AssetClass {
    Cryptocurrency,
    FiatCurrency,
}

/// An asset; symbols are compared and replied in upper case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, CandidType, Deserialize)]
pub struct Asset {
    /// As `ICP` or `USD`.
    pub symbol: String,
    /// What it is.
    pub class: AssetClass,
}

/// A rate of the scenario: units of `quote` for one of `base`, times ten to the `decimals`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, CandidType, Deserialize)]
pub struct KnownRate {
    /// What is priced.
    pub base: Asset,
    /// In what.
    pub quote: Asset,
    /// The number.
    pub rate: u64,
    /// How many of its digits stand behind the point.
    pub decimals: u32,
}

/// The argument of `get_exchange_rate`.
#[derive(Clone, Debug, CandidType, Deserialize)]
pub struct Request {
    /// What is priced.
    pub base_asset: Asset,
    /// In what.
    pub quote_asset: Asset,
    /// When, in seconds; now if not said.
    pub timestamp: Option<u64>,
}

/// Names and meanings are those of the public interface.
#[derive(Clone, Debug, PartialEq, Eq, CandidType, Deserialize)]
#[expect(missing_docs, reason = "the interface says it")]
pub struct Metadata {
    pub decimals: u32,
    pub base_asset_num_received_rates: u64,
    pub base_asset_num_queried_sources: u64,
    pub quote_asset_num_received_rates: u64,
    pub quote_asset_num_queried_sources: u64,
    pub standard_deviation: u64,
    pub forex_timestamp: Option<u64>,
}

/// A rate as it is replied.
#[derive(Clone, Debug, PartialEq, Eq, CandidType, Deserialize)]
#[expect(missing_docs, reason = "the interface says it")]
pub struct ExchangeRate {
    pub base_asset: Asset,
    pub quote_asset: Asset,
    pub timestamp: u64,
    pub rate: u64,
    pub metadata: Metadata,
}

/// Names and meanings are those of the public interface; those that never occur here are left out.
#[derive(Clone, Debug, PartialEq, Eq, CandidType, Deserialize)]
#[expect(missing_docs, reason = "the interface says it")]
pub enum ExchangeRateError {
    AnonymousPrincipalNotAllowed,
    CryptoBaseAssetNotFound,
    CryptoQuoteAssetNotFound,
    ForexBaseAssetNotFound,
    ForexQuoteAssetNotFound,
    ForexAssetsNotFound,
    NotEnoughCycles,
}

/// The rates.
#[derive(Clone, Debug)]
pub struct Xrc {
    rates: Vec<KnownRate>,
}

impl Xrc {
    /// A canister that knows these rates and nothing else.
    ///
    /// # Errors
    /// If the argument is neither `()` nor a list of [`KnownRate`]s, or has a rate twice.
    pub fn install(init: &[u8]) -> Result<(Xrc, ()), String> {
        let (rates,): (Option<Vec<KnownRate>>,) =
            decode_args(init).map_err(|error| format!("`init` is no list of rates: {error}"))?;
        let mut known: Vec<KnownRate> = Vec::new();
        for rate in rates.unwrap_or_default() {
            let rate = KnownRate { base: in_upper_case(rate.base), quote: in_upper_case(rate.quote), ..rate };
            if known.iter().any(|other| other.base == rate.base && other.quote == rate.quote) {
                return Err(format!("`init` has two rates of {} in {}", rate.base.symbol, rate.quote.symbol));
            }
            known.push(rate);
        }
        Ok((Xrc { rates: known }, ()))
    }

    fn rate(&self, request: Request, around: &mut Around<'_>) -> Result<ExchangeRate, ExchangeRateError> {
        if around.caller() == Principal::anonymous() {
            return Err(ExchangeRateError::AnonymousPrincipalNotAllowed);
        }
        if around.available() < ATTACHED {
            return Err(ExchangeRateError::NotEnoughCycles);
        }
        let (base, quote) = (in_upper_case(request.base_asset), in_upper_case(request.quote_asset));
        let Some(known) = self.rates.iter().find(|rate| rate.base == base && rate.quote == quote) else {
            around.accept(ERROR_COST);
            return Err(self.not_found(&base, &quote));
        };
        let assets = [&base, &quote];
        let fetched = assets.iter().filter(|asset| asset.class == AssetClass::Cryptocurrency).count();
        around.accept(BASE_COST + ASSET_COST * fetched as Cycles);
        let asked_s = request.timestamp.unwrap_or_else(|| around.time_ns() / 1_000_000_000);
        let timestamp = asked_s / MINUTE_S * MINUTE_S;
        let metadata = Metadata {
            decimals: known.decimals,
            base_asset_num_received_rates: SOURCES,
            base_asset_num_queried_sources: SOURCES,
            quote_asset_num_received_rates: SOURCES,
            quote_asset_num_queried_sources: SOURCES,
            standard_deviation: 0,
            forex_timestamp: (fetched < assets.len()).then_some(timestamp / DAY_S * DAY_S),
        };
        Ok(ExchangeRate { base_asset: base, quote_asset: quote, timestamp, rate: known.rate, metadata })
    }

    /// Which asset is to blame: the base if no rate names it, else the quote.
    fn not_found(&self, base: &Asset, quote: &Asset) -> ExchangeRateError {
        let is_unknown = |asset: &Asset| !self.rates.iter().any(|rate| rate.base == *asset || rate.quote == *asset);
        match (base.class, quote.class, is_unknown(base), is_unknown(quote)) {
            (AssetClass::FiatCurrency, AssetClass::FiatCurrency, true, true) => ExchangeRateError::ForexAssetsNotFound,
            (AssetClass::Cryptocurrency, _, true, _) => ExchangeRateError::CryptoBaseAssetNotFound,
            (AssetClass::FiatCurrency, _, true, _) => ExchangeRateError::ForexBaseAssetNotFound,
            (_, AssetClass::Cryptocurrency, false, _) => ExchangeRateError::CryptoQuoteAssetNotFound,
            (_, AssetClass::FiatCurrency, false, _) => ExchangeRateError::ForexQuoteAssetNotFound,
        }
    }
}

fn in_upper_case(asset: Asset) -> Asset {
    Asset { symbol: asset.symbol.to_uppercase(), ..asset }
}

impl Contract for Xrc {
    type State = ();

    fn update(&self, (): &(), call: &Call<'_>, around: &mut Around<'_>) -> Result<Option<Turn<()>>, String> {
        if call.method != UPDATES[0] {
            return Ok(None);
        }
        let (request,): (Request,) = call.args()?;
        let action = Action::Answer(reply((self.rate(request, around),))?);
        Ok(Some(Turn { state: (), action }))
    }

    fn query(&self, (): &(), _: &Call<'_>, _: &mut Around<'_>) -> Result<Option<Answer>, String> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
