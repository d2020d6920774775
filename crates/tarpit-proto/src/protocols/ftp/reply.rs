//! What FTP servers say (RFC 959, section 4.2; RFC 2389, 2428, 4217): each reply in the words of the
//! server that the persona runs, and the lines of a directory.

use alloc::{format, string::String, vec::Vec};

use crate::{
    base::{rng::Rng, time::Wall},
    persona::{Machine, Persona, System},
    protocols::command::Command,
    states,
    wire::text,
};

states! {
    /// A reply.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Reply {
        Account,
        Ascii,
        Binary,
        Bye,
        Changed,
        Clear,
        Denied,
        Features,
        Help,
        Illegal,
        Listing,
        LoginFirst,
        NameFirst,
        NoPort,
        NoTls,
        Noop,
        Options,
        Password,
        Private,
        Refused,
        Store,
        System,
        Tls,
        Unknown,
        Unopened,
        Welcome,
        WorkingDirectory,
        Zero,
    }
}

/// What the persona's server calls itself.
pub(super) fn software(persona: &Persona) -> String {
    let name = match persona.machine() {
        Machine::Debian12 => "(vsFTPd 3.0.3)",
        Machine::IpCamera => "(vsFTPd 2.3.5)",
        Machine::Ubuntu2204 => "(vsFTPd 3.0.5)",
        Machine::WindowsServer2019 => "Microsoft FTP Service",
    };
    name.into()
}

/// Appends the greeting.
pub(crate) fn greet(persona: &Persona, _wall: Wall, out: &mut Vec<u8>) {
    text::line(&format!("220 {}", software(persona)), out);
}

/// Appends what a client of another protocol is told.
pub(crate) fn refuse(persona: &Persona, _wall: Wall, out: &mut Vec<u8>) {
    Reply::LoginFirst.say(persona, false, out);
}

/// What answers a command of which it does not matter whether the client is in, if it is one;
/// within TLS there are more.
pub(crate) fn always(command: Command<'_>, secured: bool) -> Option<Reply> {
    const ALWAYS: [(&str, Reply); 2] = [("FEAT", Reply::Features), ("OPTS", Reply::Options)];
    if secured && command.is("PBSZ") {
        return Some(Reply::Zero);
    }
    if secured && command.is("PROT") {
        let is_private = command.argument.eq_ignore_ascii_case(b"P");
        return Some(if is_private { Reply::Private } else { Reply::Clear });
    }
    ALWAYS.iter().find(|(verb, _)| command.is(verb)).map(|&(_, reply)| reply)
}

/// What answers a command of a client that is in.
pub(crate) fn inside(command: Command<'_>) -> Reply {
    const INSIDE: [(&str, Reply); 19] = [
        ("ACCT", Reply::Account),
        ("APPE", Reply::Store),
        ("CDUP", Reply::Changed),
        ("CWD", Reply::Changed),
        ("DELE", Reply::Denied),
        ("EPRT", Reply::Illegal),
        ("HELP", Reply::Help),
        ("LIST", Reply::Listing),
        ("MKD", Reply::Denied),
        ("NLST", Reply::Listing),
        ("NOOP", Reply::Noop),
        ("PORT", Reply::Illegal),
        ("PWD", Reply::WorkingDirectory),
        ("RETR", Reply::Listing),
        ("RMD", Reply::Denied),
        ("STOR", Reply::Store),
        ("STOU", Reply::Store),
        ("SYST", Reply::System),
        ("XPWD", Reply::WorkingDirectory),
    ];
    if command.is("TYPE") {
        let is_text = command.argument.first().is_some_and(|byte| byte.eq_ignore_ascii_case(&b'A'));
        return if is_text { Reply::Ascii } else { Reply::Binary };
    }
    let known = INSIDE.iter().find(|(verb, _)| command.is(verb));
    known.map_or(Reply::Unknown, |&(_, reply)| reply)
}

