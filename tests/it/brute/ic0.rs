//! The system calls that ic-cdk 0.20 canisters and puppets make (docs/semantics.md), for one message.
//!
//! In: what code asks. Out: what it answered, requested, accepted and wrote to stable memory, in [`Run`]. Calls
//! fail synchronously only where the message says so. What is neither here nor in `ic0_call.rs` or `ic0_system.rs` traps.

use std::rc::Rc;

use candid::Principal;
use wasmtime::{Caller, Linker, Memory, Result, Trap};

use super::host::State;
use super::message::{Answer, Message, Mode, Outgoing, Stop};

pub const ALL: &[Mode] = &[
    Mode::Init,
    Mode::PreUpgrade,
    Mode::Inspect,
    Mode::Timer,
    Mode::Heartbeat,
    Mode::Update,
    Mode::ReplicatedQuery,
    Mode::Query,
    Mode::Reply,
    Mode::Reject,
    Mode::Cleanup,
];
const ANSWERING: &[Mode] = &[Mode::Update, Mode::ReplicatedQuery, Mode::Query, Mode::Reply, Mode::Reject];
const ARGUED: &[Mode] = &[Mode::Init, Mode::Inspect, Mode::Update, Mode::ReplicatedQuery, Mode::Query, Mode::Reply];
pub const FUNDED: &[Mode] = &[Mode::Update, Mode::ReplicatedQuery, Mode::Reply, Mode::Reject];
pub const REFUNDED: &[Mode] = &[Mode::Reply, Mode::Reject];
pub const CALLING: &[Mode] = &[Mode::Timer, Mode::Heartbeat, Mode::Update, Mode::Reply, Mode::Reject];
/// Where the canister is changed beside its memory; cleanup may do part of it.
pub const CHANGING: &[Mode] =
    &[Mode::Init, Mode::PreUpgrade, Mode::Timer, Mode::Heartbeat, Mode::Update, Mode::Reply, Mode::Reject];
const ENDED: &[Mode] = &[Mode::Reply, Mode::Reject, Mode::Cleanup];
const REJECTED: &[Mode] = &[Mode::Reject];
const INSPECTING: &[Mode] = &[Mode::Inspect];

/// One message while it runs.
pub struct Run {
    pub memory: Option<Memory>,
    pub stable: Rc<Vec<u8>>,
    pub answer: Option<Answer>,
    pub requests: Vec<Outgoing>,
    message: Option<Message>,
    id: Vec<u8>,
    pub controllers: Vec<Principal>,
    reply: Vec<u8>,
    pub building: Option<Outgoing>,
    pub accepted: u128,
    pub burned: u128,
    /// How often `call_perform` was called.
    pub performs: usize,
    pub timer_ns: Option<u64>,
    pub certified: Option<Rc<Vec<u8>>>,
    pub is_let_in: bool,
}

impl Run {
    pub fn new(id: Principal, controllers: &[Principal], state: &State, message: Message) -> Self {
        Self {
            stable: Rc::clone(&state.stable),
            message: Some(message),
            id: id.as_slice().to_vec(),
            controllers: controllers.to_vec(),
            ..Self::idle()
        }
    }

    /// No message at all.
    pub fn idle() -> Self {
        Self {
            memory: None,
            stable: Rc::default(),
            answer: None,
            requests: Vec::new(),
            message: None,
            id: Vec::new(),
            controllers: Vec::new(),
            reply: Vec::new(),
            building: None,
            accepted: 0,
            burned: 0,
            performs: 0,
            timer_ns: None,
            certified: None,
            is_let_in: false,
        }
    }

    pub fn message(&self) -> &Message {
        self.message.as_ref().expect("a message runs")
    }

    pub fn check(&self, name: &str, modes: &[Mode]) -> Result<()> {
        let mode = self.message().mode;
        if modes.contains(&mode) {
            return Ok(());
        }
        let mode = match mode {
            Mode::Init => "init",
            Mode::PreUpgrade => "pre upgrade",
            Mode::Inspect => "inspect message",
            Mode::Timer => "global timer",
            Mode::Heartbeat => "heartbeat",
            Mode::Update => "update",
            Mode::ReplicatedQuery => "replicated query",
            Mode::Query => "non replicated query",
            Mode::Reply => "reply callback",
            Mode::Reject => "reject callback",
            Mode::Cleanup => "cleanup",
        };
        let text = format!("\"ic0_{name}\" cannot be executed in {mode} mode");
        Err(violation(&text).into())
    }

    pub fn call(&mut self, name: &str) -> Result<&mut Outgoing> {
        self.check(name, CALLING)?;
        let none = || violation(&format!("ic0.{name} called when no call is under construction"));
        Ok(self.building.as_mut().ok_or_else(none)?)
    }

    pub fn id(&self) -> &[u8] {
        &self.id
    }

    /// Cycles of the canister as they are now: those attached to a call are gone at once.
    pub fn balance(&self) -> u128 {
        let attached: u128 = self.requests.iter().chain(&self.building).map(|call| call.cycles).sum();
        self.message().cycles.balance + self.accepted - attached - self.burned
    }

    /// Cycles that can still be accepted: none in a message after the one that answers.
    pub fn available(&self) -> u128 {
        match self.message().is_responded {
            true => 0,
            false => self.message().cycles.available - self.accepted,
        }
    }

    fn answer(&mut self, name: &str, answer: Answer) -> Result<()> {
        if self.message().is_responded || self.answer.is_some() {
            let text = format!("ic0.{name}: the call is already replied");
            return Err(violation(&text).into());
        }
        self.answer = Some(answer);
        Ok(())
    }
}

