//! The stack machine: constants, arithmetic, control and the state; what asks the system is in `system`.

use alloc::vec::Vec;
use core::mem;

use super::ic0;
use super::op::Op;
use super::state::State;

/// Deepest nesting of programs that run programs.
const DEPTH_MAX: u32 = 32;

/// What the stack holds.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// A number.
    Number(u128),
    /// A byte string.
    Bytes(Vec<u8>),
}

/// One execution.
pub struct Machine {
    /// The canister's state.
    pub state: State,
    /// The waiting entry of the call that is begun and not performed.
    pub begun: Option<usize>,
    stack: Vec<Value>,
    depth: u32,
}

/// Ends the execution with a text.
pub fn fail(text: &str) -> ! {
    ic0::trap(text.as_bytes())
}

/// Takes a LEB128 number off a program.
pub fn number(program: &mut &[u8]) -> u128 {
    let (mut number, mut shift) = (0, 0);
    loop {
        let byte = byte(program);
        if shift > 126 || (shift == 126 && byte > 3) {
            fail("puppet: a number of more than 128 bits");
        }
        number |= u128::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return number;
        }
        shift += 7;
    }
}

/// Takes a byte string off a program.
pub fn bytes<'a>(program: &mut &'a [u8]) -> &'a [u8] {
    let size = number(program);
    if size > program.len() as u128 {
        fail("puppet: the program ends inside an operation");
    }
    let (bytes, rest) = program.split_at(size as usize);
    *program = rest;
    bytes
}

fn byte(program: &mut &[u8]) -> u8 {
    let Some((&byte, rest)) = program.split_first() else { fail("puppet: the program ends inside an operation") };
    *program = rest;
    byte
}

impl Machine {
    /// An execution on this state.
    pub fn new(state: State) -> Machine {
        Machine { state, begun: None, stack: Vec::new(), depth: 0 }
    }

    /// The state after it; a call that was begun and not performed leaves nothing behind.
    pub fn finish(mut self) -> State {
        self.forget_call();
        self.state
    }

    /// The call that is begun will not be sent.
    pub fn forget_call(&mut self) {
        if let Some(env) = self.begun.take() {
            self.state.take_waiting(env);
        }
    }

    /// Puts a number on the stack.
    pub fn push_number(&mut self, number: u128) {
        self.stack.push(Value::Number(number));
    }

    /// Puts bytes on the stack.
    pub fn push_bytes(&mut self, bytes: Vec<u8>) {
        self.stack.push(Value::Bytes(bytes));
    }

    fn pop(&mut self) -> Value {
        self.stack.pop().unwrap_or_else(|| fail("puppet: the stack is empty"))
    }

    /// Takes a number off the stack.
    pub fn pop_number(&mut self) -> u128 {
        match self.pop() {
            Value::Number(number) => number,
            Value::Bytes(_) => fail("puppet: bytes where a number is needed"),
        }
    }

    /// Takes a number of 64 bits off the stack.
    pub fn pop_u64(&mut self) -> u64 {
        let number = self.pop_number();
        if number >> 64 != 0 {
            fail("puppet: a number of more than 64 bits");
        }
        number as u64
    }

    /// Takes a number of 32 bits off the stack.
    pub fn pop_u32(&mut self) -> u32 {
        let number = self.pop_number();
        if number >> 32 != 0 {
            fail("puppet: a number of more than 32 bits");
        }
        number as u32
    }

    /// Takes bytes off the stack.
    pub fn pop_bytes(&mut self) -> Vec<u8> {
        match self.pop() {
            Value::Bytes(bytes) => bytes,
            Value::Number(_) => fail("puppet: a number where bytes are needed"),
        }
    }

    /// Runs a program to its end.
    pub fn run(&mut self, mut program: &[u8]) {
        if self.depth == DEPTH_MAX {
            fail("puppet: programs that run programs nest too deep");
        }
        self.depth += 1;
        while let Some((&code, rest)) = program.split_first() {
            program = rest;
            let op = Op::of(code).unwrap_or_else(|| fail("puppet: no operation has this byte"));
            match op {
                Op::End => break,
                Op::Skip => skip(&mut program),
                Op::SkipIfZero if self.pop_number() == 0 => skip(&mut program),
                Op::SkipIfZero => {
                    number(&mut program);
                }
                _ => self.step(op, &mut program),
            }
        }
        self.depth -= 1;
    }

