#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tarpit_proto::fuzzing::check_answers_of_the_shell_are_bounded(bytes));
