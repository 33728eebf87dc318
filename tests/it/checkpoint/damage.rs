//! Logs that were cut off, changed by chance, or made by somebody.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use canloom::explore::{CheckpointError, ExploreError};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::super::stage::Stage;
use super::{ends, explore_saving, withdrawals};

/// A search that was saved after every chunk.
struct Saved {
    stage: Stage,
    report: String,
    log: Vec<u8>,
}

impl Saved {
    fn new() -> Saved {
        let stage = withdrawals(2, "\"clean_reject\"");
        let folder = stage.file("checkpoint");
        let (report, _) = explore_saving(&stage.file("scenario.toml"), &folder, 1).expect("it can be saved");
        let log = std::fs::read(folder.join("log")).expect("there is a log");
        Saved { stage, report, log }
    }

    fn scenario(&self) -> PathBuf {
        self.stage.file("scenario.toml")
    }

    /// What comes of this log.
    fn resume(&self, log: &[u8]) -> Result<String, ExploreError> {
        let folder = self.stage.file("checkpoint");
        std::fs::write(folder.join("log"), log).expect("it can be written");
        explore_saving(&self.scenario(), &folder, 1).map(|(report, _)| report)
    }
}

fn is_refused(error: &ExploreError) -> bool {
    matches!(error, ExploreError::Checkpoint(CheckpointError::Input(_)))
}

/// Numbers of a fixed sequence.
fn random(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    }
}

#[test]
fn a_log_that_is_cut_off_anywhere_in_its_last_records_resumes() {
    let saved = Saved::new();
    let ends = ends(&saved.log);
    let [.., before, last] = ends[..] else { panic!("{ends:?}") };
    for end in (before..last).step_by(7).chain([before + 1, last - 1]) {
        assert_eq!(saved.resume(&saved.log[..end]).as_ref(), Ok(&saved.report), "{end} of {last} bytes");
    }
}

#[test]
fn a_flipped_bit_is_an_error_or_makes_no_difference() {
    let saved = Saved::new();
    let mut random = random(7);
    let mut refused = 0;
    for _ in 0..150 {
        let mut log = saved.log.clone();
        let at = random(log.len());
        log[at] ^= 1 << random(8);
        match saved.resume(&log) {
            Ok(report) => assert_eq!(report, saved.report, "byte {at}"),
            Err(error) => {
                assert!(is_refused(&error), "{error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 100, "{refused} of 150 were noticed before the last record");
}

/// A log in which something was changed on purpose, with hashes that say it was not.
fn resealed(log: &[u8], change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut log = log.to_vec();
    change(&mut log);
    let mut at = 23;
    for end in ends(&log) {
        let hash = xxh3_128(&log[at + 48..end]);
        log[at + 24..at + 40].copy_from_slice(&hash.to_le_bytes());
        let check = xxh3_64(&log[at..at + 40]);
        log[at + 40..at + 48].copy_from_slice(&check.to_le_bytes());
        at = end;
    }
    log
}

#[test]
fn a_checkpoint_of_another_version_is_refused() {
    let saved = Saved::new();
    let tool = format!("canloom {}", env!("CARGO_PKG_VERSION"));
    let place = saved.log.windows(tool.len()).position(|bytes| bytes == tool.as_bytes()).expect("it names the tool");
    let older = resealed(&saved.log, |log| log[place + 8] = b'9');
    let error = saved.resume(&older).unwrap_err();
    assert!(is_refused(&error));
    let text = error.to_string();
    assert!(text.contains("it was made by canloom 9.1.0, and this is canloom 0.1.0"), "{text}");
    assert!(text.contains("name another directory, or delete this one"), "{text}");
    let mut format = saved.log.clone();
    format[19] = 1;
    let text = saved.resume(&format).unwrap_err().to_string();
    assert!(text.contains("has format 1, and this canloom reads and writes format 2"), "{text}");
    assert_eq!(saved.resume(&saved.log).as_ref(), Ok(&saved.report), "nothing was changed");
}

#[test]
fn a_log_that_somebody_made_is_refused_or_read_but_does_not_panic() {
    let saved = Saved::new();
    let first = ends(&saved.log)[0];
    let heads: Vec<usize> = ends(&saved.log);
    let is_head = |at: usize| heads.iter().any(|head| (*head..head + 48).contains(&at));
    let mut random = random(11);
    let mut refused = 0;
    for _ in 0..400 {
        let at = first + random(saved.log.len() - first);
        if is_head(at) {
            continue;
        }
        let (bit, value) = (random(8), random(256) as u8);
        let log = resealed(&saved.log, |log| if bit < 4 { log[at] ^= 1 << bit } else { log[at] = value });
        let resumed = catch_unwind(AssertUnwindSafe(|| saved.resume(&log)));
        let Ok(resumed) = resumed else { panic!("byte {at}: {} to {}", saved.log[at], log[at]) };
        refused += u32::from(resumed.is_err_and(|error| is_refused(&error)));
    }
    assert!(refused > 50, "{refused} were noticed");
}

#[test]
fn a_length_beyond_the_file_is_not_believed() {
    let saved = Saved::new();
    let first = ends(&saved.log)[0];
    let mut log = saved.log[..first].to_vec();
    let mut head = saved.log[first..first + 40].to_vec();
    head[16..24].copy_from_slice(&u64::MAX.to_le_bytes());
    let check = xxh3_64(&head);
    log.extend(head);
    log.extend(check.to_le_bytes());
    log.extend(b"a few bytes");
    assert_eq!(saved.resume(&log).as_ref(), Ok(&saved.report));
}
