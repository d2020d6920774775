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
    /// Device and inode of the file that it shows; none has the number 0.
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
        let [rights, _offset, device, inode, ..] = words[..] else { return None };
        Some(Self {
            place: place(head)?,
            file: (inode != "0").then_some((device, inode)),
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

    const DATA: Range<usize> = 0x5581_8000..0x5581_c000;
    const CODE: Range<usize> = 0x5581_c000..0x5582_0000;
    const FILE: &str = "fe:00 5431298   /usr/bin/tarpitd";
    const UNTOUCHED: &str = "Anonymous: 0 kB\nSwap: 0 kB";

    /// What the kernel says of the mapping at `place`, in part.
    fn mapping(place: &Range<usize>, rights: &str, file: &str, touched: &str) -> String {
        let Range { start, end } = place;
        let head = format!("{start:x}-{end:x} {rights} 00004000 {file}");
        format!("{head}\nSize: 16 kB\nRss: 12 kB\n{touched}\nVmFlags: rd mr mw me\n")
    }

    /// A process whose code is as given.
    fn process(rights: &str, file: &str, touched: &str) -> String {
        let relocated = 0x5582_0000..0x5582_1000;
        let variables = 0x5582_1000..0x5582_2000;
        let heap = 0x5582_2000..0x5582_3000;
        let library = 0x7fff_0000..0x7fff_4000;
        [
            mapping(&DATA, "r--p", FILE, UNTOUCHED),
            mapping(&CODE, rights, file, touched),
            mapping(&relocated, "r--p", FILE, "Anonymous: 4 kB\nSwap: 0 kB"),
            mapping(&variables, "rw-p", FILE, UNTOUCHED),
            mapping(&heap, "rw-p", "00:00 0", "Anonymous: 4 kB\nSwap: 0 kB"),
            mapping(&library, "r--p", "fe:00 77   /usr/lib/libc.so", UNTOUCHED),
        ]
        .concat()
    }

    #[test]
    fn code_and_constants_of_the_program_s_file_are_found_by_an_address_in_its_code() {
        assert_eq!(pages(&process("r-xp", FILE, UNTOUCHED), CODE.start + 4), [DATA, CODE]);
    }

    #[test]
    fn what_was_changed_or_can_be_is_left_alone() {
        for (rights, touched) in [
            ("r-xp", "Anonymous: 4 kB\nSwap: 0 kB"),
            ("r-xp", "Anonymous: 0 kB\nSwap: 4 kB"),
            ("r-xp", "Anonymous: 0 kB"),
            ("r-xp", "Swap: 0 kB"),
            ("rwxp", UNTOUCHED),
            ("r-xs", UNTOUCHED),
        ] {
            let smaps = process(rights, FILE, touched);
            assert_eq!(pages(&smaps, CODE.start + 4), [DATA], "{rights} {touched}");
        }
    }

    #[test]
    fn another_file_s_pages_are_left_alone() {
        for file in ["fe:00 5431299   /usr/bin/tarpitd", "fe:01 5431298   /usr/bin/tarpitd"] {
            assert_eq!(pages(&process("r-xp", file, UNTOUCHED), CODE.start + 4), [CODE], "{file}");
        }
    }

    #[test]
    fn where_the_code_is_of_no_file_there_is_nothing() {
        let smaps = process("r-xp", "00:00 0   [vdso]", UNTOUCHED);
        assert_eq!(pages(&smaps, CODE.start + 4), []);
        assert_eq!(pages(&smaps, CODE.end + 0x1000_0000), [], "nothing is there");
    }
}
