//! The system API without ic-cdk: what `ic0` offers, byte strings and wide numbers as Rust has them.
//!
//! In and out: values. Every function may trap, then it does not return. Left out: what no program can ask for.

use alloc::vec;
use alloc::vec::Vec;

/// The functions themselves. Addresses and sizes are `usize`, which has the width of the module's memory.
mod raw {
    #[link(wasm_import_module = "ic0")]
    unsafe extern "C" {
        pub fn msg_arg_data_size() -> usize;
        pub fn msg_arg_data_copy(dst: usize, offset: usize, size: usize);
        pub fn msg_caller_size() -> usize;
        pub fn msg_caller_copy(dst: usize, offset: usize, size: usize);
        pub fn msg_reject_code() -> u32;
        pub fn msg_reject_msg_size() -> usize;
        pub fn msg_reject_msg_copy(dst: usize, offset: usize, size: usize);
        pub fn msg_deadline() -> u64;
        pub fn msg_reply_data_append(src: usize, size: usize);
        pub fn msg_reply();
        pub fn msg_reject(src: usize, size: usize);
        pub fn msg_cycles_available128(dst: usize);
        pub fn msg_cycles_refunded128(dst: usize);
        pub fn msg_cycles_accept128(high: u64, low: u64, dst: usize);
        pub fn cycles_burn128(high: u64, low: u64, dst: usize);
        pub fn canister_self_size() -> usize;
        pub fn canister_self_copy(dst: usize, offset: usize, size: usize);
        pub fn canister_cycle_balance128(dst: usize);
        pub fn canister_status() -> u32;
        pub fn canister_version() -> u64;
        pub fn msg_method_name_size() -> usize;
        pub fn msg_method_name_copy(dst: usize, offset: usize, size: usize);
        pub fn accept_message();
        pub fn call_new(
            callee: usize,
            callee_size: usize,
            method: usize,
            method_size: usize,
            reply_function: usize,
            reply_env: usize,
            reject_function: usize,
            reject_env: usize,
        );
        pub fn call_on_cleanup(function: usize, env: usize);
        pub fn call_data_append(src: usize, size: usize);
        pub fn call_with_best_effort_response(timeout_s: u32);
        pub fn call_cycles_add128(high: u64, low: u64);
        pub fn call_perform() -> u32;
        pub fn stable64_size() -> u64;
        pub fn stable64_grow(pages: u64) -> u64;
        pub fn stable64_read(dst: u64, offset: u64, size: u64);
        pub fn stable64_write(offset: u64, src: u64, size: u64);
        pub fn certified_data_set(src: usize, size: usize);
        pub fn time() -> u64;
        pub fn global_timer_set(at_ns: u64) -> u64;
        pub fn performance_counter(kind: u32) -> u64;
        pub fn is_controller(src: usize, size: usize) -> u32;
        pub fn in_replicated_execution() -> u32;
        pub fn debug_print(src: usize, size: usize);
        pub fn trap(src: usize, size: usize);
    }
}

/// A number of the IC without arguments.
macro_rules! number {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        pub fn $name() -> u128 {
            // SAFETY: takes and gives a number.
            unsafe { raw::$name() }.into()
        }
    )*};
}

number! {
    /// Reject code of a response; 0 for a reply.
    msg_reject_code,
    /// When the caller stops waiting, in nanoseconds; 0: never.
    msg_deadline,
    /// 1 running, 2 stopping, 3 stopped.
    canister_status,
    /// The canister's version.
    canister_version,
    /// 0: performed.
    call_perform,
    /// Pages of stable memory.
    stable64_size,
    /// Nanoseconds since 1970.
    time,
    /// 1 if replicated.
    in_replicated_execution,
}

/// Bytes that the IC has: a function for their number and one that copies them.
macro_rules! bytes {
    ($($(#[$doc:meta])* $name:ident = $size:ident, $copy:ident;)*) => {$(
        $(#[$doc])*
        pub fn $name() -> Vec<u8> {
            // SAFETY: takes and gives a number.
            let size = unsafe { raw::$size() };
            let mut bytes = vec![0; size];
            // SAFETY: `bytes` has room for `size` bytes.
            unsafe { raw::$copy(bytes.as_mut_ptr() as usize, 0, size) };
            bytes
        }
    )*};
}

bytes! {
    /// Argument of the message, or payload of the reply.
    arg = msg_arg_data_size, msg_arg_data_copy;
    /// Who called.
    caller = msg_caller_size, msg_caller_copy;
    /// Text of a reject.
    reject_text = msg_reject_msg_size, msg_reject_msg_copy;
    /// This canister.
    own_id = canister_self_size, canister_self_copy;
    /// Method of the message that is inspected.
    method_name = msg_method_name_size, msg_method_name_copy;
}

/// A function of the IC that takes bytes.
macro_rules! takes_bytes {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        pub fn $name(bytes: &[u8]) {
            // SAFETY: the range is that of a slice.
            unsafe { raw::$name(bytes.as_ptr() as usize, bytes.len()) }
        }
    )*};
}

