//! A daemon that is the main process of a systemd unit: `upgrade` lets systemd restart the unit.

use std::{
    fs,
    process::{Command, Stdio},
};

use crate::{
    daemon::{Daemon, Directory, tarpitd},
    require::require,
};

/// A `systemctl` of the test's own: it notes how it is called, and does what its two files say.
const SYSTEMCTL: &str = "#!/bin/sh\nfolder=${0%/*}\necho \"$*\" >>\"$folder/calls\"\n\
                         case $1 in\nshow) cat \"$folder/store\" ;;\n\
                         restart) exit \"$(cat \"$folder/code\")\" ;;\nesac\n";

#[test]
fn a_unit_s_main_process_is_upgraded_by_a_restart_of_the_unit() {
    // A mount of the command's own shows it the control groups of a unit.
    if !require("root") {
        return;
    }
    let directory = Directory::new("upgrade-unit");
    let socket = directory.path("control");
    let tarpit = "[tarpits.a]\npattern = 'endless_banner'\nbind = '127.0.0.1:0'\n";
    let config = format!("{tarpit}[control]\nsocket = '{socket}'\n");
    let config = directory.file("c.toml", &config);
    // By another process: a file that this one has open for writing cannot be run meanwhile.
    let text = directory.file("systemctl.text", SYSTEMCTL);
    let program = directory.path("systemctl");
    let copied = Command::new("install").args(["-m", "755", &text, &program]).status();
    assert!(copied.expect("it runs").success());
    let binary = tarpitd().get_program().to_owned();
    let mut command = Command::new("sh");
    command.args(["-c", "SYSTEMD_EXEC_PID=$$ INVOCATION_ID=x exec \"$0\" \"$@\""]);
    command.arg(&binary).args(["-c", &config]).stdin(Stdio::null());
    command.env_remove("JOURNAL_STREAM").env_remove("NOTIFY_SOCKET");
    let daemon = Daemon::spawn(command, 1);
    let pid = daemon.pid().as_raw_nonzero();
    let groups = directory.file("groups", "0::/system.slice/t.service\n");
    let upgrade = |program: &[&str]| {
        let shown = format!("mount --bind '{groups}' /proc/{pid}/cgroup && exec \"$0\" \"$@\"");
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", &shown]).arg(&binary).arg("upgrade").args(program);
        command.args(["--socket", &socket]);
        command.env("PATH", format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", directory.path("")));
        let output = command.output().expect("it runs");
        let told = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(told).expect("text"))
    };
    let set = |store: &str, code: &str| {
        directory.file("store", store);
        directory.file("code", code);
    };
    set("4096\n", "0");
    assert_eq!(upgrade(&[]), (Some(0), "t.service was restarted\n".to_owned()));
    let calls = fs::read_to_string(directory.path("calls")).expect("it was called");
    assert_eq!(calls.lines().last(), Some("restart t.service"), "{calls}");
    for (store, code, program, told) in [
        ("4096\n", "1", &[][..], "`systemctl restart t.service` fails"),
        ("0\n", "0", &[], "t.service has no descriptor store"),
        ("4096\n", "0", &["/bin/true"], "ExecStart="),
    ] {
        set(store, code);
        let (status, said) = upgrade(program);
        assert_eq!(status, Some(1), "{said}");
        assert!(said.contains(told) && said.contains("goes on"), "{said}");
    }
    daemon.connect().hear();
}
