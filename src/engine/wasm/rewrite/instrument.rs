//! The code that is added to functions: metering and write tracking.
//!
//! In: a function body. Out: one that does the same, charges what it executes and marks what it writes.

use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{BlockType, Function, Instruction, MemArg, MemArgTarget, ValType};
use wasmparser::{FunctionBody, Operator};

use super::super::pages::PAGE_BITS;
use super::scratch::{Scratch, store};
use super::watch::{Site, Watch};
use super::{Emitter, Instrumentation};

/// Instructions that growing a memory or a table costs, as in the replica.
const GROW_COST: i64 = 300;
/// More than any memory or table has.
const LENGTH_MASK: i64 = (1 << 34) - 1;

impl Emitter<'_> {
    /// The function `(address, length)` that marks a range as written; the operation itself traps where it is out of
    /// bounds, so a range that wraps around is ignored here.
    pub(super) fn marker(&self) -> Function {
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

    pub(super) fn function(&self, at: usize, body: &FunctionBody<'_>) -> Result<Function, String> {
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
        let instruments = self.instrumentation != Instrumentation::None;
        let left = next;
        locals.push((1, ValType::I64));
        let scratch = Scratch::after(next + 1, &operators, self.shape.address());
        locals.extend(scratch.locals());
        let first = next + 1 + scratch.locals().iter().map(|(count, _)| count).sum::<u32>();
        let mut watch = self.watched().map(|watched| Watch::of(watched, self.shape, at, first));
        locals.extend(watch.iter().flat_map(|_| Watch::LOCALS));
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
                if let Some(watch) = &mut watch {
                    watch.block(&mut function);
                }
            }
            let is_call = matches!(operator, Operator::Call { .. } | Operator::CallIndirect { .. });
            let leaves = matches!(
                operator,
                Operator::Return | Operator::ReturnCall { .. } | Operator::ReturnCallIndirect { .. }
            );
            if instruments && (is_call || leaves) {
                self.flush(&mut function, left);
            }
            begins = begins_block(operator);
            if let (Some(watch), Some(site)) = (&mut watch, Site::of(operator)) {
                watch.site(&mut function, site);
            }
            if instruments {
                self.charge_length(&mut function, operator, left, &scratch);
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
                Operator::MemoryGrow { .. } | Operator::TableGrow { .. } => cost += GROW_COST,
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
            self.check(function, left);
        }
    }

    /// Stops the execution where no instructions are left.
    fn check(&self, function: &mut Function, left: u32) {
        function.instruction(&Instruction::LocalGet(left));
        function.instruction(&Instruction::I64Const(0));
        function.instruction(&Instruction::I64LtS);
        function.instruction(&Instruction::If(BlockType::Empty));
        self.flush(function, left);
        function.instruction(&Instruction::Unreachable);
        function.instruction(&Instruction::End);
    }

    /// Charges an instruction on a range by its length, which lies on top of the stack. Without that a loop of them would
    /// not end in any time.
    fn charge_length(&self, function: &mut Function, operator: &Operator<'_>, left: u32, scratch: &Scratch) {
        let table64 = |table: u32| self.shape.table64.get(table as usize).copied().unwrap_or(false);
        let wide = match operator {
            Operator::MemoryFill { .. } | Operator::MemoryCopy { .. } => self.shape.memory64,
            Operator::TableFill { table } => table64(*table),
            Operator::TableCopy { dst_table, src_table } => table64(*dst_table) && table64(*src_table),
            Operator::MemoryInit { .. } | Operator::TableInit { .. } => false,
            _ => return,
        };
        let length = scratch.value(if wide { ValType::I64 } else { ValType::I32 });
        function.instruction(&Instruction::LocalTee(length));
        function.instruction(&Instruction::LocalGet(left));
        function.instruction(&Instruction::LocalGet(length));
        if wide {
            // A longer one traps in any case.
            function.instruction(&Instruction::I64Const(LENGTH_MASK));
            function.instruction(&Instruction::I64And);
        } else {
            function.instruction(&Instruction::I64ExtendI32U);
        }
        function.instruction(&Instruction::I64Sub);
        function.instruction(&Instruction::LocalSet(left));
        self.check(function, left);
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

/// Whether a straight run of instructions begins after this one; if so, whether it can repeat.
pub(super) fn begins_block(operator: &Operator<'_>) -> Option<bool> {
    match operator {
        Operator::Loop { .. } => Some(true),
        Operator::If { .. } | Operator::Else | Operator::End | Operator::BrIf { .. } => Some(false),
        _ => None,
    }
}

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
