//! See `canloom::fuzz::parsers::cx`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| canloom::fuzz::parsers::cx(bytes));
