//! Foreign text as Rust: string literals, comments, identifiers. None of it can end before its text does.

/// Most characters of an identifier.
const NAME_MAX: usize = 80;
/// Most hashes around a raw string; a text that needs more is escaped.
const HASHES_MAX: usize = 4;

/// A string literal: raw where the text has quotation marks or backslashes and is otherwise plain, else escaped.
pub fn literal(text: &str) -> String {
    let is_plain = text.chars().all(|c| c == ' ' || c.is_ascii_graphic());
    if is_plain && text.contains(['"', '\\']) {
        let hashes = (1..=HASHES_MAX).map(|n| "#".repeat(n)).find(|hashes| !text.contains(&format!("\"{hashes}")));
        if let Some(hashes) = hashes {
            return format!("r{hashes}\"{text}\"{hashes}");
        }
    }
    format!("\"{}\"", escaped(text))
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        // An apostrophe needs no escape in a string.
        if c == '\'' { escaped.push(c) } else { escaped.extend(c.escape_debug()) }
    }
    escaped
}

/// A text on one line of a comment.
pub fn comment(text: &str) -> String {
    let mut line = String::new();
    for c in text.chars() {
        if matches!(c, '"' | '\'' | '\\') { line.push(c) } else { line.extend(c.escape_debug()) }
    }
    line
}

/// A text as lines of at most this width, each behind a prefix.
pub fn wrapped(text: &str, prefix: &str, width: usize) -> String {
    let mut lines = String::new();
    let mut line = prefix.to_string();
    for word in comment(text).split(' ').filter(|word| !word.is_empty()) {
        if line.len() > prefix.len() && line.len() + 1 + word.chars().count() > width {
            lines.push_str(line.trim_end());
            lines.push('\n');
            line = prefix.to_string();
        }
        line.push(' ');
        line.push_str(word);
    }
    lines + &line + "\n"
}

/// A text as an identifier: letters and digits in lower case, all else as `_`.
pub fn identifier(text: &str) -> String {
    let mut word = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            word.push(c);
        } else if !word.is_empty() && !word.ends_with('_') {
            word.push('_');
        }
        if word.len() == NAME_MAX {
            break;
        }
    }
    let word = word.trim_end_matches('_');
    if word.starts_with(|c: char| c.is_ascii_alphabetic()) { word.to_string() } else { format!("test_{word}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_literal_is_raw_only_where_that_reads_better() {
        assert_eq!(literal("(30 : nat64)"), "\"(30 : nat64)\"");
        assert_eq!(literal("(principal \"${a}\")"), "r#\"(principal \"${a}\")\"#");
        assert_eq!(literal("a\"#b"), "r##\"a\"#b\"##");
        assert_eq!(literal("it's \u{202e} \r"), "\"it's \\u{202e} \\r\"");
        assert_eq!(literal("\"####################"), "\"\\\"####################\"");
    }

    #[test]
    fn a_comment_stays_on_its_line() {
        assert_eq!(comment("\"a\"\nfn main() {} \r\u{2028}*/"), "\"a\"\\nfn main() {} \\r\\u{2028}*/");
        assert_eq!(wrapped("one two three", "//", 8), "// one\n// two\n// three\n");
    }

    #[test]
    fn any_text_has_an_identifier() {
        assert_eq!(identifier("vault-stale: book == ledger"), "vault_stale_book_ledger");
        assert_eq!(identifier("1 é"), "test_1");
        assert_eq!(identifier(""), "test_");
    }

    /// What a Rust compiler reads in a literal, and how much of the text that is.
    fn read(source: &str) -> (String, usize) {
        if let Some(rest) = source.strip_prefix('r') {
            let hashes = rest.find('"').unwrap();
            let end = format!("\"{}", &rest[..hashes]);
            let text = &rest[hashes + 1..];
            let length = text.find(&end).unwrap();
            return (text[..length].to_string(), 1 + hashes + 1 + length + end.len());
        }
        let mut text = String::new();
        let mut chars = source.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => return (text, at + 1),
                '\\' => match chars.next().unwrap().1 {
                    'n' => text.push('\n'),
                    'r' => text.push('\r'),
                    't' => text.push('\t'),
                    '0' => text.push('\0'),
                    'u' => {
                        let digits: String = chars.by_ref().map(|(_, c)| c).take_while(|c| *c != '}').collect();
                        text.push(char::from_u32(u32::from_str_radix(&digits[1..], 16).unwrap()).unwrap());
                    }
                    other => text.push(other),
                },
                '\n' => panic!("a line ends in a literal that is not raw"),
                other => text.push(other),
            }
        }
        panic!("the literal does not end")
    }

    proptest! {
        #[test]
        fn no_text_leaves_its_literal(text in "(\\PC|[\"#\\\\\n\r\t\u{0}\u{202e}'${}]){0,60}") {
            let source = literal(&text);
            prop_assert_eq!(read(&source), (text, source.len()));
        }

        #[test]
        fn no_text_leaves_its_comment(text in "(\\PC|[\n\r\u{85}\u{2028}*/]){0,60}") {
            let line = comment(&text);
            let breaks_the_line = line.contains(['\n', '\r', '\u{85}', '\u{2028}']);
            prop_assert!(!breaks_the_line);
            let is_comment = wrapped(&text, "//!", 40).lines().all(|line| line.starts_with("//!"));
            prop_assert!(is_comment);
        }
    }
}
