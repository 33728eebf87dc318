//! Random bytes, signatures and public keys: deterministic stand-ins, which no one can verify.
//!
//! They depend on what a canister asks for and on the scenario's seed, never on the order in which canisters ask; so two
//! interleavings that commute still reach the same world. Lengths are those of the real ones.

use candid::Encode;
use sha2::{Digest, Sha256};

use super::types::{PublicKeyArg, PublicKeyReply, SignArg, SignReply};
use super::{Answer, decode};

/// Names of keys that exist: those of the mainnet and of a local replica.
const KEYS: [&str; 3] = ["key_1", "test_key_1", "dfx_test_key"];

/// 32 bytes for the `n`-th draw of a canister.
pub(super) fn random(seed: u64, canister: &[u8], n: u32) -> Answer {
    let bytes = digest(&[b"random", &seed.to_le_bytes(), canister, &n.to_le_bytes()]);
    Answer::of(Encode!(&bytes))
}

/// A signature of 64 bytes.
pub(super) fn sign(method: &str, arg: &[u8], canister: &[u8]) -> Answer {
    let arg: SignArg = match decode(arg) {
        Ok(arg) => arg,
        Err(answer) => return answer,
    };
    if let Some(answer) = unknown_key(&arg.key_id.name) {
        return answer;
    }
    let message = arg.message.or(arg.message_hash).unwrap_or_default();
    let path = arg.derivation_path.concat();
    let half = |tag: &[u8]| digest(&[tag, method.as_bytes(), canister, &path, arg.key_id.name.as_bytes(), &message]);
    let signature = [half(b"r"), half(b"s")].concat();
    Answer::of(Encode!(&SignReply { signature }))
}

/// A public key: 33 bytes for ECDSA, 32 for Schnorr with Ed25519; the stand-in has 33.
pub(super) fn public_key(method: &str, arg: &[u8], caller: &[u8]) -> Answer {
    let arg: PublicKeyArg = match decode(arg) {
        Ok(arg) => arg,
        Err(answer) => return answer,
    };
    if let Some(answer) = unknown_key(&arg.key_id.name) {
        return answer;
    }
    let owner = arg.canister_id.as_ref().map_or(caller, |id| id.as_slice());
    let path = arg.derivation_path.concat();
    let part = |tag: &[u8]| digest(&[tag, method.as_bytes(), owner, &path, arg.key_id.name.as_bytes()]);
    let mut public_key = vec![2];
    public_key.extend(part(b"key"));
    Answer::of(Encode!(&PublicKeyReply { public_key, chain_code: part(b"chain") }))
}

fn unknown_key(name: &str) -> Option<Answer> {
    let text = || format!("Requested unknown threshold key: {name}, existing keys: {}", KEYS.join(", "));
    (!KEYS.contains(&name)).then(|| Answer::Reject(4, text()))
}

fn digest(parts: &[&[u8]]) -> Vec<u8> {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().to_vec()
}
