//! A warm instance of a module, brought from state to state by writing only what differs.
//!
//! In: a state and a message. Out: the next state and how the execution ended. A message must find what a fresh instance
//! with its memory and globals would find (semantics 1.4): everything else that an instance can change, tables and
//! dropped segments, forces a new instance per message ([`super::rewrite::Rewritten::needs_fresh`]).

use std::collections::HashMap;
use std::sync::Arc;

use wasmtime::{Global, Instance, Memory as Linear, Mutability, Ref, Store, Table, TypedFunc, Val, ValType};

use crate::engine::allowance::Ceiling;
use crate::kernel::guest::{Compared, Covered, Trap};
use crate::kernel::{Function, MemoryId};

use super::host::{Host, Parts};
use super::module::Module;
use super::pages::{Memory, PAGE, PAGE_BITS, PAGE_COST, Root, Store as PageStore};
use super::rewrite::{LEFT, MEMORY, SITE, TABLE, WATCHED, WRITTEN, Watched, global_export};

/// Bytes that a heap may have on the IC, by the width of its addresses.
const HEAP32_MAX: u64 = 4 << 30;
pub(super) const HEAP64_MAX: u64 = 6 << 30;

/// What to run.
pub enum Entry<'a> {
    /// An exported function without parameters.
    Export(&'a str),
    /// A function of table 0, with its environment.
    Callback(Function),
}

/// An instance and the state it is in.
pub struct Warm {
    /// The wasmtime store; its data is the [`Host`].
    pub store: Store<Host>,
    instance: Instance,
    parts: Parts,
    table: Option<Table>,
    globals: Vec<Global>,
    exports: HashMap<String, TypedFunc<(), ()>>,
    memory64: bool,
    /// Whether the module marks what it writes to.
    tracks: bool,
    /// What the module writes down, and where.
    watched: Option<(Watched, Linear)>,
    /// Number of the module among the guest's.
    version: u16,
    /// The state that memory and globals hold; pages marked as written differ from it.
    current: MemoryId,
}

impl Warm {
    /// A fresh instance, in the state of a fresh instance. `current` is that state where it is known already.
    pub fn new(
        module: &Module,
        version: u16,
        current: Option<MemoryId>,
        pages: &PageStore,
        ceiling: &Ceiling,
    ) -> Result<Warm, wasmtime::Error> {
        let heap_max = if module.shape.memory64 { HEAP64_MAX } else { HEAP32_MAX };
        let mut store = Store::new(module.pre.module().engine(), Host::new(ceiling.clone(), heap_max));
        store.limiter(|host| host);
        store.epoch_deadline_trap();
        // What runs before the first message: constants of segments, nothing that loops.
        store.set_epoch_deadline(1);
        let instance = module.pre.instantiate(&mut store)?;
        let parts = Parts {
            heap: instance.get_memory(&mut store, MEMORY),
            written: instance.get_memory(&mut store, WRITTEN),
            left: instance.get_global(&mut store, LEFT),
        };
        store.data_mut().parts = parts;
        let table = instance.get_table(&mut store, TABLE);
        let globals = module.shape.globals.iter();
        let globals = globals.filter_map(|&at| instance.get_global(&mut store, &global_export(at))).collect();
        let exports = HashMap::new();
        let memory = instance.get_memory(&mut store, WATCHED);
        let watched = module.shape.watched.zip(memory);
        let (memory64, tracks) = (module.shape.memory64, module.shape.tracks);
        let current_or_zero = current.unwrap_or(MemoryId(0));
        let mut warm = Warm {
            store,
            instance,
            parts,
            table,
            globals,
            exports,
            memory64,
            tracks,
            watched,
            version,
            current: current_or_zero,
        };
        if current.is_none() {
            warm.current = warm.capture_all(pages);
        }
        Ok(warm)
    }

    /// The state of a fresh instance.
    pub fn current(&self) -> MemoryId {
        self.current
    }

    /// Size of the heap in wasm pages.
    pub fn heap_pages(&self) -> u64 {
        self.parts.heap.map_or(0, |heap| heap.size(&self.store))
    }

    /// Grows the heap of a fresh instance to the size that a state needs.
    pub fn grow_to(&mut self, pages: u64) -> Result<(), wasmtime::Error> {
        let more = pages.saturating_sub(self.heap_pages());
        match self.parts.heap {
            Some(heap) if more > 0 => heap.grow(&mut self.store, more).map(|_| ()),
            _ => Ok(()),
        }
    }

    /// Writes what differs between the current state and another one of the same size.
    pub fn restore(&mut self, target: MemoryId, pages: &PageStore) {
        if self.current == target {
            return;
        }
        let (from, to) = (pages.memory(self.current), pages.memory(target));
        if let Some(heap) = self.parts.heap {
            let data = heap.data_mut(&mut self.store);
            pages.difference(from.heap, to.heap, &mut |at, page| {
                let start = (at as usize) << PAGE_BITS;
                // The current state may have been larger than the one that is restored.
                if let Some(place) = data.get_mut(start..start + PAGE) {
                    place.copy_from_slice(pages.page(page));
                }
            });
        }
        if from.globals != to.globals {
            self.set_globals(&to.globals.clone());
        }
        self.current = target;
    }

