//! A canister that answers each method with a fixed reply.

use std::collections::BTreeMap;

use super::{Answer, Around, Call, Contract};

/// Replies by method, as Candid.
#[derive(Clone, Debug, Default)]
pub struct Stub {
    replies: BTreeMap<String, Vec<u8>>,
}

impl Stub {
    /// A stub with these replies.
    pub fn new(replies: BTreeMap<String, Vec<u8>>) -> Stub {
        Stub { replies }
    }

    /// The methods it answers.
    pub fn methods(&self) -> impl Iterator<Item = &str> {
        self.replies.keys().map(String::as_str)
    }
}

impl Contract for Stub {
    type State = ();

    fn update(&self, (): &(), call: &Call<'_>, _: &mut Around<'_>) -> Result<Answer<()>, String> {
        Ok(self.replies.get(call.method).map(|reply| ((), reply.clone())))
    }

    fn query(&self, (): &(), call: &Call<'_>) -> Result<Option<Vec<u8>>, String> {
        Ok(self.replies.get(call.method).cloned())
    }
}
