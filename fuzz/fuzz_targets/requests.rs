#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tarpit_proto::fuzzing::check_requests_are_read_the_same_however_cut(bytes));
