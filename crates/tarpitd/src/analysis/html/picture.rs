//! The pictures, as SVG. Widths are in percent, heights in pixels: so a picture has the width of its
//! place, and its letters have one size on every screen.

use super::markup::Markup;

/// A column, or several that stand at one place.
pub(super) struct Column {
    /// What a pointer that rests on it is told.
    pub(super) title: String,
    /// Below the column; empty for most.
    pub(super) label: String,
    pub(super) values: Vec<f64>,
}

/// Columns over a scale.
pub(super) struct Columns<'a> {
    /// Tells the picture from the others of the page.
    pub(super) id: &'static str,
    pub(super) title: &'a str,
    /// What it shows, for those who do not see it.
    pub(super) says: &'a str,
    pub(super) places: Vec<Column>,
    /// The classes of the values of a column.
    pub(super) classes: &'static [&'static str],
    /// How a value of the scale is written.
    pub(super) value: fn(f64) -> String,
    /// Where the scale may have its lines, when the greatest value is known.
    pub(super) step: fn(f64) -> f64,
}

/// Heights in pixels: of the picture, of the scale's highest value, and of its zero.
const HEIGHT: f64 = 176.0;
const TOP: f64 = 8.0;
const ZERO: f64 = 152.0;

/// The part of a column's place that it fills.
const FILLED: f64 = 0.84;

impl Columns<'_> {
    pub(super) fn draw(&self, page: &mut Markup) {
        begin(page, self.id, &[("class", "columns")], self.title, self.says);
        let values = self.places.iter().flat_map(|column| &column.values);
        let most = values.copied().fold(0.0, f64::max);
        let step = (self.step)(most);
        let lines = (most / step).ceil().max(1.0);
        let height = |value: f64| (ZERO - TOP) * value / (lines * step);
        for line in 0..=whole(lines) {
            let value = real(line) * step;
            let y = pixels(ZERO - height(value));
            page.open("line", &[("class", "rule"), ("x2", "100%"), ("y1", &y), ("y2", &y)]);
            page.close("line");
            if line > 0 {
                let y = pixels(ZERO - height(value) + 4.0);
                page.element("text", &[("class", "scale"), ("y", &y)], &(self.value)(value));
            }
        }
        let place = 100.0 / real(self.places.len().max(1));
        for (at, column) in self.places.iter().enumerate() {
            let left = real(at) * place;
            let width = place * FILLED / real(column.values.len().max(1));
            page.tags("<g>").element("title", &[], &column.title);
            for (number, (value, class)) in column.values.iter().zip(self.classes).enumerate() {
                if *value > 0.0 {
                    // What is there is seen, however little it is.
                    let high = height(*value).max(1.0);
                    let left = left + place * (1.0 - FILLED) / 2.0 + width * real(number);
                    rectangle(page, class, (left, width), (ZERO - high, high));
                }
            }
            page.close("g");
            if !column.label.is_empty() {
                let (x, y) = (percent(left + place * (1.0 - FILLED) / 2.0), pixels(HEIGHT - 6.0));
                page.element("text", &[("x", &x), ("y", &y)], &column.label);
            }
        }
        end(page);
    }
}

/// A bar behind a name; it says no more than the number beside it.
pub(super) fn bar(page: &mut Markup, part: f64) {
    page.tags("<svg class=bar aria-hidden=true>");
    rectangle(page, "part", (0.0, 100.0 * part.clamp(0.0, 1.0)), (0.0, 100.0));
    page.close("svg");
}

/// A stay on the line of the whole time.
pub(super) fn stay(page: &mut Markup, from: f64, until: f64) {
    page.tags("<svg class=stay aria-hidden=true>");
    rectangle(page, "land", (0.0, 100.0), (0.0, 10.0));
    let (from, until) = (from.clamp(0.0, 1.0), until.clamp(0.0, 1.0));
    rectangle(page, "caught", (100.0 * from, (100.0 * (until - from)).max(0.5)), (0.0, 10.0));
    page.close("svg");
}

