//! Names of steps, read from text.

use smallvec::SmallVec;

use super::{CALLBACK, PATH_MAX, Path, Root, Step, StepKind, TASKS, Task, Values};

/// The step of this name, or why it is none.
pub(super) fn step(text: &str) -> Result<Step, &'static str> {
    // Values may hold dots, so they are taken out first.
    let number_end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (values, rest) = if number_end > 0 { Values::cut(&text[number_end..])? } else { (Values::default(), "") };
    let without_values = (!values.is_empty()).then(|| format!("{}{rest}", &text[..number_end]));
    let mut parts = without_values.as_deref().unwrap_or(text).split('.');
    let first = parts.next().unwrap_or_default();
    let (root, mut mark) = match first.chars().next() {
        Some('@') => {
            let entry = number(&first[1..]).filter(|entry| *entry > 0);
            (Root::Time(entry.ok_or("time steps are numbered from 1")?), "")
        }
        Some(c) if c.is_ascii_digit() => {
            let (call, mark) = digits(first);
            (Root::Call(call.ok_or("it starts with the number of a call")?), mark)
        }
        Some(c) if c.is_ascii_alphabetic() || c == '_' => {
            let task = parts.next().ok_or("after the name of a canister comes a task, as in ledger.t1")?;
            let (task, n, mark) = task_of(task)?;
            (Root::Task { canister: first.into(), task, n }, mark)
        }
        _ => return Err("it starts with the number of a call, the name of a canister, or @"),
    };
    let mut segments: SmallVec<[u32; 5]> = SmallVec::new();
    for part in parts {
        if !mark.is_empty() {
            return Err("what follows a number ends the name");
        }
        if matches!(root, Root::Time(_)) {
            return Err("nothing follows a time step");
        }
        if segments.len() == PATH_MAX {
            return Err("it is too long");
        }
        let (request, rest) = digits(part);
        let request = request.filter(|n| *n > 0).ok_or("requests are numbered from 1")?;
        let (callback, rest) = rest.strip_prefix('r').map_or((0, rest), |rest| (CALLBACK, rest));
        segments.push(request | callback);
        mark = rest;
    }
    let path = Path(segments);
    let is_call = matches!(root, Root::Call(_)) && path.depth() == 0;
    let kind = match (mark, path.is_response()) {
        ("", true) => StepKind::Response,
        ("", false) if path.depth() == 0 => StepKind::Start,
        ("", false) => StepKind::Request,
        ("s", _) if is_call => StepKind::Submit,
        ("t", true) => StepKind::Trap,
        (mark, _) if mark.starts_with('p') && can_call(&root) => {
            StepKind::PerformFails(number(&mark[1..]).filter(|n| *n > 0).ok_or("calls are numbered from 1, as in 0p1")?)
        }
        (mark, false) if path.depth() > 0 => match mark {
            "x" => StepKind::Expire,
            "j" => StepKind::Reject(2),
            "j1" => StepKind::Reject(1),
            "j3" => StepKind::Reject(3),
            "j5" => StepKind::Reject(5),
            "b" => StepKind::BusinessError,
            "l" => StepKind::Lie,
            _ => return Err("only r, j, j1, j3, j5, x, b, l and p may follow a number"),
        },
        _ => return Err("this cannot follow here"),
    };
    if !values.is_empty() && !is_call {
        return Err("values stand behind the number of a call that begins");
    }
    Ok(Step { root, path, kind, values })
}

/// Whether the messages of a root may make calls.
pub(super) fn can_call(root: &Root) -> bool {
    match root {
        Root::Call(_) => true,
        Root::Task { task, .. } => task.is_message(),
        Root::Time(_) => false,
    }
}

fn task_of(text: &str) -> Result<(Task, u32, &str), &'static str> {
    let letters = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
    let task = TASKS.iter().find(|(_, word)| *word == &text[..letters]);
    let (task, _) =
        task.ok_or("tasks of a canister are t, h, m, stop, start, upgrade, reinstall, uninstall, snapshot, load")?;
    let (n, mark) = digits(&text[letters..]);
    Ok((*task, n.filter(|n| *n > 0).ok_or("tasks are numbered from 1")?, mark))
}

/// The number a text starts with, and the rest.
fn digits(text: &str) -> (Option<u32>, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (number(&text[..end]), &text[end..])
}

/// A number without sign or leading zero, below 2^31.
fn number(digits: &str) -> Option<u32> {
    if digits.is_empty() || (digits.len() > 1 && digits.starts_with('0')) || !digits.bytes().all(|b| b.is_ascii_digit())
    {
        return None;
    }
    digits.parse().ok().filter(|n| *n < CALLBACK)
}
