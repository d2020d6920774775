//! What was measured, what it is worth beside the rest of the same run, and the targets.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{ALL, PROCESSES};

/// What is measured of a program.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    /// Seconds until the last of a storm is held.
    AcceptSeconds,
    /// Payload bytes to each client in an hour.
    BytesHour,
    /// CPU milliseconds for each client in an hour.
    CpuHour,
    /// Parts of a core in thousandths, with silent clients.
    IdleCpu,
    /// Voluntary switches in ten seconds with nobody connected.
    IdleWaits,
    /// How late drips of those already held are during a storm, in seconds.
    Late,
    /// Bytes of user memory a client, as many as several processes hold.
    MemoryAll,
    /// Bytes of user memory a client, few clients.
    MemoryFew,
    /// Bytes of user memory a client, all clients.
    MemoryMany,
    /// CPU microseconds a send, few clients.
    SendFew,
    /// CPU microseconds a send, all clients.
    SendMany,
    /// CPU microseconds a send while the metrics are read every second, all clients.
    SendRead,
    /// The same by turns with that, while they are not read.
    SendUnread,
    /// CPU microseconds a send without the receiving half, as many clients as several processes
    /// hold.
    TunAll,
    /// The same, few clients.
    TunFew,
    /// The same, all clients of one process.
    TunMany,
    /// The part of a storm that the less busy of two workers got, in hundredths.
    Share,
}

impl What {
    /// Every kind, in the order of the table.
    const ALL: [Self; 17] = [
        Self::MemoryFew,
        Self::MemoryMany,
        Self::MemoryAll,
        Self::TunFew,
        Self::TunMany,
        Self::TunAll,
        Self::SendFew,
        Self::SendMany,
        Self::SendUnread,
        Self::SendRead,
        Self::CpuHour,
        Self::BytesHour,
        Self::AcceptSeconds,
        Self::Late,
        Self::Share,
        Self::IdleWaits,
        Self::IdleCpu,
    ];

    fn title(self, few: usize, many: usize) -> String {
        match self {
            Self::AcceptSeconds => "accept: seconds until the last of the storm is held".to_owned(),
            Self::BytesHour => "payload bytes a held client-hour".to_owned(),
            Self::CpuHour => "CPU ms a held client-hour".to_owned(),
            Self::IdleCpu => format!("CPU with {few} silent clients, % of a core"),
            Self::IdleWaits => "wake-ups in 10 s with nobody connected".to_owned(),
            Self::Late => "latest drip during the storm, s".to_owned(),
            Self::MemoryAll => format!("user memory a client at {ALL} in {PROCESSES} processes, B"),
            Self::TunAll => {
                format!("CPU us a send at {ALL} in {PROCESSES} processes, sending half")
            }
            Self::TunFew => format!("CPU us a send at {few}, sending half"),
            Self::TunMany => format!("CPU us a send at {many}, sending half"),
            Self::MemoryFew => format!("user memory a client at {few}, B"),
            Self::MemoryMany => format!("user memory a client at {many}, B"),
            Self::SendFew => format!("CPU us a send at {few}"),
            Self::SendMany => format!("CPU us a send at {many}"),
            Self::SendRead => format!("CPU us a send at {many}, metrics read every second"),
            Self::SendUnread => format!("CPU us a send at {many}, metrics not read"),
            Self::Share => "share of the less busy of 2 workers, %".to_owned(),
        }
    }

    fn decimals(self) -> usize {
        match self {
            Self::AcceptSeconds | Self::IdleCpu | Self::Late => 3,
            Self::SendFew
            | Self::SendMany
            | Self::SendRead
            | Self::SendUnread
            | Self::TunFew
            | Self::TunMany
            | Self::TunAll
            | Self::CpuHour => 2,
            _ => 0,
        }
    }
}

/// All samples.
#[derive(Default)]
pub(crate) struct Figures {
    samples: BTreeMap<(What, &'static str), Vec<f64>>,
}

/// A promise and whether it is kept.
struct Target {
    says: String,
    got: Option<f64>,
    most: f64,
}

impl Figures {
    /// Adds a sample.
    pub(crate) fn add(&mut self, what: What, program: &'static str, sample: f64) {
        self.samples.entry((what, program)).or_default().push(sample);
    }

    /// The median, if there is a sample.
    fn median(&self, what: What, program: &str) -> Option<f64> {
        let (_, samples) =
            self.samples.iter().find(|((kind, name), _)| *kind == what && *name == program)?;
        median(samples)
    }

    /// The median of the ratios of two programs, run by run.
    fn ratio(&self, what: What, program: &str, to: &str) -> Option<f64> {
        let of = |name| self.samples.iter().find(|((kind, it), _)| *kind == what && *it == name);
        let ((_, ours), (_, theirs)) = (of(program)?, of(to)?);
        median(&ratios(ours, theirs))
    }

    /// The samples of the one program of which this is measured.
    fn of(&self, what: What) -> Option<&[f64]> {
        let mut samples = self.samples.iter().filter(|((kind, _), _)| *kind == what);
        samples.next().map(|(_, samples)| &**samples)
    }

