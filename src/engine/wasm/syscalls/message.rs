//! The message at hand: argument, caller, reject, reply, cycles that came with it.

use wasmtime::{Caller, Linker};

use crate::kernel::{Cycles, Response};

use super::super::host::{Host, QUERY_REPLY_MAX, REPLY_MAX};
use super::{Address, Result, copy_out, enter, high, load, narrow_cycles, save, violation};

/// Defines these functions.
pub(super) fn link<I: Address>(linker: &mut Linker<Host>) -> Result<()> {
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
    define!(linker, "msg_method_name_size", |caller| -> I { Ok(I::narrow(caller.data().method.len() as u64)) });
    define!(linker, "msg_method_name_copy", |caller, dst: I, offset: I, size: I| -> () {
        let name = caller.data().method.clone();
        copy_out(&mut caller, name.as_bytes(), dst.wide(), offset.wide(), size.wide(), "msg_method_name_copy")
    });
    define!(linker, "accept_message", |caller| -> () {
        let host = caller.data_mut();
        if host.response.is_some() {
            return violation(host, "ic0.accept_message: the function was already called.");
        }
        host.response = Some(Response::Reply(std::sync::Arc::default()));
        Ok(())
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
            return violation(caller.data_mut(), "ic0.msg_reply_data_append: the call is already replied.");
        }
        let host = caller.data_mut();
        let most = if host.mode.is_replicated() { REPLY_MAX } else { QUERY_REPLY_MAX };
        if (host.reply.len() as u64).saturating_add(size.wide()) > most as u64 {
            return violation(host, &format!("ic0.msg_reply_data_append: the reply exceeds {most} bytes"));
        }
        let bytes = load(&mut caller, src.wide(), size.wide(), "msg_reply_data_append")?;
        caller.data_mut().reply.extend_from_slice(&bytes);
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
        if size.wide() > REPLY_MAX as u64 {
            let what = format!("ic0.msg_reject: the text exceeds {REPLY_MAX} bytes");
            return violation(caller.data_mut(), &what);
        }
        let bytes = load(&mut caller, src.wide(), size.wide(), "msg_reject")?;
        let host = caller.data_mut();
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
