//! The part of a test that is the same for all counterexamples.

/// Parts between `//#name` and `//#end` belong to tests that need them.
const TEXT: &str = include_str!("support.txt");

/// The lines of all tests, and those of these parts.
pub fn with(parts: &[&str]) -> String {
    let (mut text, mut is_wanted) = (String::new(), true);
    for line in TEXT.lines() {
        match line.trim_start().strip_prefix("//#") {
            Some("end") => is_wanted = true,
            Some(part) => is_wanted = parts.contains(&part),
            None if is_wanted => {
                text.push_str(line);
                text.push('\n');
            }
            None => {}
        }
    }
    text
}
