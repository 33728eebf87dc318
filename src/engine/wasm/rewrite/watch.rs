//! What a module writes down for fuzzing: blocks that ran, operands that were compared, arms of switches.
//!
//! In: a function body's straight runs of instructions, and its comparisons and `br_table`s, called sites. Out: code that
//! counts runs in bytes of a third memory and keeps for each site what came closest to being equal. The added code reads
//! and writes nothing else, so the module behaves as it does without.
//!
//! ```text
//! 0       a byte for each block: how often it ran, at most 255
//! sites   24 bytes for each site: two operands as u64, then a byte with 65 - the bits in which they differ (0: none was
//!         unequal), a byte that is 1 if they were equal; of a switch the first operand has bit i for arm i, at most 63
//! ```

use wasm_encoder::{
    BlockType, CodeSection, Function, FunctionSection, Instruction, MemArg, MemArgTarget, MemoryType, TypeSection,
    ValType,
};
use wasmparser::Operator;

use super::{Emitter, Instrumentation, Shape};

/// Number of the memory.
pub(super) const MEMORY: u32 = 2;
/// Bytes of a site.
pub const SITE: usize = 24;
/// Bytes of the largest memory of this kind; a module that needs more is not watched.
const MEMORY_MAX: usize = 64 << 20;

/// How the memory is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Blocks of the module.
    pub blocks: usize,
    /// Sites of the module.
    pub sites: usize,
}

impl Watched {
    /// Where the sites begin.
    pub fn first_site(&self) -> usize {
        self.blocks.next_multiple_of(8)
    }

    /// Bytes that are used.
    pub fn size(&self) -> usize {
        self.first_site() + self.sites * SITE
    }

    pub(super) fn memory(&self) -> MemoryType {
        let pages = (self.size() as u64).div_ceil(65_536);
        MemoryType { minimum: pages, maximum: Some(pages), memory64: false, shared: false, page_size_log2: None }
    }
}

/// What is worth watching at an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Site {
    /// Two operands of this type are compared.
    Compare(ValType),
    /// One is compared with zero.
    Zero,
    /// An arm is chosen.
    Switch,
}

impl Site {
    pub(super) fn of(operator: &Operator<'_>) -> Option<Site> {
        Some(match operator {
            Operator::I32Eq
            | Operator::I32Ne
            | Operator::I32LtS
            | Operator::I32LtU
            | Operator::I32GtS
            | Operator::I32GtU
            | Operator::I32LeS
            | Operator::I32LeU
            | Operator::I32GeS
            | Operator::I32GeU => Site::Compare(ValType::I32),
            Operator::I64Eq
            | Operator::I64Ne
            | Operator::I64LtS
            | Operator::I64LtU
            | Operator::I64GtS
            | Operator::I64GtU
            | Operator::I64LeS
            | Operator::I64LeU
            | Operator::I64GeS
            | Operator::I64GeU => Site::Compare(ValType::I64),
            // Of 32 bits it is what every `!` becomes.
            Operator::I64Eqz => Site::Zero,
            Operator::BrTable { .. } => Site::Switch,
            _ => return None,
        })
    }
}

/// The code of one function.
pub(super) struct Watch {
    watched: Watched,
    compare: u32,
    block: u32,
    site: u32,
    first: u32,
}

impl Watch {
    /// Locals that it needs, in this order, from its first one on.
    pub(super) const LOCALS: [(u32, ValType); 2] = [(2, ValType::I32), (2, ValType::I64)];

    /// For the defined function at a position, with its locals from this one on.
    pub(super) fn of(watched: Watched, shape: &Shape, at: usize, first: u32) -> Watch {
        let (block, site) = shape.before[at];
        Watch { watched, compare: shape.functions + 1, block, site, first }
    }

    /// Counts the run of instructions that begins here.
    pub(super) fn block(&mut self, function: &mut Function) {
        let (at, count) = (self.block as i32, self.first);
        self.block += 1;
        // count + 1 - ((count + 1) >> 8): it stays at 255.
        for instruction in [
            Instruction::I32Const(at),
            Instruction::I32Const(at),
            Instruction::I32Load8U(PLACE),
            Instruction::I32Const(1),
            Instruction::I32Add,
            Instruction::LocalTee(count),
            Instruction::LocalGet(count),
            Instruction::I32Const(8),
            Instruction::I32ShrU,
            Instruction::I32Sub,
            Instruction::I32Store8(PLACE),
        ] {
            function.instruction(&instruction);
        }
    }

