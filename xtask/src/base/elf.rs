//! Whether an executable needs a dynamic loader, by its program headers (elf(5)).

use anyhow::{Context, Result, ensure};

/// True when no program header asks for an interpreter, which alone could load a shared library.
///
/// A static program that can be placed anywhere (static-pie) still has a dynamic section, for its
/// own relocations: that section says nothing.
pub(crate) fn is_static(file: &[u8]) -> Result<bool> {
    const INTERPRETER: u32 = 3;

    ensure!(file.starts_with(b"\x7fELF"), "it is no ELF file");
    // The header's bytes 4 and 5: 64-bit addresses, least significant byte first.
    ensure!(file.get(4..6) == Some(&[2, 1]), "it is not for a 64-bit little-endian machine");
    let table = usize::try_from(u64::from_le_bytes(bytes(file, 32)?)).context("no such address")?;
    let size = usize::from(u16::from_le_bytes(bytes(file, 54)?));
    let count = usize::from(u16::from_le_bytes(bytes(file, 56)?));
    ensure!(count > 0, "it has no program headers");
    for index in 0..count {
        if u32::from_le_bytes(bytes(file, table.saturating_add(index * size))?) == INTERPRETER {
            return Ok(false);
        }
    }
    Ok(true)
}

fn bytes<const N: usize>(file: &[u8], at: usize) -> Result<[u8; N]> {
    file.get(at..)
        .and_then(<[u8]>::first_chunk)
        .copied()
        .with_context(|| format!("it ends before byte {at}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of two program headers: a load segment and one of `kind`.
    fn file(kind: u8) -> Vec<u8> {
        let mut file = vec![0; 64 + 2 * 56];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[32] = 64;
        file[54] = 56;
        file[56] = 2;
        file[64] = 1;
        file[64 + 56] = kind;
        file
    }

    #[test]
    fn a_program_with_an_interpreter_is_not_static() {
        assert!(!is_static(&file(3)).unwrap());
    }

    #[test]
    fn a_program_with_only_a_dynamic_section_is_static() {
        assert!(is_static(&file(2)).unwrap());
    }

    #[test]
    fn a_file_that_is_cut_is_an_error() {
        assert!(is_static(&file(2)[..100]).is_err());
        assert!(is_static(b"#!/bin/sh").is_err());
    }

    #[test]
    fn these_tests_themselves_need_a_loader_unless_built_without_one() {
        let file = std::fs::read("/proc/self/exe").unwrap();
        assert_eq!(is_static(&file).unwrap(), cfg!(target_feature = "crt-static"));
    }
}
