//! Times, sizes and numbers as people read them, on terminals, on the page and in reports. The page's
//! own program, `admin/page/page.js`, writes them in the same way.

/// With a comma between thousands.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The units of time, with their seconds.
const TIMES: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];

/// Whole seconds in the two largest units: `412 d 3 h`, `4 min 12 s`.
pub(crate) fn span(seconds: u64) -> String {
    let first = TIMES.iter().position(|(_, length)| seconds >= *length).unwrap_or(3);
    let (unit, length) = TIMES[first];
    let rest = TIMES.get(first + 1).map(|(unit, next)| (unit, seconds % length / next));
    match rest {
        Some((smaller, rest)) if rest > 0 && seconds < 1_000 * length => {
            format!("{} {unit} {rest} {smaller}", count(seconds / length))
        }
        _ => format!("{} {unit}", count(seconds / length)),
    }
}

/// The same of parts of seconds, too: `0.35 s`.
pub(crate) fn duration(seconds: f64) -> String {
    match seconds {
        0.0 => "0 s".to_owned(),
        _ if seconds < 0.000_95 => format!("{:.0} us", seconds * 1e6),
        _ if seconds < 0.95 => format!("{:.0} ms", seconds * 1e3),
        _ if seconds < 9.95 => format!("{seconds:.1} s"),
        #[expect(clippy::cast_sign_loss, reason = "at least 9.95")]
        _ => span(seconds.round() as u64),
    }
}

/// The same for a column: `42s`, `5m07s`, `3h20m`, `12d4h`.
pub(crate) fn short_span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{:02}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d{}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// In one unit, for a headline: `412 days`, `0.4 hours`.
pub(crate) fn in_words(seconds: f64) -> String {
    let (number, unit) = match seconds {
        _ if seconds >= 86_400.0 => (seconds / 86_400.0, "day"),
        _ if seconds >= 360.0 => (seconds / 3_600.0, "hour"),
        _ if seconds >= 60.0 => (seconds / 60.0, "minute"),
        _ => (seconds, "second"),
    };
    #[expect(clippy::cast_sign_loss, reason = "never negative")]
    let digits = match number {
        _ if number >= 99.95 => count(number.round() as u64),
        _ if number >= 0.095 || number == 0.0 => format!("{number:.1}"),
        _ => format!("{number:.3}"),
    };
    let digits = digits.strip_suffix(".0").unwrap_or(&digits);
    format!("{digits} {unit}{}", if digits == "1" { "" } else { "s" })
}

/// In powers of 1000.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if number < 1_000 {
        return format!("{number} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let (mut rest, mut unit) = (number as f64 / 1_000.0, 0);
    while rest >= 999.5 && unit + 1 < UNITS.len() {
        rest /= 1_000.0;
        unit += 1;
    }
    let decimals = usize::from(rest < 99.5);
    format!("{rest:.decimals$} {}", UNITS[unit])
}

/// The same for a column: `9999B`, `12MB`.
pub(crate) fn short_bytes(number: u64) -> String {
    match number {
        0..10_000 => format!("{number}B"),
        10_000..10_000_000 => format!("{}kB", number / 1_000),
        10_000_000..10_000_000_000 => format!("{}MB", number / 1_000_000),
        _ => format!("{}GB", number / 1_000_000_000),
    }
}

/// `part` of `whole`, in percent.
pub(crate) fn percent(part: f64, whole: f64) -> String {
    let percent = if whole > 0.0 { 100.0 * part / whole } else { 0.0 };
    match percent {
        0.0 => "0%".to_owned(),
        _ if percent < 0.095 => "<0.1%".to_owned(),
        _ if percent < 9.95 => format!("{percent:.1}%"),
        _ => format!("{percent:.0}%"),
    }
}

/// A number and what it counts, such as `1 client` or `2 clients`.
pub(crate) fn plural(number: u64, one: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {one}{s}", count(number))
}

/// What a client sent, harmless on a terminal: control characters, and those that turn the direction
/// of writing, are written as escapes.
pub(crate) fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        // `escape_debug` knows what is not printed; it also escapes quotes, which are.
        if matches!(c, '\'' | '"' | '\\') { out.push(c) } else { out.extend(c.escape_debug()) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        for (number, wanted) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")]
        {
            assert_eq!(count(number), wanted);
        }
        for (seconds, wanted) in [
            (0.0, "0 s"),
            (0.000_25, "250 us"),
            (0.25, "250 ms"),
            (1.5, "1.5 s"),
            (59.6, "1 min"),
            (252.0, "4 min 12 s"),
            (3_600.0, "1 h"),
            (90_000.0, "1 d 1 h"),
            (35_607_600.0, "412 d 3 h"),
            (864_000_000.0, "10,000 d"),
        ] {
            assert_eq!(duration(seconds), wanted);
        }
        for (seconds, wanted) in [
            (35_607_600.0, "412 days"),
            (1_440.0, "0.4 hours"),
            (86_400.0, "1 day"),
            (12.34, "12.3 seconds"),
            (0.012, "0.012 seconds"),
            (0.0, "0 seconds"),
        ] {
            assert_eq!(in_words(seconds), wanted);
        }
        for (number, wanted) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (999_999, "1.0 MB"),
            (120_000_000, "120 MB"),
        ] {
            assert_eq!(bytes(number), wanted);
        }
        for (part, wanted) in [(0.0, "0%"), (0.01, "<0.1%"), (2.55, "2.5%"), (42.4, "42%")] {
            assert_eq!(percent(part, 100.0), wanted);
        }
        assert_eq!(
            (plural(1, "client"), plural(2, "client")),
            ("1 client".into(), "2 clients".into())
        );
    }

    #[test]
    fn columns_are_narrow() {
        let spans = [0, 59, 307, 12_000, 1_050_000].map(short_span);
        assert_eq!(spans, ["0s", "59s", "5m07s", "3h20m", "12d3h"]);
        let sizes = [9_999, 10_000, 12_345_678, 99_000_000_000].map(short_bytes);
        assert_eq!(sizes, ["9999B", "10kB", "12MB", "99GB"]);
    }

    #[test]
    fn nothing_moves_a_cursor() {
        assert_eq!(
            harmless("it's \"ö\"\\n \u{1b}[2J\u{202e}\n"),
            "it's \"ö\"\\n \\u{1b}[2J\\u{202e}\\n"
        );
    }
}
