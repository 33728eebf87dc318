//! The entry points: what the system enters, and which program it runs there.

use alloc::vec::Vec;

use super::machine::Machine;
use super::op::Hook;
use super::state::{Part, State};
use super::{heap, ic0};

/// Runs something on the state that was kept, and keeps the state after it.
#[inline(never)]
fn enter(body: impl FnOnce(&mut Machine)) {
    let mut machine = Machine::new(State::decode(&heap::kept()));
    body(&mut machine);
    heap::keep(machine.finish().encode());
}

#[inline(never)]
fn run_argument() {
    enter(|machine| machine.run(&program(ic0::arg())));
    heap::wipe_stack();
}

/// The program in an argument.
fn program(arg: Vec<u8>) -> Vec<u8> {
    const NOTHING: &[u8] = b"DIDL\0\0";
    const BLOB: &[u8] = b"DIDL\x01\x6d\x7b\x01\0";
    if arg == NOTHING {
        return Vec::new();
    }
    match arg.strip_prefix(BLOB) {
        None => arg,
        // The rest is the length and the bytes: an operand of a program.
        Some(mut blob) => super::machine::bytes(&mut blob).to_vec(),
    }
}

/// Runs the program of a hook.
#[inline(never)]
pub fn hook(hook: Hook) {
    enter(|machine| {
        let program = machine.state.hooks[hook as usize].clone();
        machine.run(&program);
    });
    heap::wipe_stack();
}

#[inline(never)]
fn resume(env: usize, part: Part) {
    enter(|machine| {
        let waiting = machine.state.take_waiting(env);
        machine.run(&waiting[part as usize]);
    });
    heap::wipe_stack();
}

/// Function of a reply callback.
pub fn on_reply(env: usize) {
    resume(env, Part::Reply);
}

/// Function of a reject callback.
pub fn on_reject(env: usize) {
    resume(env, Part::Reject);
}

/// Function of a cleanup callback.
pub fn on_cleanup(env: usize) {
    resume(env, Part::Cleanup);
}

#[unsafe(export_name = "canister_init")]
extern "C" fn canister_init() {
    run_argument();
}

#[unsafe(export_name = "canister_post_upgrade")]
extern "C" fn canister_post_upgrade() {
    run_argument();
}

#[unsafe(export_name = "canister_update run")]
extern "C" fn update() {
    run_argument();
}

#[unsafe(export_name = "canister_query query")]
extern "C" fn query() {
    run_argument();
}

#[unsafe(export_name = "canister_composite_query composite")]
extern "C" fn composite() {
    run_argument();
}

#[unsafe(export_name = "canister_pre_upgrade")]
extern "C" fn canister_pre_upgrade() {
    hook(Hook::PreUpgrade);
}

#[unsafe(export_name = "canister_global_timer")]
extern "C" fn canister_global_timer() {
    hook(Hook::Timer);
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    ic0::trap(b"puppet: out of memory, or a bug of its own")
}
