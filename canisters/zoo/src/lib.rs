//! What the canisters of the zoo share: the ledger's types, a payment with a journal, a lock, an error.
//!
//! The canisters themselves are the examples of this package, one for each class of bugs. `build.sh` compiles each to
//! a module of its own. In every one a method with a bug stands beside its correct twin, `<method>_fixed`.
//!
//! | file | has |
//! |---|---|
//! | `payment.rs` | a transfer with its three outcomes; a payment that a journal holds until its outcome is known |
//! | `lock.rs` | a lock that is released when it is dropped |
//! | `icrc2.rs` | the Candid types of ICRC-2 that are needed |

#[path = "../../icrc1.rs"]
pub mod icrc1;
pub mod icrc2;
pub mod lock;
pub mod payment;

use candid::{CandidType, Deserialize};

/// Why a method of the zoo did not do what it was asked to.
#[derive(CandidType, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Somebody else is at it.
    Busy,
    /// There is no such thing, or no longer.
    NotFound,
    /// The canister has not enough to do it.
    Insufficient,
    /// Somebody else's canister did not do its part, for certain.
    Refused,
    /// Nobody knows yet whether somebody else's canister did its part.
    Unknown,
}

/// Exports the Candid interface of a canister through `get_candid_pointer`; a test compares it with the file.
#[macro_export]
macro_rules! interface {
    ($file:literal) => {
        mod interface {
            use super::*;

            ic_cdk::export_candid!();

            #[cfg(test)]
            #[test]
            fn interface_file_is_what_the_module_exports() {
                assert_eq!(__export_service().trim(), include_str!($file).trim());
            }
        }
    };
}
