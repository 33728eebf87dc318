//! Colour for people at a terminal; what goes into a file or a pipe has none.

use std::io::IsTerminal as _;

use super::{Failure, print};

const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[1;31m";
const GREEN: &str = "\x1b[1;32m";
const YELLOW: &str = "\x1b[33m";
const PLAIN: &str = "\x1b[0m";

/// Prints a report, coloured on a terminal unless `NO_COLOR` is set.
pub fn show(text: &str) -> Result<(), Failure> {
    let is_coloured =
        std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if is_coloured { print(&painted(text)) } else { print(text) }
}

/// The text with the lines that matter in colour. Control characters of names and texts of canisters do not get through.
fn painted(text: &str) -> String {
    let mut out = String::new();
    for line in text.split_inclusive('\n') {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        let line: String = line.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        let colour = match &line {
            line if line.starts_with("violated") || line.ends_with(": violated") || line.starts_with("came back") => {
                RED
            }
            line if line.ends_with(": held") || line.ends_with("as they should be") && !line.contains("not as") => {
                GREEN
            }
            line if line.contains("fault: ") || line.starts_with("note: ") || line.starts_with("stale: ") => YELLOW,
            line if line.starts_with("why: ") || line.starts_with("counterexample to ") => BOLD,
            _ => "",
        };
        if colour.is_empty() {
            out.push_str(&line);
        } else {
            out.push_str(&format!("{colour}{line}{PLAIN}"));
        }
        out.push_str(end);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_matter_are_coloured_and_control_characters_do_not_get_through() {
        assert_eq!(painted("v: violated\nplain\n"), "\x1b[1;31mv: violated\x1b[0m\nplain\n");
        assert_eq!(painted("v: held"), "\x1b[1;32mv: held\x1b[0m");
        assert_eq!(painted("prints \x1b[2J\n"), "prints ?[2J\n");
    }
}
