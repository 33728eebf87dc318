//! Where the call instructions of a module are.
//!
//! In: a module, as it is in the file or rewritten. Out: which call of which function is at a place in its code, and where a call
//! is. Rewriting adds instructions and keeps the calls in their order, so this leads from a place in the rewritten module to
//! the same one in the file.

use wasmparser::{BinaryReaderError, Operator, Parser, Payload, TypeRef};

/// Offsets of the calls of each function that a module defines.
#[derive(Debug)]
pub struct Calls {
    imported: u32,
    /// By function: offsets in the file, sorted.
    functions: Vec<Vec<u64>>,
    /// Where the code section's contents start in the file.
    start: u64,
}

impl Calls {
    /// Reads a module; calls of functions from this index on were added and do not count.
    ///
    /// # Errors
    /// If it is no module.
    pub fn of(wasm: &[u8], added: u32) -> Result<Calls, BinaryReaderError> {
        let mut calls = Calls { imported: 0, functions: Vec::new(), start: 0 };
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::ImportSection(reader) => {
                    for import in reader.into_imports() {
                        calls.imported += u32::from(matches!(import?.ty, TypeRef::Func(_)));
                    }
                }
                Payload::CodeSectionStart { unchecked_range, .. } => calls.start = unchecked_range.start,
                Payload::CodeSectionEntry(body) => {
                    let mut offsets = Vec::new();
                    for item in body.get_operators_reader()?.into_iter_with_offsets() {
                        let (operator, offset) = item?;
                        let counts = match operator {
                            Operator::Call { function_index } => function_index < added,
                            Operator::CallIndirect { .. } => true,
                            _ => false,
                        };
                        if counts {
                            offsets.push(offset);
                        }
                    }
                    calls.functions.push(offsets);
                }
                _ => {}
            }
        }
        Ok(calls)
    }

    /// Functions that the module imports and defines.
    pub fn functions(&self) -> (u32, u32) {
        (self.imported, self.functions.len() as u32)
    }

    /// Which call of a function, by index, is at this offset in the file.
    pub fn number(&self, function: u32, offset: u64) -> Option<usize> {
        let calls = self.functions.get(function.checked_sub(self.imported)? as usize)?;
        calls.binary_search(&offset).ok()
    }

    /// Where a call of a function is, as an offset in the code section's contents, as DWARF counts.
    pub fn offset(&self, function: u32, number: usize) -> Option<u64> {
        let calls = self.functions.get(function.checked_sub(self.imported)? as usize)?;
        Some(calls.get(number)? - self.start)
    }
}
