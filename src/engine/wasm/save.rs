//! A canister's modules and states as bytes, and back under the numbers that they had.
//!
//! Modules that the scenario names are not written: they are there before anything is read. Those that were installed
//! while the search ran are compiled again.

use std::sync::Arc;

use super::WasmGuest;
use super::module::{Instrumentation, Module};
use crate::kernel::save::{Part, Reader};

impl WasmGuest {
    /// Numbers of states, pages, nodes and modules.
    pub(super) fn table_sizes(&self) -> Vec<u32> {
        let (memories, pages, nodes) = self.shared.pages.sizes();
        [memories, pages, nodes, self.shared.versions.count()].map(|count| count as u32).to_vec()
    }

    pub(super) fn save_since(&self, since: &[u32], out: &mut Part) {
        let [memories, pages, nodes, versions] =
            since.try_into().expect("bug in canloom: the sizes are of another guest");
        let new = self.shared.versions.iter().skip(versions as usize);
        out.put(&(self.shared.versions.count() as u32 - versions));
        for (_, version) in new {
            out.put(&version.fresh);
            out.put_bytes(version.installed.as_deref().unwrap_or_default());
        }
        self.shared.pages.save([memories, pages, nodes], out);
    }

    pub(super) fn load_part(&mut self, part: &mut Reader<'_>) -> Result<(), String> {
        let versions: u32 = part.take()?;
        let mut modules = Vec::new();
        for _ in 0..versions {
            let fresh = part.take()?;
            let bytes = part.take_bytes()?;
            let module = Module::load(&self.engine, bytes, Instrumentation::Full).map_err(|error| error.to_string())?;
            modules.push((fresh, bytes, Arc::new(module)));
        }
        let shared = self.shared.clone();
        let globals = |module: Option<u16>| {
            let Some(number) = module.map(usize::from) else { return Some(0) };
            if let Some(version) = shared.versions.get(number) {
                return Some(version.module.shape.globals.len());
            }
            let (_, _, module) = modules.get(number.checked_sub(shared.versions.count())?)?;
            Some(module.shape.globals.len())
        };
        shared.pages.load(part, globals)?;
        // The pages of their first states are there now, so adding them makes none.
        let sizes = shared.pages.sizes();
        for (fresh, bytes, module) in modules {
            let next = shared.versions.count();
            let number = self.add_version(module, Some(bytes))?;
            if usize::from(number) != next || self.numbered(number).fresh != fresh || shared.pages.sizes() != sizes {
                return Err("a module does not begin in the state that it had".to_string());
            }
        }
        Ok(())
    }
}