impl Reply {
    /// As vsftpd and Microsoft's server say it.
    fn words(self) -> [&'static str; 2] {
        match self {
            Self::Account => ["202 ACCT not implemented.", "502 Command not implemented."],
            Self::Ascii => ["200 Switching to ASCII mode.", "200 Type set to A."],
            Self::Binary => ["200 Switching to Binary mode.", "200 Type set to I."],
            Self::Bye => ["221 Goodbye.", "221 Goodbye."],
            Self::Changed => ["250 Directory successfully changed.", "250 CWD command successful."],
            Self::Clear => ["200 PROT now Clear.", "200 PROT command successful."],
            Self::Denied => ["550 Permission denied.", "550 Access is denied."],
            Self::Features => ["211 End", "211 END"],
            Self::Help => ["214 Help OK.", "214 HELP command successful."],
            Self::Illegal => ["500 Illegal PORT command.", "501 Server cannot accept argument."],
            Self::Listing => [
                "150 Here comes the directory listing.",
                "125 Data connection already open; Transfer starting.",
            ],
            Self::LoginFirst => {
                ["530 Please login with USER and PASS.", "530 Please login with USER and PASS."]
            }
            Self::NameFirst => ["503 Login with USER first.", "503 Login with USER first."],
            Self::NoPort => ["425 Use PORT or PASV first.", "425 Cannot open data connection."],
            Self::NoTls => [
                "431 Unable to secure the connection.",
                "534 Local policy on server does not allow TLS secure connections.",
            ],
            Self::Noop => ["200 NOOP ok.", "200 noop command successful."],
            Self::Options => [
                "200 Always in UTF8 mode.",
                "200 OPTS UTF8 command successful - UTF8 encoding now ON.",
            ],
            Self::Password => ["331 Please specify the password.", "331 Password required"],
            Self::Private => ["200 PROT now Private.", "200 PROT command successful."],
            Self::Refused => ["530 Login incorrect.", "530 User cannot log in."],
            Self::Store => {
                ["150 Ok to send data.", "125 Data connection already open; Transfer starting."]
            }
            Self::System => ["215 UNIX Type: L8", "215 Windows_NT"],
            Self::Tls => {
                ["234 Proceed with negotiation.", "234 AUTH command ok. Expecting TLS Negotiation."]
            }
            Self::Unknown => ["500 Unknown command.", "500 Command not understood."],
            Self::Unopened => {
                ["425 Failed to establish connection.", "425 Cannot open data connection."]
            }
            Self::Welcome => ["230 Login successful.", "230 User logged in."],
            Self::WorkingDirectory => {
                ["257 \"/\" is the current directory", "257 \"/\" is current directory."]
            }
            Self::Zero => ["200 PBSZ set to 0.", "200 PBSZ command successful."],
        }
    }

    /// Appends the whole reply.
    pub(crate) fn say(self, persona: &Persona, tls: bool, out: &mut Vec<u8>) {
        if self == Self::Features {
            features(persona, tls, out);
        }
        text::line(self.words()[column(persona)], out);
    }

    /// Appends its only line as one that is not the last.
    pub(crate) fn begin(self, persona: &Persona, out: &mut Vec<u8>) {
        self.mark(persona, out);
        text::line(&self.words()[column(persona)][4..], out);
        if self == Self::Refused && persona.system() == System::Windows {
            // As it explains every refusal.
            text::line(" Win32 error:   The user name or password is incorrect. ", out);
        }
    }

    /// Appends what may follow a refusal's first line: a notice of its administrator, cut into
    /// lines where it happens to be. A client that takes three digits and a
    /// space for the last line of any reply finds them there. One that looks for the reply's own
    /// code does not.
    pub(crate) fn notice(persona: &Persona, out: &mut Vec<u8>) {
        text::line(
            match persona.system() {
                System::Camera | System::Linux => " After a wrong password the next one may take",
                System::Windows => " Error details: After a failed logon the next one may take",
            },
            out,
        );
        text::line("120 seconds or more.", out);
    }

