//! Where this program's own code lies in memory (proc(5), `/proc/PID/smaps`).

use std::{fs, ops::Range};

/// The mapping that holds the code at `address`, if it is a file's, can be executed but not written,
/// and no page of it has been changed, as a debugger does.
pub(crate) fn own_code(address: usize) -> Option<Range<usize>> {
    let mapping = Mapping::at(&smaps()?, address)?;
    mapping.is_untouched_code.then_some(mapping.place)
}

/// How much of that mapping is in memory, in kilobytes.
#[cfg(test)]
pub(crate) fn resident_code(address: usize) -> Option<u64> {
    Some(Mapping::at(&smaps()?, address)?.resident)
}

fn smaps() -> Option<String> {
    // Paths of files may be of any bytes.
    let bytes = fs::read("/proc/self/smaps").ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// What the kernel tells of one mapping.
#[derive(Debug, PartialEq, Eq)]
struct Mapping {
    place: Range<usize>,
    is_untouched_code: bool,
    resident: u64,
}

impl Mapping {
    /// The mapping that holds `address`.
    fn at(smaps: &str, address: usize) -> Option<Self> {
        let mut lines = smaps
            .lines()
            .skip_while(|line| !place(line).is_some_and(|place| place.contains(&address)));
        let head = lines.next()?;
        let fields: Vec<_> = lines.take_while(|line| place(line).is_none()).collect();
        let number = |name: &str| -> Option<u64> {
            let field = fields.iter().find_map(|line| line.strip_prefix(name))?;
            field.split_whitespace().next()?.parse().ok()
        };
        // Rights, offset, device, inode, path.
        let words: Vec<_> = head.split_whitespace().skip(1).collect();
        let is_code = matches!(words[..], ["r-xp", _, _, inode, path, ..]
            if inode != "0" && path.starts_with('/'));
        Some(Self {
            place: place(head)?,
            is_untouched_code: is_code && number("Anonymous:") == Some(0),
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
5581a000-5581c000 r--p 00000000 fe:00 5431298   /usr/bin/tarpitd
Rss:                  8 kB
Anonymous:            0 kB
5581c000-55820000 r-xp 00002000 fe:00 5431298   /usr/bin/tarpitd
Size:                16 kB
Rss:                 12 kB
Anonymous:            0 kB
VmFlags: rd ex mr mw me
55820000-55821000 rw-p 00006000 00:00 0
Rss:                  4 kB
Anonymous:            4 kB
";

    #[test]
    fn code_is_found_by_an_address_within() {
        let code =
            Mapping { place: 0x5581_c000..0x5582_0000, is_untouched_code: true, resident: 12 };
        assert_eq!(Mapping::at(SMAPS, 0x5581_c004), Some(code));
        assert_eq!(Mapping::at(SMAPS, 0x5582_1000), None);
        assert!(!Mapping::at(SMAPS, 0x5581_a000).unwrap().is_untouched_code, "no code");
        assert!(!Mapping::at(SMAPS, 0x5582_0000).unwrap().is_untouched_code, "no file");
    }

    #[test]
    fn code_that_was_changed_or_is_no_file_s_is_left_alone() {
        for (from, to) in [
            ("Rss:                 12 kB\nAnonymous:            0", "Rss: 12 kB\nAnonymous: 4"),
            ("r-xp", "rwxp"),
            ("r-xp 00002000 fe:00 5431298   /usr/bin/tarpitd", "r-xp 00000000 00:00 0"),
            ("r-xp 00002000 fe:00 5431298   /", "r-xp 00002000 00:00 0   "),
        ] {
            let text = SMAPS.replacen(from, to, 1);
            assert_ne!(text, SMAPS, "{from}");
            assert!(!Mapping::at(&text, 0x5581_c004).unwrap().is_untouched_code, "{to}");
        }
    }
}
