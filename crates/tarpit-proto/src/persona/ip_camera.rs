//! A camera with a network socket, some years old.

use alloc::{format, string::String};

use super::{Kind, Machine, System};
use crate::base::rng::Seed;

pub(super) static IP_CAMERA: Kind =
    Kind { name: "ip-camera", machine: Machine::IpCamera, system: System::Camera, host };

/// As its maker names it: by the last bytes of its network card's address.
fn host(seed: &Seed) -> String {
    format!("IPC-{:02X}{:02X}", seed.0[0], seed.0[1])
}