/// A breach of the contract with the system.
pub fn violation(text: &str) -> Stop {
    Stop::new(504, &format!("Canister violated contract: {text}"))
}

/// The IC's words for a trap of the wasm itself.
pub fn trap_text(trap: Trap) -> String {
    let text = match trap {
        Trap::UnreachableCodeReached => "unreachable",
        Trap::MemoryOutOfBounds => "heap out of bounds",
        Trap::TableOutOfBounds => "table out of bounds",
        Trap::IntegerDivisionByZero => "integer division by 0",
        Trap::StackOverflow => "stack overflow",
        other => return other.to_string(),
    };
    String::from(text)
}

pub type Call<'a> = Caller<'a, Run>;

pub fn read(c: &mut Call<'_>, src: u32, size: u32) -> Result<Vec<u8>> {
    let memory = c.data().memory.expect("the memory is known");
    let range = src as usize..src as usize + size as usize;
    let bytes = memory.data(&*c).get(range).map(<[u8]>::to_vec);
    Ok(bytes.ok_or_else(|| violation("heap out of bounds"))?)
}

pub fn write(c: &mut Call<'_>, dst: u32, bytes: &[u8]) -> Result<()> {
    let memory = c.data().memory.expect("the memory is known");
    let written = memory.write(&mut *c, dst as usize, bytes);
    Ok(written.map_err(|_| violation("heap out of bounds"))?)
}

pub fn write_u128(c: &mut Call<'_>, dst: u32, value: u128) -> Result<()> {
    write(c, dst, &value.to_le_bytes())
}

/// Defines everything.
pub fn link(l: &mut Linker<Run>) -> Result<()> {
    link_message(l)?;
    link_answer(l)?;
    super::ic0_call::link(l)?;
    super::ic0_system::link(l)
}

/// Defines the pair of functions that hand some bytes to the code.
fn link_bytes(l: &mut Linker<Run>, name: &'static str, modes: &'static [Mode], get: fn(&Run) -> &[u8]) -> Result<()> {
    let [size_of, copy_of] = [format!("{name}_size"), format!("{name}_copy")];
    l.func_wrap("ic0", &size_of, move |c: Call<'_>| -> Result<u32> {
        c.data().check(&format!("{name}_size"), modes)?;
        Ok(get(c.data()).len() as u32)
    })?;
    l.func_wrap("ic0", &copy_of, move |mut c: Call<'_>, dst: u32, offset: u32, size: u32| -> Result<()> {
        c.data().check(&format!("{name}_copy"), modes)?;
        let range = offset as usize..offset as usize + size as usize;
        let bytes = get(c.data()).get(range).map(<[u8]>::to_vec);
        let bytes = bytes.ok_or_else(|| violation("payload out of bounds"))?;
        write(&mut c, dst, &bytes)
    })?;
    Ok(())
}

fn link_message(l: &mut Linker<Run>) -> Result<()> {
    link_bytes(l, "msg_arg_data", ARGUED, |run| &run.message().arg)?;
    link_bytes(l, "msg_caller", ALL, |run| run.message().caller.as_slice())?;
    link_bytes(l, "msg_caller_info_data", ANSWERING, |_| &[])?;
    link_bytes(l, "msg_caller_info_signer", ANSWERING, |_| &[])?;
    link_bytes(l, "msg_reject_msg", REJECTED, |run| run.message().reject_text.as_bytes())?;
    link_bytes(l, "canister_self", ALL, |run| &run.id)?;
    l.func_wrap("ic0", "msg_reject_code", |c: Call<'_>| -> Result<u32> {
        c.data().check("msg_reject_code", ENDED)?;
        Ok(c.data().message().reject_code)
    })?;
    link_bytes(l, "msg_method_name", INSPECTING, |run| run.message().method.as_bytes())?;
    l.func_wrap("ic0", "accept_message", |mut c: Call<'_>| -> Result<()> {
        c.data().check("accept_message", INSPECTING)?;
        match std::mem::replace(&mut c.data_mut().is_let_in, true) {
            false => Ok(()),
            true => Err(violation("ic0.accept_message: the message is accepted already").into()),
        }
    })?;
    l.func_wrap("ic0", "msg_deadline", |c: Call<'_>| -> Result<u64> {
        c.data().check("msg_deadline", ANSWERING)?;
        Ok(c.data().message().deadline_ns)
    })?;
    Ok(())
}

fn link_answer(l: &mut Linker<Run>) -> Result<()> {
    l.func_wrap("ic0", "msg_reply_data_append", |mut c: Call<'_>, src: u32, size: u32| -> Result<()> {
        c.data().check("msg_reply_data_append", ANSWERING)?;
        let bytes = read(&mut c, src, size)?;
        if c.data().message().is_responded || c.data().answer.is_some() {
            return Err(violation("ic0.msg_reply_data_append: already replied").into());
        }
        c.data_mut().reply.extend(bytes);
        Ok(())
    })?;
    l.func_wrap("ic0", "msg_reply", |mut c: Call<'_>| -> Result<()> {
        c.data().check("msg_reply", ANSWERING)?;
        let reply = std::mem::take(&mut c.data_mut().reply);
        c.data_mut().answer("msg_reply", Answer::Reply(reply))
    })?;
    l.func_wrap("ic0", "msg_reject", |mut c: Call<'_>, src: u32, size: u32| -> Result<()> {
        c.data().check("msg_reject", ANSWERING)?;
        let text = String::from_utf8(read(&mut c, src, size)?);
        let text = text.map_err(|_| violation("ic0.msg_reject: invalid UTF-8"))?;
        c.data_mut().answer("msg_reject", Answer::Reject(text))
    })?;
    Ok(())
}
