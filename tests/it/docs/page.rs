//! A page of documentation, as the blocks in it that can be run.
//!
//! What a fence says after its first three marks decides:
//!
//! - `console`: a session. `$ ` begins a command, lines below it are what the terminal shows; a line `...` stands for any lines.
//! - `toml file=NAME`: a file, written before the session goes on; `append=NAME` adds to it.
//! - `sh not-run="REASON"`: commands that no test runs, and why.
//! - anything else is shown and not run, and holds no command.

use std::ops::Range;

/// A block between two fences.
pub struct Block {
    /// Number of the line of the opening fence, from 1.
    pub line: usize,
    /// What it is.
    pub kind: Kind,
    /// Its lines, by number from 0.
    pub lines: Range<usize>,
}

/// What a block is for.
#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// Commands and what they print.
    Console,
    /// A file that is written.
    File(String),
    /// A file that is made longer.
    Append(String),
    /// Commands that are not run.
    NotRun(String),
    /// Something else, of this language.
    Shown(String),
}

/// A command of a session.
#[derive(Debug, PartialEq, Eq)]
pub struct Command {
    /// Number of its line, from 1.
    pub line: usize,
    /// What is typed; lines that end in `\` go on.
    pub text: String,
    /// What is printed, by numbers of lines from 0.
    pub output: Range<usize>,
}

/// The blocks of a page, in order.
pub fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, Kind)> = None;
    for (at, line) in text.lines().enumerate() {
        let Some(info) = line.trim_start().strip_prefix("```") else { continue };
        open = match open {
            Some((start, kind)) => {
                blocks.push(Block { line: start + 1, kind, lines: start + 1..at });
                None
            }
            None => Some((at, kind(info))),
        };
    }
    assert!(open.is_none(), "a fence is not closed");
    blocks
}

fn kind(info: &str) -> Kind {
    let (language, rest) = info.split_once(' ').unwrap_or((info, ""));
    let rest = rest.trim();
    match (language, rest.split_once('=')) {
        ("console", None) => Kind::Console,
        ("sh", Some(("not-run", reason))) => Kind::NotRun(reason.trim_matches('"').to_string()),
        (_, Some(("file", name))) => Kind::File(name.to_string()),
        (_, Some(("append", name))) => Kind::Append(name.to_string()),
        _ => Kind::Shown(language.to_string()),
    }
}

/// The commands of a session.
pub fn commands(lines: &[&str], block: &Block) -> Vec<Command> {
    let mut commands: Vec<Command> = Vec::new();
    let mut goes_on = false;
    for at in block.lines.clone() {
        let line = lines[at];
        if goes_on {
            let last = commands.last_mut().expect("a command goes on");
            last.text = format!("{}\n{line}", last.text);
            last.output = at + 1..at + 1;
        } else if let Some(text) = line.strip_prefix("$ ") {
            commands.push(Command { line: at + 1, text: text.to_string(), output: at + 1..at + 1 });
        } else {
            let last = commands.last_mut().unwrap_or_else(|| panic!("line {}: output before a command", at + 1));
            last.output.end = at + 1;
            continue;
        }
        goes_on = line.ends_with('\\');
    }
    commands
}

/// Whether printed text is what a page shows, where `...` on a line of its own stands for any lines, and times and what depends on
/// how a module was compiled for any number.
pub fn matches(shown: &[&str], printed: &[&str]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((&"...", rest)) => (0..=printed.len()).any(|skip| matches(rest, &printed[skip..])),
        Some((first, rest)) => match printed.split_first() {
            Some((line, others)) => settled(first) == settled(line) && matches(rest, others),
            None => false,
        },
    }
}

/// A line without what may differ between two machines: times, sizes of a search and of modules, hashes.
pub fn settled(line: &str) -> String {
    const UNITS: [&str; 10] =
        ["s", "ms", "us", "worlds", "worlds,", "worlds;", "worlds/s", "wasm", "deliveries/s", "instructions"];
    let words: Vec<&str> = line.trim_end().split(' ').collect();
    let is_number = |word: &str| word.starts_with(|c: char| c.is_ascii_digit() || c == '(' || c == '~');
    let is_hash = |word: &str| word.len() >= 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut settled: Vec<&str> = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let unit = words.get(at + 1).is_some_and(|next| UNITS.contains(next));
        settled.push(if is_hash(word) || is_number(word) && unit { "#" } else { word });
    }
    settled.join(" ")
}

#[test]
fn a_session_is_read_command_by_command() {
    let text = "# Title\n\n```console\n$ one \\\n  more\nout\n$ two\n```\n\n```toml file=a.toml\nx = 1\n```\n\n```sh not-run=\"a server\"\nmake\n```\n";
    let lines: Vec<&str> = text.lines().collect();
    let blocks = blocks(text);
    let kinds: Vec<&Kind> = blocks.iter().map(|block| &block.kind).collect();
    assert_eq!(kinds, [&Kind::Console, &Kind::File("a.toml".into()), &Kind::NotRun("a server".into())]);
    let read = commands(&lines, &blocks[0]);
    assert_eq!(read[0], Command { line: 4, text: "one \\\n  more".to_string(), output: 5..6 });
    assert_eq!(read[1], Command { line: 7, text: "two".to_string(), output: 7..7 });
}

#[test]
fn dots_stand_for_any_lines_and_times_for_any_time() {
    assert!(matches(&["a", "...", "b in 1 s"], &["a", "x", "y", "b in 2.5 s"]));
    assert!(matches(&["a", "...", "b"], &["a", "b"]));
    assert!(!matches(&["a", "b"], &["a", "x", "b"]));
    assert!(!matches(&["14 interleavings, 29 worlds"], &["15 interleavings, 29 worlds"]));
    assert!(matches(&["14 interleavings, 29 worlds"], &["14 interleavings, 31 worlds"]));
}
