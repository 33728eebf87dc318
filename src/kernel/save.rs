//! The kernel's tables and remembered executions as bytes, a part at a time.
//!
//! In: how much the tables held before. Out: bytes that hold what came since; and back, into tables that hold as much as
//! they did then. Every value gets the id that it had, so whatever was made of ids means the same again. The bytes come
//! from a file: every id is checked against the tables before it is used (`check`), hashes are not stored but computed.
//!
//! ```text
//! part     values as bytes and back       check   whether ids have values
//! ```

mod check;
mod part;

use std::sync::Arc;

use candid::Principal;
use serde::{Deserialize, Serialize};

pub use part::{Part, Reader, shared_bytes, shared_text};

use super::intern::{Interner, content_hash};
use super::memo::{Effects, Entry};
use super::tables::{KeptTree, Tables};
use super::{CallTree, Guest, Kernel, MemoryId};

use check::Known;

/// How much the tables of a kernel and of its guests hold.
#[derive(Default, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    tables: [u32; 8],
    executions: u32,
    guests: Vec<Vec<u32>>,
}

impl Kernel {
    /// How much its tables hold. No other thread may use them at this time.
    pub fn sizes(&self) -> Sizes {
        Sizes {
            tables: self.tables.sizes(),
            executions: self.memo.count(),
            guests: self.guests.iter().map(|guest| guest.sizes()).collect(),
        }
    }

    /// Writes what the tables hold beyond these sizes. No other thread may use them at this time.
    ///
    /// # Errors
    /// If the states of a canister cannot be saved.
    pub fn save_part(&self, since: &Sizes, out: &mut Part) -> Result<(), String> {
        self.tables.save(&since.tables, out);
        for (at, (guest, since)) in self.guests.iter().zip(&since.guests).enumerate() {
            guest.save(since, out).map_err(|what| self.of_canister(at, &what))?;
        }
        out.put(&(self.memo.count() - since.executions));
        for at in since.executions..self.memo.count() {
            let Entry { key, is_query, reads, effects } = self.memo.entry(at);
            out.put(&(key, is_query, reads, effects.as_ref()));
        }
        Ok(())
    }

    /// Reads what [`Kernel::save_part`] wrote when the tables held as much as now.
    ///
    /// # Errors
    /// What is wrong with the bytes. The tables may hold a part of them then, and are of no use.
    pub fn load_part(&mut self, part: &mut Reader<'_>) -> Result<(), String> {
        self.load_tables(part)?;
        for at in 0..self.guests.len() {
            self.guests[at].load(part).map_err(|what| self.of_canister(at, &what))?;
        }
        let known = Known::new(self);
        let executions: u32 = part.take()?;
        for _ in 0..executions {
            let (key, is_query, reads, effects) = part.take()?;
            let effects: Effects = effects;
            known.execution(key, &effects)?;
            let entry = Entry { key, is_query, reads, effects: Arc::new(effects) };
            if !self.memo.restore(entry) {
                return Err("it holds an execution twice".to_string());
            }
        }
        Ok(())
    }

    /// Hash of the states of all canisters that are known so far, the same in every run.
    pub fn content_of_states(&self) -> u128 {
        let states = |guest: &dyn Guest| {
            let count = guest.sizes().first().copied().unwrap_or(0);
            (0..count).map(|id| guest.fingerprint(MemoryId(id))).collect::<Vec<u128>>()
        };
        content_hash(&self.guests.iter().map(|guest| states(guest.as_ref())).collect::<Vec<_>>())
    }

    fn of_canister(&self, canister: usize, what: &str) -> String {
        format!("canister {}: {what}", self.canister_name(canister as u16))
    }

    fn load_tables(&self, part: &mut Reader<'_>) -> Result<(), String> {
        let tables = &self.tables;
        load_with(&tables.names, part, |part| part.take::<String>())?;
        load_with(&tables.blobs, part, |part| Ok(Arc::from(part.take_bytes()?)))?;
        load_with(&tables.principals, part, |part| part.take::<Principal>())?;
        load_with(&tables.controllers, part, |part| Ok(Arc::from(part.take::<Vec<Principal>>()?)))?;
        load_with(&tables.responses, part, |part| part.take())?;
        load_with(&tables.messages, part, |part| {
            let message = part.take()?;
            Known::new(self).message(&message)?;
            Ok(message)
        })?;
        load_with(&tables.systems, part, |part| {
            let system = part.take()?;
            Known::new(self).system(&system)?;
            Ok(system)
        })?;
        let known = Known::new(self);
        let trees: u32 = part.take()?;
        for _ in 0..trees {
            let tree: CallTree = part.take()?;
            known.tree(&tree)?;
            let hash = tables.content(&tree);
            let kept = KeptTree { tree: Arc::new(tree), hash };
            tables.trees.restore_hashed(kept, hash).ok_or_else(twice)?;
        }
        Ok(())
    }
}

impl Tables {
    fn sizes(&self) -> [u32; 8] {
        let counts = [
            self.names.count(),
            self.blobs.count(),
            self.principals.count(),
            self.controllers.count(),
            self.responses.count(),
            self.messages.count(),
            self.systems.count(),
            self.trees.count(),
        ];
        counts.map(|count| count as u32)
    }

    fn save(&self, since: &[u32; 8], out: &mut Part) {
        save_with(&self.names, since[0], out, |name, out| out.put(name));
        save_with(&self.blobs, since[1], out, |blob, out| out.put_bytes(blob));
        save_with(&self.principals, since[2], out, |id, out| out.put(id));
        save_with(&self.controllers, since[3], out, |ids, out| out.put(&ids[..]));
        save_with(&self.responses, since[4], out, |response, out| out.put(response));
        save_with(&self.messages, since[5], out, |message, out| out.put(message));
        save_with(&self.systems, since[6], out, |system, out| out.put(system));
        save_with(&self.trees, since[7], out, |kept, out| out.put(kept.tree.as_ref()));
    }
}

/// Writes the values of a table from an id on, preceded by their number.
pub fn save_with<T>(table: &Interner<T>, since: u32, out: &mut Part, put: impl Fn(&T, &mut Part)) {
    let count = table.count() as u32;
    out.put(&(count - since));
    for id in since..count {
        put(table.value(id), out);
    }
}

/// Reads values into a table, under the ids that they had.
///
/// # Errors
/// What is wrong with the bytes.
pub fn load_with<'a, T: std::hash::Hash + Eq>(
    table: &Interner<T>,
    part: &mut Reader<'a>,
    mut take: impl FnMut(&mut Reader<'a>) -> Result<T, String>,
) -> Result<(), String> {
    let count: u32 = part.take()?;
    for _ in 0..count {
        let value = take(part)?;
        let hash = content_hash(&value);
        table.restore_hashed(value, hash).ok_or_else(twice)?;
    }
    Ok(())
}

/// What is wrong where a table would hold equal values: ids would not be what they were.
pub fn twice() -> String {
    "it holds a value twice".to_string()
}
