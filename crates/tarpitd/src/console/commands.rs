//! `tarpitd status`, `held`, `drop`, `reload` and `upgrade`: what the control socket says, for people.

use std::{
    fmt::Write as _,
    io::{self, BufRead as _, Write as _},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use super::{
    complain,
    control::{Daemon, Failure, Whereabouts},
    print,
    upgrade::upgrade,
};
use crate::{
    admin::control::{
        status::{About, Counts, Frequency, Longest, Status, Tarpit},
        whom,
    },
    daemon::{MISUSED, REFUSED},
    report::{
        held::HeldClient,
        timestamp::Timestamp,
        units::{in_words, plural, short_bytes, short_span},
    },
};

/// What a daemon is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    Drop { whom: String },
    Held { whom: Option<String>, limit: Option<u64>, json: bool },
    Reload,
    Status { json: bool },
    Upgrade { program: Option<PathBuf> },
}

/// Asks the daemon and prints its answer.
pub(crate) fn ask(whereabouts: &Whereabouts, ask: &Ask) -> ExitCode {
    let answer = whereabouts.find().and_then(|daemon| match ask {
        Ask::Drop { whom } => drop(&daemon, whom),
        Ask::Held { whom, limit, json } => held(&daemon, whom.as_deref(), *limit, *json),
        Ask::Reload => reload(&daemon),
        Ask::Status { json: true } => daemon.status_text().map(|text| print(&text)),
        Ask::Status { json: false } => {
            daemon.status().map(|status| print(status_text(&status).as_bytes()))
        }
        Ask::Upgrade { program } => upgrade(&daemon, program.as_deref()),
    });
    answer.unwrap_or_else(|failure| fail(&failure))
}

/// Prints why there is no answer.
pub(crate) fn fail(failure: &Failure) -> ExitCode {
    match failure {
        Failure::NoAnswer(why) => {
            complain(&format!("tarpitd: {why}"));
            ExitCode::from(REFUSED)
        }
        Failure::Refused(problems) => {
            for problem in problems {
                complain(problem);
            }
            ExitCode::from(MISUSED)
        }
    }
}

fn drop(daemon: &Daemon, whom: &str) -> Result<ExitCode, Failure> {
    let dropped = daemon.drop(named(whom)?)?;
    let clients = if dropped == 1 { "client" } else { "clients" };
    Ok(print(format!("{dropped} {clients} dropped\n").as_bytes()))
}

fn reload(daemon: &Daemon) -> Result<ExitCode, Failure> {
    let changes = daemon.reload()?;
    if changes.is_empty() {
        return Ok(print(b"no changes\n"));
    }
    Ok(print(changes.iter().flat_map(|change| [change, "\n"]).collect::<String>().as_bytes()))
}

fn held(
    daemon: &Daemon,
    whom: Option<&str>,
    limit: Option<u64>,
    json: bool,
) -> Result<ExitCode, Failure> {
    let mut query = Vec::new();
    if let Some(whom) = whom {
        query.push(format!("whom={}", named(whom)?));
    }
    query.extend(limit.map(|limit| format!("limit={limit}")));
    let lines = daemon.held(&query.join("&"))?;
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    let mut is_first = true;
    for line in lines.lines() {
        let line = line.map_err(|error| Failure::NoAnswer(format!("the list ends: {error}")))?;
        let client = serde_json::from_str(&line)
            .map_err(|_| Failure::NoAnswer(format!("the list ends: {}", line.escape_debug())))?;
        let shown = if json { line } else { row(&client) };
        let header = if is_first && !json { HEADER } else { "" };
        is_first = false;
        // A reader such as `head` may have enough.
        if writeln!(stdout, "{header}{shown}").is_err() {
            return Ok(ExitCode::SUCCESS);
        }
    }
    if is_first && !json {
        complain("no client is held");
    }
    // The same.
    let _ = stdout.flush();
    Ok(ExitCode::SUCCESS)
}

/// What a user calls clients by, if the daemon can understand it.
fn named(text: &str) -> Result<&str, Failure> {
    whom(text).map(|_| text).map_err(|what| Failure::Refused(vec![format!("tarpitd: {what}")]))
}

/// The columns of [`row`].
const HEADER: &str = "HELD     CLIENT                 TARPIT        PATTERN           STATE             \
                      SENT     RECEIVED HEARD    SESSION          PROGRAM\n";

/// A line of the list.
fn row(client: &HeldClient) -> String {
    let HeldClient { session, client: address, tarpit, pattern, state, program, .. } = client;
    let heard = client.heard_seconds_ago.map_or_else(|| "-".to_owned(), short_span);
    let program = program.as_deref().unwrap_or("-").escape_debug();
    format!(
        "{:<8} {:<22} {:<13} {:<17} {:<17} {:<8} {:<8} {heard:<8} {session} {program}",
        short_span(client.held_seconds),
        address.to_string(),
        tarpit.escape_debug().to_string(),
        pattern,
        state,
        short_bytes(client.sent),
        short_bytes(client.received),
    )
}

