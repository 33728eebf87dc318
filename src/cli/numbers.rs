//! Numbers on the command line, with errors that say what is expected.

use std::time::Duration;

/// A whole number: a seed.
pub fn whole(text: &str) -> Result<u64, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) => Ok(number),
        Err(_) if is_number => Err(format!("`{text}` is too large; at most {}", u64::MAX)),
        Err(_) => Err(format!("`{text}` is not a whole number")),
    }
}

/// How many of something, where none makes no sense.
pub fn count(text: &str) -> Result<u64, String> {
    match whole(text)? {
        0 => Err("there must be at least 1".to_string()),
        count => Ok(count),
    }
}

/// A number with one of these units, each with its factor: number and factor.
pub fn with_unit<'a, T: Copy>(text: &'a str, units: &[(&str, T)]) -> Option<(&'a str, T)> {
    units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))
}

/// A time with its unit: 500ms, 60s, 5m, 2h.
pub fn duration(text: &str) -> Result<Duration, String> {
    if text.starts_with('-') {
        return Err("a time cannot be negative".to_string());
    }
    let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
    let (number, factor) = with_unit(text, &units).ok_or("a time needs a unit: 500ms, 60s, 5m or 2h")?;
    let is_plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let parsed = number.parse().ok().filter(|_| is_plain);
    let number: f64 = parsed.ok_or_else(|| format!("`{number}` is not a number"))?;
    Duration::try_from_secs_f64(number * factor).map_err(|_| "the time is too long".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_said() {
        assert_eq!(whole("7"), Ok(7));
        assert_eq!(whole("-1"), Err("`-1` is not a whole number".to_string()));
        assert_eq!(
            whole("99999999999999999999"),
            Err(format!("`99999999999999999999` is too large; at most {}", u64::MAX))
        );
        assert_eq!(count("0"), Err("there must be at least 1".to_string()));
        assert_eq!(with_unit("5ms", &[("ms", 1), ("s", 1000)]), Some(("5", 1)));
        assert_eq!(with_unit("5", &[("s", 1)]), None);
    }
}
