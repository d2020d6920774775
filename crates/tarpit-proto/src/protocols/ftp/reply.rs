//! What FTP servers say (RFC 959, section 4.2; RFC 2389, 2428, 4217): each reply in the words of
//! the server that the persona runs, and the lines of a directory.

use alloc::{format, string::String, vec::Vec};

use crate::{
    base::{rng::Rng, time::Wall},
    persona::{Machine, Persona, System},
    protocols::command::Command,
    script::Conn,
    states,
    wire::text,
};

states! {
    /// A reply.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Reply {
        Aborted,
        Account,
        Allocated,
        Ascii,
        BadMode,
        BadOption,
        BadStructure,
        BadType,
        Binary,
        Bye,
        Changed,
        Clear,
        Denied,
        EpsvOnly,
        Extended,
        Features,
        Guest,
        Help,
        Illegal,
        InAlready,
        Listing,
        LoginFirst,
        Mode,
        NameFirst,
        NoAuth,
        NoDirectory,
        NoFile,
        NoPort,
        NoReinitialize,
        NoSite,
        NoSize,
        NoStructureMount,
        NoTime,
        NoTls,
        Noop,
        Options,
        Password,
        Private,
        Refused,
        Store,
        Structure,
        System,
        Tls,
        TooLong,
        Unknown,
        UnknownPrivacy,
        Unopened,
        UnsecuredBuffer,
        UnsecuredPrivacy,
        Welcome,
        WorkingDirectory,
        Zero,
    }
}

