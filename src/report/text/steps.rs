//! A counterexample step by step, with a diagram.
//!
//! In: a replay. Out: plain text, the same for the same replay.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::counterexample::Replayed;
use crate::explain::{Explanation, Share};
use crate::report::text::grouped_big;
use crate::scenario::{Scenario, Value};
use crate::schedule::{Root, StepKind};
use crate::trace::{Event, Trace};

/// Widest line of what a message says; longer ones are cut with dots.
const WHAT_MAX: usize = 160;

/// A counterexample: numbered steps with what each did, the values after it, the violated expression and a diagram.
pub fn counterexample(scenario: &Scenario, invariant: usize, replayed: &Replayed) -> String {
    let mut out = String::new();
    let trace = &replayed.trace;
    let numbers = trace.events.len().to_string().len();
    let names = trace.events.iter().map(|event| event.step.to_string().len()).max().unwrap_or(0);
    let indent = " ".repeat(numbers + names + 4);
    let invariant = &scenario.invariants[invariant];
    let _ = writeln!(out, "counterexample to \"{}\"\n", invariant.name);
    let _ = writeln!(out, "{indent}at the start: {}", values(trace, &trace.start, None));
    let mut before = &trace.start;
    for (at, event) in trace.events.iter().enumerate() {
        let name = event.step.to_string();
        let _ = writeln!(out, "{:>numbers$}  {name:<names$}  {}", at + 1, headline(event));
        for line in details(event) {
            let _ = writeln!(out, "{indent}{line}");
        }
        let _ = writeln!(out, "{indent}{}", values(trace, &event.observations, Some(before)));
        before = &event.observations;
    }
    let _ = writeln!(out);
    match &replayed.violated {
        Some((step, Some(error))) if invariant.expr().is_none() => {
            let _ = writeln!(out, "violated {}: {}: {error}", after(*step), invariant.text);
        }
        Some((step, Some(error))) => {
            let _ = writeln!(out, "violated {}: {} cannot be evaluated: {error}", after(*step), invariant.text);
        }
        Some((step, None)) => {
            let shown: Vec<String> = replayed.values.iter().map(|(name, value)| format!("{name} = {value}")).collect();
            let _ = writeln!(out, "violated {}: {}  with {}", after(*step), invariant.text, shown.join(", "));
        }
        None => {
            let _ = writeln!(out, "not violated: {}", invariant.text);
        }
    }
    let _ = write!(out, "\n{}", diagram(trace));
    out
}

/// Why it is violated: the sentences, the await, pairs whose order matters, shares of interleavings.
pub fn explanation(explanation: &Explanation, trace: &Trace) -> String {
    let mut out = String::new();
    for (at, sentence) in explanation.sentences.iter().enumerate() {
        let _ = writeln!(out, "{}{sentence}", if at == 0 { "why: " } else { "     " });
    }
    let place = explanation.place.as_ref().map_or_else(String::new, |place| format!("  {place}"));
    let _ = writeln!(out, "await: {}{place}", explanation.guilty[0].point);
    if !explanation.pairs.is_empty() {
        let name = |at: usize| trace.events[at].step.to_string();
        let pairs = explanation.pairs.iter().map(|pair| format!("{} before {}", name(pair.first), name(pair.second)));
        let pairs: Vec<String> = pairs.collect();
        let _ = writeln!(out, "it matters that: {} (any of them the other way round: not violated)", pairs.join("; "));
    }
    if let Some(shares) = &explanation.shares {
        let first = &shares[0];
        let (violating, all) = (grouped_big(&first.violating), grouped_big(&first.all));
        let _ = write!(out, "interleavings that come to it: {violating} of {all}, {}", percent(first));
        for (share, event) in shares[1..].iter().zip(&trace.events) {
            let _ = write!(out, "; from {} on {}", event.step, percent(share));
        }
        out.push('\n');
    }
    out
}

fn percent(share: &Share) -> String {
    let percent = share.percent();
    match percent {
        p if p == 0.0 || p >= 99.95 && share.violating == share.all => format!("{p:.0} %"),
        p if p < 0.1 => "below 0.1 %".to_string(),
        p if p > 99.9 => "above 99.9 %".to_string(),
        p => format!("{p:.1} %"),
    }
}

/// A counterexample below a summary, and how to replay it where it was saved.
pub fn with_replay(counterexample: &str, file: Option<&str>) -> String {
    let replay = file.map_or_else(String::new, |file| format!("\nreplay: canloom repro {file}\n"));
    format!("\n{counterexample}{replay}")
}

fn after(step: usize) -> String {
    if step == 0 { "at the start".to_string() } else { format!("after step {step}") }
}

