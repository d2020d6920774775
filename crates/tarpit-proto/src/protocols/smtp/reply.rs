//! What mail servers say (RFC 5321, section 4.2; RFC 4954, section 4): each reply in the words of
//! the server that the persona runs.

use alloc::{string::String, vec::Vec};

use crate::{
    base::{rng::Rng, time::Wall},
    persona::{Machine, Persona, System},
    states,
    wire::text,
};

states! {
    /// A reply.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Reply {
        Administrative,
        AuthCancelled,
        AuthMechanism,
        AuthNotOffered,
        AuthRefused,
        AuthWelcome,
        BadBodyType,
        BadExtendedHello,
        BadHello,
        Begin,
        Bye,
        Chunk,
        ChunkNeedsRecipient,
        ChunkNotOffered,
        Deferred,
        EmptyAddress,
        EtrnRefused,
        Hello,
        Help,
        HelpWithTls,
        Later,
        /// It says back what the client said, which is kept beside it.
        Malformed,
        NeedsHello,
        NeedsRecipient,
        NeedsSender,
        NoMailPath,
        NoRecipientAddress,
        NoSenderAddress,
        NoTls,
        Nothing,
        Password,
        Plain,
        Recipient,
        Reset,
        Sender,
        SenderGiven,
        Tls,
        TlsNotOffered,
        TooBig,
        Unexpected,
        Unknown,
        User,
        Utf8NotOffered,
        Verify,
    }
}

/// What the persona's server calls itself.
fn name(persona: &Persona) -> &'static str {
    match persona.machine() {
        Machine::Debian12 => "Exim 4.96",
        Machine::IpCamera => "Sendmail 8.14.4/8.14.4",
        Machine::Ubuntu2204 => "Exim 4.95 Ubuntu",
        Machine::WindowsServer2019 => "Microsoft ESMTP MAIL Service, Version: 10.0.17763.1",
    }
}

/// The same, for the descriptor.
pub(super) fn software(persona: &Persona) -> String {
    name(persona).into()
}

/// Appends the greeting.
pub(crate) fn greet(persona: &Persona, wall: Wall, out: &mut Vec<u8>) {
    let (host, software, date) = (persona.host(), name(persona), wall.date());
    let line = match persona.system() {
        System::Camera => alloc::format!("220 {host} ESMTP {software}; {date} +0000"),
        System::Linux => alloc::format!("220 {host} ESMTP {software} {date} +0000"),
        System::Windows => alloc::format!("220 {host} {software} ready at  {date} +0000"),
    };
    text::line(&line, out);
}

/// Appends what a client of another protocol is told.
pub(crate) fn refuse(persona: &Persona, _wall: Wall, out: &mut Vec<u8>) {
    Reply::Unknown.end(persona, out);
}

