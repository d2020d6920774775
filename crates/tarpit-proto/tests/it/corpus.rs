//! Replays on stable what the fuzzer starts from and has found: every file in `fuzz/corpus`.

use std::{
    fs, panic,
    path::{Path, PathBuf},
};

use tarpit_proto::fuzzing;

/// Panics where the bytes are not borne.
type Check = fn(&[u8]);

/// Every fuzz target with what it checks, in alphabetical order.
const TARGETS: [(&str, Check); 13] = [
    ("client_hello", fuzzing::check_readings_are_final),
    ("commands", fuzzing::check_commands_have_one_reading),
    ("detect", fuzzing::check_detections_are_final),
    ("http2", fuzzing::check_frames_have_one_reading),
    ("identify", fuzzing::check_verdicts_are_final),
    ("mails", fuzzing::check_mail_has_one_end),
    ("proxy_header", fuzzing::check_headers_have_one_reading),
    ("requests", fuzzing::check_requests_are_read_the_same_however_cut),
    ("sessions", fuzzing::check_sessions_bear_anything),
    ("shell", fuzzing::check_answers_of_the_shell_are_bounded),
    ("ssh_identification", fuzzing::check_identification_has_one_end),
    ("ssh_packets", fuzzing::check_packets_have_one_reading),
    ("telnet", fuzzing::check_telnet_is_read_the_same_wherever_it_is_cut),
];

#[test]
fn every_target_has_a_corpus_and_every_corpus_a_target() {
    let known = TARGETS.map(|(name, _)| name);
    assert_eq!(stems("fuzz_targets"), known, "fuzz/fuzz_targets against the list in this file");
    assert_eq!(stems("corpus"), known, "fuzz/corpus against the list in this file");
}

#[test]
fn every_file_of_every_corpus_passes_its_check() {
    for (target, check) in TARGETS {
        let files = files(&format!("corpus/{target}"));
        assert!(!files.is_empty(), "{target} has nothing to start from");
        for path in files {
            let bytes = fs::read(&path).expect("a file of the corpus");
            // The panic itself has been printed by now; this says which file it was.
            assert!(panic::catch_unwind(|| check(&bytes)).is_ok(), "{}", path.display());
        }
    }
}

/// The names of what lies in a directory of `fuzz`, without their extensions.
fn stems(directory: &str) -> Vec<String> {
    let stem = |path: PathBuf| path.file_stem().expect("a name").to_string_lossy().into_owned();
    files(directory).into_iter().map(stem).collect()
}

/// What lies in a directory of `fuzz`, in the order of its names.
fn files(directory: &str) -> Vec<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz").join(directory);
    let entries = fs::read_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}
