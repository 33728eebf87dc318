//! Writes random modules with the interface of a canister: `smith COUNT SEED FILE`.
//!
//! In: a number, a seed, the file to write. Out: that many modules, each behind its length as four bytes, little-endian.
//! The same seed gives the same modules. They are valid wasm, mostly of the features that the IC accepts; what a canister
//! does with its messages is random.

use std::io::Write as _;

use arbitrary::Unstructured;
use wasm_encoder::{
    CodeSection, EntityType, ExportKind, ExportSection, Function, FunctionSection, ImportSection, Module, TypeSection,
    ValType,
};
use wasm_smith::Config;

/// Functions of the system with their types: `I` is an address, `i` i32, `l` i64; parameters, then results. The table of
/// canloom's engine has all of them; a test checks that they load, so these cannot drift apart unseen.
const SYSTEM: [(&str, &str, &str); 51] = [
    ("msg_arg_data_size", "", "I"),
    ("msg_arg_data_copy", "III", ""),
    ("msg_caller_size", "", "I"),
    ("msg_caller_copy", "III", ""),
    ("msg_reject_code", "", "i"),
    ("msg_reject_msg_size", "", "I"),
    ("msg_reject_msg_copy", "III", ""),
    ("msg_deadline", "", "l"),
    ("msg_reply_data_append", "II", ""),
    ("msg_reply", "", ""),
    ("msg_reject", "II", ""),
    ("msg_cycles_available128", "I", ""),
    ("msg_cycles_refunded128", "I", ""),
    ("msg_cycles_accept128", "llI", ""),
    ("cycles_burn128", "llI", ""),
    ("canister_self_size", "", "I"),
    ("canister_self_copy", "III", ""),
    ("canister_cycle_balance128", "I", ""),
    ("canister_liquid_cycle_balance128", "I", ""),
    ("canister_status", "", "i"),
    ("canister_version", "", "l"),
    ("msg_method_name_size", "", "I"),
    ("accept_message", "", ""),
    ("call_new", "IIIIIIII", ""),
    ("call_on_cleanup", "II", ""),
    ("call_data_append", "II", ""),
    ("call_with_best_effort_response", "i", ""),
    ("call_cycles_add128", "ll", ""),
    ("call_perform", "", "i"),
    ("stable64_size", "", "l"),
    ("stable64_grow", "l", "l"),
    ("stable64_read", "lll", ""),
    ("stable64_write", "lll", ""),
    ("root_key_size", "", "I"),
    ("root_key_copy", "III", ""),
    ("certified_data_set", "II", ""),
    ("data_certificate_present", "", "i"),
    ("data_certificate_size", "", "I"),
    ("time", "", "l"),
    ("global_timer_set", "l", "l"),
    ("performance_counter", "i", "l"),
    ("is_controller", "II", "i"),
    ("in_replicated_execution", "", "i"),
    ("cost_call", "llI", ""),
    ("cost_http_request_v2", "III", ""),
    ("cost_sign_with_ecdsa", "IIiI", "i"),
    ("env_var_count", "", "I"),
    ("env_var_name_exists", "II", "i"),
    ("env_var_value_copy", "IIIII", ""),
    ("debug_print", "II", ""),
    ("trap", "II", ""),
];

/// Exports of the modules. All have the type `() -> ()`.
const EXPORTS: [&str; 7] = [
    "canister_init",
    "canister_update a",
    "canister_update b",
    "canister_query q",
    "canister_global_timer",
    "canister_pre_upgrade",
    "canister_post_upgrade",
];

/// Bytes of randomness that one module is made of: enough for it to use what it may.
const RANDOM_BYTES: usize = 3000;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, count, seed, file] = &arguments[..] else { panic!("usage: smith COUNT SEED FILE") };
    let count: u64 = count.parse().expect("a number of modules");
    let seed: u64 = seed.parse().expect("a number as seed");
    let mut out = std::io::BufWriter::new(std::fs::File::create(file).expect("the file can be written"));
    // Some bytes do not make a module of this shape; the next ones do.
    let modules = (seed..).filter_map(module).take(usize::try_from(count).expect("a number of modules"));
    for module in modules {
        let length = u32::try_from(module.len()).expect("a small module");
        out.write_all(&length.to_le_bytes()).expect("the file can be written");
        out.write_all(&module).expect("the file can be written");
    }
    out.flush().expect("the file can be written");
}

