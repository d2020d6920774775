//! `tarpitd upgrade`: starts a new program, which takes over from the running daemon, and waits.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs, io,
    io::Read as _,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitCode, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, pidfd_open},
};

use super::{
    complain,
    control::{Daemon, Failure},
    print,
};
use crate::{
    admin::control::upgrade::Process,
    daemon::{HAND_OVER, REFUSED, SERVES},
    os::privileges,
};

/// The most time until the new program serves: well above the bounds of a hand-over in all, so that a
/// program that takes over is never ended.
const MOST: Duration = Duration::from_secs(120);

/// How soon a new program usually serves.
const SOON: Duration = Duration::from_secs(5);

/// Lets `program`, or else this one, go on for the daemon.
pub(super) fn upgrade(daemon: &Daemon, program: Option<&Path>) -> Result<ExitCode, Failure> {
    let (process, user) = daemon.process()?;
    let outcome = match unit_of(&process) {
        Some(unit) => restart(&unit, program, SYSTEMCTL),
        None => may_start(&process, user).and_then(|()| start(daemon.socket(), program, &process)),
    };
    Ok(match outcome {
        Ok(told) => print(format!("{told}\n").as_bytes()),
        Err(why) => {
            let now = daemon.process().ok().map(|(now, _)| now.pid);
            complain(&format!("tarpitd: {why}; {}", standing(process.pid, now)));
            ExitCode::from(REFUSED)
        }
    })
}

/// What has become of the daemon with the number `before`. `now`: which one answers, if any.
fn standing(before: u32, now: Option<u32>) -> String {
    match now {
        Some(now) if now == before => format!("the running daemon (pid {before}) goes on"),
        Some(now) => {
            format!("another program has taken over from pid {before} meanwhile: pid {now} serves")
        }
        None => format!("the running daemon (pid {before}) has ended or does not answer any more"),
    }
}

/// Whether this process may start what a daemon asks for whose socket `user` opened. Root must not:
/// the new program would have root's rights, and arguments and environment are that user's.
fn may_start(process: &Process, user: u32) -> Result<(), String> {
    if process.pid == 1 {
        return Err(
            "the daemon is process 1 of its container, which ends with it, and all clients \
                    with that: restart the container"
                .to_owned(),
        );
    }
    if privileges::is_root() && user != 0 {
        return Err(format!(
            "user {user} started the daemon, not root, and from root the new program would have \
             root's rights: run this as that user, such as by `sudo -u '#{user}' tarpitd upgrade`"
        ));
    }
    Ok(())
}

/// Starts the program as the daemon was started, and waits until it serves. What it complains of is
/// shown here until then.
fn start(socket: &Path, program: Option<&Path>, process: &Process) -> Result<String, String> {
    let program = match program {
        Some(program) => found(program),
        None => {
            env::current_exe().map_err(|error| format!("cannot tell what to start: {error}"))?
        }
    };
    let refused = |error: io::Error| format!("cannot start {}: {error}", program.display());
    let socket = std::path::absolute(socket).map_err(refused)?;
    let mut command = Command::new(&program);
    if let Some((name, arguments)) = process.arguments.split_first() {
        command.arg0(name).args(arguments);
    }
    command.current_dir(&process.directory).env_clear();
    command.envs(process.environment.iter().map(|(name, value)| (name, value)));
    command.env(HAND_OVER, socket).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(refused)?;
    let program = program.display();
    let told = child.stdout.take().and_then(|stdout| first_line(stdout, child.id()));
    if told.as_deref() == Some(SERVES) {
        return Ok(format!("{program} (pid {}) serves now", child.id()));
    }
    let ended = ended(&mut child);
    // A program that goes on without serving is none that can take over.
    let _ = child.kill();
    let _ = child.wait();
    Err(match ended {
        Some(status) => format!("{program} does not take over ({status})"),
        None if told.is_none() => {
            format!("{program} does not take over within {} seconds", MOST.as_secs())
        }
        None => format!("{program} does not take over"),
    })
}

