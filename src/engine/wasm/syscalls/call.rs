//! Calls to other canisters, built up piece by piece and sent when the execution returns.

use std::sync::Arc;

use candid::Principal;
use wasmtime::{Caller, Linker, WasmBacktrace};

use crate::kernel::guest::{Frame, Outgoing};
use crate::kernel::{Cycles, Function};

use super::super::host::Host;
use super::{Address, Result, enter, high, hold, load, violation};

/// Largest payload of a call: 10 MiB (semantics 1.2, `call_data_append`).
const CALL_MAX: usize = 10 * 1024 * 1024;
/// Longest method name of a call.
const NAME_MAX: u64 = 20_000;

/// Defines these functions.
pub(super) fn link<I: Address>(linker: &mut Linker<Host>) -> Result<()> {
    define!(linker, "call_new", |caller,
                                 callee: I,
                                 callee_size: I,
                                 name: I,
                                 name_size: I,
                                 reply: I,
                                 reply_env: I,
                                 reject: I,
                                 reject_env: I|
     -> () {
        hold(caller.data_mut(), size_of::<Outgoing>() as u64 + name_size.wide().min(NAME_MAX))?;
        if callee_size.wide() > 29 {
            return violation(caller.data_mut(), "Canister provided invalid principal id");
        }
        if name_size.wide() > NAME_MAX {
            return violation(caller.data_mut(), &format!("ic0.call_new: the method name exceeds {NAME_MAX} bytes"));
        }
        let callee = load(&mut caller, callee.wide(), callee_size.wide(), "call_new")?;
        let method = load(&mut caller, name.wide(), name_size.wide(), "call_new")?;
        caller.data_mut().call = Some(Outgoing {
            callee: Principal::from_slice(&callee),
            method: String::from_utf8_lossy(&method).into_owned(),
            arg: Vec::new(),
            cycles: 0,
            timeout_s: None,
            on_reply: Function { index: reply.wide(), env: reply_env.wide() },
            on_reject: Function { index: reject.wide(), env: reject_env.wide() },
            on_cleanup: None,
            stack: None,
        });
        Ok(())
    });
    define!(linker, "call_on_cleanup", |caller, index: I, env: I| -> () {
        let host = caller.data_mut();
        match &mut host.call {
            None => violation(host, "ic0.call_on_cleanup: no call under construction"),
            Some(call) if call.on_cleanup.is_some() => violation(host, "ic0.call_on_cleanup: called twice"),
            Some(call) => {
                call.on_cleanup = Some(Function { index: index.wide(), env: env.wide() });
                Ok(())
            }
        }
    });
    define!(linker, "call_data_append", |caller, src: I, size: I| -> () {
        if caller.data().call.is_none() {
            return violation(caller.data_mut(), "ic0.call_data_append: no call under construction");
        }
        let so_far = caller.data().call.as_ref().map_or(0, |call| call.method.len() + call.arg.len());
        if (so_far as u64).saturating_add(size.wide()) > CALL_MAX as u64 {
            let what = format!("ic0.call_data_append: the payload exceeds {CALL_MAX} bytes");
            return violation(caller.data_mut(), &what);
        }
        hold(caller.data_mut(), size.wide())?;
        let bytes = load(&mut caller, src.wide(), size.wide(), "call_data_append")?;
        if let Some(call) = &mut caller.data_mut().call {
            call.arg.extend_from_slice(&bytes);
        }
        Ok(())
    });
    define!(linker, "call_with_best_effort_response", |caller, timeout_s: u32| -> () {
        let host = caller.data_mut();
        match &mut host.call {
            None => violation(host, "ic0.call_with_best_effort_response: no call under construction"),
            Some(call) if call.timeout_s.is_some() => {
                violation(host, "ic0.call_with_best_effort_response: called twice")
            }
            Some(call) => {
                call.timeout_s = Some(timeout_s);
                Ok(())
            }
        }
    });
    define!(linker, "call_cycles_add128", |caller, hi: u64, lo: u64| -> () {
        add_cycles(caller.data_mut(), high(hi) | Cycles::from(lo), "call_cycles_add128")
    });
    define!(linker, "call_cycles_add", |caller, cycles: u64| -> () {
        add_cycles(caller.data_mut(), Cycles::from(cycles), "call_cycles_add")
    });
    define!(linker, "call_perform", |caller| -> u32 {
        let stack = caller.data().traces.then(|| running(&WasmBacktrace::force_capture(&caller)));
        let host = caller.data_mut();
        let Some(mut call) = host.call.take() else {
            return violation(host, "ic0.call_perform: no call under construction");
        };
        call.stack = stack;
        if !host.performs(call.callee) {
            return Ok(2);
        }
        host.requests.push(call);
        Ok(0)
    });
    Ok(())
}

/// The functions that are running, innermost first.
fn running(stack: &WasmBacktrace) -> Arc<[Frame]> {
    let frame = |frame: &wasmtime::FrameInfo| {
        Some(Frame { function: frame.func_index(), offset: frame.module_offset()? as u64 })
    };
    stack.frames().iter().filter_map(frame).collect()
}

fn add_cycles(host: &mut Host, cycles: Cycles, name: &str) -> Result<()> {
    if host.call.is_none() {
        return violation(host, &format!("ic0.{name}: no call under construction"));
    }
    if cycles > 0 && cycles > host.balance() {
        let id = host.own_id();
        return violation(host, &format!("Canister {id} is out of cycles"));
    }
    if let Some(call) = &mut host.call {
        call.cycles += cycles;
    }
    Ok(())
}
