//! Prepares a canister's module: everything that outlives a message becomes visible from outside.
//!
//! In: the module as it is installed. Out: the same module with memory 0, table 0 and each mutable global exported
//! and its first memory as one segment, so that what a fresh instance starts with is known byte for byte. Left out:
//! a start function, memory64, imported memories and globals; the canisters that are compared have none.

use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{ConstExpr, DataSection, ExportKind, ExportSection, Module};
use wasmparser::{Data, DataKind, DataSectionReader, ExportSectionReader, Operator, Parser, Payload};

use super::memory::PAGE;

/// The export that is memory 0.
pub const MEMORY: &str = "brute memory";
/// The export that is table 0.
pub const TABLE: &str = "brute table";

/// The export that is the mutable global of this index.
pub fn global(index: u32) -> String {
    format!("brute global {index}")
}

/// A module that can be instantiated anew for every message.
pub struct Prepared {
    /// The rewritten module.
    pub wasm: Vec<u8>,
    /// The indexes of the mutable globals.
    pub globals: Vec<u32>,
    /// The memory of a fresh instance.
    pub memory: Vec<u8>,
    /// The names of all exports of the original module.
    pub exports: Vec<String>,
    /// Whether it imports `canister_version`.
    pub sees_version: bool,
}

/// Rewrites a module.
///
/// # Panics
///
/// The module is not one that this enumerator can run.
pub fn prepare(wasm: &[u8]) -> Prepared {
    let mut rewriter = Rewriter::default();
    rewriter.survey(wasm).expect("the module can be parsed");
    let mut module = Module::new();
    rewriter.parse_core_module(&mut module, Parser::new(0), wasm).expect("the module can be rewritten");
    let Rewriter { globals, memory, exports, sees_version, .. } = rewriter;
    Prepared { wasm: module.finish(), globals, memory, exports, sees_version }
}

#[derive(Default)]
struct Rewriter {
    globals: Vec<u32>,
    has_table: bool,
    memory: Vec<u8>,
    exports: Vec<String>,
    sees_version: bool,
}

impl Rewriter {
    /// Reads what has to be known before the export section is written.
    fn survey(&mut self, wasm: &[u8]) -> wasmparser::Result<()> {
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        self.sees_version |= import?.name == "canister_version";
                    }
                }
                Payload::TableSection(tables) => self.has_table = tables.count() > 0,
                Payload::MemorySection(section) => {
                    for memory in section {
                        let pages = usize::try_from(memory?.initial).expect("a memory fits");
                        self.memory = vec![0; pages * PAGE];
                    }
                }
                Payload::DataSection(section) => {
                    for segment in section {
                        self.write(&segment?)?;
                    }
                }
                Payload::GlobalSection(section) => {
                    for (index, global) in (0..).zip(section) {
                        if global?.ty.mutable {
                            self.globals.push(index);
                        }
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        self.exports.push(String::from(export?.name));
                    }
                }
                Payload::StartSection { .. } => panic!("a start function is not supported"),
                _ => {}
            }
        }
        assert!(!self.exports.is_empty(), "a canister exports something");
        Ok(())
    }

    /// Does what an active segment does when a module is instantiated.
    fn write(&mut self, segment: &Data<'_>) -> wasmparser::Result<()> {
        let DataKind::Active { offset_expr, .. } = &segment.kind else {
            return Ok(());
        };
        let Operator::I32Const { value } = offset_expr.get_operators_reader().read()? else {
            panic!("a data segment's offset is not a constant");
        };
        let offset = usize::try_from(value.cast_unsigned()).expect("an offset fits");
        let target = self.memory.get_mut(offset..offset + segment.data.len());
        target.expect("the data fits").copy_from_slice(segment.data);
        Ok(())
    }
}

impl Reencode for Rewriter {
    type Error = std::convert::Infallible;

    fn parse_export_section(
        &mut self,
        exports: &mut ExportSection,
        section: ExportSectionReader<'_>,
    ) -> Result<(), Error> {
        utils::parse_export_section(self, exports, section)?;
        exports.export(MEMORY, ExportKind::Memory, 0);
        if self.has_table {
            exports.export(TABLE, ExportKind::Table, 0);
        }
        for &index in &self.globals {
            exports.export(&global(index), ExportKind::Global, index);
        }
        Ok(())
    }

    /// The first memory comes as one more segment, after those that keep their indexes.
    fn parse_data_section(&mut self, data: &mut DataSection, section: DataSectionReader<'_>) -> Result<(), Error> {
        utils::parse_data_section(self, data, section)?;
        data.active(0, &ConstExpr::i32_const(0), self.memory.iter().copied());
        Ok(())
    }

    /// An active segment becomes an empty passive one: after instantiation a program cannot tell them apart.
    fn parse_data(&mut self, data: &mut DataSection, datum: Data<'_>) -> Result<(), Error> {
        match datum.kind {
            DataKind::Passive => utils::parse_data(self, data, datum),
            DataKind::Active { .. } => {
                data.passive([]);
                Ok(())
            }
        }
    }

    fn data_count(&mut self, count: u32) -> Result<u32, Error> {
        Ok(count + 1)
    }
}
