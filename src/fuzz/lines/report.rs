//! What ran, as text and as LCOV.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Coverage, Done, Function, Ran};

impl Coverage {
    /// A table for each canister, of its functions: those that ran, most blocks left first, then those that did not. Behind
    /// it the source files, and totals.
    pub fn text(&self) -> String {
        let mut out = done(&self.done);
        for ran in &self.ran {
            // A string takes everything.
            let _ = writeln!(out, "\ncanister `{}`, {}", ran.canister, ran.module.display());
            table(&mut out, ran);
        }
        out
    }

    /// The same for programs. Counts are the largest number of runs within a message, at most 255. A function of which no
    /// line is known is one of the module's file, as if that had a line for each function.
    pub fn lcov(&self) -> String {
        // Canisters can share modules, and modules source files; such a file has one record.
        let mut files: BTreeMap<String, Record<'_>> = BTreeMap::new();
        for ran in &self.ran {
            let module = ran.module.display().to_string();
            for (at, function) in ran.functions.iter().enumerate() {
                let (file, line) = function.place.clone().unwrap_or_else(|| (module.clone(), at as u32 + 1));
                let known = files.entry(file).or_default().functions.entry(&function.name).or_insert((line, 0));
                known.1 = known.1.max(function.runs);
            }
            for (file, lines) in &ran.lines {
                let record = files.entry(file.clone()).or_default();
                for (&line, &count) in lines {
                    let most = record.lines.entry(line).or_default();
                    *most = count.max(*most);
                }
            }
        }
        let mut out = String::new();
        for (file, record) in &files {
            let _ = writeln!(out, "TN:\nSF:{file}");
            for (name, (line, _)) in &record.functions {
                let _ = writeln!(out, "FN:{line},{name}");
            }
            for (name, (_, count)) in &record.functions {
                let _ = writeln!(out, "FNDA:{count},{name}");
            }
            let ran = record.functions.values().filter(|(_, count)| *count > 0).count();
            let _ = writeln!(out, "FNF:{}\nFNH:{ran}", record.functions.len());
            for (line, count) in &record.lines {
                let _ = writeln!(out, "DA:{line},{count}");
            }
            let ran = record.lines.values().filter(|count| **count > 0).count();
            let _ = writeln!(out, "LF:{}\nLH:{ran}\nend_of_record", record.lines.len());
        }
        out
    }
}

/// What LCOV has of a file.
#[derive(Default)]
struct Record<'a> {
    /// Line and count, by name.
    functions: BTreeMap<&'a str, (u32, u8)>,
    lines: BTreeMap<u32, u8>,
}

fn done(done: &Done) -> String {
    let mut out = format!("{} delivered {}\n", counted(done.inputs, "input"), counted(done.messages, "message"));
    if done.left_out > 0 {
        let _ = writeln!(out, "{} left out: not possible where an input has them", counted(done.left_out, "step"));
    }
    if let Some(why) = &done.why {
        let _ = writeln!(out, "{} not counted, because they end early: {why}", counted(done.ended_early, "input"));
    }
    out
}

fn counted(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn table(out: &mut String, ran: &Ran) {
    let mut functions: Vec<&Function> = ran.functions.iter().filter(|function| function.blocks > 0).collect();
    functions.sort_by_key(|one| (one.covered == 0, Reverse(one.blocks - one.covered), &one.name));
    let _ = writeln!(out, "{:>12}  function", "blocks");
    for function in &functions {
        let _ = writeln!(out, "{:>12}  {}", of(function.covered, function.blocks), function.name);
    }
    let sum = |part: fn(&Function) -> u32| functions.iter().map(|function| part(function)).sum::<u32>();
    let entered = functions.iter().filter(|function| function.covered > 0).count();
    if !ran.lines.is_empty() {
        let _ = writeln!(out, "{:>12}  file", "lines");
    }
    let mut lines = (0, 0);
    for (file, of_file) in &ran.lines {
        let covered = of_file.values().filter(|count| **count > 0).count();
        let _ = writeln!(out, "{:>12}  {file}", of(covered, of_file.len()));
        lines = (lines.0 + covered, lines.1 + of_file.len());
    }
    let blocks = of(sum(|function| function.covered), sum(|function| function.blocks));
    let _ = write!(out, "total: {blocks} blocks, {} functions", of(entered, functions.len()));
    let _ = match &ran.trouble {
        Some(error) => writeln!(out, "; not all of its line tables can be read: {error}"),
        None if ran.lines.is_empty() => writeln!(out, "; the module has no line tables"),
        None => writeln!(out, ", {} lines", of(lines.0, lines.1)),
    };
}

fn of(part: impl std::fmt::Display, all: impl std::fmt::Display) -> String {
    format!("{part}/{all}")
}
