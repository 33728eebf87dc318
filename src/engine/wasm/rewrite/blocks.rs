//! How blocks and sites of a module are numbered, and where in its code the blocks lie.
//!
//! In: the operators of a module, in order. Out: numbers, the same ones that the added code writes down; and for each block
//! the offsets of its instructions, for those who want to know which lines they come from.

use wasmparser::{BinaryReaderError, Operator, Parser, Payload};

use super::instrument::begins_block;
use super::watch::Site;

/// How many blocks and sites have begun.
#[derive(Clone, Copy, Default)]
pub(super) struct Numbers {
    pub(super) blocks: u32,
    pub(super) sites: u32,
}

impl Numbers {
    /// A function begins, and with it a block; how many blocks and sites come before it.
    pub(super) fn function(&mut self) -> (u32, u32) {
        let before = (self.blocks, self.sites);
        self.blocks += 1;
        before
    }

    /// An operator passes; whether a block begins behind it. Behind the last `end` of a function that block is empty.
    pub(super) fn operator(&mut self, operator: &Operator<'_>) -> bool {
        let begins = begins_block(operator).is_some();
        self.blocks += u32::from(begins);
        self.sites += u32::from(Site::of(operator).is_some());
        begins
    }
}

/// A straight run of instructions.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    /// Its number in the module.
    pub number: u32,
    /// Its function, by position among those that are defined.
    pub function: usize,
    /// Where the function's body begins.
    pub body: u64,
    /// Where its instructions are. Those that only divide code are left out, and those that cannot be reached; so an empty
    /// list is a block in which there is nothing to run.
    pub code: &'a [u64],
}

/// Calls `each` with all blocks of a module, in order. Offsets count from the start of the code section's contents.
///
/// # Errors
/// If it is no module.
pub fn blocks(wasm: &[u8], mut each: impl FnMut(Block<'_>)) -> Result<(), BinaryReaderError> {
    let mut numbers = Numbers::default();
    let (mut start, mut function) = (0, 0);
    let mut code = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::CodeSectionStart { unchecked_range, .. } => start = unchecked_range.start,
            Payload::CodeSectionEntry(entry) => {
                let (mut number, _) = numbers.function();
                let body = entry.range().start - start;
                let mut is_reached = true;
                for item in entry.get_operators_reader()?.into_iter_with_offsets() {
                    let (operator, offset) = item?;
                    if is_reached && !divides(&operator) {
                        code.push(offset - start);
                    }
                    is_reached &= !leaves(&operator);
                    if numbers.operator(&operator) {
                        each(Block { number, function, body, code: &code });
                        code.clear();
                        (number, is_reached) = (numbers.blocks - 1, true);
                    }
                }
                function += 1;
            }
            _ => {}
        }
    }
    Ok(())
}

fn divides(operator: &Operator<'_>) -> bool {
    use Operator::{Block, Else, End, Loop, Nop};
    matches!(operator, Block { .. } | Loop { .. } | Else | End | Nop)
}

/// Whether nothing comes after this one.
fn leaves(operator: &Operator<'_>) -> bool {
    use Operator::{Br, BrTable, Return, ReturnCall, ReturnCallIndirect, Unreachable};
    let is_call = matches!(operator, ReturnCall { .. } | ReturnCallIndirect { .. });
    is_call || matches!(operator, Br { .. } | BrTable { .. } | Return | Unreachable)
}

#[cfg(test)]
mod tests {
    use super::super::shape::Shape;
    use super::*;

    #[test]
    fn blocks_have_the_numbers_that_the_added_code_counts_with() {
        let wasm = wat::parse_str(
            "(module (import \"ic0\" \"msg_reply\" (func)) (memory 1)
               (func (param i32) (if (local.get 0) (then (call 0)) (else (return))) (block (br 0) (call 0)))
               (func (loop (br_if 0 (i32.const 0))) (call 0)))",
        )
        .unwrap();
        let mut found = Vec::new();
        blocks(&wasm, |block| found.push((block.function, block.number, block.code.len()))).unwrap();
        // The last block of each function, behind its `end`, is empty, and is not met here.
        let expected = [(0, 0, 2), (0, 1, 1), (0, 2, 1), (0, 3, 1), (0, 4, 0)];
        assert_eq!(found[..5], expected);
        assert_eq!(found[5..], [(1, 6, 0), (1, 7, 2), (1, 8, 0), (1, 9, 1)]);
        let before: Vec<u32> = Shape::read(&wasm).unwrap().before.iter().map(|(blocks, _)| *blocks).collect();
        assert_eq!(before, [0, 6, 11]);
    }
}
