//! The text of a proposed scenario, with comments for somebody who has never seen one.
//!
//! In: a draft and what was chosen. Out: TOML of at most [`LINES_MAX`] lines.

use std::fmt::Write as _;

use super::choose::{Call, Chosen, Edge};
use super::draft::{Draft, quoted};

/// Most lines.
pub const LINES_MAX: usize = 60;
/// Most methods that are named for one reason to leave them out.
const LISTED_MAX: usize = 8;

/// The scenario, and how many update methods it leaves out.
pub(super) fn text(draft: &Draft, chosen: &Chosen) -> (String, usize) {
    let mut calls = chosen.calls.as_slice();
    loop {
        let text = page(draft, chosen, calls);
        // A large cast leaves less room for calls; the last ones get least far.
        if text.lines().count() <= LINES_MAX || calls.len() <= 1 {
            return (text, left_out(chosen, calls).len());
        }
        calls = &calls[..calls.len() - 1];
    }
}

/// The methods that are not called, and why, with those for whose calls there is no room.
fn left_out<'a>(chosen: &'a Chosen, calls: &[Call]) -> Vec<(&'a str, &'static str)> {
    let mut all: Vec<(&str, &str)> = chosen.left_out.iter().map(|(method, why)| (method.as_str(), *why)).collect();
    for call in chosen.calls.iter().filter(|call| calls.iter().all(|kept| kept.method != call.method)) {
        if all.iter().all(|(method, _)| *method != call.method) {
            all.push((&call.method, "no room"));
        }
    }
    all
}

/// They on one line, by reason; none if there are none.
fn left_out_line(left_out: &[(&str, &str)]) -> Option<String> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for &(method, why) in left_out {
        match reasons.iter_mut().find(|(known, _)| *known == why) {
            Some((_, methods)) => methods.push(method),
            None => reasons.push((why, vec![method])),
        }
    }
    let texts: Vec<String> = reasons.iter().map(|(why, methods)| format!("{}: {why}", listed(methods))).collect();
    // A name may be any text; one with a line break would leave the comment.
    let line = texts.join("; ").replace(char::is_control, " ");
    (!texts.is_empty()).then(|| format!("# left out: {line}"))
}

