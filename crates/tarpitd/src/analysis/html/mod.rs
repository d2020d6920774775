//! The report as one page for a browser: all in one file, without a program in it, asking nobody for
//! anything.

mod markup;
mod picture;

use data_encoding::BASE64;
use sha2::{Digest as _, Sha256};

use self::{
    markup::Markup,
    picture::{
        Column, Columns, bar, begin, end, pixels, real, stay, step_of_numbers, step_of_time,
    },
};
use super::{
    moment::Moment,
    parts::Parts,
    summary::{Amount, Long, Row, Summary, Table, seconds},
    words::{TITLES, at_once, classes, exact, minute, named, notes, period, titled},
};
use crate::report::{
    units::{bytes, count, duration, in_words, percent, plural, span},
    world::{self, TILES},
};

const STYLE: &str = concat!(include_str!("../../report/look.css"), include_str!("style.css"));

/// The most columns of a picture over time, and the most hours that are shown one by one.
const COLUMNS: usize = 124;
const HOURS: usize = 4 * 24 + 1;

/// The whole page.
pub(super) fn render(summary: &Summary) -> String {
    let mut page = Page(Markup::default());
    page.head();
    page.totals(summary);
    if summary.clients.held > 0 {
        page.time(summary);
        page.holds(summary);
    }
    page.tables(summary);
    page.longest(&summary.longest, (summary.trace.from, summary.trace.until));
    page.notes(summary);
    page.0.tags("</main>\n</body>\n</html>\n");
    page.0.finish()
}

/// The page so far.
struct Page(Markup);

/// A part of the time: its name, what may stand below its column, and what happened in it.
struct Point {
    name: String,
    label: String,
    amount: Amount,
}

impl Page {
    fn head(&mut self) {
        // Only this style has any effect on the page, whatever gets into it.
        let hash = BASE64.encode(&Sha256::digest(STYLE));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'"
        );
        let page = &mut self.0;
        page.tags("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        page.open("meta", &[("http-equiv", "Content-Security-Policy"), ("content", &policy)]);
        page.tags(
            "\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <meta name=\"robots\" content=\"noindex\">\n\
             <meta name=\"referrer\" content=\"no-referrer\">\n\
             <title>tarpitd report</title>\n<style>",
        );
        page.tags(STYLE).tags("</style>\n</head>\n<body>\n");
    }

    fn totals(&mut self, summary: &Summary) {
        let Summary { trace, clients, holds, .. } = summary;
        let page = &mut self.0;
        page.tags("<header>\n<h1>tarpitd report</h1>\n");
        if clients.held == 0 && clients.refused == 0 {
            let nothing = format!("No client is in the trace ({}).", plural(trace.lines, "line"));
            page.element("p", &[], &nothing).tags("\n</header>\n<main>\n");
            return;
        }
        page.element("p", &[], &period(trace.from, trace.until)).tags("\n</header>\n<main>\n");
        page.tags("<section class=wide aria-labelledby=all-title>\n");
        page.tags("<h2 id=all-title class=headline>");
        page.element("strong", &[], &in_words(summary.held_seconds));
        page.tags(" of attackers’ time held");
        if let Some(cost) = summary.worker_cpu_seconds {
            page.tags(" with ").element("strong", &[], &in_words(cost)).tags(" of our CPU time");
        }
        page.tags("</h2>\n<dl class=totals>");
        let mut total = |value: &str, name: &str| {
            page.tags("<div>").element("dt", &[], name).element("dd", &[], value).tags("</div>");
        };
        total(&count(clients.held), "clients");
        for (table, name) in [(&summary.addresses, "addresses"), (&summary.networks, "networks")] {
            let about = if table.too_low_by > 0 { "about " } else { "" };
            total(&format!("{about}{}", count(table.distinct)), name);
        }
        total(&at_once(summary), "held at once, on average");
        total(&duration(holds.median_seconds), "half of them stayed longer");
        total(&duration(holds.p90_seconds), "one in ten stayed longer");
        total(&duration(holds.longest_seconds), "the longest stay");
        if clients.refused > 0 {
            total(&count(clients.refused), "refused");
        }
        total(&bytes(summary.sent), "sent");
        total(&bytes(summary.received), "received");
        if let Some(price) = a_client_hour(summary) {
            total(&price, "sent in a client’s hour");
        }
        if let Some(cost) = summary.worker_cpu_seconds.filter(|cost| *cost > 0.0) {
            total(&in_words(summary.held_seconds / cost), "held for a second of our CPU time");
        }
        page.tags("</dl>\n</section>\n");
    }

