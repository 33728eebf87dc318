//! The canister itself: its id, its cycles, its clock and timer; printing and trapping.

use wasmtime::{Caller, Linker};

use crate::kernel::Cycles;

use super::super::host::Host;
use super::{Address, Result, charge, copy_out, enter, executed, high, load, narrow_cycles, save, trap, violation};

/// Bytes of a line of `debug_print`, and of the text of a trap, that are kept.
const TEXT_MAX: usize = 32 * 1024;

/// Defines these functions.
pub(super) fn link<I: Address>(linker: &mut Linker<Host>) -> Result<()> {
    define!(linker, "canister_self_size", |caller| -> I {
        Ok(I::narrow(caller.data().own_id().as_slice().len() as u64))
    });
    define!(linker, "canister_self_copy", |caller, dst: I, offset: I, size: I| -> () {
        let id = caller.data().own_id();
        copy_out(&mut caller, id.as_slice(), dst.wide(), offset.wide(), size.wide(), "canister_self_copy")
    });
    define!(linker, "canister_cycle_balance128", |caller, dst: I| -> () {
        let balance = caller.data_mut().balance();
        save(&mut caller, dst.wide(), &balance.to_le_bytes(), "canister_cycle_balance128")
    });
    define!(linker, "canister_cycle_balance", |caller| -> u64 {
        let balance = caller.data_mut().balance();
        narrow_cycles(caller.data_mut(), balance, "canister_cycle_balance")
    });
    define!(linker, "canister_liquid_cycle_balance128", |caller, dst: I| -> () {
        let balance = caller.data_mut().balance();
        save(&mut caller, dst.wide(), &balance.to_le_bytes(), "canister_liquid_cycle_balance128")
    });
    define!(linker, "canister_status", |caller| -> u32 { Ok(caller.data_mut().status() as u32) });
    define!(linker, "canister_version", |caller| -> u64 { Ok(caller.data_mut().version()) });
    define!(linker, "certified_data_set", |caller, src: I, size: I| -> () {
        if size.wide() > 32 {
            return violation(caller.data_mut(), "ic0_certified_data_set: more than 32 bytes");
        }
        let bytes = load(&mut caller, src.wide(), size.wide(), "certified_data_set")?;
        caller.data_mut().certified = Some(bytes);
        Ok(())
    });
    define!(linker, "time", |caller| -> u64 { Ok(caller.data_mut().time_ns()) });
    define!(linker, "global_timer_set", |caller, at_ns: u64| -> u64 {
        let host = caller.data_mut();
        let old = host.timer_ns();
        host.timer_ns = Some(at_ns);
        Ok(old)
    });
    define!(linker, "performance_counter", |caller, kind: u32| -> u64 {
        let so_far = executed(&mut caller);
        match kind {
            0 => Ok(so_far),
            1 => Ok(so_far + caller.data_mut().instructions()),
            _ => violation(caller.data_mut(), &format!("ic0_performance_counter: no counter {kind}")),
        }
    });
    define!(linker, "in_replicated_execution", |caller| -> u32 { Ok(u32::from(caller.data().mode.is_replicated())) });
    define!(linker, "debug_print", |caller, src: I, size: I| -> () {
        // Never traps (semantics 1.2): a range outside prints a substitute.
        let line = text(&mut caller, src.wide(), size.wide(), "(debug_print message out of memory bounds)")?;
        caller.data_mut().print(line);
        Ok(())
    });
    define!(linker, "trap", |caller, src: I, size: I| -> () {
        let text = text(&mut caller, src.wide(), size.wide(), "(trap message out of memory bounds)")?;
        trap(caller.data_mut(), 503, format!("Canister called `ic0.trap` with message: '{text}'"))
    });
    define!(linker, "cycles_burn128", |caller, hi: u64, lo: u64, dst: I| -> () {
        let host = caller.data_mut();
        let burned = host.balance().min(high(hi) | Cycles::from(lo));
        host.burned += burned;
        save(&mut caller, dst.wide(), &burned.to_le_bytes(), "cycles_burn128")
    });
    define!(linker, "mint_cycles128", |caller, _hi: u64, _lo: u64, _dst: I| -> () {
        violation(caller.data_mut(), "ic0.mint_cycles cannot be executed on non Cycles Minting Canister")
    });
    Ok(())
}

/// The beginning of a text, or the substitute for one that lies outside of the heap.
fn text(caller: &mut Caller<'_, Host>, src: u64, size: u64, outside: &str) -> Result<String> {
    charge(caller, size.min(TEXT_MAX as u64))?;
    let Some(memory) = caller.data().parts.heap else { return Ok(outside.to_string()) };
    let range = src.checked_add(size).and_then(|end| memory.data(&*caller).get(src as usize..end as usize));
    Ok(range.map_or_else(
        || outside.to_string(),
        |bytes| String::from_utf8_lossy(&bytes[..bytes.len().min(TEXT_MAX)]).into_owned(),
    ))
}
