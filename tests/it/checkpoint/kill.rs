//! Runs of the real program that are killed at random moments.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::withdrawals;

/// Kills in all.
const KILLS: u32 = 20;

fn canloom(folder: &Path, checkpoint: &str, workers: u32) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_canloom"));
    command.current_dir(folder).args(["explore", "scenario.toml", "--checkpoint", checkpoint, "--json", "-"]);
    command.args(["--workers", &workers.to_string()]).stdin(Stdio::null());
    command
}

/// The report of a run, without its time.
fn report(out: &[u8]) -> Value {
    let mut report: Value = serde_json::from_slice(out).expect("a report");
    report.as_object_mut().expect("an object").remove("elapsed_s").expect("it says how long it took");
    report
}

#[test]
fn a_search_that_is_killed_at_twenty_random_moments_ends_with_the_same_report() {
    let stage = withdrawals(4, "\"clean_reject\", \"sys_unknown\"");
    let began = Instant::now();
    let output = canloom(stage.folder(), "whole", 2).output().expect("canloom runs");
    let whole = began.elapsed();
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    let expected = report(&output.stdout);
    // Moments of a fixed sequence, as parts of the time that a whole run takes.
    let mut random: u64 = 0x5eed;
    let mut moment = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        whole.mul_f64((random >> 33) as f64 / (1u64 << 31) as f64 * 0.7)
    };
    let (mut kills, mut round, mut resumed) = (0, 0, 0);
    while kills < KILLS {
        let checkpoint = format!("checkpoint{round}");
        let log = stage.folder().join(&checkpoint).join("log");
        loop {
            let length = || std::fs::metadata(&log).map_or(0, |found| found.len());
            let before = length();
            // Every other one is killed as soon as it has saved something, so that the next one has to go on from there.
            let waits_for_save = kills % 2 == 1;
            let mut child = canloom(stage.folder(), &checkpoint, 1 + kills % 2);
            let mut child = child.stdout(Stdio::piped()).spawn().expect("canloom runs");
            let (began, most) = (Instant::now(), if kills < KILLS { moment() } else { Duration::MAX });
            while child.try_wait().expect("it is ours").is_none()
                && if waits_for_save { length() <= before.max(1000) } else { began.elapsed() < most }
            {
                std::thread::sleep(Duration::from_millis(2));
            }
            let ended = child.try_wait().expect("it is ours");
            if ended.is_none() {
                child.kill().expect("it is ours");
            }
            let output = child.wait_with_output().expect("it has ended");
            if ended.is_some() {
                assert_eq!(report(&output.stdout), expected, "after {kills} kills");
                break;
            }
            kills += 1;
            resumed += u32::from(before > 1000);
        }
        round += 1;
    }
    assert!(resumed > 0, "some of the killed runs had gone on from where another one was killed");
}
