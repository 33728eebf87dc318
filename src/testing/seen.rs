//! What a closure sees of a world: queries with Rust types, and the calls so far.

use candid::utils::{ArgumentDecoder, ArgumentEncoder, decode_args, encode_args};

use super::builder::Canister;
use crate::scenario::Ask;

/// One world, as an invariant in Rust sees it.
pub struct Seen<'a>(pub(super) &'a mut dyn Ask);

impl Seen<'_> {
    /// What a query of a canister answers in this world, run on a copy of its state by the anonymous caller.
    ///
    /// # Errors
    /// If the query traps or rejects, or answers with other types.
    pub fn query<T: for<'de> ArgumentDecoder<'de>>(
        &mut self,
        canister: &Canister,
        method: &str,
        args: impl ArgumentEncoder,
    ) -> Result<T, String> {
        let args = encode_args(args).map_err(|error| format!("{method}: arguments: {error}"))?;
        let reply = self.0.query(&canister.id, method, &args)?;
        decode_args(&reply).map_err(|error| format!("{method}: reply: {error}"))
    }

    /// Whether nothing is on its way.
    pub fn is_quiet(&self) -> bool {
        self.0.is_quiet()
    }

    /// Faults so far.
    pub fn faulted(&self) -> u32 {
        self.0.faulted()
    }

    /// The replies to a call so far, in Candid, rejects left out.
    pub fn replies(&self, id: &str) -> Vec<Vec<u8>> {
        self.0.replies(id)
    }
}
