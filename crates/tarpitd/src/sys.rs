//! The system calls for which no safe function exists. Nothing else is in this file.
#![expect(unsafe_code, reason = "this is the place")]

use std::{fs, io, ops::Range, os::fd::BorrowedFd, ptr};

use rustix::{
    ioctl::{Getter, ioctl},
    mm::{Advice, madvise},
};

/// How many bytes on a connection the peer has not acknowledged, including unsent ones.
pub(crate) fn unacknowledged(connection: BorrowedFd<'_>) -> io::Result<usize> {
    /// `SIOCOUTQ`, which shares its number with `TIOCOUTQ` (tcp(7)).
    const SIOCOUTQ: rustix::ioctl::Opcode = 0x5411;
    // SAFETY: for a TCP socket the kernel writes one C int to the place that the getter provides.
    let bytes: i32 = unsafe { ioctl(connection, Getter::<SIOCOUTQ, i32>::new())? };
    Ok(usize::try_from(bytes).unwrap_or(0))
}

/// Gives back the memory of code that only the start has needed: most of an idle daemon's. What is
/// needed after all comes from the program's file again.
pub(crate) fn release_code() {
    let Ok(maps) = fs::read_to_string("/proc/self/maps") else { return };
    let here = (release_code as fn() as *const ()).addr();
    if let Some(code) = maps.lines().filter_map(code).find(|code| code.contains(&here)) {
        let start = ptr::with_exposed_provenance_mut(code.start);
        // SAFETY: the mapping is this program's own, and nobody can have written to it, so that the
        // kernel brings back from the file the very bytes that it lets go. If it refuses they stay.
        let _ = unsafe { madvise(start, code.len(), Advice::LinuxDontNeed) };
    }
}

/// The addresses of a mapping that can be executed and not written, by its line (proc(5)).
fn code(line: &str) -> Option<Range<usize>> {
    let mut words = line.split(' ');
    let (start, end) = words.next()?.split_once('-')?;
    let number = |digits| usize::from_str_radix(digits, 16).ok();
    (words.next()? == "r-xp").then_some(number(start)?..number(end)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_found_among_the_mappings() {
        let line = "5581a000-5581c000 r-xp 00002000 fe:00 5431298   /usr/bin/tarpitd";
        assert_eq!(code(line), Some(0x5581_a000..0x5581_c000));
        for other in ["rw-p", "r--p", "rwxp"] {
            assert_eq!(code(&line.replace("r-xp", other)), None);
        }
        assert_eq!(code("nonsense"), None);
    }

    #[test]
    fn a_program_goes_on_without_the_code_it_gave_back() {
        release_code();
        assert_eq!(code("1-2 r-xp"), Some(1..2));
        release_code();
    }
}
