//! Counterexamples: a schedule that violates an invariant, as a file and replayed.
//!
//! In: a `.cx` file, or the search's finding. Out: a [`Trace`], and whether the violation is still there; or a divergence that
//! says which step could not be made and why. Steps are stored by name, never seeds or positions.
//!
//! ```text
//! canloom counterexample 1
//! scenario: scenario.toml            the scenario, relative to the folder of this file
//! invariant: book equals ledger
//! verdict: violated
//! tool: canloom 0.1.0
//! module vault: 5f0c...              SHA-256 of each module; another one is a warning
//!
//! 0                                  one step a line
//! ```

use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::engine::embedded::Embedded;
use crate::kernel::{Choice, Delivery, Refusal, Response, Unsupported, World};
use crate::scenario::{Scenario, Value, When};
use crate::schedule::{Schedule, Step, StepKind};
use crate::trace::{Event, Sent, Trace};

/// First line of the format.
const MAGIC: &str = "canloom counterexample 1";
/// Largest file that is read, in bytes, and most steps in it.
const SIZE_MAX: u64 = 4 << 20;
const STEPS_MAX: usize = 100_000;

/// A counterexample as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counterexample {
    /// The scenario file, relative to the counterexample's folder.
    pub scenario: PathBuf,
    /// Name of the violated invariant.
    pub invariant: String,
    /// Version of the tool that wrote it.
    pub tool: String,
    /// Canister names and module hashes.
    pub modules: Vec<(String, String)>,
    /// The steps.
    pub schedule: Schedule,
}

/// Why a counterexample file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CounterexampleError {
    /// It cannot be read.
    #[error("{}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is not of the format.
    #[error("{}:{line}: {what}", file.display())]
    Format {
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong, with the remedy.
        what: String,
    },
}

impl Counterexample {
    /// Reads a file.
    ///
    /// # Errors
    /// With file and line.
    pub fn read(file: &Path) -> Result<Counterexample, CounterexampleError> {
        use std::io::Read as _;
        let fail = |source| CounterexampleError::Read { file: file.to_path_buf(), source };
        let mut text = String::new();
        std::fs::File::open(file).map_err(fail)?.take(SIZE_MAX + 1).read_to_string(&mut text).map_err(fail)?;
        let parsed = if text.len() as u64 > SIZE_MAX {
            Err((1, format!("larger than {SIZE_MAX} bytes")))
        } else {
            Counterexample::parse(&text)
        };
        parsed.map_err(|(line, what)| CounterexampleError::Format { file: file.to_path_buf(), line, what })
    }

