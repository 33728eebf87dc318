//! The operations that ask something of the system: the message, the canister, calls.

use core::arch::wasm32::memory_grow;

use super::machine::{Machine, fail};
use super::op::Op;
use super::{entry, ic0};

/// Instructions of one round of [`Op::Burn`]; measured, see the test of it.
const ROUND: u64 = 16;

impl Machine {
    /// Does one of these operations.
    pub fn ask(&mut self, op: Op) {
        match op {
            Op::Argument => self.push_bytes(ic0::arg()),
            Op::Caller => self.push_bytes(ic0::caller()),
            Op::RejectMessage => self.push_bytes(ic0::reject_text()),
            Op::MethodName => self.push_bytes(ic0::method_name()),
            Op::OwnId => self.push_bytes(ic0::own_id()),
            Op::Deadline => self.push_number(ic0::msg_deadline()),
            Op::RejectCode => self.push_number(ic0::msg_reject_code()),
            Op::CyclesAvailable => self.push_number(ic0::cycles_available()),
            Op::CyclesRefunded => self.push_number(ic0::cycles_refunded()),
            Op::Time => self.push_number(ic0::time()),
            Op::Version => self.push_number(ic0::canister_version()),
            Op::Balance => self.push_number(ic0::balance()),
            Op::Status => self.push_number(ic0::canister_status()),
            Op::InReplicatedExecution => self.push_number(ic0::in_replicated_execution()),
            Op::StableSize => self.push_number(ic0::stable64_size()),
            Op::Reply => ic0::msg_reply(),
            Op::AcceptMessage => ic0::accept_message(),
            Op::ReplyAppend => ic0::msg_reply_data_append(&self.pop_bytes()),
            Op::Reject => ic0::msg_reject(&self.pop_bytes()),
            Op::CertifiedSet => ic0::certified_data_set(&self.pop_bytes()),
            Op::Print => ic0::debug_print(&self.pop_bytes()),
            Op::Trap => ic0::trap(&self.pop_bytes()),
            Op::CallData => ic0::call_data_append(&self.pop_bytes()),
            Op::CallCycles => ic0::call_cycles_add(self.pop_number()),
            Op::CallTimeout => ic0::call_timeout(self.pop_u32()),
            Op::Burn => burn(self.pop_u64()),
            Op::StableWrite => {
                let bytes = self.pop_bytes();
                ic0::stable_write(self.pop_u64(), &bytes);
            }
            Op::CallNew | Op::CallNewRaw | Op::CallOnCleanup | Op::CallOnCleanupRaw | Op::CallPerform => self.call(op),
            _ => self.answer(op),
        }
    }

    /// Operations that give something for something.
    fn answer(&mut self, op: Op) {
        match op {
            Op::StableRead => {
                let size = self.pop_u32() as usize;
                let bytes = ic0::stable_read(self.pop_u64(), size);
                self.push_bytes(bytes);
            }
            Op::IsController => {
                let id = self.pop_bytes();
                self.push_number(ic0::is_controller(&id));
            }
            Op::CyclesAccept | Op::CyclesBurn => {
                let most = self.pop_number();
                self.push_number(match op {
                    Op::CyclesAccept => ic0::cycles_accept(most),
                    _ => ic0::cycles_burn(most),
                });
            }
            Op::StableGrow | Op::TimerSet => {
                let argument = self.pop_u64();
                self.push_number(match op {
                    Op::StableGrow => ic0::stable_grow(argument),
                    _ => ic0::timer_set(argument),
                });
            }
            Op::HeapGrow => {
                let pages = self.pop_u32() as usize;
                self.push_number(memory_grow(0, pages) as u128);
            }
            Op::PerformanceCounter => {
                let kind = self.pop_u32();
                self.push_number(ic0::performance_counter(kind));
            }
            _ => fail("puppet: a bug: an operation is not implemented"),
        }
    }

    fn call(&mut self, op: Op) {
        match op {
            Op::CallNew => {
                let (on_reject, on_reply) = (self.pop_bytes(), self.pop_bytes());
                let (method, callee) = (self.pop_bytes(), self.pop_bytes());
                self.forget_call();
                let env = self.state.wait([on_reply, on_reject, Default::default()]);
                self.begun = Some(env);
                let function = |function: fn(usize)| function as usize;
                ic0::call_new(&callee, &method, (function(entry::on_reply), env), (function(entry::on_reject), env));
            }
            Op::CallNewRaw => {
                let [reject_env, reject, reply_env, reply] = core::array::from_fn(|_| self.pop_u32() as usize);
                let (method, callee) = (self.pop_bytes(), self.pop_bytes());
                self.forget_call();
                ic0::call_new(&callee, &method, (reply, reply_env), (reject, reject_env));
            }
            Op::CallOnCleanup => {
                let program = self.pop_bytes();
                let Some(env) = self.begun else { fail("puppet: no call is begun that programs wait for") };
                self.state.set_cleanup(env, program);
                ic0::call_on_cleanup(entry::on_cleanup as fn(usize) as usize, env);
            }
            Op::CallOnCleanupRaw => {
                let [env, function] = core::array::from_fn(|_| self.pop_u32() as usize);
                ic0::call_on_cleanup(function, env);
            }
            _ => {
                let result = ic0::call_perform();
                match result {
                    0 => self.begun = None,
                    _ => self.forget_call(),
                }
                self.push_number(result);
            }
        }
    }
}

/// Executes about this many instructions.
fn burn(instructions: u64) {
    for round in 0..instructions.div_ceil(ROUND) {
        core::hint::black_box(round);
    }
}
