//! Several traces as one stream of lines in the order of their times, however the files are named and
//! given.
//!
//! So a client that one file opens and the next one closes is one client. A line that stands in two
//! files counts once, since its copies come close together.

use std::{
    cell::Cell,
    fs,
    hash::{DefaultHasher, Hasher as _},
    io::{self, Read},
    os::unix::fs::MetadataExt as _,
    rc::Rc,
};

use super::{
    line::{self, Line},
    lines::{LONGEST, Lines, Piece},
    moment::Moment,
    source::{Form, Place},
    tally::Series,
};

/// The traces that are not read to their ends.
pub(super) struct Merge {
    /// Files that are not open, the one that begins first at the end.
    waiting: Vec<Waiting>,
    open: Vec<Open>,
    recent: Option<Recent>,
    passed: Rc<Cell<u64>>,
    /// The bytes of all files, where that is known of all.
    pub(super) size: Option<u64>,
}

struct Waiting {
    place: Place,
    file: usize,
    series: Series,
    first: Moment,
    form: Form,
}

struct Open {
    name: String,
    /// Tells it from all others.
    file: usize,
    series: Series,
    form: Form,
    /// The time of its next line, as far as that is known.
    head: Moment,
    lines: Lines<Box<dyn Read>>,
}

/// Where a line stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot<'a> {
    pub(super) name: &'a str,
    pub(super) number: u64,
    pub(super) series: Series,
}

/// What was found there.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are lines, and none is stored")]
pub(super) enum Found<'a> {
    /// Reading failed; the rest of the file is left out.
    Broken(io::Error),
    /// It is no line of a trace, for this reason.
    Damaged(String),
    Line(Line<'a>),
    /// Another file had this line, of this time.
    Repeated(Moment),
    /// The last line of a file has no end. What is there is no line as yet.
    Unfinished,
}

/// A trace that is not read at all.
#[derive(Debug)]
pub(super) enum Left {
    /// It was named before under this name.
    Twice(String),
    Unreadable(io::Error),
}

/// The most memory for files that are open at the same time, roughly. Further ones wait until there is
/// room; then lines may come out of order.
const ROOM: usize = 64 * 1024 * 1024;

/// How many lines at the beginning of a file are looked at for its first moment.
const LOOKED_AT: usize = 1_000;

impl Merge {
    /// Looks into all of them; `told` hears which ones are left out.
    pub(super) fn new(places: &[Place], mut told: impl FnMut(&str, Left)) -> Self {
        let passed = Rc::new(Cell::new(0));
        let (mut waiting, mut open) = (Vec::new(), Vec::new());
        let (mut size, mut known, mut all_series) = (Some(0), Vec::new(), Vec::new());
        for (file, place) in places.iter().enumerate() {
            let name = place.name();
            let series = place.series();
            let number = all_series.iter().position(|it| *it == series).unwrap_or_else(|| {
                all_series.push(series);
                all_series.len() - 1
            });
            let series = number as Series;
            let regular = match place {
                Place::File(path) => fs::metadata(path).ok().filter(fs::Metadata::is_file),
                Place::StandardInput => None,
            };
            let identity = match (&regular, place) {
                (Some(regular), _) => Some((regular.dev(), regular.ino())),
                (None, Place::StandardInput) => Some((0, 0)),
                (None, Place::File(_)) => None,
            };
            if let Some(identity) = identity {
                if let Some((_, first)) = known.iter().find(|(it, _)| *it == identity) {
                    told(&name, Left::Twice(String::clone(first)));
                    continue;
                }
                known.push((identity, name.clone()));
            }
            size = size.zip(regular.as_ref()).map(|(size, it)| size + it.len());
            let result = match regular {
                Some(_) => first(place).map(|(first, form)| {
                    let place = place.clone();
                    waiting.push(Waiting { place, file, series, first, form });
                }),
                // What is not a file can be opened but once.
                None => Open::new(place, file, series, &passed).map(|it| open.push(it)),
            };
            if let Err(error) = result {
                told(&name, Left::Unreadable(error));
            }
        }
        waiting.sort_by_key(|it| std::cmp::Reverse(it.first));
        let recent = (waiting.len() + open.len() > 1).then(Recent::new);
        Self { waiting, open, recent, passed, size }
    }

    /// How many bytes were read, before decompression.
    pub(super) fn passed(&self) -> u64 {
        self.passed.get()
    }

