//! The memory that a program has for itself, from the kernel's own account (proc(5)).

use std::fs;

use anyhow::{Context, Result};

/// Bytes of private memory of a process, swapped out or not. Pages that show files do not count: the
/// kernel drops and reads them as it likes, and programs share them.
pub(crate) fn private(process: u32) -> Result<u64> {
    let path = format!("/proc/{process}/smaps_rollup");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    sum(&text).with_context(|| format!("{path} does not tell private memory"))
}

fn sum(rollup: &str) -> Option<u64> {
    let kilobytes = |name: &str| -> Option<u64> {
        let line = rollup.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    Some(1_024 * (kilobytes("Anonymous:")? + kilobytes("Swap:")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_files_do_not_count_and_pages_that_are_swapped_out_do() {
        let text = "Rss:   3604 kB\nAnonymous:   820 kB\nSwap:   4 kB\nSwapPss:   4 kB\n";
        assert_eq!(sum(text), Some(824 * 1_024));
        assert_eq!(sum("Rss: 3604 kB\n"), None);
    }
}
