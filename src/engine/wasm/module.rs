//! A canister module: checked, rewritten, compiled.
//!
//! In: the bytes of a `.wasm` file. Out: a [`Module`] that can be instantiated, with its methods; or one clear error.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Read as _;

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};
use wasmparser::{ExternalKind, Parser, Payload, TypeRef, ValType, Validator, WasmFeatures};
use wasmtime::{Config, Engine, InstancePre, Linker};

use crate::files::Kind;

use super::host::Host;
use super::ic0;
use super::rewrite::{self, Rewritten};
pub use super::rewrite::{Block, Calls, Constants, Instrumentation, blocks, rewrite};
use super::{sizes, syscalls};

/// Largest module that is loaded: 100 MiB, as the IC's.
pub const MODULE_MAX: usize = 100 * 1024 * 1024;

/// The file of a module, as a scenario names it.
pub const FILE: Kind = Kind {
    noun: "a wasm module",
    most: MODULE_MAX as u64,
    missing: "build the module first, or correct `wasm`",
    instead: "name a wasm module",
};

/// Custom section of modules whose heap outlives upgrades.
const KEEPS_HEAP: &str = "icp:private enhanced-orthogonal-persistence";

/// How a method may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `canister_update`.
    Update,
    /// `canister_query`.
    Query,
    /// `canister_composite_query`.
    CompositeQuery,
}

/// Why a module cannot be loaded. Texts fit after the name of the file.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// Not a module at all, or not a valid one.
    #[error("not a valid wasm module: {0}")]
    Invalid(String),
    /// It imports something that the IC does not have.
    #[error("{0}")]
    Import(String),
    /// It exports something that the IC does not accept.
    #[error("{0}")]
    Export(String),
    /// Valid, but beyond what this engine can run.
    #[error("{0}")]
    Unsupported(String),
}

/// A loaded module.
pub struct Module {
    /// Ready to be instantiated.
    pub pre: InstancePre<Host>,
    /// What was found and added when it was rewritten.
    pub shape: Rewritten,
    /// Methods by name.
    pub methods: BTreeMap<String, Method>,
    /// SHA-256 of the file, compressed as it came: the IC's module hash.
    pub hash: String,
    /// Imported system functions.
    pub imports: Vec<String>,
    /// Whether an upgrade to this module keeps the heap: it says so in a custom section (Motoko with enhanced orthogonal
    /// persistence), and whoever upgrades it must ask for it.
    pub keeps_heap: bool,
}

/// The wasmtime engine for all modules: everything that could differ between two runs is off.
///
/// # Errors
/// If wasmtime does not support this machine.
pub fn engine() -> Result<Engine, wasmtime::Error> {
    let mut config = Config::new();
    config.cranelift_nan_canonicalization(true);
    config.wasm_relaxed_simd(false);
    config.wasm_multi_memory(true);
    config.wasm_memory64(true);
    config.wasm_tail_call(true);
    config.wasm_backtrace_max_frames(None);
    config.max_wasm_stack(super::WASM_STACK);
    // Not used, but wasmtime insists that it is the larger one.
    config.async_stack_size(super::WASM_STACK + super::HOST_STACK);
    // A store is stopped from outside by the engine's epoch: one check in each loop and function.
    config.epoch_interruption(true);
    // A heap that outgrows what is reserved would be copied, and its untouched pages with it.
    config.memory_reservation(super::instance::HEAP64_MAX);
    Engine::new(&config)
}