    /// Reads a part of a trace: as long as no other one has an earlier line. False when all is read.
    pub(super) fn read(&mut self, found: &mut impl FnMut(Spot<'_>, Found<'_>)) -> bool {
        while let Some(next) = self.next_to_open() {
            let Some(Waiting { place, file, series, .. }) =
                next.then(|| self.waiting.pop()).flatten()
            else {
                break;
            };
            match Open::new(&place, file, series, &self.passed) {
                Ok(open) => self.open.push(open),
                Err(error) => {
                    let name = &*place.name();
                    found(Spot { name, number: 0, series }, Found::Broken(error));
                }
            }
        }
        let Some(earliest) = (0..self.open.len()).min_by_key(|at| self.open[*at].head) else {
            return false;
        };
        let heads = self.open.iter().enumerate().filter(|(at, _)| *at != earliest);
        let waits = self.waiting.last().filter(|it| self.has_room(it.form)).map(|it| it.first);
        let limit = heads.map(|(_, open)| open.head).chain(waits).min();
        let limit = limit.unwrap_or(Moment::LAST);
        if self.open[earliest].read(limit, self.recent.as_mut(), found) {
            self.open.remove(earliest);
        }
        true
    }

    /// Whether the next file is to be opened now; `None` if there is none.
    fn next_to_open(&self) -> Option<bool> {
        let next = self.waiting.last()?;
        let begins = self.open.iter().map(|open| open.head).min().is_none_or(|it| next.first <= it);
        Some(begins && self.has_room(next.form))
    }

    fn has_room(&self, form: Form) -> bool {
        let taken: usize = self.open.iter().map(|open| open.form.room()).sum();
        taken == 0 || taken + form.room() <= ROOM
    }
}

/// When the first line of a file was written that is one, and how the file is compressed.
fn first(place: &Place) -> io::Result<(Moment, Form)> {
    let source = place.open(&Rc::default())?;
    let mut lines = Lines::new(source.reader);
    for _ in 0..LOOKED_AT {
        let (Piece::Line(bytes) | Piece::Unfinished(bytes)) = lines.next() else { break };
        if let Ok(line) = line::parse(bytes) {
            return Ok((line.time, source.form));
        }
    }
    // It will be told what is wrong with it when it is read.
    Ok((Moment::default(), source.form))
}

impl Open {
    fn new(place: &Place, file: usize, series: Series, passed: &Rc<Cell<u64>>) -> io::Result<Self> {
        let source = place.open(passed)?;
        let (lines, head) = (Lines::new(source.reader), Moment::default());
        Ok(Self { name: place.name(), file, series, form: source.form, head, lines })
    }

    /// Reads lines up to the first one that is later than `limit`. True at the end of the file.
    fn read(
        &mut self,
        limit: Moment,
        mut recent: Option<&mut Recent>,
        found: &mut impl FnMut(Spot<'_>, Found<'_>),
    ) -> bool {
        // Enough for progress to be shown now and then.
        for _ in 0..4_096 {
            // The number of the line that comes, or at which reading failed.
            let number = self.lines.number() + 1;
            let spot = Spot { name: &self.name, number, series: self.series };
            let (bytes, whole) = match self.lines.next() {
                Piece::End => return true,
                Piece::Failed(error) => {
                    found(spot, Found::Broken(error));
                    return true;
                }
                Piece::Line(bytes) => (bytes, true),
                Piece::TooLong => {
                    let mib = LONGEST / (1024 * 1024);
                    found(spot, Found::Damaged(format!("it is longer than {mib} MiB")));
                    continue;
                }
                Piece::Unfinished(bytes) => (bytes, false),
            };
            let bytes = bytes.trim_ascii();
            if bytes.is_empty() {
                continue;
            }
            let line = line::parse(bytes);
            if let Some(time) = line.as_ref().ok().map(|line| line.time).filter(|it| *it > limit) {
                drop(line);
                self.head = time;
                self.lines.put_back();
                return false;
            }
            let is_repeated = recent.as_mut().is_some_and(|it| it.had(bytes, self.file));
            found(
                spot,
                match line {
                    Ok(line) if is_repeated => Found::Repeated(line.time),
                    Ok(line) => Found::Line(line),
                    Err(_) if !whole => Found::Unfinished,
                    Err(flaw) => Found::Damaged(flaw),
                },
            );
        }
        false
    }
}

/// Which lines came lately, and from which file.
struct Recent(Vec<(u64, usize)>);

impl Recent {
    /// Lines of one moment that two files have come closer together than that: tarpitd cannot close
    /// more clients within a millisecond.
    const ROOM: usize = 1 << 16;

    fn new() -> Self {
        Self(vec![(0, 0); Self::ROOM])
    }

    /// Whether another file than this one had the line.
    fn had(&mut self, bytes: &[u8], file: usize) -> bool {
        let mut hasher = DefaultHasher::new();
        hasher.write(bytes);
        let line = hasher.finish();
        let place = &mut self.0[line as usize % Self::ROOM];
        if place.0 == line {
            return place.1 != file;
        }
        *place = (line, file);
        false
    }
}
