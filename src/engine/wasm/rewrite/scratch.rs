//! Which instructions write to the heap, and the locals that hold their operands meanwhile.

use wasm_encoder::ValType;
use wasmparser::Operator;

/// Locals added to a function to hold the operands of a store, or of an instruction on a range.
pub(super) struct Scratch {
    first: u32,
    used: bool,
    address_type: ValType,
    pub(super) address: u32,
    pub(super) source: u32,
    pub(super) length: u32,
    pub(super) length32: u32,
}

pub(super) const VALUES: [ValType; 5] = [ValType::I32, ValType::I64, ValType::F32, ValType::F64, ValType::V128];

impl Scratch {
    pub(super) fn after(next: u32, operators: &[Operator<'_>], address_type: ValType) -> Scratch {
        let writes = |operator: &Operator<'_>| {
            store(operator).is_some()
                || matches!(
                    operator,
                    Operator::MemoryFill { .. }
                        | Operator::MemoryInit { .. }
                        | Operator::MemoryCopy { .. }
                        | Operator::TableFill { .. }
                        | Operator::TableInit { .. }
                        | Operator::TableCopy { .. }
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

    pub(super) fn locals(&self) -> Vec<(u32, ValType)> {
        if !self.used {
            return Vec::new();
        }
        let mut locals: Vec<(u32, ValType)> = VALUES.iter().map(|&ty| (1, ty)).collect();
        locals.push((3, self.address_type));
        locals.push((1, ValType::I32));
        locals
    }

    pub(super) fn value(&self, ty: ValType) -> u32 {
        self.first + VALUES.iter().position(|&other| other == ty).expect("bug in canloom: a type that is stored") as u32
    }
}

/// Address, bytes and type of what a store writes.
pub(super) fn store(operator: &Operator<'_>) -> Option<(wasmparser::MemArg, u64, ValType)> {
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
