//! What the controls share: the types of the ledgers they pay with. The canisters are the examples of this package.

#[path = "../../icrc1.rs"]
pub mod icrc1;