/// What the persona's server calls itself.
pub(super) fn software(persona: &Persona) -> String {
    match persona.system() {
        System::Camera | System::Linux => format!("(vsFTPd {})", version(persona)),
        System::Windows => "Microsoft FTP Service".into(),
    }
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
pub(crate) fn always(command: Command<'_>, persona: &Persona, secured: bool) -> Option<Reply> {
    /// Microsoft's server answers these to anybody.
    const MICROSOFT: [(&str, Reply); 4] = [
        ("AUTH", Reply::NoTls),
        ("HELP", Reply::Help),
        ("NOOP", Reply::Noop),
        ("SYST", Reply::System),
    ];
    if command.is("FEAT") {
        return Some(Reply::Features);
    }
    if command.is("OPTS") {
        let is_known = command.argument.eq_ignore_ascii_case(b"UTF8 ON");
        return Some(if is_known { Reply::Options } else { Reply::BadOption });
    }
    if secured && command.is("PBSZ") {
        return Some(Reply::Zero);
    }
    if secured && command.is("PROT") {
        return Some(match command.argument {
            [b'C' | b'c'] => Reply::Clear,
            [b'P' | b'p'] => Reply::Private,
            _ => Reply::UnknownPrivacy,
        });
    }
    let others: &[_] = if persona.system() == System::Windows { &MICROSOFT } else { &[] };
    others.iter().find(|(verb, _)| command.is(verb)).map(|&(_, reply)| reply)
}

/// What answers a command about TLS in the clear, where there is TLS; [`Reply::Tls`] to a client
/// that wants it.
pub(crate) fn securing(command: Command<'_>, persona: &Persona) -> Option<Reply> {
    const MECHANISMS: [&[u8]; 4] = [b"TLS", b"SSL", b"TLS-C", b"TLS-P"];
    if command.is("AUTH") {
        // vsftpd knows the first two.
        let count = if persona.system() == System::Windows { 4 } else { 2 };
        let mut known = MECHANISMS[..count].iter();
        let is_known = known.any(|name| command.argument.eq_ignore_ascii_case(name));
        return Some(if is_known { Reply::Tls } else { Reply::NoAuth });
    }
    let other = [("PBSZ", Reply::UnsecuredBuffer), ("PROT", Reply::UnsecuredPrivacy)].into_iter();
    other.into_iter().find(|(verb, _)| command.is(verb)).map(|(_, reply)| reply)
}

/// What answers a command of a client that is in.
///
/// Uploads are what a server says that lets the anonymous leave files: who brings one is held by it.
pub(crate) fn inside(command: Command<'_>) -> Reply {
    const INSIDE: [(&str, Reply); 35] = [
        ("ABOR", Reply::Aborted),
        ("ACCT", Reply::Account),
        ("ALLO", Reply::Allocated),
        ("APPE", Reply::Denied),
        ("CDUP", Reply::Changed),
        ("CWD", Reply::NoDirectory),
        ("DELE", Reply::Denied),
        ("EPRT", Reply::Extended),
        ("EPSV", Reply::EpsvOnly),
        ("HELP", Reply::Help),
        ("LIST", Reply::Listing),
        ("MDTM", Reply::NoTime),
        ("MKD", Reply::Denied),
        ("NLST", Reply::Listing),
        ("NOOP", Reply::Noop),
        ("PBSZ", Reply::Denied),
        ("PORT", Reply::Illegal),
        ("PROT", Reply::Denied),
        ("PWD", Reply::WorkingDirectory),
        ("REIN", Reply::NoReinitialize),
        ("RETR", Reply::NoFile),
        ("RMD", Reply::Denied),
        ("RNFR", Reply::Denied),
        ("RNTO", Reply::Denied),
        ("SITE", Reply::NoSite),
        ("SIZE", Reply::NoSize),
        ("SMNT", Reply::NoStructureMount),
        ("STOR", Reply::Store),
        ("STOU", Reply::Store),
        ("SYST", Reply::System),
        ("XCUP", Reply::Changed),
        ("XCWD", Reply::NoDirectory),
        ("XMKD", Reply::Denied),
        ("XPWD", Reply::WorkingDirectory),
        ("XRMD", Reply::Denied),
    ];
    let words = command.argument;
    let is_one_of = |all: &[&str]| all.iter().any(|one| words.eq_ignore_ascii_case(one.as_bytes()));
    if command.is("TYPE") {
        let is_binary = is_one_of(&["I", "L 8", "L8"]);
        return match is_one_of(&["A", "A N"]) {
            true => Reply::Ascii,
            false if is_binary => Reply::Binary,
            false => Reply::BadType,
        };
    }
    if command.is("MODE") {
        return if is_one_of(&["S"]) { Reply::Mode } else { Reply::BadMode };
    }
    if command.is("STRU") {
        return if is_one_of(&["F"]) { Reply::Structure } else { Reply::BadStructure };
    }
    // There are files, and no folder in it.
    if command.is_one_of(&["CWD", "XCWD"]) && is_one_of(&["", "/", ".", "..", "./", "../"]) {
        return Reply::Changed;
    }
    let known = INSIDE.iter().find(|(verb, _)| command.is(verb));
    known.map_or(Reply::Unknown, |&(_, reply)| reply)
}

/// How a client that is in wants its data, and what of it is encrypted.
#[derive(Clone, Copy)]
pub(crate) struct Transfers {
    pub(crate) is_binary: bool,
    /// The data connections.
    pub(crate) is_private: bool,
    /// The control connection.
    pub(crate) secured: bool,
}

/// The reply to a command of a client that is in, where it is made of what the client said or is.
pub(crate) fn made(
    command: Command<'_>,
    persona: &Persona,
    conn: &Conn,
    transfers: Transfers,
) -> Option<String> {
    let is_windows = persona.system() == System::Windows;
    if command.is("REST") {
        let digits = command.argument.iter().take_while(|byte| byte.is_ascii_digit()).take(18);
        let place = digits.fold(0_u64, |place, byte| place * 10 + u64::from(byte - b'0'));
        return Some(if is_windows {
            format!("350 Restarting at {place}.\r\n")
        } else {
            format!("350 Restart position accepted ({place}).\r\n")
        });
    }
    if !command.is("STAT") || is_windows {
        return None;
    }
    if !command.argument.is_empty() {
        return Some("213-Status follows:\r\n213 End of status\r\n".into());
    }
    let client = conn.client.ip().to_canonical();
    Some(format!(
        "211-FTP server status:\r\n     Connected to {client}\r\n     Logged in as ftp\r\n     \
         TYPE: {code}\r\n     No session bandwidth limit\r\n     Session timeout in seconds is \
         300\r\n     Control connection is {control}\r\n     Data connections will be \
         {data}\r\n     At session startup, client count was 1\r\n     vsFTPd {version} - secure, \
         fast, stable\r\n211 End of status\r\n",
        code = if transfers.is_binary { "BINARY" } else { "ASCII" },
        control = privacy(transfers.secured),
        data = privacy(transfers.is_private),
        version = version(persona),
    ))
}

fn privacy(is_encrypted: bool) -> &'static str {
    if is_encrypted { "encrypted" } else { "plain text" }
}

