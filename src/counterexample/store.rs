//! Counterexamples on disk: new ones are written beside the scenario, all of a file or nothing.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use super::Counterexample;
use crate::files::cannot_write;
use crate::scenario::Scenario;

/// Writes a counterexample as `*.cx.new`, unless the corpus has it already; returns the file.
///
/// # Errors
/// The file that could not be written, why, and what helps.
pub fn save(scenario: &Scenario, counterexample: &Counterexample) -> Result<PathBuf, String> {
    let folder = scenario.file.parent().unwrap_or(Path::new(""));
    let name = counterexample.file_name(&scenario.name);
    let accepted = folder.join(&name);
    if accepted.exists() {
        return Ok(accepted);
    }
    let file = folder.join(format!("{name}.new"));
    match write_atomically(&file, counterexample.text().as_bytes()) {
        Ok(()) => Ok(file),
        Err(error) => Err(cannot_write(&file, &error)),
    }
}

/// Writes a file that a user names: all of it or nothing if it is a plain one, also at the end of links; what else has the name,
/// such as a pipe or a device, is written to and stays what it is.
///
/// # Errors
/// What the system says.
pub fn write_named(file: &Path, bytes: &[u8]) -> io::Result<()> {
    match place(file)? {
        Place::Plain(file) => write_atomically(&file, bytes),
        Place::Special => OpenOptions::new().write(true).open(file)?.write_all(bytes),
    }
}

/// Whether such a file could be written now; nothing is.
///
/// # Errors
/// What the system says.
pub fn try_named(file: &Path) -> io::Result<()> {
    match place(file)? {
        Place::Plain(file) => std::fs::remove_file(write_aside(&file, &[])?),
        // To open a pipe would tell its reader that nothing comes.
        Place::Special => Ok(()),
    }
}

/// What has a name, or would have it.
enum Place {
    /// A plain file, with all links resolved.
    Plain(PathBuf),
    /// A pipe, a device, or what else cannot be replaced.
    Special,
}

fn place(file: &Path) -> io::Result<Place> {
    match std::fs::metadata(file) {
        Ok(found) if found.is_dir() => Err(ErrorKind::IsADirectory.into()),
        Ok(found) if !found.is_file() => Ok(Place::Special),
        Ok(_) => file.canonicalize().map(Place::Plain),
        // A link to a file that is still to be made; what it leads to may be another one.
        Err(error) if error.kind() == ErrorKind::NotFound => match std::fs::read_link(file) {
            Ok(next) => place(&file.parent().unwrap_or(Path::new("")).join(next)),
            Err(_) => Ok(Place::Plain(file.to_path_buf())),
        },
        Err(error) => Err(error),
    }
}

/// Writes a file under another name first, so that nobody sees half of it. It replaces what has the name, be it a link: of names
/// that nobody has chosen.
///
/// # Errors
/// What the system says.
pub fn write_atomically(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = write_aside(file, bytes)?;
    std::fs::rename(&temporary, file).inspect_err(|_| {
        let _ = std::fs::remove_file(&temporary);
    })
}

/// Likewise, a file that is not there yet.
///
/// # Errors
/// `AlreadyExists`, or what the system says.
pub fn write_new(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = write_aside(file, bytes)?;
    let linked = std::fs::hard_link(&temporary, file);
    let _ = std::fs::remove_file(&temporary);
    linked
}

/// Writes the bytes to a file beside this one that nobody else has: neither a link that waits under its name nor another process
/// gets in between.
fn write_aside(file: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    static WRITTEN: AtomicU64 = AtomicU64::new(0);
    loop {
        let nth = WRITTEN.fetch_add(1, Ordering::Relaxed);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.subsec_nanos());
        let mut name = file.file_name().unwrap_or_default().to_os_string();
        name.push(format!(".{}-{nth}-{now}.tmp", std::process::id()));
        let temporary = file.with_file_name(name);
        let mut open = match OpenOptions::new().write(true).create_new(true).open(&temporary) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            opened => opened?,
        };
        let written = open.write_all(bytes).and_then(|()| open.sync_all());
        return written.map(|()| temporary.clone()).inspect_err(|_| {
            let _ = std::fs::remove_file(&temporary);
        });
    }
}
