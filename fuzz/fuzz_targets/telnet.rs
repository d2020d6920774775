#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tarpit_proto::fuzzing::check_telnet_is_read_the_same_wherever_it_is_cut(bytes));
