//! The site that a persona's web server has: a start page, a few files and folders, and pages that
//! are found by links alone.
//!
//! A server that has every page shows that it is a honeypot: one request for a page that cannot
//! exist tells. So what is there differs for each installation, and everything else is missing. A
//! page that a link leads to needs no list: a part of its name is a keyed hash of the rest. A
//! crawler that follows links never comes to an end, and a guessed name is right once in a million
//! times.

use alloc::{borrow::Cow, format, string::String, vec::Vec};

use crate::{
    base::{rng::lasting, time::Wall},
    persona::Persona,
    protocols::http::{
        reply::{Entry, Extent, Reply},
        server::Server,
    },
};

/// What an installation's web server is and has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site {
    pub(crate) server: Server,
    /// The installation's own number, by which the choices below are made.
    number: u64,
}

/// Files and folders; each installation has a few of them.
pub(crate) const FILES: [&str; 12] = [
    "about", "archive", "careers", "contact", "events", "gallery", "help", "history", "links",
    "partners", "services", "team",
];
pub(crate) const FOLDERS: [&str; 12] = [
    "assets", "css", "data", "docs", "download", "files", "images", "img", "js", "media", "static",
    "upload",
];

/// How many it has of each: the rest of the division decides which.
const EVERY: u32 = 4;

/// What pages are about.
const WORDS: [&str; 24] = [
    "account", "archive", "backup", "budget", "catalog", "contract", "customer", "delivery",
    "draft", "export", "history", "invoice", "meeting", "member", "notes", "order", "payment",
    "photo", "project", "report", "review", "sample", "summary", "travel",
];

/// What the hash is asked for, so that no two questions have the same answer.
#[derive(Clone, Copy)]
enum Question {
    File,
    Folder,
    Link,
    Modified,
    Name,
    Number,
    Page,
    Style,
}

/// The page that a site begins with.
pub(crate) const START: u8 = 0;

/// How many links stand in the first part of a page, which comes in one piece.
const FIRST_LINKS: u32 = 12;

/// How long the line of a link is: shorter ones end with blanks, so that the length of a page is
/// known from its number.
const LINE: usize = 88;

