//! "Did you mean": the nearest of some names, for errors about a name that is not there.

/// `, did you mean \`x\`?` if one of `known` is near `name`, else the known names, else nothing.
///
/// Near means a distance of a third of the longer name at most, but at least one edit; the first of equals wins.
pub(crate) fn hint<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(name, &known) {
        Some(near) => format!(", did you mean `{near}`?"),
        None if known.is_empty() => String::new(),
        None => {
            let shown = known.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let more = if known.len() > SHOWN { ", ..." } else { "" };
            format!("; there is {shown}{more}")
        }
    }
}

/// Most names listed when none is near.
const SHOWN: usize = 20;
/// Longer names are not compared: the distance costs the product of the lengths.
const LENGTH_MAX: usize = 100;

fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    if name.len() > LENGTH_MAX {
        return None;
    }
    known
        .iter()
        .filter(|candidate| candidate.len() <= LENGTH_MAX)
        .map(|candidate| (strsim::damerau_levenshtein(&name.to_lowercase(), &candidate.to_lowercase()), *candidate))
        .filter(|(distance, candidate)| *distance <= (name.len().max(candidate.len()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `name` cut to a length that fits a message, control characters escaped.
pub(crate) fn shorten(name: &str) -> String {
    let mut shown: String = name.chars().take(60).flat_map(char::escape_debug).collect();
    if name.chars().count() > 60 {
        shown.push_str("...");
    }
    shown.replace("\\\"", "\"").replace("\\'", "'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested() {
        assert_eq!(hint("invariants", ["call", "invariant"]), ", did you mean `invariant`?");
        assert_eq!(hint("Alcie", ["alice", "bob"]), ", did you mean `alice`?");
    }

    #[test]
    fn far_names_are_listed_and_no_names_are_silent() {
        assert_eq!(hint("zebra", ["alice", "bob"]), "; there is `alice`, `bob`");
        assert_eq!(hint("zebra", []), "");
        assert_eq!(hint(&"z".repeat(1000), ["alice"]), "; there is `alice`");
        assert!(hint("zebra", ["q"; 40]).ends_with("`q`, ..."));
    }

    #[test]
    fn long_and_hostile_names_are_shortened_and_escaped() {
        assert_eq!(shorten("a\u{1b}[0m\"'"), "a\\u{1b}[0m\"'");
        assert_eq!(shorten(&"x".repeat(100)), format!("{}...", "x".repeat(60)));
    }
}
