//! What a replica says of a counterexample, and what scripts found there, as text.

use std::fmt::Write as _;

use super::{is_violation, text};
use crate::confirm::{Confirmation, Confirmed, Values};
use crate::explore::{Explored, Finding};
use crate::scenario::Scenario;
use crate::script::Script;

/// The result as one word or two, as it is printed.
pub fn word(confirmation: &Confirmation) -> &'static str {
    match confirmation {
        Confirmation::Confirmed(_) => "confirmed",
        Confirmation::NotExpressible { .. } => "not expressible",
        Confirmation::Diverged { .. } => "diverged",
    }
}

/// The result, as a line.
pub fn verdict(confirmation: &Confirmation) -> String {
    match confirmation {
        Confirmation::Confirmed(Confirmed { class, .. }) => format!("confirmed ({})\n", class.word()),
        Confirmation::NotExpressible { class, reason, .. } => {
            let class = class.map_or_else(String::new, |class| format!(" ({})", class.word()));
            format!("not expressible{class}: {reason}\n")
        }
        Confirmation::Diverged { text, .. } => format!("diverged: {text}\n"),
    }
}

/// What was done on a replica of this version, and what it showed.
pub fn told(confirmation: &Confirmation, version: &str) -> String {
    let mut out = String::new();
    match confirmation {
        Confirmation::Confirmed(Confirmed { script, values, error, .. }) => {
            let _ = write!(out, "on PocketIC {version}:\n{}", indented(script));
            let _ = write!(out, "\nthen\n{}", table(values));
            if let Some(error) = error {
                let _ = writeln!(out, "    {error}");
            }
        }
        Confirmation::NotExpressible { tried: Some((script, values)), .. } => {
            let _ = write!(out, "on PocketIC {version}:\n{}\nthen\n{}", indented(script), table(values));
        }
        Confirmation::NotExpressible { .. } => {}
        Confirmation::Diverged { script, .. } => {
            let _ = write!(out, "on PocketIC {version}:\n{}", indented(script));
        }
    }
    out
}

fn indented(script: &Script) -> String {
    script.to_string().lines().map(|line| format!("    {line}\n")).collect()
}

/// Values of the replica beside ours.
fn table(values: &Values) -> String {
    let rows: Vec<(String, String, String)> = values
        .iter()
        .map(|(name, theirs, ours)| {
            let theirs = theirs.as_ref().map_or_else(|| "played by the driver".to_string(), ToString::to_string);
            (name.clone(), theirs, ours.to_string())
        })
        .collect();
    let names = rows.iter().map(|(name, _, _)| name.chars().count()).max().unwrap_or(0);
    let wide = rows.iter().map(|(_, theirs, _)| theirs.chars().count()).max().unwrap_or(0).max("replica".len());
    let mut out = format!("    {:names$}  {:wide$}  embedded\n", "", "replica");
    for (name, theirs, ours) in rows {
        let _ = writeln!(out, "    {name:names$}  {theirs:wide$}  {ours}");
    }
    out
}

/// What a campaign of scripts found, in short.
pub fn campaign(scenario: &Scenario, explored: &Explored, rounds: u64, cut: u64, version: &str) -> String {
    let mut out = text::verdict(scenario, explored);
    let scripts = explored.sampled.as_ref().map_or(0, |sampled| sampled.schedules);
    let seed = explored.sampled.as_ref().map_or(0, |sampled| sampled.seed);
    let seconds = explored.elapsed.as_secs_f64();
    let _ = writeln!(
        out,
        "PocketIC {version}: {} scripts, seed {seed}, {} rounds, {:.1} scripts/s in {seconds:.1} s; {} distinct outcomes",
        text::grouped(scripts),
        text::grouped(rounds),
        scripts as f64 / seconds.max(1e-9),
        explored.worlds,
    );
    let _ = writeln!(out, "after each round the replica showed what the embedded engine says is possible");
    if cut > 0 {
        let _ =
            writeln!(out, "note: {cut} scripts were cut short: a round could have led to too many worlds to follow");
    }
    for finding in &explored.findings {
        let invariant = &scenario.invariants[finding.invariant];
        let expected = if is_violation(invariant) { "" } else { ", as expected" };
        let _ =
            writeln!(out, "violated: \"{}\" in {} scripts{expected}", invariant.name, text::grouped(finding.worlds));
    }
    for (at, seen) in &explored.sometimes {
        let name = &scenario.invariants[*at].name;
        let _ = writeln!(out, "{}: \"{name}\"", if *seen { "seen" } else { "never seen" });
    }
    out
}

/// The script that shows a finding.
pub fn script(scenario: &Scenario, finding: &Finding, script: &Script) -> String {
    format!("\n\"{}\" is violated by\n{}", scenario.invariants[finding.invariant].name, indented(script))
}

/// A violation that is not one within the scenario's bounds.
pub fn beyond(invariant: &str, script: &Script) -> String {
    format!(
        "\n\"{invariant}\" is violated by this script, which needs more timers, heartbeats or faults than the scenario's bounds \
         allow:\n{}",
        indented(script)
    )
}
