//! Values as bytes and back: postcard's format, with shared bytes and texts written as such.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::schedule::{PATH_MAX, Path};

/// Bytes being written.
#[derive(Debug, Default)]
pub struct Part(Vec<u8>);

impl Part {
    /// Appends a value.
    pub fn put<T: Serialize + ?Sized>(&mut self, value: &T) {
        let bytes = std::mem::take(&mut self.0);
        self.0 = postcard::to_extend(value, bytes).expect("bug in canloom: a value that has no bytes");
    }

    /// Appends bytes with their length.
    pub fn put_bytes(&mut self, bytes: &[u8]) {
        self.put(&(bytes.len() as u64));
        self.put_array(bytes);
    }

    /// Appends bytes whose length the reader knows.
    pub fn put_array(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// What was written.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Forgets what was written.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// Bytes being read. Nothing is allocated for more than they can hold.
#[derive(Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads these.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader(bytes)
    }

    /// The next value.
    ///
    /// # Errors
    /// If there is none of this type.
    pub fn take<T: Deserialize<'a>>(&mut self) -> Result<T, String> {
        let (value, rest) = postcard::take_from_bytes(self.0).map_err(|error| error.to_string())?;
        self.0 = rest;
        Ok(value)
    }

    /// Bytes that [`Part::put_bytes`] wrote.
    ///
    /// # Errors
    /// If they are cut short.
    pub fn take_bytes(&mut self) -> Result<&'a [u8], String> {
        let length: u64 = self.take()?;
        self.take_array(usize::try_from(length).map_err(|_| cut_short())?)
    }

    /// Bytes of this length.
    ///
    /// # Errors
    /// If they are cut short.
    pub fn take_array(&mut self, length: usize) -> Result<&'a [u8], String> {
        let (bytes, rest) = self.0.split_at_checked(length).ok_or_else(cut_short)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn cut_short() -> String {
    "bytes are cut short".to_string()
}

/// `Arc<[u8]>` as bytes.
pub mod shared_bytes {
    use super::*;
    use std::sync::Arc;

    /// Writes them.
    ///
    /// # Errors
    /// What the serializer says.
    pub fn serialize<S: Serializer>(bytes: &Arc<[u8]>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    /// Reads them.
    ///
    /// # Errors
    /// What the deserializer says.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<[u8]>, D::Error> {
        <&[u8]>::deserialize(deserializer).map(Arc::from)
    }
}

/// `Arc<str>` as text.
pub mod shared_text {
    use super::*;
    use std::sync::Arc;

    /// Writes it.
    ///
    /// # Errors
    /// What the serializer says.
    pub fn serialize<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(text)
    }

    /// Reads it.
    ///
    /// # Errors
    /// What the deserializer says.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
        <&str>::deserialize(deserializer).map(Arc::from)
    }
}

impl Serialize for Path {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.segments().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Path {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Path, D::Error> {
        let segments = Vec::<u32>::deserialize(deserializer)?;
        if segments.len() > PATH_MAX {
            return Err(serde::de::Error::custom("a name of a step is too long"));
        }
        Ok(Path::from_segments(&segments))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_bytes_come_back_in_order() {
        let mut part = Part::default();
        part.put(&(7u32, "seven"));
        part.put_bytes(b"bytes");
        part.put_array(&[1, 2]);
        let mut reader = Reader::new(part.as_bytes());
        assert_eq!(reader.take::<(u32, String)>(), Ok((7, "seven".to_string())));
        assert_eq!(reader.take_bytes(), Ok(b"bytes".as_slice()));
        assert_eq!(reader.take_array(2), Ok([1, 2].as_slice()));
        assert!(reader.is_empty());
    }

    #[test]
    fn a_length_beyond_the_end_is_an_error_and_allocates_nothing() {
        let mut part = Part::default();
        part.put(&u64::MAX);
        assert_eq!(Reader::new(part.as_bytes()).take_bytes(), Err("bytes are cut short".to_string()));
        assert!(Reader::new(part.as_bytes()).take::<Vec<u64>>().is_err());
    }
}
