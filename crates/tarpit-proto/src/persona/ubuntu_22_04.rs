//! Ubuntu 22.04 as a server, with its usual packages.

use super::{Kind, Machine, System, linux_host};

pub(super) static UBUNTU_22_04: Kind = Kind {
    name: "ubuntu-22.04",
    machine: Machine::Ubuntu2204,
    system: System::Linux,
    host: linux_host,
};
