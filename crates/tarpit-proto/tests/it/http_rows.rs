//! What real web servers answered: `tests/data/http_statuses.txt`, row by row.
//!
//! A row has the statuses of Debian's Apache 2.4 and nginx 1.22, asked on the loopback interface,
//! and the request. `body` is an answer without a head. The tests of the daemon read the table too,
//! and ask the servers again where a machine has them.

/// The personas that play the servers of the table, in the order of its columns.
pub(crate) const PLAYED: [&str; 2] = ["ubuntu-22.04", "debian-12"];

/// A row of the table.
pub(crate) struct Row {
    /// What the real servers answered.
    pub(crate) statuses: [&'static str; 2],
    /// The request, as it stands in the table and in bytes.
    pub(crate) text: &'static str,
    pub(crate) request: Vec<u8>,
}

impl Row {
    /// What we answer. The servers answer a request for a proxy with a page of their own, and tools
    /// report them as open ones; we refuse.
    pub(crate) fn ours(&self) -> [&'static str; 2] {
        if self.text.contains("://") { ["400"; 2] } else { self.statuses }
    }
}

/// All rows.
pub(crate) fn rows() -> impl Iterator<Item = Row> {
    include_str!("../data/http_statuses.txt").lines().map(|line| {
        let mut words = line.splitn(3, ' ');
        let statuses = [(); 2].map(|()| words.next().expect("a status"));
        let text = words.next().expect("a request");
        Row { statuses, text, request: request(text) }
    })
}

/// The bytes that stand for a request in the table: `{a*90}` is an `a` ninety times.
fn request(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        rest = &rest[letter.len_utf8()..];
        match letter {
            '{' => {
                let (inner, behind) = rest.split_once('}').expect("a closing brace");
                let (unit, count) = inner.rsplit_once('*').expect("a count");
                bytes.extend(request(unit).repeat(count.parse().expect("a count")));
                rest = behind;
            }
            '\\' => {
                let code = rest.chars().next().expect("an escape");
                let (byte, length) = match code {
                    'n' => (b'\n', 1),
                    'r' => (b'\r', 1),
                    't' => (b'\t', 1),
                    '\\' => (b'\\', 1),
                    'x' => (u8::from_str_radix(&rest[1..3], 16).expect("two digits"), 3),
                    _ => panic!("an escape that nobody knows: {text}"),
                };
                bytes.push(byte);
                rest = &rest[length..];
            }
            letter => bytes.extend(letter.to_string().bytes()),
        }
    }
    bytes
}