    /// Runs an entry; `Err` holds what wasmtime says about the trap.
    pub fn run(&mut self, entry: &Entry<'_>, limit: u64) -> Result<(), Stop> {
        // The next epoch begins when somebody wants the end.
        self.store.set_epoch_deadline(1);
        if let Some(left) = self.parts.left {
            left.set(&mut self.store, Val::I64(limit as i64)).map_err(Stop::Wasm)?;
        }
        match entry {
            Entry::Export(name) => {
                let function = match self.exports.get(*name) {
                    Some(function) => function.clone(),
                    None => {
                        let function = self.instance.get_typed_func(&mut self.store, name).map_err(Stop::Wasm)?;
                        self.exports.insert((*name).to_string(), function.clone());
                        function
                    }
                };
                function.call(&mut self.store, ()).map_err(Stop::Wasm)
            }
            Entry::Callback(function) => self.run_callback(*function),
        }
    }

    fn run_callback(&mut self, function: Function) -> Result<(), Stop> {
        let missing = || Trap {
            code: 513,
            text: format!("Canister requested to invoke a non-existent Wasm function {} from table 0", function.index),
        };
        let violation =
            |what: &str| Stop::Trap(Trap { code: 504, text: format!("Canister violated contract: {what}") });
        let entry = self.table.and_then(|table| table.get(&mut self.store, function.index));
        match entry {
            None => Err(Stop::Trap(missing())),
            Some(Ref::Func(Some(callback))) => {
                let mismatch = |_| violation("function invocation does not match its signature");
                if self.memory64 {
                    let callback = callback.typed::<u64, ()>(&self.store).map_err(mismatch)?;
                    callback.call(&mut self.store, function.env).map_err(Stop::Wasm)
                } else {
                    let callback = callback.typed::<u32, ()>(&self.store).map_err(mismatch)?;
                    callback.call(&mut self.store, function.env as u32).map_err(Stop::Wasm)
                }
            }
            Some(_) => Err(violation("unexpected null function reference")),
        }
    }

    /// Instructions left on the counter; negative where the limit was hit.
    pub fn left(&mut self) -> i64 {
        self.parts.left.and_then(|left| left.get(&mut self.store).i64()).unwrap_or(0)
    }

    /// Which code ran since this was asked last, if the module writes it down.
    pub fn take_covered(&mut self) -> Option<Arc<Covered>> {
        let (watched, memory) = self.watched?;
        let bytes = &mut memory.data_mut(&mut self.store)[..watched.size()];
        let (counts, sites) = bytes.split_at_mut(watched.first_site());
        let mut blocks = Vec::new();
        for (at, word) in counts.as_chunks_mut::<8>().0.iter_mut().enumerate().filter(|(_, word)| **word != [0; 8]) {
            let ran = word.iter().enumerate().filter(|(_, count)| **count > 0);
            blocks.extend(ran.map(|(byte, count)| ((at * 8 + byte) as u32, *count)));
            *word = [0; 8];
        }
        let (mut compared, mut switched) = (Vec::new(), Vec::new());
        for (at, site) in sites.as_chunks_mut::<SITE>().0.iter_mut().enumerate().filter(|(_, site)| **site != [0; SITE])
        {
            let [one, other, flags] =
                std::array::from_fn(|part| u64::from_le_bytes(std::array::from_fn(|byte| site[part * 8 + byte])));
            *site = [0; SITE];
            match flags {
                0 => switched.push((at as u32, one)),
                _ => compared.push(Compared {
                    site: at as u32,
                    unequal: (flags & 0xff != 0).then_some((one, other)),
                    equal: flags & 0xff00 != 0,
                }),
            }
        }
        let (blocks, compared, switched) = (blocks.into(), compared.into(), switched.into());
        Some(Arc::new(Covered { module: self.version, blocks, compared, switched }))
    }

