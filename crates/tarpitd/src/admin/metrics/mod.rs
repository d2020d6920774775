//! The surface for Prometheus and for those who ask whether the daemon is well.

use hyper::StatusCode;

use super::{
    answer::{Answer, JSON, TEXT, pieces, whole},
    world::World,
};
use crate::worker::Command;

/// The media type of Prometheus' text format.
const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics.
pub(super) fn scrape(world: &World) -> Answer {
    let version = env!("CARGO_PKG_VERSION");
    let (wall, since) = (world.clock.wall(), world.clock.since_start());
    let start = wall.saturating_sub(since).as_secs_f64();
    let lost = world.trace.lost();
    let families = [
        format!("# TYPE tarpitd_build_info gauge\ntarpitd_build_info{{version=\"{version}\"}} 1\n"),
        format!("# TYPE tarpitd_start_time_seconds gauge\ntarpitd_start_time_seconds {start:.3}\n"),
        format!(
            "# TYPE tarpitd_trace_lines_lost_total counter\ntarpitd_trace_lines_lost_total {lost}\n"
        ),
    ];
    let mut families = families.into_iter();
    pieces(CLASSIC, move || families.next().map(Into::into))
}

/// That the process answers, and since when it serves.
pub(super) fn health(world: &World) -> Answer {
    let uptime = world.clock.since_start().as_secs();
    whole(StatusCode::OK, JSON, format!("{{\"status\":\"ok\",\"uptime\":{uptime}}}\n"))
}

/// Whether every worker's loop turns.
pub(super) async fn ready(world: &World) -> Answer {
    match world.ask_all(Command::Answer).await {
        Some(_) => whole(StatusCode::OK, TEXT, "ready\n"),
        None => whole(StatusCode::SERVICE_UNAVAILABLE, TEXT, "a worker does not answer\n"),
    }
}