    /// Keeps the operands of the instruction that follows, and leaves them as they were.
    pub(super) fn site(&mut self, function: &mut Function, site: Site) {
        let at = (self.watched.first_site() + self.site as usize * SITE) as i32;
        self.site += 1;
        let (one, other) = match site {
            Site::Compare(ValType::I32) | Site::Switch => (self.first, self.first + 1),
            _ => (self.first + 2, self.first + 3),
        };
        let mut emit = |instruction: Instruction<'_>| {
            function.instruction(&instruction);
        };
        match site {
            Site::Compare(ty) => {
                emit(Instruction::LocalSet(other));
                emit(Instruction::LocalSet(one));
                for local in [one, other] {
                    emit(Instruction::LocalGet(local));
                    if ty == ValType::I32 {
                        emit(Instruction::I64ExtendI32U);
                    }
                }
                emit(Instruction::I32Const(at));
                emit(Instruction::Call(self.compare));
                emit(Instruction::LocalGet(one));
                emit(Instruction::LocalGet(other));
            }
            Site::Zero => {
                emit(Instruction::LocalTee(one));
                emit(Instruction::I64Const(0));
                emit(Instruction::I32Const(at));
                emit(Instruction::Call(self.compare));
                emit(Instruction::LocalGet(one));
            }
            Site::Switch => {
                emit(Instruction::LocalSet(one));
                emit(Instruction::I32Const(at));
                emit(Instruction::I32Const(at));
                emit(Instruction::I64Load(PLACE));
                emit(Instruction::I64Const(1));
                // The lower of the arm and 63, as a select.
                emit(Instruction::LocalGet(one));
                emit(Instruction::I32Const(63));
                emit(Instruction::LocalGet(one));
                emit(Instruction::I32Const(63));
                emit(Instruction::I32LtU);
                emit(Instruction::Select);
                emit(Instruction::I64ExtendI32U);
                emit(Instruction::I64Shl);
                emit(Instruction::I64Or);
                emit(Instruction::I64Store(PLACE));
                emit(Instruction::LocalGet(one));
            }
        }
    }
}

/// The function `(one, other, site)` that keeps two operands if they come closer to being equal than those before.
fn compare() -> Function {
    let mut function = Function::new([(1, ValType::I32)]);
    let (one, other, at, closeness) = (0, 1, 2, 3);
    for instruction in [
        Instruction::LocalGet(one),
        Instruction::LocalGet(other),
        Instruction::I64Eq,
        Instruction::If(BlockType::Empty),
        Instruction::LocalGet(at),
        Instruction::I32Const(1),
        Instruction::I32Store8(place(17)),
        Instruction::Return,
        Instruction::End,
        Instruction::I32Const(65),
        Instruction::LocalGet(one),
        Instruction::LocalGet(other),
        Instruction::I64Xor,
        Instruction::I64Popcnt,
        Instruction::I32WrapI64,
        Instruction::I32Sub,
        Instruction::LocalTee(closeness),
        Instruction::LocalGet(at),
        Instruction::I32Load8U(place(16)),
        Instruction::I32GtU,
        Instruction::If(BlockType::Empty),
        Instruction::LocalGet(at),
        Instruction::LocalGet(closeness),
        Instruction::I32Store8(place(16)),
        Instruction::LocalGet(at),
        Instruction::LocalGet(one),
        Instruction::I64Store(PLACE),
        Instruction::LocalGet(at),
        Instruction::LocalGet(other),
        Instruction::I64Store(place(8)),
        Instruction::End,
        Instruction::End,
    ] {
        function.instruction(&instruction);
    }
    function
}

const PLACE: MemArg = place(0);

const fn place(offset: u64) -> MemArg {
    MemArg { offset, align: 0, target: MemArgTarget::Memory(MEMORY), ordering: None }
}

impl Emitter<'_> {
    /// How the third memory is divided, if the module gets one: its number is taken from the others.
    pub(super) fn watched(&self) -> Option<Watched> {
        let &(blocks, sites) = self.shape.before.last()?;
        let watched = Watched { blocks: blocks as usize, sites: sites as usize };
        let is_watched = self.instrumentation == Instrumentation::Watched && self.shape.has_memory;
        Some(watched).filter(|watched| is_watched && watched.blocks > 0 && watched.size() <= MEMORY_MAX)
    }

    pub(super) fn add_watch_types(&self, types: &mut TypeSection) {
        if self.watched().is_some() {
            types.ty().function([ValType::I64, ValType::I64, ValType::I32], []);
        }
    }

    pub(super) fn add_watch_functions(&self, functions: &mut FunctionSection) {
        if self.watched().is_some() {
            functions.function(self.shape.types + 1 + self.shape.many_results.len() as u32);
        }
    }

    pub(super) fn add_watch_code(&self, code: &mut CodeSection) {
        if self.watched().is_some() {
            code.function(&compare());
        }
    }
}
