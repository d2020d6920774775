//! The time of a trace in equal parts, as many as a picture has room for.

use super::{
    moment::Moment,
    summary::{Amount, Span, Summary},
    words::{day, minute},
};

/// The parts, without gaps.
pub(super) struct Parts {
    /// What they are, for a heading: `By hour (UTC)`.
    pub(super) title: String,
    pub(super) unit: Unit,
    pub(super) spans: Vec<Span>,
}

/// Of what a part is a multiple.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Day,
    Hour,
}

impl Parts {
    /// At most `most` parts, if the trace has at least two hours. Up to `hours` hours are shown as
    /// hours, more as days.
    pub(super) fn of(summary: &Summary, most: usize, hours: usize) -> Option<Self> {
        let (spans, unit) = if summary.hours.len() > hours {
            (&summary.days, Unit::Day)
        } else {
            (&summary.hours, Unit::Hour)
        };
        if spans.len() < 2 {
            return None;
        }
        let group = spans.len().div_ceil(most);
        let name = unit.name();
        let title = match group {
            1 => format!("By {name} (UTC)"),
            _ => format!("By {group} {name}s (UTC)"),
        };
        let spans = spans.chunks(group).filter_map(sum).collect();
        Some(Self { title, unit, spans })
    }

    /// The first of the largest parts.
    pub(super) fn largest(&self, size: impl Fn(&Amount) -> f64) -> Option<&Span> {
        self.spans.iter().rev().max_by(|a, b| size(&a.amount).total_cmp(&size(&b.amount)))
    }
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Hour => "hour",
        }
    }

    /// What a part that begins then is called.
    pub(super) fn label(self, from: Moment) -> String {
        match self {
            Self::Day => day(from),
            Self::Hour => minute(from),
        }
    }
}

fn sum(spans: &[Span]) -> Option<Span> {
    let mut sum = *spans.first()?;
    for span in &spans[1..] {
        sum.amount.add(span.amount);
    }
    Some(sum)
}