    /// Appends a further line that is not the last.
    pub(crate) fn go_on(self, persona: &Persona, rng: &mut Rng, out: &mut Vec<u8>) {
        const PARTS: [&str; 8] = [
            "please wait",
            "still checking",
            "this event is logged",
            "asking the directory",
            "the account database is slow",
            "retrying",
            "one moment please",
            "the session will be closed",
        ];
        self.mark(persona, out);
        text::line(rng.pick(&PARTS), out);
    }

    /// Appends the beginning of a line that is not the last.
    pub(crate) fn mark(self, persona: &Persona, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.words()[column(persona)].as_bytes()[..3]);
        out.push(b'-');
    }
}

/// The lines in front of the last one of [`Reply::Features`].
fn features(persona: &Persona, tls: bool, out: &mut Vec<u8>) {
    const MICROSOFT: [(&str, bool); 9] = [
        ("LANG EN*", false),
        ("UTF8", false),
        ("AUTH TLS;TLS-C;SSL;TLS-P;", true),
        ("PBSZ", true),
        ("PROT C;P;", true),
        ("HOST", false),
        ("SIZE", false),
        ("MDTM", false),
        ("REST STREAM", false),
    ];
    const VSFTPD: [(&str, bool); 11] = [
        ("AUTH TLS", true),
        ("EPRT", false),
        ("EPSV", false),
        ("MDTM", false),
        ("PASV", false),
        ("PBSZ", true),
        ("PROT", true),
        ("REST STREAM", false),
        ("SIZE", false),
        ("TVFS", false),
        ("UTF8", false),
    ];
    let (first, all): (_, &[_]) = match persona.system() {
        System::Windows => ("211-Extended features supported:", &MICROSOFT),
        System::Camera | System::Linux => ("211-Features:", &VSFTPD),
    };
    text::line(first, out);
    for (feature, _) in all.iter().filter(|(_, is_of_tls)| tls || !is_of_tls) {
        text::line(&format!(" {feature}"), out);
    }
}

fn column(persona: &Persona) -> usize {
    usize::from(persona.system() == System::Windows)
}

/// Appends a line of a directory: a file with a name, a size and a date before `wall`.
pub(crate) fn entry(persona: &Persona, wall: Wall, rng: &mut Rng, out: &mut Vec<u8>) {
    const FIRST: [&str; 12] = [
        "backup", "db", "export", "home", "invoices", "logs", "mail", "photos", "private", "site",
        "users", "www",
    ];
    const LAST: [&str; 8] = ["7z", "bak", "csv", "doc", "sql", "tgz", "xls", "zip"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    // The calendar's words: `Sun, 22 Nov 2026 07:52:28`.
    let before = u64::from(rng.below(150 * 86_400));
    let date = format!("{}", Wall(wall.0.saturating_sub(before)).date());
    let mut parts = date.split([' ', ',', ':']).filter(|part| !part.is_empty()).skip(1);
    let mut part = || parts.next().unwrap_or("01");
    let (day, month, year, hour, minute) = (part(), part(), part(), part(), part());
    let size = u64::from(rng.below(1 << 30));
    let name = format!("{}-{:04}.{}", rng.pick(&FIRST), rng.below(10_000), rng.pick(&LAST));
    let line = if persona.system() == System::Windows {
        let number = MONTHS.iter().position(|one| *one == month).map_or(1, |place| place + 1);
        let year = year.get(2..).unwrap_or("26");
        let hour: u32 = hour.parse().unwrap_or(0);
        let (half, twelfth) = (if hour < 12 { "AM" } else { "PM" }, (hour + 11) % 12 + 1);
        format!("{number:02}-{day}-{year}  {twelfth:02}:{minute}{half} {size:>20} {name}")
    } else {
        format!("-rw-r--r--    1 0        0        {size:>10} {month} {day} {hour}:{minute} {name}")
    };
    text::line(&line, out);
}