    /// Everything as Markdown tables, which are read as well on a terminal.
    pub(crate) fn tables(&self, few: usize, many: usize) -> String {
        let mut text = String::from("| figure | program | median | least | most |\n");
        text += "|---|---|---:|---:|---:|\n";
        for what in What::ALL {
            for ((kind, program), samples) in &self.samples {
                if *kind != what {
                    continue;
                }
                let (Some(median), digits) = (median(samples), what.decimals()) else { continue };
                let least = samples.iter().copied().fold(f64::INFINITY, f64::min);
                let most = samples.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                // Writing to a string cannot fail.
                let _ = writeln!(
                    text,
                    "| {} | {program} | {median:.digits$} | {least:.digits$} | {most:.digits$} |",
                    what.title(few, many)
                );
            }
        }
        text += "\n| target | got | at most | |\n|---|---:|---:|---|\n";
        for Target { says, got, most } in self.targets(few, many) {
            let _ = match got {
                Some(got) => {
                    let verdict = if got <= most { "met" } else { "not met" };
                    writeln!(text, "| {says} | {got:.3} | {most} | {verdict} |")
                }
                None => writeln!(text, "| {says} | | {most} | not measured |"),
            };
        }
        text
    }

    fn targets(&self, few: usize, many: usize) -> Vec<Target> {
        let mut targets = Vec::new();
        let mut want = |says: String, got, most| targets.push(Target { says, got, most });
        for (pattern, v6) in [
            ("endless_banner", "endless_banner (IPv6)"),
            ("http_endless_header", "http_endless_header (IPv6)"),
            ("ssh_trans_hold", "ssh_trans_hold (IPv6)"),
        ] {
            for (name, most) in [(pattern, 64.0), (v6, 96.0)] {
                let got = self.median(What::MemoryMany, name);
                want(format!("bytes a client, {name}"), got, most);
            }
        }
        let got = self.ratio(What::TunMany, "tarpitd", "floor");
        want("CPU a send, to a bare send() (sending half)".to_owned(), got, 1.5);
        for to in ["endlessh", "tarssh"] {
            let got = self.ratio(What::SendMany, "tarpitd", to);
            want(format!("CPU a send, to {to} (loopback)"), got, 1.0);
        }
        let read = self
            .of(What::SendRead)
            .zip(self.of(What::SendUnread))
            .and_then(|(read, unread)| median(&ratios(read, unread)));
        want("CPU a send, metrics read every second or not".to_owned(), read, 1.03);
        let ssh = "tarpitd ssh_trans_hold";
        let lines = "tarpitd endlessh";
        let http = "tarpitd http_endless_header";
        for (what, ours, theirs, most) in [
            (What::CpuHour, ssh, "tarpitd.py ssh", 1.0 / 40.0),
            (What::CpuHour, ssh, "endlessh (default)", 1.0),
            (What::CpuHour, lines, "endlessh (default)", 1.0),
            (What::CpuHour, http, "tarpitd.py http", 1.0 / 20.0),
            (What::BytesHour, ssh, "tarpitd.py ssh", 0.25),
            (What::BytesHour, http, "tarpitd.py http", 0.25),
        ] {
            let of = if what == What::CpuHour { "CPU" } else { "bytes" };
            want(
                format!("{of} a client-hour, {ours} to {theirs}"),
                self.ratio(what, ours, theirs),
                most,
            );
        }
        want(format!("seconds to accept {many}"), self.median(What::AcceptSeconds, "tarpitd"), 2.0);
        want("lateness during the storm, s".to_owned(), self.median(What::Late, "tarpitd"), 1.0);
        let unshared = self.median(What::Share, "tarpitd").map(|share| (50.0 - share).abs());
        want("two workers: distance from an equal share, %".to_owned(), unshared, 10.0);
        let growth = |few, many| -> Option<f64> {
            Some(self.median(many, "tarpitd")? / self.median(few, "tarpitd")?)
        };
        for (more, send) in [(many, What::TunMany), (ALL, What::TunAll)] {
            let growth = growth(What::TunFew, send);
            want(format!("CPU a send, {more} to {few} clients (sending half)"), growth, 1.15);
        }
        let memory = self.median(What::MemoryAll, "tarpitd");
        want(format!("bytes a client, {ALL} in {PROCESSES} processes"), memory, 64.0);
        for (more, memory) in [(many, What::MemoryMany), (ALL, What::MemoryAll)] {
            let growth = growth(What::MemoryFew, memory);
            want(format!("bytes a client, {more} to {few} clients"), growth, 1.15);
        }
        want(
            "wake-ups with nobody connected".to_owned(),
            self.median(What::IdleWaits, "idle"),
            0.0,
        );
        want(
            "CPU with silent clients, % of a core".to_owned(),
            self.median(What::IdleCpu, "idle"),
            0.1,
        );
        targets
    }
}

/// The ratios of samples, one by one.
fn ratios(some: &[f64], others: &[f64]) -> Vec<f64> {
    some.iter().zip(others).map(|(one, other)| one / other).collect()
}

fn median(samples: &[f64]) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        count if count % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_run_by_run() {
        let mut figures = Figures::default();
        for (ours, floor) in [(6.0, 3.0), (10.0, 10.0), (4.0, 1.0)] {
            figures.add(What::SendMany, "tarpitd", ours);
            figures.add(What::SendMany, "endlessh", floor);
        }
        assert_eq!(figures.ratio(What::SendMany, "tarpitd", "endlessh"), Some(2.0));
        assert_eq!(figures.median(What::SendMany, "tarpitd"), Some(6.0));
        assert!(
            figures
                .tables(1, 2)
                .contains("CPU a send, to endlessh (loopback) | 2.000 | 1 | not met")
        );
        assert!(figures.tables(1, 2).contains("not measured"));
    }

    #[test]
    fn an_even_number_of_samples_has_its_median_in_between() {
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }
}
