//! Which built-in a scenario means: installed as a guest, with the methods that it offers.

use std::collections::BTreeMap;

use candid::Principal;

use super::cmc::{self, Cmc};
use super::icp::{self, IcpLedger};
use super::ledger::{self, Ledger};
use super::stub::{Stub, Turns};
use super::xrc::{self, Xrc};
use super::{Builtin, Contract};
use crate::engine::wasm::module::Method;
use crate::kernel::{Guest, MemoryId};
use crate::scenario::{Code, StubAnswer, StubCall};

/// What stands in reports where a module has its hash.
pub fn name(code: &Code) -> &'static str {
    match code {
        Code::Wasm(_) => "wasm",
        Code::Stub(_) => "built-in stub",
        Code::Icrc1Ledger => "built-in icrc1-ledger",
        Code::Icrc2Ledger => "built-in icrc2-ledger",
        Code::IcpLedger => "built-in icp-ledger",
        Code::Cmc => "built-in cmc",
        Code::Xrc => "built-in xrc",
    }
}

/// A built-in in its first state, from its Candid `init`; `ids` are those of the scenario's canisters, in file order.
///
/// # Errors
/// What is wrong with `init`.
///
/// # Panics
/// If the code is wasm.
pub fn install(code: &Code, init: &[u8], ids: &[Principal]) -> Result<(Box<dyn Guest>, MemoryId), String> {
    match code {
        Code::Wasm(_) => panic!("bug in canloom: wasm is no built-in"),
        Code::Stub(replies) => Ok(guest((Stub::new(replies.clone(), ids.to_vec()), Turns::new()))),
        Code::Icrc1Ledger => Ledger::install(init, false).map(guest),
        Code::Icrc2Ledger => Ledger::install(init, true).map(guest),
        Code::IcpLedger => IcpLedger::install(init).map(guest),
        Code::Cmc => Cmc::install(init).map(guest),
        Code::Xrc => Xrc::install(init).map(guest),
    }
}

fn guest<C: Contract + 'static>((contract, first): (C, C::State)) -> (Box<dyn Guest>, MemoryId) {
    (Box::new(Builtin::new(contract, first)), MemoryId(0))
}

/// The methods of a built-in; none for wasm. A stub's method counts as a query unless an answer of it takes time.
pub fn methods(code: &Code) -> BTreeMap<&str, Method> {
    let fixed = |updates: &[&[&'static str]], queries: &[&[&'static str]]| {
        let kind = |names: &[&[&'static str]], method| names.concat().into_iter().map(move |name| (name, method));
        kind(updates, Method::Update).chain(kind(queries, Method::Query)).collect()
    };
    match code {
        Code::Wasm(_) => BTreeMap::new(),
        Code::Stub(replies) => {
            let waits = |answer: &StubAnswer| matches!(answer, StubAnswer::Hold | StubAnswer::Call(_));
            let kind = |answers: &[StubAnswer]| if answers.iter().any(waits) { Method::Update } else { Method::Query };
            replies.iter().map(|(name, answers)| (name.as_str(), kind(answers))).collect()
        }
        Code::Icrc1Ledger => fixed(&[&ledger::UPDATES], &[&ledger::QUERIES]),
        Code::Icrc2Ledger => {
            fixed(&[&ledger::UPDATES, &ledger::ICRC2_UPDATES], &[&ledger::QUERIES, &ledger::ICRC2_QUERIES])
        }
        Code::IcpLedger => fixed(
            &[&ledger::UPDATES, &ledger::ICRC2_UPDATES, &icp::UPDATES],
            &[&ledger::QUERIES, &ledger::ICRC2_QUERIES, &icp::QUERIES],
        ),
        Code::Cmc => fixed(&[&cmc::UPDATES], &[&cmc::QUERIES]),
        Code::Xrc => fixed(&[&xrc::UPDATES], &[]),
    }
}

/// The calls that a stub makes; none for everything else.
pub fn calls(code: &Code) -> Vec<&StubCall> {
    let Code::Stub(replies) = code else { return Vec::new() };
    let answers = replies.values().flatten();
    answers.filter_map(|answer| if let StubAnswer::Call(call) = answer { Some(call) } else { None }).collect()
}