    /// Reads the text of a file; errors carry the line.
    ///
    /// # Errors
    /// The line, from 1, and what is wrong with it.
    pub fn parse(text: &str) -> Result<Counterexample, (usize, String)> {
        let mut lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim_end()));
        match lines.next() {
            Some((_, MAGIC)) => {}
            Some((_, line)) if line.starts_with("canloom counterexample ") => {
                return Err((1, format!("unknown format version; this canloom reads `{MAGIC}`")));
            }
            _ => return Err((1, format!("not a counterexample: the first line must be `{MAGIC}`"))),
        }
        let (mut scenario, mut invariant, mut tool, mut modules) = (None, None, None, Vec::new());
        for (at, line) in lines.by_ref() {
            if line.is_empty() {
                break;
            }
            let Some((key, value)) = line.split_once(": ") else {
                return Err((at, "a header line reads `key: value`; an empty line ends the header".to_string()));
            };
            match key {
                "scenario" => scenario = Some(safe_path(value).ok_or((at, unsafe_path()))?),
                "invariant" => invariant = Some(value.to_string()),
                "tool" => tool = Some(value.to_string()),
                "verdict" if value == "violated" => {}
                "verdict" => return Err((at, format!("unknown verdict `{value}`, expected `violated`"))),
                _ => match key.strip_prefix("module ") {
                    Some(name) => modules.push((name.to_string(), value.to_string())),
                    None => return Err((at, format!("unknown header key `{key}`"))),
                },
            }
        }
        let mut steps = Vec::new();
        for (at, line) in lines {
            if line.is_empty() {
                continue;
            }
            if steps.len() == STEPS_MAX {
                return Err((at, format!("more than {STEPS_MAX} steps")));
            }
            steps.push(line.parse::<Step>().map_err(|error| (at, error.to_string()))?);
        }
        let missing = |key: &str| (1, format!("the header lacks `{key}`"));
        Ok(Counterexample {
            scenario: scenario.ok_or_else(|| missing("scenario"))?,
            invariant: invariant.ok_or_else(|| missing("invariant"))?,
            tool: tool.ok_or_else(|| missing("tool"))?,
            modules,
            schedule: Schedule { steps },
        })
    }

    /// The text of the file.
    pub fn text(&self) -> String {
        let mut text = format!(
            "{MAGIC}\nscenario: {}\ninvariant: {}\nverdict: violated\ntool: {}\n",
            self.scenario.display(),
            self.invariant,
            self.tool
        );
        for (canister, hash) in &self.modules {
            let _ = writeln!(text, "module {canister}: {hash}");
        }
        let _ = write!(text, "\n{}", self.schedule);
        text
    }

    /// Name of its file: the invariant as a word, and a hash of invariant and steps, so that a recompiled module keeps it.
    pub fn file_name(&self) -> String {
        let mut word = String::new();
        for c in self.invariant.chars().flat_map(char::to_lowercase).take(60) {
            if c.is_ascii_alphanumeric() {
                word.push(c);
            } else if !word.ends_with('-') && !word.is_empty() {
                word.push('-');
            }
        }
        let digest = Sha256::digest(format!("{}\n{}", self.invariant, self.schedule));
        let hash: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{hash}.cx", word.trim_end_matches('-'))
    }
}

/// Counterexamples arrive in pull requests: their scenario lies beside or below them.
fn safe_path(text: &str) -> Option<PathBuf> {
    let path = PathBuf::from(text);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    (plain && !text.is_empty()).then_some(path)
}

fn unsafe_path() -> String {
    "the scenario must be a relative path without `..`, beside or below this file".to_string()
}

/// Why a replay ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A step cannot be made: the canisters do not do what they did.
    #[error("divergence at step {number} (`{step}`): {refusal}; possible here: {}", possible.join(" "))]
    Divergence {
        /// Position, from 1.
        number: usize,
        /// The step.
        step: Step,
        /// Why not.
        refusal: Refusal,
        /// Names of the steps that could be made.
        possible: Vec<String>,
    },
    /// Something the engine does not offer was met.
    #[error("{0}")]
    Unsupported(#[from] Unsupported),
}

/// What a replay found.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// What happened.
    pub trace: Trace,
    /// First step, from 0 for the start, after which the invariant asked for was violated, and why it could not be
    /// evaluated if so.
    pub violated: Option<(usize, Option<String>)>,
    /// The values in the violated expression.
    pub values: Vec<(String, Value)>,
}

/// Makes the steps of a schedule, one by one, and checks one invariant after each.
///
/// # Errors
/// If a step is not possible, or the engine cannot tell what the IC would do.
pub fn replay(engine: &mut Embedded, schedule: &Schedule, invariant: Option<usize>) -> Result<Replayed, ReplayError> {
    let mut world = engine.start().clone();
    let names = engine.scenario.observations.iter().map(|observation| observation.name.clone()).collect();
    let start = engine.observe(&world)?;
    let mut replayed =
        Replayed { trace: Trace { names, start, events: Vec::new() }, violated: None, values: Vec::new() };
    check(engine, &world, invariant, &mut replayed)?;
    for (at, step) in schedule.steps.iter().enumerate() {
        let choice = engine.kernel.find(&world, step).map_err(|refusal| {
            let mut choices = Vec::new();
            engine.kernel.choices(&world, &mut choices);
            let possible = choices.iter().map(|choice| engine.kernel.name(&world, choice).to_string()).collect();
            ReplayError::Divergence { number: at + 1, step: step.clone(), refusal, possible }
        })?;
        let (next, delivery) = engine.kernel.apply(&world, &choice)?;
        let mut event = describe(engine, &world, &next, step, &choice, delivery.as_ref());
        event.observations = engine.observe(&next)?;
        replayed.trace.events.push(event);
        world = next;
        check(engine, &world, invariant, &mut replayed)?;
    }
    Ok(replayed)
}

