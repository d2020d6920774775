//! The text in which Prometheus reads metrics: the classic format 0.0.4, or OpenMetrics 1.0.0.

use std::fmt::{Display, Write as _};

use hyper::{HeaderMap, header::ACCEPT};

/// A text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Classic,
    OpenMetrics,
}

/// What kind of numbers a family has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    /// The name in both formats.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// OpenMetrics' media type.
const OPEN_METRICS: &str = "application/openmetrics-text";

impl Form {
    /// The form for a client that accepts these: OpenMetrics only where the client likes it as much
    /// as any other.
    pub(super) fn accepted(headers: &HeaderMap) -> Self {
        let ranges = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let ranges = ranges.flat_map(|value| value.split(','));
        let (mut open, mut other) = (0.0_f32, 0.0_f32);
        for range in ranges {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let quality = parts.find_map(|part| part.strip_prefix("q="));
            let quality = quality.and_then(|quality| quality.parse().ok()).unwrap_or(1.0);
            let best = if name.eq_ignore_ascii_case(OPEN_METRICS) { &mut open } else { &mut other };
            *best = best.max(quality);
        }
        if open > 0.0 && open >= other { Self::OpenMetrics } else { Self::Classic }
    }

    /// The media type of an answer in this form.
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// A part of a page of metrics.
#[derive(Debug)]
pub(super) struct Page {
    form: Form,
    text: String,
}

impl Page {
    pub(super) fn new(form: Form) -> Self {
        Self { form, text: String::new() }
    }

    /// Begins a family.
    pub(super) fn family(&mut self, name: &str, kind: Kind, help: &str) {
        // OpenMetrics names the family of counters without the end of its samples.
        let name = match (self.form, kind) {
            (Form::OpenMetrics, Kind::Counter) => name.strip_suffix("_total").unwrap_or(name),
            _ => name,
        };
        let kind = kind.name();
        // Writing to a string cannot fail.
        let _ = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    /// Adds a sample.
    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.text.push_str(name);
        for (index, (label, value)) in labels.iter().enumerate() {
            let start = if index == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{start}{label}=\"");
            escape(&mut self.text, value);
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }

    /// Ends a page of OpenMetrics; the classic format has no end.
    pub(super) fn end(&mut self) {
        if self.form == Form::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
    }

    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}

/// Appends a label's value; both formats escape alike.
fn escape(text: &mut String, value: &str) {
    for letter in value.chars() {
        match letter {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            letter => text.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn open_metrics_is_for_those_who_like_it_as_much_as_anything() {
        let form = |accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            Form::accepted(&headers)
        };
        assert_eq!(Form::accepted(&HeaderMap::new()), Form::Classic);
        for (accept, wanted) in [
            ("*/*", Form::Classic),
            ("text/plain", Form::Classic),
            ("application/openmetrics-text", Form::OpenMetrics),
            // Prometheus 2 and 3.
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;\
                 version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                Form::OpenMetrics,
            ),
            ("text/plain;version=0.0.4;q=0.5,application/openmetrics-text;q=0.4", Form::Classic),
            ("application/openmetrics-text;q=0", Form::Classic),
            ("text/plain;q=0.3, Application/OpenMetrics-Text; q=0.6", Form::OpenMetrics),
        ] {
            assert_eq!(form(accept), wanted, "{accept}");
        }
    }

    #[test]
    fn the_forms_differ_in_the_name_of_counters_and_in_the_end() {
        let text = |form| {
            let mut page = Page::new(form);
            page.family("a_total", Kind::Counter, "Some.");
            page.sample("a_total", &[("x", "1\\\n\"2"), ("y", "")], 7);
            page.family("b", Kind::Gauge, "Others.");
            page.sample("b", &[], 0.5);
            page.end();
            page.into_text()
        };
        let wanted = "# HELP a_total Some.\n# TYPE a_total counter\n\
                      a_total{x=\"1\\\\\\n\\\"2\",y=\"\"} 7\n\
                      # HELP b Others.\n# TYPE b gauge\nb 0.5\n";
        assert_eq!(text(Form::Classic), wanted);
        let open = wanted.replace("HELP a_total", "HELP a").replace("TYPE a_total", "TYPE a");
        assert_eq!(text(Form::OpenMetrics), open + "# EOF\n");
    }
}
