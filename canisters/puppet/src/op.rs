//! The operations of a puppet's programs: one table for the canister and for whoever encodes programs.
//!
//! A comment `( a b -- c )` says what an operation takes from the stack, the top last, and what it puts there; `n` is a
//! number, `b` a byte string. What follows the operation's byte in the program stands before the parentheses.

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// One operation, with its byte.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Op {
            $($(#[$doc])* $name = $code,)*
        }

        impl Op {
            /// The operation with this byte, if there is one.
            pub fn of(code: u8) -> Option<Op> {
                match code {
                    $($code => Some(Op::$name),)*
                    _ => None,
                }
            }
        }
    };
}

operations! {
    /// NUMBER `( -- n )`
    Number = 0x01,
    /// LENGTH BYTES `( -- b )`
    Bytes = 0x02,
    /// `( x -- )`
    Drop = 0x03,
    /// `( x -- x x )`
    Copy = 0x04,
    /// `( x y -- y x )`
    Swap = 0x05,

    /// `( n m -- n+m )`
    Add = 0x10,
    /// `( n m -- n-m )`
    Subtract = 0x11,
    /// `( n m -- n*m )`
    Multiply = 0x12,
    /// `( n m -- n%m )`; traps if m is 0.
    Remainder = 0x13,
    /// `( x y -- n )`: 1 if both are the same, else 0.
    Equal = 0x14,
    /// `( n m -- n )`: 1 if n < m, else 0.
    Less = 0x15,
    /// `( n -- n )`: 1 if n is 0, else 0.
    Not = 0x16,
    /// `( b c -- bc )`
    Join = 0x17,
    /// `( b -- n )`
    Length = 0x18,
    /// `( b n m -- c )`: m bytes of b from n on; traps if there are fewer.
    Slice = 0x19,
    /// SIZE `( n -- b )`: the low SIZE bytes, at most 16, the lowest first.
    LittleEndian = 0x1a,
    /// `( b -- n )`: at most 16 bytes, the lowest first.
    FromLittleEndian = 0x1b,
    /// `( n -- b )`: digits.
    Decimal = 0x1c,
    /// `( b -- c )`: b behind its length as LEB128, as Candid has texts and blobs.
    Sized = 0x1d,

    /// Ends this program.
    End = 0x20,
    /// LENGTH: goes on that many bytes later.
    Skip = 0x21,
    /// LENGTH `( n -- )`: likewise if n is 0.
    SkipIfZero = 0x22,
    /// `( n b -- )`: runs program b n times.
    Repeat = 0x23,
    /// `( b -- )`: runs program b.
    Run = 0x24,
    /// `( n -- )`: executes at least n and at most 2n + 1,000 instructions of wasm.
    Burn = 0x25,

    /// CELL `( -- n )`
    Cell = 0x30,
    /// CELL `( n -- )`
    SetCell = 0x31,
    /// `( -- b )`
    Global = 0x32,
    /// `( b -- )`
    SetGlobal = 0x33,
    /// `( b -- )`
    AppendGlobal = 0x34,
    /// HOOK `( b -- )`: the program that the system's entry point of this number runs.
    SetHook = 0x35,
    /// `( n -- m )`: grows the heap by n pages of 64 KiB; m is the old size, or 2^32 - 1.
    HeapGrow = 0x36,
    /// `( -- n )`: pages of stable memory.
    StableSize = 0x37,
    /// `( n -- m )`: m is the old size, or 2^64 - 1.
    StableGrow = 0x38,
    /// `( n m -- b )`: m bytes from n on.
    StableRead = 0x39,
    /// `( n b -- )`: writes b at n.
    StableWrite = 0x3a,

    /// `( -- b )`: argument, or payload of the reply.
    Argument = 0x40,
    /// `( -- b )`
    Caller = 0x41,
    /// `( -- n )`
    Deadline = 0x42,
    /// `( -- n )`
    RejectCode = 0x43,
    /// `( -- b )`
    RejectMessage = 0x44,
    /// `( -- n )`
    CyclesAvailable = 0x45,
    /// `( -- n )`
    CyclesRefunded = 0x46,
    /// `( n -- m )`: m were accepted.
    CyclesAccept = 0x47,
    /// `( b -- )`
    ReplyAppend = 0x48,
    /// `( -- )`
    Reply = 0x49,
    /// `( b -- )`
    Reject = 0x4a,
    /// `( -- b )`: only while inspecting.
    MethodName = 0x4b,
    /// `( -- )`: only while inspecting.
    AcceptMessage = 0x4c,

    /// `( -- b )`
    OwnId = 0x50,
    /// `( -- n )`: nanoseconds.
    Time = 0x51,
    /// `( -- n )`
    Version = 0x52,
    /// `( -- n )`
    Balance = 0x53,
    /// `( -- n )`: 1 running, 2 stopping, 3 stopped.
    Status = 0x54,
    /// `( n -- m )`: 0 this execution's instructions, 1 the call context's.
    PerformanceCounter = 0x55,
    /// `( n -- m )`: m is what was set before.
    TimerSet = 0x56,
    /// `( b -- )`
    CertifiedSet = 0x57,
    /// `( b -- n )`
    IsController = 0x58,
    /// `( -- n )`
    InReplicatedExecution = 0x59,
    /// `( n -- m )`: m were burned.
    CyclesBurn = 0x5a,
    /// `( b -- )`
    Print = 0x5b,
    /// `( b -- )`
    Trap = 0x5c,

    /// `( callee method reply reject -- )`: begins a call with two programs as its callbacks.
    CallNew = 0x60,
    /// `( callee method n m i j -- )`: likewise with function n and environment m for a reply, i and j for a reject.
    CallNewRaw = 0x61,
    /// `( b -- )`: a program for the cleanup of a call begun with `CallNew`.
    CallOnCleanup = 0x62,
    /// `( n m -- )`: function n with environment m for it.
    CallOnCleanupRaw = 0x63,
    /// `( b -- )`
    CallData = 0x64,
    /// `( n -- )`: cycles attached.
    CallCycles = 0x65,
    /// `( n -- )`: seconds to wait at most.
    CallTimeout = 0x66,
    /// `( -- n )`: 0 if it will be sent.
    CallPerform = 0x67,
}

/// Number of cells.
pub const CELLS: usize = 16;

/// An entry point of the system that runs a stored program: its number is the HOOK of [`Op::SetHook`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Hook {
    /// `canister_global_timer`.
    Timer = 0,
    /// `canister_pre_upgrade`.
    PreUpgrade = 1,
    /// `canister_heartbeat`, only of puppet_tasks.
    Heartbeat = 2,
    /// `canister_inspect_message`, only of puppet_tasks; without a program it accepts.
    Inspect = 3,
    /// `canister_on_low_wasm_memory`, only of puppet_tasks.
    LowMemory = 4,
}

/// Number of hooks.
pub const HOOKS: usize = 5;
