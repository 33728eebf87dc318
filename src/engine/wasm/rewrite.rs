//! Rewrites a canister module at load, so that the engine can meter it, see what it writes, and reach its state.
//!
//! In: a valid module. Out: one with the same behaviour and
//!
//! - a counter of instructions left, charged per straight run of instructions and checked at loop headers and function
//!   entries, as the replica does (one unit an instruction of the original module; those added here cost nothing);
//! - a second memory with one byte a page of the first, set whenever that page is written to;
//! - exports for its memory, table 0, mutable globals, the counter and the second memory, under names that no canister
//!   may use;
//! - no start section: the start function is exported and run once at install.
//!
//! Why not wasmtime's fuel: it would charge the added instructions too, and `performance_counter` would see them.

use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, ExportKind, ExportSection, Function, FunctionSection, GlobalSection, GlobalType,
    Instruction, MemArg, MemArgTarget, MemorySection, MemoryType, RawSection, TypeSection, ValType,
};
use wasmparser::{FunctionBody, Operator, Parser, Payload};

use super::pages::PAGE_BITS;

/// Export of the heap.
pub const MEMORY: &str = "canloom heap";
/// Export of the memory of written pages.
pub const WRITTEN: &str = "canloom written";
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
    /// Whether an instance can change in a way that is not in its memory and globals (tables, dropped segments): then
    /// each message needs a fresh one.
    pub needs_fresh: bool,
}

/// What is added to the code of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instrumentation {
    /// Metering and write tracking: what exploration needs.
    Full,
    /// Nothing, only exports: the yardstick of benchmarks.
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
                module.section(&types);
                continue;
            }
            Payload::FunctionSection(reader) => {
                let mut functions = FunctionSection::new();
                RoundtripReencoder.parse_function_section(&mut functions, reader.clone()).map_err(encode)?;
                functions.function(shape.types);
                module.section(&functions);
                continue;
            }
            Payload::MemorySection(reader) => {
                let mut memories = MemorySection::new();
                RoundtripReencoder.parse_memory_section(&mut memories, reader.clone()).map_err(encode)?;
                memories.memory(out.written_memory());
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
        needs_fresh: shape.needs_fresh,
    })
}

/// Which of the sections that must be there have been written.
#[derive(Default)]
struct Added {
    globals: bool,
    exports: bool,
}

/// What the first pass finds out.
#[derive(Default)]
struct Shape {
    types: u32,
    /// Number of parameters of each defined function, by position.
    params: Vec<u32>,
    /// Results of each defined function, by position.
    results: Vec<Vec<ValType>>,
    /// Lists of two or more results that occur; block types for them are added behind the type of the marker.
    many_results: Vec<Vec<ValType>>,
    functions: u32,
    has_memory: bool,
    memory64: bool,
    tables: u32,
    globals: u32,
    mutable_globals: Vec<u32>,
    start: Option<u32>,
    needs_fresh: bool,
    unsupported: Option<&'static str>,
}

