//! The interface of a module: from a `.did` file, from the module's own metadata, or from what it says when asked.
//!
//! In: the bytes of a module, and a `.did` file if the user has one. Out: a [`Contract`]. Metadata are the custom sections
//! `candid:service` and `candid:args`, public or private. Many modules in Rust have none, but export `get_candid_pointer`,
//! which `ic_cdk::export_candid!` writes: it returns where the text of the interface is.

use std::path::Path;

use candid_parser::utils::merge_init_args;
use wasmparser::{Parser, Payload};
use wasmtime::{Config, Engine, Extern, Linker, Module, Store, StoreLimits, StoreLimitsBuilder};

use crate::files::Kind;
use crate::scenario::{INTERFACE_FILE, Interface, check_candid_size};

use super::InitError;

/// What a module may execute to say its interface, and the memory that it may have.
const FUEL: u64 = 10_000_000;
const MEMORY_MAX: usize = 1 << 28;
/// Longest interface.
const TEXT_MAX: usize = 256 * 1024;

/// An interface that is named on the command line.
const FILE: Kind = Kind { missing: "correct --did, or leave it out", ..INTERFACE_FILE };

/// The interface of a canister.
pub(super) struct Contract {
    pub(super) interface: Interface,
    /// Its text, if it is in no file of the user's.
    pub(super) text: Option<String>,
}

impl Contract {
    /// The interface in a `.did` file.
    pub(super) fn of_file(did: &Path) -> Result<Contract, InitError> {
        let interface = Interface::read(did, &FILE).map_err(InitError::Interface)?;
        Ok(Contract { interface, text: None })
    }

    /// The interface that a module, not compressed, has with it; `wasm` is its file.
    pub(super) fn of_module(wasm: &Path, module: &[u8]) -> Result<Contract, InitError> {
        let mut service = section(module, "candid:service");
        if let Some(text) = &service
            && let Some(args) = section(module, "candid:args")
            && check_candid_size(text).is_ok()
            && check_candid_size(&args).is_ok()
            && let Ok((env, actor)) = merge_init_args(text, &args)
        {
            service = Some(candid::pretty::candid::compile(&env, &Some(actor)));
        }
        let text = service.or_else(|| exported(module)).filter(|text| text.len() <= TEXT_MAX);
        let text = text.ok_or_else(|| InitError::NoInterface { wasm: wasm.to_path_buf() })?;
        let interface = Interface::parse(&text, "the module's interface".to_string());
        let interface = interface.map_err(|(_, problem)| {
            InitError::Interface(format!("{}: the interface in the module: {problem}; pass --did", wasm.display()))
        })?;
        Ok(Contract { interface, text: Some(text) })
    }
}

/// A custom section of this name, public or private, as text.
fn section(module: &[u8], name: &str) -> Option<String> {
    let mut payloads = Parser::new(0).parse_all(module);
    let found = payloads.find_map(|payload| match payload {
        Ok(Payload::CustomSection(section)) => {
            let own =
                section.name().strip_prefix("icp:public ").or_else(|| section.name().strip_prefix("icp:private "));
            (own == Some(name)).then(|| section.data().to_vec())
        }
        _ => None,
    });
    String::from_utf8(found?).ok()
}

/// What `get_candid_pointer` points to. The module runs with no system API, and not for long.
fn exported(module: &[u8]) -> Option<String> {
    let mut config = Config::new();
    config.consume_fuel(true);
    config.wasm_memory64(true);
    config.cranelift_opt_level(wasmtime::OptLevel::None);
    let engine = Engine::new(&config).ok()?;
    let module = Module::new(&engine, module).ok()?;
    module.get_export("get_candid_pointer")?;
    let limits = StoreLimitsBuilder::new().memory_size(MEMORY_MAX).build();
    let mut store: Store<StoreLimits> = Store::new(&engine, limits);
    store.limiter(|limits| limits);
    store.set_fuel(FUEL).ok()?;
    let mut linker = Linker::new(&engine);
    linker.define_unknown_imports_as_traps(&module).ok()?;
    let instance = linker.instantiate(&mut store, &module).ok()?;
    let pointer = instance.get_typed_func::<(), i32>(&mut store, "get_candid_pointer").ok()?;
    let at = pointer.call(&mut store, ()).ok()? as u32 as usize;
    let memory = instance.exports(&mut store).find_map(|export| match export.into_extern() {
        Extern::Memory(memory) => Some(memory),
        _ => None,
    })?;
    let text = memory.data(&store).get(at..)?;
    let end = text.iter().take(TEXT_MAX + 1).position(|&byte| byte == 0)?;
    String::from_utf8(text[..end].to_vec()).ok()
}
