//! A test on PocketIC that needs no canloom: the same submits, rounds and times that lead a replica to the violation.
//!
//! In: an engine and a counterexample. Out: the package. Canisters with a module are the real ones. One without a module has a
//! double, a small canister in the test, that notes each call and gives the answers of the counterexample; a ledger's balances
//! are worked out from what it noted.
//!
//! ```text
//! story     what is done, and what comes of it          support   the part that all tests share
//! doubles   canisters without a module                  deeds     what is done, as lines of Rust (line)
//! ```

mod deeds;
mod doubles;
mod line;
mod story;
mod support;

use std::fmt::Write as _;
use std::path::Path;

use super::candid::Names;
use super::literal::{comment, literal, wrapped};
use super::{ExportError, Exported, inexpressible, manifest, name, relative};
use crate::counterexample::Counterexample;
use crate::engine::embedded::{Embedded, START_NS};
use crate::kernel::START_BALANCE;
use crate::scenario::{Code, Rule, RustType, Scenario, Surroundings, When, variable};
use crate::script::beyond_drivers;
use deeds::Writer;
use story::Story;

const CANDID: &str = "candid = \"0.10\"";
const PARSER: &str = "candid_parser = \"0.4\"";
const POCKET_IC: &str = "pocket-ic = \"16.1\"";
const WAT: &str = "wat = \"1\"";

/// The package.
pub fn export(
    engine: &Embedded,
    counterexample: &Counterexample,
    invariant: usize,
    root: &Path,
) -> Result<Exported, ExportError> {
    check(&engine.scenario, invariant)?;
    let story = Story::of(engine, counterexample, invariant)?;
    let engine = story::with_room(engine)?;
    let scenario = engine.scenario.clone();
    let name = name(&scenario, invariant);
    let mut writer = Writer { engine, story: &story, names: Names::of(&scenario), root, parts: Vec::new() };
    let rule = rule(&mut writer, invariant)?;
    let body = writer.body(scenario.invariants[invariant].when)?;
    let parts = writer.parts;
    let mut dependencies = vec![CANDID, PARSER, POCKET_IC];
    if parts.contains(&"double") || parts.contains(&"loaded") {
        dependencies.push(WAT);
    }
    let mut test = head(&scenario, counterexample, &story, invariant, &dependencies);
    test.push_str(&uses(&parts));
    let text = literal(&one_line(&scenario.invariants[invariant].text));
    let _ = write!(
        test,
        "\n/// What must hold, in words of the scenario.\nconst INVARIANT: &str = {text};\n\
         /// When it begins: on a replica, time goes on from here.\nconst START_NS: u64 = {};\n\
         /// Nobody runs out of cycles.\nconst CYCLES: u128 = {};\n\
         /// Most rounds in which all must come to rest, and rounds without a change that are taken for it.\n\
         const ROUNDS: usize = 60;\nconst REST: usize = 6;\n",
        grouped(u128::from(START_NS)),
        grouped(START_BALANCE),
    );
    test.push_str(&doubles::constants(&scenario, &story, &Names::of(&scenario))?);
    if parts.contains(&"outcalls") {
        test.push_str(&outcalls(&scenario));
    }
    let _ = write!(test, "\n#[test]\nfn {name}() {{\n{body}}}\n\n{rule}\n");
    let mut support = support::with(&parts);
    if parts.contains(&"outcalls") {
        support = support
            .replacen("    began: Time,\n", "    began: Time,\n    answered: BTreeMap<&'static str, usize>,\n", 1)
            .replacen(
                "subnets, ids, administrators, calls }",
                "subnets, ids, administrators, calls, answered: BTreeMap::new() }",
                1,
            );
    }
    test.push_str(&support);
    Ok(Exported { manifest: manifest(&name, &dependencies), name, test, files: Vec::new() })
}

/// What no such test can look at.
fn check(scenario: &Scenario, invariant: usize) -> Result<(), ExportError> {
    let wanted = &scenario.invariants[invariant];
    match (&wanted.rule, wanted.when) {
        (Rule::Oracle(_), _) => {
            return inexpressible(format!(
                "\"{}\" compares with other executions, which a test does not make; say what must hold as an `[[invariant]]`",
                wanted.name
            ));
        }
        (Rule::Closure(_), _) => return inexpressible(format!("\"{}\" is a closure in Rust", wanted.name)),
        (_, When::Step) => {
            return inexpressible("`when = \"step\"` is about single messages, and a replica shows rounds");
        }
        (_, When::Sometimes) => return inexpressible("`when = \"sometimes\"` is about all executions together"),
        _ => {}
    }
    beyond_drivers(scenario).map_or(Ok(()), inexpressible)
}

