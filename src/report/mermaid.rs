//! A counterexample as a Mermaid sequence diagram, for comments on pull requests.
//!
//! In: a [`Story`]. Out: text of the diagram. Names of lanes are aliases of ours, and whatever could be read as part of the
//! diagram or of a page is written as an entity.

use std::fmt::Write as _;

use super::story::{Shown, Story};

/// Longest text of an arrow or a note.
const TEXT_MAX: usize = 80;

/// The diagram.
pub fn diagram(story: &Story) -> String {
    let mut out = String::from("sequenceDiagram\n");
    for (at, lane) in story.lanes.iter().enumerate() {
        let _ = writeln!(out, "    participant L{at} as {}", escaped(lane));
    }
    let lane = |name: &str| story.lanes.iter().position(|lane| lane == name);
    let all = match story.lanes.len() {
        0 => return out + "    %% nothing happens\n",
        1 => "L0".to_string(),
        n => format!("L0,L{}", n - 1),
    };
    for step in &story.steps {
        let race = story.race.as_ref();
        let text = escaped(&format!("{} {}", step.name, step.label));
        match (lane(&step.from), lane(&step.to)) {
            (Some(from), Some(to)) => {
                let _ = writeln!(out, "    L{from}{}L{to}: {text}", arrow(step));
            }
            (None, Some(to)) => {
                let _ = writeln!(out, "    Note over L{to}: {text}");
            }
            _ => {
                let _ = writeln!(out, "    Note over {all}: {text}");
            }
        }
        let changed = step.values.iter().filter_map(|value| Some((value, value.before.as_ref()?)));
        let changed: Vec<String> = changed.map(|(v, before)| format!("{}: {before} to {}", v.name, v.value)).collect();
        if let (Some(to), false) = (lane(&step.to), changed.is_empty()) {
            let _ = writeln!(out, "    Note right of L{to}: {}", escaped(&changed.join(", ")));
        }
        if race.is_some_and(|race| race.await_from == step.number)
            && let Some(to) = lane(&step.to)
        {
            let _ = writeln!(out, "    Note over L{to}: awaits, and what it knows gets old");
        }
    }
    let _ = writeln!(out, "    Note over {all}: violated: {}", escaped(&story.violation.text));
    out
}

fn arrow(step: &Shown) -> &'static str {
    match (step.kind, step.lost || step.trapped) {
        (_, true) => "--x",
        ("response" | "fault", _) => "-->>",
        _ => "->>",
    }
}

/// A text that means nothing to Mermaid, Markdown or HTML.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for (at, c) in text.chars().enumerate() {
        if at == TEXT_MAX {
            out.push_str("...");
            break;
        }
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | ' ' | '.' | ',' | '_' | '-' | '(' | ')' | '=' | '/' => out.push(c),
            c if c.is_control() => out.push(' '),
            c if c.is_alphanumeric() => out.push(c),
            c => {
                let _ = write!(out, "#{};", u32::from(c));
            }
        }
    }
    // A line that ends with this word would end a block.
    if out.trim() == "end" { "(end)".to_string() } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_read_as_part_of_the_diagram_is_an_entity() {
        assert_eq!(escaped("a;b\n<script>`%%{"), "a#59;b #60;script#62;#96;#37;#37;#123;");
        assert_eq!(escaped("end"), "(end)");
        assert_eq!(escaped(&"x".repeat(100)).len(), 83);
    }
}
