//! The slow callee as a canister: one ic-cdk entry point and no state.

pub mod handlers;

use ic_cdk::update;

#[update]
fn bar() -> u64 {
    handlers::bar()
}

/// The Candid interface, readable through the export `get_candid_pointer`.
mod interface {
    ic_cdk::export_candid!();

    #[cfg(test)]
    #[test]
    fn interface_file_is_what_the_module_exports() {
        let file = include_str!("../slow.did");
        assert_eq!(__export_service().trim(), file.trim());
    }
}