fn headline(event: &Event) -> String {
    let what = cut(&event.what);
    match event.step.kind {
        StepKind::Submit => format!("{} sends {}.{what}", event.from, event.to),
        StepKind::Start => match &event.step.root {
            Root::Call(_) => format!("{} calls {}.{what}", event.from, event.to),
            Root::Task { task, .. } if task.is_message() => format!("{} runs its {what}", event.to),
            Root::Task { .. } => format!("{} {what}", event.to),
            Root::Time(_) => what,
        },
        StepKind::Request => format!("{} executes {what} from {}", event.to, event.from),
        StepKind::Response => format!("{} gets {what} from {}", event.to, event.from),
        StepKind::Trap => format!("{} gets {what}", event.to),
        StepKind::PerformFails(_) => format!("{} executes {what}", event.to),
        StepKind::Reject(_) | StepKind::Expire | StepKind::BusinessError | StepKind::Lie => {
            let fault = if event.is_fault && event.step.kind == StepKind::Expire { "fault: " } else { "" };
            format!("{fault}{what}, {} -> {}", event.to, event.from)
        }
    }
}

/// What a step is, in a line, and what came of it.
pub(in crate::report) fn headline_and_details(event: &Event) -> (String, Vec<String>) {
    (headline(event), details(event))
}

fn details(event: &Event) -> Vec<String> {
    let mut lines: Vec<String> = event.outcome.iter().map(|outcome| cut(outcome)).collect();
    for sent in &event.sent {
        let wait = if sent.bounded { "bounded wait" } else { "unbounded wait" };
        lines.push(format!("sends {} {} ({wait})", sent.name, cut(&format!("{}({})", sent.to, sent.arg))));
    }
    if let Some(trap) = &event.trap {
        lines.push(format!("traps and is undone: {}", cut(trap)));
    }
    match &event.cleanup {
        Some(Ok(())) => lines.push("cleanup runs and is kept".to_string()),
        Some(Err(error)) => lines.push(format!("cleanup traps, too: {}", cut(error))),
        None => {}
    }
    if let Some((to, answer)) = &event.answer {
        lines.push(format!("answers {to}: {}", cut(answer)));
    }
    if event.awaits {
        lines.push("awaits: what it wrote is committed, any other message may run now".to_string());
    }
    lines.extend(event.log.iter().map(|line| format!("prints {}", cut(line))));
    lines
}

/// The observations, changed ones marked with an arrow from the old value.
fn values(trace: &Trace, now: &[Arc<Value>], before: Option<&Vec<Arc<Value>>>) -> String {
    let pair = |(at, (name, value)): (usize, (&String, &Arc<Value>))| match before.map(|before| &before[at]) {
        Some(old) if old != value => format!("{name} = {old} -> {value}"),
        _ => format!("{name} = {value}"),
    };
    let pairs: Vec<String> = trace.names.iter().zip(now).enumerate().map(pair).collect();
    if pairs.is_empty() { "(nothing observed)".to_string() } else { pairs.join("   ") }
}

/// A sequence diagram: a lane for each caller and canister, an arrow for each step.
fn diagram(trace: &Trace) -> String {
    // In order of appearance: who calls first stands left of whom it calls.
    let mut lanes: Vec<&str> = Vec::new();
    for name in trace.events.iter().flat_map(|event| [event.from.as_str(), event.to.as_str()]) {
        if !lanes.contains(&name) {
            lanes.push(name);
        }
    }
    let width = lanes.iter().map(|lane| lane.chars().count()).max().unwrap_or(0).max(12) + 4;
    let center = |lane: usize| lane * width + width / 2;
    let total = width * lanes.len();
    let mut out = String::new();
    let mut header = vec![' '; total];
    for (at, lane) in lanes.iter().enumerate() {
        let start = center(at).saturating_sub(lane.chars().count() / 2);
        for (offset, c) in lane.chars().enumerate() {
            header[start + offset] = c;
        }
    }
    let names = trace.events.iter().map(|event| event.step.to_string().len()).max().unwrap_or(0);
    let push = |out: &mut String, name: &str, cells: Vec<char>| {
        let line: String = cells.into_iter().collect();
        let _ = writeln!(out, "{}", format!("{name:<names$}  {line}").trim_end());
    };
    push(&mut out, "", header);
    for event in &trace.events {
        let mut cells = vec![' '; total];
        for at in 0..lanes.len() {
            cells[center(at)] = '|';
        }
        let lane = |name: &str| lanes.iter().position(|lane| *lane == name);
        if let (Some(from), Some(to)) = (lane(&event.from), lane(&event.to)) {
            arrow(&mut cells, center(from), center(to), event);
        }
        push(&mut out, &event.step.to_string(), cells);
    }
    out
}

fn arrow(cells: &mut [char], from: usize, to: usize, event: &Event) {
    let line = match event.step.kind {
        StepKind::Response | StepKind::Reject(_) | StepKind::Expire | StepKind::Trap => '.',
        StepKind::BusinessError | StepKind::Lie => '.',
        _ => '-',
    };
    if from == to {
        cells[from] = '@';
        return;
    }
    let (low, high) = (from.min(to), from.max(to));
    cells[low + 1..high].fill(line);
    if to > from {
        cells[to - 1] = '>';
    } else {
        cells[to + 1] = '<';
    }
    let lost = !event.step.is_delivery() && matches!(line, '.');
    let mark = if lost || event.trap.is_some() { 'x' } else { return };
    cells[(low + high) / 2] = mark;
}

pub(in crate::report) fn cut(text: &str) -> String {
    let line = text.replace('\n', " ");
    match line.char_indices().nth(WHAT_MAX) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}