/// The version of vsftpd.
fn version(persona: &Persona) -> &'static str {
    match persona.machine() {
        Machine::IpCamera => "2.3.5",
        Machine::Ubuntu2204 => "3.0.5",
        Machine::Debian12 | Machine::WindowsServer2019 => "3.0.3",
    }
}

impl Reply {
    /// As vsftpd and Microsoft's server say it.
    fn words(self) -> [&'static str; 2] {
        match self {
            Self::Aborted => ["225 No transfer to ABOR.", "226 ABOR command successful."],
            Self::Account => ["502 ACCT not implemented.", "502 Command not implemented."],
            Self::Allocated => ["202 ALLO command ignored.", "200 ALLO command successful."],
            Self::Ascii => ["200 Switching to ASCII mode.", "200 Type set to A."],
            Self::BadMode => {
                ["504 Bad MODE command.", "504 Command not implemented for that parameter."]
            }
            Self::BadOption => ["501 Option not understood.", "501 Option not supported."],
            Self::BadStructure => {
                ["504 Bad STRU command.", "504 Command not implemented for that parameter."]
            }
            Self::BadType => [
                "500 Unrecognised TYPE command.",
                "504 Command not implemented for that parameter.",
            ],
            Self::Binary => ["200 Switching to Binary mode.", "200 Type set to I."],
            Self::Bye => ["221 Goodbye.", "221 Goodbye."],
            Self::Changed => ["250 Directory successfully changed.", "250 CWD command successful."],
            Self::Clear => ["200 PROT now Clear.", "200 PROT command successful."],
            Self::Denied => ["550 Permission denied.", "550 Access is denied."],
            Self::EpsvOnly => ["200 EPSV ALL ok.", "200 EPSV command successful."],
            Self::Extended => ["500 Illegal EPRT command.", "501 Server cannot accept argument."],
            Self::Features => ["211 End", "211 END"],
            Self::Guest => ["530 Can't change from guest user.", "331 Password required"],
            Self::Help => ["214 Help OK.", "214 HELP command successful."],
            Self::Illegal => ["500 Illegal PORT command.", "501 Server cannot accept argument."],
            Self::InAlready => ["230 Already logged in.", "503 Login with USER first."],
            Self::Listing => [
                "150 Here comes the directory listing.",
                "125 Data connection already open; Transfer starting.",
            ],
            Self::LoginFirst => {
                ["530 Please login with USER and PASS.", "530 Please login with USER and PASS."]
            }
            Self::Mode => ["200 Mode set to S.", "200 MODE command successful."],
            Self::NameFirst => ["503 Login with USER first.", "503 Login with USER first."],
            Self::NoAuth => ["504 Unknown AUTH type.", "504 Security mechanism not implemented."],
            Self::NoDirectory => [
                "550 Failed to change directory.",
                "550 The system cannot find the file specified. ",
            ],
            Self::NoFile => {
                ["550 Failed to open file.", "550 The system cannot find the file specified. "]
            }
            Self::NoPort => ["425 Use PORT or PASV first.", "425 Cannot open data connection."],
            Self::NoReinitialize => ["502 REIN not implemented.", "502 Command not implemented."],
            Self::NoSite => ["550 Permission denied.", "500 Command not understood."],
            Self::NoSize => {
                ["550 Could not get file size.", "550 The system cannot find the file specified. "]
            }
            Self::NoStructureMount => ["502 SMNT not implemented.", "502 Command not implemented."],
            Self::NoTime => [
                "550 Could not get file modification time.",
                "550 The system cannot find the file specified. ",
            ],
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
            Self::Structure => ["200 Structure set to F.", "200 STRU command successful."],
            Self::System => ["215 UNIX Type: L8", "215 Windows_NT"],
            Self::Tls => {
                ["234 Proceed with negotiation.", "234 AUTH command ok. Expecting TLS Negotiation."]
            }
            Self::TooLong => ["500 Input line too long.", "500 Command not understood."],
            Self::Unknown => ["500 Unknown command.", "500 Command not understood."],
            Self::UnknownPrivacy => {
                ["504 PROT not recognized.", "504 Command not implemented for that parameter."]
            }
            Self::Unopened => {
                ["425 Failed to establish connection.", "425 Cannot open data connection."]
            }
            Self::UnsecuredBuffer => {
                ["503 PBSZ needs a secure connection.", "503 Bad sequence of commands."]
            }
            Self::UnsecuredPrivacy => {
                ["503 PROT needs a secure connection.", "503 Bad sequence of commands."]
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
        match self {
            Self::Features => features(persona, tls, out),
            Self::Help => help(persona, out),
            _ => {}
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
    const MICROSOFT: [(&str, bool); 10] = [
        ("LANG EN*", false),
        ("UTF8", false),
        ("AUTH TLS;TLS-C;SSL;TLS-P;", true),
        ("PBSZ", true),
        ("PROT C;P;", true),
        ("CCC", true),
        ("HOST", false),
        ("SIZE", false),
        ("MDTM", false),
        ("REST STREAM", false),
    ];
    /// The last one by versions before 3.0.3 only.
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
        System::Camera => ("211-Features:", &VSFTPD),
        System::Linux => ("211-Features:", &VSFTPD[..VSFTPD.len() - 1]),
        System::Windows => ("211-Extended features supported:", &MICROSOFT),
    };
    text::line(first, out);
    for (feature, _) in all.iter().filter(|(_, is_of_tls)| tls || !is_of_tls) {
        text::line(&format!(" {feature}"), out);
    }
}

/// The lines in front of the last one of [`Reply::Help`].
fn help(persona: &Persona, out: &mut Vec<u8>) {
    const MICROSOFT: &str = "ABOR ACCT ADAT* ALLO APPE AUTH CCC CDUP CWD DELE ENC* EPRT EPSV FEAT \
                             HELP HOST LANG LIST MDTM MIC* MKD MODE NLST NOOP OPTS PASS PASV PBSZ \
                             PORT PROT PWD QUIT REIN REST RETR RMD RNFR RNTO SITE SIZE SMNT STAT \
                             STOR STOU STRU SYST TYPE USER XCUP XCWD XMKD XPWD XRMD";
    const VSFTPD: [&str; 4] = [
        "ABOR ACCT ALLO APPE CDUP CWD  DELE EPRT EPSV FEAT HELP LIST MDTM MKD",
        "MODE NLST NOOP OPTS PASS PASV PORT PWD  QUIT REIN REST RETR RMD  RNFR",
        "RNTO SITE SIZE SMNT STAT STOR STOU STRU SYST TYPE USER XCUP XCWD XMKD",
        "XPWD XRMD",
    ];
    if persona.system() != System::Windows {
        text::line("214-The following commands are recognized.", out);
        for verbs in VSFTPD {
            text::line(&format!(" {verbs}"), out);
        }
        return;
    }
    text::line("214-The following commands are recognized (* ==>'s unimplemented).", out);
    for word in MICROSOFT.split(' ') {
        let (verb, star) = word.strip_suffix('*').map_or((word, ""), |verb| (verb, "*"));
        text::line(&format!("    {verb} {star}"), out);
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