    /// Does one operation that does not end or skip.
    fn step(&mut self, op: Op, program: &mut &[u8]) {
        match op {
            Op::Number => self.push_number(number(program)),
            Op::Bytes => self.push_bytes(bytes(program).to_vec()),
            Op::Drop => drop(self.pop()),
            Op::Copy => {
                let value = self.pop();
                self.stack.push(value.clone());
                self.stack.push(value);
            }
            Op::Swap => {
                let (top, below) = (self.pop(), self.pop());
                self.stack.push(top);
                self.stack.push(below);
            }
            Op::Repeat => {
                let program = self.pop_bytes();
                for _ in 0..self.pop_u64() {
                    self.run(&program);
                }
            }
            Op::Run => {
                let program = self.pop_bytes();
                self.run(&program);
            }
            Op::Cell => {
                let cell = *self.cell(program);
                self.push_number(cell);
            }
            Op::SetCell => {
                let value = self.pop_number();
                *self.cell(program) = value;
            }
            Op::Global => self.push_bytes(self.state.global.clone()),
            Op::SetGlobal => self.state.global = self.pop_bytes(),
            Op::AppendGlobal => {
                let more = self.pop_bytes();
                self.state.global.extend_from_slice(&more);
            }
            Op::SetHook => {
                let value = self.pop_bytes();
                let Some(hook) = self.state.hooks.get_mut(byte(program) as usize) else { fail("puppet: no such hook") };
                *hook = value;
            }
            Op::Add | Op::Subtract | Op::Multiply | Op::Remainder | Op::Less => self.calculate(op),
            Op::Equal => {
                let same = self.pop() == self.pop();
                self.push_number(same.into());
            }
            Op::Not => {
                let zero = self.pop_number() == 0;
                self.push_number(zero.into());
            }
            Op::Join | Op::Length | Op::Slice | Op::LittleEndian | Op::FromLittleEndian | Op::Decimal | Op::Sized => {
                self.shape(op, program);
            }
            _ => self.ask(op),
        }
    }

    fn cell(&mut self, program: &mut &[u8]) -> &mut u128 {
        self.state.cells.get_mut(byte(program) as usize).unwrap_or_else(|| fail("puppet: no such cell"))
    }

    fn calculate(&mut self, op: Op) {
        let right = self.pop_number();
        let left = self.pop_number();
        self.push_number(match op {
            Op::Add => left.wrapping_add(right),
            Op::Subtract => left.wrapping_sub(right),
            Op::Multiply => left.wrapping_mul(right),
            Op::Remainder => left.checked_rem(right).unwrap_or_else(|| fail("puppet: remainder of a division by 0")),
            _ => (left < right).into(),
        });
    }

    /// Operations that make byte strings, or numbers of them.
    fn shape(&mut self, op: Op, program: &mut &[u8]) {
        match op {
            Op::Join => {
                let right = self.pop_bytes();
                let mut joined = self.pop_bytes();
                joined.extend_from_slice(&right);
                self.push_bytes(joined);
            }
            Op::Length => {
                let length = self.pop_bytes().len();
                self.push_number(length as u128);
            }
            Op::Slice => {
                let (size, from) = (self.pop_u32() as usize, self.pop_u32() as usize);
                let bytes = self.pop_bytes();
                let slice = bytes.get(from..).and_then(|rest| rest.get(..size));
                self.push_bytes(slice.unwrap_or_else(|| fail("puppet: a slice beyond the end")).to_vec());
            }
            Op::LittleEndian => {
                let bytes = self.pop_number().to_le_bytes();
                let bytes = bytes.get(..byte(program) as usize);
                self.push_bytes(bytes.unwrap_or_else(|| fail("puppet: a number has at most 16 bytes")).to_vec());
            }
            Op::FromLittleEndian => {
                let bytes = self.pop_bytes();
                if bytes.len() > 16 {
                    fail("puppet: a number has at most 16 bytes");
                }
                self.push_number(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u128::from(byte)));
            }
            Op::Decimal => {
                let mut number = self.pop_number();
                let mut digits = Vec::new();
                while number > 0 || digits.is_empty() {
                    digits.push(b'0' + (number % 10) as u8);
                    number /= 10;
                }
                digits.reverse();
                self.push_bytes(digits);
            }
            _ => {
                let bytes = self.pop_bytes();
                let mut sized = Vec::new();
                let mut size = bytes.len();
                while size >= 0x80 {
                    sized.push(size as u8 | 0x80);
                    size >>= 7;
                }
                sized.push(size as u8);
                sized.extend_from_slice(&bytes);
                self.push_bytes(mem::take(&mut sized));
            }
        }
    }
}

fn skip(program: &mut &[u8]) {
    bytes(program);
}
