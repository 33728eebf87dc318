//! The situations of the catalogue.

mod explore;
mod others;
mod scenario;

/// A situation, and the command that meets it.
pub struct Case {
    /// Heading that it stands under.
    pub section: &'static str,
    /// When.
    pub when: &'static str,
    /// What brings it about, for a shell in a copy of the template.
    pub set_up: &'static str,
    /// What is typed.
    pub command: &'static str,
    /// The exit code.
    pub exit: i32,
    /// What to do, where the message leaves it to the reader.
    pub remedy: &'static str,
}

const fn case(
    section: &'static str,
    when: &'static str,
    set_up: &'static str,
    command: &'static str,
    exit: i32,
) -> Case {
    Case { section, when, set_up, command, exit, remedy: "" }
}

/// Where the message has no remedy of its own.
const fn then(case: Case, remedy: &'static str) -> Case {
    Case { remedy, ..case }
}

/// All of them.
pub fn all() -> Vec<&'static Case> {
    [scenario::CASES, explore::CASES, others::CASES].into_iter().flatten().collect()
}
