//! A search that can be killed: what it has found so far, kept in a directory, and read back by the next run.
//!
//! In: visits of worlds, in order. Out: the same visits in a later run, with all executions and canister states that
//! they are made of, so that nothing is executed twice. The file only grows: a record holds what came since the one
//! before (docs/checkpoint.md). Which worlds come next is not stored; it follows from the visits.
//!
//! ```text
//! directory  made, refused or locked        identity  which search it belongs to
//! log        records that survive a kill    journal   visits as bytes and back
//! ```

mod directory;
mod identity;
mod journal;
mod log;

use std::path::Path;
use std::time::{Duration, Instant};

use crate::engine::embedded::Embedded;
use crate::kernel::intern::content_hash;
use crate::kernel::save::{Part, Reader, Sizes};

use directory::Directory;
use identity::Identity;
use log::Log;

pub(super) use journal::{Journal, Replay, Target};

/// Shortest time between two saves.
const INTERVAL: Duration = Duration::from_millis(100);
/// A save waits until the search went on for so many times as long as the last one took: at most a twentieth of the
/// time goes into saves that take up to half a second.
const PATIENCE: u32 = 20;
/// But it does not wait longer than this.
const LONGEST: Duration = Duration::from_secs(10);

/// Why a checkpoint cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// It is not what this search needs.
    #[error("{0}")]
    Input(String),
    /// The system refuses, or another run uses it.
    #[error("{0}")]
    Outside(String),
}

/// A checkpoint of one search, which this run may go on with and save to.
#[derive(Debug)]
pub struct Checkpoint {
    log: Log,
    journal: Journal,
    /// What the saved records hold of the tables.
    saved: Sizes,
    /// Time that earlier runs spent, as far as it was saved.
    earlier: Duration,
    last: Instant,
    took: Duration,
    saves_always: bool,
    /// Held as long as this lives.
    _directory: Directory,
}

/// Hash of all that a search depends on, the same on every machine: tool, scenario file, bounds, modules, and the states
/// after the setup. For an engine that has explored nothing yet.
pub fn identity(engine: &Embedded) -> String {
    format!("{:032x}", content_hash(&format!("{:?}", Identity::of(engine, ""))))
}

impl Checkpoint {
    /// Opens the checkpoint in a directory, or begins one, for the search that this engine is about to make; it must not
    /// have explored anything yet. `options` names whatever else determines the search.
    ///
    /// # Errors
    /// If the directory is not there and cannot be made, holds something else or another search, or is in use. Nothing in
    /// it has changed then.
    pub fn open(folder: &Path, engine: &Embedded, options: &str) -> Result<Checkpoint, CheckpointError> {
        let directory = Directory::open(folder)?;
        let identity = Identity::of(engine, options);
        let name = directory.log();
        let log = if name.exists() {
            let mut log = Log::open(&name)?;
            Checkpoint::compare(&mut log, &identity, folder)?;
            log
        } else {
            let mut first = Part::default();
            first.put(&identity);
            Log::create(&name, first.as_bytes())?
        };
        Ok(Checkpoint {
            log,
            journal: Journal::default(),
            saved: engine.kernel.sizes(),
            earlier: Duration::ZERO,
            last: Instant::now(),
            took: Duration::ZERO,
            saves_always: false,
            _directory: directory,
        })
    }

    /// Whether the first record of a log says that it belongs to this search.
    fn compare(log: &mut Log, identity: &Identity, folder: &Path) -> Result<(), CheckpointError> {
        let first = log.next()?.ok_or_else(|| {
            let name = log.name().display();
            CheckpointError::Input(format!("{name}: the first record is damaged; delete the directory"))
        })?;
        let damaged = |what: String| CheckpointError::Input(format!("{}: {what}", log.name().display()));
        let Some(difference) = identity.difference_from(&first).map_err(damaged)? else { return Ok(()) };
        Err(CheckpointError::Input(format!(
            "the checkpoint {} belongs to another search: {difference}; name another directory, or delete this one",
            folder.display()
        )))
    }

    /// Reads the next record that was saved into the tables and passes its visits on; `false` if there is none.
    ///
    /// # Errors
    /// If the log cannot be read, is damaged, or does not say what this search could have said.
    pub(super) fn resume(
        &mut self,
        engine: &mut Embedded,
        add: &mut dyn FnMut(&Embedded, Replay) -> Result<(), String>,
    ) -> Result<bool, CheckpointError> {
        let Some(record) = self.log.next()? else { return Ok(false) };
        let mut part = Reader::new(&record);
        let mut load = || {
            engine.kernel.load_part(&mut part)?;
            let spent_ns: u64 = part.take()?;
            self.earlier = Duration::from_nanos(spent_ns);
            self.journal.load(engine, &mut part, add)?;
            if part.is_empty() { Ok(()) } else { Err("a record is longer than what it holds".to_string()) }
        };
        load().map_err(|what: String| {
            let name = self.log.name().display();
            CheckpointError::Input(format!("{name} does not fit this search: {what}; delete the directory"))
        })?;
        self.saved = engine.kernel.sizes();
        self.last = Instant::now();
        Ok(true)
    }

    /// Saves after each chunk of worlds from now on, whatever that costs: a kill loses less, and tests have more to resume
    /// from.
    pub fn save_always(&mut self) {
        self.saves_always = true;
    }

    /// Time that earlier runs spent.
    pub(super) fn earlier(&self) -> Duration {
        self.earlier
    }

    /// Where visits are noted until they are saved.
    pub(super) fn journal(&mut self) -> &mut Journal {
        &mut self.journal
    }

    /// Whether it is time to save.
    pub(super) fn is_due(&self) -> bool {
        self.saves_always || self.last.elapsed() >= (self.took * PATIENCE).clamp(INTERVAL, LONGEST)
    }

    /// Saves what was noted, and what the tables hold since the last time. No other thread may use them meanwhile.
    ///
    /// # Errors
    /// If it cannot be written; what was saved before is as it was.
    pub(super) fn save(&mut self, engine: &Embedded, spent: Duration) -> Result<(), CheckpointError> {
        let sizes = engine.kernel.sizes();
        if self.journal.is_empty() && sizes == self.saved {
            return Ok(());
        }
        let began = Instant::now();
        let mut record = Part::default();
        let saved = engine.kernel.save_part(&self.saved, &mut record);
        saved.map_err(|what| CheckpointError::Input(format!("this scenario can have no checkpoint: {what}")))?;
        record.put(&(spent.as_nanos() as u64));
        self.journal.save(&mut record);
        self.log.append(record.as_bytes())?;
        (self.saved, self.last, self.took) = (sizes, Instant::now(), began.elapsed());
        Ok(())
    }
}