impl Reply {
    /// The last line, or all, as Exim, Sendmail and Microsoft's server say it. `{host}` stands for
    /// the host's name.
    #[expect(clippy::too_many_lines, reason = "a table, a row for each reply")]
    fn words(self) -> [&'static str; 3] {
        match self {
            Self::Administrative => [
                "550 Administrative prohibition",
                "502 5.7.0 Sorry, we do not allow this operation",
                "502 5.3.3 Command not implemented",
            ],
            Self::AuthCancelled => [
                "501 Authentication cancelled",
                "501 5.0.0 AUTH aborted",
                "501 5.7.0 Authentication cancelled",
            ],
            Self::AuthMechanism => [
                "504 Unsupported authentication mechanism",
                "504 5.3.3 AUTH mechanism not available",
                "504 5.7.4 Unrecognized authentication type",
            ],
            Self::AuthNotOffered => [
                "503 AUTH command used when not advertised",
                "503 5.0.0 Polite people say HELO first",
                "503 5.5.2 Send hello first",
            ],
            Self::AuthRefused => [
                "535 Incorrect authentication data",
                "535 5.7.0 authentication failed",
                "535 5.7.3 Authentication unsuccessful",
            ],
            Self::AuthWelcome => [
                "235 Authentication succeeded",
                "235 2.0.0 OK Authenticated",
                "235 2.7.0 Authentication successful",
            ],
            Self::BadBodyType => [
                "501 invalid data for BODY",
                "501 5.5.4 Unknown BODY type",
                "501 5.5.4 Unrecognized parameter",
            ],
            Self::BadExtendedHello => [
                "501 Syntactically invalid EHLO argument(s)",
                "501 5.0.0 EHLO requires domain address",
                "501 5.5.4 Invalid domain name",
            ],
            Self::BadHello => [
                "501 Syntactically invalid HELO argument(s)",
                "501 5.0.0 HELO requires domain address",
                "501 5.5.4 Invalid domain name",
            ],
            Self::Begin => [
                "354 Enter message, ending with \".\" on a line by itself",
                "354 Enter mail, end with \".\" on a line by itself",
                "354 Start mail input; end with <CRLF>.<CRLF>",
            ],
            Self::Bye => [
                "221 {host} closing connection",
                "221 2.0.0 {host} closing connection",
                "221 2.0.0 {host} Service closing transmission channel",
            ],
            Self::Chunk => ["250 Chunk received", "250 2.0.0 Chunk received", "250 2.1.5 Chunk OK"],
            Self::ChunkNeedsRecipient => [
                "503 valid RCPT command must precede BDAT",
                "503 5.0.0 Need RCPT (recipient)",
                "503 5.5.2 Need Rcpt command",
            ],
            Self::ChunkNotOffered => [
                "503 BDAT command used when CHUNKING not advertised",
                "500 5.5.1 Command unrecognized",
                "503 5.5.2 Send hello first",
            ],
            Self::EmptyAddress => {
                ["501 empty address", "501 5.5.2 Argument required", "501 5.5.4 Argument missing"]
            }
            Self::EtrnRefused => [
                "458 Administrative prohibition",
                "502 5.7.0 Sorry, we do not allow this operation",
                "502 5.3.3 Command not implemented",
            ],
            // Behind the client's name and the extensions.
            Self::Hello => ["250 HELP", "250 HELP", "250 OK"],
            Self::Help => [
                "214-Commands supported:\r\n\
                 214 AUTH HELO EHLO MAIL RCPT DATA BDAT NOOP QUIT RSET HELP",
                "214-2.0.0 This is sendmail version 8.14.4\r\n\
                 214-2.0.0 Topics:\r\n\
                 214-2.0.0 \tHELO\tEHLO\tMAIL\tRCPT\tDATA\r\n\
                 214-2.0.0 \tRSET\tNOOP\tQUIT\tHELP\tVRFY\r\n\
                 214-2.0.0 \tEXPN\tVERB\tETRN\tDSN\tAUTH\r\n\
                 214-2.0.0 \tSTARTTLS\r\n\
                 214-2.0.0 For more info use \"HELP <topic>\".\r\n\
                 214-2.0.0 To report bugs in the implementation see\r\n\
                 214-2.0.0 \thttp://www.sendmail.org/email-addresses.html\r\n\
                 214-2.0.0 For local information send email to Postmaster at your site.\r\n\
                 214 2.0.0 End of HELP info",
                "214-This server supports the following commands:\r\n\
                 214 HELO EHLO RCPT DATA RSET MAIL QUIT HELP AUTH TURN ETRN BDAT VRFY",
            ],
            Self::HelpWithTls => [
                "214-Commands supported:\r\n\
                 214 AUTH STARTTLS HELO EHLO MAIL RCPT DATA BDAT NOOP QUIT RSET HELP",
                Self::Help.words()[1],
                "214-This server supports the following commands:\r\n\
                 214 HELO EHLO STARTTLS RCPT DATA RSET MAIL QUIT HELP AUTH TURN ETRN BDAT VRFY",
            ],
            // To a recipient, in the words of a server that relays nothing, but not for good: a
            // genuine sender that was sent here by mistake comes again with its mail.
            Self::Deferred => [
                "451 relay not permitted",
                "451 4.7.1 Greylisting in action, please come back later",
                "451 4.7.0 Temporary server error. Please try again later",
            ],
            // To a mail, likewise.
            Self::Later => [
                "451 Temporary local problem - please try later",
                "451 4.7.1 Greylisting in action, please come back later",
                "451 4.7.0 Temporary server error. Please try again later",
            ],
            // Behind that stands what the client said.
            Self::Malformed => ["501 "; 3],
            Self::NeedsHello => [
                "503 HELO or EHLO required",
                "503 5.0.0 Polite people say HELO first",
                "503 5.5.2 Send hello first",
            ],
            Self::NeedsRecipient => [
                "503 valid RCPT command must precede DATA",
                "503 5.0.0 Need RCPT (recipient)",
                "503 5.5.2 Need Rcpt command",
            ],
            Self::NeedsSender => [
                "503 sender not yet given",
                "503 5.0.0 Need MAIL before RCPT",
                "503 5.5.2 Need Mail From: first",
            ],
            // Of `MAIL` without `FROM:`.
            Self::NoMailPath => [
                "500 unrecognized command",
                "501 5.5.2 Syntax error in parameters scanning \"\"",
                "501 5.5.4 Unrecognized parameter",
            ],
            Self::NoRecipientAddress => [
                "501 RCPT must have an address operand",
                "553 5.0.0 User address required",
                "501 5.5.4 Argument missing",
            ],
            Self::NoSenderAddress => [
                "501 MAIL must have an address operand",
                "553 5.0.0 User address required",
                "501 5.5.4 Argument missing",
            ],
            Self::NoTls => [
                "454 TLS currently unavailable",
                "454 4.3.3 TLS not available after start",
                "454 4.7.0 TLS not available due to temporary reason",
            ],
            Self::Nothing => ["250 OK", "250 2.0.0 OK", "250 2.0.0 OK"],
            Self::Password => ["334 UGFzc3dvcmQ6"; 3],
            // The space belongs to it, though nothing follows (RFC 4954, section 4).
            Self::Plain => ["334 "; 3],
            Self::Recipient => ["250 Accepted", "250 2.1.5 Recipient ok", "250 2.1.5 Recipient OK"],
            Self::Reset => ["250 Reset OK", "250 2.0.0 Reset state", "250 2.0.0 Resetting"],
            Self::Sender => ["250 OK", "250 2.1.0 Sender ok", "250 2.1.0 Sender OK"],
            Self::SenderGiven => [
                "503 sender already given",
                "503 5.5.0 Sender already specified",
                "503 5.5.2 Sender already specified",
            ],
            Self::Tls => {
                ["220 TLS go ahead", "220 2.0.0 Ready to start TLS", "220 2.0.0 SMTP server ready"]
            }
            Self::TlsNotOffered => [
                "503 STARTTLS command used when not advertised",
                "502 5.3.3 Command not implemented",
                "502 5.3.3 Command not implemented",
            ],
            Self::TooBig => [
                "552 Message size exceeds maximum permitted",
                "552 5.2.3 Message size exceeds maximum value",
                "552 5.3.4 Message size exceeds fixed maximum message size",
            ],
            Self::Unexpected => [
                "501 unexpected argument data",
                "501 5.5.2 Syntax error",
                "501 5.5.4 Invalid arguments",
            ],
            Self::Unknown => [
                "500 unrecognized command",
                "500 5.5.1 Command unrecognized",
                "500 5.3.3 Unrecognized command",
            ],
            Self::User => ["334 VXNlcm5hbWU6"; 3],
            Self::Utf8NotOffered => [
                "501 SMTPUTF8 used when not advertised",
                "555 5.5.4 SMTPUTF8 parameter unrecognized",
                "501 5.5.4 Unrecognized parameter",
            ],
            // Not 252, as many servers say: guessers of names take that for a yes.
            Self::Verify => [
                "550 Administrative prohibition",
                "550 5.7.1 VRFY is not permitted",
                "550 5.7.1 VRFY is not permitted",
            ],
        }
    }

