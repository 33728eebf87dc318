//! Files that people name: read within limits, and what the system says of them in words that say what to do.
//!
//! In: a path and the [`Kind`] of file that is expected there. Out: its bytes or its text; or one line with the path, what is
//! wrong and the remedy. Folders, pipes and devices are refused before they are opened, since reading one may never end;
//! `/dev/stdin` and `/dev/fd/3` are what the shell has opened for this process, and are read as files are.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

/// A kind of file: what is expected of it, and what helps where something else is.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// With its article: `a scenario file`.
    pub noun: &'static str,
    /// Largest size, in bytes.
    pub most: u64,
    /// What to do if the file is not there.
    pub missing: &'static str,
    /// What to do if a folder, a pipe or a device is there.
    pub instead: &'static str,
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Nothing is there.
    #[error("cannot read {}: {what}; {remedy}", shown(file))]
    Missing {
        /// The file, as it was named.
        file: PathBuf,
        /// What is not there: the file, or what a link leads to.
        what: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// It is no file.
    #[error("cannot read {}: it is {what}; {remedy}", shown(file))]
    NoFile {
        /// As it was named.
        file: PathBuf,
        /// A folder, a pipe, a device.
        what: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// It is larger than any of its kind.
    #[error("{}: larger than {}; is this {noun}?", shown(file), size(*most))]
    TooLarge {
        /// As it was named.
        file: PathBuf,
        /// The limit, in bytes.
        most: u64,
        /// What it should be.
        noun: &'static str,
    },
    /// It is not UTF-8.
    #[error("{}: not text; is this {noun}?", shown(file))]
    NoText {
        /// As it was named.
        file: PathBuf,
        /// What it should be.
        noun: &'static str,
    },
    /// The system refuses.
    #[error("cannot read {}: {}", shown(file), words(source))]
    System {
        /// As it was named.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Reads a file of this kind.
///
/// # Errors
/// If it is not there, is no file, is too large, or the system refuses.
pub fn read(path: &Path, kind: &Kind) -> Result<Vec<u8>, ReadError> {
    let file = || path.to_path_buf();
    let system = |source: io::Error| match source.kind() {
        ErrorKind::NotFound => {
            let is_link = std::fs::symlink_metadata(path).is_ok();
            let what = if is_link { "it is a link to what is not there" } else { "it is not there" };
            ReadError::Missing { file: file(), what, remedy: kind.missing }
        }
        _ => ReadError::System { file: file(), source },
    };
    let found = std::fs::metadata(path).map_err(system)?;
    if let Some(what) = no_file(path, &found) {
        return Err(ReadError::NoFile { file: file(), what, remedy: kind.instead });
    }
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that is too large, whatever it says of its length.
    File::open(path).map_err(system)?.take(kind.most + 1).read_to_end(&mut bytes).map_err(system)?;
    if bytes.len() as u64 > kind.most {
        return Err(ReadError::TooLarge { file: file(), most: kind.most, noun: kind.noun });
    }
    Ok(bytes)
}

/// Reads a text file of this kind.
///
/// # Errors
/// As [`read`]; and if it is not UTF-8.
pub fn read_text(path: &Path, kind: &Kind) -> Result<String, ReadError> {
    String::from_utf8(read(path, kind)?).map_err(|_| ReadError::NoText { file: path.to_path_buf(), noun: kind.noun })
}

/// What stands here in place of a file, if nothing can be read of it without perhaps waiting for ever.
fn no_file(path: &Path, found: &Metadata) -> Option<&'static str> {
    if found.is_dir() {
        return Some("a folder");
    }
    (!found.is_file() && !is_inherited(path)).then(|| special(found))
}

/// What the shell has opened for this process: `/dev/stdin`, and `/dev/fd/63` of `<(...)`.
fn is_inherited(path: &Path) -> bool {
    path == Path::new("/dev/stdin") || path.starts_with("/dev/fd") || path.starts_with("/proc/self/fd")
}

/// The word for what is neither a file nor a folder.
fn special(found: &Metadata) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        let kind = found.file_type();
        if kind.is_fifo() {
            return "a pipe";
        }
        if kind.is_socket() {
            return "a socket";
        }
    }
    let _ = found;
    "a device"
}