/// How a program has ended that has closed its output, if it has: that is the last that it does.
fn ended(child: &mut Child) -> Option<ExitStatus> {
    let process = pidfd_open(Pid::from_child(child), PidfdFlags::empty()).ok()?;
    let moment = Timespec { tv_sec: 1, tv_nsec: 0 };
    poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&moment)).ok()?;
    child.try_wait().ok().flatten()
}

/// The line by which the new program with this number says that it serves, or what comes in its
/// place; `None` after [`MOST`]. Who waits longer than [`SOON`] is told so.
fn first_line(stdout: ChildStdout, pid: u32) -> Option<Vec<u8>> {
    let (sender, line) = mpsc::channel();
    // A program that neither writes nor ends is waited for no longer than this function.
    thread::spawn(move || {
        let mut told = Vec::new();
        // What does not come is not told.
        let _ = stdout.take(SERVES.len() as u64).read_to_end(&mut told);
        sender.send(told)
    });
    line.recv_timeout(SOON).ok().or_else(|| {
        let most = MOST.as_secs();
        complain(&format!("tarpitd: waiting for pid {pid} to serve, {most} seconds at most"));
        line.recv_timeout(MOST.saturating_sub(SOON)).ok()
    })
}

/// A program as this process finds it: the new one starts in another directory.
fn found(program: &Path) -> PathBuf {
    match program.parent() {
        // The search path finds it.
        Some(parent) if parent.as_os_str().is_empty() && !program.exists() => program.to_owned(),
        _ => std::path::absolute(program).unwrap_or_else(|_| program.to_owned()),
    }
}

/// A unit of systemd.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Unit {
    name: String,
    /// Whether it is one of a user's manager.
    is_users: bool,
}

/// The unit whose main process the daemon is. systemd would end what another process starts there.
fn unit_of(process: &Process) -> Option<Unit> {
    let of = |wanted: &str| {
        let mut all = process.environment.iter();
        all.find(|(name, _)| name == wanted).map(|(_, value)| value.as_os_str())
    };
    let main = of("INVOCATION_ID").and_then(|_| of("SYSTEMD_EXEC_PID")).and_then(OsStr::to_str);
    if main.and_then(|pid| pid.parse().ok()) != Some(process.pid) {
        return None;
    }
    let groups = fs::read_to_string(format!("/proc/{}/cgroup", process.pid)).ok()?;
    unit_in(&groups)
}

/// The innermost service of a process's control groups (cgroups(7)).
fn unit_in(groups: &str) -> Option<Unit> {
    let paths = groups.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    paths.into_iter().find_map(|path| {
        let name = path.rsplit('/').find(|part| part.ends_with(".service"))?;
        let is_below_users = path.split('/').any(|part| part.starts_with("user@"));
        let is_users = is_below_users && !name.starts_with("user@");
        Some(Unit { name: name.to_owned(), is_users })
    })
}

/// The program that speaks to systemd.
const SYSTEMCTL: &str = "systemctl";

