//! A module's functions, and what its blocks are made of.
//!
//! In: a module, and which of its blocks ran. Out: its functions by name, with how much of each ran, and its lines.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sha2::{Digest, Sha256};
use wasmparser::BinaryReaderError;

use super::Function;
use crate::engine::wasm::debug::{Tables, names};
use crate::engine::wasm::module::{self, blocks, plain};
use crate::files;

/// A block in which there is something to run.
struct Block {
    number: u32,
    function: usize,
    /// Files, by position in the tables, and lines.
    lines: Box<[(u32, u32)]>,
}

/// A module, read for this.
pub struct Code {
    functions: Vec<Function>,
    /// The block with which each function begins.
    entries: Vec<u32>,
    blocks: Vec<Block>,
    files: Vec<String>,
    /// Why its line tables cannot be read.
    pub trouble: Option<String>,
}

/// Functions, and the lines of each file.
type Covered = (Vec<Function>, BTreeMap<String, BTreeMap<u32, u8>>);

impl Code {
    /// Reads the module of a file again, which must have this hash.
    pub fn read(file: &Path, hash: &str) -> Result<Code, String> {
        let bytes = files::read(file, &module::FILE).map_err(|error| error.to_string())?;
        let found: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        if found != hash {
            return Err(format!("{}: the module has changed while it was run; try again", file.display()));
        }
        let wasm = plain(&bytes).map_err(|error| format!("{}: {error}", file.display()))?;
        Code::of(&wasm).map_err(|error| format!("{}: {error}", file.display()))
    }

    fn of(wasm: &[u8]) -> Result<Code, BinaryReaderError> {
        let mut tables = Tables::read(wasm);
        let names = names(wasm)?;
        let (mut functions, mut entries, mut all) = (Vec::new(), Vec::new(), Vec::new());
        let mut places = Vec::new();
        blocks(wasm, |block| {
            if functions.len() == block.function {
                // The function's own line is that of its first byte, if there is a row for it.
                let mut first = std::iter::once(block.body).chain(block.code.iter().copied());
                places.push(first.find_map(|offset| tables.line(offset)));
                entries.push(block.number);
                functions.push(Function { name: names[block.function].clone(), ..Function::default() });
            }
            if !block.code.is_empty() {
                functions[block.function].blocks += 1;
                let mut lines = BTreeSet::new();
                block.code.iter().for_each(|&offset| tables.lines(offset, &mut lines));
                let (number, function) = (block.number, block.function);
                all.push(Block { number, function, lines: lines.into_iter().collect() });
            }
        })?;
        let files = tables.files();
        for (function, place) in functions.iter_mut().zip(places) {
            function.place = place.map(|(file, line)| (files[file as usize].clone(), line));
        }
        Ok(Code { functions, entries, blocks: all, files, trouble: tables.trouble })
    }

    /// What ran, by number of the block.
    pub fn covered(&self, ran: &BTreeMap<u32, u8>) -> Covered {
        let runs_of = |block: u32| ran.get(&block).copied().unwrap_or(0);
        let mut functions = self.functions.clone();
        for (function, &entry) in functions.iter_mut().zip(&self.entries) {
            function.runs = runs_of(entry);
        }
        let mut lines: BTreeMap<u32, BTreeMap<u32, u8>> = BTreeMap::new();
        for block in &self.blocks {
            let runs = runs_of(block.number);
            functions[block.function].covered += u32::from(runs > 0);
            for &(file, line) in &block.lines {
                let most = lines.entry(file).or_default().entry(line).or_default();
                *most = runs.max(*most);
            }
        }
        let lines = lines.into_iter().map(|(file, lines)| (self.files[file as usize].clone(), lines));
        (functions, lines.collect())
    }
}