impl Module {
    /// Checks, rewrites and compiles a module.
    ///
    /// # Errors
    /// Says what the IC would object to, or what this engine cannot run.
    pub fn load(engine: &Engine, wasm: &[u8], instrumentation: Instrumentation) -> Result<Module, ModuleError> {
        let file = wasm;
        let wasm = &*plain(file)?;
        if wasm.len() > MODULE_MAX {
            return Err(ModuleError::Invalid(format!("{} bytes exceed the limit of {MODULE_MAX}", wasm.len())));
        }
        let (methods, imports) = checked(wasm)?;
        let shape = rewrite::rewrite(wasm, instrumentation).map_err(ModuleError::Unsupported)?;
        let compiled = wasmtime::Module::new(engine, &shape.wasm)
            .map_err(|error| ModuleError::Unsupported(format!("the module does not compile: {error:#}")))?;
        let mut linker = Linker::new(engine);
        let linked =
            if shape.memory64 { syscalls::link::<u64>(&mut linker) } else { syscalls::link::<u32>(&mut linker) };
        linked.map_err(|error| ModuleError::Unsupported(format!("the system API cannot be linked: {error:#}")))?;
        let pre = linker.instantiate_pre(&compiled).map_err(|error| ModuleError::Import(format!("{error:#}")))?;
        let hash = Sha256::digest(file).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Module { pre, shape, methods, hash, imports, keeps_heap: keeps_heap(wasm) })
    }

    /// Whether it has this entry point.
    pub fn exports(&self, name: &str) -> bool {
        self.pre.module().get_export(name).is_some()
    }

    /// Whether it imports a system function.
    pub fn imports(&self, name: &str) -> bool {
        self.imports.iter().any(|import| import == name)
    }
}

/// Checks a module that is not compressed, without compiling it.
///
/// # Errors
/// Says what the IC would object to.
pub fn check(wasm: &[u8]) -> Result<(), ModuleError> {
    checked(wasm).map(|_| ())
}

fn checked(wasm: &[u8]) -> Result<Interface, ModuleError> {
    validate(wasm)?;
    sizes::check(wasm)?;
    interface(wasm)
}

/// The module in a file, which may be compressed.
///
/// # Errors
/// If it cannot be decompressed.
pub fn plain(file: &[u8]) -> Result<Cow<'_, [u8]>, ModuleError> {
    match file {
        [0x1f, 0x8b, 0x08, ..] => decompress(file).map(Cow::Owned),
        _ => Ok(Cow::Borrowed(file)),
    }
}

/// The module in a file that gzip made; one that would exceed the limit is given up before it does.
fn decompress(file: &[u8]) -> Result<Vec<u8>, ModuleError> {
    let mut wasm = Vec::new();
    let mut limited = GzDecoder::new(file).take(MODULE_MAX as u64 + 1);
    limited
        .read_to_end(&mut wasm)
        .map_err(|error| ModuleError::Invalid(format!("cannot be decompressed: {error}; build the module again")))?;
    if wasm.len() > MODULE_MAX {
        return Err(ModuleError::Invalid(format!("decompressed, it exceeds the limit of {MODULE_MAX} bytes")));
    }
    Ok(wasm)
}

fn keeps_heap(wasm: &[u8]) -> bool {
    let payloads = Parser::new(0).parse_all(wasm);
    payloads.into_iter().any(|payload| match payload {
        Ok(Payload::CustomSection(section)) => section.name() == KEEPS_HEAP,
        _ => false,
    })
}

