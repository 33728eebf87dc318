//! See `canloom::fuzz::parsers::wasm_module`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| canloom::fuzz::parsers::wasm_module(bytes));