/// The head of the file.
fn head(
    scenario: &Scenario,
    counterexample: &Counterexample,
    story: &Story,
    invariant: usize,
    dependencies: &[&str],
) -> String {
    let wanted = &scenario.invariants[invariant];
    let what = format!("\"{}\" of scenario \"{}\", on PocketIC: {}", wanted.name, scenario.name, scenario.about);
    let mut text = wrapped(what.trim_end_matches([':', ' ']), "//!", 120);
    text.push_str("//!\n");
    text.push_str(&wrapped(
        "It fails as long as the canisters have the bug, and passes when it is fixed. Written by canloom from this \
         counterexample, of which each word is a step: which message is delivered next.",
        "//!",
        120,
    ));
    let steps: Vec<String> = counterexample.schedule.steps.iter().map(ToString::to_string).collect();
    text.push_str("//!\n//! ```text\n");
    for line in steps.chunks(12) {
        let _ = writeln!(text, "//! {}", comment(&line.join("  ")));
    }
    let _ = writeln!(text, "//! ```\n//!");
    text.push_str(&wrapped(
        &format!("A replica comes to such an order by what the test does ({}).", story.class.word()),
        "//!",
        120,
    ));
    let _ = writeln!(text, "//!\n//! Dependencies: {}.", dependencies.join(", "));
    text.push_str(&wrapped(
        "A server of PocketIC 16 is needed: POCKET_IC_BIN names it, else the client crate downloads one. Modules of canisters \
         lie where the test says, relative to the package; an environment variable for each names another file.",
        "//!",
        120,
    ));
    text.push_str("\n#![allow(dead_code, unused_imports)] // Each test needs some of what is below.\n\n");
    text
}

fn uses(parts: &[&str]) -> String {
    let mut text = String::from(
        "use std::collections::BTreeMap;\nuse std::path::{Path, PathBuf};\nuse std::time::Duration;\n\n\
         use candid::types::Label;\nuse candid::types::value::{IDLField, IDLValue};\nuse candid::{IDLArgs, Principal};\n",
    );
    if parts.contains(&"outcalls") {
        text.push_str(
            "use pocket_ic::common::rest::{CanisterHttpReply, CanisterHttpResponse, MockCanisterHttpResponse, RawMessageId};\n",
        );
    } else {
        text.push_str("use pocket_ic::common::rest::RawMessageId;\n");
    }
    text.push_str(
        "use pocket_ic::{CanisterSettings, CreateCanisterParams, CreateCanisterPlacement, PocketIc, PocketIcBuilder};\n\
         use pocket_ic::{RejectResponse, Time};\n",
    );
    text
}

/// What HTTP outcalls are answered with.
fn outcalls(scenario: &Scenario) -> String {
    let mut text = String::from(
        "/// What HTTP outcalls are answered with: address (or its beginning and `*`), status, bodies one after the other.\n\
         const OUTCALLS: &[(&str, u16, &[&str])] = &[\n",
    );
    for outcall in &scenario.outcalls {
        let bodies: Vec<String> = outcall.replies.iter().map(|body| literal(body)).collect();
        let _ = writeln!(text, "    ({}, {}, &[{}]),", literal(&outcall.url), outcall.status, bodies.join(", "));
    }
    text + "];\n"
}

/// The function that evaluates the invariant.
fn rule(writer: &mut Writer<'_>, invariant: usize) -> Result<String, ExportError> {
    let scenario = writer.engine.scenario.clone();
    let wanted = &scenario.invariants[invariant];
    let observed = (0..scenario.observations.len()).map(|at| match writer.story.observed[at] {
        Some(ty) => Ok(ty),
        None => Err("is not always one integer, bool, text or principal".to_string()),
    });
    let ghosts = scenario.ghosts.iter().map(|_| Err("is a ghost, and a replica does not show messages".to_string()));
    let observed: Vec<Result<RustType, String>> = observed.chain(ghosts).collect();
    let actors: Vec<String> = scenario.actors.iter().map(|actor| actor.name.clone()).collect();
    let around =
        Surroundings { observed: &observed, actors: &actors, faulted: Some(writer.story.faults), literal: &literal };
    let expr = wanted.expr().expect("bug in canloom: what is no expression was refused");
    let rust = expr
        .to_rust(&around)
        .map_err(|part| ExportError::NotExpressible(format!("the invariant `{}`: {part}", one_line(&wanted.text))))?;
    let mut text =
        wrapped(&format!("Whether the invariant holds, and what was seen: {}", one_line(&wanted.text)), "///", 120);
    text.push_str("fn invariant(t: &Replica) -> (bool, String) {\n");
    let mut seen = Vec::new();
    for (index, ty) in rust.observations {
        let name = &scenario.observations[index].name;
        let variable = variable(name, ty);
        text.push_str(&writer.observation(index, ty)?.within(&format!("let {variable} = "), ";").text());
        seen.push(format!("{name} = {{{variable}}}"));
    }
    let _ = writeln!(text, "    let holds = {};", rust.text);
    let _ = writeln!(text, "    (holds, format!(\"{}\"))\n}}", seen.join(", "));
    Ok(text)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<&str>>().join(" ")
}

/// A number with its digits in groups of three.
fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut groups: Vec<&str> = Vec::new();
    if first > 0 {
        groups.push(&digits[..first]);
    }
    groups.extend((first..digits.len()).step_by(3).map(|at| &digits[at..at + 3]));
    groups.join("_")
}

/// The environment variable that names a canister's module.
fn variable_of(canister: &str) -> String {
    let word: String =
        canister.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    format!("{word}_WASM")
}

/// The path of a canister's module, from the package.
fn module_of(code: &Code, root: &Path) -> Result<Option<String>, ExportError> {
    match code {
        Code::Wasm(wasm) => relative(wasm, root).map(Some),
        _ => Ok(None),
    }
}
