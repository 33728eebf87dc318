//! Steps, named by their cause, and schedules as text, one step per line.
//!
//! In: text of a `.cx` file or the search's choices. Out: [`Schedule`]. A name depends on no order between other calls,
//! so two interleavings that commute reach the same world, and names survive shrinking and recompilation.
//!
//! ```text
//! 2        start of call instance 2: its first delivery
//! 2.1      delivery of the first request that this delivery sent
//! 2.1r     delivery of the response to it
//! 2.1r.1   delivery of the first request that the callback sent
//! 2.1j     clean reject of request 2.1, code 2 (2.1j1, 2.1j3: the other clean codes)
//! 2.1x     expiry of the bounded-wait call 2.1: SYS_UNKNOWN
//! ```

use std::fmt;
use std::str::FromStr;

use smallvec::SmallVec;

/// Longest path a name may have, in segments. Far above any useful bound, low enough for hostile files.
pub const PATH_MAX: usize = 4_096;

/// The part of a step's name below its call instance: which request of which delivery, from the root down.
///
/// A segment is the number of a request within its delivery, from 1; a segment may be marked as seen from the callback
/// that its response runs. The empty path is the first delivery of the call itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(SmallVec<[u32; 5]>);

const CALLBACK: u32 = 1 << 31;

impl Path {
    /// The call's own first delivery.
    pub fn root() -> Path {
        Path::default()
    }

    /// The `n`-th request, from 1, that the delivery of this name sent.
    pub fn request(&self, n: u32) -> Path {
        let mut path = self.clone();
        path.0.push(n);
        path
    }

    /// The delivery of the response to the request of this name.
    pub fn response(&self) -> Path {
        let mut path = self.clone();
        if let Some(last) = path.0.last_mut() {
            *last |= CALLBACK;
        }
        path
    }

    /// Number of segments: how many messages led here.
    pub fn depth(&self) -> usize {
        self.0.len()
    }

    /// Segments as numbers, the callback mark in the highest bit; for hashing and storing.
    pub fn segments(&self) -> &[u32] {
        &self.0
    }

    /// The path of these segments, as [`Path::segments`] gave them.
    pub fn from_segments(segments: &[u32]) -> Path {
        Path(SmallVec::from_slice(segments))
    }

    fn is_response(&self) -> bool {
        self.0.last().is_some_and(|last| last & CALLBACK != 0)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.0 {
            write!(f, ".{}", segment & !CALLBACK)?;
            if segment & CALLBACK != 0 {
                f.write_str("r")?;
            }
        }
        Ok(())
    }
}

/// What a step does with the message it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StepKind {
    /// Start a call: execute its ingress message.
    Start,
    /// Deliver a request to its callee.
    Request,
    /// Deliver a response to the caller's callback.
    Response,
    /// A fault: the request is rejected before it starts, with a clean code (1, 2 or 3).
    Reject(u8),
    /// A fault: the bounded-wait call ends in SYS_UNKNOWN while the request goes its own way.
    Expire,
}

/// One thing that can happen next, by name. The name is its text: `2.1r`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step {
    /// Number of the call instance, from 0, in file order.
    pub call: u32,
    /// The message, below that call.
    pub path: Path,
    /// What happens to it.
    pub kind: StepKind,
}

impl Step {
    /// Whether the step executes a message; faults do not.
    pub fn is_delivery(&self) -> bool {
        matches!(self.kind, StepKind::Start | StepKind::Request | StepKind::Response)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.call, self.path)?;
        match self.kind {
            StepKind::Reject(2) => f.write_str("j"),
            StepKind::Reject(code) => write!(f, "j{code}"),
            StepKind::Expire => f.write_str("x"),
            StepKind::Start | StepKind::Request | StepKind::Response => Ok(()),
        }
    }
}

/// Why a text is not a step's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not the name of a step: {why}; names look like 0, 0.1, 0.1r, 0.1j, 0.1x")]
pub struct StepError {
    text: String,
    why: &'static str,
}

impl FromStr for Step {
    type Err = StepError;

    fn from_str(text: &str) -> Result<Step, StepError> {
        let fail = |why| StepError { text: text.chars().take(60).collect(), why };
        let mut parts = text.split('.');
        let first = parts.next().unwrap_or_default();
        let call = number(first).ok_or_else(|| fail("it starts with the number of a call"))?;
        let mut segments: SmallVec<[u32; 5]> = SmallVec::new();
        let mut fault = None;
        for part in parts {
            if fault.is_some() {
                return Err(fail("a fault ends the name"));
            }
            if segments.len() == PATH_MAX {
                return Err(fail("it is too long"));
            }
            let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            let request =
                number(&part[..digits]).filter(|n| *n > 0).ok_or_else(|| fail("requests are numbered from 1"))?;
            let mark = match &part[digits..] {
                "" => 0,
                "r" => CALLBACK,
                rest => {
                    fault = Some(match rest {
                        "x" => StepKind::Expire,
                        "j" => StepKind::Reject(2),
                        "j1" => StepKind::Reject(1),
                        "j3" => StepKind::Reject(3),
                        _ => return Err(fail("only r, j, j1, j3 and x may follow a number")),
                    });
                    0
                }
            };
            segments.push(request | mark);
        }
        let path = Path(segments);
        let kind = match fault {
            Some(kind) => kind,
            None if path.depth() == 0 => StepKind::Start,
            None if path.is_response() => StepKind::Response,
            None => StepKind::Request,
        };
        Ok(Step { call, path, kind })
    }
}

/// A number without sign or leading zero, below 2^31.
fn number(digits: &str) -> Option<u32> {
    if digits.is_empty() || (digits.len() > 1 && digits.starts_with('0')) || !digits.bytes().all(|b| b.is_ascii_digit())
    {
        return None;
    }
    digits.parse().ok().filter(|n| *n < CALLBACK)
}

/// The steps chosen, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// First step first.
    pub steps: Vec<Step>,
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "{step}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_read_as_the_module_says() {
        for (text, kind) in [
            ("2", StepKind::Start),
            ("2.1", StepKind::Request),
            ("2.1r", StepKind::Response),
            ("2.1r.1", StepKind::Request),
            ("2.1j", StepKind::Reject(2)),
            ("2.1j3", StepKind::Reject(3)),
            ("2.1r.7x", StepKind::Expire),
        ] {
            let step: Step = text.parse().unwrap();
            assert_eq!(step.kind, kind, "{text}");
            assert_eq!(step.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["", "x", "-1", "01", "1.", "1.0", "1.1q", "1.1j2", "1.1x.2", "1..2", "9999999999", "1.1rr", "1.+1"]
        {
            assert!(text.parse::<Step>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_step_survives_its_text(call in 0u32..1000, path in prop::collection::vec((1u32..50, any::<bool>()), 0..12), fault in 0u8..5) {
            let mut name = Path::root();
            for (n, callback) in path {
                name = name.request(n);
                if callback { name = name.response(); }
            }
            let kind = match (name.depth(), name.is_response(), fault) {
                (0, _, _) => StepKind::Start,
                (_, true, _) => StepKind::Response,
                (_, _, 0) => StepKind::Request,
                (_, _, 1) => StepKind::Expire,
                (_, _, code) => StepKind::Reject(code - 1),
            };
            let step = Step { call, path: name, kind };
            prop_assert_eq!(step.to_string().parse::<Step>().unwrap(), step);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,40}") {
            let _ = text.parse::<Step>();
        }
    }
}
