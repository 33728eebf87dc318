//! Rewrites a canister module at load, so that the engine can meter it, see what it writes, and reach its state.
//!
//! In: a valid module. Out: one with the same behaviour and
//!
//! - a counter of instructions left, charged per straight run of instructions and checked at loop headers and function
//!   entries, as the replica does (one unit an instruction of the original module, and one a byte or element for those on
//!   ranges; those added here cost nothing);
//! - a second memory with one byte a page of the first, set whenever that page is written to;
//! - exports for its memory, table 0, mutable globals, the counter and the second memory, under names that no canister
//!   may use;
//! - for fuzzing, a third memory that says which blocks ran and what was compared ([`watch`]);
//! - no start section: the start function is exported and run once at install.
//!
//! Why not wasmtime's fuel: it would charge the added instructions too, and `performance_counter` would see them.

mod blocks;
mod calls;
mod constants;
mod instrument;
mod scratch;
mod shape;
mod watch;

use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{
    CodeSection, ConstExpr, ExportKind, ExportSection, FunctionSection, GlobalSection, GlobalType, MemorySection,
    MemoryType, RawSection, TypeSection, ValType,
};
use wasmparser::{Parser, Payload};

use super::pages::PAGE_BITS;
pub use blocks::{Block, blocks};
pub use calls::Calls;
pub use constants::Constants;
use shape::Shape;
pub use watch::{SITE, Watched};

/// Export of the heap.
pub const MEMORY: &str = "canloom heap";
/// Export of the memory of written pages.
pub const WRITTEN: &str = "canloom written";
/// Export of the memory of what ran and what was compared.
pub const WATCHED: &str = "canloom watched";
/// Export of table 0.
pub const TABLE: &str = "canloom table";
/// Export of the counter of instructions left.
pub const LEFT: &str = "canloom left";
/// Export of the start function.
pub const START: &str = "canloom start";

/// Export of the mutable global with this index.
pub fn global_export(index: u32) -> String {
    format!("canloom global {index}")
}

/// A rewritten module with what the engine has to know of it.
pub struct Rewritten {
    /// The module.
    pub wasm: Vec<u8>,
    /// Whether it has a memory.
    pub has_memory: bool,
    /// Whether that memory is addressed with 64 bits.
    pub memory64: bool,
    /// Whether it has a table.
    pub has_table: bool,
    /// Whether it has a start function.
    pub has_start: bool,
    /// Indexes of its mutable globals.
    pub globals: Vec<u32>,
    /// Whether it marks the pages that it writes to.
    pub tracks: bool,
    /// What its third memory holds, if it has one.
    pub watched: Option<Watched>,
    /// What its code and data compare with, for fuzzing.
    pub constants: Constants,
    /// Whether an instance can change in a way that is not in its memory and globals (tables, dropped segments): then
    /// each message needs a fresh one.
    pub needs_fresh: bool,
}

/// What is added to the code of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instrumentation {
    /// Metering and write tracking: what exploration needs.
    Full,
    /// Likewise, and the module writes down which blocks ran and what was compared: feedback for fuzzing.
    Watched,
    /// Nothing, only exports: the yardstick of benchmarks, and of tests that the rest changes no behaviour. An endless
    /// loop does not end.
    None,
}

