//! One step in words: who sends what to whom, and what came of it.

use crate::engine::embedded::Embedded;
use crate::kernel::tree::Request;
use crate::kernel::{Choice, Delivery, Happened, Response, Target, World};
use crate::scenario::{Scenario, Value};
use crate::schedule::{Step, StepKind, Task};
use crate::trace::{Event, Sent};

/// One step in words, before its observations are known.
pub(super) fn describe(
    engine: &Embedded,
    before: &World,
    after: &World,
    step: &Step,
    choice: &Choice,
    happened: &Happened,
) -> Event {
    let kernel = &engine.kernel;
    let (from, to, what) = match choice.target {
        Target::Root(tree) => root(engine, after, tree, step),
        Target::Request { tree, request } => {
            let request = &kernel.tree(before.trees[tree as usize]).requests[request as usize];
            on_request(engine, request, step.kind)
        }
        Target::Clock(entry) => {
            let advance_ns = engine.scenario.times[entry as usize].advance_ns;
            ("time".to_string(), "time".to_string(), format!("{} pass", duration(advance_ns)))
        }
        Target::Canister { canister, task } => {
            let what = match task {
                Task::Stop => "is told to stop",
                Task::Start => "is started again",
                // One that nobody pays for follows a stop.
                Task::Upgrade if choice.fault.is_none() => "is upgraded and started again",
                Task::Upgrade => "is upgraded",
                Task::Reinstall => "is installed anew",
                Task::Uninstall => "loses its module",
                Task::Snapshot => "has a snapshot taken",
                Task::Load => "has its snapshot loaded",
                Task::Timer | Task::Heartbeat | Task::LowMemory => {
                    unreachable!("bug in canloom: tasks that run code have trees")
                }
            };
            let what = format!("{what}{}", while_waiting(engine, before, canister));
            ("administrator".to_string(), engine.canister_name(canister).to_string(), what)
        }
    };
    let mut event = Event {
        step: step.clone(),
        from,
        to,
        what,
        is_fault: choice.fault.is_some(),
        outcome: None,
        sent: Vec::new(),
        answer: None,
        trap: None,
        cleanup: None,
        awaits: false,
        log: Vec::new(),
        observations: Vec::new(),
        world: kernel.fingerprint(after),
        link: 0,
    };
    if let Happened::System(text) = happened {
        event.answer = answer_of_system(engine, before, after, step, choice);
        event.outcome = Some(named(&engine.scenario, text)).filter(|text| !text.is_empty() && event.answer.is_none());
    }
    if let Some(delivery) = happened.delivery() {
        add_delivery(&mut event, engine, step, delivery);
    }
    event
}

/// For what is done to a canister as a whole: how many responses it still waits for, since their callbacks will meet it.
fn while_waiting(engine: &Embedded, world: &World, canister: u16) -> String {
    let trees = world.trees.iter().map(|tree| engine.kernel.tree(*tree));
    let requests = trees.flat_map(|tree| tree.requests.iter());
    match requests.filter(|request| request.caller == canister && request.callback.is_some()).count() {
        0 => String::new(),
        1 => ", while it waits for 1 response".to_string(),
        n => format!(", while it waits for {n} responses"),
    }
}

/// What the system itself has answered: the management canister to a request, which no canister executes, or any other
/// refusal to calls of the scenario.
fn answer_of_system(
    engine: &Embedded,
    before: &World,
    after: &World,
    step: &Step,
    choice: &Choice,
) -> Option<(String, String)> {
    let kernel = &engine.kernel;
    let shown = |response: u32| answer_text(&engine.scenario, kernel.response(response));
    if let (Target::Request { tree, .. }, StepKind::Request) = (choice.target, step.kind) {
        let tree = kernel.tree(after.trees[tree as usize]);
        let request = tree.requests.iter().find(|request| request.path == step.path)?;
        let answer = request.callback.as_ref()?.response.as_ref()?;
        return Some((format!("{}{}", step.root, step.path), shown(answer.response)));
    }
    let answer = |world: &World, call: usize| kernel.tree(world.trees[call]).answer;
    let answered = (0..kernel.calls().len()).filter(|call| answer(before, *call).is_none());
    let answered: Vec<(usize, u32)> = answered.filter_map(|call| Some((call, answer(after, call)?))).collect();
    // Where it answers several at once, it answers them alike.
    let calls: Vec<String> = answered.iter().map(|(call, _)| call.to_string()).collect();
    answered.first().map(|(_, response)| (calls.join(", "), shown(*response)))
}

/// Who starts what, for a call or a task.
fn root(engine: &Embedded, after: &World, tree: u32, step: &Step) -> (String, String, String) {
    let (kernel, scenario) = (&engine.kernel, &engine.scenario);
    if let Some(task) = kernel.task(tree) {
        let canister = engine.canister_name(task.canister).to_string();
        return ("system".to_string(), canister, format!("{}{}", task.task.title(), failing(step.kind)));
    }
    let spec = &kernel.calls()[tree as usize];
    let entry = &scenario.calls[spec.entry];
    let actor = scenario.actors.iter().find(|actor| actor.id == spec.caller).map_or("?", |actor| &actor.name);
    let to = engine.canister_name(spec.canister).to_string();
    let inspected = if step.kind == StepKind::Submit { " to be inspected" } else { "" };
    let args = match &entry.template {
        // What was inspected has its values from there.
        Some(_) if step.values.is_empty() => {
            let arg =
                kernel.argument(kernel.call_message(tree as usize, after.trees[tree as usize])).unwrap_or_default();
            parenthesized(&shown(scenario, &arg))
        }
        Some(template) => parenthesized(&template.shown(step.values.iter())),
        None => parenthesized(&entry.args_text),
    };
    let what = format!("{}{args}  [{}]{inspected}{}", entry.method, entry.id, failing(step.kind));
    (actor.to_string(), to, what)
}

