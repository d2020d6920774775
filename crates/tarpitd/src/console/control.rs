//! The client of the control socket: requests of HTTP/1.1 over a Unix socket, and one clear line
//! for each way in which no daemon answers.

use std::{
    fmt::Display,
    io::{self, BufRead, BufReader, Read, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    admin::control::{status, upgrade::Process},
    config,
    os::{privileges, runtime_directory},
};

/// How long the daemon may take; a reload waits for its workers.
const PATIENCE: Duration = Duration::from_secs(20);

/// The longest line of an answer's head, and the longest answer that is kept whole.
const LONGEST_LINE: u64 = 8 * 1024;
const LONGEST_ANSWER: u64 = 16 * 1024 * 1024;

/// Where the daemon is looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Whereabouts {
    pub(crate) socket: Option<PathBuf>,
    /// A configuration that names the socket.
    pub(crate) config: Option<PathBuf>,
}

/// A daemon that can be asked.
#[derive(Clone, Debug)]
pub(crate) struct Daemon {
    socket: PathBuf,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nobody answers, or not as wanted.
    NoAnswer(String),
    /// The daemon says what is wrong with the request, a line each.
    Refused(Vec<String>),
}

/// An answer: its code, and the reader of its body.
struct Answer {
    /// Who opened the socket that it comes from.
    user: u32,
    code: u16,
    body: Box<dyn BufRead>,
}

impl Whereabouts {
    /// The daemon's socket.
    pub(crate) fn find(&self) -> Result<Daemon, Failure> {
        let socket = match (&self.socket, &self.config) {
            (Some(socket), _) => socket.clone(),
            (None, Some(file)) => of_configuration(file)?,
            (None, None) => runtime_directory::socket_to_use().map_err(|places| {
                let places: Vec<_> =
                    places.iter().map(|place| place.display().to_string()).collect();
                Failure::NoAnswer(format!(
                    "no tarpitd answers: there is no socket at {}; name it with --socket, or set \
                     `[control] socket = \"on\"` in the daemon's configuration",
                    places.join(", ")
                ))
            })?,
        };
        Ok(Daemon { socket })
    }
}

/// The socket that a configuration names.
fn of_configuration(file: &Path) -> Result<PathBuf, Failure> {
    let settings = config::load(file).map_err(|wrong| {
        Failure::Refused(wrong.problems.iter().map(ToString::to_string).collect())
    })?;
    let socket = settings.control.socket.map(|socket| socket.value).ok_or_else(|| {
        Failure::NoAnswer(format!(
            "{}: there is no control socket: add `[control] socket = \"on\"`",
            file.display()
        ))
    })?;
    // With `on` the daemon chose a place that it may write, which may be another one than ours.
    let other = (!socket.exists()).then(runtime_directory::socket_to_use);
    Ok(other.and_then(Result::ok).unwrap_or(socket))
}

impl Daemon {
    /// How the daemon is.
    pub(crate) fn status(&self) -> Result<status::Status, Failure> {
        #[derive(Deserialize)]
        struct Form {
            format: u32,
            version: String,
        }
        let text = self.status_text()?;
        let Form { format, version } = self.read(&text)?;
        if format != status::FORMAT {
            return Err(self.no_answer(format!(
                "this is tarpitd {}, the daemon is {version} and speaks otherwise: use the same \
                 version",
                env!("CARGO_PKG_VERSION")
            )));
        }
        self.read(&text)
    }

    /// How the daemon is, in its own words.
    pub(crate) fn status_text(&self) -> Result<Vec<u8>, Failure> {
        self.whole(self.ask("GET", "status", "")?, "status")
    }

    /// The held clients, one JSON object a line.
    pub(crate) fn held(&self, query: &str) -> Result<impl BufRead + use<>, Failure> {
        let answer = self.ask("GET", "held", query)?;
        if answer.code == 200 { Ok(answer.body) } else { Err(self.refusal(answer, "held")) }
    }

