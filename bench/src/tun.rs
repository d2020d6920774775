//! A TUN device: packets that a machine sends there are read from a file, and what is written to it
//! the machine receives.

use std::{fs::File, io};

use rustix::{
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    ioctl::{Setter, ioctl, opcode},
};

/// The kernel's `struct ifreq`, as far as this call reads it.
#[repr(C)]
struct Request {
    name: [u8; 16],
    flags: u16,
    rest: [u8; 22],
}

/// IP packets, without a header of the device's own.
const PACKETS_ONLY: u16 = 0x0001 | 0x1000;

/// `TUNSETIFF`.
const SET: rustix::ioctl::Opcode = opcode::write::<i32>(b'T', 202);

/// Makes the device called `name`, or takes it over; what is read from it never waits.
pub fn open(name: &str) -> io::Result<File> {
    let file = File::options().read(true).write(true).open("/dev/net/tun")?;
    let mut request = Request { name: [0; 16], flags: PACKETS_ONLY, rest: [0; 22] };
    // One byte at least must stay zero.
    let longest = request.name.len() - 1;
    for (to, from) in request.name[..longest].iter_mut().zip(name.bytes()) {
        *to = from;
    }
    // SAFETY: the call reads a `struct ifreq`, which has 40 bytes, and keeps no reference to it.
    #[expect(unsafe_code, reason = "no crate at hand offers this call")]
    unsafe {
        ioctl(&file, Setter::<SET, Request>::new(request))?;
    }
    fcntl_setfl(&file, fcntl_getfl(&file)? | OFlags::NONBLOCK)?;
    Ok(file)
}

const _: () = assert!(size_of::<Request>() == 40);