/// The first names of a list, and how many more there are.
fn listed(methods: &[&str]) -> String {
    let shown = methods.iter().take(LISTED_MAX).copied().collect::<Vec<_>>().join(", ");
    let more = methods.len().saturating_sub(LISTED_MAX);
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

fn page(draft: &Draft, chosen: &Chosen, calls: &[Call]) -> String {
    let mut out = String::new();
    let mut line = |text: &str| writeln!(out, "{text}").expect("a string takes everything");
    line("# Proposed by `canloom init` after calling every method; edit it. All keys: docs/scenario.md");
    line("format = 1");
    line(&format!("name = {}", quoted(&draft.name)));
    line("");
    line("# Who calls what: calls that await another canister first. `max`: how often, by its callers in turn.");
    line("call = [");
    calls.iter().for_each(|call| line(&call_line(draft, call)));
    line("]");
    if let Some(left_out) = left_out_line(&left_out(chosen, calls)) {
        line(&left_out);
    }
    if !chosen.edges.is_empty() {
        line("# Which calls between canisters may fail, and how; one of them in each order.");
        line("fault = [");
        chosen.edges.iter().for_each(|edge| line(&edge_line(draft, edge)));
        line("]");
    }
    if let Some(wait_s) = chosen.wait_s {
        line("# Time that may pass once: a timer is due then.");
        line(&format!("time = [{{ advance = \"{wait_s}s\" }}]"));
    }
    for url in &chosen.urls {
        line("# What the web answers; write what the real server would.");
        line(&format!("[[outcall]]\nurl = {}\nreplies = [{}]", quoted(url), quoted(draft.body)));
    }
    line("");
    line("[explore]");
    line("calls = 2  # at most so many calls in one order, and so many faults; raise them once this holds");
    line(&format!("faults = {}", usize::from(!chosen.edges.is_empty())));
    if chosen.heartbeats {
        line("heartbeats = 2  # one awaits another canister: the next one may come before the answer");
    }
    line("");
    let used = |actor: &str| {
        let calls = chosen.calls.iter().any(|call| call.by.contains(&actor));
        let name = format!("${{{actor}}}");
        let setup = draft.setup.iter().any(|setup| setup.by == actor || setup.args.contains(&name));
        actor == "alice"
            || actor == "admin"
            || calls
            || setup
            || draft.init.as_ref().is_some_and(|init| init.contains(&name))
            || chosen.calls.iter().any(|call| call.args.contains(&name))
            || chosen.observed.iter().any(|observed| observed.args.contains(&name))
            || actor == "bob" && draft.others.iter().any(|other| other.is_ledger())
    };
    draft.tables(&used).lines().for_each(&mut line);
    if !chosen.observed.is_empty() {
        line("");
        line("# What is read after every step, and compared.");
        line("[observe]");
        for observed in &chosen.observed {
            let args = match observed.args.as_str() {
                "()" => String::new(),
                args => format!(", args = {}", quoted(&draft.named(args))),
            };
            line(&format!(
                "{} = {{ from = \"{}\", query = {}{args} }}",
                observed.name,
                observed.from,
                quoted(&observed.query)
            ));
        }
    }
    line("");
    line("[check]");
    line("all = true  # every generic oracle: docs/oracles.md");
    if let Some(book) = &chosen.book {
        let pending = book.pending.as_ref().map_or_else(String::new, |pending| format!(", pending = \"{pending}\""));
        let conserve = format!("conserve = {{ book = \"{}\", real = \"{}\"{pending} }}", book.book, book.real);
        if book.is_doubtful {
            line("# These were equal before and after a call. If that has to be so at rest, remove the #:");
            line(&format!("# {conserve}"));
        } else {
            line("# These were equal before and after a call; if that need not be so, remove the line.");
            line(&conserve);
        }
    }
    out
}

fn call_line(draft: &Draft, call: &Call) -> String {
    let by: Vec<String> = call.by.iter().map(|by| format!("\"{by}\"")).collect();
    let args = match call.args.as_str() {
        "()" => String::new(),
        args => format!(", args = {}", quoted(&draft.named(args))),
    };
    let max = if call.max > 1 { format!(", max = {}", call.max) } else { String::new() };
    let note = match (call.awaits, call.reaches) {
        (true, _) => "",
        (false, true) => "  # a timer or heartbeat after it calls others",
        (false, false) => "  # awaits nobody",
    };
    format!(
        "  {{ id = \"{}\", to = \"{}\", method = {}, by = [{}]{args}{max} }},{note}",
        call.id,
        draft.name,
        quoted(&call.method),
        by.join(", ")
    )
}

fn edge_line(draft: &Draft, edge: &Edge) -> String {
    let mut kinds = vec!["\"clean_reject\""];
    if edge.is_bounded {
        kinds.push("\"sys_unknown\"");
    }
    if edge.error.is_some() {
        kinds.push("\"business_err\"");
    }
    let error = edge.error.map_or_else(String::new, |error| format!(", business_err = {}", quoted(error)));
    let place = quoted(&format!("{} -> {}.{}", draft.name, edge.callee, edge.method));
    format!("  {{ edge = {place}, kinds = [{}]{error} }},", kinds.join(", "))
}

#[cfg(test)]
mod tests {
    use super::left_out_line;

    #[test]
    fn what_is_left_out_is_one_line_by_reason() {
        assert_eq!(left_out_line(&[]), None);
        let errors = "answered with errors only";
        let line = left_out_line(&[("claim", errors), ("settle", "no room"), ("claim\nfixed", errors)]);
        assert_eq!(line.unwrap(), "# left out: claim, claim fixed: answered with errors only; settle: no room");
        let many = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"].map(|method| (method, "no room"));
        assert_eq!(left_out_line(&many).unwrap(), "# left out: a, b, c, d, e, f, g, h and 2 more: no room");
    }
}