    /// Appends its last line, or all.
    pub(crate) fn end(self, persona: &Persona, out: &mut Vec<u8>) {
        let words = self.words()[column(persona)];
        text::line(&words.replace("{host}", persona.host()), out);
    }

    /// Appends its last line, or all, with what it says back.
    pub(crate) fn end_with(self, said: &str, persona: &Persona, out: &mut Vec<u8>) {
        if self != Self::Malformed {
            return self.end(persona, out);
        }
        let [code, ..] = self.words();
        text::line(&alloc::format!("{code}{said}"), out);
    }

    /// Appends its only line as one that is not the last.
    pub(crate) fn begin(self, persona: &Persona, out: &mut Vec<u8>) {
        let (code, words) = self.words()[column(persona)].split_at(3);
        out.extend_from_slice(code.as_bytes());
        out.push(b'-');
        text::line(&words[1..], out);
    }

    /// Appends a line of it that is not the last, as a server says whose rules are still looked at.
    pub(crate) fn part(self, persona: &Persona, rng: &mut Rng, out: &mut Vec<u8>) {
        const PARTS: [&str; 12] = [
            "checking",
            "still checking",
            "please wait",
            "please stand by",
            "one moment please",
            "lookup in progress",
            "asking the policy service",
            "waiting for the directory",
            "waiting for DNS",
            "retrying",
            "callout in progress",
            "this may take a while",
        ];
        out.extend_from_slice(&self.words()[column(persona)].as_bytes()[..3]);
        out.push(b'-');
        text::line(rng.pick(&PARTS), out);
    }
}

