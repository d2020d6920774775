//! The live line on a terminal: how many clients are held now.

use std::{
    env, fmt,
    io::{self, Write as _},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::report::{
    totals::Sum,
    units::{bytes, span},
};

/// Whether standard error is a terminal that can clear a line.
pub(crate) fn is_watched() -> bool {
    let dumb = env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
    !dumb && rustix::termios::isatty(rustix::stdio::stderr())
}

/// Draws the line over the previous one, cut to the terminal's present width. A terminal of unknown
/// width gets no line, since a line that wraps cannot be drawn over.
pub(crate) fn draw(sum: &Sum) {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stderr());
    if let Some(room) = size.ok().and_then(|size| usize::from(size.ws_col).checked_sub(1)) {
        say(&format!("\r\x1b[K{}", cut(&Line(sum).to_string(), room)));
    }
}

/// The part of the line that fits into this many columns: whole figures, if one fits.
fn cut(line: &str, room: usize) -> &str {
    if line.len() <= room {
        return line;
    }
    // All of it is ASCII.
    let within = &line[..room];
    match line.match_indices(" | ").map(|(at, _)| at).take_while(|&at| at <= room).last() {
        Some(end) => &line[..end],
        None => within,
    }
}

/// Clears the line, so that later output begins on a line of its own.
pub(crate) fn end() {
    say("\r\x1b[K");
}

/// Writes to the terminal, unless it would block: a stopped terminal must not stop the daemon.
fn say(text: &str) {
    let stderr = rustix::stdio::stderr();
    let mut fds = [PollFd::new(&stderr, PollFlags::OUT)];
    if poll(&mut fds, Some(&Timespec::default())).is_ok_and(|ready| ready > 0) {
        // If the terminal is gone, it needs no live line.
        let _ = io::stderr().write_all(text.as_bytes());
    }
}

/// The figures as one short line.
pub(crate) struct Line<'a>(pub(crate) &'a Sum);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sum { opened, held, refused, sent, time, .. } = *self.0;
        write!(
            f,
            "held {held} | opened {opened} | time held {} | sent {}",
            span(time.as_secs()),
            bytes(sent)
        )?;
        if refused > 0 {
            write!(f, " | refused {refused}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn figures_are_short() {
        let sum = Sum {
            opened: 12,
            held: 3,
            refused: 0,
            health_checks: 0,
            sent: 45_678,
            received: 0,
            left_out: [0; 7],
            time: Duration::from_secs(3_725),
        };
        assert_eq!(
            Line(&sum).to_string(),
            "held 3 | opened 12 | time held 1 h 2 min | sent 45.7 kB"
        );
    }

    #[test]
    fn the_line_is_cut_behind_a_whole_figure() {
        let line = "held 3 | opened 12 | sent 45 kB";
        for (room, wanted) in [
            (80, line),
            (line.len(), line),
            (line.len() - 1, "held 3 | opened 12"),
            (18, "held 3 | opened 12"),
            (17, "held 3"),
            (6, "held 3"),
            (4, "held"),
            (0, ""),
        ] {
            assert_eq!(cut(line, room), wanted, "{room}");
        }
    }
}
