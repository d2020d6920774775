//! Where this program's own file lies in memory (proc(5), `/proc/PID/smaps`).

use std::{fs, ops::Range};

/// The pages of the program's file that are in memory as the file has them: code, and data that is
/// only read. `address` is of the program's code; there is nothing unless a file's code is there.
pub(crate) fn own_pages(address: usize) -> Vec<Range<usize>> {
    pages(&smaps().unwrap_or_default(), address)
}

fn pages(smaps: &str, address: usize) -> Vec<Range<usize>> {
    let mappings = || Mapping::all(smaps);
    let Some(code) = mappings().find(|mapping| mapping.place.contains(&address)) else {
        return Vec::new();
    };
    let ours = |mapping: &Mapping<'_>| mapping.file.is_some() && mapping.file == code.file;
    let kept = |mapping: &Mapping<'_>| mapping.is_read_only && mapping.is_untouched;
    mappings()
        .filter(|mapping| ours(mapping) && kept(mapping))
        .map(|mapping| mapping.place)
        .collect()
}

/// How much of those is in memory, in kilobytes.
#[cfg(test)]
pub(crate) fn resident(places: &[Range<usize>]) -> u64 {
    let smaps = smaps().expect("it runs");
    Mapping::all(&smaps)
        .filter(|mapping| places.contains(&mapping.place))
        .map(|mapping| mapping.resident)
        .sum()
}

fn smaps() -> Option<String> {
    // Paths of files may be of any bytes.
    let bytes = fs::read("/proc/self/smaps").ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// What the kernel tells of one mapping.
#[derive(Debug, PartialEq, Eq)]
struct Mapping<'text> {
    place: Range<usize>,
    /// Device and inode of the file that it shows.
    file: Option<(&'text str, &'text str)>,
    is_read_only: bool,
    /// No page of it has been changed, as relocations, a debugger or `mprotect` let one do: neither
    /// in memory nor swapped out. Without the kernel's word for both it may have been.
    is_untouched: bool,
    /// In kilobytes.
    resident: u64,
}

impl<'text> Mapping<'text> {
    /// All of them, in their order.
    fn all(smaps: &'text str) -> impl Iterator<Item = Self> {
        let mut lines = smaps.lines().peekable();
        std::iter::from_fn(move || {
            let head = lines.find(|line| place(line).is_some())?;
            let mut fields = Vec::new();
            while let Some(line) = lines.next_if(|line| place(line).is_none()) {
                fields.push(line);
            }
            Some(Self::new(head, &fields))
        })
        .flatten()
    }

    fn new(head: &'text str, fields: &[&str]) -> Option<Self> {
        let number = |name: &str| -> Option<u64> {
            let field = fields.iter().find_map(|line| line.strip_prefix(name))?;
            field.split_whitespace().next()?.parse().ok()
        };
        let words: Vec<_> = head.split_whitespace().skip(1).collect();
        let [rights, _offset, device, inode, ref path @ ..] = words[..] else { return None };
        Some(Self {
            place: place(head)?,
            file: (inode != "0" && path.first()?.starts_with('/')).then_some((device, inode)),
            is_read_only: matches!(rights, "r-xp" | "r--p"),
            is_untouched: ["Anonymous:", "Swap:"].map(number) == [Some(0); 2],
            resident: number("Rss:")?,
        })
    }
}

/// The addresses in the first line of a mapping; `None` of any other line.
fn place(line: &str) -> Option<Range<usize>> {
    let (start, end) = line.split(' ').next()?.split_once('-')?;
    let number = |digits| usize::from_str_radix(digits, 16).ok();
    Some(number(start)?..number(end)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMAPS: &str = "\
55818000-5581c000 r--p 00000000 fe:00 5431298   /usr/bin/tarpitd
Rss:                  8 kB
Anonymous:            0 kB
Swap:                 0 kB
5581c000-55820000 r-xp 00004000 fe:00 5431298   /usr/bin/tarpitd
Size:                16 kB
Rss:                 12 kB
Anonymous:            0 kB
Swap:                 0 kB
VmFlags: rd ex mr mw me
55820000-55821000 r--p 00008000 fe:00 5431298   /usr/bin/tarpitd
Rss:                  4 kB
Anonymous:            4 kB
Swap:                 0 kB
55821000-55822000 rw-p 00009000 fe:00 5431298   /usr/bin/tarpitd
Rss:                  0 kB
Anonymous:            0 kB
Swap:                 0 kB
55822000-55823000 rw-p 00000000 00:00 0
Rss:                  4 kB
Anonymous:            4 kB
Swap:                 0 kB
7fff0000-7fff4000 r--p 00000000 fe:00 77   /usr/lib/libc.so
Rss:                  4 kB
Anonymous:            0 kB
Swap:                 0 kB
";
    const DATA: Range<usize> = 0x5581_8000..0x5581_c000;
    const CODE: Range<usize> = 0x5581_c000..0x5582_0000;

    #[test]
    fn code_and_constants_of_the_program_s_file_are_found_by_an_address_in_its_code() {
        assert_eq!(pages(SMAPS, 0x5581_c004), [DATA, CODE]);
    }

    #[test]
    fn where_no_file_is_there_is_nothing() {
        for address in [0x5582_2000, 0x5582_3000] {
            assert_eq!(pages(SMAPS, address), [], "{address:x}");
        }
    }

    #[test]
    fn what_was_changed_or_can_be_or_is_another_file_s_is_left_alone() {
        for (from, to) in [
            ("12 kB\nAnonymous:            0", "12 kB\nAnonymous:            4"),
            ("12 kB\nAnonymous:            0 kB\nSwap:                 0", "12 kB\nSwap: 0"),
            (
                "12 kB\nAnonymous:            0 kB\nSwap:                 0",
                "12 kB\nAnonymous:            0 kB\nSwap:                 4",
            ),
            ("12 kB\nAnonymous:            0 kB\nSwap:                 0", "12 kB\nAnonymous: 0"),
            ("r-xp", "rwxp"),
            ("r-xp", "r-xs"),
        ] {
            let text = SMAPS.replacen(from, to, 1);
            assert_ne!(text, SMAPS, "{from}");
            assert_eq!(pages(&text, 0x5581_c004), [DATA], "{to}");
        }
        let another = SMAPS.replacen("fe:00 5431298", "fe:00 5431299", 1);
        assert_eq!(pages(&another, 0x5581_c004), [CODE]);
    }
}
