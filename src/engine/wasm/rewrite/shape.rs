//! The first pass over a module: what the second has to know before it starts.

use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{BlockType, ValType};
use wasmparser::{Operator, Parser, Payload};

use super::blocks::Numbers;

/// What the first pass finds out.
#[derive(Default)]
pub(super) struct Shape {
    pub(super) types: u32,
    /// Number of parameters of each defined function, by position.
    pub(super) params: Vec<u32>,
    /// Results of each defined function, by position.
    pub(super) results: Vec<Vec<ValType>>,
    /// Lists of two or more results that occur; block types for them are added behind the type of the marker.
    pub(super) many_results: Vec<Vec<ValType>>,
    pub(super) functions: u32,
    pub(super) has_memory: bool,
    pub(super) memory64: bool,
    pub(super) tables: u32,
    /// Whether a table is addressed with 64 bits, by index.
    pub(super) table64: Vec<bool>,
    pub(super) globals: u32,
    pub(super) mutable_globals: Vec<u32>,
    pub(super) start: Option<u32>,
    pub(super) needs_fresh: bool,
    /// For each defined function, and behind the last: how many blocks, and how many sites, come before it.
    pub(super) before: Vec<(u32, u32)>,
    pub(super) unsupported: Option<&'static str>,
}

impl Shape {
    pub(super) fn read(wasm: &[u8]) -> Result<Shape, wasmparser::BinaryReaderError> {
        let mut shape = Shape::default();
        let mut type_params = Vec::new();
        let mut type_results: Vec<Vec<ValType>> = Vec::new();
        let mut imported = 0;
        let mut numbers = Numbers::default();
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::TypeSection(reader) => {
                    for ty in reader.into_iter_err_on_gc_types() {
                        let ty = ty?;
                        type_params.push(ty.params().len() as u32);
                        let results = ty.results().iter().map(|&ty| RoundtripReencoder.val_type(ty).ok());
                        type_results.push(results.collect::<Option<_>>().unwrap_or_default());
                    }
                    shape.types = type_params.len() as u32;
                }
                Payload::ImportSection(reader) => {
                    for import in reader.into_imports() {
                        match import?.ty {
                            wasmparser::TypeRef::Func(_) => imported += 1,
                            _ => shape.unsupported = Some("imports other than functions"),
                        }
                    }
                }
                Payload::FunctionSection(reader) => {
                    for ty in reader {
                        let ty = ty? as usize;
                        shape.params.push(type_params.get(ty).copied().unwrap_or(0));
                        let results = type_results.get(ty).cloned().unwrap_or_default();
                        if results.len() > 1 && !shape.many_results.contains(&results) {
                            shape.many_results.push(results.clone());
                        }
                        shape.results.push(results);
                    }
                }
                Payload::TableSection(reader) => {
                    shape.tables = reader.count();
                    for table in reader {
                        shape.table64.push(table?.ty.table64);
                    }
                }
                Payload::MemorySection(reader) => {
                    for memory in reader {
                        shape.has_memory = true;
                        shape.memory64 = memory?.memory64;
                    }
                }
                Payload::GlobalSection(reader) => {
                    for global in reader {
                        let global = global?;
                        if global.ty.mutable {
                            shape.mutable_globals.push(shape.globals);
                            if matches!(global.ty.content_type, wasmparser::ValType::Ref(_)) {
                                shape.unsupported = Some("mutable globals that hold references");
                            }
                        }
                        shape.globals += 1;
                    }
                }
                Payload::StartSection { func, .. } => shape.start = Some(func),
                Payload::CodeSectionEntry(body) => {
                    shape.before.push(numbers.function());
                    for operator in body.get_operators_reader()? {
                        let operator = operator?;
                        numbers.operator(&operator);
                        shape.needs_fresh |= matches!(
                            operator,
                            Operator::TableSet { .. }
                                | Operator::TableGrow { .. }
                                | Operator::TableFill { .. }
                                | Operator::TableCopy { .. }
                                | Operator::TableInit { .. }
                                | Operator::DataDrop { .. }
                                | Operator::ElemDrop { .. }
                        );
                    }
                }
                _ => {}
            }
        }
        shape.before.push((numbers.blocks, numbers.sites));
        shape.functions = imported + shape.params.len() as u32;
        Ok(shape)
    }

    /// Type of a block that leaves what a defined function returns.
    pub(super) fn results(&self, function: usize) -> BlockType {
        match self.results[function][..] {
            [] => BlockType::Empty,
            [one] => BlockType::Result(one),
            ref many => {
                let at = self.many_results.iter().position(|other| other == many);
                BlockType::FunctionType(self.types + 1 + at.expect("bug in canloom: these results were seen") as u32)
            }
        }
    }

    pub(super) fn address(&self) -> ValType {
        if self.memory64 { ValType::I64 } else { ValType::I32 }
    }
}
