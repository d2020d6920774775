//! Numbers as people read them.

/// With a comma between thousands.
pub(super) fn count(number: u64) -> String {
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

/// The two largest units: `412 d 3 h`, `4 min 12 s`, `0.35 s`.
pub(super) fn duration(seconds: f64) -> String {
    if seconds < 9.95 {
        return match seconds {
            0.0 => "0 s".to_owned(),
            _ if seconds < 0.000_95 => format!("{:.0} us", seconds * 1e6),
            _ if seconds < 0.95 => format!("{:.0} ms", seconds * 1e3),
            _ => format!("{seconds:.1} s"),
        };
    }
    #[expect(clippy::cast_sign_loss, reason = "at least 9.95")]
    let whole = seconds.round() as u64;
    let units = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];
    let first = units.iter().position(|(_, length)| whole >= *length).unwrap_or(3);
    let (unit, length) = units[first];
    let rest = units.get(first + 1).map(|(unit, next)| (unit, whole % length / next));
    match rest {
        Some((smaller, rest)) if rest > 0 && whole < 1_000 * length => {
            format!("{} {unit} {rest} {smaller}", count(whole / length))
        }
        _ => format!("{} {unit}", count(whole / length)),
    }
}

/// In one unit, for a headline: `412 days`, `0.4 hours`.
pub(super) fn in_words(seconds: f64) -> String {
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
pub(super) fn bytes(number: u64) -> String {
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

/// `part` of `whole`, in percent.
pub(super) fn percent(part: f64, whole: f64) -> String {
    let percent = if whole > 0.0 { 100.0 * part / whole } else { 0.0 };
    match percent {
        0.0 => "0%".to_owned(),
        _ if percent < 0.095 => "<0.1%".to_owned(),
        _ if percent < 9.95 => format!("{percent:.1}%"),
        _ => format!("{percent:.0}%"),
    }
}

/// The two words of a name that stands for one or for many.
pub(super) fn plural(number: u64, one: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {one}{s}", count(number))
}

/// What a client sent, harmless on a terminal: control characters, and those that turn the direction
/// of writing, are written as escapes.
pub(super) fn harmless(text: &str) -> String {
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
    fn nothing_moves_a_cursor() {
        assert_eq!(
            harmless("it's \"ö\"\\n \u{1b}[2J\u{202e}\n"),
            "it's \"ö\"\\n \\u{1b}[2J\\u{202e}\\n"
        );
    }
}
