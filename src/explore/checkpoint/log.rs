//! The file of a checkpoint: records in order, each with its number, its length and hashes of both.
//!
//! In: the bytes of a record, to be appended. Out: the records, one after the other. What a killed run or a power cut left
//! of a last record is cut off; a damaged record that others follow is an error, because something other than that
//! happened. A length is believed only if its hash is right and the file is that long.
//!
//! ```text
//! file     "canloom checkpoint\n", format (u32), record*
//! record   mark (8 bytes), number (u64), length (u64), hash of the bytes (u128), hash of all that (u64), bytes
//! ```
//! Numbers are little-endian, hashes xxh3.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::CheckpointError;

const MAGIC: &[u8; 19] = b"canloom checkpoint\n";
/// Number of this format.
const FORMAT: u32 = 2;
const BEGIN: u64 = MAGIC.len() as u64 + 4;
/// Where a record begins: bytes that no text holds.
const MARK: [u8; 8] = [0x9e, 0xc1, 0x00, 0xff, 0x6c, 0x6f, 0x6f, 0xfd];
const HEAD: usize = 48;
/// Bytes looked through at a time.
const WINDOW: usize = 1 << 20;

/// A log that is read to its end, then appended to.
#[derive(Debug)]
pub struct Log {
    name: PathBuf,
    file: File,
    /// Where the next record begins, and its number.
    end: u64,
    number: u64,
}

/// What stands before the bytes of a record.
struct Head {
    number: u64,
    length: u64,
    hash: u128,
}

impl Head {
    fn bytes(&self) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        bytes[..8].copy_from_slice(&MARK);
        bytes[8..16].copy_from_slice(&self.number.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.length.to_le_bytes());
        bytes[24..40].copy_from_slice(&self.hash.to_le_bytes());
        let check = xxh3_64(&bytes[..40]);
        bytes[40..].copy_from_slice(&check.to_le_bytes());
        bytes
    }

    /// The head that these bytes are, if they are one.
    fn of(bytes: &[u8; HEAD]) -> Option<Head> {
        let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        let hash = u128::from_le_bytes(bytes[24..40].try_into().expect("sixteen bytes"));
        let head = Head { number: number(8), length: number(16), hash };
        (head.bytes() == *bytes).then_some(head)
    }
}

impl Log {
    /// Makes a log with a first record. It is complete or not there, whatever happens meanwhile.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn create(name: &Path, first: &[u8]) -> Result<Log, CheckpointError> {
        let new = name.with_extension("new");
        let cannot = |error: io::Error| {
            let _ = std::fs::remove_file(&new);
            CheckpointError::Outside(format!("cannot write {}: {error}", name.display()))
        };
        let mut file = File::options().read(true).write(true).create(true).truncate(true).open(&new).map_err(cannot)?;
        let begin = [MAGIC.as_slice(), &FORMAT.to_le_bytes()].concat();
        file.write_all(&begin).map_err(cannot)?;
        let mut log = Log { name: name.to_path_buf(), file, end: BEGIN, number: 0 };
        log.write(first).map_err(cannot)?;
        std::fs::rename(&new, name).map_err(cannot)?;
        // Elsewhere a directory is no file that can be opened.
        if cfg!(unix) {
            let folder = name.parent().map_or_else(|| File::open("."), File::open);
            folder.and_then(|folder| folder.sync_all()).map_err(cannot)?;
        }
        Ok(log)
    }

    /// Opens a log at its first record.
    ///
    /// # Errors
    /// If it cannot be read, or is no log of this format.
    pub fn open(name: &Path) -> Result<Log, CheckpointError> {
        let mut file = File::options().read(true).write(true).open(name).map_err(|error| unreadable(name, &error))?;
        let mut begin = [0; BEGIN as usize];
        let is_whole = match file.read_exact(&mut begin) {
            Ok(()) => true,
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => false,
            Err(error) => return Err(unreadable(name, &error)),
        };
        let (magic, format) = begin.split_at(MAGIC.len());
        if !is_whole || magic != MAGIC {
            return Err(CheckpointError::Input(format!(
                "{} is not a checkpoint of canloom; name another directory",
                name.display()
            )));
        }
        let format = u32::from_le_bytes(format.try_into().expect("four bytes"));
        if format != FORMAT {
            return Err(CheckpointError::Input(format!(
                "{}: the checkpoint has format {format}, and this canloom reads and writes format {FORMAT}; use the \
                 canloom that made it, another directory, or delete this one",
                name.display()
            )));
        }
        Ok(Log { name: name.to_path_buf(), file, end: BEGIN, number: 0 })
    }

    /// The file.
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// The next record; `None` if there is no further one that is whole.
    ///
    /// # Errors
    /// If the file cannot be read, or if it is damaged and goes on after that.
    pub fn next(&mut self) -> Result<Option<Vec<u8>>, CheckpointError> {
        let read = self.read();
        match read {
            Ok(Some(bytes)) => {
                self.end += (HEAD + bytes.len()) as u64;
                self.number += 1;
                Ok(Some(bytes))
            }
            Ok(None) if self.goes_on().map_err(|error| unreadable(&self.name, &error))? => {
                Err(CheckpointError::Input(format!(
                    "{}: record {} at byte {} is damaged, and others follow it; delete the directory, or take an older \
                     copy of it",
                    self.name.display(),
                    self.number,
                    self.end
                )))
            }
            Ok(None) => Ok(None),
            Err(error) => Err(unreadable(&self.name, &error)),
        }
    }

    /// The record at the end of what was read; `None` if it is not whole.
    fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        let left = self.file.metadata()?.len().saturating_sub(self.end);
        let Some(left) = left.checked_sub(HEAD as u64) else { return Ok(None) };
        self.file.seek(SeekFrom::Start(self.end))?;
        let mut head = [0; HEAD];
        self.file.read_exact(&mut head)?;
        let Some(head) = Head::of(&head) else { return Ok(None) };
        if head.number != self.number || head.length > left {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        (&self.file).take(head.length).read_to_end(&mut bytes)?;
        Ok((bytes.len() as u64 == head.length && xxh3_128(&bytes) == head.hash).then_some(bytes))
    }

    /// Whether a later record begins at this place or somewhere after it.
    fn goes_on(&mut self) -> io::Result<bool> {
        let mut at = self.end;
        let mut window = Vec::new();
        loop {
            window.clear();
            self.file.seek(SeekFrom::Start(at))?;
            (&self.file).take((WINDOW + HEAD) as u64).read_to_end(&mut window)?;
            let begins = |bytes: &[u8]| {
                let head: &[u8; HEAD] = bytes.try_into().expect("as long as a head");
                bytes.starts_with(&MARK) && Head::of(head).is_some_and(|head| head.number > self.number)
            };
            if window.windows(HEAD).any(begins) {
                return Ok(true);
            }
            if window.len() < WINDOW + HEAD {
                return Ok(false);
            }
            at += WINDOW as u64;
        }
    }

    /// Appends a record, which is on the disk when this returns. What stands behind the last record that was read goes.
    ///
    /// # Errors
    /// If it cannot be written; all before it is as it was.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), CheckpointError> {
        let Err(error) = self.write(bytes) else { return Ok(()) };
        // Should this fail too, the next run finds a part of a record at the end and cuts it off.
        let _ = self.file.set_len(self.end);
        Err(CheckpointError::Outside(format!(
            "cannot write {}: {error}; the checkpoint holds everything up to the save before, and a run with the same \
             directory goes on from there",
            self.name.display()
        )))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let head = Head { number: self.number, length: bytes.len() as u64, hash: xxh3_128(bytes) };
        self.file.set_len(self.end)?;
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(&head.bytes())?;
        self.file.write_all(bytes)?;
        self.file.sync_data()?;
        self.end += (HEAD + bytes.len()) as u64;
        self.number += 1;
        Ok(())
    }
}

