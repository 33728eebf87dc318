//! Puts a scenario together from its file: format, bounds, and the order in which the parts are read.
//!
//! Names come first (canisters, actors, calls, observations), then everything that refers to them.

use std::collections::BTreeMap;
use std::path::Path;

use candid::Principal;
use sha2::{Digest, Sha256};

use super::calls;
use super::cast::{self, Cast};
use super::check;
use super::document::{self, Table};
use super::environment;
use super::error::ScenarioError;
use super::expr::Expr;
use super::fault;
use super::ghost;
use super::invariant::{self, Invariant};
use super::position::Source;
use super::suggest::{hint, shorten};
use super::symmetric::{self, Parts};
use super::{Bounds, CallEntry, Labels, Scenario};

/// The version of the format that is read.
const FORMAT: u32 = 1;
/// Most call instances of a scenario.
pub(crate) const CALLS_MAX: u32 = 64;
/// Most faults on one path.
pub(crate) const FAULTS_MAX: u32 = 8;
/// Most deliveries on one path.
const DEPTH_MAX: u32 = 10_000;
/// Deliveries on one path if the file does not say.
const DEPTH: u32 = 200;
/// Firings of a canister's timer, and heartbeats of one, on one path.
pub(crate) const TIMERS_MAX: u32 = 64;
const TIMERS: u32 = 8;
const HEARTBEATS: u32 = 1;
/// Most context switches that can be counted on one path.
pub(crate) const SWITCHES_MAX: u32 = 64;
/// Most canisters that others may create.
const CREATE_MAX: u32 = 16;

const KEYS: &[&str] = &[
    "format",
    "name",
    "about",
    "explore",
    "actor",
    "canister",
    "setup",
    "observe",
    "call",
    "fault",
    "ghost",
    "check",
    "invariant",
    "time",
    "outcall",
];
pub(crate) const EXPLORE_KEYS: &[&str] = &[
    "strategy",
    "calls",
    "in_flight",
    "faults",
    "depth",
    "timers",
    "heartbeats",
    "create",
    "seed",
    "switches",
    "symmetric",
];
const EXPLORE_KEYS_LATER: &[&str] = &["runs", "mode", "preemptions"];
const STRATEGIES_ELSEWHERE: &[&str] = &["random", "pos", "pct"];

/// The scenario in the bytes of a file, with these ids for canisters whose ids would be automatic, by name.
pub(super) fn from_bytes(
    file: &Path,
    bytes: &[u8],
    ids: &BTreeMap<String, Principal>,
) -> Result<Scenario, ScenarioError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let valid = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or("");
        Source { file, text: valid }.error(valid.len(), "not UTF-8 text; is this a scenario file?")
    })?;
    let source = Source { file, text };
    let document = document::parse(source)?;
    let root = Table::root(source, &document);
    check_format(&root)?;
    root.check_keys(KEYS, &[])?;

    let name = root.required_text("name", "\"my-scenario\"")?;
    if name.value.trim().is_empty() {
        return Err(name.error("`name` is empty; give the scenario a short name"));
    }
    let about = root.text("about")?.map_or("", |about| about.value);

    let mut cast: Cast = cast::read(&root, ids)?;
    let observed = calls::observation_tables(&root, &mut cast)?;
    let counted = ghost::tables(&root, &mut cast)?;
    let called = calls::call_tables(&root, &mut cast)?;
    let setup = calls::setup(&root, &mut cast)?;
    let observations = calls::observations(&observed, &cast)?;
    let calls = calls::calls(&called, &cast)?;
    let faults = fault::read(&root, &cast)?;
    let ghosts = ghost::read(&counted, &cast)?;
    let times = environment::times(&root)?;
    let outcalls = environment::outcalls(&root)?;
    let seed = match root.table("explore")? {
        Some(explore) => explore.integer("seed", 0..=u32::MAX)?.unwrap_or(0),
        None => 0,
    };
    let mut invariants = invariant::read(&root, &cast.names)?;
    invariants.extend(check::read(&root, &cast.names, &calls, &cast.canisters, &invariants)?);
    let times_max = times.iter().map(|time| time.max).sum();
    let parts = Parts { calls: &calls, invariants: &invariants, ghosts: &ghosts };
    let symmetric = symmetric::read(&root, &cast, &parts)?;
    let bounds = bounds(&root, &calls, !faults.is_empty(), times_max)?;

    let mut labels = Labels::common();
    let paths = observations.iter().filter_map(|observation| observation.path.as_ref());
    paths.flat_map(|path| path.names()).for_each(|name| labels.add(name));
    invariants.iter().filter_map(Invariant::expr).flat_map(Expr::fields).for_each(|name| labels.add(name));
    ghosts.iter().flat_map(|ghost| ghost.fields()).for_each(|name| labels.add(name));
    cast.interfaces.iter().flatten().flat_map(|did| did.labels()).for_each(|name| labels.add(name));

    Ok(Scenario {
        name: name.value.to_string(),
        about: about.to_string(),
        file: file.to_path_buf(),
        sha256: Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect(),
        bounds,
        own_bounds: bounds,
        canisters: cast.canisters,
        actors: cast.actors,
        setup,
        observations,
        calls,
        faults,
        ghosts,
        times,
        outcalls,
        symmetric,
        seed,
        invariants,
        labels,
    })
}

