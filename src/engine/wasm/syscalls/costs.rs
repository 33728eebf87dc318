//! What something would cost. Prices are not modelled (semantics 5): all are 0, while wrong questions are still told from
//! right ones.

use candid::CandidType;
use candid::de::DecoderConfig;
use candid::utils::decode_one_with_config;
use serde::Deserialize;
use wasmtime::{Caller, Linker};

use crate::kernel::Cycles;

use super::super::host::Host;
use super::{Address, Result, enter, load, save, violation};

/// Every price.
const FREE: Cycles = 0;
/// Names of the keys that a signature can be asked for; the same on the IC.
const KEYS: [&[u8]; 3] = [b"key_1", b"test_key_1", b"dfx_test_key"];
/// Longest name that is looked at: any longer one is unknown.
const NAME_MAX: u64 = 1024;
/// Bytes of a description of an outcall, and work that reading it may take.
const PARAMETERS_MAX: u64 = 1024;
const PARAMETERS_QUOTA: usize = 100_000;

/// What `cost_http_request_v2` is asked about.
#[derive(CandidType, Deserialize)]
struct Outcall {
    #[serde(rename = "request_bytes")]
    _request_bytes: u64,
    #[serde(rename = "http_roundtrip_time_ms")]
    _http_roundtrip_time_ms: u64,
    #[serde(rename = "raw_response_bytes")]
    _raw_response_bytes: u64,
    #[serde(rename = "transformed_response_bytes")]
    _transformed_response_bytes: u64,
    #[serde(rename = "transform_instructions")]
    _transform_instructions: u64,
}

/// Defines these functions.
pub(super) fn link<I: Address>(linker: &mut Linker<Host>) -> Result<()> {
    define!(linker, "cost_call", |caller, _name: u64, _payload: u64, dst: I| -> () {
        save(&mut caller, dst.wide(), &FREE.to_le_bytes(), "cost_call")
    });
    define!(linker, "cost_create_canister", |caller, dst: I| -> () {
        save(&mut caller, dst.wide(), &FREE.to_le_bytes(), "cost_create_canister")
    });
    define!(linker, "cost_http_request", |caller, _request: u64, _response: u64, dst: I| -> () {
        save(&mut caller, dst.wide(), &FREE.to_le_bytes(), "cost_http_request")
    });
    define!(linker, "cost_http_request_v2", |caller, src: I, size: I, dst: I| -> () {
        if size.wide() > PARAMETERS_MAX {
            return violation(caller.data_mut(), "ic0_cost_http_request_v2: the parameters are too long");
        }
        let bytes = load(&mut caller, src.wide(), size.wide(), "cost_http_request_v2")?;
        let mut config = DecoderConfig::new();
        config.set_decoding_quota(PARAMETERS_QUOTA).set_skipping_quota(PARAMETERS_QUOTA);
        if decode_one_with_config::<Outcall>(&bytes, &config).is_err() {
            return violation(caller.data_mut(), "ic0_cost_http_request_v2: the parameters cannot be decoded");
        }
        save(&mut caller, dst.wide(), &FREE.to_le_bytes(), "cost_http_request_v2")
    });
    define!(linker, "cost_sign_with_ecdsa", |caller, src: I, size: I, curve: u32, dst: I| -> u32 {
        cost_of_key(&mut caller, (src.wide(), size.wide()), (curve, 1), dst.wide(), "cost_sign_with_ecdsa")
    });
    define!(linker, "cost_sign_with_schnorr", |caller, src: I, size: I, algorithm: u32, dst: I| -> u32 {
        cost_of_key(&mut caller, (src.wide(), size.wide()), (algorithm, 2), dst.wide(), "cost_sign_with_schnorr")
    });
    define!(linker, "cost_vetkd_derive_key", |caller, src: I, size: I, curve: u32, dst: I| -> u32 {
        cost_of_key(&mut caller, (src.wide(), size.wide()), (curve, 1), dst.wide(), "cost_vetkd_derive_key")
    });
    Ok(())
}

/// 0 with the price written, 1 for a curve that is not among those that there are, 2 for a key that nobody has.
fn cost_of_key(
    caller: &mut Caller<'_, Host>,
    (src, size): (u64, u64),
    (curve, curves): (u32, u32),
    dst: u64,
    function: &str,
) -> Result<u32> {
    if curve >= curves {
        return Ok(1);
    }
    if size > NAME_MAX {
        return Ok(2);
    }
    let key = load(caller, src, size, function)?;
    if !KEYS.contains(&key.as_slice()) {
        return Ok(2);
    }
    save(caller, dst, &FREE.to_le_bytes(), function)?;
    Ok(0)
}
