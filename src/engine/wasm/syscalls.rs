//! The system API: what each `ic0` function does. Semantics section 1.2; contexts are checked against the table in `ic0`.
//!
//! In: calls from wasm. Out: changes of the [`Host`], or a trap. Functions in the table without an entry here stop the
//! exploration with their name, since guessing would make the verdict worthless.

use candid::Principal;
use wasmtime::{Caller, Linker, Memory, Val, WasmTy};

use crate::kernel::guest::{Outgoing, Trap};
use crate::kernel::{Cycles, Function, Response};

use super::host::{Host, QUERY_REPLY_MAX, REPLY_MAX};
use super::ic0::{self, Mode, SYSCALLS};
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

/// Largest payload of a call: 10 MiB (semantics 1.2, `call_data_append`).
const CALL_MAX: usize = 10 * 1024 * 1024;
/// Longest method name of a call.
const NAME_MAX: u64 = 20_000;
/// Cost of making a call, in cycles: prices are not modelled (semantics 5).
const COST_CALL: Cycles = 0;

/// Id of the subnet that all canisters live on: any fixed one will do.
const SUBNET: [u8; 29] = *b"canloom's one and only subnet";

/// Stops the execution with an IC error.
fn trap<T>(host: &mut Host, code: u16, text: String) -> Result<T> {
    host.trap = Some(Trap { code, text });
    Err(wasmtime::Error::msg("stopped by a system function"))
}

/// IC0504: the canister broke the contract of a system function.
fn violation<T>(host: &mut Host, what: &str) -> Result<T> {
    trap(host, 504, format!("Canister violated contract: {what}"))
}

/// Traps unless the function may be called where the execution is.
fn allow(host: &mut Host, name: &'static str) -> Result<()> {
    let syscall = ic0::find(name).expect("bug in canloom: a system function without a row");
    if syscall.modes & host.mode as u16 != 0 {
        return Ok(());
    }
    let mode = host.mode.name();
    violation(host, &format!("\"ic0_{name}\" cannot be executed in {mode} mode"))
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

/// Defines a system function that returns at once if the context forbids it.
macro_rules! define {
    ($linker:ident, $name:literal, |$caller:ident $(, $arg:ident: $ty:ty)*| -> $result:ty $body:block) => {
        $linker.func_wrap("ic0", $name, |mut $caller: Caller<'_, Host> $(, $arg: $ty)*| -> Result<$result> {
            allow($caller.data_mut(), $name)?;
            $body
        })?;
    };
}

/// Defines the system API for memories with addresses of type `I`.
///
/// # Errors
/// None in practice: names and types are fixed.
pub fn link<I: Address>(linker: &mut Linker<Host>) -> Result<()> {
    link_message::<I>(linker)?;
    link_call::<I>(linker)?;
    link_stable(linker)?;
    link_canister::<I>(linker)?;
    link_missing::<I>(linker)
}