/// Why a file cannot be written, with the remedy: a line that names it.
pub fn cannot_write(file: &Path, error: &io::Error) -> String {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let text = match (error.kind(), folder) {
        (ErrorKind::NotFound, Some(folder)) => {
            format!("the folder {} is not there; make it, or name another file", shown(folder))
        }
        (ErrorKind::IsADirectory, _) => "it is a folder; name a file in it".to_string(),
        (ErrorKind::NotADirectory, Some(folder)) => {
            format!("{} is not a folder; name another file", shown(folder))
        }
        (kind, _) => {
            let remedy = match kind {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "; make room, or name a place on another disk",
                ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => "; name a place that can be written",
                ErrorKind::FileTooLarge => "; raise the limit (ulimit -f)",
                ErrorKind::InvalidFilename => "; give a shorter name",
                _ => "",
            };
            format!("{error}{remedy}")
        }
    };
    format!("cannot write {}: {text}", shown(file))
}

/// Whether a file cannot be written because of how it was named, and not because of the machine.
pub fn is_misnamed(error: &io::Error) -> bool {
    use ErrorKind::{InvalidFilename, IsADirectory, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | IsADirectory | NotADirectory | InvalidFilename)
}

/// What the system says of a path that is there or should be, in words that say what to do.
pub fn words(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "it is not there; correct the path".to_string(),
        ErrorKind::NotADirectory => "a part of its path is a file, not a folder; correct the path".to_string(),
        ErrorKind::IsADirectory => "it is a folder; name a file".to_string(),
        ErrorKind::PermissionDenied => format!("{error}; give yourself the right to (chmod), or name another one"),
        ErrorKind::InvalidFilename => format!("{error}; correct the path"),
        _ => error.to_string(),
    }
}

/// A path as messages show it: on one line, and nothing in it moves the cursor.
pub fn shown(path: &Path) -> String {
    let mut shown = String::new();
    for c in path.to_string_lossy().chars() {
        match c {
            c if c.is_control() => shown.extend(c.escape_debug()),
            c => shown.push(c),
        }
    }
    shown
}

/// A limit in the unit that it was meant in.
fn size(bytes: u64) -> String {
    match bytes {
        _ if bytes < 2 << 20 => format!("{} KiB", bytes >> 10),
        _ if bytes < 1 << 30 => format!("{} MiB", bytes >> 20),
        _ => format!("{} GiB", bytes >> 30),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: Kind = Kind { noun: "a letter", most: 2048, missing: "write it", instead: "name a letter" };

    #[test]
    fn what_is_no_file_is_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let said = |name: &str| {
            let text = read_text(&at(name), &KIND).unwrap_err().to_string();
            text.replace(&folder.path().display().to_string(), "D")
        };
        assert_eq!(said("none"), "cannot read D/none: it is not there; write it");
        assert_eq!(said(""), "cannot read D/: it is a folder; name a letter");
        std::fs::write(at("large"), [b'a'; 2049]).unwrap();
        assert_eq!(said("large"), "D/large: larger than 2 KiB; is this a letter?");
        assert_eq!(
            said("large/x"),
            "cannot read D/large/x: a part of its path is a file, not a folder; correct the path"
        );
        std::fs::write(at("bytes"), [0xff]).unwrap();
        assert_eq!(said("bytes"), "D/bytes: not text; is this a letter?");
        std::fs::write(at("fits"), [b'a'; 2048]).unwrap();
        assert_eq!(read(&at("fits"), &KIND).unwrap().len(), 2048);
    }

    #[test]
    #[cfg(unix)]
    fn links_to_nothing_and_devices_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("a\nb\u{1b}");
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        let text = read(&link, &KIND).unwrap_err().to_string();
        assert!(text.ends_with("/a\\nb\\u{1b}: it is a link to what is not there; write it"), "{text}");
        let text = read(Path::new("/dev/zero"), &KIND).unwrap_err().to_string();
        assert_eq!(text, "cannot read /dev/zero: it is a device; name a letter");
    }

    #[test]
    fn what_cannot_be_written_comes_with_the_remedy() {
        let said = |kind: ErrorKind| cannot_write(Path::new("no/f"), &kind.into());
        assert_eq!(
            said(ErrorKind::NotFound),
            "cannot write no/f: the folder no is not there; make it, or name another file"
        );
        assert_eq!(said(ErrorKind::IsADirectory), "cannot write no/f: it is a folder; name a file in it");
        assert_eq!(said(ErrorKind::NotADirectory), "cannot write no/f: no is not a folder; name another file");
        assert!(said(ErrorKind::StorageFull).ends_with("; make room, or name a place on another disk"));
    }
}