/// Begins a picture that is told to those who do not see it. Its shapes are for the eye only.
pub(super) fn begin(
    page: &mut Markup,
    id: &str,
    attributes: &[(&'static str, &str)],
    title: &str,
    says: &str,
) {
    let (title_id, says_id) = (format!("{id}-picture"), format!("{id}-says"));
    let both = format!("{title_id} {says_id}");
    let own = [("role", "img"), ("aria-labelledby", &*both)];
    page.open("svg", &[attributes, &own].concat());
    page.element("title", &[("id", &title_id)], title);
    page.element("desc", &[("id", &says_id)], says);
    page.tags("<g aria-hidden=true>");
}

/// Ends it.
pub(super) fn end(page: &mut Markup) {
    page.tags("</g></svg>");
}

/// A rectangle: left and width in percent, top and height in pixels.
fn rectangle(page: &mut Markup, class: &str, (x, width): (f64, f64), (y, height): (f64, f64)) {
    let (x, width) = (percent(x), percent(width));
    let (y, height) = (pixels(y), pixels(height));
    page.open(
        "rect",
        &[("class", class), ("x", &x), ("width", &width), ("y", &y), ("height", &height)],
    );
    page.close("rect");
}

fn percent(number: f64) -> String {
    format!("{}%", pixels(number))
}

/// With no more digits than can be seen.
pub(super) fn pixels(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The greatest step of a scale of numbers that makes at least two of them.
pub(super) fn step_of_numbers(most: f64) -> f64 {
    let power = 10_f64.powf(most.max(1.0).log10().floor());
    let steps = [2.0 * power, power, power / 2.0];
    steps.into_iter().find(|step| most >= 2.0 * step).unwrap_or(1.0).max(1.0)
}

/// The same of a scale of seconds, in whole units of time.
pub(super) fn step_of_time(most: f64) -> f64 {
    const STEPS: [f64; 17] = [
        1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 1_800.0, 3_600.0,
        7_200.0, 14_400.0, 21_600.0, 43_200.0,
    ];
    if most >= 2.0 * 86_400.0 {
        return 86_400.0 * step_of_numbers(most / 86_400.0);
    }
    STEPS.into_iter().rev().find(|step| most >= 2.0 * step).unwrap_or(1.0)
}

#[expect(clippy::cast_precision_loss, reason = "a small number")]
pub(super) fn real(number: usize) -> f64 {
    number as f64
}

#[expect(clippy::cast_sign_loss, reason = "the small number of a scale's lines")]
fn whole(number: f64) -> usize {
    number as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_have_a_few_round_lines() {
        for (most, wanted) in [
            (0.0, 1.0),
            (1.0, 1.0),
            (2.0, 1.0),
            (7.0, 2.0),
            (19.0, 5.0),
            (20.0, 10.0),
            (1_800.0, 500.0),
        ] {
            assert!(
                (step_of_numbers(most) - wanted).abs() < 1e-9,
                "{most}: {}",
                step_of_numbers(most)
            );
        }
        for (most, wanted) in [
            (0.1, 1.0),
            (45.0, 20.0),
            (3_600.0, 1_800.0),
            (90_000.0, 43_200.0),
            (10_800_000.0, 50.0 * 86_400.0),
        ] {
            assert!((step_of_time(most) - wanted).abs() < 1e-6, "{most}: {}", step_of_time(most));
        }
        for most in 1..10_000 {
            let most = f64::from(most);
            for step in [step_of_numbers(most), step_of_time(most)] {
                assert!((1.0..=5.0).contains(&(most / step).ceil()), "{most}: {step}");
            }
        }
    }

    #[test]
    fn numbers_have_no_more_digits_than_they_need() {
        for (number, wanted) in [(0.0, "0"), (100.0, "100"), (0.5, "0.5"), (33.333_3, "33.33")] {
            assert_eq!(pixels(number), wanted);
        }
    }
}
