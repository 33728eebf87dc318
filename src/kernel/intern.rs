//! Values kept once: equal values get equal numbers.
//!
//! In: values with a content hash. Out: dense ids. Equal hashes are followed by a comparison of the values, since what is
//! interned comes from hostile wasm.

use std::hash::{Hash, Hasher};

use hashbrown::HashTable;
use xxhash_rust::xxh3::Xxh3;

/// A table of distinct values; ids count from 0 in order of arrival.
pub struct Interner<T> {
    values: Vec<T>,
    hashes: Vec<u128>,
    table: HashTable<u32>,
}

impl<T> Default for Interner<T> {
    fn default() -> Interner<T> {
        Interner { values: Vec::new(), hashes: Vec::new(), table: HashTable::new() }
    }
}

impl<T: Hash + Eq> Interner<T> {
    /// The id of an equal value, or a new one.
    pub fn intern(&mut self, value: T) -> u32 {
        let hash = content_hash(&value);
        self.intern_hashed(value, hash)
    }

    fn intern_hashed(&mut self, value: T, hash: u128) -> u32 {
        let found = self.table.find(hash as u64, |&id| self.values[id as usize] == value);
        match found {
            Some(&id) => id,
            None => self.add(value, hash),
        }
    }

    /// As [`Interner::intern`], for a borrowed value with its content hash; it is copied only if it is new.
    pub fn intern_ref<B: ?Sized>(
        &mut self,
        value: &B,
        hash: u128,
        own: impl Fn(&B) -> T,
        equal: impl Fn(&T, &B) -> bool,
    ) -> u32 {
        let found = self.table.find(hash as u64, |&id| equal(&self.values[id as usize], value));
        match found {
            Some(&id) => id,
            None => self.add(own(value), hash),
        }
    }

    fn add(&mut self, value: T, hash: u128) -> u32 {
        let id = u32::try_from(self.values.len()).expect("bug in canloom: more than 2^32 interned values");
        self.values.push(value);
        self.hashes.push(hash);
        let hashes = &self.hashes;
        self.table.insert_unique(hash as u64, id, |&id| hashes[id as usize] as u64);
        id
    }

    /// The value of an id that this table gave out.
    pub fn value(&self, id: u32) -> &T {
        &self.values[id as usize]
    }

    /// Its content hash.
    pub fn hash(&self, id: u32) -> u128 {
        self.hashes[id as usize]
    }

    /// Number of distinct values.
    pub fn count(&self) -> usize {
        self.values.len()
    }
}

/// The 128-bit xxh3 hash of what a value feeds to a hasher.
pub fn content_hash<T: Hash + ?Sized>(value: &T) -> u128 {
    let mut hasher = Wide(Xxh3::new());
    value.hash(&mut hasher);
    hasher.0.digest128()
}

struct Wide(Xxh3);

impl Hasher for Wide {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        self.0.digest()
    }
}
