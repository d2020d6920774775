//! The hand-over to a new program: no client is lost, and none notices.
//!
//! ```text
//!   old daemon                         new program
//!      │  ◄── POST /v1/hand-over ───────── │   over the control socket
//!      │  101; the workers pause           │
//!      │  ── state, streams, sockets ────► │
//!      │  ── listeners, clients, each ───► │   with their open files
//!      │  ── all told ───────────────────► │   opens whatever else it needs
//!      │  ◄───────────────────── ready ─── │
//!      │  ── serve ──────────────────────► │   holds the clients, listens
//!      │  ◄─────────────────── serving ─── │
//!      │  ── clients, each ──────────────► │   whose TLS handshake is done by now
//!      │  ── signals ────────────────────► │   as they come, from `serve` on
//!      │  ── all that it has counted ────► │   as some of these may have gone
//!      │  ends without a close line        │
//! ```
//! The old daemon keeps all it has until the new one serves. If anything fails before, the
//! connection ends, the new program does too, and the old daemon goes on where it paused. Only one
//! of them ever serves: the new one touches no client before `serve`, and after `serve` the old one
//! goes on only if the new one has ended or refuses.
//!
//! Signals take effect in the one that serves in the end. Until `serve` INT and TERM break the
//! hand-over off, and the old daemon ends as always, with a `close` line for each client; others wait
//! until the hand-over has failed. After `serve` the old one passes all of them on: the new program
//! ends, reloads or reopens its files in its place. INT and TERM then let the old one hand on all
//! clients at once.

mod channel;
pub(super) mod format;
pub(super) mod give;
pub(super) mod store;
pub(super) mod take;

use std::time::Duration;

/// The bound on everything that one side waits for from the other. Twenty thousand clients take
/// about a second.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long clients whose TLS handshake is under way stay with the old daemon. Those that are left
/// then are held in silence.
const HANDSHAKES: Duration = Duration::from_secs(60);

/// How often the old daemon looks whether such a handshake is done, and whether a signal has come.
const LOOK: Duration = Duration::from_millis(50);

/// How long the new program may take from `serve` until it serves. That is longer than `tarpitd
/// upgrade` waits before it kills the new program, whose end lets the old daemon go on. A program that
/// is there after that has the clients all the same.
const SERVING: Duration = Duration::from_secs(150);

/// How long the old daemon may take to answer: long enough for a reload that is under way.
const ANSWER: Duration = Duration::from_secs(30);
