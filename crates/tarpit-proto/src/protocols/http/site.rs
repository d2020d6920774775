//! The site that a persona's web server has: a start page, a few files and folders, and pages that
//! are found by links alone.
//!
//! A server that has every page shows that it is a honeypot: one request for a page that cannot
//! exist tells. So what is there differs for each installation, and everything else is missing. A
//! page that a link leads to needs no list: a part of its name is a keyed hash of the rest. A
//! crawler that follows links never comes to an end, and a guessed name is right once in a million
//! times.

use alloc::{
    borrow::Cow,
    format,
    string::{String, ToString as _},
    vec::Vec,
};

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
    /// By this number its style is chosen.
    look: u32,
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
const FIRST_LINKS: usize = 12;

/// How long a page is at least, and how far that varies: a whole one is one chunk with its head.
const LENGTH: usize = 9_000;
const SPREAD: u32 = 4_500;

/// How a site writes its pages, so that no search finds all installations by it.
struct Style {
    head: &'static str,
    indent: &'static str,
    /// The element around all links, and those around each.
    list: &'static str,
    item: &'static [&'static str],
    /// What stands between the words of a name.
    joint: u8,
    /// Which element has a class, if one does, and which class.
    marked: Option<Marked>,
    class: &'static str,
    caption: Caption,
    remark: Remark,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Marked {
    Item,
    Link,
    List,
}

/// How the two words of a link are written.
#[derive(Clone, Copy)]
enum Caption {
    BothLarge,
    FirstLarge,
    Small,
    Swapped,
}

/// What stands behind a link.
#[derive(Clone, Copy)]
enum Remark {
    Nothing,
    Size,
    Words,
    Year,
}

const HEADS: [&str; 4] = [
    "<meta charset=\"utf-8\">\n",
    "",
    "<meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\">\n",
    "<meta name=\"viewport\" content=\"width=device-width\">\n",
];
const INDENTS: [&str; 4] = ["", "  ", "    ", "\t"];
const LISTS: [(&str, &[&str]); 8] = [
    ("ul", &["li"]),
    ("div", &["p"]),
    ("table", &["tr", "td"]),
    ("ol", &["li"]),
    ("nav", &["div"]),
    ("dl", &["dd"]),
    ("section", &["div", "span"]),
    ("div", &["h4"]),
];
const JOINTS: [u8; 3] = *b"-_.";

impl Site {
    pub(crate) fn of(persona: &Persona) -> Self {
        // Two machines of one installation must not have the same pages.
        let number = persona.number() ^ persona.machine() as u64;
        Self { server: Server::of(persona), number, look: persona.look() }
    }

    /// One for tests of what is read.
    pub(crate) const fn sample(server: Server) -> Self {
        Self { server, number: 7, look: 7 }
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
        let room = self.length(page) - self.opening().len() - self.closing().len();
        let lines = room / self.longest_line();
        lines.saturating_sub(FIRST_LINKS - 1) as u32
    }

    /// How long the body of a page is.
    pub(crate) fn length(self, page: u8) -> usize {
        LENGTH + (self.hash(Question::Number, page.into()) % SPREAD) as usize
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
        let part = part as usize;
        if part > 0 {
            return self.write_line(page, FIRST_LINKS + part - 1, out);
        }
        out.append(&mut self.opening());
        (0..FIRST_LINKS).for_each(|line| self.write_line(page, line, out));
    }

    /// Appends a whole page: as many links as there is room for, and blanks in front of its end.
    pub(crate) fn write_all(self, page: u8, out: &mut Vec<u8>) {
        let closing = self.closing();
        let end = out.len() + self.length(page) - closing.len();
        self.write(page, 0, out);
        for line in FIRST_LINKS.. {
            let before = out.len();
            self.write_line(page, line, out);
            if out.len() > end {
                out.truncate(before);
                break;
            }
        }
        out.resize(end, b' ');
        out.extend_from_slice(closing.as_bytes());
    }

    /// What pages of this site are called.
    pub(crate) fn title(self) -> String {
        let choice = u64::from(self.hash(Question::Style, 1));
        let (first, second) = (WORDS[word(choice)], WORDS[word(choice >> 16)]);
        let mut title = Vec::new();
        large(first, &mut title);
        say(&mut title, &[" ", second]);
        String::from_utf8(title).unwrap_or_default()
    }

    /// Appends a link to a page of this site, chosen by `choice`.
    pub(crate) fn link(self, choice: u32, out: &mut Vec<u8>) {
        self.write_link(&self.style(), choice, out);
    }

