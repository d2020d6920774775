//! What the sandbox refuses, tried from inside: each test runs again in a process of its own, which
//! confines itself.

use std::{
    env, fs,
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Command, Stdio},
};

use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};

use super::*;
use crate::require::lacks;

/// Names the folder of a test that runs inside.
const INSIDE: &str = "TARPIT_INSIDE";

/// Runs the test called `name` again in a process of its own: `inside` gets a folder with the file
/// `file` in it. `name` is what the test harness calls it.
fn in_a_process(name: &str, inside: impl FnOnce(PathBuf)) {
    if let Some(folder) = env::var_os(INSIDE) {
        return inside(folder.into());
    }
    let id = format!("tarpitd-inside-{}-{}", std::process::id(), name.replace("::", "-"));
    let folder = env::temp_dir().join(id);
    fs::create_dir_all(&folder).unwrap();
    let folder = fs::canonicalize(folder).unwrap();
    fs::write(folder.join("file"), "text").unwrap();
    let mut test = Command::new(env::current_exe().unwrap());
    test.args(["--exact", name, "--nocapture"]).env(INSIDE, &folder).stdin(Stdio::null());
    let output = test.output().unwrap();
    fs::remove_dir_all(folder).unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {told}", output.status);
    let ran = String::from_utf8_lossy(&output.stdout);
    assert!(ran.contains("1 passed"), "{name} is another test's name: {ran}");
}

/// Whether the kernel has landlock; says so if not.
fn has_landlock() -> bool {
    sys::landlock_version().map_err(|error| lacks("landlock", error)).is_ok()
}

fn is_denied<T>(result: io::Result<T>) -> bool {
    result.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

#[test]
fn files_are_opened_only_as_they_are_granted() {
    if !has_landlock() {
        return;
    }
    in_a_process("os::sandbox::tests::files_are_opened_only_as_they_are_granted", |folder| {
        let path = |name: &str| folder.join(name);
        let grant = |name: &str, access| {
            fs::create_dir(path(name)).unwrap();
            fs::write(path(name).join("old"), "old").unwrap();
            Grant { path: path(name), access }
        };
        let grants = [
            grant("append", Access::Append),
            grant("keep", Access::Keep),
            grant("read", Access::Read),
            grant("remove", Access::Remove),
            Grant { path: path("gone"), access: Access::Read },
        ];
        assert!(confine(&grants).is_empty());

        // What none of them is for.
        assert!(is_denied(fs::read(path("file"))));
        assert!(is_denied(fs::write(path("file"), "")));
        assert!(is_denied(fs::read("/etc/passwd")) && is_denied(fs::read_dir("/")));
        assert!(is_denied(fs::write(path("new"), "")) && is_denied(fs::remove_file(path("file"))));
        assert!(is_denied(Command::new("/bin/true").status()));

        // append, keep, read, remove
        let all = |tried: fn(PathBuf) -> bool| {
            ["append", "keep", "read", "remove"].map(|name| tried(path(name)))
        };
        let write = |file: PathBuf| fs::OpenOptions::new().append(true).create(true).open(file);
        assert_eq!(all(|it| fs::read(it.join("old")).is_ok()), [false, true, true, false]);
        assert_eq!(all(|it| fs::write(it.join("new"), "").is_ok()), [true, true, false, false]);
        assert!(write(path("append").join("old")).unwrap().set_len(0).is_ok());
        assert_eq!(all(|it| fs::create_dir(it.join("sub")).is_ok()), [false; 4]);
        let moved = |it: PathBuf| fs::rename(it.join("old"), it.join("older")).is_ok();
        assert_eq!(all(moved), [false, true, false, false]);
        let removed = |it: PathBuf| {
            fs::remove_file(it.join("old")).or_else(|_| fs::remove_file(it.join("older"))).is_ok()
        };
        assert_eq!(all(removed), [false, true, false, true]);
    });
}

#[test]
fn a_landlocked_thread_connects_to_nothing_and_still_listens() {
    if !has_landlock() {
        return;
    }
    let name = "os::sandbox::tests::a_landlocked_thread_connects_to_nothing_and_still_listens";
    in_a_process(name, |_| {
        if sys::landlock_version().unwrap() < 4 {
            return;
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        landlock::restrict(&[]).unwrap();
        assert!(is_denied(TcpStream::connect(address)));
        TcpListener::bind("127.0.0.1:0").unwrap();
    });
}

#[test]
fn a_crash_writes_no_memory_and_no_program_gains_rights() {
    in_a_process(
        "os::sandbox::tests::a_crash_writes_no_memory_and_no_program_gains_rights",
        |_| {
            // A kernel without landlock does not matter here.
            confine(&[]);
            assert_eq!(getrlimit(Resource::Core).maximum, Some(0));
            assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
            assert!(rustix::thread::no_new_privs().unwrap());
        },
    );
}
