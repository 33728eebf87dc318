//! A canister that stands at the id of a callee, keeps every call open, and answers it when and as the driver says.
//!
//! In: names of methods; answers. Out: its module; where its calls wait; what is to be sent so that one of them is answered.
//! Left out: what an answer should be.
//!
//! A call, numbered 1, 2, 3, ... as they come, waits for an HTTP outcall to [`url`] of its number, which the driver answers
//! in any order with the body that [`instruction`] gives. An outcall that is rejected, as by a timeout, is made again. One
//! that is answered without an instruction ends its call with a trap. The module needs no argument, but [`PRICE`] cycles for
//! each call that is open. It takes ingress messages as well, and never upgrades: its calls are in the heap.
//!
//! ```text
//! body of an answer     marker, 16 bytes   size of the rest : u32   kind : u8 (0 reply, 1 reject, 2 trap)
//!                       cycles to accept : u128   reply or text
//! query canloom_pending argument: nothing, or a number : u32   reply: the open calls with greater numbers, each
//!                       number : u32   method : u32   caller : u8 and bytes   cycles : u128   argument : u32 and bytes
//! ```
//!
//! All numbers are little endian. The marker is looked for in the whole response, because the order of its parts is the
//! encoder's choice.

use std::fmt::Write as _;

use candid::{CandidType, Encode, Principal};
use serde::Serialize;

use crate::kernel::Cycles;

const CODE: &str = include_str!("stand_in.wat");
/// Where an instruction begins.
const MARKER: &[u8; 16] = b"canloom answers:";
const MARKER_AT: usize = 1072;
/// Bytes kept for the request.
const REQUEST_MAX: usize = 1024;
const URL: &str = "https://canloom.invalid/";
/// Digits of the number in an address.
const DIGITS: usize = 10;
/// Bytes of an instruction behind its size, beside the reply or text.
const HEAD: usize = 17;

/// Cycles that go with each outcall and come back with its answer, but for its cost: about 5e10 on 34 nodes.
pub const PRICE: u64 = 1_000_000_000_000;

/// The query that tells the open calls: see [`pending`].
pub const PENDING: &str = "canloom_pending";

/// A call that waits to be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// One more than [`module`] was given for the first call that came, and so on.
    pub number: u32,
    /// Place of the method among the names given to [`module`].
    pub method: u32,
    /// Who calls.
    pub caller: Principal,
    /// Cycles that can be accepted.
    pub cycles: Cycles,
    /// Argument, as it came.
    pub arg: Vec<u8>,
}

/// How a call ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// With these bytes. An outcall's answer can bear 2,000,000 bytes at most, instruction included.
    Reply(Vec<u8>),
    /// With a reject of code 4 and this text.
    Reject(String),
    /// With a trap of this text, a reject of code 5 for the caller. No cycles are accepted then.
    Trap(String),
}

/// An answer to a call that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// How it ends.
    pub end: End,
    /// Cycles to accept; of more than there are, all.
    pub accept: Cycles,
}

/// The fields of an outcall that need not be null.
#[derive(CandidType)]
struct Request {
    url: String,
    method: Method,
    headers: Vec<Header>,
}

#[derive(CandidType, Serialize)]
enum Method {
    #[serde(rename = "get")]
    Get,
    #[expect(dead_code, reason = "part of the type")]
    #[serde(rename = "head")]
    Head,
    #[expect(dead_code, reason = "part of the type")]
    #[serde(rename = "post")]
    Post,
}

#[derive(CandidType)]
struct Header {
    name: String,
    value: String,
}