/// How much of the client's name is said back.
const LONGEST_NAME: usize = 64;

/// The words that answer a client which calls itself `name`, without code and end.
pub(crate) fn hello(persona: &Persona, name: &[u8], address: core::net::IpAddr) -> String {
    let (host, address) = (persona.host(), address.to_canonical());
    let graphic = name.iter().copied().filter(u8::is_ascii_graphic).map(char::from);
    let name: String = graphic.take(LONGEST_NAME).collect();
    let gap = if name.is_empty() { "" } else { " " };
    match persona.system() {
        System::Linux => alloc::format!("{host} Hello {name}{gap}[{address}]"),
        System::Camera => alloc::format!("{host} Hello [{address}], pleased to meet you"),
        System::Windows => alloc::format!("{host} Hello [{address}]"),
    }
}

/// The largest mail that the persona's server says to take, in bytes, if it says so: who names the
/// size of a mail has read it.
pub(crate) fn largest_mail(persona: &Persona) -> Option<u64> {
    [Some(52_428_800), None, Some(2_097_152)][column(persona)]
}

/// How many extensions stand in front of the last one, which is the end of [`Reply::Hello`].
pub(crate) fn count_extensions(persona: &Persona, tls: bool) -> usize {
    extensions(persona, tls).count()
}

/// The extension at `place` that the persona's server offers, `None` behind the last but one; the
/// last one is the end of [`Reply::Hello`].
pub(crate) fn extension(persona: &Persona, tls: bool, place: usize) -> Option<&'static str> {
    extensions(persona, tls).nth(place)
}

/// Appends the line at `place` of extensions without end: behind the server's own come invented
/// ones.
pub(crate) fn list_extension(
    persona: &Persona,
    tls: bool,
    place: usize,
    rng: &mut Rng,
    out: &mut Vec<u8>,
) {
    /// More than any server offers: the list is not walked again for each line behind it.
    const MOST: usize = 16;
    // Microsoft's list ends with a word that is no extension.
    let last = (persona.system() != System::Windows).then_some("HELP");
    let own = || extensions(persona, tls).chain(last).nth(place);
    out.extend_from_slice(b"250-");
    match (place < MOST).then(own).flatten() {
        Some(extension) => text::line(extension, out),
        None => invent_extension(rng, out),
    }
}

