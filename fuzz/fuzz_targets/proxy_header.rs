#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tarpit_proto::fuzzing::check_headers_have_one_reading(bytes));