fn unreadable(name: &Path, error: &io::Error) -> CheckpointError {
    CheckpointError::Outside(format!("cannot read {}: {error}", name.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDS: [&[u8]; 3] = [b"first", b"", b"the third one"];

    fn records(name: &Path) -> Result<Vec<Vec<u8>>, CheckpointError> {
        let mut log = Log::open(name)?;
        std::iter::from_fn(|| log.next().transpose()).collect()
    }

    fn log() -> (tempfile::TempDir, PathBuf, Vec<u8>) {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let name = folder.path().join("log");
        let mut log = Log::create(&name, RECORDS[0]).expect("it can be written");
        RECORDS[1..].iter().for_each(|record| log.append(record).expect("it can be written"));
        let bytes = std::fs::read(&name).expect("it is there");
        (folder, name, bytes)
    }

    #[test]
    fn records_come_back_in_order() {
        let (_folder, name, _) = log();
        assert_eq!(records(&name).expect("they are whole"), RECORDS);
    }

    #[test]
    fn what_was_cut_off_anywhere_is_passed_over_and_written_anew() {
        let (_folder, name, bytes) = log();
        let ends = [BEGIN as usize + HEAD + 5, BEGIN as usize + 2 * HEAD + 5, bytes.len()];
        for end in BEGIN as usize..bytes.len() {
            std::fs::write(&name, &bytes[..end]).expect("it can be written");
            let whole = ends.iter().filter(|whole| **whole <= end).count();
            let mut log = Log::open(&name).expect("a log");
            for record in &RECORDS[..whole] {
                assert_eq!(log.next().expect("whole").as_deref(), Some(*record));
            }
            assert_eq!(log.next().expect("cut off, not damaged"), None);
            log.append(b"another").expect("it can be written");
            let expected: Vec<&[u8]> = RECORDS[..whole].iter().copied().chain([b"another".as_slice()]).collect();
            assert_eq!(records(&name).expect("whole"), expected);
        }
    }

    #[test]
    fn a_flipped_bit_cuts_off_the_last_record_and_is_an_error_before_it() {
        let (_folder, name, bytes) = log();
        let last = bytes.len() - HEAD - RECORDS[2].len();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&name, &changed).expect("it can be written");
            match records(&name) {
                Ok(whole) => {
                    assert_eq!((whole.as_slice(), bit / 8 >= last), ([b"first".to_vec(), vec![]].as_slice(), true))
                }
                Err(CheckpointError::Input(_)) => assert!(bit / 8 < last, "bit {bit}"),
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn records_in_another_order_are_an_error() {
        let (_folder, name, bytes) = log();
        let (first, second) = (BEGIN as usize + HEAD + 5, BEGIN as usize + 2 * HEAD + 5);
        let without = [&bytes[..first], &bytes[second..]].concat();
        std::fs::write(&name, without).expect("it can be written");
        let error = records(&name).unwrap_err().to_string();
        assert!(error.contains("record 1 at byte 76 is damaged, and others follow it"), "{error}");
    }
}