/// Valid wasm with the features of the IC: no threads, relaxed SIMD, garbage collection, exceptions or several memories.
fn validate(wasm: &[u8]) -> Result<(), ModuleError> {
    let other = match wasm {
        [] => Some("the file is empty; build the module again"),
        [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => {
            Some("this is a component; build a module, for wasm32-unknown-unknown")
        }
        [0, b'a', b's', b'm', ..] => None,
        _ => Some("it does not begin as one; name a module, or build it again"),
    };
    if let Some(what) = other {
        return Err(ModuleError::Invalid(what.to_string()));
    }
    let features = WasmFeatures::WASM2 | WasmFeatures::TAIL_CALL | WasmFeatures::MEMORY64;
    let checked = Validator::new_with_features(features).validate_all(wasm);
    // The validator lists the bytes of a wrong header line by line; an error is one line.
    let one_line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    checked.map(|_| ()).map_err(|error| ModuleError::Invalid(one_line(error.to_string())))
}

type Interface = (BTreeMap<String, Method>, Vec<String>);

/// Methods and imports, checked against what the IC accepts.
fn interface(wasm: &[u8]) -> Result<Interface, ModuleError> {
    let mut types: Vec<wasmparser::FuncType> = Vec::new();
    let mut memory64 = false;
    let mut found = Vec::new();
    let mut methods = BTreeMap::new();
    let invalid = |error: wasmparser::BinaryReaderError| ModuleError::Invalid(error.to_string());
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(invalid)? {
            Payload::TypeSection(reader) => {
                for ty in reader.into_iter_err_on_gc_types() {
                    types.push(ty.map_err(invalid)?);
                }
            }
            Payload::ImportSection(reader) => {
                for import in reader.into_imports() {
                    let import = import.map_err(invalid)?;
                    let TypeRef::Func(ty) = import.ty else {
                        let (module, name) = (import.module.escape_debug(), import.name.escape_debug());
                        return Err(ModuleError::Import(format!(
                            "the module imports `{name}` from `{module}`, which is not a function: only functions of `ic0` \
                             can be imported"
                        )));
                    };
                    found.push((import.module.to_string(), import.name.to_string(), ty as usize));
                }
            }
            Payload::MemorySection(reader) => {
                for memory in reader {
                    memory64 = memory.map_err(invalid)?.memory64;
                }
            }
            Payload::ExportSection(reader) => {
                for export in reader {
                    let export = export.map_err(invalid)?;
                    if export.kind == ExternalKind::Func {
                        add_method(&mut methods, export.name)?;
                    }
                }
            }
            _ => {}
        }
    }
    let mut imports = Vec::new();
    for (module, name, ty) in found {
        check_import(&module, &name, &types[ty], memory64)?;
        imports.push(name);
    }
    Ok((methods, imports))
}

fn check_import(module: &str, name: &str, ty: &wasmparser::FuncType, memory64: bool) -> Result<(), ModuleError> {
    let syscall = if module == "ic0" { ic0::find(name) } else { None };
    let Some(syscall) = syscall.filter(|syscall| !(syscall.only32 && memory64)) else {
        let (module, name) = (module.escape_debug(), name.escape_debug());
        return Err(ModuleError::Import(format!(
            "the module imports function `{name}` from `{module}`, which the IC does not offer"
        )));
    };
    let letter = |letter: char| match letter {
        'I' if memory64 => ValType::I64,
        'I' | 'i' => ValType::I32,
        _ => ValType::I64,
    };
    let params = syscall.params.chars().map(letter);
    let result = syscall.result.chars().map(letter);
    if params.eq(ty.params().iter().copied()) && result.eq(ty.results().iter().copied()) {
        return Ok(());
    }
    Err(ModuleError::Import(format!(
        "the module imports `ic0.{name}` with the wrong type: it is ({}) -> ({})",
        syscall.params.chars().map(letter).map(|ty| ty.to_string()).collect::<Vec<_>>().join(", "),
        syscall.result.chars().map(letter).map(|ty| ty.to_string()).collect::<Vec<_>>().join(", "),
    )))
}

fn add_method(methods: &mut BTreeMap<String, Method>, export: &str) -> Result<(), ModuleError> {
    let kinds = [
        ("canister_update ", Method::Update),
        ("canister_query ", Method::Query),
        ("canister_composite_query ", Method::CompositeQuery),
    ];
    for (prefix, kind) in kinds {
        if let Some(name) = export.strip_prefix(prefix) {
            if methods.insert(name.to_string(), kind).is_some() {
                let name = name.escape_debug();
                return Err(ModuleError::Export(format!("the module exports method `{name}` twice")));
            }
            return Ok(());
        }
    }
    const KNOWN: [&str; 7] = [
        "canister_init",
        "canister_pre_upgrade",
        "canister_post_upgrade",
        "canister_inspect_message",
        "canister_heartbeat",
        "canister_global_timer",
        "canister_on_low_wasm_memory",
    ];
    if export.starts_with("canister_") && !KNOWN.contains(&export) {
        let export = export.escape_debug();
        return Err(ModuleError::Export(format!("the module exports `{export}`, a name that is reserved on the IC")));
    }
    Ok(())
}
