//! A canister that burns instructions, to end a round of the replica early.
//!
//! In: a number of instructions. Out: the module and the argument of its update [`BURN`], which replies nothing (no bytes
//! at all, so not Candid) and calls nobody. It fills the same bytes again and again, which the replica charges by their
//! number and a processor does fast.

/// The method that burns.
pub const BURN: &str = "burn";

/// What a turn of its loop costs by the replica's weights, of which the comments in the module give the parts.
pub const TURN: u64 = 10_000;

/// The module. It needs no argument.
pub fn module() -> Vec<u8> {
    wat::parse_str(include_str!("hog.wat")).expect("the text is that of a module")
}

/// The argument that has about this many instructions burned, rounded down to whole turns.
pub fn argument(instructions: u64) -> Vec<u8> {
    (instructions / TURN).to_le_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use candid::Principal;

    use super::*;
    use crate::engine::wasm::WasmGuest;
    use crate::engine::wasm::module::{Instrumentation, Module, engine};
    use crate::kernel::guest::{Env, Guest as _};
    use crate::kernel::{Input, Response};

    /// Instructions that the embedded engine counts, which charges lengths as the replica does and all else by one.
    fn burned(instructions: u64) -> u64 {
        let engine = engine().expect("an engine");
        let loaded = Module::load(&engine, &module(), Instrumentation::Full).expect("a canister's module");
        let mut guest = WasmGuest::new(engine);
        guest.add(Arc::new(loaded)).expect("it can be installed");
        let (memory, env) = (guest.fresh(), Env::outside(Principal::anonymous(), Principal::anonymous(), 1));
        let input = Input::Call { method: BURN, arg: &argument(instructions) };
        let execution = guest.execute(memory, input, &env).expect("all is offered");
        assert_eq!(execution.response, Some(Response::Reply(Arc::from([]))));
        assert_eq!((execution.trap, execution.requests.len()), (None, 0));
        execution.instructions
    }

    #[test]
    fn as_many_turns_are_made_as_were_asked_for() {
        let none = burned(TURN - 1);
        assert!(none < 2_000, "{none}");
        let turn = burned(TURN) - none;
        assert!((9_888..=TURN).contains(&turn), "{turn}");
        // The first turn enters the loop, the last one leaves it.
        assert_eq!(burned(1_000 * TURN) - none, 1_000 * turn);
    }
}
