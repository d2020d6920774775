//! TCP over IPv4 by hand (RFC 791, RFC 9293): as much as a client without a socket needs.

use std::net::SocketAddrV4;

/// A segment without options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Who sends it.
    pub from: SocketAddrV4,
    /// Who is to get it.
    pub to: SocketAddrV4,
    /// The number of its first byte.
    pub sequence: u32,
    /// The number of the byte that is awaited.
    pub acknowledged: u32,
    /// [`FIN`], [`SYN`], [`RST`] and [`ACK`].
    pub flags: u8,
    /// How many bytes it carries.
    pub length: usize,
}

/// The sender will send no more.
pub const FIN: u8 = 1;
/// The first segment.
pub const SYN: u8 = 2;
/// The connection is no more.
pub const RST: u8 = 4;
/// The acknowledgement counts.
pub const ACK: u8 = 16;

const IP_HEADER: usize = 20;
const TCP_HEADER: usize = 20;
const TCP: u8 = 6;

/// What we say that we would take: more than any drip.
const WINDOW: u16 = 60_000;

impl Segment {
    /// What the packet carries; `None` if it is not TCP over IPv4.
    pub fn read(packet: &[u8]) -> Option<Self> {
        let (ip, _) = packet.split_first_chunk::<IP_HEADER>()?;
        let header = usize::from(ip[0] & 15) * 4;
        let total = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
        if ip[0] >> 4 != 4 || ip[9] != TCP || total > packet.len() {
            return None;
        }
        let tcp = packet.get(header..total)?;
        let (fixed, _) = tcp.split_first_chunk::<TCP_HEADER>()?;
        let address = |bytes: &[u8], port: &[u8]| {
            let ip: [u8; 4] = bytes.try_into().ok()?;
            Some(SocketAddrV4::new(ip.into(), u16::from_be_bytes(port.try_into().ok()?)))
        };
        let number = |bytes: &[u8]| Some(u32::from_be_bytes(bytes.try_into().ok()?));
        Some(Self {
            from: address(&ip[12..16], &fixed[..2])?,
            to: address(&ip[16..20], &fixed[2..4])?,
            sequence: number(&fixed[4..8])?,
            acknowledged: number(&fixed[8..12])?,
            flags: fixed[13] & (FIN | SYN | RST | ACK),
            length: tcp.len().checked_sub(usize::from(fixed[12] >> 4) * 4)?,
        })
    }

    /// Puts a packet that carries `payload` in the place of what `packet` holds.
    pub fn write(&self, payload: &[u8], packet: &mut Vec<u8>) {
        let length = TCP_HEADER + payload.len();
        packet.clear();
        packet.extend_from_slice(&[0x45, 0]);
        packet.extend_from_slice(&((IP_HEADER + length) as u16).to_be_bytes());
        // Never in parts, which need no number; a life of 64 hops.
        packet.extend_from_slice(&[0, 0, 0x40, 0, 64, TCP, 0, 0]);
        packet.extend_from_slice(&self.from.ip().octets());
        packet.extend_from_slice(&self.to.ip().octets());
        let sum = checksum(&packet[..], 0);
        packet[10..12].copy_from_slice(&sum);
        packet.extend_from_slice(&self.from.port().to_be_bytes());
        packet.extend_from_slice(&self.to.port().to_be_bytes());
        packet.extend_from_slice(&self.sequence.to_be_bytes());
        packet.extend_from_slice(&self.acknowledged.to_be_bytes());
        packet.extend_from_slice(&[0x50, self.flags]);
        packet.extend_from_slice(&WINDOW.to_be_bytes());
        packet.extend_from_slice(&[0; 4]);
        packet.extend_from_slice(payload);
        // Over the addresses, the protocol and the length as well.
        let pseudo = u32::from(TCP) + length as u32 + words(&packet[12..20]);
        let sum = checksum(&packet[IP_HEADER..], pseudo);
        packet[IP_HEADER + 16..IP_HEADER + 18].copy_from_slice(&sum);
    }
}

/// The sum of 16-bit words.
fn words(bytes: &[u8]) -> u32 {
    bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0)))
        .sum()
}

/// The one's complement of the one's complement sum (RFC 1071).
fn checksum(bytes: &[u8], start: u32) -> [u8; 2] {
    let mut sum = start + words(bytes);
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_sums_to_nothing() {
        let segment = Segment {
            from: "198.19.0.1:10000".parse().unwrap(),
            to: "198.18.0.1:22".parse().unwrap(),
            sequence: 7,
            acknowledged: 0xFFFF_FFF0,
            flags: SYN | ACK,
            length: 5,
        };
        let mut packet = Vec::new();
        segment.write(b"hello", &mut packet);
        assert_eq!(Segment::read(&packet), Some(segment));
        assert_eq!(checksum(&packet[..IP_HEADER], 0), [0, 0]);
        let pseudo = u32::from(TCP) + 25 + words(&packet[12..20]);
        assert_eq!(checksum(&packet[IP_HEADER..], pseudo), [0, 0]);
    }

    #[test]
    fn what_is_no_segment_is_none() {
        for length in 0..60 {
            assert_eq!(Segment::read(&vec![0x45; length]), None);
            assert_eq!(Segment::read(&vec![0; length]), None);
        }
    }
}