    /// Clients and time held over the days and over the hours of the day.
    fn time(&mut self, summary: &Summary) {
        if let Some(parts) = Parts::of(summary, COLUMNS, HOURS) {
            // The year goes without saying, unless there are several.
            let year = if summary.days.len() < 365 { "2026-".len() } else { 0 };
            let points = parts.spans.iter().map(|part| {
                let name = parts.unit.label(part.from);
                let label = name.get(year..).unwrap_or_default().to_owned();
                Point { name, label, amount: part.amount }
            });
            let ids = ["time", "time-clients", "time-held"];
            self.over_time(ids, &parts.title, "stacked", &points.collect::<Vec<_>>());
        }
        if summary.hours.len() > 24 {
            let hours = (0_u8..).zip(&summary.hours_of_day).map(|(hour, amount)| Point {
                name: format!("{hour}:00 to {hour}:59"),
                label: format!("{hour}:00"),
                amount: *amount,
            });
            let ids = ["day", "day-clients", "day-held"];
            self.over_time(ids, "By hour of the day (UTC)", "pair", &hours.collect::<Vec<_>>());
        }
    }

    /// Two pictures with the same points of time, and their table.
    fn over_time(
        &mut self,
        [id, clients, held]: [&'static str; 3],
        title: &str,
        class: &str,
        points: &[Point],
    ) {
        self.begin(id, "wide", title);
        let page = &mut self.0;
        page.open("div", &[("class", class)]);
        // So many that none touches the next one, nor leaves the picture.
        let longest = points.iter().map(|point| point.label.len()).max().unwrap_or(0);
        let every = points.len().div_ceil(if longest > "09-21".len() { 3 } else { 4 });
        let columns = |value: fn(&Amount) -> (f64, String)| {
            let columns = points.iter().enumerate().map(|(at, point)| {
                let (value, text) = value(&point.amount);
                let fits = at % every == 0 && at + every <= points.len() + every / 4;
                Column {
                    title: format!("{}: {text}", point.name),
                    label: if fits { point.label.clone() } else { String::new() },
                    values: vec![value],
                }
            });
            columns.collect()
        };
        let all: u64 = points.iter().map(|point| point.amount.clients).sum();
        page.tags("<div><h3>New clients</h3>");
        Columns {
            id: clients,
            title: "New clients over time",
            says: &format!("{}; the table below has each column.", plural(all, "client")),
            places: columns(|it| (exact(it.clients), plural(it.clients, "client"))),
            classes: &["clients"],
            value: number,
            step: step_of_numbers,
        }
        .draw(page);
        let all: f64 = points.iter().map(|point| point.amount.held_seconds).sum();
        page.tags("</div><div><h3>Time held</h3>");
        Columns {
            id: held,
            title: "Time held over time",
            says: &format!("{} held; the table below has each column.", duration(all)),
            places: columns(|it| (it.held_seconds, duration(it.held_seconds))),
            classes: &["held"],
            value: duration,
            step: step_of_time,
        }
        .draw(page);
        page.tags("</div></div><details><summary>As a table</summary><table><thead><tr>");
        page.tags("<th scope=col>time<th scope=col class=n>new clients");
        page.tags("<th scope=col class=n>time held<tbody>");
        for Point { name, amount, .. } in points {
            page.tags("<tr><th scope=row>").text(name);
            page.tags("<td class=n>").text(&count(amount.clients));
            page.tags("<td class=n>").text(&duration(amount.held_seconds));
        }
        page.tags("</table></details></section>\n");
    }

    /// For how long clients stayed: what part of them, and what part of the time.
    fn holds(&mut self, summary: &Summary) {
        let classes: Vec<_> = classes(&summary.holds).collect();
        let clients = exact(classes.iter().map(|(_, amount)| amount.clients).sum());
        let held: f64 = classes.iter().map(|(_, amount)| amount.held_seconds).sum();
        let part = |part: f64, whole: f64| if whole > 0.0 { 100.0 * part / whole } else { 0.0 };
        let columns = classes.iter().zip(bounds(summary)).map(|((name, amount), label)| Column {
            title: format!(
                "{name}: {}, {}",
                plural(amount.clients, "client"),
                duration(amount.held_seconds)
            ),
            label,
            values: vec![part(exact(amount.clients), clients), part(amount.held_seconds, held)],
        });
        self.begin("stays", "wide", "How long they stayed");
        let page = &mut self.0;
        page.tags("<div class=pair><div><p class=legend><span class=clients></span> of all ");
        page.tags("clients <span class=held></span> of all time held</p>");
        Columns {
            id: "stays",
            title: "How long clients stayed",
            says: &format!(
                "Half of the clients stayed longer than {}, one in ten longer than {}; the table \
                 has each class.",
                duration(summary.holds.median_seconds),
                duration(summary.holds.p90_seconds),
            ),
            places: columns.collect(),
            classes: &["clients", "held"],
            value: |value| format!("{value:.0}%"),
            step: step_of_numbers,
        }
        .draw(page);
        page.tags("</div><div class=scroll tabindex=0 role=group aria-labelledby=stays-title>");
        page.tags("<table><thead><tr><th scope=col>stay<th scope=col class=n>clients");
        page.tags("<th scope=col class=n><span class=unseen>part of the clients</span>");
        page.tags("<th scope=col class=n>time held");
        page.tags("<th scope=col class=n><span class=unseen>part of the time</span><tbody>");
        for (name, amount) in &classes {
            page.tags("<tr><th scope=row>").text(name);
            page.tags("<td class=n>").text(&count(amount.clients));
            page.tags("<td class=n>").text(&percent(exact(amount.clients), clients));
            page.tags("<td class=n>").text(&duration(amount.held_seconds));
            page.tags("<td class=n>").text(&percent(amount.held_seconds, held));
        }
        page.tags("</table></div></div></section>\n");
    }

    fn tables(&mut self, summary: &Summary) {
        self.rows("protocols", "Protocols", "clients", &summary.protocols);
        self.rows("tarpits", "Tarpits", "clients", &summary.tarpits);
        self.countries(&summary.countries);
        self.table("systems", "Autonomous systems", "clients", &summary.systems);
        self.table("networks", "Networks", "clients", &summary.networks);
        self.table("addresses", "Addresses", "clients", &summary.addresses);
        for (fact, title) in TITLES {
            if let Some(table) = summary.fact(fact) {
                self.table(fact, title, "times", table);
            }
        }
        self.rows("reasons", "Why connections ended", "clients", &summary.close_reasons);
        self.rows("refused", "Refused clients, by limit", "clients", &summary.refused);
        self.rows("malformed", "Broken protocols", "times", &summary.malformed);
    }

    fn table(&mut self, id: &'static str, title: &str, unit: &'static str, table: &Table) {
        if table.rows.is_empty() {
            return;
        }
        self.begin(id, "half", &titled(title, table));
        if table.too_low_by > 0 {
            let text =
                format!("Approximate: a count may be up to {} too low.", count(table.too_low_by));
            self.0.element("p", &[("class", "note")], &text);
        }
        self.ranks(unit, &table.rows, named);
        self.0.tags("</section>\n");
    }

    fn rows(&mut self, id: &'static str, title: &str, unit: &'static str, rows: &[Row]) {
        if !rows.is_empty() {
            self.begin(id, "half", title);
            self.ranks(unit, rows, named);
            self.0.tags("</section>\n");
        }
    }

    /// Begins a section.
    fn begin(&mut self, id: &str, class: &str, title: &str) {
        let heading = format!("{id}-title");
        self.0.open("section", &[("class", class), ("aria-labelledby", &heading)]);
        self.0.element("h2", &[("id", &heading)], title);
    }

    /// A table whose rows have bars behind their names.
    fn ranks(&mut self, unit: &'static str, rows: &[Row], name: fn(&Row) -> String) {
        let page = &mut self.0;
        let most = rows.iter().map(|row| row.count).max().unwrap_or(0);
        page.tags("<table class=ranks><thead><tr><th scope=col><span class=unseen>name</span>");
        page.tags("<th scope=col class=n>").tags(unit);
        if rows.iter().any(|row| row.held_seconds.is_some()) {
            page.tags("<th scope=col class=n>time held");
        }
        page.tags("<tbody>");
        for row in rows {
            page.tags("<tr><th scope=row>");
            bar(page, exact(row.count) / exact(most.max(1)));
            page.element("span", &[], &name(row)).tags("<td class=n>").text(&count(row.count));
            if let Some(held) = row.held_seconds {
                page.tags("<td class=n>").text(&duration(held));
            }
        }
        page.tags("</table>");
    }

    /// The countries on the map and in a table.
    fn countries(&mut self, countries: &[Row]) {
        if countries.is_empty() {
            return;
        }
        let first = countries.iter().take(3);
        let first = first.map(|row| format!("{} ({})", country(row), count(row.count)));
        let says = format!(
            "Most clients came from {}; the table has more.",
            first.collect::<Vec<_>>().join(", ")
        );
        let most = exact(countries.iter().map(|row| row.count).max().unwrap_or(0)).ln_1p();
        let size = format!("0 0 {} {}", 10 * world::WIDTH, 10 * TILES.lines().count());
        self.begin("map", "wide", "Where they came from");
        let page = &mut self.0;
        page.tags("<div class=atlas><div>");
        begin(page, "map", &[("class", "world"), ("viewBox", &size)], "Map of the world", &says);
        for tile in world::tiles() {
            let row = countries.iter().find(|row| row.name == tile.code);
            let clients = row.map_or(0, |row| row.count);
            // From the few to the many in equal steps of their logarithm.
            let (class, shade) = match clients {
                0 => ("land", 1.0),
                _ => ("caught", 0.3 + 0.7 * exact(clients).ln_1p() / most),
            };
            let (x, y) = (pixels(10.0 * real(tile.column)), pixels(10.0 * real(tile.row)));
            let place = [("x", &*x), ("y", &*y), ("width", "9"), ("height", "9"), ("rx", "1.5")];
            let shade = pixels(shade);
            let look = [("class", class), ("fill-opacity", &*shade)];
            page.open("rect", &[&look[..], &place].concat());
            let name = world::name(tile.code).unwrap_or(tile.code);
            page.element("title", &[], &format!("{name}: {}", plural(clients, "client")));
            page.close("rect");
        }
        end(page);
        page.tags("</div><div>");
        self.ranks("clients", countries, country);
        self.0.tags("</div></div></section>\n");
    }

    fn longest(&mut self, longest: &[Long], (from, until): (Moment, Moment)) {
        if longest.is_empty() {
            return;
        }
        self.begin("longest", "wide", "The longest stays");
        let page = &mut self.0;
        let all = seconds(until.since(from));
        let at = |since: f64| if all > 0.0 { since / all } else { 0.0 };
        page.tags("<div class=scroll tabindex=0 role=group aria-labelledby=longest-title><table>");
        page.tags("<thead><tr><th scope=col>client<th scope=col>tarpit<th scope=col>protocol");
        page.tags("<th scope=col class=n>since (UTC)<th scope=col class=n>held");
        page.tags("<th scope=col><span class=unseen>at the end</span><th scope=col class=when><span class=unseen>when</span><tbody>");
        for long in longest {
            page.tags("<tr><th scope=row class=who>").text(&long.address);
            page.tags("<td>").text(&long.tarpit).tags("<td>").text(&long.protocol);
            page.tags("<td class=n>").text(&minute(long.opened));
            page.tags("<td class=n>").text(&duration(long.held_seconds));
            page.tags(if long.present { "<td>still there" } else { "<td>" })
                .tags("<td class=when>");
            let opened = seconds(long.opened.since(from));
            stay(page, at(opened), at(opened + long.held_seconds));
        }
        page.tags("</table></div></section>\n");
    }

    fn notes(&mut self, summary: &Summary) {
        self.begin("notes", "wide", "Notes");
        let page = &mut self.0;
        page.tags("<ul>");
        for note in notes(summary) {
            page.element("li", &[], &note);
        }
        let files = plural(summary.trace.files as u64, "file");
        let read = format!("{} of {files} were read.", plural(summary.trace.lines, "line"));
        page.element("li", &[], &read);
        page.tags("<li>Addresses, names and passwords on this page are personal data.");
        page.tags("</ul></section>\n");
    }
}

/// Where every second class of stays begins.
fn bounds(summary: &Summary) -> impl Iterator<Item = String> {
    let begins = summary.holds.distribution.iter().map(|class| class.below_seconds);
    [None].into_iter().chain(begins).enumerate().map(|(at, from)| match from {
        Some(from) if !at.is_multiple_of(2) => span(from),
        _ => String::new(),
    })
}

/// What was sent to a client in an hour, on average.
fn a_client_hour(summary: &Summary) -> Option<String> {
    // Only `close` lines have bytes, so only their time counts.
    let hours = (summary.held_seconds - summary.clients.still_held_seconds) / 3_600.0;
    #[expect(clippy::cast_sign_loss, reason = "never negative")]
    (hours > 0.0).then(|| bytes((exact(summary.sent) / hours).round() as u64))
}

/// A number of a scale.
fn number(value: f64) -> String {
    #[expect(clippy::cast_sign_loss, reason = "a scale begins with 0")]
    count(value as u64)
}

/// The name of a country, if the row has a code.
fn country(row: &Row) -> String {
    world::name(&row.name).map_or_else(|| named(row), str::to_owned)
}
