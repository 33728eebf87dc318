//! Files that are no modules, or none that the IC would take: clear errors. Large ones that it does take load.

use std::io::Write as _;

use canloom::engine::wasm::module::{Instrumentation, Module, engine};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

use super::{Canister, end, go, module, refusal, refusal_of};

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(bytes).expect("a vector takes everything");
    gzip.finish().expect("a vector takes everything")
}

fn replying() -> Vec<u8> {
    wat::parse_str(module("", "(call $reply)")).expect("a module")
}

#[test]
fn module_compressed_with_gzip_runs_and_its_hash_is_that_of_the_file() {
    let file = compressed(&replying());
    let engine = engine().expect("an engine");
    let loaded = Module::load(&engine, &file, Instrumentation::Full).expect("it loads");
    let hash: String = Sha256::digest(&file).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(loaded.hash, hash);
    let mut canister = Canister::load(&file).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(end(&canister.go()), "reply of 0 bytes");
}

#[test]
fn gzip_bomb_is_given_up_at_100_mib() {
    let bomb = compressed(&vec![0; 105 << 20]);
    assert!(bomb.len() < 200_000);
    assert_eq!(refusal_of(&bomb), "not a valid wasm module: decompressed, it exceeds the limit of 104857600 bytes");
}

#[test]
fn gzip_that_is_cut_or_corrupt_is_refused() {
    let file = compressed(&replying());
    for cut in [3, 10, 20, file.len() - 1] {
        let text = refusal_of(&file[..cut]);
        assert!(text.starts_with("not a valid wasm module: cannot be decompressed: "), "{cut}: {text}");
    }
    let mut corrupt = file.clone();
    let checksum = corrupt.len() - 8;
    corrupt[checksum] ^= 1;
    assert!(refusal_of(&corrupt).starts_with("not a valid wasm module: cannot be decompressed: "));
}

