//! Rules for all clients of a worker: its share of the limits, and how the trace is written.

use std::{
    num::{NonZeroU32, NonZeroU64},
    sync::Arc,
};

use tarpit_proto::handshake_budget::HandshakeBudget;

use super::served::Served;
use crate::{
    admit::{access::Access, load::Bounds},
    report::trace::{Form, Style},
    settings::{Limits, Logging, Sink, TraceFormat},
    worker::Rules,
};

/// The rules of each of this many workers.
pub(super) fn rules(served: &Served, workers: usize) -> Rules {
    let Served { settings, anonymizer, geoip, .. } = served;
    let Limits { egress, egress_per_day, handshakes_per_second, cpu, evict, .. } = &settings.limits;
    let handshakes = handshakes_per_second.map_or(0, |all| all.get().div_ceil(workers as u32));
    let lines = settings.logging.trace_per_second.map(Into::into);
    let is_shown = settings.control.socket.is_some() || !settings.web.bind.is_empty();
    let observes = is_shown.then_some(workers);
    Rules {
        observes,
        access: Arc::new(Access::new(settings.access.clone())),
        evict: *evict,
        bounds: Bounds {
            egress: divide(egress.value, workers as u64),
            egress_per_day: divide(egress_per_day.value, workers as u64),
            handshakes,
            handshakes_under_way: HandshakeBudget::MOST_UNDER_WAY / workers as u32,
            cpu: cpu.map_or(0, NonZeroU32::get),
        },
        style: Style {
            discretion: settings.logging.discretion(),
            form: form(&settings.logging),
            anonymizer: *anonymizer,
        },
        trace_per_second: NonZeroU32::new(divide(lines, workers as u64) as u32),
        geoip: geoip.clone(),
        busiest: settings.metrics.busiest(),
    }
}

/// Who reads the trace: people, if it goes to a terminal and nobody asks for a format.
fn form(logging: &Logging) -> Form {
    let watched = match *logging.client_trace {
        Sink::File(_) => false,
        Sink::Stderr => rustix::termios::isatty(rustix::stdio::stderr()),
        Sink::Stdout => rustix::termios::isatty(rustix::stdio::stdout()),
    };
    if watched && !logging.json && logging.format.place.is_none() {
        return Form::People;
    }
    match *logging.format {
        TraceFormat::Cowrie => Form::Cowrie,
        TraceFormat::Ecs => Form::Ecs,
        TraceFormat::Endlessh => Form::Endlessh,
        TraceFormat::Jsonl => Form::Json(*logging.time),
    }
}

/// A worker's share of a budget; 0 is none, and a share is never none.
fn divide(budget: Option<NonZeroU64>, workers: u64) -> u64 {
    budget.map_or(0, |all| all.get().div_ceil(workers))
}
