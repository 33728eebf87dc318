//! Scripts: what a driver of a replica can do, one line each: submit calls, let rounds pass, move the clock.
//!
//! A schedule of [`crate::schedule`] chooses the next message. A replica lets nobody do that: its rounds deliver messages in an
//! order of their own, and a driver chooses what they find. In: text, or choices of a driver. Out: a [`Script`], which is
//! played in a model of the rounds (`rounds`) and on PocketIC (`engine::pocket_ic`).
//!
//! ```text
//! apart: ledger              each of these canisters is on a subnet of its own, all others share one
//! stand-in: ledger           each of these canisters is played by the driver, whatever it is in the scenario
//!
//! submit 0{amt=30}           the call is sent; the next round that has room for it starts it
//! tick                       one round on each subnet
//! tick loaded                likewise, but other work fills the round of the first subnet: it ends after one iteration
//! advance @1                 the clock moves by the first `[[time]]` of the scenario
//! advance 301s               the clock moves
//! do till.upgrade1           an administrator's call, sent and awaited
//! freeze ledger              from now on it has too few cycles to execute anything: what is sent to it is rejected with code 2
//! thaw ledger                and no longer
//! serve 0.1                  a request that was held is executed: by the driver in the name of a stand-in, or it is an HTTP
//!                            outcall, whose answer is decided now (0.1b, 0.1l: the fault of this name)
//! answer 0.1                 what a stand-in has served is answered
//! ```

use std::fmt;
use std::str::FromStr;

use crate::scenario::Scenario;
use crate::schedule::{Root, Step, StepKind};

/// Most lines of a script.
const OPS_MAX: usize = 100_000;

/// One thing that a driver does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    /// A call is sent: the step that starts it, or submits it for inspection.
    Submit(Step),
    /// One round on each subnet.
    Tick {
        /// Whether other work fills the round of the shared subnet.
        loaded: bool,
    },
    /// The clock moves by an entry of the scenario's `[[time]]`, from 1.
    Time(u32),
    /// The clock moves by so many seconds.
    Advance(u64),
    /// An administrator's call: the step of this name.
    Change(Step),
    /// A canister has too few cycles from now on.
    Freeze(String),
    /// It has enough again.
    Thaw(String),
    /// A held request is executed: its delivery, or the fault in its place.
    Serve(Step),
    /// A served request is answered, by the name of the request.
    Answer(Step),
}

/// What a driver does, in order, and where the canisters are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Script {
    /// Canisters that are on a subnet of their own, by name.
    pub apart: Vec<String>,
    /// Canisters with a module that a stand-in plays, by name; built-in ones always are played by one.
    pub stand_ins: Vec<String>,
    /// What is done.
    pub ops: Vec<Op>,
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Op::Submit(step) => write!(f, "submit {step}"),
            Op::Tick { loaded: false } => f.write_str("tick"),
            Op::Tick { loaded: true } => f.write_str("tick loaded"),
            Op::Time(entry) => write!(f, "advance @{entry}"),
            Op::Advance(seconds) => write!(f, "advance {seconds}s"),
            Op::Change(step) => write!(f, "do {step}"),
            Op::Freeze(canister) => write!(f, "freeze {canister}"),
            Op::Thaw(canister) => write!(f, "thaw {canister}"),
            Op::Serve(step) => write!(f, "serve {step}"),
            Op::Answer(step) => write!(f, "answer {step}"),
        }
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, names) in [("apart", &self.apart), ("stand-in", &self.stand_ins)] {
            if !names.is_empty() {
                writeln!(f, "{key}: {}", names.join(", "))?;
            }
        }
        for op in &self.ops {
            writeln!(f, "{op}")?;
        }
        Ok(())
    }
}

/// Why a text is no script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct ScriptError {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong, with the remedy.
    pub what: String,
}

impl FromStr for Op {
    type Err = String;