fn link_message<I: Address>(linker: &mut Linker<Host>) -> Result<()> {
    define!(linker, "msg_arg_data_size", |caller| -> I { Ok(I::narrow(caller.data().arg.len() as u64)) });
    define!(linker, "msg_arg_data_copy", |caller, dst: I, offset: I, size: I| -> () {
        let arg = caller.data().arg.clone();
        copy_out(&mut caller, &arg, dst.wide(), offset.wide(), size.wide(), "msg_arg_data_copy")
    });
    define!(linker, "msg_caller_size", |caller| -> I {
        Ok(I::narrow(caller.data_mut().caller().as_slice().len() as u64))
    });
    define!(linker, "msg_caller_copy", |caller, dst: I, offset: I, size: I| -> () {
        let id = caller.data_mut().caller();
        copy_out(&mut caller, id.as_slice(), dst.wide(), offset.wide(), size.wide(), "msg_caller_copy")
    });
    define!(linker, "msg_caller_info_data_size", |caller| -> I { Ok(I::narrow(0)) });
    define!(linker, "msg_caller_info_data_copy", |caller, dst: I, offset: I, size: I| -> () {
        copy_out(&mut caller, &[], dst.wide(), offset.wide(), size.wide(), "msg_caller_info_data_copy")
    });
    define!(linker, "msg_caller_info_signer_size", |caller| -> I { Ok(I::narrow(0)) });
    define!(linker, "msg_caller_info_signer_copy", |caller, dst: I, offset: I, size: I| -> () {
        copy_out(&mut caller, &[], dst.wide(), offset.wide(), size.wide(), "msg_caller_info_signer_copy")
    });
    define!(linker, "msg_reject_code", |caller| -> u32 {
        Ok(caller.data().reject.as_ref().map_or(0, |(code, _)| u32::from(*code)))
    });
    define!(linker, "msg_reject_msg_size", |caller| -> I {
        Ok(I::narrow(caller.data().reject.as_ref().map_or(0, |(_, text)| text.len()) as u64))
    });
    define!(linker, "msg_reject_msg_copy", |caller, dst: I, offset: I, size: I| -> () {
        let text = caller.data().reject.clone().map(|(_, text)| text);
        let bytes = text.as_ref().map_or(&[][..], |text| text.as_bytes());
        copy_out(&mut caller, bytes, dst.wide(), offset.wide(), size.wide(), "msg_reject_msg_copy")
    });
    define!(linker, "msg_deadline", |caller| -> u64 { Ok(caller.data_mut().deadline_ns()) });
    define!(linker, "msg_reply_data_append", |caller, src: I, size: I| -> () {
        if caller.data_mut().is_answered() {
            return violation(caller.data_mut(), "ic0.msg_reply_data_append: the call is already replied");
        }
        let bytes = load(&mut caller, src.wide(), size.wide(), "msg_reply_data_append")?;
        let host = caller.data_mut();
        let most = if host.mode == Mode::Query { QUERY_REPLY_MAX } else { REPLY_MAX };
        if host.reply.len() + bytes.len() > most {
            return violation(host, &format!("ic0.msg_reply_data_append: the reply exceeds {most} bytes"));
        }
        host.reply.extend_from_slice(&bytes);
        Ok(())
    });
    define!(linker, "msg_reply", |caller| -> () {
        let host = caller.data_mut();
        if host.is_answered() {
            return violation(host, "ic0.msg_reply: the call is already replied");
        }
        let reply = std::mem::take(&mut host.reply);
        host.response = Some(Response::Reply(reply.into()));
        Ok(())
    });
    define!(linker, "msg_reject", |caller, src: I, size: I| -> () {
        if caller.data_mut().is_answered() {
            return violation(caller.data_mut(), "ic0.msg_reject: the call is already replied");
        }
        let bytes = load(&mut caller, src.wide(), size.wide(), "msg_reject")?;
        let host = caller.data_mut();
        if bytes.len() > REPLY_MAX {
            return violation(host, &format!("ic0.msg_reject: the text exceeds {REPLY_MAX} bytes"));
        }
        match String::from_utf8(bytes) {
            Ok(text) => {
                host.response = Some(Response::Reject { code: 4, text: text.into() });
                Ok(())
            }
            Err(_) => violation(host, "ic0.msg_reject: the text is not UTF-8"),
        }
    });
    define!(linker, "msg_cycles_available128", |caller, dst: I| -> () {
        let cycles = caller.data_mut().available();
        save(&mut caller, dst.wide(), &cycles.to_le_bytes(), "msg_cycles_available128")
    });
    define!(linker, "msg_cycles_available", |caller| -> u64 {
        let cycles = caller.data_mut().available();
        narrow_cycles(caller.data_mut(), cycles, "msg_cycles_available")
    });
    define!(linker, "msg_cycles_refunded128", |caller, dst: I| -> () {
        let cycles = caller.data_mut().refunded();
        save(&mut caller, dst.wide(), &cycles.to_le_bytes(), "msg_cycles_refunded128")
    });
    define!(linker, "msg_cycles_refunded", |caller| -> u64 {
        let cycles = caller.data_mut().refunded();
        narrow_cycles(caller.data_mut(), cycles, "msg_cycles_refunded")
    });
    define!(linker, "msg_cycles_accept128", |caller, hi: u64, lo: u64, dst: I| -> () {
        let accepted = accept(caller.data_mut(), high(hi) | Cycles::from(lo));
        save(&mut caller, dst.wide(), &accepted.to_le_bytes(), "msg_cycles_accept128")
    });
    define!(linker, "msg_cycles_accept", |caller, most: u64| -> u64 {
        Ok(accept(caller.data_mut(), Cycles::from(most)) as u64)
    });
    Ok(())
}

