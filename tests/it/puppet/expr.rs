//! Values of programs: code that leaves one number or one byte string on the puppet's stack.

use candid::Principal;

use super::Program;
use super::op::Op;

/// A value to be computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expr(Vec<u8>);

impl Expr {
    /// The code that computes it.
    pub fn code(&self) -> &[u8] {
        &self.0
    }

    fn with(mut self, other: impl Into<Expr>, op: Op) -> Expr {
        self.0.extend_from_slice(&other.into().0);
        self.op(op)
    }

    fn op(mut self, op: Op) -> Expr {
        self.0.push(op as u8);
        self
    }

    /// Sum.
    pub fn plus(self, other: impl Into<Expr>) -> Expr {
        self.with(other, Op::Add)
    }

    /// Difference.
    pub fn minus(self, other: impl Into<Expr>) -> Expr {
        self.with(other, Op::Subtract)
    }

    /// Product.
    pub fn times(self, other: impl Into<Expr>) -> Expr {
        self.with(other, Op::Multiply)
    }

    /// Remainder of a division.
    pub fn modulo(self, other: impl Into<Expr>) -> Expr {
        self.with(other, Op::Remainder)
    }

    /// 1 if both are the same, else 0.
    pub fn equals(self, other: impl Into<Expr>) -> Expr {
        self.with(other, Op::Equal)
    }

    /// 1 if it is less, else 0.
    pub fn less_than(self, other: impl Into<Expr>) -> Expr {
        self.with(other, Op::Less)
    }

    /// 1 if it is 0, else 0.
    pub fn equals_zero(self) -> Expr {
        self.op(Op::Not)
    }

    /// One byte string after the other.
    pub fn join(self, other: impl Into<Expr>) -> Expr {
        self.with(other, Op::Join)
    }

    /// Number of bytes.
    pub fn length(self) -> Expr {
        self.op(Op::Length)
    }

    /// So many bytes from there on.
    pub fn slice(mut self, from: impl Into<Expr>, size: impl Into<Expr>) -> Expr {
        self.0.extend_from_slice(&from.into().0);
        self.with(size, Op::Slice)
    }

    /// A number's low bytes, at most 16.
    pub fn little_endian(mut self, size: u8) -> Expr {
        self = self.op(Op::LittleEndian);
        self.0.push(size);
        self
    }

    /// The number that these bytes are, at most 16.
    pub fn read_number(self) -> Expr {
        self.op(Op::FromLittleEndian)
    }

    /// A number's digits.
    pub fn decimal(self) -> Expr {
        self.op(Op::Decimal)
    }

    /// Bytes behind their length.
    pub fn sized(self) -> Expr {
        self.op(Op::Sized)
    }
}

/// Appends a LEB128 number.
fn number(code: &mut Vec<u8>, mut number: u128) {
    while number >= 0x80 {
        code.push(number as u8 | 0x80);
        number >>= 7;
    }
    code.push(number as u8);
}

/// Appends bytes behind their length.
pub fn sized(code: &mut Vec<u8>, bytes: &[u8]) {
    number(code, bytes.len() as u128);
    code.extend_from_slice(bytes);
}

impl From<u128> for Expr {
    fn from(constant: u128) -> Expr {
        let mut code = vec![Op::Number as u8];
        number(&mut code, constant);
        Expr(code)
    }
}

/// A literal without a type is one of these.
impl From<i32> for Expr {
    fn from(constant: i32) -> Expr {
        Expr::from(u128::try_from(constant).expect("programs have no negative numbers"))
    }
}

impl From<&[u8]> for Expr {
    fn from(constant: &[u8]) -> Expr {
        let mut code = vec![Op::Bytes as u8];
        sized(&mut code, constant);
        Expr(code)
    }
}

impl From<&str> for Expr {
    fn from(constant: &str) -> Expr {
        Expr::from(constant.as_bytes())
    }
}

impl From<Principal> for Expr {
    fn from(constant: Principal) -> Expr {
        Expr::from(constant.as_slice())
    }
}

impl From<Program> for Expr {
    fn from(constant: Program) -> Expr {
        Expr::from(constant.bytes())
    }
}

/// A cell's number.
pub fn cell(cell: u8) -> Expr {
    Expr(vec![Op::Cell as u8, cell])
}

macro_rules! values {
    ($($(#[$doc:meta])* $name:ident = $op:ident,)*) => {$(
        $(#[$doc])*
        pub fn $name() -> Expr {
            Expr(vec![Op::$op as u8])
        }
    )*};
}

values! {
    /// The global byte string.
    global = Global,
    /// Pages of stable memory.
    stable_size = StableSize,
    /// Argument, or payload of the reply.
    argument = Argument,
    /// Caller of the call context.
    caller = Caller,
    /// Deadline of the call context in nanoseconds.
    deadline = Deadline,
    /// Reject code.
    reject_code = RejectCode,
    /// Text of the reject.
    reject_message = RejectMessage,
    /// Cycles that came with the call and are left.
    cycles_available = CyclesAvailable,
    /// Cycles that came back.
    cycles_refunded = CyclesRefunded,
    /// Method of the inspected message.
    method_name = MethodName,
    /// The puppet itself.
    own_id = OwnId,
    /// Nanoseconds.
    time = Time,
    /// Version of the canister.
    version = Version,
    /// Balance of cycles.
    balance = Balance,
    /// 1 running, 2 stopping, 3 stopped.
    status = Status,
    /// 1 in replicated execution.
    in_replicated_execution = InReplicatedExecution,
    /// Performs the call that was begun; 0 if it will be sent.
    performed = CallPerform,
}

macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident = $op:ident,)*) => {$(
        $(#[$doc])*
        pub fn $name(argument: impl Into<Expr>) -> Expr {
            argument.into().op(Op::$op)
        }
    )*};
}

functions! {
    /// Cycles accepted, of this many at most.
    accept = CyclesAccept,
    /// Cycles burned, of this many at most.
    burn_cycles = CyclesBurn,
    /// Grows the heap by so many pages: the old size.
    heap_grow = HeapGrow,
    /// Grows stable memory by so many pages: the old size.
    stable_grow = StableGrow,
    /// Sets the timer: what it was.
    timer_set = TimerSet,
    /// Instructions of this execution (0) or the call context (1).
    performance_counter = PerformanceCounter,
    /// Whether this principal is a controller.
    is_controller = IsController,
}

/// So many bytes of stable memory from there on.
pub fn stable_read(offset: impl Into<Expr>, size: impl Into<Expr>) -> Expr {
    offset.into().with(size, Op::StableRead)
}
