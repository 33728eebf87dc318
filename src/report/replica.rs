//! What a replica says of a counterexample, as text.

use std::fmt::Write as _;

use crate::confirm::{Confirmation, Confirmed};
use crate::scenario::Value;
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
        Confirmation::NotExpressible { class, reason } => {
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
fn table(values: &[(String, Option<Value>, Value)]) -> String {
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