/// Rewrites a module that has been validated.
///
/// # Errors
/// A text for what cannot be rewritten.
pub fn rewrite(wasm: &[u8], instrumentation: Instrumentation) -> Result<Rewritten, String> {
    let shape = Shape::read(wasm).map_err(|error| error.to_string())?;
    if let Some(kind) = shape.unsupported {
        return Err(format!("{kind} are not supported"));
    }
    let mut module = wasm_encoder::Module::new();
    let out = Emitter { shape: &shape, instrumentation };
    let text = |error: wasmparser::BinaryReaderError| error.to_string();
    let encode = |error: wasm_encoder::reencode::Error| error.to_string();
    // Sections in the order of the format; those that the original lacks are added in their place.
    let mut done = Added::default();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(text)?;
        match &payload {
            Payload::TypeSection(reader) => {
                let mut types = TypeSection::new();
                RoundtripReencoder.parse_type_section(&mut types, reader.clone()).map_err(encode)?;
                let address = shape.address();
                types.ty().function([address, address], []);
                for results in &shape.many_results {
                    types.ty().function([], results.iter().copied());
                }
                out.add_watch_types(&mut types);
                module.section(&types);
                continue;
            }
            Payload::FunctionSection(reader) => {
                let mut functions = FunctionSection::new();
                RoundtripReencoder.parse_function_section(&mut functions, reader.clone()).map_err(encode)?;
                functions.function(shape.types);
                out.add_watch_functions(&mut functions);
                module.section(&functions);
                continue;
            }
            Payload::MemorySection(reader) => {
                let mut memories = MemorySection::new();
                RoundtripReencoder.parse_memory_section(&mut memories, reader.clone()).map_err(encode)?;
                memories.memory(out.written_memory());
                if let Some(watched) = out.watched() {
                    memories.memory(watched.memory());
                }
                module.section(&memories);
                continue;
            }
            Payload::GlobalSection(reader) => {
                let mut globals = GlobalSection::new();
                RoundtripReencoder.parse_global_section(&mut globals, reader.clone()).map_err(encode)?;
                out.add_globals(&mut done, &mut module, globals);
                continue;
            }
            Payload::ExportSection(reader) => {
                out.add_globals(&mut done, &mut module, GlobalSection::new());
                let mut exports = ExportSection::new();
                RoundtripReencoder.parse_export_section(&mut exports, reader.clone()).map_err(encode)?;
                out.add_exports(&mut done, &mut module, exports);
                continue;
            }
            Payload::StartSection { .. } | Payload::CodeSectionEntry(_) | Payload::CustomSection(_) => continue,
            Payload::CodeSectionStart { .. } => {
                let mut code = CodeSection::new();
                let mut at = 0;
                for payload in Parser::new(0).parse_all(wasm) {
                    if let Payload::CodeSectionEntry(body) = payload.map_err(text)? {
                        code.function(&out.function(at, &body)?);
                        at += 1;
                    }
                }
                code.function(&out.marker());
                out.add_watch_code(&mut code);
                out.add_exports_once(&mut done, &mut module);
                module.section(&code);
                continue;
            }
            Payload::ElementSection(_) | Payload::DataCountSection { .. } | Payload::DataSection(_) => {
                out.add_exports_once(&mut done, &mut module);
            }
            _ => {}
        }
        if let Some((id, range)) = payload.as_section() {
            module.section(&RawSection { id, data: &wasm[range.start as usize..range.end as usize] });
        }
    }
    out.add_exports_once(&mut done, &mut module);
    Ok(Rewritten {
        wasm: module.finish(),
        has_memory: shape.has_memory,
        memory64: shape.memory64,
        has_table: shape.tables > 0,
        has_start: shape.start.is_some(),
        globals: shape.mutable_globals.clone(),
        tracks: instrumentation != Instrumentation::None,
        watched: out.watched(),
        constants: match instrumentation {
            Instrumentation::Watched => Constants::of(wasm).map_err(text)?,
            _ => Constants::default(),
        },
        needs_fresh: shape.needs_fresh,
    })
}

/// Which of the sections that must be there have been written.
#[derive(Default)]
struct Added {
    globals: bool,
    exports: bool,
}

struct Emitter<'a> {
    shape: &'a Shape,
    instrumentation: Instrumentation,
}

impl Emitter<'_> {
    /// One byte for each page that the heap may ever have: 4 GiB with 32-bit addresses, at most 16 GiB with 64-bit ones.
    fn written_memory(&self) -> MemoryType {
        let heap_max = if self.shape.memory64 { 1u64 << 34 } else { 1 << 32 };
        // One page more: a mark may reach one byte beyond the last.
        let pages = (heap_max >> PAGE_BITS) / 65_536 + 1;
        MemoryType {
            minimum: pages,
            maximum: Some(pages),
            memory64: self.shape.memory64,
            shared: false,
            page_size_log2: None,
        }
    }

    fn left(&self) -> u32 {
        self.shape.globals
    }

    fn add_globals(&self, done: &mut Added, module: &mut wasm_encoder::Module, mut globals: GlobalSection) {
        if std::mem::replace(&mut done.globals, true) {
            return;
        }
        let ty = GlobalType { val_type: ValType::I64, mutable: true, shared: false };
        globals.global(ty, &ConstExpr::i64_const(0));
        module.section(&globals);
    }

    fn add_exports(&self, done: &mut Added, module: &mut wasm_encoder::Module, mut exports: ExportSection) {
        done.exports = true;
        if self.shape.has_memory {
            exports.export(MEMORY, ExportKind::Memory, 0);
            exports.export(WRITTEN, ExportKind::Memory, 1);
            if self.watched().is_some() {
                exports.export(WATCHED, ExportKind::Memory, watch::MEMORY);
            }
        }
        if self.shape.tables > 0 {
            exports.export(TABLE, ExportKind::Table, 0);
        }
        for &global in &self.shape.mutable_globals {
            exports.export(&global_export(global), ExportKind::Global, global);
        }
        exports.export(LEFT, ExportKind::Global, self.left());
        if let Some(start) = self.shape.start {
            exports.export(START, ExportKind::Func, start);
        }
        module.section(&exports);
    }

    fn add_exports_once(&self, done: &mut Added, module: &mut wasm_encoder::Module) {
        self.add_globals(done, module, GlobalSection::new());
        if !done.exports {
            self.add_exports(done, module, ExportSection::new());
        }
    }
}