fn on_request(engine: &Embedded, request: &Request, kind: StepKind) -> (String, String, String) {
    let (kernel, scenario) = (&engine.kernel, &engine.scenario);
    let (caller, callee) = (engine.canister_name(request.caller), engine.canister_name(request.callee));
    let message = request.queued.and_then(|message| kernel.call_text(message));
    let method =
        message.map_or_else(String::new, |(method, arg)| format!("{method}({})", shown_arg(scenario, method, arg)));
    let answer = || {
        let callback = request.callback.as_ref();
        let response = callback.and_then(|callback| callback.response.as_ref()).map(|answer| answer.response);
        response.map_or_else(String::new, |id| answer_text(scenario, kernel.response(id)))
    };
    let (forth, back) = ((caller.to_string(), callee.to_string()), (callee.to_string(), caller.to_string()));
    let ((from, to), what) = match kind {
        StepKind::Response => (back, answer()),
        StepKind::Trap => (back, format!("{}; fault: the callback traps", answer())),
        StepKind::Reject(5) => (back, format!("fault: reject 5 of {method}")),
        StepKind::Reject(code) => (back, format!("fault: clean reject {code} of {method}")),
        StepKind::BusinessError => (back, format!("fault: nothing is done and an error is answered to {method}")),
        StepKind::Lie => (back, format!("fault: nothing is done and a lie is answered to {method}")),
        StepKind::Expire => {
            let answered = request.callback.as_ref().is_some_and(|callback| callback.response.is_some());
            let label = match (request.queued.is_some(), answered) {
                (true, _) => "not executed yet",
                (false, true) => "executed, its answer is lost",
                (false, false) => "running",
            };
            (back, format!("SYS_UNKNOWN, the callee has {label}"))
        }
        StepKind::PerformFails(_) if request.queued.is_none() => (back, format!("{}{}", answer(), failing(kind))),
        _ => (forth, format!("{method}{}", failing(kind))),
    };
    (from, to, what)
}

fn failing(kind: StepKind) -> String {
    match kind {
        StepKind::PerformFails(n) => format!("; fault: its call {n} cannot be performed"),
        _ => String::new(),
    }
}

/// A duration in its largest units: `1 d 2 h`.
fn duration(ns: u64) -> String {
    let units =
        [(86_400_000_000_000, "d"), (3_600_000_000_000, "h"), (60_000_000_000, "min"), (1_000_000_000, "s"), (1, "ns")];
    let mut rest = ns;
    let mut parts = Vec::new();
    for (size, unit) in units {
        if rest >= size {
            parts.push(format!("{} {unit}", rest / size));
            rest %= size;
        }
    }
    parts.join(" ")
}

fn add_delivery(event: &mut Event, engine: &Embedded, step: &Step, delivery: &Delivery) {
    let (kernel, scenario) = (&engine.kernel, &engine.scenario);
    let effects = &delivery.effects;
    event.sent = effects
        .sent
        .iter()
        .enumerate()
        .map(|(at, sent)| {
            let (method, arg) = kernel.call_text(sent.message).unwrap_or_default();
            let to = sent.callee.map_or_else(|| sent.callee_id.to_string(), |to| engine.canister_name(to).to_string());
            Sent {
                name: format!("{}{}", step.root, step.path.request(at as u32 + 1)),
                to: format!("{to}.{method}"),
                arg: shown_arg(scenario, method, arg),
                bounded: sent.timeout_s.is_some(),
            }
        })
        .collect();
    event.answer = delivery.answered.as_ref().map(|(path, response)| {
        let lost = if delivery.dropped { " (nobody waits for it any more)" } else { "" };
        (format!("{}{path}", step.root), answer_text(scenario, kernel.response(*response)) + lost)
    });
    event.trap = effects.trap.as_ref().map(|trap| format!("IC{:04}: {}", trap.code, named(scenario, &trap.text)));
    event.cleanup = delivery.cleanup.as_ref().map(|cleanup| match &cleanup.trap {
        None => Ok(()),
        Some(trap) => Err(format!("IC{:04}: {}", trap.code, trap.text)),
    });
    event.awaits = delivery.awaits;
    event.log = effects.log.clone();
}

fn parenthesized(args: &str) -> String {
    let args = args.trim();
    if args.starts_with('(') { args.to_string() } else { format!("({args})") }
}

/// The argument of a method in short. Of an HTTP outcall, what makes it differ from others: whom it asks, and what.
fn shown_arg(scenario: &Scenario, method: &str, arg: &[u8]) -> String {
    match Value::decode_with(arg, &scenario.labels) {
        Ok(Value::Record(mut fields)) if method == "http_request" && fields.contains_key("url") => {
            fields.retain(|name, value| ["url", "method", "body"].contains(&name.as_str()) && *value != Value::Null);
            Value::Record(fields).to_string()
        }
        _ => shown(scenario, arg),
    }
}

/// A Candid value in short, with the scenario's names in place of principals.
fn shown(scenario: &Scenario, candid: &[u8]) -> String {
    named(scenario, &shown_raw(scenario, candid))
}

/// The text with the scenario's names in place of principals.
fn named(scenario: &Scenario, text: &str) -> String {
    let mut text = text.to_string();
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
        Err(_) if candid.is_empty() => "nothing".to_string(),
        Err(_) => Value::Blob(candid.to_vec()).to_string(),
    }
}

fn answer_text(scenario: &Scenario, response: &Response) -> String {
    match response {
        Response::Reply(bytes) => format!("reply ({})", shown(scenario, bytes)),
        Response::Reject { code, text } => format!("reject {code}: {}", named(scenario, text)),
    }
}