impl Shape {
    fn read(wasm: &[u8]) -> Result<Shape, wasmparser::BinaryReaderError> {
        let mut shape = Shape::default();
        let mut type_params = Vec::new();
        let mut type_results: Vec<Vec<ValType>> = Vec::new();
        let mut imported = 0;
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
                Payload::TableSection(reader) => shape.tables = reader.count(),
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
                    for operator in body.get_operators_reader()? {
                        shape.needs_fresh |= matches!(
                            operator?,
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
        shape.functions = imported + shape.params.len() as u32;
        Ok(shape)
    }

    /// Type of a block that leaves what a defined function returns.
    fn results(&self, function: usize) -> BlockType {
        match self.results[function][..] {
            [] => BlockType::Empty,
            [one] => BlockType::Result(one),
            ref many => {
                let at = self.many_results.iter().position(|other| other == many);
                BlockType::FunctionType(self.types + 1 + at.expect("bug in canloom: these results were seen") as u32)
            }
        }
    }

    fn address(&self) -> ValType {
        if self.memory64 { ValType::I64 } else { ValType::I32 }
    }
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

    /// The function `(address, length)` that marks a range as written; the operation itself traps where it is out of
    /// bounds, so a range that wraps around is ignored here.
    fn marker(&self) -> Function {
        let address = self.shape.address();
        let mut function = Function::new([(1, address)]);
        let ops = AddressOps { wide: self.shape.memory64 };
        let mut emit = |instruction: Instruction<'_>| {
            function.instruction(&instruction);
        };
        if !self.shape.has_memory {
            emit(Instruction::End);
            return function;
        }
        // last = address + length - 1
        emit(Instruction::LocalGet(0));
        emit(Instruction::LocalGet(1));
        emit(ops.add());
        emit(ops.constant(1));
        emit(ops.sub());
        emit(Instruction::LocalSet(2));
        // if length == 0 or last < address: nothing
        emit(Instruction::LocalGet(1));
        emit(ops.eqz());
        emit(Instruction::LocalGet(2));
        emit(Instruction::LocalGet(0));
        emit(ops.lt());
        emit(Instruction::I32Or);
        emit(Instruction::If(BlockType::Empty));
        emit(Instruction::Return);
        emit(Instruction::End);
        // fill written[address >> bits .. last >> bits] with 1
        emit(Instruction::LocalGet(0));
        emit(ops.constant(PAGE_BITS as i64));
        emit(ops.shift());
        emit(Instruction::LocalTee(0));
        emit(Instruction::I32Const(1));
        emit(Instruction::LocalGet(2));
        emit(ops.constant(PAGE_BITS as i64));
        emit(ops.shift());
        emit(Instruction::LocalGet(0));
        emit(ops.sub());
        emit(ops.constant(1));
        emit(ops.add());
        emit(Instruction::MemoryFill(1));
        emit(Instruction::End);
        function
    }

    fn function(&self, at: usize, body: &FunctionBody<'_>) -> Result<Function, String> {
        let error = |error: wasmparser::BinaryReaderError| error.to_string();
        let mut locals = Vec::new();
        let mut next = self.shape.params.get(at).copied().unwrap_or(0);
        for group in body.get_locals_reader().map_err(error)? {
            let (count, ty) = group.map_err(error)?;
            next += count;
            locals.push((count, RoundtripReencoder.val_type(ty).map_err(|error| error.to_string())?));
        }
        let operators: Vec<Operator<'_>> =
            body.get_operators_reader().map_err(error)?.into_iter().collect::<Result<_, _>>().map_err(error)?;
        let instruments = self.instrumentation == Instrumentation::Full;
        let left = next;
        locals.push((1, ValType::I64));
        let scratch = Scratch::after(next + 1, &operators, self.shape.address());
        locals.extend(scratch.locals());
        let mut function = Function::new(locals);
        // The counter lives in a local; the global is brought up to date where others look at it. All ways out but
        // `return` lead through the end of one block around the body.
        if instruments {
            self.reload(&mut function, left);
            function.instruction(&Instruction::Block(self.shape.results(at)));
        }
        let mut begins = Some(true);
        for (position, operator) in operators.iter().enumerate() {
            if let Some(checked) = begins.filter(|_| instruments) {
                self.charge(&mut function, &operators[position..], checked, left);
            }
            let is_call = matches!(operator, Operator::Call { .. } | Operator::CallIndirect { .. });
            let leaves = matches!(
                operator,
                Operator::Return | Operator::ReturnCall { .. } | Operator::ReturnCallIndirect { .. }
            );
            if instruments && (is_call || leaves) {
                self.flush(&mut function, left);
            }
            begins = match operator {
                Operator::Loop { .. } => Some(true),
                Operator::If { .. } | Operator::Else | Operator::End | Operator::BrIf { .. } => Some(false),
                _ => None,
            };
            if instruments {
                self.track(&mut function, operator, &scratch);
            }
            let instruction = RoundtripReencoder.instruction(operator.clone()).map_err(|error| error.to_string())?;
            function.instruction(&instruction);
            if instruments && is_call {
                self.reload(&mut function, left);
            }
        }
        if instruments {
            self.flush(&mut function, left);
            function.instruction(&Instruction::End);
        }
        Ok(function)
    }

    fn reload(&self, function: &mut Function, left: u32) {
        function.instruction(&Instruction::GlobalGet(self.left()));
        function.instruction(&Instruction::LocalSet(left));
    }

    fn flush(&self, function: &mut Function, left: u32) {
        function.instruction(&Instruction::LocalGet(left));
        function.instruction(&Instruction::GlobalSet(self.left()));
    }

    /// Charges the run of instructions that begins here; where it can repeat, checks that any are left.
    fn charge(&self, function: &mut Function, operators: &[Operator<'_>], checked: bool, left: u32) {
        let mut cost = 0;
        for operator in operators {
            match operator {
                Operator::Else | Operator::End | Operator::Loop { .. } => break,
                Operator::Block { .. } | Operator::Nop => {}
                Operator::If { .. }
                | Operator::BrIf { .. }
                | Operator::Br { .. }
                | Operator::BrTable { .. }
                | Operator::Return
                | Operator::Unreachable => {
                    cost += 1;
                    break;
                }
                _ => cost += 1,
            }
        }
        if cost > 0 {
            function.instruction(&Instruction::LocalGet(left));
            function.instruction(&Instruction::I64Const(cost));
            function.instruction(&Instruction::I64Sub);
            function.instruction(&Instruction::LocalSet(left));
        }
        if checked {
            function.instruction(&Instruction::LocalGet(left));
            function.instruction(&Instruction::I64Const(0));
            function.instruction(&Instruction::I64LtS);
            function.instruction(&Instruction::If(BlockType::Empty));
            self.flush(function, left);
            function.instruction(&Instruction::Unreachable);
            function.instruction(&Instruction::End);
        }
    }

    /// Marks the pages that an instruction is about to write to, leaving its operands as they were.
    fn track(&self, function: &mut Function, operator: &Operator<'_>, scratch: &Scratch) {
        let ops = AddressOps { wide: self.shape.memory64 };
        if let Some((memarg, size, value)) = store(operator) {
            let value = scratch.value(value);
            function.instruction(&Instruction::LocalSet(value));
            function.instruction(&Instruction::LocalSet(scratch.address));
            function.instruction(&Instruction::LocalGet(scratch.address));
            if memarg.offset != 0 {
                function.instruction(&ops.constant(memarg.offset as i64));
                function.instruction(&ops.add());
            }
            function.instruction(&ops.constant(PAGE_BITS as i64));
            function.instruction(&ops.shift());
            // A store that may reach into the next page marks both: one store here costs less than finding out, and a
            // page that is marked and has not changed is left out when the state is captured.
            if size > 1 {
                function.instruction(&Instruction::I32Const(0x0101));
                function.instruction(&Instruction::I32Store16(MARK));
            } else {
                function.instruction(&Instruction::I32Const(1));
                function.instruction(&Instruction::I32Store8(MARK));
            }
            function.instruction(&Instruction::LocalGet(scratch.address));
            function.instruction(&Instruction::LocalGet(value));
            return;
        }
        let middle = match operator {
            Operator::MemoryFill { .. } | Operator::MemoryInit { .. } => scratch.value(ValType::I32),
            Operator::MemoryCopy { .. } => scratch.source,
            _ => return,
        };
        let narrow = matches!(operator, Operator::MemoryInit { .. });
        let length = if narrow { scratch.length32 } else { scratch.length };
        for local in [length, middle, scratch.address] {
            function.instruction(&Instruction::LocalSet(local));
        }
        function.instruction(&Instruction::LocalGet(scratch.address));
        function.instruction(&Instruction::LocalGet(length));
        if narrow && self.shape.memory64 {
            function.instruction(&Instruction::I64ExtendI32U);
        }
        function.instruction(&Instruction::Call(self.shape.functions));
        for local in [scratch.address, middle, length] {
            function.instruction(&Instruction::LocalGet(local));
        }
    }
}

/// A byte of the second memory.
const MARK: MemArg = MemArg { offset: 0, align: 0, target: MemArgTarget::Memory(1), ordering: None };

/// Instructions on addresses of either width.
struct AddressOps {
    wide: bool,
}

impl AddressOps {
    fn constant(&self, value: i64) -> Instruction<'static> {
        if self.wide { Instruction::I64Const(value) } else { Instruction::I32Const(value as i32) }
    }

    fn add(&self) -> Instruction<'static> {
        if self.wide { Instruction::I64Add } else { Instruction::I32Add }
    }

