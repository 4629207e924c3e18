#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| saltflat_fuzzing::index(data));