/// Lets systemd restart the unit, which keeps the clients in its descriptor store.
fn restart(unit: &Unit, program: Option<&Path>, by: &str) -> Result<String, String> {
    let name = &unit.name;
    if program.is_some() {
        return Err(format!(
            "{name} starts what its ExecStart= names: change that, and run `tarpitd upgrade` \
             without a program"
        ));
    }
    let systemctl = |words: &[&str]| {
        let mut command = Command::new(by);
        if unit.is_users {
            command.arg("--user");
        }
        command.args(words).arg(name).stdin(Stdio::null());
        command
    };
    let store = systemctl(&["show", "--property=FileDescriptorStoreMax", "--value"]).output();
    let has_none = |text: &[u8]| text.trim_ascii() == b"0";
    if store.is_ok_and(|output| output.status.success() && has_none(&output.stdout)) {
        return Err(format!(
            "{name} has no descriptor store, so a restart would close every client: set \
             FileDescriptorStoreMax= in it, or run `systemctl restart {name}`"
        ));
    }
    let command: OsString = format!("systemctl restart {name}").into();
    match systemctl(&["restart"]).status() {
        Ok(status) if status.success() => Ok(format!("{name} was restarted")),
        Ok(_) => Err(format!("`{}` fails; run it as root", command.display())),
        Err(error) => Err(format!("cannot run `{}`: {error}", command.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_found_in_the_control_groups() {
        let unit = |groups| unit_in(groups).map(|unit| (unit.name, unit.is_users));
        let named = |name: &str, is_users| Some((name.to_owned(), is_users));
        for (groups, wanted) in [
            ("0::/system.slice/tarpitd.service\n", named("tarpitd.service", false)),
            ("0::/system.slice/tarpitd.service/child\n", named("tarpitd.service", false)),
            ("1:name=systemd:/system.slice/a.service\n0::/\n", named("a.service", false)),
            (
                "0::/user.slice/user-1000.slice/user@1000.service/app.slice/t.service\n",
                named("t.service", true),
            ),
            ("0::/user.slice/user-1000.slice/session-1.scope\n", None),
            ("0::/\n", None),
            ("", None),
        ] {
            assert_eq!(unit(groups), wanted, "{groups}");
        }
    }

    #[test]
    fn what_serves_after_a_failure_is_told_as_it_is() {
        assert_eq!(standing(7, Some(7)), "the running daemon (pid 7) goes on");
        assert!(standing(7, Some(8)).ends_with("meanwhile: pid 8 serves"));
        assert!(standing(7, None).contains("(pid 7) has ended or does not answer"));
    }

    #[test]
    fn how_a_program_ended_that_does_not_take_over_is_told() {
        let process = Process {
            pid: 7,
            arguments: vec!["sh".into(), "-c".into(), "kill -9 $$".into()],
            directory: "/".into(),
            environment: Vec::new(),
        };
        for (program, wanted) in [
            ("/bin/false", "/bin/false does not take over (exit status: 1)"),
            ("/bin/true", "/bin/true does not take over (exit status: 0)"),
            ("/bin/sh", "/bin/sh does not take over (signal: 9 (SIGKILL))"),
        ] {
            let why = start(Path::new("/nowhere"), Some(Path::new(program)), &process);
            assert_eq!(why, Err(wanted.to_owned()));
        }
    }

    #[test]
    fn a_container_s_first_process_is_not_replaced() {
        let process = |pid| Process {
            pid,
            arguments: Vec::new(),
            directory: OsString::new(),
            environment: Vec::new(),
        };
        let why = may_start(&process(1), 0).unwrap_err();
        assert!(why.contains("restart the container"), "{why}");
        assert_eq!(may_start(&process(2), 0), Ok(()));
    }

    #[test]
    fn only_a_unit_s_main_process_is_restarted_by_systemd() {
        let process = |environment: &[(&str, &str)]| Process {
            pid: std::process::id(),
            arguments: Vec::new(),
            directory: OsString::new(),
            environment: environment.iter().map(|&(a, b)| (a.into(), b.into())).collect(),
        };
        assert_eq!(unit_of(&process(&[])), None);
        // As of a shell in a desktop's terminal, which is a unit.
        let inherited = [("INVOCATION_ID", "x"), ("SYSTEMD_EXEC_PID", "1")];
        assert_eq!(unit_of(&process(&inherited)), None);
    }

    #[test]
    fn a_unit_s_program_is_named_by_the_unit() {
        let unit = Unit { name: "t.service".into(), is_users: false };
        let why = restart(&unit, Some(Path::new("/usr/bin/true")), "/bin/true").unwrap_err();
        assert!(why.contains("ExecStart"), "{why}");
    }

    #[test]
    fn what_systemctl_says_of_a_restart_is_told() {
        let unit = Unit { name: "t.service".into(), is_users: false };
        assert_eq!(restart(&unit, None, "true"), Ok("t.service was restarted".to_owned()));
        for (by, told) in [("false", "fails; run it as root"), ("/nowhere/at/all", "cannot run")] {
            let why = restart(&unit, None, by).unwrap_err();
            assert!(why.contains("systemctl restart t.service") && why.contains(told), "{why}");
        }
    }
}
