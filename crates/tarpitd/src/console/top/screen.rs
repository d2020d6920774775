//! How the live view is drawn: on 80 columns and 24 lines, and on more where there are more.

use std::cmp::Reverse;

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Paragraph, Sparkline},
};

use super::{
    view::{Mode, View},
    watch::Snapshot,
};
use crate::{
    admin::control::status::{Counts, Frequency, Status},
    console::commands::level,
    report::{
        held::HeldClient,
        units::{in_words, short_bytes, short_span},
    },
};

/// The columns of the frequent networks and users.
const SIDE: u16 = 26;

/// The tarpits that have a line of their own: at most one in so many lines of the screen, and at
/// least a few.
const LINES_A_TARPIT: u16 = 6;
const TARPITS: u16 = 4;

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, view: &View) {
    let Some(snapshot) = &view.snapshot else {
        frame.render_widget(Paragraph::new("asking the daemon ..."), frame.area());
        return;
    };
    let Snapshot { status, clients, newest } = snapshot;
    let most = (frame.area().height / LINES_A_TARPIT).max(TARPITS);
    let tarpits = table_of(status, usize::from(most));
    let [head, history, table, lists, foot] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(3),
        Constraint::Length(tarpits.len() as u16 + 1),
        Constraint::Min(4),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(Paragraph::new(summary(status, view)), head);
    draw_history(frame, view, history);
    frame.render_widget(Paragraph::new(tarpits), table);
    let [left, side] =
        Layout::horizontal([Constraint::Min(40), Constraint::Length(SIDE)]).areas(lists);
    let newest_lines = (left.height / 3).max(3);
    let [top, bottom] =
        Layout::vertical([Constraint::Min(3), Constraint::Length(newest_lines)]).areas(left);
    let filter =
        if view.filter.is_empty() { String::new() } else { format!(" in {}", view.filter) };
    let title = format!("CLIENTS, {}{filter}", view.order());
    let chosen = Some(view.chosen);
    frame.render_widget(Paragraph::new(list(&title, clients, chosen, top)), top);
    let title = format!("NEWEST ARRIVALS{filter}");
    frame.render_widget(Paragraph::new(list(&title, newest, None, bottom)), bottom);
    frame.render_widget(Paragraph::new(frequent(status, side)), side);
    frame.render_widget(Paragraph::new(footer(view)), foot);
}

/// Version, uptime, load level; then the totals.
fn summary<'a>(status: &Status, view: &View) -> Vec<Line<'a>> {
    let total = &status.total;
    let mut first = vec![
        Span::styled(format!("tarpitd {}", status.version), bold()),
        Span::raw(format!(
            "  up {}  load level {}: {}",
            short_span(status.uptime_seconds),
            status.load_level,
            level(status.load_level)
        )),
    ];
    if view.is_paused {
        first.push(Span::styled("  LIST PAUSED", warning()));
    }
    let second = vec![
        Span::styled(format!("held {}", total.held), accent()),
        Span::raw(format!(
            "  opened {}  refused {}  held {} in all  {} a client-hour",
            total.opened,
            total.refused,
            in_words(total.held_days * 86_400.0),
            short_bytes(total.bytes_per_client_hour)
        )),
    ];
    vec![Line::from(first), Line::from(second)]
}

/// How many were held lately.
fn draw_history(frame: &mut Frame<'_>, view: &View, area: Rect) {
    let [label, bars] =
        Layout::horizontal([Constraint::Length(12), Constraint::Min(10)]).areas(area);
    let shown = view.history.len().min(usize::from(bars.width));
    let data: Vec<u64> = view.history.iter().skip(view.history.len() - shown).copied().collect();
    let most = data.iter().max().copied().unwrap_or_default();
    let lines = vec![Line::from("held now"), Line::from(format!("most {most}"))];
    frame.render_widget(Paragraph::new(lines).style(faint()), label);
    frame.render_widget(Sparkline::default().data(&data).max(most.max(1)).style(accent()), bars);
}

