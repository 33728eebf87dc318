//! The exhaustive search, each in a process of its own: peak memory and the state of the allocator are then its own too.
//!
//! In: a scenario and a number of workers. Out: counts, seconds, memory. A search of less than a second is repeated and
//! the median of its seconds taken.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use canloom::engine::embedded::Embedded;
use canloom::explore::{Budget, Completeness, explore};
use serde::{Deserialize, Serialize};

use super::pair::{Pair, Withdrawals};
use super::rows::{Row, Run};

/// Numbers of workers that every scenario is searched with.
pub const WORKERS: &[u32] = &[1, 2];

/// Runs of a short search.
const REPEATS: usize = 5;
/// A search is short if it takes less than this many seconds.
const SHORT_S: f64 = 1.0;

/// What one search took.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Search {
    interleavings: f64,
    worlds: u64,
    executions: u64,
    seconds: f64,
    peak_mb: Option<f64>,
}

/// Name of a row's scenario.
pub fn name(withdrawals: Withdrawals, workers: u32) -> String {
    if workers == 1 { withdrawals.to_string() } else { format!("{withdrawals}, {workers} workers") }
}

/// All scenarios: 2 to 4 distinct withdrawals, 1 to 6 equal ones, and 7 if all are asked for.
pub fn all(full: bool) -> Vec<Withdrawals> {
    let of = |pair| {
        let distinct = (2..=4).map(move |calls| Withdrawals { pair, calls, distinct: true });
        let equal = (1..=if full { 7 } else { 6 }).map(move |calls| Withdrawals { pair, calls, distinct: false });
        distinct.chain(equal)
    };
    [Pair::Plain, Pair::Icrc1].into_iter().flat_map(of).collect()
}

/// Searches a scenario in child processes and adds its rows.
///
/// # Errors
/// If a child fails.
pub fn measure(run: &mut Run, withdrawals: Withdrawals, workers: u32) -> Result<(), String> {
    let mut searches = vec![in_child(withdrawals, workers)?];
    while searches.len() < REPEATS && searches[0].seconds < SHORT_S {
        searches.push(in_child(withdrawals, workers)?);
    }
    searches.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let search = &searches[searches.len() / 2];
    let name = name(withdrawals, workers);
    run.put(Row::new(format!("{name}: interleavings"), search.interleavings, "interleavings"));
    run.put(Row::new(format!("{name}: worlds"), search.worlds as f64, "worlds"));
    run.put(Row::new(format!("{name}: executions"), search.executions as f64, "executions"));
    let row = Row::new(format!("{name}: search"), search.seconds, "s");
    let one = format!("{withdrawals}: search");
    let one_s = if workers > 1 { run.row(&one).map(|row| row.value) } else { None };
    run.put(match one_s {
        Some(one_s) => row.with_ratio(one, one_s / search.seconds),
        None => row,
    });
    if let Some(peak_mb) = search.peak_mb {
        run.put(Row::new(format!("{name}: peak memory"), peak_mb, "MB"));
    }
    Ok(())
}

fn in_child(withdrawals: Withdrawals, workers: u32) -> Result<Search, String> {
    let program = std::env::current_exe().map_err(|error| format!("this program has no path: {error}"))?;
    let mut child = Command::new(program);
    child.args(["search", &withdrawals.to_string(), &workers.to_string()]);
    let output = child.stderr(Stdio::inherit()).output().map_err(|error| format!("no child process: {error}"))?;
    if !output.status.success() {
        return Err(format!("the search of `{withdrawals}` ended with {}", output.status));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("the search of `{withdrawals}` printed {error}"))
}

/// The child: searches and prints what it took.
///
/// # Errors
/// If the scenario does not load or the search is not complete.
pub fn child(root: &Path, withdrawals: Withdrawals, workers: u32) -> Result<(), String> {
    if !WORKERS.contains(&workers) {
        return Err(format!("the search does not run with {workers} workers"));
    }
    let mut engine = Embedded::open(Arc::new(withdrawals.scenario(root)?)).map_err(|error| error.to_string())?;
    let began = Instant::now();
    let budget = Budget { workers: workers as usize, ..Budget::default() };
    let explored = explore(&mut engine, &budget, &mut |_| {}).map_err(|error| error.to_string())?;
    let seconds = began.elapsed().as_secs_f64();
    if explored.completeness != Completeness::Exhaustive {
        return Err(format!("the search is not complete: {:?}", explored.completeness));
    }
    let interleavings = explored.interleavings.map(|count| count.to_string().parse().unwrap_or(f64::INFINITY));
    let search = Search {
        interleavings: interleavings.ok_or("interleavings were not counted")?,
        worlds: explored.worlds,
        executions: explored.executions,
        seconds,
        peak_mb: peak_mb(),
    };
    println!("{}", serde_json::to_string(&search).map_err(|error| error.to_string())?);
    Ok(())
}

/// Peak memory of this process so far, where the system tells.
fn peak_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some((kib / 1024.0).round())
}
