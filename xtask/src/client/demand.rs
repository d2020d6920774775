//! What is demanded of a client's stay, and whether it was so.

use std::time::Duration;

use crate::base::clock::seconds;
use crate::client::dialect::Dialect;
use crate::client::span::Span;
use crate::running::job::{Ending, Stay};
use crate::running::trace::Seen;

/// One thing that a row demands.
#[derive(Clone, Copy)]
pub(crate) enum Demand {
    /// The most connections over all its stay, so that reconnecting costs it more than us.
    ConnectionsAtMost(u64),
    /// Each of its connections on which it says something takes so long, as their mean is.
    Connection { each: Duration },
    /// It tells its user of this service, once it has come to its end.
    Names(&'static str),
    /// It goes on to the end of its list instead of giving up on us.
    NotAborted,
    /// It never believes that it got what it wanted.
    NoSuccess,
    /// Each of what it tries takes so long, for each that it has under way at a time.
    Pace { each: Duration, unit: &'static str },
    /// It stays as long as we watch: nothing that we know of makes it leave.
    Stays,
    /// It stays so long, and then ends by a limit of its own, whatever it is told.
    StaysUntil { limit: Duration, why: &'static str },
}

/// What is known of a client's stay when it is over.
pub(crate) struct Evidence<'a> {
    /// For how long it was watched.
    pub(crate) span: Span,
    /// How long it stayed.
    pub(crate) stay: &'a Stay,
    /// What its tarpit saw.
    pub(crate) seen: &'a Seen,
    /// How to read what it printed.
    pub(crate) dialect: Dialect,
    /// What it printed.
    pub(crate) output: &'a str,
}

/// It stays, and that is all.
pub(crate) const STAYS: &[Demand] = &[Demand::Stays];

/// It stays, and never takes us for a server that let it in.
pub(crate) const STAYS_UNSERVED: &[Demand] = &[Demand::Stays, Demand::NoSuccess];

impl Demand {
    /// A guesser; each guess costs it this many seconds.
    pub(crate) const fn guess(seconds: u64) -> Self {
        Self::Pace { each: Duration::from_secs(seconds), unit: "guess" }
    }

    /// A client that leaves when it has its answer, and so comes back; in milliseconds.
    pub(crate) const fn connection(millis: u64) -> Self {
        Self::Connection { each: Duration::from_millis(millis) }
    }

    /// A client with a limit of its own.
    pub(crate) const fn until(seconds: u64, why: &'static str) -> Self {
        Self::StaysUntil { limit: Duration::from_secs(seconds), why }
    }

    /// The demand as the table says it, for a span of that length.
    pub(crate) fn wanted(&self, span: Span) -> String {
        match *self {
            Self::ConnectionsAtMost(most) => format!("{most} connections at most"),
            Self::Connection { each } => format!("{} s a connection", seconds(each)),
            Self::Names(service) => format!("names {service}"),
            Self::NotAborted => "not aborted".to_owned(),
            Self::NoSuccess => "no success".to_owned(),
            Self::Pace { each, unit } => format!("{} s a {unit}", each.as_secs()),
            Self::Stays => format!("{} s", span.wanted.as_secs()),
            Self::StaysUntil { limit, .. } => {
                let own = if limit <= span.wanted { " (its own limit)" } else { "" };
                format!("{} s{own}", limit.min(span.wanted).as_secs())
            }
        }
    }

    /// What is wrong with the stay by this demand; None when nothing is.
    pub(crate) fn broken(&self, evidence: &Evidence<'_>) -> Option<String> {
        let &Evidence { span, stay, seen, dialect, output } = evidence;
        match *self {
            Self::ConnectionsAtMost(most) => {
                let made = seen.connections;
                (made > most).then(|| format!("{made} connections"))
            }
            Self::Connection { each } => {
                let stood = standing(evidence);
                (stood < each).then(|| format!("{} s a connection", seconds(stood)))
            }
            Self::Names(service) => {
                let is_silent = !stay.is_capped() && !output.contains(service);
                is_silent.then(|| format!("does not name {service}"))
            }
            Self::NotAborted => {
                dialect.abort(output, &stay.ending).map(|line| format!("aborted: {line}"))
            }
            Self::NoSuccess => {
                dialect.success(output, &stay.ending).map(|line| format!("success: {line}"))
            }
            Self::Pace { each, unit } => match pace(evidence) {
                Pace::Of(pace) if pace >= each => None,
                Pace::Of(pace) => Some(format!("{} s a {unit}", seconds(pace))),
                Pace::NoneDone if stay.held >= each && stay.is_capped() => None,
                Pace::NoneDone => Some(format!("left without a {unit}")),
                Pace::Unknown => Some(format!("does not tell of any {unit}")),
            },
            Self::Stays => left_before(stay, span.wanted),
            Self::StaysUntil { limit, .. } => left_before(stay, limit.min(span.wanted)),
        }
    }
}

/// How long each guess took.
pub(crate) enum Pace {
    /// The mean.
    Of(Duration),
    /// It has begun, and none was answered.
    NoneDone,
    /// It does not tell.
    Unknown,
}

/// How long each guess or word took, for each that was under way at a time.
pub(crate) fn pace(evidence: &Evidence<'_>) -> Pace {
    match evidence.dialect.progress(evidence.output, &evidence.stay.ending) {
        None => Pace::Unknown,
        Some(progress) if progress.done == 0 => Pace::NoneDone,
        Some(progress) => {
            // A list that is shorter than what the tool may have under way is tried in one round.
            let at_once = progress.at_once.min(progress.done);
            Pace::Of(evidence.stay.held * at_once / progress.done)
        }
    }
}

/// How long each connection on which the client said something stood, as their mean.
pub(crate) fn standing(evidence: &Evidence<'_>) -> Duration {
    let &Evidence { stay, seen, .. } = evidence;
    // One that we have cut, as the last one is where we watch no longer, is none.
    let (cut, count) = match seen.shortest {
        Some(shortest) if stay.is_capped() && seen.spoke > 1 => (shortest, 1),
        _ => (Duration::ZERO, 0),
    };
    let count = u32::try_from(seen.spoke - count).unwrap_or(u32::MAX).max(1);
    seen.stood.saturating_sub(cut) / count
}

fn left_before(stay: &Stay, wanted: Duration) -> Option<String> {
    match &stay.ending {
        Ending::Left(status) if stay.held < wanted => Some(format!("left with {status}")),
        Ending::Left(_) | Ending::Capped => None,
    }
}

#[cfg(test)]
mod tests {
    use std::process::ExitStatus;

    use super::*;

    fn broken(demand: Demand, held: u64, ending: Ending, output: &str) -> Option<String> {
        let stay = Stay { held: Duration::from_secs(held), ending };
        let seen = Seen {
            connections: 7,
            sent: 100,
            spoke: 6,
            stood: Duration::from_secs(24),
            shortest: None,
        };
        let dialect = Dialect::Medusa;
        let span = Span::FULL;
        demand.broken(&Evidence { span, stay: &stay, seen: &seen, dialect, output })
    }

    fn left() -> Ending {
        Ending::Left(ExitStatus::default())
    }

    #[test]
    fn a_client_with_a_limit_of_its_own_is_never_wanted_beyond_it() {
        let own = Demand::StaysUntil { limit: Duration::from_secs(24), why: "" };
        assert!(broken(own, 25, left(), "").is_none());
        assert!(broken(own, 23, left(), "").is_some());
        assert_eq!(own.wanted(Span::FULL), "24 s (its own limit)");
        assert!(broken(Demand::Stays, 25, left(), "").is_some());
        assert!(broken(Demand::Stays, 25, Ending::Capped, "").is_none());
    }

    #[test]
    fn connections_beyond_the_most_are_too_many() {
        assert!(broken(Demand::ConnectionsAtMost(7), 1, left(), "").is_none());
        assert!(broken(Demand::ConnectionsAtMost(6), 1, left(), "").is_some());
    }

    #[test]
    fn connections_that_say_something_have_to_stand_so_long() {
        assert!(broken(Demand::connection(4_000), 1, left(), "").is_none());
        let told = broken(Demand::connection(4_100), 1, left(), "");
        assert_eq!(told.unwrap(), "4.0 s a connection");
    }

    #[test]
    fn who_has_come_to_its_end_has_to_name_the_service() {
        let names = Demand::Names("Exim smtpd");
        assert!(broken(names, 1, left(), "25/tcp open smtp Exim smtpd 4.96").is_none());
        assert!(broken(names, 1, left(), "25/tcp open smtp").is_some());
        assert!(broken(names, 1, Ending::Capped, "").is_none());
    }

    #[test]
    fn a_pace_is_the_time_for_each_guess_that_was_answered() {
        let pace = Demand::Pace { each: Duration::from_secs(9), unit: "guess" };
        let two = "ACCOUNT CHECK: a\nACCOUNT CHECK: b\n";
        assert!(broken(pace, 18, left(), two).is_none());
        assert_eq!(broken(pace, 17, left(), two).unwrap(), "8.5 s a guess");
        // Nothing answered while we watched is as slow as can be; a departure is not.
        assert!(broken(pace, 18, Ending::Capped, "").is_none());
        assert!(broken(pace, 18, left(), "").is_some());
    }
}