/// How a site writes a list of links, so that no search finds all installations by it.
struct Style {
    head: &'static str,
    list: [&'static str; 2],
    item: [&'static str; 2],
    /// What stands between the words of a name.
    joint: char,
}

const STYLES: [Style; 4] = [
    Style {
        head: "<meta charset=\"utf-8\">\n",
        list: ["<ul>\n", "</ul>\n"],
        item: ["<li>", "</li>"],
        joint: '-',
    },
    Style { head: "", list: ["<div>\n", "</div>\n"], item: ["<p>", "</p>"], joint: '_' },
    Style {
        head: "<meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\">\n",
        list: ["<table>\n", "</table>\n"],
        item: ["<tr><td>", "</td></tr>"],
        joint: '.',
    },
    Style {
        head: "<meta name=\"viewport\" content=\"width=device-width\">\n",
        list: ["<ol>\n", "</ol>\n"],
        item: ["<li>", "</li>"],
        joint: '-',
    },
];

impl Site {
    pub(crate) fn of(persona: &Persona) -> Self {
        // Two machines of one installation must not have the same pages.
        let number = persona.number() ^ persona.machine() as u64;
        Self { server: Server::of(persona), number }
    }

    /// One for tests of what is read.
    pub(crate) const fn sample(server: Server) -> Self {
        Self { server, number: 7 }
    }

    /// What a client is told that asks for a normalised path.
    pub(crate) fn find(self, path: &[u8]) -> Reply {
        let page = |page| Reply::Page { page, extent: Extent::Whole };
        let path = match self.server {
            // Windows' file system takes the letters of both cases for the same.
            Server::Iis => Cow::Owned(path.to_ascii_lowercase()),
            Server::Apache | Server::Boa | Server::Nginx => Cow::Borrowed(path),
        };
        let path = path.strip_prefix(b"/").unwrap_or(&path);
        if path.is_empty() || path == self.start_name() {
            return page(START);
        }
        let first = path.split(|&byte| byte == b'/').next().unwrap_or_default();
        let place = FOLDERS.iter().position(|name| name.as_bytes() == first);
        let rest = match place.filter(|&place| self.has(Question::Folder, place)) {
            Some(place) => match path.get(first.len()..) {
                Some(b"/") => return Reply::Forbidden,
                Some([]) | None => return Reply::Moved { folder: Entry(place as u8) },
                Some(rest) => rest.get(1..).unwrap_or_default(),
            },
            None => path,
        };
        if self.server == Server::Apache && is_denied_by_apache(path, rest) {
            return Reply::Forbidden;
        }
        let Some(name) = path.strip_suffix(b".html") else { return Reply::Missing };
        let file = FILES.iter().position(|file| file.as_bytes() == name);
        match file {
            Some(place) if self.has(Question::File, place) => page(place as u8 + 1),
            _ => match self.linked(name) {
                Some(place) => page(self.hash(Question::Page, place) as u8),
                None => Reply::Missing,
            },
        }
    }

    /// What a folder is called.
    pub(crate) fn folder(Entry(folder): Entry) -> &'static str {
        FOLDERS.get(usize::from(folder)).copied().unwrap_or_default()
    }

    /// How many parts the body of a page has, without its end.
    pub(crate) fn parts(self, page: u8) -> u32 {
        50 + self.hash(Question::Number, page.into()) % 80
    }

    /// How long the body of a page is.
    pub(crate) fn length(self, page: u8) -> usize {
        let links = FIRST_LINKS + self.parts(page) - 1;
        self.opening().len() + links as usize * LINE + self.closing().len()
    }

    /// Since when a page is as it is: a moment of the years before this program.
    pub(crate) fn modified(self, page: u8) -> Wall {
        const OLDEST: u64 = 1_672_531_200;
        const SPAN: u32 = 80_000_000;
        Wall(OLDEST + u64::from(self.hash(Question::Modified, page.into()) % SPAN))
    }

    /// The tag of a page's present state (RFC 9110, section 8.8.3), in the server's form.
    pub(crate) fn tag(self, page: u8) -> String {
        let (Wall(modified), length) = (self.modified(page), self.length(page));
        let fraction = u64::from(self.hash(Question::Number, u64::from(page) | 1 << 32));
        match self.server {
            Server::Apache => {
                format!("\"{length:x}-{:x}\"", modified * 1_000_000 + fraction % 1_000_000)
            }
            Server::Nginx => format!("\"{modified:x}-{length:x}\""),
            Server::Boa | Server::Iis => {
                // A time in units of 100 ns since 1601, and how often the server was set up anew.
                let ticks = (modified + 11_644_473_600) * 10_000_000 + fraction % 10_000_000;
                format!("\"{ticks:x}:0\"")
            }
        }
    }

    /// Appends a part of a page's body: the first with its opening and some links, each other with
    /// one link.
    pub(crate) fn write(self, page: u8, part: u32, out: &mut Vec<u8>) {
        if part > 0 {
            return self.write_line(page, FIRST_LINKS + part - 1, out);
        }
        out.extend_from_slice(self.opening().as_bytes());
        (0..FIRST_LINKS).for_each(|line| self.write_line(page, line, out));
    }

    /// Appends a whole page.
    pub(crate) fn write_all(self, page: u8, out: &mut Vec<u8>) {
        (0..self.parts(page)).for_each(|part| self.write(page, part, out));
        out.extend_from_slice(self.closing().as_bytes());
    }

    /// What pages of this site are called.
    pub(crate) fn title(self) -> String {
        let choice = u64::from(self.hash(Question::Style, 1));
        let (first, second) = (WORDS[word(choice)], WORDS[word(choice >> 16)]);
        let (initial, rest) = first.split_at(1);
        format!("{}{rest} {second}", initial.to_ascii_uppercase())
    }

    /// Appends a link to a page of this site, chosen by `choice`.
    pub(crate) fn link(self, choice: u32, out: &mut Vec<u8>) {
        let place = u64::from(choice);
        let (folder, name) = (word(place), word(place / WORDS.len() as u64));
        let title = (word(place >> 10), word(place >> 15));
        // Sixteen bits of the name are anybody's, twenty are the answer to them.
        let salt = (choice >> 16) as u16;
        let check = self.check(folder, name, salt);
        let (folder, name) = (WORDS[folder], WORDS[name]);
        let (first, second) = (WORDS[title.0], WORDS[title.1]);
        let joint = self.style().joint;
        let text = format!(
            "<a href=\"/{folder}/{name}{joint}{salt:04x}{check:05x}.html\">{first} {second}</a>"
        );
        out.extend_from_slice(text.as_bytes());
    }

    fn write_line(self, page: u8, line: u32, out: &mut Vec<u8>) {
        let [begin, end] = self.style().item;
        let start = out.len();
        out.extend_from_slice(begin.as_bytes());
        self.link(self.hash(Question::Link, u64::from(page) << 32 | u64::from(line)), out);
        out.extend_from_slice(end.as_bytes());
        out.resize(start + LINE - 1, b' ');
        out.push(b'\n');
    }

    /// What a page begins with.
    fn opening(self) -> String {
        let (title, Style { head, list, .. }) = (self.title(), self.style());
        format!(
            "<!DOCTYPE html>\n<html>\n<head>\n{head}<title>{title}</title>\n</head>\n<body>\n\
             <h1>{title}</h1>\n{}",
            list[0]
        )
    }

    /// What a page ends with.
    fn closing(self) -> String {
        format!("{}</body>\n</html>\n", self.style().list[1])
    }

    fn style(self) -> &'static Style {
        &STYLES[self.hash(Question::Style, 0) as usize % STYLES.len()]
    }