    /// Drops clients and says how many.
    pub(crate) fn drop(&self, whom: &str) -> Result<u64, Failure> {
        #[derive(Deserialize)]
        struct Outcome {
            dropped: u64,
        }
        let answer = self.ask("POST", "drop", &format!("whom={whom}"))?;
        let Outcome { dropped } = self.read(&self.whole(answer, "drop")?)?;
        Ok(dropped)
    }

    /// Lets the daemon read its configuration again, and says what changed.
    pub(crate) fn reload(&self) -> Result<Vec<String>, Failure> {
        #[derive(Deserialize)]
        struct Outcome {
            changes: Vec<String>,
        }
        let answer = self.ask("POST", "reload", "")?;
        let Outcome { changes } = self.read(&self.whole(answer, "reload")?)?;
        Ok(changes)
    }

    /// How the daemon was started, and as which user it opened its socket. Only the kernel is to be
    /// believed about that user.
    pub(crate) fn process(&self) -> Result<(Process, u32), Failure> {
        let answer = self.ask("GET", "process", "")?;
        let user = answer.user;
        Ok((self.read(&self.whole(answer, "process")?)?, user))
    }

    /// Where it answers.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    fn ask(&self, method: &str, what: &str, query: &str) -> Result<Answer, Failure> {
        let mark = if query.is_empty() { "" } else { "?" };
        let request = format!(
            "{method} /v1/{what}{mark}{query} HTTP/1.1\r\nHost: tarpitd\r\nContent-Length: 0\r\n\
             Connection: close\r\n\r\n"
        );
        let exchange = || -> io::Result<Answer> {
            let mut stream = UnixStream::connect(&self.socket)?;
            let user = privileges::listener_of(&stream)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            stream.write_all(request.as_bytes())?;
            read_head(BufReader::new(stream), user)
        };
        exchange().map_err(|error| {
            self.no_answer(match error.kind() {
                io::ErrorKind::NotFound => {
                    "there is no socket; is the daemon running, with `[control] socket`?".to_owned()
                }
                io::ErrorKind::ConnectionRefused => "the daemon that made this socket has \
                                                     ended; start tarpitd"
                    .to_owned(),
                io::ErrorKind::PermissionDenied => "permission denied; run this as root or as \
                                                    the daemon's user, or let your group in with \
                                                    `[control] group`"
                    .to_owned(),
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::BrokenPipe => "the connection was closed without an answer; run \
                                                this as root or as the daemon's user"
                    .to_owned(),
                io::ErrorKind::InvalidData => {
                    "this is not the control socket of a tarpitd".to_owned()
                }
                io::ErrorKind::WouldBlock => "the daemon does not answer in time".to_owned(),
                _ => error.to_string(),
            })
        })
    }

    /// A whole answer to `what`.
    fn whole(&self, answer: Answer, what: &str) -> Result<Vec<u8>, Failure> {
        if answer.code != 200 {
            return Err(self.refusal(answer, what));
        }
        let mut text = Vec::new();
        match answer.body.take(LONGEST_ANSWER).read_to_end(&mut text) {
            Ok(_) => Ok(text),
            Err(error) => Err(self.no_answer(error)),
        }
    }

    /// What an answer says that is no success.
    fn refusal(&self, answer: Answer, what: &str) -> Failure {
        #[derive(Deserialize)]
        struct Problems {
            problems: Vec<String>,
        }
        let mut text = Vec::new();
        // What cannot be read of it is not told.
        let _ = answer.body.take(LONGEST_ANSWER).read_to_end(&mut text);
        if let Ok(Problems { problems }) = serde_json::from_slice(&text) {
            return Failure::Refused(problems);
        }
        let text = String::from_utf8_lossy(&text);
        match answer.code {
            404 => self.no_answer(format!(
                "the daemon does not know `{what}`: it is older than this tarpitd {}; restart it",
                env!("CARGO_PKG_VERSION")
            )),
            400 => Failure::Refused(vec![printable(text.trim())]),
            _ => Failure::NoAnswer(format!(
                "{} answers: {}",
                self.socket.display(),
                printable(text.trim())
            )),
        }
    }

    fn read<T: DeserializeOwned>(&self, text: &[u8]) -> Result<T, Failure> {
        serde_json::from_slice(text).map_err(|_| {
            self.no_answer(format!(
                "the daemon's answer cannot be read: use the version of this tarpitd, {}",
                env!("CARGO_PKG_VERSION")
            ))
        })
    }

    fn no_answer(&self, why: impl Display) -> Failure {
        Failure::NoAnswer(format!("no answer at {}: {why}", self.socket.display()))
    }
}