/// The module that holds calls of these methods, whichever kind they are: a query could not wait, so all of them are
/// updates. A method of either list has its place in `updates` and then `queries`, a repeated name its first place;
/// [`PENDING`] cannot be held. Calls are numbered above `above`, so that those of several stand-ins ask different addresses.
pub fn module(updates: &[String], queries: &[String], above: u32) -> Vec<u8> {
    let (request, digits) = request();
    let mut text = format!("(module\n{CODE}\n");
    let _ = writeln!(text, "(global $request_size i32 (i32.const {}))", request.len());
    let _ = writeln!(text, "(global $count (mut i32) (i32.const {above}))");
    let _ = writeln!(text, "(global $digits i32 (i32.const {digits}))");
    let _ = writeln!(text, "(global $price i64 (i64.const {PRICE}))");
    let _ = writeln!(text, "(data (i32.const 0) \"{}\")", escaped(&request));
    let _ = writeln!(text, "(data (i32.const {MARKER_AT}) \"{}\")", escaped(MARKER));
    let names: Vec<&String> = updates.iter().chain(queries).collect();
    for (at, name) in names.iter().enumerate() {
        if *name != PENDING && !names[..at].contains(name) {
            let export = escaped(format!("canister_update {name}").as_bytes());
            let _ = writeln!(text, "(func (export \"{export}\") (call $hold (i32.const {at})))");
        }
    }
    text.push(')');
    wat::parse_str(&text).expect("the text is that of a module, whatever the names")
}

/// The address that a call of this number asks.
pub fn url(number: u32) -> String {
    format!("{URL}{number:0DIGITS$}")
}

/// The number of the call that asks this address, if one does.
pub fn number(asked: &str) -> Option<u32> {
    let number = asked.strip_prefix(URL)?.parse().ok()?;
    (url(number) == asked).then_some(number)
}

/// The body of an HTTP response, of status 200 and without headers, that has a call answered like this.
pub fn instruction(answer: &Answer) -> Vec<u8> {
    let (kind, rest) = match &answer.end {
        End::Reply(bytes) => (0, bytes.as_slice()),
        End::Reject(text) => (1, text.as_bytes()),
        End::Trap(text) => (2, text.as_bytes()),
    };
    let size = u32::try_from(HEAD + rest.len()).expect("a message is far shorter than 4 GiB");
    let mut body = Vec::with_capacity(MARKER.len() + 4 + HEAD + rest.len());
    body.extend_from_slice(MARKER);
    body.extend_from_slice(&size.to_le_bytes());
    body.push(kind);
    body.extend_from_slice(&answer.accept.to_le_bytes());
    body.extend_from_slice(rest);
    body
}

/// Argument of [`PENDING`] that asks for the calls with numbers above this one: 0 for all of them.
pub fn above(number: u32) -> Vec<u8> {
    number.to_le_bytes().to_vec()
}

/// The open calls that a reply of [`PENDING`] tells, in the order they came. One reply tells about 2 MB of them: ask for
/// those above the last one until there are none.
///
/// # Errors
///
/// Of bytes that no stand-in replies.
pub fn pending(bytes: &[u8]) -> Result<Vec<Held>, String> {
    let mut rest = Rest(bytes);
    let mut calls = Vec::new();
    while !rest.0.is_empty() {
        let number = rest.number()?;
        let method = rest.number()?;
        let [length] = rest.array()?;
        let caller = Principal::try_from_slice(rest.take(usize::from(length))?);
        let caller = caller.map_err(|error| format!("caller of held call {number}: {error}"))?;
        let cycles = Cycles::from_le_bytes(rest.array()?);
        let length = rest.number()?;
        let arg = rest.take(length as usize)?.to_vec();
        calls.push(Held { number, method, caller, cycles, arg });
    }
    Ok(calls)
}

/// Bytes yet to be read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let Some((taken, rest)) = self.0.split_at_checked(length) else {
            return Err(format!("the list of held calls ends early: {length} bytes wanted, {} left", self.0.len()));
        };
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        Ok(self.take(N)?.try_into().expect("as many were taken"))
    }

    fn number(&mut self) -> Result<u32, String> {
        Ok(u32::from_le_bytes(self.array()?))
    }
}

/// The argument of an outcall, and where in it the digits of the number are.
fn request() -> (Vec<u8>, usize) {
    let url = url(0);
    let request = Request { url: url.clone(), method: Method::Get, headers: Vec::new() };
    let bytes = Encode!(&request).expect("these types can be encoded");
    assert!(bytes.len() <= REQUEST_MAX, "the request fits where it is kept");
    let at = bytes.windows(url.len()).position(|part| part == url.as_bytes()).expect("the address is in it");
    (bytes, at + URL.len())
}

/// Bytes in a string of WAT.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(3 * bytes.len());
    for byte in bytes {
        let _ = write!(text, "\\{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests;