fn accept(host: &mut Host, most: Cycles) -> Cycles {
    let accepted = host.available().min(most);
    host.accepted += accepted;
    accepted
}

fn link_call<I: Address>(linker: &mut Linker<Host>) -> Result<()> {
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
        let bytes = load(&mut caller, src.wide(), size.wide(), "call_data_append")?;
        let host = caller.data_mut();
        let Some(call) = &mut host.call else { unreachable!("bug in canloom: the call was there a moment ago") };
        if call.method.len() + call.arg.len() + bytes.len() > CALL_MAX {
            return violation(host, &format!("ic0.call_data_append: the payload exceeds {CALL_MAX} bytes"));
        }
        call.arg.extend_from_slice(&bytes);
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
        let host = caller.data_mut();
        let Some(call) = host.call.take() else {
            return violation(host, "ic0.call_perform: no call under construction");
        };
        if call.callee == Principal::management_canister() {
            let method = call.method;
            host.unsupported = Some(format!("the management canister (method `{method}`) is not offered yet"));
            return Err(wasmtime::Error::msg("not offered"));
        }
        if !host.fits(call.callee) {
            return Ok(2);
        }
        host.requests.push(call);
        Ok(0)
    });
    Ok(())
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

fn link_stable(linker: &mut Linker<Host>) -> Result<()> {
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
    if !caller.data().stable.holds(offset, size) {
        return trap(caller.data_mut(), 502, "Canister trapped: stable memory out of bounds".to_string());
    }
    let memory = memory(caller)?;
    if dst.checked_add(size).is_none_or(|end| end > memory.data_size(&*caller) as u64) {
        return violation(
            caller.data_mut(),
            &format!("ic0_stable_read: heap out of bounds (address {dst}, size {size})"),
        );
    }
    let mut bytes = vec![0; size as usize];
    caller.data().stable.read(offset, &mut bytes);
    save(caller, dst, &bytes, "stable_read")
}

fn stable_write(caller: &mut Caller<'_, Host>, offset: u64, src: u64, size: u64) -> Result<()> {
    if !caller.data().stable.holds(offset, size) {
        return trap(caller.data_mut(), 502, "Canister trapped: stable memory out of bounds".to_string());
    }
    let bytes = load(caller, src, size, "stable_write")?;
    caller.data_mut().stable.write(offset, &bytes);
    Ok(())
}

fn link_canister<I: Address>(linker: &mut Linker<Host>) -> Result<()> {
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
    define!(linker, "canister_status", |caller| -> u32 { Ok(1) });
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
        Ok(u32::from(!matches!(caller.data().mode, Mode::Query | Mode::Inspect)))
    });
    define!(linker, "cost_call", |caller, _name_size: u64, _payload_size: u64, dst: I| -> () {
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
        Ok(u32::from(caller.data().controllers.contains(&id)))
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
    define!(linker, "env_var_value_copy", |caller, src: I, size: I, _dst: I, _offset: I, _size: I| -> () {
        load(&mut caller, src.wide(), size.wide(), "env_var_value_copy")?;
        violation(caller.data_mut(), "ic0_env_var_value_copy: no such variable")
    });
    Ok(())
}

/// Every other function of the table: known, and not offered yet.
fn link_missing<I: Address>(linker: &mut Linker<Host>) -> Result<()> {
    for syscall in SYSCALLS {
        let ty = syscall.ty::<I>(linker.engine());
        let name = syscall.name;
        // A function defined above stays: its type is the same, its definition is the first.
        let _ = linker.func_new("ic0", name, ty, move |mut caller: Caller<'_, Host>, _: &[Val], _: &mut [Val]| {
            allow(caller.data_mut(), name)?;
            caller.data_mut().unsupported = Some(format!("the system function ic0.{name} is not offered yet"));
            Err(wasmtime::Error::msg("not offered"))
        });
    }
    Ok(())
}

impl ic0::Syscall {
    /// Its type for addresses of type `I`.
    pub fn ty<I: Address>(&self, engine: &wasmtime::Engine) -> wasmtime::FuncType {
        let letter = |letter: char| match letter {
            'I' => I::valtype(),
            'i' => wasmtime::ValType::I32,
            _ => wasmtime::ValType::I64,
        };
        wasmtime::FuncType::new(engine, self.params.chars().map(letter), self.result.chars().map(letter))
    }
}
