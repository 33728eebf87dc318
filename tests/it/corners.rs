//! The corners in docs/semantics.md, played by puppets: what a test is about stands in its programs.
//!
//! Test names bear the number of the corner. `c0` is what a test is about, `c1` is whom it calls. Corners that need
//! wasm of their own are in `semantics`.

mod answers;
mod callbacks;
mod cycles;
mod modes;
mod time;
mod versions;

use canloom::scenario::{CallState, Reply};

use super::play::Play;
use super::puppet::{Call, Program};
use super::stage::id;

/// A call of c1 that it answers with an empty reply.
fn to_c1() -> Call {
    Call::run(id(1), Program::new().reply())
}

/// Text of an error of `c0`, as an ingress caller gets it.
fn error(code: u16, text: &str) -> String {
    format!("reject {}: IC0{code}: Error from Canister {}: {text}", code / 100, id(0))
}

/// Text of a trap of `c0` with a text of its own.
fn trapped(text: &str) -> String {
    error(503, &format!("Canister called `ic0.trap` with message: '{text}'"))
}

/// Text of a breach of the contract by `c0`.
fn violated(text: &str) -> String {
    error(504, &format!("Canister violated contract: {text}"))
}

fn no_reply() -> String {
    format!("reject 5: IC0506: Canister {} did not reply to the call", id(0))
}

/// How a call was answered: `reply` and its bytes as text, or as [`Play::answer`] says.
fn bytes_of(play: &mut Play, call: usize) -> String {
    match &play.engine.calls(&play.world)[call].state {
        CallState::Done(reply) => match reply.as_ref() {
            Reply::Replied(_, bytes) => format!("reply {}", String::from_utf8_lossy(bytes)),
            Reply::Rejected { .. } => play.answer(call),
        },
        _ => play.answer(call),
    }
}

/// Always makes the step that comes first, until none is left.
fn to_the_end(play: &mut Play) {
    while let Some(first) = play.possible().split_whitespace().next().map(str::to_string) {
        play.steps(&first);
    }
}
