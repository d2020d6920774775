//! What the program prints and how it exits where it does not serve.

use std::{
    fs::{self, File},
    process::{Command, Output, Stdio},
};

/// Runs the program to its end.
fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = program(arguments).output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let Output { status, stdout, stderr } = &output;
    (status.code().expect("an exit code"), text(stdout), text(stderr))
}

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tarpitd"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// A file with this text, named after the test.
fn file(name: &str, text: &str) -> String {
    let path = format!("{}/{name}.toml", env!("CARGO_TARGET_TMPDIR"));
    fs::write(&path, text).expect("a temporary file");
    path
}

#[test]
fn check_tells_what_a_file_would_serve() {
    let path = file(
        "sound",
        "[tarpits.a]\npattern = 'endless_banner'\nclient_valiation = true\n\
         bind = [{ host = 'localhost', port = '8000-8001' }]",
    );
    let (code, out, err) = run(&["check", &path]);
    let served = "a: endless_banner on 127.0.0.1:8000, 127.0.0.1:8001, [::1]:8000, [::1]:8001\n";
    assert!(
        out.starts_with(&format!("{path}: would serve\n  {served}within these limits\n")),
        "{out}"
    );
    assert!(out.contains("\n  per_address = 256: default\n"), "{out}");
    assert_eq!(
        err,
        format!(
            "{path}:3:1: warning: `client_valiation` is a misspelling: write `client_validation`\n"
        )
    );
    assert_eq!(code, 0);
}

#[test]
fn check_and_start_report_all_problems_of_a_file_at_once() {
    let path = file("wrong", "worker = 1\n[tarpits.a]\npattern = 'endless_baner'\nbind = []\n");
    let wanted = format!(
        "{path}:1:1: unknown key `worker`; did you mean `workers`?\n\
         {path}:3:11: there is no pattern `endless_baner`: did you mean `endless_banner`?\n\
         {path}:4:8: there is no address: add one, such as \"0.0.0.0:2222\"\n"
    );
    for arguments in [["check", &path], ["-c", &path]] {
        assert_eq!(run(&arguments), (2, String::new(), wanted.clone()));
    }
}

#[test]
fn a_file_that_is_no_configuration_is_told_in_one_line() {
    for path in ["/nonexistent", "/dev/null", "/dev/zero", "/", "/proc/self/exe"] {
        let (code, out, err) = run(&["-c", path]);
        assert_eq!((code, out.as_str(), err.lines().count()), (2, "", 1), "{err}");
        assert!(err.starts_with(path), "{err}");
    }
}

#[test]
fn misuse_is_told_in_one_line() {
    for arguments in [
        &["-s", "endless_banner:127.0.0.1:1", "-c", "x"][..],
        &["-s", "endless_banner:127.0.0.1:70000"],
        &["-s", "endless_banner:127.0.0.1:-1"],
        &["-s", "endless_banner:127.0.0.1:x"],
        &["-s", "endless_baner:127.0.0.1:1"],
        &["-s", "endless_banner:example.org:1"],
        &["-s"],
        &["-r", "x"],
        &["--frobnicate"],
        &["frobnicate"],
    ] {
        let (code, out, err) = run(arguments);
        assert_eq!((code, out.as_str(), err.lines().count()), (2, "", 1), "{err}");
    }
}

#[test]
fn what_is_asked_for_is_printed() {
    for (arguments, wanted) in [
        (&["--version"][..], "tarpitd "),
        (&["--help"], "--serve"),
        (&["-h"], "--serve"),
        (&["--manual"], "EXIT STATUS"),
        (&["--manual", "tarpitd.conf.5"], "client_validation"),
        (&["patterns"], "endless_banner"),
        (&["patterns", "--json"], "\"name\": \"endless_banner\""),
        (&["completions", "bash"], "--serve"),
        (&["completions", "fish"], "rate-limit"),
        (&["completions", "zsh"], "--serve"),
    ] {
        let (code, out, err) = run(arguments);
        assert_eq!((code, err.as_str()), (0, ""));
        assert!(out.contains(wanted), "{arguments:?}: {out}");
    }
}

#[test]
fn a_reader_that_leaves_is_no_failure_and_a_full_disk_is_one() {
    for arguments in [&["--help"][..], &["--manual"], &["patterns"], &["completions", "bash"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let status = program(arguments).stdout(writer).status().expect("it runs");
        assert_eq!(status.code(), Some(0), "{arguments:?}");

        let full = File::options().write(true).open("/dev/full").expect("Linux has it");
        let output = program(arguments).stdout(full).output().expect("it runs");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.starts_with("tarpitd: cannot write to standard output"), "{text}");
    }
}