/// A text that neither begins a line nor moves a terminal's cursor.
fn printable(text: &str) -> String {
    let escape = |c: char| if c.is_control() { c.escape_default().collect() } else { vec![c] };
    text.chars().flat_map(escape).collect()
}

/// Reads an answer's head.
fn read_head(mut reader: BufReader<UnixStream>, user: u32) -> io::Result<Answer> {
    let line = |reader: &mut BufReader<UnixStream>| -> io::Result<String> {
        let mut line = String::new();
        reader.take(LONGEST_LINE).read_line(&mut line)?;
        if line.ends_with('\n') { Ok(line) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    };
    let first = line(&mut reader)?;
    let code = first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    let code = code.ok_or(io::ErrorKind::InvalidData)?;
    let (mut is_chunked, mut length) = (false, u64::MAX);
    loop {
        let line = line(&mut reader)?.trim().to_ascii_lowercase();
        match line.split_once(':') {
            Some(("transfer-encoding", value)) => is_chunked = value.trim() == "chunked",
            Some(("content-length", value)) => length = value.trim().parse().unwrap_or(u64::MAX),
            Some(_) => {}
            None => break,
        }
    }
    let body: Box<dyn BufRead> = if is_chunked {
        Box::new(BufReader::new(Chunked { reader, left: 0, is_first: true, is_over: false }))
    } else {
        Box::new(reader.take(length))
    };
    Ok(Answer { user, code, body })
}

/// A body in chunks (RFC 9112, section 7.1). Its end before the last chunk is an error.
struct Chunked<R> {
    reader: R,
    /// How much of the present chunk is left.
    left: u64,
    is_first: bool,
    is_over: bool,
}

impl<R: BufRead> Read for Chunked<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.is_over {
            return Ok(0);
        }
        if self.left == 0 {
            let mut line = String::new();
            if !self.is_first {
                (&mut self.reader).take(LONGEST_LINE).read_line(&mut line)?;
                line.clear();
            }
            self.is_first = false;
            (&mut self.reader).take(LONGEST_LINE).read_line(&mut line)?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let eof = || io::Error::new(io::ErrorKind::UnexpectedEof, "the answer is cut off");
            self.left = u64::from_str_radix(size, 16).map_err(|_| eof())?;
            if self.left == 0 {
                self.is_over = true;
                return Ok(0);
            }
        }
        let most = out.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = self.reader.read(&mut out[..most])?;
        if read == 0 && most > 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the answer is cut off"));
        }
        self.left -= read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_read_to_the_last_and_an_earlier_end_is_an_error() {
        let read = |text: &'static str| -> io::Result<String> {
            let reader = text.as_bytes();
            let mut chunked = Chunked { reader, left: 0, is_first: true, is_over: false };
            let mut read = String::new();
            chunked.read_to_string(&mut read)?;
            Ok(read)
        };
        assert_eq!(read("3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n").unwrap(), "abcde");
        for cut in ["", "3\r\nab", "3\r\nabc\r\n", "3\r\nabc\r\nzz\r\n"] {
            assert!(read(cut).is_err(), "{cut:?}");
        }
    }
}
