//! The canister itself, its settings, its subnet, the clock; printing and trapping.

use candid::Principal;
use wasmtime::{Caller, Linker};

use crate::kernel::Cycles;

use super::super::host::{Host, REPLY_MAX};
use super::super::ic0::Mode;
use super::{Address, Result, allow, copy_out, executed, high, load, memory, narrow_cycles, save, trap, violation};

/// Cost of making a call, in cycles: prices are not modelled (semantics 5).
const COST_CALL: Cycles = 0;
/// Id of the subnet that all canisters live on: any fixed one will do.
const SUBNET: [u8; 29] = *b"canloom's one and only subnet";

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
    define!(linker, "data_certificate_present", |caller| -> u32 { Ok(0) });
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
    define!(linker, "in_replicated_execution", |caller| -> u32 {
        Ok(u32::from(!matches!(caller.data().mode, Mode::Query | Mode::Transform | Mode::Inspect)))
    });
    define!(linker, "cost_call", |caller, _name: u64, _payload: u64, dst: I| -> () {
        save(&mut caller, dst.wide(), &COST_CALL.to_le_bytes(), "cost_call")
    });
    link_environment::<I>(linker)?;
    define!(linker, "debug_print", |caller, src: I, size: I| -> () {
        // Never traps (semantics 1.2): a range outside prints a substitute.
        let memory = memory(&mut caller)?;
        let (src, size) = (src.wide(), size.wide());
        let range = src.checked_add(size).and_then(|end| memory.data(&caller).get(src as usize..end as usize));
        let line = range.map_or("(debug_print message out of memory bounds)".into(), |bytes| {
            String::from_utf8_lossy(&bytes[..bytes.len().min(REPLY_MAX)]).into_owned()
        });
        caller.data_mut().log.push(line);
        Ok(())
    });
    define!(linker, "trap", |caller, src: I, size: I| -> () {
        let memory = memory(&mut caller)?;
        let (src, size) = (src.wide(), size.wide());
        let range = src.checked_add(size).and_then(|end| memory.data(&caller).get(src as usize..end as usize));
        let text = range.map_or("(trap message out of memory bounds)".into(), |bytes| {
            String::from_utf8_lossy(&bytes[..bytes.len().min(32 * 1024)]).into_owned()
        });
        trap(caller.data_mut(), 503, format!("Canister called `ic0.trap` with message: '{text}'"))
    });
    Ok(())
}

/// What a canister may ask of its subnet and its settings: fixed here, since no step changes it.
fn link_environment<I: Address>(linker: &mut Linker<Host>) -> Result<()> {
    define!(linker, "subnet_self_size", |caller| -> I { Ok(I::narrow(SUBNET.len() as u64)) });
    define!(linker, "subnet_self_copy", |caller, dst: I, offset: I, size: I| -> () {
        copy_out(&mut caller, &SUBNET, dst.wide(), offset.wide(), size.wide(), "subnet_self_copy")
    });
    define!(linker, "subnet_self_node_count", |caller| -> u32 { Ok(13) });
    define!(linker, "is_controller", |caller, src: I, size: I| -> u32 {
        if size.wide() > 29 {
            return violation(caller.data_mut(), "ic0_is_controller: invalid principal");
        }
        let id = Principal::from_slice(&load(&mut caller, src.wide(), size.wide(), "is_controller")?);
        Ok(u32::from(caller.data_mut().is_controlled_by(id)))
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
    define!(linker, "data_certificate_size", |caller| -> I {
        violation(caller.data_mut(), "ic0_data_certificate_size: no data certificate is present")
    });
    define!(linker, "data_certificate_copy", |caller, _dst: I, _offset: I, _size: I| -> () {
        violation(caller.data_mut(), "ic0_data_certificate_copy: no data certificate is present")
    });
    define!(linker, "cost_create_canister", |caller, dst: I| -> () {
        save(&mut caller, dst.wide(), &COST_CALL.to_le_bytes(), "cost_create_canister")
    });
    define!(linker, "cost_http_request", |caller, _request: u64, _response: u64, dst: I| -> () {
        save(&mut caller, dst.wide(), &COST_CALL.to_le_bytes(), "cost_http_request")
    });
    define!(linker, "env_var_count", |caller| -> I { Ok(I::narrow(0)) });
    define!(linker, "env_var_name_size", |caller, index: I| -> I {
        violation(caller.data_mut(), &format!("ic0_env_var_name_size: no variable {}", index.wide()))
    });
    define!(linker, "env_var_name_copy", |caller, index: I, _dst: I, _offset: I, _size: I| -> () {
        violation(caller.data_mut(), &format!("ic0_env_var_name_copy: no variable {}", index.wide()))
    });
    define!(linker, "env_var_name_exists", |caller, src: I, size: I| -> u32 {
        load(&mut caller, src.wide(), size.wide(), "env_var_name_exists")?;
        Ok(0)
    });
    define!(linker, "env_var_value_size", |caller, src: I, size: I| -> I {
        load(&mut caller, src.wide(), size.wide(), "env_var_value_size")?;
        violation(caller.data_mut(), "ic0_env_var_value_size: no such variable")
    });
    define!(linker, "env_var_value_copy", |caller, src: I, size: I, _dst: I, _offset: I, _most: I| -> () {
        load(&mut caller, src.wide(), size.wide(), "env_var_value_copy")?;
        violation(caller.data_mut(), "ic0_env_var_value_copy: no such variable")
    });
    Ok(())
}
