//! Paths: what a step is caused by.

use std::fmt;

use smallvec::SmallVec;

/// Longest path a name may have, in segments. Far above any useful bound, low enough for hostile files.
pub const PATH_MAX: usize = 4_096;

/// The part of a step's name below its call instance: which request of which delivery, from the root down.
///
/// A segment is the number of a request within its delivery, from 1; a segment may be marked as seen from the callback
/// that its response runs. The empty path is the first delivery of the call itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(pub(super) SmallVec<[u32; 5]>);

/// Marks a segment as seen from the callback.
pub(super) const CALLBACK: u32 = 1 << 31;

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

    /// Whether the delivery of this name is that of a response.
    pub fn is_response(&self) -> bool {
        self.0.last().is_some_and(|last| last & CALLBACK != 0)
    }

    /// The call context that the delivery of this name runs in: the path of the request that opened it, empty for the root's own.
    pub fn context(&self) -> Path {
        let opened = self.0.iter().rposition(|segment| segment & CALLBACK == 0).map_or(0, |at| at + 1);
        Path::from_segments(&self.0[..opened])
    }

    /// Whether this is the context that a request opened, or one below it.
    pub fn is_below(&self, request: &Path) -> bool {
        self.0.starts_with(&request.0)
    }

    /// Whether the delivery of this name comes after that of another name of the same root, in every order.
    pub fn follows(&self, earlier: &Path) -> bool {
        let (own, earlier) = (&self.0, &earlier.0);
        let common = own.iter().zip(earlier).take_while(|(a, b)| a == b).count();
        match (own.get(common), earlier.get(common)) {
            // It was caused by the earlier one, or by what that caused.
            (_, None) => true,
            // The response to a request comes after all that the request caused.
            (Some(own), Some(earlier)) => *own == *earlier | CALLBACK,
            (None, Some(_)) => false,
        }
    }

    /// The delivery that sent the request of this name.
    pub fn sender(&self) -> Path {
        Path::from_segments(&self.0[..self.0.len().saturating_sub(1)])
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
