//! The system calls that make a call. Every call is sent if the message returns, but the one that is to fail.

use wasmtime::{Linker, Result};

use super::ic0::{CALLING, Call, Run, read, violation};
use super::message::Outgoing;

const WAIT_MAX_S: u64 = 300;

/// Defines them.
pub fn link(l: &mut Linker<Run>) -> Result<()> {
    l.func_wrap("ic0", "call_new", call_new)?;
    l.func_wrap("ic0", "call_data_append", |mut c: Call<'_>, src: u32, size: u32| -> Result<()> {
        let bytes = read(&mut c, src, size)?;
        c.data_mut().call("call_data_append")?.arg.extend(bytes);
        Ok(())
    })?;
    l.func_wrap("ic0", "call_on_cleanup", |mut c: Call<'_>, function: u32, env: u32| -> Result<()> {
        let call = c.data_mut().call("call_on_cleanup")?;
        match call.on_cleanup.replace((function, env)) {
            None => Ok(()),
            Some(_) => Err(violation("ic0.call_on_cleanup can be called at most once").into()),
        }
    })?;
    l.func_wrap("ic0", "call_with_best_effort_response", |mut c: Call<'_>, timeout_s: u32| -> Result<()> {
        let now_ns = c.data().message().around.now_ns;
        let now_ns = now_ns - now_ns % 1_000_000_000;
        let call = c.data_mut().call("call_with_best_effort_response")?;
        let wait_ns = u64::from(timeout_s).min(WAIT_MAX_S) * 1_000_000_000;
        match call.deadline_ns.replace(now_ns + wait_ns) {
            None => Ok(()),
            Some(_) => Err(violation("a timeout has already been set").into()),
        }
    })?;
    l.func_wrap("ic0", "call_perform", |mut c: Call<'_>| -> Result<u32> {
        c.data_mut().call("call_perform")?;
        let call = c.data_mut().building.take();
        c.data_mut().performs += 1;
        if c.data().performs == c.data().message().perform_fails {
            return Ok(2);
        }
        c.data_mut().requests.extend(call);
        Ok(0)
    })?;
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "the IC's signature")]
fn call_new(
    mut c: Call<'_>,
    callee: u32,
    callee_size: u32,
    name: u32,
    name_size: u32,
    reply_function: u32,
    reply_env: u32,
    reject_function: u32,
    reject_env: u32,
) -> Result<()> {
    c.data().check("call_new", CALLING)?;
    if callee_size > 29 {
        return Err(violation("Canister provided invalid principal id").into());
    }
    let callee = read(&mut c, callee, callee_size)?;
    let name = read(&mut c, name, name_size)?;
    c.data_mut().building = Some(Outgoing {
        callee,
        method: String::from_utf8_lossy(&name).into_owned(),
        arg: Vec::new(),
        cycles: 0,
        on_reply: (reply_function, reply_env),
        on_reject: (reject_function, reject_env),
        on_cleanup: None,
        deadline_ns: None,
    });
    Ok(())
}
