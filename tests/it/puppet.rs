//! Programs for `canisters/puppet`, written as sentences and encoded as bytes.
//!
//! ```text
//! Program::new().set(0, 5).call(Call::run(id(1), Program::new().say(cell(0))).on_reply(Program::new().reply()))
//! ```
//!
//! In: what a canister is to do. Out: the bytes of a program, alone or as the Candid text of an argument; a [`theater`]
//! of puppets to run it. Values are in `expr`, calls in `call`, random programs in `random`, `unrest` and `staging`.
//! What the operations do is said in `canisters/puppet/src/op.rs`, which both sides share.

pub mod call;
pub mod expr;
#[expect(dead_code, reason = "some of it only the canister needs")]
#[path = "../../canisters/puppet/src/op.rs"]
pub mod op;
pub mod random;
pub mod staging;
pub mod theater;
pub mod unrest;

pub use call::Call;
pub use expr::Expr;
pub use op::Hook;
pub use theater::Theater;

use op::Op;

/// A program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program(Vec<u8>);

impl Program {
    /// The program that does nothing.
    pub fn new() -> Program {
        Program::default()
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Does this, then that.
    pub fn then(mut self, that: &Program) -> Program {
        self.0.extend_from_slice(&that.0);
        self
    }

    fn op(mut self, op: Op) -> Program {
        self.0.push(op as u8);
        self
    }

    fn byte(mut self, byte: u8) -> Program {
        self.0.push(byte);
        self
    }

    /// Leaves a value on the stack.
    fn value(mut self, value: impl Into<Expr>) -> Program {
        self.0.extend_from_slice(value.into().code());
        self
    }

    /// A cell gets this number.
    pub fn set(self, cell: u8, number: impl Into<Expr>) -> Program {
        self.value(number).op(Op::SetCell).byte(cell)
    }

    /// This number is added to a cell.
    pub fn add(self, cell: u8, number: impl Into<Expr>) -> Program {
        self.set(cell, expr::cell(cell).plus(number))
    }

    /// The global byte string becomes this.
    pub fn set_global(self, bytes: impl Into<Expr>) -> Program {
        self.value(bytes).op(Op::SetGlobal)
    }

    /// This is added to the global byte string.
    pub fn append_global(self, bytes: impl Into<Expr>) -> Program {
        self.value(bytes).op(Op::AppendGlobal)
    }

    /// Stores the program of an entry point of the system.
    pub fn store(self, hook: Hook, program: Program) -> Program {
        self.value(program).op(Op::SetHook).byte(hook as u8)
    }

    /// Bytes are added to the reply.
    pub fn append(self, bytes: impl Into<Expr>) -> Program {
        self.value(bytes).op(Op::ReplyAppend)
    }

    /// Replies with what was appended.
    pub fn reply(self) -> Program {
        self.op(Op::Reply)
    }

    /// Replies a number of at most 64 bits as a Candid `nat64`.
    pub fn say(self, number: impl Into<Expr>) -> Program {
        self.append(&b"DIDL\0\x01\x78"[..]).append(number.into().little_endian(8)).reply()
    }

    /// Replies a text as Candid.
    pub fn tell(self, text: impl Into<Expr>) -> Program {
        self.append(&b"DIDL\0\x01\x71"[..]).append(text.into().sized()).reply()
    }

    /// Rejects with a text.
    pub fn reject(self, text: impl Into<Expr>) -> Program {
        self.value(text).op(Op::Reject)
    }

    /// Traps with a text.
    pub fn trap(self, text: impl Into<Expr>) -> Program {
        self.value(text).op(Op::Trap)
    }

    /// Prints a line.
    pub fn print(self, text: impl Into<Expr>) -> Program {
        self.value(text).op(Op::Print)
    }

    /// Ends here.
    pub fn end(self) -> Program {
        self.op(Op::End)
    }

    /// Does this if the number is not 0.
    pub fn when(mut self, number: impl Into<Expr>, then: Program) -> Program {
        self = self.value(number).op(Op::SkipIfZero);
        expr::sized(&mut self.0, &then.0);
        self
    }

    /// Does the one if the number is not 0, else the other.
    pub fn either(self, number: impl Into<Expr>, then: Program, otherwise: Program) -> Program {
        let mut then = then.op(Op::Skip);
        let mut skipped = Vec::new();
        expr::sized(&mut skipped, &otherwise.0);
        let length = skipped.len() - otherwise.0.len();
        // The length that `Skip` reads belongs to what is skipped when the number is 0; the rest follows.
        then.0.extend_from_slice(&skipped[..length]);
        self.when(number, then).then(&otherwise)
    }

    /// Does this so many times.
    pub fn repeat(self, times: impl Into<Expr>, program: Program) -> Program {
        self.value(times).value(program).op(Op::Repeat)
    }

    /// Runs a program that is a value.
    pub fn run(self, program: impl Into<Expr>) -> Program {
        self.value(program).op(Op::Run)
    }

    /// Executes about so many instructions.
    pub fn burn(self, instructions: impl Into<Expr>) -> Program {
        self.value(instructions).op(Op::Burn)
    }

    /// Computes a value and forgets it.
    pub fn ask(self, value: impl Into<Expr>) -> Program {
        self.value(value).op(Op::Drop)
    }

    /// Accepts up to this many cycles.
    pub fn accept(self, cycles: impl Into<Expr>) -> Program {
        self.ask(expr::accept(cycles))
    }

    /// Writes bytes to stable memory.
    pub fn stable_write(self, offset: impl Into<Expr>, bytes: impl Into<Expr>) -> Program {
        self.value(offset).value(bytes).op(Op::StableWrite)
    }

    /// Sets the certified data.
    pub fn certify(self, bytes: impl Into<Expr>) -> Program {
        self.value(bytes).op(Op::CertifiedSet)
    }

    /// Lets an inspected message in.
    pub fn accept_message(self) -> Program {
        self.op(Op::AcceptMessage)
    }

    /// Begins a call and performs it.
    pub fn call(mut self, call: Call) -> Program {
        self.0.extend_from_slice(&call.code(true));
        self
    }

    /// Begins a call and goes on without performing it.
    pub fn begin(mut self, call: Call) -> Program {
        self.0.extend_from_slice(&call.code(false));
        self
    }

    /// Performs the call that was begun last.
    pub fn perform(self) -> Program {
        self.op(Op::CallPerform).op(Op::Drop)
    }

    /// Bytes that need not be a program.
    pub fn raw(bytes: &[u8]) -> Program {
        Program(bytes.to_vec())
    }

    /// The Candid text of one blob that is the program: an argument in a scenario.
    pub fn candid(&self) -> String {
        let bytes: String = self.0.iter().map(|byte| format!("\\{byte:02x}")).collect();
        format!("(blob \"{bytes}\")")
    }
}