    fn write_link(self, style: &Style, choice: u32, out: &mut Vec<u8>) {
        let place = u64::from(choice);
        let (folder, name) = (word(place), word(place / WORDS.len() as u64));
        // Sixteen bits of the name are anybody's, twenty are the answer to them.
        let salt = (choice >> 16) as u16;
        let check = self.check(folder, name, salt);
        say(out, &["<a"]);
        style.mark(Marked::Link, out);
        say(out, &[" href=\"/", WORDS[folder], "/", WORDS[name]]);
        out.push(style.joint);
        digits(salt.into(), 4, out);
        digits(check, 5, out);
        say(out, &[".html\">"]);
        let (first, second) = (WORDS[word(place >> 10)], WORDS[word(place >> 15)]);
        match style.caption {
            Caption::BothLarge => {
                large(first, out);
                out.push(b' ');
                large(second, out);
            }
            Caption::FirstLarge => {
                large(first, out);
                say(out, &[" ", second]);
            }
            Caption::Small => say(out, &[first, " ", second]),
            Caption::Swapped => {
                large(second, out);
                say(out, &[": ", first]);
            }
        }
        say(out, &["</a>"]);
    }

    /// Appends the line of a link, chosen likewise.
    pub(crate) fn write_item(self, choice: u32, out: &mut Vec<u8>) {
        /// As long as lines are, nearly all of them.
        const USUAL: usize = 160;
        let style = self.style();
        out.reserve(USUAL);
        say(out, &[style.indent]);
        for (place, tag) in style.item.iter().enumerate() {
            say(out, &["<", tag]);
            if place == 0 {
                style.mark(Marked::Item, out);
            }
            out.push(b'>');
        }
        self.write_link(&style, choice, out);
        let place = u64::from(choice);
        match style.remark {
            Remark::Nothing => {}
            Remark::Size => say(out, &[" (", &(2 + choice % 900).to_string(), " kB)"]),
            Remark::Words => {
                say(out, &[" - ", WORDS[word(place >> 5)], " ", WORDS[word(place >> 20)]]);
            }
            Remark::Year => say(out, &[", ", &(2009 + choice % 14).to_string()]),
        }
        for tag in style.item.iter().rev() {
            say(out, &["</", tag, ">"]);
        }
        out.push(b'\n');
    }

    fn write_line(self, page: u8, line: usize, out: &mut Vec<u8>) {
        let place = u64::from(page) << 32 | line as u64;
        self.write_item(self.hash(Question::Link, place), out);
    }

    /// No line of a link is longer: six words of at most three letters more, and two digits.
    fn longest_line(self) -> usize {
        let mut line = Vec::new();
        self.write_item(0, &mut line);
        line.len() + 6 * 3 + 2
    }

    /// What a page begins with.
    pub(crate) fn opening(self) -> Vec<u8> {
        let (title, style, mut out) = (self.title(), self.style(), Vec::new());
        say(&mut out, &["<!DOCTYPE html>\n<html>\n<head>\n", style.head, "<title>", &title]);
        say(&mut out, &["</title>\n</head>\n<body>\n<h1>", &title, "</h1>\n<", style.list]);
        style.mark(Marked::List, &mut out);
        say(&mut out, &[">\n"]);
        out
    }

    /// What a page ends with.
    fn closing(self) -> String {
        format!("</{}>\n</body>\n</html>\n", self.style().list)
    }

    fn style(self) -> Style {
        let mut left = self.look as usize;
        let mut choose = |among: usize| {
            let choice = left % among;
            left /= among;
            choice
        };
        let (list, item) = LISTS[choose(LISTS.len())];
        Style {
            head: HEADS[choose(HEADS.len())],
            indent: INDENTS[choose(INDENTS.len())],
            list,
            item,
            joint: JOINTS[choose(JOINTS.len())],
            marked: [None, Some(Marked::Item), Some(Marked::Link), Some(Marked::List)][choose(4)],
            class: WORDS[choose(WORDS.len())],
            caption: [Caption::BothLarge, Caption::FirstLarge, Caption::Small, Caption::Swapped]
                [choose(4)],
            remark: [Remark::Nothing, Remark::Size, Remark::Words, Remark::Year][choose(4)],
        }
    }

    /// The page that a name leads to, if a link of this site has it.
    fn linked(self, name: &[u8]) -> Option<u64> {
        let (words, number) = name.split_at_checked(name.len().checked_sub(9)?)?;
        let words = words.strip_suffix(&[self.style().joint])?;
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

impl Style {
    /// Appends the class of an element, as it stands in its tag.
    fn mark(&self, element: Marked, out: &mut Vec<u8>) {
        if self.marked == Some(element) {
            say(out, &[" class=\"", self.class, "\""]);
        }
    }
}

/// Appends some words.
fn say(out: &mut Vec<u8>, words: &[&str]) {
    for word in words {
        out.extend_from_slice(word.as_bytes());
    }
}

/// Appends a word with a large initial.
fn large(word: &str, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(word.as_bytes());
    if let Some(initial) = out.get_mut(start) {
        initial.make_ascii_uppercase();
    }
}

/// Appends the last so many hexadecimal digits of a number.
fn digits(number: u32, count: u32, out: &mut Vec<u8>) {
    for place in (0..count).rev() {
        out.push(b"0123456789abcdef"[(number >> (4 * place)) as usize & 0xF]);
    }
}

/// The word that a number leads to.
fn word(number: u64) -> usize {
    (number % WORDS.len() as u64) as usize
}
