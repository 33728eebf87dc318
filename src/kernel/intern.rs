//! Values kept once: equal values get equal numbers.
//!
//! In: values with a content hash, from any number of threads. Out: dense ids. Equal hashes are followed by a comparison
//! of the values, since what is interned comes from hostile wasm. Values never move and are never dropped, so that reading
//! one takes no lock.

use std::hash::{Hash, Hasher};
use std::sync::{Mutex, MutexGuard};

use hashbrown::HashTable;
use hashbrown::hash_table::{Entry, VacantEntry};
use xxhash_rust::xxh3::Xxh3;

/// Tables of one interner: two threads seldom want the same one.
const SHARDS: usize = 16;

/// A table of distinct values; ids count from 0 in order of arrival.
pub struct Interner<T> {
    values: boxcar::Vec<T>,
    shards: [Mutex<HashTable<Slot>>; SHARDS],
}

/// An entry of a table of values that are kept elsewhere: enough of the hash to find its place again, and the id.
#[derive(Clone, Copy)]
pub struct Slot {
    /// Some bits of the value's hash.
    pub hash: u32,
    /// The value.
    pub id: u32,
}

impl Slot {
    /// Its hash, as its table takes it.
    pub fn place(&self) -> u64 {
        place(self.hash)
    }
}

impl<T> Default for Interner<T> {
    fn default() -> Interner<T> {
        Interner { values: boxcar::Vec::new(), shards: Default::default() }
    }
}

impl<T: Hash + Eq> Interner<T> {
    /// The id of an equal value, or a new one.
    pub fn intern(&self, value: T) -> u32 {
        let hash = content_hash(&value);
        self.intern_hashed(value, hash)
    }
}

impl<T: Eq> Interner<T> {
    /// The id of an equal value, or a new one, for a value whose content hash is known.
    pub fn intern_hashed(&self, value: T, hash: u128) -> u32 {
        let (mut shard, short) = self.shard(hash);
        let equal = |slot: &Slot| slot.hash == short && *self.value(slot.id) == value;
        match shard.entry(place(short), equal, Slot::place) {
            Entry::Occupied(known) => known.get().id,
            Entry::Vacant(place) => self.add(place, value, short),
        }
    }
}

impl<T> Interner<T> {
    /// As [`Interner::intern`], for a borrowed value with its content hash; it is copied only if it is new.
    pub fn intern_ref<B: ?Sized>(
        &self,
        value: &B,
        hash: u128,
        own: impl Fn(&B) -> T,
        equal: impl Fn(&T, &B) -> bool,
    ) -> u32 {
        let (mut shard, short) = self.shard(hash);
        let equal = |slot: &Slot| slot.hash == short && equal(self.value(slot.id), value);
        match shard.entry(place(short), equal, Slot::place) {
            Entry::Occupied(known) => known.get().id,
            Entry::Vacant(place) => self.add(place, own(value), short),
        }
    }

    fn shard(&self, hash: u128) -> (MutexGuard<'_, HashTable<Slot>>, u32) {
        let shard = &self.shards[(hash >> 64) as usize % SHARDS];
        (shard.lock().expect("bug in canloom: a table was left locked"), hash as u32)
    }

    fn add(&self, place: VacantEntry<'_, Slot>, value: T, hash: u32) -> u32 {
        let id = u32::try_from(self.values.push(value)).expect("bug in canloom: more than 2^32 interned values");
        place.insert(Slot { hash, id });
        id
    }

    /// Adds a value under the next id; `None` if it is here already.
    pub fn restore_hashed(&self, value: T, hash: u128) -> Option<u32>
    where
        T: Eq,
    {
        let (mut shard, short) = self.shard(hash);
        let equal = |slot: &Slot| slot.hash == short && *self.value(slot.id) == value;
        match shard.entry(place(short), equal, Slot::place) {
            Entry::Occupied(_) => None,
            Entry::Vacant(place) => Some(self.add(place, value, short)),
        }
    }

    /// The value of an id that this table gave out.
    pub fn value(&self, id: u32) -> &T {
        &self.values[id as usize]
    }

    /// Number of distinct values.
    pub fn count(&self) -> usize {
        self.values.count()
    }
}

/// Spreads the bits of a short hash over all those that a table looks at.
pub fn place(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_intern_the_same_values_get_the_same_ids() {
        let table: Interner<u64> = Interner::default();
        let intern = |stride: u64| (0..10_000).map(|n| table.intern(n * stride % 10_000)).collect::<Vec<u32>>();
        let (a, b) = std::thread::scope(|scope| {
            let other = scope.spawn(|| intern(7));
            (intern(1), other.join().expect("no panic"))
        });
        assert_eq!(table.count(), 10_000);
        assert!((0..10_000).all(|n| *table.value(a[n]) == n as u64));
        assert!((0..10_000).all(|n| b[n] == a[n * 7 % 10_000]));
    }
}