    fn from_str(text: &str) -> Result<Op, String> {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let step = |is_right: fn(&Step) -> bool, example: &str| {
            let step: Step = rest.parse().map_err(|error: crate::schedule::StepError| error.to_string())?;
            if is_right(&step) { Ok(step) } else { Err(format!("`{rest}` cannot follow `{word}`, as in `{example}`")) }
        };
        let name = |example: &str| match rest {
            "" => Err(format!("`{word}` needs the name of a canister, as in `{example}`")),
            name => Ok(name.to_string()),
        };
        match (word, rest) {
            ("tick", "") => Ok(Op::Tick { loaded: false }),
            ("tick", "loaded") => Ok(Op::Tick { loaded: true }),
            ("submit", _) => step(begins_call, "submit 0").map(Op::Submit),
            ("do", _) => step(is_change, "do vault.upgrade1").map(Op::Change),
            ("serve", _) => step(is_on_request, "serve 0.1").map(Op::Serve),
            ("answer", _) => step(|step| step.kind == StepKind::Request, "answer 0.1").map(Op::Answer),
            ("freeze", _) => name("freeze ledger").map(Op::Freeze),
            ("thaw", _) => name("thaw ledger").map(Op::Thaw),
            ("advance", _) => match (rest.strip_prefix('@'), rest.strip_suffix('s')) {
                (Some(entry), _) => entry.parse().ok().filter(|entry| *entry > 0).map(Op::Time),
                (_, Some(seconds)) => seconds.parse().ok().map(Op::Advance),
                _ => None,
            }
            .ok_or_else(|| format!("`{rest}` is no time, as in `advance @1` or `advance 301s`")),
            _ => Err(format!(
                "`{text}` is nothing that a driver does; it may submit, tick, advance, do, freeze, thaw, serve, answer"
            )),
        }
    }
}

fn begins_call(step: &Step) -> bool {
    step.root.call().is_some() && matches!(step.kind, StepKind::Start | StepKind::Submit)
}

fn is_change(step: &Step) -> bool {
    matches!(&step.root, Root::Task { task, .. } if !task.is_message() && step.path.depth() == 0)
}

fn is_on_request(step: &Step) -> bool {
    matches!(step.kind, StepKind::Request | StepKind::BusinessError | StepKind::Lie)
}

impl FromStr for Script {
    type Err = ScriptError;

    fn from_str(text: &str) -> Result<Script, ScriptError> {
        let mut script = Script::default();
        for (at, line) in text.lines().enumerate() {
            let fail = |what| ScriptError { line: at + 1, what };
            let line = line.trim();
            let names = |list: &str| list.split(',').map(|name| name.trim().to_string()).collect();
            if line.is_empty() {
                continue;
            } else if let Some(list) = line.strip_prefix("apart: ") {
                script.apart = names(list);
            } else if let Some(list) = line.strip_prefix("stand-in: ") {
                script.stand_ins = names(list);
            } else if script.ops.len() == OPS_MAX {
                return Err(fail(format!("more than {OPS_MAX} lines")));
            } else {
                script.ops.push(line.parse().map_err(fail)?);
            }
        }
        Ok(script)
    }
}

/// What a scenario has that no driver of a replica can do, if there is something.
pub fn beyond_drivers(scenario: &Scenario) -> Option<String> {
    if let Some(getter) = scenario.observations.iter().find(|observation| observation.is_update) {
        return Some(format!(
            "`[observe.{}]` calls an update method, which a replica does not run on a copy; observe a query instead",
            getter.name
        ));
    }
    if let Some(canister) = scenario.canisters.iter().find(|canister| !canister.env.is_empty()) {
        return Some(format!("the environment variables of `{}` are not set on a replica", canister.name));
    }
    (scenario.bounds.create > 0)
        .then(|| "canisters that are created get ids that the scenario does not know".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "apart: ledger\nstand-in: b, c\nsubmit 0{amt=30}\nsubmit 1s\ntick\ntick loaded\nadvance @1\n\
                        advance 301s\ndo till.upgrade1\nfreeze ledger\nthaw ledger\nserve 0.1\nserve 0.1b\nserve t.h1.2l\nanswer 0.1\n";

    #[test]
    fn a_script_survives_reading_and_writing() {
        let script: Script = TEXT.parse().unwrap();
        assert_eq!(script.ops.len(), 13);
        assert_eq!(script.to_string(), TEXT);
    }

    #[test]
    fn what_is_no_script_is_refused_with_its_line() {
        for (text, error) in [
            ("tick\nsubmit 0.1", "line 2: `0.1` cannot follow `submit`, as in `submit 0`"),
            ("advance x", "line 1: `x` is no time, as in `advance @1` or `advance 301s`"),
            ("do till.h1", "line 1: `till.h1` cannot follow `do`, as in `do vault.upgrade1`"),
            ("freeze", "line 1: `freeze` needs the name of a canister, as in `freeze ledger`"),
            ("answer 0.1b", "line 1: `0.1b` cannot follow `answer`, as in `answer 0.1`"),
            (
                "ticks",
                "line 1: `ticks` is nothing that a driver does; it may submit, tick, advance, do, freeze, thaw, serve, answer",
            ),
        ] {
            assert_eq!(text.parse::<Script>().unwrap_err().to_string(), error);
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,60}") {
            let _ = text.parse::<Script>();
        }
    }
}
