//! An event as endlessh 1.1 writes it: a line when a client comes, and one when it goes.
//!
//! endlessh has no words for anything else, so other events have no line.

use std::io::Write as _;

use super::{Event, Happening, Kind, Seat};
use crate::report::timestamp::Timestamp;

/// Whether events of this kind have a line.
pub(super) fn has(kind: Kind) -> bool {
    matches!(kind, Kind::Close | Kind::Open)
}

/// Appends the event's line to `out`, if it has one.
pub(super) fn write(out: &mut Vec<u8>, event: &Event<'_>) {
    let now = Timestamp(event.wall);
    // An IPv4 address never stands as `::ffff:192.0.2.7` here, although endlessh writes it so where
    // it listens for both families: T-Pot's pattern takes no other than the plain form.
    let (host, port) = (event.subject.client.ip(), event.subject.client.port());
    // Writing to memory cannot fail.
    let _ = match event.what {
        Happening::Open(Seat { fd, held, most }, _) => {
            writeln!(out, "{now} ACCEPT host={host} port={port} fd={fd} n={held}/{most}")
        }
        Happening::Close { fd, held, sent, .. } => {
            let (seconds, millis) = (held.as_secs(), held.subsec_millis());
            writeln!(
                out,
                "{now} CLOSE host={host} port={port} fd={fd} time={seconds}.{millis:03} bytes={sent}"
            )
        }
        _ => Ok(()),
    };
}
