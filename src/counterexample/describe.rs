//! One step in words: who sends what to whom, and what came of it.

use crate::engine::embedded::Embedded;
use crate::kernel::{Choice, Delivery, Response, World};
use crate::scenario::{Scenario, Value};
use crate::schedule::{Step, StepKind};
use crate::trace::{Event, Sent};

/// One step in words, before its observations are known.
pub(super) fn describe(
    engine: &Embedded,
    before: &World,
    after: &World,
    step: &Step,
    choice: &Choice,
    delivery: Option<&Delivery>,
) -> Event {
    let kernel = &engine.kernel;
    let scenario = &engine.scenario;
    let spec = &kernel.calls()[choice.call as usize];
    let entry = &scenario.calls[spec.entry];
    let actor = scenario.actors.iter().find(|actor| actor.id == spec.caller).map_or("?", |actor| &actor.name);
    let (from, to, what) = if step.kind == StepKind::Start {
        let to = engine.canister_name(spec.canister).to_string();
        let what = format!("{}{}  [{}]", entry.method, parenthesized(&entry.args_text), entry.id);
        (actor.to_string(), to, what)
    } else {
        let tree = kernel.tree(before.calls[choice.call as usize]);
        let request = &tree.requests[choice.request as usize];
        let (caller, callee) = (engine.canister_name(request.caller), engine.canister_name(request.callee));
        let message = request.queued.and_then(|message| kernel.call_text(message));
        let method = message.map_or_else(String::new, |(method, arg)| format!("{method}({})", shown(scenario, arg)));
        match step.kind {
            StepKind::Response => {
                let callback = request.callback.as_ref();
                let response = callback.and_then(|callback| callback.response.as_ref()).map(|answer| answer.response);
                let text = response.map_or_else(String::new, |id| answer_text(scenario, kernel.response(id)));
                (callee.to_string(), caller.to_string(), text)
            }
            StepKind::Reject(code) => {
                (callee.to_string(), caller.to_string(), format!("fault: clean reject {code} of {method}"))
            }
            StepKind::Expire => {
                let answered = request.callback.as_ref().is_some_and(|callback| callback.response.is_some());
                let label = match (request.queued.is_some(), answered) {
                    (true, _) => "not executed yet",
                    (false, true) => "executed, its answer is lost",
                    (false, false) => "running",
                };
                (callee.to_string(), caller.to_string(), format!("fault: SYS_UNKNOWN, the callee has {label}"))
            }
            _ => (caller.to_string(), callee.to_string(), method),
        }
    };
    let mut event = Event {
        step: step.clone(),
        from,
        to,
        what,
        sent: Vec::new(),
        answer: None,
        trap: None,
        cleanup: None,
        awaits: false,
        log: Vec::new(),
        observations: Vec::new(),
        world: kernel.fingerprint(after),
    };
    let Some(delivery) = delivery else { return event };
    let effects = &delivery.effects;
    event.sent = effects
        .sent
        .iter()
        .enumerate()
        .map(|(at, sent)| {
            let (method, arg) = kernel.call_text(sent.message).unwrap_or_default();
            let to = sent.callee.map_or_else(|| sent.callee_id.to_string(), |to| engine.canister_name(to).to_string());
            Sent {
                name: format!("{}{}", step.call, step.path.request(at as u32 + 1)),
                to: format!("{to}.{method}"),
                arg: shown(scenario, arg),
                bounded: sent.timeout_s.is_some(),
            }
        })
        .collect();
    event.answer = delivery.answered.as_ref().map(|(path, response)| {
        let lost = if delivery.dropped { " (nobody waits for it any more)" } else { "" };
        (format!("{}{path}", step.call), answer_text(scenario, kernel.response(*response)) + lost)
    });
    event.trap = effects.trap.as_ref().map(|trap| format!("IC{:04}: {}", trap.code, trap.text));
    event.cleanup = delivery.cleanup.as_ref().map(|cleanup| match &cleanup.trap {
        None => Ok(()),
        Some(trap) => Err(format!("IC{:04}: {}", trap.code, trap.text)),
    });
    event.awaits = delivery.awaits;
    event.log = effects.log.clone();
    event
}

fn parenthesized(args: &str) -> String {
    let args = args.trim();
    if args.starts_with('(') { args.to_string() } else { format!("({args})") }
}

/// A Candid value in short, with the scenario's names in place of principals.
fn shown(scenario: &Scenario, candid: &[u8]) -> String {
    let mut text = shown_raw(scenario, candid);
    let canisters = scenario.canisters.iter().map(|canister| (&canister.name, canister.id));
    for (name, id) in canisters.chain(scenario.actors.iter().map(|actor| (&actor.name, actor.id))) {
        let id = id.to_text();
        if id.len() > 10 && text.contains(&id) {
            text = text.replace(&id, name);
        }
    }
    text
}

fn shown_raw(scenario: &Scenario, candid: &[u8]) -> String {
    match Value::decode_with(candid, &scenario.labels) {
        Ok(Value::Null) => String::new(),
        // Fields that say nothing would hide those that do.
        Ok(Value::Record(mut fields)) => {
            fields.retain(|_, value| *value != Value::Null);
            Value::Record(fields).to_string()
        }
        Ok(value) => value.to_string(),
        Err(_) => format!("{} bytes", candid.len()),
    }
}

fn answer_text(scenario: &Scenario, response: &Response) -> String {
    match response {
        Response::Reply(bytes) => format!("reply ({})", shown(scenario, bytes)),
        Response::Reject { code, text } => format!("reject {code}: {text}"),
    }
}
