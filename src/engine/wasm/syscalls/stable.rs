//! Stable memory, through the 64-bit and the older 32-bit functions.

use wasmtime::{Caller, Linker};

use super::super::host::Host;
use super::{Result, charge, enter, hold, memory, save, trap, violation};

/// Bytes moved at a time: a range may be as large as the heap.
const CHUNK: u64 = 64 * 1024;

/// Defines these functions.
pub(super) fn link(linker: &mut Linker<Host>) -> Result<()> {
    define!(linker, "stable64_size", |caller| -> u64 { Ok(caller.data().stable.pages()) });
    define!(linker, "stable64_grow", |caller, more: u64| -> u64 {
        Ok(caller.data_mut().stable.grow(more).unwrap_or(u64::MAX))
    });
    define!(linker, "stable64_read", |caller, dst: u64, offset: u64, size: u64| -> () {
        stable_read(&mut caller, dst, offset, size)
    });
    define!(linker, "stable64_write", |caller, offset: u64, src: u64, size: u64| -> () {
        stable_write(&mut caller, offset, src, size)
    });
    define!(linker, "stable_size", |caller| -> u32 {
        let pages = caller.data().stable.pages();
        if pages > 65_536 {
            return violation(caller.data_mut(), "32-bit stable memory API used on stable memory above 4 GiB");
        }
        Ok(pages as u32)
    });
    define!(linker, "stable_grow", |caller, more: u32| -> u32 {
        let stable = &mut caller.data_mut().stable;
        if stable.pages() + u64::from(more) > 65_536 {
            return Ok(u32::MAX);
        }
        Ok(stable.grow(u64::from(more)).map_or(u32::MAX, |old| old as u32))
    });
    define!(linker, "stable_read", |caller, dst: u32, offset: u32, size: u32| -> () {
        stable_read(&mut caller, dst.into(), offset.into(), size.into())
    });
    define!(linker, "stable_write", |caller, offset: u32, src: u32, size: u32| -> () {
        stable_write(&mut caller, offset.into(), src.into(), size.into())
    });
    Ok(())
}

fn stable_read(caller: &mut Caller<'_, Host>, dst: u64, offset: u64, size: u64) -> Result<()> {
    check(caller, dst, offset, size, "stable_read")?;
    let mut bytes = vec![0; size.min(CHUNK) as usize];
    for done in (0..size).step_by(CHUNK as usize) {
        let chunk = &mut bytes[..(size - done).min(CHUNK) as usize];
        caller.data().stable.read(offset + done, chunk);
        save(caller, dst + done, chunk, "stable_read")?;
    }
    Ok(())
}

fn stable_write(caller: &mut Caller<'_, Host>, offset: u64, src: u64, size: u64) -> Result<()> {
    check(caller, src, offset, size, "stable_write")?;
    let memory = memory(caller)?;
    let mut bytes = vec![0; size.min(CHUNK) as usize];
    for done in (0..size).step_by(CHUNK as usize) {
        let start = (src + done) as usize;
        let chunk = &mut bytes[..(size - done).min(CHUNK) as usize];
        chunk.copy_from_slice(&memory.data(&*caller)[start..start + chunk.len()]);
        let host = caller.data_mut();
        hold(host, host.stable.cost(offset + done, chunk.len()))?;
        host.stable.write(offset + done, chunk);
    }
    Ok(())
}

/// Traps unless both ranges are inside, and charges the bytes.
fn check(caller: &mut Caller<'_, Host>, heap: u64, offset: u64, size: u64, name: &str) -> Result<()> {
    charge(caller, size)?;
    if !caller.data().stable.holds(offset, size) {
        return trap(caller.data_mut(), 502, "Canister trapped: stable memory out of bounds".to_string());
    }
    let memory = memory(caller)?;
    if heap.checked_add(size).is_none_or(|end| end > memory.data_size(&*caller) as u64) {
        let what = format!("ic0_{name}: heap out of bounds (address {heap}, size {size})");
        return violation(caller.data_mut(), &what);
    }
    Ok(())
}