    fn sub(&self) -> Instruction<'static> {
        if self.wide { Instruction::I64Sub } else { Instruction::I32Sub }
    }

    fn shift(&self) -> Instruction<'static> {
        if self.wide { Instruction::I64ShrU } else { Instruction::I32ShrU }
    }

    fn lt(&self) -> Instruction<'static> {
        if self.wide { Instruction::I64LtU } else { Instruction::I32LtU }
    }

    fn eqz(&self) -> Instruction<'static> {
        if self.wide { Instruction::I64Eqz } else { Instruction::I32Eqz }
    }
}

/// Locals added to a function to hold the operands of a store.
struct Scratch {
    first: u32,
    used: bool,
    address_type: ValType,
    address: u32,
    source: u32,
    length: u32,
    length32: u32,
}

const VALUES: [ValType; 5] = [ValType::I32, ValType::I64, ValType::F32, ValType::F64, ValType::V128];

impl Scratch {
    fn after(next: u32, operators: &[Operator<'_>], address_type: ValType) -> Scratch {
        let writes = |operator: &Operator<'_>| {
            store(operator).is_some()
                || matches!(
                    operator,
                    Operator::MemoryFill { .. } | Operator::MemoryInit { .. } | Operator::MemoryCopy { .. }
                )
        };
        let values = VALUES.len() as u32;
        Scratch {
            first: next,
            used: operators.iter().any(writes),
            address_type,
            address: next + values,
            source: next + values + 1,
            length: next + values + 2,
            length32: next + values + 3,
        }
    }

