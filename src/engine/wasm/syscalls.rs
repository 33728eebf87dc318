//! The system API: what each `ic0` function does. Semantics section 1.2; contexts are checked against the table in `ic0`.
//!
//! In: calls from wasm. Out: changes of the [`Host`], or a trap. A call costs instructions, by its name and by the bytes
//! that it moves, as in the replica: without that, a loop of calls would not end in any time.

/// Defines a system function that returns at once if the context forbids it.
macro_rules! define {
    ($linker:ident, $name:literal, |$caller:ident $(, $arg:ident: $ty:ty)*| -> $result:ty $body:block) => {
        let syscall = super::super::ic0::find($name).expect("bug in canloom: a system function without a row");
        let cost = syscall.cost();
        $linker.func_wrap("ic0", $name, move |mut $caller: Caller<'_, Host> $(, $arg: $ty)*| -> Result<$result> {
            enter(&mut $caller, syscall, cost)?;
            $body
        })?;
    };
}

mod call;
mod canister;
mod costs;
mod message;
mod settings;
mod stable;

use wasmtime::{Caller, Linker, Memory, Val, WasmTy};

use crate::kernel::Cycles;
use crate::kernel::guest::Trap;

use super::host::Host;
use super::ic0::Syscall;
use super::pages::PAGE_BITS;

type Result<T> = std::result::Result<T, wasmtime::Error>;

/// An address or a size: 32 or 64 bits, as the module's memory is.
pub trait Address: WasmTy + Copy {
    /// As an unsigned number.
    fn wide(self) -> u64;
    /// From one; the caller has made sure that it fits.
    fn narrow(value: u64) -> Self;
}

impl Address for u32 {
    fn wide(self) -> u64 {
        u64::from(self)
    }
    fn narrow(value: u64) -> u32 {
        value as u32
    }
}

impl Address for u64 {
    fn wide(self) -> u64 {
        self
    }
    fn narrow(value: u64) -> u64 {
        value
    }
}

/// Stops the execution with an IC error.
fn trap<T>(host: &mut Host, code: u16, text: String) -> Result<T> {
    host.trap = Some(Trap { code, text });
    Err(wasmtime::Error::msg("stopped by a system function"))
}

/// IC0504: the canister broke the contract of a system function.
fn violation<T>(host: &mut Host, what: &str) -> Result<T> {
    trap(host, 504, format!("Canister violated contract: {what}"))
}

/// Charges a call, and traps unless the function may be called where the execution is.
fn enter(caller: &mut Caller<'_, Host>, syscall: &Syscall, cost: u64) -> Result<()> {
    charge(caller, cost)?;
    let host = caller.data_mut();
    if syscall.modes & host.mode as u32 != 0 {
        return Ok(());
    }
    let mode = host.mode.name();
    violation(host, &format!("\"ic0_{}\" cannot be executed in {mode} mode", syscall.name))
}

/// Takes instructions from the counter; stops the execution when none are left.
fn charge(caller: &mut Caller<'_, Host>, instructions: u64) -> Result<()> {
    let Some(counter) = caller.data().parts.left else { return Ok(()) };
    let left = counter.get(&mut *caller).i64().unwrap_or(0);
    let left = left.saturating_sub(i64::try_from(instructions).unwrap_or(i64::MAX));
    counter.set(&mut *caller, Val::I64(left))?;
    if left < 0 { Err(wasmtime::Error::msg("no instructions are left")) } else { Ok(()) }
}

/// Whether the execution may hold this many bytes more; if not it is stopped.
fn hold(host: &mut Host, bytes: u64) -> Result<()> {
    if host.may_hold(bytes) { Ok(()) } else { Err(wasmtime::Error::msg("no memory is left")) }
}

fn memory(caller: &mut Caller<'_, Host>) -> Result<Memory> {
    match caller.data().parts.heap {
        Some(memory) => Ok(memory),
        None => violation(caller.data_mut(), "the module has no memory"),
    }
}

/// Copies bytes out of the heap.
fn load(caller: &mut Caller<'_, Host>, src: u64, size: u64, name: &str) -> Result<Vec<u8>> {
    let memory = memory(caller)?;
    charge(caller, size)?;
    let range = src.checked_add(size).and_then(|end| memory.data(&*caller).get(src as usize..end as usize));
    match range {
        Some(bytes) => Ok(bytes.to_vec()),
        None => violation(caller.data_mut(), &format!("ic0_{name}: heap out of bounds (address {src}, size {size})")),
    }
}

/// Copies bytes into the heap and marks the pages as written.
fn save(caller: &mut Caller<'_, Host>, dst: u64, bytes: &[u8], name: &str) -> Result<()> {
    let memory = memory(caller)?;
    let end = dst.checked_add(bytes.len() as u64);
    let target = end.and_then(|end| memory.data_mut(&mut *caller).get_mut(dst as usize..end as usize));
    let Some(target) = target else {
        let size = bytes.len();
        return violation(caller.data_mut(), &format!("ic0_{name}: heap out of bounds (address {dst}, size {size})"));
    };
    target.copy_from_slice(bytes);
    if !bytes.is_empty() {
        let last = (dst + bytes.len() as u64 - 1) >> PAGE_BITS;
        if let Some(written) = caller.data().parts.written {
            written.data_mut(caller)[(dst >> PAGE_BITS) as usize..=last as usize].fill(1);
        }
    }
    Ok(())
}

/// Copies a part of a system-side buffer into the heap.
fn copy_out(caller: &mut Caller<'_, Host>, from: &[u8], dst: u64, offset: u64, size: u64, name: &str) -> Result<()> {
    charge(caller, size)?;
    match offset.checked_add(size).and_then(|end| from.get(offset as usize..end as usize)) {
        Some(part) => save(caller, dst, part, name),
        None => {
            let length = from.len();
            let what = format!("ic0_{name}: offset {offset} and size {size} exceed the {length} bytes there are");
            violation(caller.data_mut(), &what)
        }
    }
}

/// Instructions executed so far in this execution.
fn executed(caller: &mut Caller<'_, Host>) -> u64 {
    let limit = caller.data().limit;
    let left = caller.data().parts.left.and_then(|left| left.get(caller).i64()).unwrap_or(0);
    limit - left.max(0) as u64
}

fn high(value: u64) -> Cycles {
    Cycles::from(value) << 64
}

fn narrow_cycles(host: &mut Host, cycles: Cycles, name: &str) -> Result<u64> {
    match u64::try_from(cycles) {
        Ok(cycles) => Ok(cycles),
        Err(_) => violation(host, &format!("ic0_{name}: the amount does not fit into 64 bits")),
    }
}

/// Defines the system API for memories with addresses of type `I`.
///
/// # Errors
/// None in practice: names and types are fixed.
pub fn link<I: Address>(linker: &mut Linker<Host>) -> Result<()> {
    message::link::<I>(linker)?;
    call::link::<I>(linker)?;
    stable::link(linker)?;
    canister::link::<I>(linker)?;
    settings::link::<I>(linker)?;
    costs::link::<I>(linker)
}