fn check(
    engine: &mut Embedded,
    world: &World,
    invariant: Option<usize>,
    replayed: &mut Replayed,
) -> Result<(), Unsupported> {
    let Some(position) = invariant.filter(|_| replayed.violated.is_none()) else { return Ok(()) };
    let observations = engine.observe(world)?;
    let calls = engine.calls(world);
    let view = engine.view(world, &observations, &calls);
    let scenario = engine.scenario.clone();
    let invariant = &scenario.invariants[position];
    let mut choices = Vec::new();
    engine.kernel.choices(world, &mut choices);
    let applies = match invariant.when {
        When::Always => true,
        When::Quiescent => view.quiet,
        When::Final => engine.is_complete(world, &choices),
        When::Sometimes => false,
    };
    if !applies {
        return Ok(());
    }
    let error = match invariant.expr.eval(&view) {
        Ok(true) => return Ok(()),
        Ok(false) => None,
        Err(error) => Some(error),
    };
    replayed.violated = Some((replayed.trace.events.len(), error));
    replayed.values = invariant.expr.values(&view);
    Ok(())
}

/// One step in words, before its observations are known.
fn describe(
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
        (actor.to_string(), to, format!("{}{}", entry.method, parenthesized(&entry.args_text)))
    } else {
        let tree = kernel.tree(before.calls[choice.call as usize]);
        let request = &tree.requests[usize::from(choice.request)];
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "canloom counterexample 1\nscenario: scenario.toml\ninvariant: book equals ledger\nverdict: violated\n\
                        tool: canloom 0.1.0\nmodule vault: 00ff\n\n0\n1\n0.1\n0.1r\n";

    #[test]
    fn a_file_survives_reading_and_writing() {
        let counterexample = Counterexample::parse(TEXT).unwrap();
        assert_eq!(counterexample.schedule.steps.len(), 4);
        assert_eq!(counterexample.text(), TEXT);
    }

    #[test]
    fn what_is_no_counterexample_is_refused_with_its_line() {
        for (from, to, line, text) in [
            (
                "counterexample 1",
                "counterexample 2",
                1,
                "unknown format version; this canloom reads `canloom counterexample 1`",
            ),
            ("canloom c", "c", 1, "not a counterexample: the first line must be `canloom counterexample 1`"),
            ("scenario: scenario.toml\n", "", 1, "the header lacks `scenario`"),
            (
                "scenario.toml",
                "../scenario.toml",
                2,
                "the scenario must be a relative path without `..`, beside or below this file",
            ),
            (
                "scenario.toml",
                "/etc/passwd",
                2,
                "the scenario must be a relative path without `..`, beside or below this file",
            ),
            ("verdict: violated", "verdict: fine", 4, "unknown verdict `fine`, expected `violated`"),
            ("tool: ", "tools: ", 5, "unknown header key `tools`"),
        ] {
            let (at, what) = Counterexample::parse(&TEXT.replacen(from, to, 1)).unwrap_err();
            assert_eq!((at, what.as_str()), (line, text));
        }
        let (at, what) = Counterexample::parse(&TEXT.replace("0.1r", "0.1q")).unwrap_err();
        assert_eq!(at, 11);
        assert!(what.starts_with("`0.1q` is not the name of a step"), "{what}");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,200}") {
            let _ = Counterexample::parse(&text);
            let _ = Counterexample::parse(&format!("{MAGIC}\n{text}"));
        }
    }
}