    /// The page that a name leads to, if a link of this site has it.
    fn linked(self, name: &[u8]) -> Option<u64> {
        let (words, number) = name.split_at_checked(name.len().checked_sub(9)?)?;
        let words = words.strip_suffix(&[self.style().joint as u8])?;
        let slash = words.iter().position(|&byte| byte == b'/')?;
        let place = |word: &[u8]| WORDS.iter().position(|known| known.as_bytes() == word);
        let (folder, name) = (place(&words[..slash])?, place(&words[slash + 1..])?);
        if !number.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        let number = u64::from_str_radix(core::str::from_utf8(number).ok()?, 16).ok()?;
        let salt = (number >> 20) as u16;
        let check = (number & 0xF_FFFF) as u32;
        (self.check(folder, name, salt) == check).then_some(number)
    }

    /// What a link's name must end with.
    fn check(self, folder: usize, name: usize, salt: u16) -> u32 {
        let place = (folder * WORDS.len() + name) as u64;
        self.hash(Question::Name, place << 16 | u64::from(salt)) & 0xF_FFFF
    }

    fn has(self, kind: Question, place: usize) -> bool {
        let turn = self.hash(kind, 0) as usize;
        (place + turn).is_multiple_of(EVERY as usize)
    }

    /// The name of the page that stands for the site's start.
    fn start_name(self) -> &'static [u8] {
        if self.server == Server::Iis { b"iisstart.htm" } else { b"index.html" }
    }

    fn hash(self, question: Question, place: u64) -> u32 {
        lasting(self.number, place, question as u64)
    }
}

/// Whether Apache denies a path by the first name on it that is not there: the files of its own,
/// and names that no file system has.
fn is_denied_by_apache(path: &[u8], rest: &[u8]) -> bool {
    let own = [&b"server-status"[..], b"icons"];
    let first = rest.split(|&byte| byte == b'/').next().unwrap_or_default();
    first.starts_with(b".ht")
        || first.len() > 255
        || path == own[0]
        || path.strip_suffix(b"/").is_some_and(|path| own.contains(&path))
}

/// The word that a number leads to.
fn word(number: u64) -> usize {
    (number % WORDS.len() as u64) as usize
}
