#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pyflame::fuzzing::unwind(bytes));
