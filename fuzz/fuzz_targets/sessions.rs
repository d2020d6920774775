#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tarpit_proto::fuzzing::check_sessions_bear_anything(bytes));