/// The format comes before all other keys: a later format may have other ones.
fn check_format(root: &Table<'_>) -> Result<(), ScenarioError> {
    match root.integer("format", 0..=u32::MAX)? {
        Some(FORMAT) => Ok(()),
        Some(other) => {
            let text = format!("format {other} is not known; this version of canloom reads `format = {FORMAT}`");
            Err(root.error_at_key("format", text))
        }
        None => Err(root.missing("format", "1")),
    }
}

fn bounds(root: &Table<'_>, calls: &[CallEntry], has_faults: bool, times: u32) -> Result<Bounds, ScenarioError> {
    let instances: u32 = calls.iter().map(|call| call.max).sum();
    let faults = u32::from(has_faults);
    let Some(explore) = root.table("explore")? else {
        return Ok(Bounds {
            calls: instances,
            in_flight: instances,
            faults,
            depth: DEPTH,
            timers: TIMERS,
            heartbeats: HEARTBEATS,
            create: 0,
            times,
            switches: None,
        });
    };
    explore.check_keys(EXPLORE_KEYS, EXPLORE_KEYS_LATER)?;
    if let Some(strategy) = explore.text("strategy")? {
        match strategy.value {
            "exhaustive" => {}
            later if STRATEGIES_ELSEWHERE.contains(&later) => {
                let text = format!(
                    "the strategy `{later}` is chosen on the command line: `canloom explore --strategy {later}`"
                );
                return Err(strategy.error(text));
            }
            other => {
                let text = format!("unknown strategy `{}`{}", shorten(other), hint(other, ["exhaustive"]));
                return Err(strategy.error(text));
            }
        }
    }
    let calls = explore.integer("calls", 1..=CALLS_MAX)?.unwrap_or(instances).min(instances);
    Ok(Bounds {
        calls,
        in_flight: explore.integer("in_flight", 1..=CALLS_MAX)?.unwrap_or(calls).min(calls),
        faults: explore.integer("faults", 0..=FAULTS_MAX)?.unwrap_or(faults),
        depth: explore.integer("depth", 1..=DEPTH_MAX)?.unwrap_or(DEPTH),
        timers: explore.integer("timers", 0..=TIMERS_MAX)?.unwrap_or(TIMERS),
        heartbeats: explore.integer("heartbeats", 0..=TIMERS_MAX)?.unwrap_or(HEARTBEATS),
        create: explore.integer("create", 0..=CREATE_MAX)?.unwrap_or(0),
        times,
        switches: explore.integer("switches", 0..=SWITCHES_MAX)?,
    })
}