/// What the persona's server offers.
///
/// Passwords are asked for in the clear only, by the two mechanisms that show them to us.
fn extensions(persona: &Persona, tls: bool) -> impl Iterator<Item = &'static str> {
    const EXIM: [&str; 8] = [
        "SIZE 52428800",
        "8BITMIME",
        "PIPELINING",
        "PIPECONNECT",
        "AUTH PLAIN LOGIN",
        "CHUNKING",
        STARTTLS,
        "PRDR",
    ];
    /// Exim before 4.96: one extension had another name.
    const EARLIER_EXIM: [&str; 8] = {
        let mut all = EXIM;
        all[3] = "PIPE_CONNECT";
        all
    };
    const MICROSOFT: &[&str] = &[
        "AUTH=LOGIN",
        "AUTH LOGIN PLAIN",
        "TURN",
        "SIZE 2097152",
        "ETRN",
        "PIPELINING",
        "DSN",
        "ENHANCEDSTATUSCODES",
        "8bitmime",
        "BINARYMIME",
        "CHUNKING",
        "VRFY",
        "TLS",
        STARTTLS,
    ];
    const SENDMAIL: &[&str] = &[
        "ENHANCEDSTATUSCODES",
        "PIPELINING",
        "8BITMIME",
        "SIZE",
        "DSN",
        "AUTH LOGIN PLAIN",
        STARTTLS,
        "DELIVERBY",
    ];
    const STARTTLS: &str = "STARTTLS";
    let all: &'static [&str] = match persona.machine() {
        Machine::Debian12 => &EXIM,
        Machine::IpCamera => SENDMAIL,
        Machine::Ubuntu2204 => &EARLIER_EXIM,
        Machine::WindowsServer2019 => MICROSOFT,
    };
    all.iter().copied().filter(move |&one| tls || !matches!(one, STARTTLS | "TLS"))
}

/// Appends the rest of a line with an extension that nobody has heard of: a keyword as private
/// ones must be, and perhaps a number.
fn invent_extension(rng: &mut Rng, out: &mut Vec<u8>) {
    const STARTS: [&str; 16] =
        ["B", "BR", "D", "F", "G", "K", "L", "M", "N", "P", "QU", "R", "S", "ST", "T", "V"];
    const VOWELS: [&str; 6] = ["A", "E", "I", "O", "U", "AU"];
    out.push(b'X');
    for _ in 0..2 + rng.below(3) {
        out.extend_from_slice(rng.pick(&STARTS).as_bytes());
        out.extend_from_slice(rng.pick(&VOWELS).as_bytes());
    }
    let number = match rng.below(3) {
        0 => alloc::format!(" {}", 1 + rng.below(65_535)),
        _ => String::new(),
    };
    text::line(&number, out);
}

/// The place of the persona's server in a row of words.
fn column(persona: &Persona) -> usize {
    match persona.system() {
        System::Linux => 0,
        System::Camera => 1,
        System::Windows => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Seed;

    #[test]
    fn the_greeting_names_the_host_and_the_moment() {
        for name in Persona::names() {
            let persona = Persona::named(name, &Seed([7; 32])).expect("a persona");
            let mut greeting = Vec::new();
            greet(&persona, Wall(1_795_333_948), &mut greeting);
            let greeting = String::from_utf8(greeting).expect("text");
            let host = persona.host();
            assert!(greeting.starts_with(&alloc::format!("220 {host} ")), "{greeting}");
            assert!(greeting.ends_with("Sun, 22 Nov 2026 07:52:28 +0000\r\n"), "{greeting}");
        }
    }
}