takes_bytes! {
    /// More of the reply.
    msg_reply_data_append,
    /// Rejects with a text.
    msg_reject,
    /// More of the argument of the call that is begun.
    call_data_append,
    /// At most 32 bytes.
    certified_data_set,
    /// A line of the log.
    debug_print,
}

/// A function of the IC that writes a number of 128 bits to an address.
fn wide(write: impl FnOnce(usize)) -> u128 {
    let mut bytes = [0; 16];
    write(bytes.as_mut_ptr() as usize);
    u128::from_le_bytes(core::hint::black_box(bytes))
}

/// Cycles that came with the call and are left.
pub fn cycles_available() -> u128 {
    // SAFETY: there is room for 16 bytes.
    wide(|dst| unsafe { raw::msg_cycles_available128(dst) })
}

/// Cycles that came back with the response.
pub fn cycles_refunded() -> u128 {
    // SAFETY: there is room for 16 bytes.
    wide(|dst| unsafe { raw::msg_cycles_refunded128(dst) })
}

/// Takes up to this many; says how many.
pub fn cycles_accept(most: u128) -> u128 {
    // SAFETY: there is room for 16 bytes.
    wide(|dst| unsafe { raw::msg_cycles_accept128((most >> 64) as u64, most as u64, dst) })
}

/// Burns up to this many; says how many.
pub fn cycles_burn(most: u128) -> u128 {
    // SAFETY: there is room for 16 bytes.
    wide(|dst| unsafe { raw::cycles_burn128((most >> 64) as u64, most as u64, dst) })
}

/// Cycles of this canister.
pub fn balance() -> u128 {
    // SAFETY: there is room for 16 bytes.
    wide(|dst| unsafe { raw::canister_cycle_balance128(dst) })
}

/// Answers with what was appended.
pub fn msg_reply() {
    // SAFETY: touches no memory.
    unsafe { raw::msg_reply() }
}

/// Lets the inspected message in.
pub fn accept_message() {
    // SAFETY: touches no memory.
    unsafe { raw::accept_message() }
}

/// Begins a call. Functions are pairs of a table index and an environment; neither is looked at here.
pub fn call_new(callee: &[u8], method: &[u8], reply: (usize, usize), reject: (usize, usize)) {
    let (callee, callee_size) = (callee.as_ptr() as usize, callee.len());
    let (method, method_size) = (method.as_ptr() as usize, method.len());
    // SAFETY: both ranges are those of slices.
    unsafe { raw::call_new(callee, callee_size, method, method_size, reply.0, reply.1, reject.0, reject.1) }
}

/// The function to call when the callback traps.
pub fn call_on_cleanup(function: usize, env: usize) {
    // SAFETY: touches no memory.
    unsafe { raw::call_on_cleanup(function, env) }
}

/// Attaches cycles.
pub fn call_cycles_add(cycles: u128) {
    // SAFETY: touches no memory.
    unsafe { raw::call_cycles_add128((cycles >> 64) as u64, cycles as u64) }
}

/// Waits this long at most.
pub fn call_timeout(timeout_s: u32) {
    // SAFETY: touches no memory.
    unsafe { raw::call_with_best_effort_response(timeout_s) }
}

/// Old size in pages, or 2^64 - 1.
pub fn stable_grow(pages: u64) -> u128 {
    // SAFETY: touches no heap memory.
    unsafe { raw::stable64_grow(pages) }.into()
}

/// Bytes of stable memory.
pub fn stable_read(offset: u64, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    // SAFETY: `bytes` has room for `size` bytes.
    unsafe { raw::stable64_read(bytes.as_mut_ptr() as u64, offset, size as u64) };
    bytes
}

/// Writes to stable memory.
pub fn stable_write(offset: u64, bytes: &[u8]) {
    // SAFETY: the range is that of a slice.
    unsafe { raw::stable64_write(offset, bytes.as_ptr() as u64, bytes.len() as u64) }
}

/// Sets the timer; says what it was.
pub fn timer_set(at_ns: u64) -> u128 {
    // SAFETY: touches no memory.
    unsafe { raw::global_timer_set(at_ns) }.into()
}

/// Instructions of this execution (0) or of the call context (1).
pub fn performance_counter(kind: u32) -> u128 {
    // SAFETY: touches no memory.
    unsafe { raw::performance_counter(kind) }.into()
}

/// Whether this principal is a controller.
pub fn is_controller(id: &[u8]) -> u128 {
    // SAFETY: the range is that of a slice.
    unsafe { raw::is_controller(id.as_ptr() as usize, id.len()) }.into()
}

/// Undoes this execution.
pub fn trap(text: &[u8]) -> ! {
    // SAFETY: the range is that of a slice.
    unsafe { raw::trap(text.as_ptr() as usize, text.len()) };
    core::arch::wasm32::unreachable()
}
