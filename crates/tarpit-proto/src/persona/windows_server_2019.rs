//! Windows Server 2019.

use alloc::string::String;

use super::{Kind, Machine, System};
use crate::base::rng::Seed;

pub(super) static WINDOWS_SERVER_2019: Kind = Kind {
    name: "windows-server-2019",
    machine: Machine::WindowsServer2019,
    system: System::Windows,
    host,
};

/// As the installer names it when nobody does.
fn host(seed: &Seed) -> String {
    const LETTERS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let letter = |byte: &u8| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]);
    ['W', 'I', 'N', '-'].into_iter().chain(seed.0[10..21].iter().map(letter)).collect()
}
