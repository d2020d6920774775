//! One trace: a file or standard input, plain or compressed.

use std::{
    cell::Cell,
    fs::File,
    io::{self, BufRead, BufReader, Cursor, Read},
    path::{Path, PathBuf},
    rc::Rc,
};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::{
    BlockDecodingStrategy, FrameDecoder,
    errors::{FrameDecoderError, ReadFrameHeaderError},
};

use crate::report::units::harmless;

/// Where a trace is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    File(PathBuf),
    StandardInput,
}

/// A trace that can be read.
pub(super) struct Source {
    pub(super) reader: Box<dyn Read>,
    pub(super) form: Form,
}

/// How a trace is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Gzip,
    Plain,
    Zstd,
}

impl Form {
    /// The most memory that reading takes, roughly.
    pub(super) fn room(self) -> usize {
        match self {
            Self::Plain => 512 * 1024,
            Self::Gzip => 1024 * 1024,
            // The window in a buffer whose size is a power of two, and a block behind it.
            Self::Zstd => 2 * MOST_WINDOW as usize,
        }
    }
}

/// The largest window of zstd: that of `zstd -19`. Beyond it are `--ultra` and `--long` only.
const MOST_WINDOW: u64 = 8 * 1024 * 1024;

/// `-` is standard input.
impl From<PathBuf> for Place {
    fn from(path: PathBuf) -> Self {
        if path.as_os_str() == "-" { Self::StandardInput } else { Self::File(path) }
    }
}

impl Place {
    /// What messages call it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::File(path) => shown(path),
            Self::StandardInput => "standard input".to_owned(),
        }
    }

    /// What its name has in common with the names that the same trace gets by rotation:
    /// `trace.jsonl` for `trace.jsonl.2.gz`, `trace.jsonl-20261128` and `trace-20261128.jsonl`.
    pub(super) fn series(&self) -> String {
        let Self::File(path) = self else { return "-".to_owned() };
        let (folder, name) = (path.parent(), path.file_name().unwrap_or_default());
        let name = name.to_string_lossy();
        let mut parts = name.split_inclusive(['.', '-', '_']);
        let first = parts.next().unwrap_or_default();
        let of_rotation = |part: &&str| {
            let part = part.trim_end_matches(['.', '-', '_']);
            ["gz", "zst", "old"].contains(&part) || part.bytes().all(|it| it.is_ascii_digit())
        };
        let own = parts.filter(|part| !of_rotation(part)).collect::<String>();
        let name = first.to_owned() + &own;
        let name = name.trim_end_matches(['.', '-', '_']).replace(['-', '_'], ".");
        folder.unwrap_or(Path::new("")).join(name).to_string_lossy().into_owned()
    }

    /// Opens it; `passed` counts the bytes that are read of it, before decompression.
    pub(super) fn open(&self, passed: &Rc<Cell<u64>>) -> io::Result<Source> {
        let raw: Box<dyn Read> = match self {
            Self::File(path) => {
                let file = File::open(path)?;
                if file.metadata()?.is_dir() {
                    return Err(io::Error::other("it is a directory; name the files in it"));
                }
                Box::new(file)
            }
            Self::StandardInput => Box::new(io::stdin().lock()),
        };
        decompressed(Counted { raw, passed: Rc::clone(passed) })
    }
}

/// A path as messages show it. Without control characters: a name may come from anywhere.
pub(super) fn shown(path: &Path) -> String {
    harmless(&path.to_string_lossy())
}

/// Reads what a stream holds, whatever its first bytes say of its compression.
fn decompressed(mut raw: impl Read + 'static) -> io::Result<Source> {
    let mut first = Vec::with_capacity(6);
    raw.by_ref().take(6).read_to_end(&mut first)?;
    let form = match &first[..] {
        [0x1F, 0x8B, ..] => Form::Gzip,
        // A frame, or one of those to be skipped.
        [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Form::Zstd,
        [0xFD, b'7', b'z', b'X', b'Z', ..] => return Err(unknown("xz")),
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => return Err(unknown("bzip2")),
        _ => Form::Plain,
    };
    let whole = BufReader::with_capacity(64 * 1024, Cursor::new(first).chain(raw));
    let reader: Box<dyn Read> = match form {
        Form::Gzip => Box::new(MultiGzDecoder::new(whole)),
        // No second buffer: the lines have one.
        Form::Plain => Box::new(whole.into_inner()),
        Form::Zstd => Box::new(Zstd::new(whole)),
    };
    Ok(Source { reader, form })
}

fn unknown(program: &str) -> io::Error {
    io::Error::other(format!(
        "it is compressed by {program}; write `{program} -dc FILE | tarpitd report -`"
    ))
}

/// Counts what passes.
struct Counted<R> {
    raw: R,
    passed: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.raw.read(into)?;
        self.passed.set(self.passed.get() + count as u64);
        Ok(count)
    }
}

/// All frames of a zstd stream (RFC 8878), one after the other.
struct Zstd<R> {
    source: R,
    decoder: FrameDecoder,
    within: bool,
}

impl<R: BufRead> Zstd<R> {
    fn new(source: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MOST_WINDOW);
        Self { source, decoder, within: false }
    }

    /// Begins the next frame; false at the end.
    fn begin(&mut self) -> io::Result<bool> {
        loop {
            if self.source.fill_buf()?.is_empty() {
                return Ok(false);
            }
            match self.decoder.reset(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let mut skipped = self.source.by_ref().take(length.into());
                    io::copy(&mut skipped, &mut io::sink())?;
                }
                Err(FrameDecoderError::WindowSizeTooBig { .. }) => {
                    return Err(io::Error::other(
                        "its zstd window is larger than 8 MiB; write `zstd -dc --long=31 FILE | \
                         tarpitd report -`",
                    ));
                }
                Err(error) => return Err(broken(&error)),
            }
        }
    }
}

/// The library does not tell an early end from other damage.
fn broken(error: &FrameDecoderError) -> io::Error {
    let text = error.to_string();
    let ends = text.contains("failed to fill whole buffer");
    let kind = if ends { io::ErrorKind::UnexpectedEof } else { io::ErrorKind::InvalidData };
    io::Error::new(kind, text)
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.within {
                while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                    let one = BlockDecodingStrategy::UptoBlocks(1);
                    let result = self.decoder.decode_blocks(&mut self.source, one);
                    result.map_err(|error| broken(&error))?;
                }
                let count = self.decoder.read(into)?;
                if count > 0 {
                    return Ok(count);
                }
            }
            self.within = self.begin()?;
            if !self.within {
                return Ok(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rotated_files_have_the_trace_s_own_name_in_common() {
        for name in [
            "a/trace.jsonl",
            "a/trace.jsonl.1",
            "a/trace.jsonl.2.gz",
            "a/trace.jsonl-20261128.zst",
            "a/trace-20261128.jsonl",
            "a/trace.jsonl.old",
        ] {
            assert_eq!(Place::File(name.into()).series(), "a/trace.jsonl", "{name}");
        }
        for name in
            ["trace.jsonl", "b/trace.jsonl", "a/host1.jsonl", "a/20261128.jsonl", "..", "/", ""]
        {
            assert_ne!(Place::File(name.into()).series(), "a/trace.jsonl", "{name}");
        }
    }
}
