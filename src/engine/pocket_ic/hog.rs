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
