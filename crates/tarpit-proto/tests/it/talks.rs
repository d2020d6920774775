//! What real servers of FTP and SMTP answered: talks with them, line by line.
//!
//! In `tests/data/*_talks.txt` a talk has the name of the server in brackets, then its greeting.
//! Behind each line that the client says (`> `) stands what the server answered. `ours: ` begins
//! the lines of what we answer where that is something else on purpose. The tests of the daemon
//! read the talks too, and ask the servers again where a machine has them.

/// One connection to a server.
pub(crate) struct Talk {
    pub(crate) server: &'static str,
    /// The first one is the greeting, to which nothing was said.
    pub(crate) turns: Vec<Turn>,
}

/// A line of the client, and the lines that answer it.
#[derive(Default)]
pub(crate) struct Turn {
    pub(crate) said: &'static str,
    pub(crate) theirs: Vec<&'static str>,
    ours: Vec<&'static str>,
}

impl Turn {
    /// What we answer.
    pub(crate) fn ours(&self) -> &[&'static str] {
        if self.ours.is_empty() { &self.theirs } else { &self.ours }
    }
}

/// Lines as they are sent, with `values` for what stands in braces.
pub(crate) fn sent(lines: &[&str], values: &[(&str, &str)]) -> String {
    let mut text = lines.join("\r\n");
    if !lines.is_empty() {
        text.push_str("\r\n");
    }
    values.iter().fold(text, |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

/// All talks of a file of them with servers of this name.
pub(crate) fn talks(text: &'static str, server: &str) -> Vec<Talk> {
    let mut all: Vec<Talk> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            all.push(Talk { server: name, turns: vec![Turn::default()] });
            continue;
        }
        let turns = &mut all.last_mut().expect("a server").turns;
        if let Some(said) = line.strip_prefix("> ") {
            turns.push(Turn { said, ..Turn::default() });
            continue;
        }
        let turn = turns.last_mut().expect("a turn");
        match line.strip_prefix("ours: ") {
            Some(ours) => turn.ours.push(ours),
            None => turn.theirs.push(line),
        }
    }
    all.retain(|talk| talk.server == server);
    assert!(!all.is_empty(), "talks with {server}");
    all
}

/// The talks with vsftpd 3.0.3 of Debian 12: as it comes, with TLS, and with an anonymous user.
pub(crate) const FTP: &str = include_str!("../data/ftp_talks.txt");

/// The talks with Exim 4.96 of Debian 12, without greetings, which have a date in them.
pub(crate) const SMTP: &str = include_str!("../data/smtp_talks.txt");