/// One module, unless the bytes that the seed gives do not make one. Every third has a memory with 64-bit addresses, or a table of that kind.
fn module(seed: u64) -> Option<Vec<u8>> {
    let bytes = random(seed);
    let wide = seed % 3 == 2;
    let config = Config {
        available_imports: Some(imports(wide, seed.is_multiple_of(8))),
        // Random code mostly traps, and a canister whose installation traps does nothing more.
        exports: Some(exports(if seed.is_multiple_of(4) { &EXPORTS } else { &EXPORTS[1..] })),
        memory64_enabled: wide,
        min_memories: 1,
        max_memories: 1,
        max_memory32_bytes: 64 << 20,
        max_memory64_bytes: 64 << 20,
        min_tables: 1,
        max_tables: 1,
        max_table_elements: 10_000,
        min_funcs: 4,
        max_funcs: 20,
        max_instructions: 200,
        max_imports: 20,
        min_imports: 5,
        max_globals: 10,
        allow_start_export: true,
        // Few: canloom refuses references from outside, as its wasmtime is built without a garbage collector.
        reference_types_enabled: seed.is_multiple_of(16),
        gc_enabled: false,
        exceptions_enabled: false,
        threads_enabled: false,
        relaxed_simd_enabled: false,
        custom_page_sizes_enabled: false,
        wide_arithmetic_enabled: false,
        extended_const_enabled: false,
        compact_imports_enabled: false,
        ..Config::default()
    };
    let mut source = Unstructured::new(&bytes);
    let module = wasm_smith::Module::new(config, &mut source).ok()?.to_bytes();
    (is_wide(&module) == wide).then_some(module)
}

/// Whether addresses have 64 bits, in which the types of imports must agree with the memory.
fn is_wide(module: &[u8]) -> bool {
    let payloads = wasmparser::Parser::new(0).parse_all(module);
    let memories = payloads.filter_map(|payload| match payload.expect("a valid module") {
        wasmparser::Payload::MemorySection(reader) => Some(reader),
        _ => None,
    });
    memories.flatten().any(|memory| memory.expect("a valid module").memory64)
}

/// A module that imports the system.
fn imports(wide: bool, counts: bool) -> Vec<u8> {
    let letter = |letter: char| match letter {
        'I' if wide => ValType::I64,
        'I' | 'i' => ValType::I32,
        _ => ValType::I64,
    };
    let (mut types, mut imports) = (TypeSection::new(), ImportSection::new());
    // A module that sees how many instructions it executes cannot be compared with itself where nothing is counted.
    let system = SYSTEM.iter().filter(|(name, ..)| counts || *name != "performance_counter");
    for (at, (name, parameters, results)) in system.enumerate() {
        let types_of = |letters: &str| letters.chars().map(letter).collect::<Vec<ValType>>();
        types.ty().function(types_of(parameters), types_of(results));
        imports.import("ic0", name, EntityType::Function(at as u32));
    }
    let mut module = Module::new();
    module.section(&types).section(&imports);
    module.finish()
}

/// A module that exports what a canister exports.
fn exports(names: &[&str]) -> Vec<u8> {
    let (mut types, mut functions, mut exports, mut code) =
        (TypeSection::new(), FunctionSection::new(), ExportSection::new(), CodeSection::new());
    types.ty().function([], []);
    for (at, name) in names.iter().enumerate() {
        functions.function(0);
        exports.export(name, ExportKind::Func, at as u32);
        let mut body = Function::new([]);
        body.instruction(&wasm_encoder::Instruction::End);
        code.function(&body);
    }
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&exports).section(&code);
    module.finish()
}

/// Random bytes: the generator splitmix64, which is the same on every machine and in every version.
fn random(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let words = std::iter::repeat_with(|| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    });
    words.take(RANDOM_BYTES / 8).flat_map(u64::to_le_bytes).collect()
}