/// The tarpits in the order of the configuration. If they do not all fit into `most` lines, those
/// that hold most clients, and the rest in one line.
fn table_of<'a>(status: &Status, most: usize) -> Vec<Line<'a>> {
    let header = format!(
        "{:<14} {:<17} {:>7} {:>8} {:>8} {:>9}  {}",
        "TARPIT", "PATTERN", "HELD", "OPENED", "REFUSED", "DAYS", "LONGEST"
    );
    let mut lines = vec![Line::styled(header, bold())];
    let mut tarpits: Vec<_> = status.tarpits.iter().collect();
    let mut rest = Vec::new();
    if tarpits.len() > most {
        tarpits.sort_by_key(|tarpit| Reverse(tarpit.counts.held));
        rest = tarpits.split_off(most.saturating_sub(1));
    }
    for tarpit in tarpits {
        let longest = tarpit.longest.as_ref().map(|it| short_span(it.held_seconds));
        lines.push(Line::raw(format!(
            "{:<14} {:<17} {} {:>9.2}  {}",
            cut(&tarpit.name.escape_debug().to_string(), 14),
            cut(tarpit.pattern.as_deref().unwrap_or("removed"), 17),
            counts([&tarpit.counts]),
            tarpit.counts.held_days,
            longest.unwrap_or_else(|| "-".to_owned()),
        )));
    }
    if !rest.is_empty() {
        let days: f64 = rest.iter().map(|tarpit| tarpit.counts.held_days).sum();
        lines.push(Line::styled(
            format!(
                "{:<32} {} {days:>9.2}",
                format!("{} more tarpits", rest.len()),
                counts(rest.iter().map(|tarpit| &tarpit.counts)),
            ),
            faint(),
        ));
    }
    lines
}

/// The clients of tarpits, as the columns of their table.
fn counts<'a>(all: impl IntoIterator<Item = &'a Counts>) -> String {
    let (mut held, mut opened, mut refused) = (0, 0, 0);
    for one in all {
        held += one.held;
        opened += one.opened;
        refused += one.refused;
    }
    format!("{held:>7} {opened:>8} {refused:>8}")
}

/// Clients, as many as fit; the chosen one stays in sight.
fn list<'a>(
    title: &str,
    clients: &[HeldClient],
    chosen: Option<usize>,
    area: Rect,
) -> Vec<Line<'a>> {
    let room = usize::from(area.height.saturating_sub(2));
    let first = chosen.map_or(0, |chosen| (chosen + 1).saturating_sub(room));
    let mut lines = vec![Line::styled(title.to_owned(), bold())];
    let shown = clients.iter().skip(first).take(room);
    // Addresses of version 6 take the room that they need.
    let address = shown.map(|client| client.client.ip().to_string().len()).max();
    let address = address.unwrap_or_default().max(15);
    // On a narrow terminal the program is worth more than the ends of the other words.
    let (tarpit, state) = if area.width < 60 { (8, 8) } else { (10, 15) };
    for (number, client) in clients.iter().enumerate().skip(first).take(room) {
        let program = client.program.as_deref().unwrap_or("").escape_debug().to_string();
        let text = format!(
            "{:>7} {:<address$} {:<tarpit$} {:<state$} {}",
            short_span(client.held_seconds),
            client.client.ip().to_string(),
            cut(&client.tarpit.escape_debug().to_string(), tarpit),
            cut(&client.state, state),
            program,
        );
        let style = if chosen == Some(number) {
            Style::new().add_modifier(Modifier::REVERSED)
        } else {
            Style::new()
        };
        lines.push(Line::styled(cut(&text, usize::from(area.width.saturating_sub(1))), style));
    }
    if clients.is_empty() {
        lines.push(Line::styled("  nobody yet", faint()));
    }
    lines
}

/// The networks and names that come most often.
fn frequent<'a>(status: &Status, area: Rect) -> Vec<Line<'a>> {
    let room = usize::from(area.height);
    let share = (room / 2).saturating_sub(2).max(1);
    let mut lines = Vec::new();
    let mut add = |title: &str, all: &[Frequency]| {
        lines.push(Line::styled(title.to_owned(), bold()));
        for one in all.iter().take(share) {
            let name = cut(&one.name.escape_debug().to_string(), usize::from(SIDE) - 8);
            lines.push(Line::raw(format!("{name:<18} {:>6}", one.count)));
        }
        if all.is_empty() {
            lines.push(Line::styled("  none yet", faint()));
        }
        lines.push(Line::raw(""));
    };
    add("TOP NETWORKS", &status.networks);
    add("TOP USERS TRIED", &status.users);
    lines
}

