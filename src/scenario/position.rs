//! Positions: from a byte of a text that was unescaped or rewritten back to the line and column of the scenario file.

use std::ops::Range;
use std::path::Path;

use super::error::ScenarioError;

/// The text of a scenario file and its name, for errors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    pub(crate) file: &'a Path,
    pub(crate) text: &'a str,
}

impl Source<'_> {
    /// Line and column, both from 1, of a byte; a byte past the end is the end. Columns count characters.
    pub(crate) fn position(&self, byte: usize) -> (usize, usize) {
        let before = &self.text[..floor_boundary(self.text, byte)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    pub(crate) fn error(&self, byte: usize, text: impl Into<String>) -> ScenarioError {
        let (line, column) = self.position(byte);
        ScenarioError::Invalid { file: self.file.to_path_buf(), line, column, text: text.into() }
    }

    /// An error about a line, from 1.
    pub(crate) fn error_at_line(&self, line: usize, text: impl Into<String>) -> ScenarioError {
        let byte = self.text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        self.error(byte, text)
    }

    /// The byte of the file at which byte `decoded` of a string starts, `literal` being the string with its quotes.
    pub(crate) fn byte_in_string(&self, literal: Range<usize>, decoded: usize) -> usize {
        let raw = self.text.get(literal.clone()).unwrap_or("");
        literal.start + raw_offset(raw, decoded)
    }
}

fn floor_boundary(text: &str, byte: usize) -> usize {
    (0..=byte.min(text.len())).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0)
}

/// Offset in a TOML string literal, quotes included, of byte `decoded` of the string it stands for.
fn raw_offset(raw: &str, decoded: usize) -> usize {
    let quote = &raw[..raw.len().min(1)];
    let triple = quote.repeat(3);
    let mut at = if raw.starts_with(&triple) && raw.len() >= 6 { 3 } else { quote.len() };
    if at == 3 {
        // A newline right after the opening quotes is not part of the string.
        at += if raw[at..].starts_with("\r\n") { 2 } else { usize::from(raw[at..].starts_with('\n')) };
    }
    let escapes = quote == "\"";
    let mut remaining = decoded;
    while remaining > 0 {
        let Some(c) = raw[at..].chars().next() else {
            break;
        };
        let (width, bytes) = if escapes && c == '\\' { escape(&raw[at..]) } else { (c.len_utf8(), c.len_utf8()) };
        at += width;
        remaining = remaining.saturating_sub(bytes);
    }
    at.min(raw.len())
}

/// Width of the escape that `raw` starts with, and the number of bytes it stands for.
fn escape(raw: &str) -> (usize, usize) {
    let hex = |digits: usize| {
        let code = raw.get(2..2 + digits).and_then(|hex| u32::from_str_radix(hex, 16).ok());
        (2 + digits, code.and_then(char::from_u32).map_or(1, char::len_utf8))
    };
    let (width, bytes) = match raw.as_bytes().get(1) {
        Some(b'x') => hex(2),
        Some(b'u') => hex(4),
        Some(b'U') => hex(8),
        // A backslash at the end of a line swallows all white space after it.
        Some(b' ' | b'\t' | b'\r' | b'\n') => (raw.len() - raw[1..].trim_start().len(), 0),
        _ => (2, 1),
    };
    (width.min(raw.len()), bytes)
}

/// Where the pieces of a rewritten text come from.
#[derive(Clone, Debug, Default)]
pub(crate) struct OffsetMap {
    /// Start in the rewritten text, start in the original, and whether the piece was copied.
    pieces: Vec<(usize, usize, bool)>,
}

impl OffsetMap {
    /// Says that the rewritten text goes on at `rewritten` with what was at `original`; `copied` if byte by byte.
    pub(crate) fn push(&mut self, rewritten: usize, original: usize, copied: bool) {
        self.pieces.push((rewritten, original, copied));
    }

    /// The original byte behind a byte of the rewritten text.
    pub(crate) fn original(&self, rewritten: usize) -> usize {
        match self.pieces.iter().rev().find(|piece| piece.0 <= rewritten) {
            Some(&(start, original, true)) => original + (rewritten - start),
            Some(&(_, original, false)) => original,
            None => rewritten,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_from_one() {
        let source = Source { file: Path::new("s.toml"), text: "a\nñé = 1\n" };
        assert_eq!(source.position(0), (1, 1));
        assert_eq!(source.position(2), (2, 1));
        assert_eq!(source.position(6), (2, 3));
        assert_eq!(source.position(5), (2, 2));
        assert_eq!(source.position(1000), (3, 1));
        assert_eq!(source.error(6, "bad").to_string(), "s.toml:2:3: bad");
    }

    #[test]
    fn a_byte_of_a_string_is_found_behind_escapes() {
        assert_eq!(raw_offset("'abc'", 1), 2);
        assert_eq!(raw_offset(r#""a\"b\u00e9c""#, 2), 4);
        assert_eq!(raw_offset(r#""a\"b\u00e9c""#, 5), 11);
        assert_eq!(raw_offset("\"\"\"\nab\"\"\"", 1), 5);
        assert_eq!(raw_offset("\"\"\"a\\\n   b\"\"\"", 1), 4);
        assert_eq!(raw_offset("'''ab'''", 1), 4);
        assert_eq!(raw_offset("''", 5), 2);
        assert_eq!(raw_offset("", 5), 0);
        assert_eq!(raw_offset("\"\\", 5), 2);
    }

    #[test]
    fn the_map_leads_from_the_rewritten_text_to_the_original() {
        // "ab${x}cd" became "abVALUEcd".
        let mut map = OffsetMap::default();
        map.push(0, 0, true);
        map.push(2, 2, false);
        map.push(7, 6, true);
        assert_eq!([1, 2, 5, 7, 8].map(|i| map.original(i)), [1, 2, 2, 6, 7]);
    }
}