    /// Interns the state after an execution, looking only at pages that were written to, and makes it the current one.
    ///
    /// # Errors
    /// With the number of bytes written, if there is no room to keep that much; the instance is of no use then.
    pub fn capture(&mut self, pages: &PageStore) -> Result<MemoryId, u64> {
        let has_room = |host: &Host, written: usize| match host.ceiling.allows(written as u64 * PAGE_COST) {
            true => Ok(()),
            false => Err((written * PAGE) as u64),
        };
        let old = pages.memory(self.current).clone();
        let mut changes = Vec::new();
        if let Some(heap) = self.parts.heap {
            let marked = self.take_marked();
            has_room(self.store.data(), marked.len())?;
            let data = heap.data(&self.store);
            for at in marked {
                let start = at << PAGE_BITS;
                let bytes: &[u8; PAGE] = data[start..start + PAGE].try_into().expect("a whole page");
                let before = pages.page_at(old.heap, at as u64);
                if pages.page(before) != bytes {
                    changes.push((at as u64, pages.intern_page(bytes)));
                }
            }
        }
        let heap_pages = self.heap_pages();
        let heap = pages.replace(pages.grown(old.heap, heap_pages), &changes);
        let stable = &self.store.data().stable;
        let (stable_pages, written): (u64, Vec<_>) = (stable.pages(), stable.written().collect());
        has_room(self.store.data(), written.len())?;
        let changes: Vec<(u64, u32)> = written.into_iter().map(|(at, page)| (at, pages.intern_page(page))).collect();
        let stable = pages.replace(pages.grown(old.stable, stable_pages), &changes);
        let globals = self.read_globals();
        let module = Some(self.version);
        self.current = pages.intern(Memory { module, heap_pages, heap, stable_pages, stable, globals });
        Ok(self.current)
    }

    /// Positions of the pages that may have been written to, in order, and from now on none.
    fn take_marked(&mut self) -> Vec<usize> {
        let (Some(heap), Some(written)) = (self.parts.heap, self.parts.written) else { return Vec::new() };
        let used = heap.data_size(&self.store) >> PAGE_BITS;
        if self.tracks { take_written(&mut written.data_mut(&mut self.store)[..used]) } else { (0..used).collect() }
    }

    /// Undoes an execution: every page that was written to gets its old contents.
    pub fn roll_back(&mut self, pages: &PageStore) {
        let old = pages.memory(self.current);
        if let Some(heap) = self.parts.heap {
            let marked = self.take_marked();
            let data = heap.data_mut(&mut self.store);
            for at in marked {
                let start = at << PAGE_BITS;
                data[start..start + PAGE].copy_from_slice(pages.page(pages.page_at(old.heap, at as u64)));
            }
        }
        let globals = old.globals.clone();
        if self.read_globals() != globals {
            self.set_globals(&globals);
        }
    }

    /// Interns the whole memory, as it is after instantiation.
    fn capture_all(&mut self, pages: &PageStore) -> MemoryId {
        let mut changes = Vec::new();
        if let Some(heap) = self.parts.heap {
            for (at, bytes) in heap.data(&self.store).as_chunks::<PAGE>().0.iter().enumerate() {
                // Most of a large heap is zero, and page 0 is.
                if *bytes != [0; PAGE] {
                    changes.push((at as u64, pages.intern_page(bytes)));
                }
            }
        }
        let heap_pages = self.heap_pages();
        let heap = pages.replace(Root::zero(heap_pages), &changes);
        let globals = self.read_globals();
        let module = Some(self.version);
        pages.intern(Memory { module, heap_pages, heap, stable_pages: 0, stable: Root::zero(0), globals })
    }

    fn read_globals(&mut self) -> Vec<u128> {
        let store = &mut self.store;
        self.globals.iter().map(|global| bits(&global.get(&mut *store))).collect()
    }

    fn set_globals(&mut self, values: &[u128]) {
        for (global, &value) in self.globals.iter().zip(values) {
            let ty = global.ty(&self.store);
            debug_assert_eq!(ty.mutability(), Mutability::Var);
            let value = match ty.content() {
                ValType::I32 => Val::I32(value as i32),
                ValType::I64 => Val::I64(value as i64),
                ValType::F32 => Val::F32(value as u32),
                ValType::F64 => Val::F64(value as u64),
                _ => Val::V128(value.into()),
            };
            global.set(&mut self.store, value).expect("bug in canloom: a mutable global of this type");
        }
    }
}

/// How an execution was stopped.
pub enum Stop {
    /// Before any code ran.
    Trap(Trap),
    /// By wasmtime or by a system function.
    Wasm(wasmtime::Error),
}

fn bits(value: &Val) -> u128 {
    match value {
        Val::I32(value) => u128::from(*value as u32),
        Val::I64(value) => u128::from(*value as u64),
        Val::F32(bits) => u128::from(*bits),
        Val::F64(bits) => u128::from(*bits),
        Val::V128(value) => value.as_u128(),
        _ => unreachable!("bug in canloom: reference globals are refused at load"),
    }
}

/// Positions of the bytes that are set, in order; clears them.
fn take_written(written: &mut [u8]) -> Vec<usize> {
    let mut marked = Vec::new();
    let (chunks, rest) = written.as_chunks_mut::<64>();
    for (at, chunk) in chunks.iter_mut().enumerate() {
        if *chunk != [0; 64] {
            marked.extend((0..64).filter(|&bit| chunk[bit] != 0).map(|bit| at * 64 + bit));
            *chunk = [0; 64];
        }
    }
    let base = chunks.len() * 64;
    marked.extend((0..rest.len()).filter(|&at| rest[at] != 0).map(|at| base + at));
    rest.fill(0);
    marked
}