#[test]
fn what_is_no_module_is_refused_with_one_line() {
    let wasm = replying();
    let cut = (0..wasm.len()).step_by(7).map(|length| wasm[..length].to_vec());
    let flipped = (8..wasm.len()).map(|at| {
        let mut bytes = wasm.clone();
        bytes[at] ^= 0x55;
        bytes
    });
    let mut refused = 0;
    for bytes in cut.chain(flipped) {
        if let Err(text) = Canister::load(&bytes) {
            assert!(!text.is_empty() && !text.contains('\n'), "{text}");
            refused += 1;
        }
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn names_that_are_not_utf_8_and_exports_that_are_there_twice_are_invalid() {
    let mut wasm = replying();
    let name = b"canister_update go";
    let at = wasm.windows(name.len()).position(|window| window == name).expect("the export");
    wasm[at + name.len() - 1] = 0xff;
    assert!(refusal_of(&wasm).starts_with("not a valid wasm module: malformed UTF-8 encoding"));
    let twice = r#"(module (func (export "canister_update a") (export "canister_query a")))"#;
    assert_eq!(refusal(twice), "the module exports method `a` twice");
    // The text format refuses one name twice; the binary is made by renaming.
    let mut same =
        wat::parse_str(r#"(module (func (export "canister_update a")) (func (export "canister_update b")))"#)
            .expect("a module");
    let at = same.windows(17).rposition(|window| window == b"canister_update b").expect("the export");
    same[at + 16] = b'a';
    assert!(refusal_of(&same).starts_with("not a valid wasm module: duplicate export name"));
}

#[test]
fn tables_memories_and_segments_beyond_the_limits_are_refused() {
    assert_eq!(
        refusal("(module (table 1000000000 funcref))"),
        "the module has 1000000000 table elements, and the IC accepts at most 1000000"
    );
    assert_eq!(
        refusal("(module (table 1 funcref) (table 1 funcref))"),
        "the module has 2 tables, and the IC accepts at most 1"
    );
    assert!(refusal("(module (memory i64 98305))").starts_with("cannot be instantiated: "));
    assert!(refusal("(module (memory i64 0xffffffffffff))").starts_with("cannot be instantiated: "));
    assert!(
        refusal(r#"(module (memory 1) (data (i32.const 65530) "1234567"))"#).contains("out of bounds memory access")
    );
    assert!(
        refusal("(module (func $f) (table 1 funcref) (elem (i32.const 1) $f))").contains("out of bounds table access")
    );
}

#[test]
fn memory_of_65536_pages_from_the_beginning_runs() {
    let body = "(i32.store (i32.const 0xfffffffc) (i32.const 1)) (call $reply)";
    assert_eq!(go("(memory 65536)", body), "reply of 0 bytes");
}

#[test]
fn data_segment_that_claims_4_gib_is_invalid() {
    // A memory, and a data section with one segment whose length is 2^32 - 1.
    let mut wasm = b"\0asm\x01\0\0\0\x05\x03\x01\0\x01".to_vec();
    wasm.extend_from_slice(b"\x0b\x0b\x01\0\x41\0\x0b\xff\xff\xff\xff\x0f\0");
    let text = refusal_of(&wasm);
    assert!(text.starts_with("not a valid wasm module: "), "{text}");
}

#[test]
fn as_many_functions_globals_and_methods_as_the_ic_accepts_load_and_one_more_does_not() {
    let functions = |count: usize| format!("(module {})", "(func)".repeat(count));
    Canister::of(&functions(50_000));
    assert_eq!(refusal(&functions(50_001)), "the module has 50001 functions, and the IC accepts at most 50000");
    let globals = |count: usize| format!("(module {})", "(global (mut i64) (i64.const 0))".repeat(count));
    Canister::of(&globals(1_000));
    assert_eq!(refusal(&globals(1_001)), "the module has 1001 globals, and the IC accepts at most 1000");
    let methods = |count: usize| {
        let exports: String = (0..count).map(|at| format!("(export \"canister_query {at}\" (func 0))")).collect();
        format!("(module (func) {exports})")
    };
    Canister::of(&methods(1_000));
    assert_eq!(refusal(&methods(1_001)), "the module has 1001 methods, and the IC accepts at most 1000");
    let name = format!("(module (func (export \"canister_query {}\")))", "n".repeat(20_001));
    assert_eq!(refusal(&name), "the module has 20001 bytes in names of methods, and the IC accepts at most 20000");
}

#[test]
fn other_exports_locals_and_results_may_be_many() {
    let exports: String = (0..20_000).map(|at| format!("(export \"{at}\" (func 0))")).collect();
    Canister::of(&format!("(module (func) {exports})"));
    assert_eq!(go("", &format!("(local {}) (call $reply)", "i64 ".repeat(40_000))), "reply of 0 bytes");
    let refused = refusal(&module("", &format!("(local {}) (call $reply)", "i64 ".repeat(50_000))));
    assert!(refused.contains("too many locals"), "{refused}");
    let results = "i32 ".repeat(1_000);
    let body = format!("(call $many) {} (call $reply)", "drop ".repeat(1_000));
    let many = format!("(func $many (result {results}) {})", "(i32.const 1)".repeat(1_000));
    assert_eq!(go(&many, &body), "reply of 0 bytes");
}

#[test]
fn blocks_may_be_nested_20000_deep_and_branches_may_have_65000_targets() {
    let depth = 20_000;
    let body = format!("{} br {} {} call $reply", "block ".repeat(depth), depth - 1, "end ".repeat(depth));
    assert_eq!(go("", &body), "reply of 0 bytes");
    let targets = |count: usize| format!("block (br_table {} (i32.const 1)) end call $reply", "0 ".repeat(count));
    assert_eq!(go("", &targets(65_000)), "reply of 0 bytes");
    let refused = refusal(&module("", &targets(100_000)));
    assert!(refused.contains("`br_table` has 99999 targets, which exceeds the implementation limit"), "{refused}");
    let loops = format!("{} br {} {}", "loop ".repeat(2_000), 1_999, "end ".repeat(2_000));
    assert!(go("", &loops).starts_with("IC0522"));
}

#[test]
fn function_of_more_than_a_million_instructions_is_refused() {
    let long = module("", &"nop ".repeat(1_000_001));
    assert_eq!(
        refusal(&long),
        "the module has 1000002 instructions in one function, and the IC accepts at most 1000000"
    );
}
