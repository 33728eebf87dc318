//! See `canloom::fuzz::parsers::candid_args`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| canloom::fuzz::parsers::candid_args(bytes));
