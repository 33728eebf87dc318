//! Canisters without a module: the constants with their answers, and what is read of them.

use std::fmt::Write as _;

use candid::types::value::IDLValue;
use candid::{Decode, IDLArgs, Nat};

use super::super::candid::Names;
use super::super::literal::literal;
use super::line::Line;
use super::story::Story;
use crate::export::{ExportError, inexpressible};
use crate::kernel::Response;
use crate::scenario::{Code, Scenario, Value};

/// The constant with a canister's answers.
pub fn constant_of(canister: &str) -> String {
    let word: String =
        canister.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    format!("ANSWERS_OF_{word}")
}

/// The constants of all of them.
pub fn constants(scenario: &Scenario, story: &Story, names: &Names<'_>) -> Result<String, ExportError> {
    let mut text = String::new();
    for (at, canister) in scenario.canisters.iter().enumerate() {
        if matches!(canister.code, Code::Wasm(_)) {
            continue;
        }
        let _ = writeln!(
            text,
            "/// What the double of `{}` answers, as in the counterexample; methods that are not called there it does not have.\n\
             const {}: Answers = &[",
            canister.name,
            constant_of(&canister.name)
        );
        for ((_, method), answers) in story.answers.iter().filter(|((of, _), _)| *of == at) {
            let mut written = Vec::new();
            for answer in answers {
                written.push(literal(&answer_text(answer, names, &canister.name, method)?));
            }
            let _ = writeln!(text, "    ({}, &[{}]),", literal(method), written.join(", "));
        }
        text.push_str("];\n");
    }
    Ok(text)
}

fn answer_text(answer: &Response, names: &Names<'_>, canister: &str, method: &str) -> Result<String, ExportError> {
    match answer {
        Response::Reply(bytes) => {
            let what = |problem| ExportError::NotExpressible(format!("an answer of {canister}.{method} {problem}"));
            names.text(bytes).map_err(what)
        }
        Response::Reject { code: 4, text } => Ok(format!("!{text}")),
        Response::Reject { code, .. } => inexpressible(format!(
            "an answer of {canister}.{method} is a reject of code {code}, which no canister gives"
        )),
    }
}

/// How a test reads an observation of such a canister.
pub fn observation(
    scenario: &Scenario,
    story: &Story,
    names: &Names<'_>,
    index: usize,
    asked: &[u8],
    start: &Value,
) -> Result<Line, ExportError> {
    let observation = &scenario.observations[index];
    let canister = &scenario.canisters[observation.canister];
    let name = &canister.name;
    let is_ledger = matches!(canister.code, Code::Icrc1Ledger | Code::Icrc2Ledger | Code::IcpLedger);
    if !is_ledger || observation.method != "icrc1_balance_of" || observation.path.is_some() {
        return inexpressible(format!(
            "`[observe.{}]` asks `{name}`, which has no module, for more than `icrc1_balance_of`; give `[canister.{name}]` a \
             `wasm` in place of `builtin`",
            observation.name
        ));
    }
    let known = ["icrc1_transfer", "icrc2_transfer_from", "icrc2_approve"];
    let is_known =
        |method: &str| known.contains(&method) || !method.contains("transfer") && !method.contains("approve");
    if let Some(((_, method), _)) =
        story.answers.iter().find(|((at, method), _)| *at == observation.canister && !is_known(method))
    {
        return inexpressible(format!(
            "the balances of `{name}` after `{method}`; give `[canister.{name}]` a `wasm` in place of `builtin`"
        ));
    }
    let Value::Int(start) = start else { return inexpressible(format!("`{}` has no balance", observation.name)) };
    let account = names.text(asked);
    let account = account
        .map_err(|problem| ExportError::NotExpressible(format!("the account of `{}` {problem}", observation.name)))?;
    let fee = fee(&canister.init).unwrap_or_default();
    let skip = story.before[observation.canister].to_string();
    let args = vec![literal(name), literal(&account), start.to_string(), fee.to_string(), constant_of(name), skip];
    Ok(Line { before: "t.balance(".to_string(), args, after: ")".to_string() })
}

/// The fee that a ledger's `init` says.
fn fee(init: &[u8]) -> Option<Nat> {
    let args = IDLArgs::from_bytes(init).ok()?;
    let Some(IDLValue::Record(fields)) = args.args.first() else { return None };
    let fee = fields.iter().find(|field| field.id.get_id() == candid::idl_hash("fee"))?;
    let bytes = IDLArgs { args: vec![fee.val.clone()] }.to_bytes().ok()?;
    Decode!(&bytes, Nat).ok().or_else(|| Decode!(&bytes, u64).ok().map(Nat::from))
}
