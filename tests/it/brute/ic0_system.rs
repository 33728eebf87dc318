//! The system calls about the canister itself: cycles, stable memory, time, its end by a trap.

use std::rc::Rc;

use candid::Principal;
use wasmtime::{Linker, Result};

use super::ic0::{ALL, CHANGING, Call, FUNDED, REFUNDED, Run, read, violation, write, write_u128};
use super::memory::PAGE;
use super::message::{Mode, Stop};

/// What every canister begins with.
pub const BALANCE: u128 = 100_000_000_000_000_000_000;
const OUT_OF_BOUNDS: &str = "stable memory out of bounds";

/// Defines them.
pub fn link(l: &mut Linker<Run>) -> Result<()> {
    link_cycles(l)?;
    link_stable(l)?;
    link_system(l)
}

fn link_cycles(l: &mut Linker<Run>) -> Result<()> {
    for name in ["canister_cycle_balance128", "canister_liquid_cycle_balance128"] {
        l.func_wrap("ic0", name, |mut c: Call<'_>, dst: u32| -> Result<()> {
            let balance = c.data().balance();
            write_u128(&mut c, dst, balance)
        })?;
    }
    l.func_wrap("ic0", "msg_cycles_available128", |mut c: Call<'_>, dst: u32| -> Result<()> {
        c.data().check("msg_cycles_available128", FUNDED)?;
        let available = c.data().available();
        write_u128(&mut c, dst, available)
    })?;
    l.func_wrap("ic0", "msg_cycles_refunded128", |mut c: Call<'_>, dst: u32| -> Result<()> {
        c.data().check("msg_cycles_refunded128", REFUNDED)?;
        let refunded = c.data().message().cycles.refunded;
        write_u128(&mut c, dst, refunded)
    })?;
    l.func_wrap("ic0", "msg_cycles_accept128", |mut c: Call<'_>, high: u64, low: u64, dst: u32| -> Result<()> {
        c.data().check("msg_cycles_accept128", FUNDED)?;
        let accepted = c.data().available().min(wide(high, low));
        c.data_mut().accepted += accepted;
        write_u128(&mut c, dst, accepted)
    })?;
    l.func_wrap("ic0", "cycles_burn128", |mut c: Call<'_>, high: u64, low: u64, dst: u32| -> Result<()> {
        c.data().check("cycles_burn128", &[CHANGING, &[Mode::ReplicatedQuery, Mode::Cleanup]].concat())?;
        let burned = c.data().balance().min(wide(high, low));
        c.data_mut().burned += burned;
        write_u128(&mut c, dst, burned)
    })?;
    l.func_wrap("ic0", "cost_call", |mut c: Call<'_>, _: u64, _: u64, dst: u32| write_u128(&mut c, dst, 0))?;
    l.func_wrap("ic0", "call_cycles_add128", |mut c: Call<'_>, high: u64, low: u64| -> Result<()> {
        let (cycles, balance) = (wide(high, low), c.data().balance());
        c.data_mut().call("call_cycles_add128")?;
        if cycles > balance {
            let id = Principal::from_slice(c.data().id());
            return Err(violation(&format!("Canister {id} is out of cycles")).into());
        }
        c.data_mut().call("call_cycles_add128")?.cycles += cycles;
        Ok(())
    })?;
    Ok(())
}

fn wide(high: u64, low: u64) -> u128 {
    u128::from(high) << 64 | u128::from(low)
}

fn link_stable(l: &mut Linker<Run>) -> Result<()> {
    l.func_wrap("ic0", "stable64_size", |c: Call<'_>| (c.data().stable.len() / PAGE) as u64)?;
    l.func_wrap("ic0", "stable64_grow", |mut c: Call<'_>, pages: u64| {
        let stable = Rc::make_mut(&mut c.data_mut().stable);
        let before = stable.len();
        stable.resize(before + pages as usize * PAGE, 0);
        (before / PAGE) as u64
    })?;
    l.func_wrap("ic0", "stable64_read", |mut c: Call<'_>, dst: u64, offset: u64, size: u64| -> Result<()> {
        let range = offset as usize..(offset + size) as usize;
        let bytes = c.data().stable.get(range).map(<[u8]>::to_vec);
        let bytes = bytes.ok_or_else(|| Stop::new(502, OUT_OF_BOUNDS))?;
        write(&mut c, dst as u32, &bytes)
    })?;
    l.func_wrap("ic0", "stable64_write", |mut c: Call<'_>, offset: u64, src: u64, size: u64| -> Result<()> {
        let bytes = read(&mut c, src as u32, size as u32)?;
        let range = offset as usize..(offset + size) as usize;
        let stable = Rc::make_mut(&mut c.data_mut().stable);
        let target = stable.get_mut(range);
        let target = target.ok_or_else(|| Stop::new(502, OUT_OF_BOUNDS))?;
        target.copy_from_slice(&bytes);
        Ok(())
    })?;
    Ok(())
}

fn link_system(l: &mut Linker<Run>) -> Result<()> {
    l.func_wrap("ic0", "time", |c: Call<'_>| c.data().message().around.now_ns)?;
    l.func_wrap("ic0", "canister_status", |c: Call<'_>| c.data().message().around.status as u32)?;
    l.func_wrap("ic0", "canister_version", |c: Call<'_>| c.data().message().around.version)?;
    l.func_wrap("ic0", "performance_counter", |_: u32| 0_u64)?;
    l.func_wrap("ic0", "global_timer_set", |mut c: Call<'_>, at_ns: u64| -> Result<u64> {
        c.data().check("global_timer_set", &[CHANGING, &[Mode::Cleanup]].concat())?;
        let before = c.data_mut().timer_ns.replace(at_ns);
        Ok(before.unwrap_or(c.data().message().around.timer_ns))
    })?;
    l.func_wrap("ic0", "data_certificate_present", || 0_u32)?;
    l.func_wrap("ic0", "debug_print", |_: u32, _: u32| {})?;
    l.func_wrap("ic0", "in_replicated_execution", |c: Call<'_>| {
        u32::from(![Mode::Query, Mode::Inspect].contains(&c.data().message().mode))
    })?;
    l.func_wrap("ic0", "certified_data_set", |mut c: Call<'_>, src: u32, size: u32| -> Result<()> {
        c.data().check("certified_data_set", CHANGING)?;
        let bytes = read(&mut c, src, size)?;
        if bytes.len() > 32 {
            return Err(violation("certified data has more than 32 bytes").into());
        }
        c.data_mut().certified = Some(Rc::new(bytes));
        Ok(())
    })?;
    l.func_wrap("ic0", "is_controller", |mut c: Call<'_>, src: u32, size: u32| -> Result<u32> {
        let principal = Principal::try_from_slice(&read(&mut c, src, size)?);
        let principal = principal.map_err(|_| violation("invalid principal"))?;
        Ok(c.data().controllers.contains(&principal).into())
    })?;
    l.func_wrap("ic0", "trap", |mut c: Call<'_>, src: u32, size: u32| -> Result<()> {
        c.data().check("trap", ALL)?;
        let text = read(&mut c, src, size);
        let text = text.unwrap_or_else(|_| b"(trap message out of memory bounds)".to_vec());
        let text = String::from_utf8_lossy(&text).into_owned();
        let text = format!("Canister called `ic0.trap` with message: '{text}'");
        Err(Stop::new(503, &text).into())
    })?;
    Ok(())
}
