//! What a module says of its source: line tables, as compilers leave them in its DWARF sections, and names of functions.
//!
//! In: a module. Out: for an offset in its code the source files and lines: that of the instruction, and where it was inlined
//! those of the calls around it, without which a line that only calls small functions would have no code. Offsets count from
//! the start of the code section's contents, as DWARF for wasm has them.

use std::collections::{BTreeMap, BTreeSet};

use addr2line::{Context, Location};
use gimli::{Dwarf, EndianSlice, Error, LittleEndian};
use wasmparser::{BinaryReaderError, KnownCustom, Name, Parser, Payload, TypeRef};

/// The tables of all units of a module.
pub struct Tables<'a> {
    context: Option<Context<EndianSlice<'a, LittleEndian>>>,
    files: BTreeMap<String, u32>,
    /// Why they, or parts of them, cannot be read.
    pub trouble: Option<String>,
}

impl Tables<'_> {
    /// Reads them; a module without any has empty ones.
    pub fn read(wasm: &[u8]) -> Tables<'_> {
        let mut sections: BTreeMap<&str, &[u8]> = BTreeMap::new();
        // The module is valid; after an error there is nothing more to find.
        for payload in Parser::new(0).parse_all(wasm).map_while(Result::ok) {
            if let Payload::CustomSection(section) = payload {
                sections.insert(section.name(), section.data());
            }
        }
        let section = |id: gimli::SectionId| sections.get(id.name()).copied().unwrap_or_default();
        let dwarf = Dwarf::load(|id| Ok::<_, Error>(EndianSlice::new(section(id), LittleEndian)));
        let mut tables = Tables { context: None, files: BTreeMap::new(), trouble: None };
        match dwarf.and_then(Context::from_dwarf) {
            Ok(context) => tables.context = Some(context),
            Err(error) => tables.trouble = Some(error.to_string()),
        }
        tables
    }

    /// File, by number, and line of the instruction at this offset.
    pub fn line(&mut self, offset: u64) -> Option<(u32, u32)> {
        let found = self.context.as_ref()?.find_location(offset);
        match found {
            Ok(location) => numbered(&mut self.files, &location?),
            Err(error) => self.fail(error),
        }
    }

    /// Adds the lines of the instruction at this offset.
    pub fn lines(&mut self, offset: u64, lines: &mut BTreeSet<(u32, u32)>) {
        let Some(context) = &self.context else { return };
        let mut found = || -> Result<(), Error> {
            let mut frames = context.find_frames(offset).skip_all_loads()?;
            while let Some(frame) = frames.next()? {
                lines.extend(frame.location.and_then(|location| numbered(&mut self.files, &location)));
            }
            Ok(())
        };
        if let Err(error) = found() {
            self.fail::<()>(error);
        }
    }

    /// Files and lines of the instruction at this offset and of the calls around it that were inlined, innermost first.
    pub fn frames(&mut self, offset: u64) -> Vec<(String, u32)> {
        let Some(context) = &self.context else { return Vec::new() };
        let mut all = Vec::new();
        let mut found = || -> Result<(), Error> {
            let mut frames = context.find_frames(offset).skip_all_loads()?;
            while let Some(frame) = frames.next()? {
                all.extend(frame.location.and_then(|location| Some((location.file?.to_string(), location.line?))));
            }
            Ok(())
        };
        if let Err(error) = found() {
            self.fail::<()>(error);
        }
        all
    }

    fn fail<T>(&mut self, error: Error) -> Option<T> {
        self.trouble.get_or_insert_with(|| error.to_string());
        None
    }

    /// Source files, by number.
    pub fn files(&self) -> Vec<String> {
        let mut files = vec![String::new(); self.files.len()];
        for (file, number) in &self.files {
            files[*number as usize].clone_from(file);
        }
        files
    }
}

fn numbered(files: &mut BTreeMap<String, u32>, location: &Location<'_>) -> Option<(u32, u32)> {
    let (file, line) = (location.file?, location.line.filter(|line| *line > 0)?);
    // Reports have one line for a file.
    let file: String = file.chars().filter(|c| !c.is_control()).collect();
    let next = files.len() as u32;
    Some((*files.entry(file).or_insert(next), line))
}

/// Names of the functions that a module defines, each another one. Names are there to be read, so what is wrong with them is
/// no error.
pub fn names(wasm: &[u8]) -> Result<Vec<String>, BinaryReaderError> {
    let (mut imported, mut defined) = (0, 0);
    let mut named: BTreeMap<u32, String> = BTreeMap::new();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::ImportSection(reader) => {
                for import in reader.into_imports() {
                    imported += u32::from(matches!(import?.ty, TypeRef::Func(_)));
                }
            }
            Payload::FunctionSection(reader) => defined = reader.count(),
            Payload::CustomSection(section) => {
                let KnownCustom::Name(reader) = section.as_known() else { continue };
                for names in reader.into_iter().flatten() {
                    let Name::Function(names) = names else { continue };
                    let names = names.into_iter().flatten();
                    named.extend(names.map(|naming| (naming.index, readable(naming.name))));
                }
            }
            _ => {}
        }
    }
    let mut taken = BTreeSet::new();
    let unique = |index: u32| {
        let name = named.get(&index).filter(|name| !name.is_empty());
        let name = name.map_or_else(|| format!("function {index}"), Clone::clone);
        // Code that is generic exists several times under one name.
        if taken.insert(name.clone()) { name } else { format!("{name} (function {index})") }
    };
    Ok((imported..imported + defined).map(unique).collect())
}

/// A name as it is in the source, on one line.
fn readable(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name)).split_whitespace().collect::<Vec<_>>().join(" ")
}