/// The status, for people.
fn status_text(status: &Status) -> String {
    let Status { version, total, load_level, trace, .. } = status;
    let Counts { held, opened, refused, held_days, bytes_per_client_hour, .. } = total;
    let mut text = format!(
        "tarpitd {version}, running for {}\n\
         held now {held}, opened {opened}, refused {refused}, held for {} in all at {} a \
         client-hour\n\n",
        short_span(status.uptime_seconds),
        in_words(held_days * 86_400.0),
        short_bytes(*bytes_per_client_hour),
    );
    // Writing to a string cannot fail.
    if status.process.pid != 0 {
        let _ = writeln!(text, "{}", process_text(&status.process));
    }
    for tarpit in &status.tarpits {
        let _ = writeln!(text, "{}", tarpit_text(tarpit));
    }
    let _ = writeln!(text, "\nload level: {load_level}, {}", level(*load_level));
    let _ = writeln!(
        text,
        "trace: {} lost, {} left out above trace_per_second",
        plural(trace.lost_lines, "line"),
        trace.left_out_lines
    );
    for (what, all) in
        [("networks", &status.networks), ("users", &status.users), ("secrets", &status.secrets)]
    {
        if !all.is_empty() {
            let _ = writeln!(text, "most frequent {what}: {}", frequencies(all));
        }
    }
    let _ = writeln!(text, "limits:");
    for limit in &status.limits {
        let _ = writeln!(text, "  {limit}");
    }
    text
}

/// The process and its files, and when it has read its configuration again.
fn process_text(process: &About) -> String {
    let About { pid, user, configuration, log, trace, reloaded } = process;
    let at = |seconds: &u64| Timestamp(Duration::from_secs(*seconds)).to_string();
    let reloaded = reloaded.as_ref().map_or_else(|| "not since the start".to_owned(), at);
    format!(
        "process {pid} of user {user}, configuration: {}, reloaded: {reloaded}\nlog: {}, trace: {}\n",
        configuration.as_deref().unwrap_or("no file").escape_debug(),
        log.escape_debug(),
        trace.escape_debug(),
    )
}

fn tarpit_text(tarpit: &Tarpit) -> String {
    let Tarpit { name, pattern, addresses, counts, longest } = tarpit;
    let pattern = pattern.as_deref().unwrap_or("removed");
    let addresses = match addresses.split_at_checked(3) {
        Some((first, more)) if !more.is_empty() => {
            format!("{} and {} more", first.join(", "), more.len())
        }
        _ => addresses.join(", "),
    };
    let mut text = format!(
        "{}: {pattern} on {addresses}\n  held {}, opened {}, refused {}, {:.2} days held, {} a \
         client-hour",
        name.escape_debug(),
        counts.held,
        counts.opened,
        counts.refused,
        counts.held_days,
        short_bytes(counts.bytes_per_client_hour),
    );
    if let Some(Longest { client, held_seconds }) = longest {
        let _ = write!(text, "\n  longest: {client} for {}", short_span(*held_seconds));
    }
    text
}

/// What a load level gives up.
pub(crate) fn level(level: u64) -> &'static str {
    match level {
        0 => "nothing is given up",
        1 => "floods are read more slowly",
        2 => "paces are slower",
        3 => "no key exchange begins",
        4 => "nothing is sent",
        _ => "new clients are refused",
    }
}

fn frequencies(all: &[Frequency]) -> String {
    let one = |it: &Frequency| format!("{} ({})", it.name.escape_debug(), it.count);
    all.iter().take(5).map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_says_is_escaped_in_a_row() {
        let client = HeldClient {
            session: "0011223344556677".into(),
            client: "192.0.2.7:1".parse().unwrap(),
            server: "198.51.100.1:22".parse().unwrap(),
            tarpit: "ssh".into(),
            since: 0,
            held_seconds: 61,
            protocol: Some("ssh".into()),
            pattern: "ssh_auth_hold".into(),
            state: "listening".into(),
            sent: 1,
            received: 2,
            heard_seconds_ago: None,
            program: Some("SSH-2.0-\u{1b}[2J\u{202e}".into()),
        };
        let row = row(&client);
        assert!(row.starts_with("1m01s    192.0.2.7:1 "), "{row}");
        assert!(row.ends_with("SSH-2.0-\\u{1b}[2J\\u{202e}"), "{row}");
        assert!(!row.chars().any(char::is_control), "{row:?}");
    }
}
