//! `canloom explore --engine pocket-ic`, and `--confirm`.

use canloom::campaign::{Campaign, CampaignError, Campaigned, campaign};
use canloom::confirm::{Confirmation, confirm};
use canloom::counterexample::replay;
use canloom::engine::embedded::Embedded;
use canloom::engine::pocket_ic::Server;
use canloom::engine::pocket_ic::drive::DriveError;
use canloom::engine::pocket_ic::stage::{Source, StageError};
use canloom::explore::Explored;
use canloom::follow::Lost;
use canloom::report::json::Report;
use canloom::report::{Verdict, is_violation, replica as report, text};
use canloom::scenario::Scenario;

use super::explore::{Options, counterexample, narrowed};
use super::output::save;
use super::progress::Line;
use super::replica::{server, unplayable};
use super::{Exit, Failure, install, print};

/// Scripts that are played where neither their number nor a time is given.
const SCRIPTS: u64 = 100;

/// Plays arbitrary scripts on PocketIC.
pub fn run(options: &Options) -> Result<Exit, Failure> {
    let mut line = Line::new(options.quiet);
    line.say("loading canisters");
    let scenario = narrowed(&options.scenario, &options.bounds)?;
    // What is wrong with the scenario is said before a server is looked for.
    let mut engine = install(scenario.clone(), &options.memory)?;
    let server = server()?;
    let most = if options.budget.is_some() { u64::MAX } else { SCRIPTS };
    let asked = Campaign {
        seed: options.seed.unwrap_or(0),
        scripts: options.schedules.unwrap_or(most),
        time: options.budget,
        workers: options.workers(),
        until_found: false,
    };
    let played = campaign(&server, &scenario, &options.memory.allowance(), &asked, &mut |progress| {
        line.show_campaign(progress);
    });
    let Campaigned { explored, rounds, scripts, cut, beyond } = played.map_err(failure)?;
    line.end();
    let mut files = Vec::new();
    for finding in &explored.findings {
        let wanted = is_violation(&scenario.invariants[finding.invariant]);
        files.push(if wanted { save(&scenario, &counterexample(&engine, finding)) } else { None });
    }
    let files: Vec<Option<String>> = files.iter().map(|file| file.as_ref().map(|f| f.display().to_string())).collect();
    let document = Report { engine: "pocket-ic", ..Report::new(&scenario, &explored, &files) };
    options.outputs.write(&document, &explored)?;
    if !options.outputs.take_standard_output() {
        let mut out = report::campaign(&scenario, &explored, rounds, cut, server.version());
        if options.quiet {
            out = text::verdict(&scenario, &explored);
        } else {
            for (at, (finding, script)) in explored.findings.iter().zip(&scripts).enumerate() {
                let replayed = replay(&mut engine, &finding.schedule, Some(finding.invariant));
                let replayed = replayed.map_err(|error| Failure::outside(format!("bug in canloom: {error}")))?;
                out.push_str(&report::script(&scenario, finding, script));
                let shown = text::counterexample(&scenario, finding.invariant, &replayed);
                out.push_str(&text::with_replay(&shown, files[at].as_deref()));
            }
            for (invariant, script) in &beyond {
                out.push_str(&report::beyond(&scenario.invariants[*invariant].name, script));
            }
        }
        print(&out)?;
    }
    let is_violated = beyond.iter().any(|(at, _)| is_violation(&scenario.invariants[*at]));
    Ok(if is_violated { Exit::Violated } else { Exit::of(Verdict::of(&scenario, &explored)) })
}

fn failure(error: CampaignError) -> Failure {
    let text = error.to_string();
    match error {
        CampaignError::Stage(error) => unplayable(error),
        CampaignError::Driven { error, .. } => match *error {
            DriveError::Lost(Lost::Diverged(_)) => Failure { exit: Exit::Divergence, text },
            DriveError::Lost(Lost::TooMany) => Failure { exit: Exit::Inconclusive, text },
            _ => Failure::input(text),
        },
    }
}

/// What came of the findings, the text of that, and the exit code that it asks for.
type Told = (Vec<Option<Confirmation>>, String, Option<Exit>);

/// Plays each finding of a search on PocketIC; says what came of them, by finding, and the exit code that this asks for.
pub fn confirmed(
    options: &Options,
    scenario: &Scenario,
    engine: &Embedded,
    explored: &Explored,
) -> Result<Told, Failure> {
    let server: Server = server()?;
    let mut source = Source::new(scenario, engine.allowance()).map_err(|error| unplayable(StageError::from(error)))?;
    let (mut all, mut out, mut exit) = (Vec::new(), String::new(), None);
    for finding in &explored.findings {
        let invariant = &scenario.invariants[finding.invariant];
        if !is_violation(invariant) {
            all.push(None);
            continue;
        }
        let confirmation = confirm(&server, &mut source, &finding.schedule, finding.invariant).map_err(unplayable)?;
        if matches!(confirmation, Confirmation::Diverged { .. }) {
            exit = Some(Exit::Divergence);
        }
        out.push_str(&format!("\n\"{}\" {}", invariant.name, report::verdict(&confirmation)));
        if !options.quiet {
            out.push_str(&report::told(&confirmation, server.version()));
        }
        all.push(Some(confirmation));
    }
    Ok((all, out, exit))
}
