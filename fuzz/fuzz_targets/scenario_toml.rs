//! See `canloom::fuzz::parsers::scenario_toml`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| canloom::fuzz::parsers::scenario_toml(bytes));
