//! The machine that tarpitd imitates: one coherent host over all ports.

mod debian_12;
mod ip_camera;
mod ubuntu_22_04;
mod windows_server_2019;

use alloc::{format, string::String};

use crate::base::rng::{Seed, lasting};

/// The machine that all listeners pretend to be.
#[derive(Clone, Debug)]
pub struct Persona {
    kind: &'static Kind,
    /// The host's name, the same on every port and after every start of one installation.
    host: String,
    /// See [`Persona::number`].
    number: u64,
    /// See [`Persona::look`].
    look: u32,
}

/// A kind of machine.
#[derive(Debug)]
struct Kind {
    name: &'static str,
    machine: Machine,
    system: System,
    /// What a host of this kind is called.
    host: fn(&Seed) -> String,
}

/// Each machine that can be played. What a server says is a match on it in the protocol's own file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// `debian-12`.
    Debian12,
    /// `ip-camera`.
    IpCamera,
    /// `ubuntu-22.04`.
    Ubuntu2204,
    /// `windows-server-2019`.
    WindowsServer2019,
}

/// What a machine runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// A small device with little else than busybox.
    Camera,
    /// A distribution's usual packages.
    Linux,
    /// A server of Microsoft's.
    Windows,
}

/// In the order of their names.
static KINDS: [&Kind; 4] = [
    &debian_12::DEBIAN_12,
    &ip_camera::IP_CAMERA,
    &ubuntu_22_04::UBUNTU_22_04,
    &windows_server_2019::WINDOWS_SERVER_2019,
];

/// What that draw is for, beside the others that are made by the same number.
const LOOK: u64 = 0x6C6F_6F6B;

/// What a server is called by those who have many: its role and a number.
fn linux_host(seed: &Seed) -> String {
    // Plain names of the trade, none of which points at this program.
    const ROLES: [&str; 8] = ["app", "db", "files", "gw", "mail", "node", "srv", "web"];
    let role = ROLES[usize::from(seed.0[0]) % ROLES.len()];
    format!("{role}{:02}", seed.0[1] % 24 + 1)
}

impl Persona {
    /// The persona in force where the user names none.
    pub const DEFAULT: &'static str = "ubuntu-22.04";

    /// The persona called `name`, as the installation with this seed plays it.
    pub fn named(name: &str, seed: &Seed) -> Option<Self> {
        KINDS.into_iter().find(|kind| kind.name == name).map(|kind| Self::played(kind, seed))
    }

    /// The persona called [`Persona::DEFAULT`].
    pub fn default_for(seed: &Seed) -> Self {
        let kind = KINDS.into_iter().find(|kind| kind.name == Self::DEFAULT);
        Self::played(kind.unwrap_or(KINDS[0]), seed)
    }

    fn played(kind: &'static Kind, seed: &Seed) -> Self {
        // Other bytes than the host's, so that neither tells of the other.
        let number = u64::from_le_bytes(core::array::from_fn(|index| seed.0[index + 2]));
        let look = lasting(number, kind.machine as u64, LOOK);
        Self { kind, host: (kind.host)(seed), number, look }
    }

    /// The names of all personas, in alphabetical order.
    pub fn names() -> impl Iterator<Item = &'static str> {
        KINDS.iter().map(|kind| kind.name)
    }

    /// The host's name, such as `web07`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Which machine is played.
    pub fn machine(&self) -> Machine {
        self.kind.machine
    }

    /// What the machine runs on.
    pub fn system(&self) -> System {
        self.kind.system
    }

    /// A number for the small differences between one installation and the next. It is a part of
    /// the seed: what is chosen by it may be seen, and no more.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The same for what is chosen again for each line that is sent: drawn from that number once,
    /// and other for each machine of an installation.
    pub fn look(&self) -> u32 {
        self.look
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_one_name_that_fits_what_it_runs_on() {
        let seed = Seed([7; 32]);
        for (kind, wanted) in [
            ("debian-12", "web08"),
            ("ip-camera", "IPC-0707"),
            ("ubuntu-22.04", "web08"),
            ("windows-server-2019", "WIN-77777777777"),
        ] {
            let persona = Persona::named(kind, &seed).expect("a persona");
            assert_eq!(persona.host(), wanted);
        }
    }

    #[test]
    fn personas_stand_in_alphabetical_order_and_the_default_is_one_of_them() {
        assert!(Persona::names().is_sorted());
        let seed = Seed([1; 32]);
        assert_eq!(Persona::default_for(&seed).kind.name, Persona::DEFAULT);
    }
}
