//! Line tables of a module, as compilers leave them in its DWARF sections.
//!
//! In: a module. Out: for an offset in its code the source file and line. Offsets count from the start of the code section's
//! contents, as DWARF for wasm has them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use gimli::{Dwarf, EndianSlice, LineProgramHeader, LineRow, LittleEndian, Unit};
use wasmparser::{Parser, Payload};

type Bytes<'a> = EndianSlice<'a, LittleEndian>;

/// The tables of all its units.
#[derive(Debug, Default)]
pub struct Tables {
    /// Source files.
    pub files: Vec<String>,
    /// Where the instructions of a line begin, in order: file, by position, and line; `None` where nothing is said of them.
    rows: Vec<(u64, Option<(u32, u32)>)>,
}

impl Tables {
    /// Reads them; a module without any has empty ones.
    ///
    /// # Errors
    /// If they are not as they should be.
    pub fn read(wasm: &[u8]) -> Result<Tables, gimli::Error> {
        let mut sections: BTreeMap<&str, &[u8]> = BTreeMap::new();
        let mut size = 0;
        // The module is valid; after an error there is nothing more to find.
        for payload in Parser::new(0).parse_all(wasm).map_while(Result::ok) {
            match payload {
                Payload::CodeSectionStart { size: bytes, .. } => size = u64::from(bytes),
                Payload::CustomSection(section) => {
                    sections.insert(section.name(), section.data());
                }
                _ => {}
            }
        }
        let section = |id: gimli::SectionId| sections.get(id.name()).copied().unwrap_or_default();
        let dwarf = Dwarf::load(|id| Ok::<_, gimli::Error>(EndianSlice::new(section(id), LittleEndian)))?;
        let mut tables = Tables::default();
        let mut sequences = Vec::new();
        let mut numbers = BTreeMap::new();
        let mut units = dwarf.units();
        while let Some(header) = units.next()? {
            let unit = dwarf.unit(header)?;
            let Some(program) = unit.line_program.clone() else { continue };
            let mut known: BTreeMap<u64, Option<u32>> = BTreeMap::new();
            let mut sequence: Vec<(u64, Option<(u32, u32)>)> = Vec::new();
            let mut rows = program.rows();
            while let Some((header, row)) = rows.next_row()? {
                if row.end_sequence() {
                    sequence.push((row.address(), None));
                    let sequence = std::mem::take(&mut sequence);
                    // Code that the linker left out is said to be at 0, or beyond all code.
                    if (1..size).contains(&sequence[0].0) {
                        sequences.push(sequence);
                    }
                    continue;
                }
                let file = match known.get(&row.file_index()) {
                    Some(&file) => file,
                    None => {
                        let path = path(&dwarf, &unit, header, row)?;
                        let next = numbers.len() as u32;
                        let file = path.map(|path| *numbers.entry(path).or_insert(next));
                        *known.entry(row.file_index()).or_insert(file)
                    }
                };
                let line = row.line().and_then(|line| u32::try_from(line.get()).ok());
                sequence.push((row.address(), file.zip(line)));
            }
        }
        sequences.sort_by_key(|sequence| sequence[0].0);
        tables.rows = sequences.concat();
        // Else nothing could be looked up; well-formed sequences do not overlap.
        tables.rows.sort_by_key(|(offset, _)| *offset);
        tables.files = vec![String::new(); numbers.len()];
        for (path, number) in numbers {
            tables.files[number as usize] = path;
        }
        Ok(tables)
    }

    /// The file, by position, and the line of the instruction at this offset.
    pub fn line(&self, offset: u64) -> Option<(u32, u32)> {
        let behind = self.rows.partition_point(|(start, _)| *start <= offset);
        self.rows[..behind].last()?.1
    }
}

/// Path of a row's source file; relative ones are relative to the folder in which the compiler ran.
fn path(
    dwarf: &Dwarf<Bytes<'_>>,
    unit: &Unit<Bytes<'_>>,
    header: &LineProgramHeader<Bytes<'_>>,
    row: &LineRow,
) -> Result<Option<String>, gimli::Error> {
    let Some(file) = row.file(header) else { return Ok(None) };
    let mut path = PathBuf::new();
    if let Some(folder) = unit.comp_dir {
        path.push(&*folder.to_string_lossy());
    }
    // Folder 0 is the compiler's again.
    if let Some(folder) = file.directory(header).filter(|_| file.directory_index() != 0) {
        path.push(&*dwarf.attr_string(unit, folder)?.to_string_lossy());
    }
    path.push(&*dwarf.attr_string(unit, file.path_name())?.to_string_lossy());
    let text: String = path.to_string_lossy().chars().filter(|c| !c.is_control()).collect();
    Ok(Some(text))
}
