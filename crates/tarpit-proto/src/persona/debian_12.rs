//! Debian 12 as a server, with its usual packages.

use super::{Kind, Machine, System, linux_host};

pub(super) static DEBIAN_12: Kind =
    Kind { name: "debian-12", machine: Machine::Debian12, system: System::Linux, host: linux_host };