fn footer<'a>(view: &View) -> Line<'a> {
    match &view.mode {
        Mode::Confirming { client, .. } => {
            Line::styled(format!("drop {client}? y: yes, any other key: no"), warning())
        }
        Mode::Filtering { text } => {
            let note = if view.note.is_empty() { "" } else { "  " };
            Line::styled(format!("address or network: {text}_{note}{}", view.note), bold())
        }
        Mode::Watching if !view.note.is_empty() => Line::styled(view.note.clone(), bold()),
        Mode::Watching => {
            Line::styled("q quit  s sort  f filter  p pause  d drop  up/down choose", faint())
        }
    }
}

/// At most so many letters.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

fn bold() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}

fn faint() -> Style {
    Style::new().add_modifier(Modifier::DIM)
}

fn accent() -> Style {
    colored(Color::Cyan).add_modifier(Modifier::BOLD)
}

fn warning() -> Style {
    colored(Color::Yellow).add_modifier(Modifier::BOLD)
}

/// A colour, unless the user wants none (<https://no-color.org>).
fn colored(color: Color) -> Style {
    let wants = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if wants { Style::new().fg(color) } else { Style::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &[Line<'_>]) -> Vec<String> {
        lines.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn tarpits_that_do_not_fit_are_one_line_and_the_fullest_stay() {
        let tarpit = |(name, held): (&str, u64)| {
            let pattern = "ssh_auth_hold";
            serde_json::json!({
                "name": name, "pattern": pattern, "addresses": [], "longest": null, "held": held,
                "opened": held, "refused": 1, "sent": 0, "received": 0, "held_days": 0.5,
                "bytes_per_client_hour": 0,
            })
        };
        let tarpits: Vec<_> = [("a", 1), ("b", 2), ("c", 9), ("d", 5), ("e", 3)].map(tarpit).into();
        let status: Status = serde_json::from_value(serde_json::json!({
            "format": 1, "version": "1", "since": 0, "uptime_seconds": 1, "total": tarpits[0],
            "tarpits": tarpits, "load_level": 0, "trace": {"lost_lines": 0, "left_out_lines": 0},
            "limits": [], "networks": [], "users": [], "secrets": [],
        }))
        .unwrap();
        let all = lines(&table_of(&status, 5));
        let names: Vec<_> = all.iter().map(|line| line.split(' ').next().unwrap()).collect();
        assert_eq!(names, ["TARPIT", "a", "b", "c", "d", "e"]);
        let few = lines(&table_of(&status, 4));
        let names: Vec<_> = few.iter().map(|line| line.split(' ').next().unwrap()).collect();
        assert_eq!(names, ["TARPIT", "c", "d", "e", "2"]);
        assert_eq!(
            few[4], "2 more tarpits                         3        3        2      1.00",
            "{few:#?}"
        );
    }

    fn client(address: &str, tarpit: &str, program: Option<&str>) -> HeldClient {
        serde_json::from_value(serde_json::json!({
            "session": "", "client": address, "server": address, "tarpit": tarpit, "since": 0,
            "held_seconds": 3, "protocol": null, "pattern": "", "state": "sending", "sent": 0,
            "received": 0, "heard_seconds_ago": null, "program": program,
        }))
        .unwrap()
    }

    #[test]
    fn a_program_has_room_on_a_terminal_of_80_columns() {
        let clients = [client("192.0.2.77:1", "everything", Some("curl/7.88.1"))];
        let shown = lines(&list("CLIENTS", &clients, None, Rect::new(0, 0, 80 - SIDE, 9)));
        assert!(shown[1].contains("192.0.2.77"), "{shown:#?}");
        assert!(
            shown[1].ends_with(" curl/7.88…") || shown[1].ends_with(" curl/7.88.1"),
            "{shown:#?}"
        );
    }

    #[test]
    fn a_long_address_is_whole_and_moves_the_columns_behind_it() {
        let clients = ["[2001:db8::1234:5678:9abc]:1", "192.0.2.7:1"];
        let clients = clients.map(|address| client(address, "a", None));
        let shown = lines(&list("CLIENTS", &clients, None, Rect::new(0, 0, 60, 9)));
        let columns: Vec<_> = shown[1..].iter().map(|line| line.find("sending")).collect();
        assert_eq!(columns[0], columns[1], "{shown:#?}");
        assert!(shown[1].contains(" 2001:db8::1234:5678:9abc a "), "{shown:#?}");
    }
}