    fn locals(&self) -> Vec<(u32, ValType)> {
        if !self.used {
            return Vec::new();
        }
        let mut locals: Vec<(u32, ValType)> = VALUES.iter().map(|&ty| (1, ty)).collect();
        locals.push((3, self.address_type));
        locals.push((1, ValType::I32));
        locals
    }

    fn value(&self, ty: ValType) -> u32 {
        self.first + VALUES.iter().position(|&other| other == ty).expect("bug in canloom: a type that is stored") as u32
    }
}

/// Address, bytes and type of what a store writes.
fn store(operator: &Operator<'_>) -> Option<(wasmparser::MemArg, u64, ValType)> {
    Some(match operator {
        Operator::I32Store { memarg } => (*memarg, 4, ValType::I32),
        Operator::I64Store { memarg } => (*memarg, 8, ValType::I64),
        Operator::F32Store { memarg } => (*memarg, 4, ValType::F32),
        Operator::F64Store { memarg } => (*memarg, 8, ValType::F64),
        Operator::I32Store8 { memarg } => (*memarg, 1, ValType::I32),
        Operator::I32Store16 { memarg } => (*memarg, 2, ValType::I32),
        Operator::I64Store8 { memarg } => (*memarg, 1, ValType::I64),
        Operator::I64Store16 { memarg } => (*memarg, 2, ValType::I64),
        Operator::I64Store32 { memarg } => (*memarg, 4, ValType::I64),
        Operator::V128Store { memarg } => (*memarg, 16, ValType::V128),
        Operator::V128Store8Lane { memarg, .. } => (*memarg, 1, ValType::V128),
        Operator::V128Store16Lane { memarg, .. } => (*memarg, 2, ValType::V128),
        Operator::V128Store32Lane { memarg, .. } => (*memarg, 4, ValType::V128),
        Operator::V128Store64Lane { memarg, .. } => (*memarg, 8, ValType::V128),
        _ => return None,
    })
}
