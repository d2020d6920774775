//! Shows what the clients did: a table for the terminal, and the same as Markdown for the book.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::base::clock::seconds;
use crate::chores::clients::{Results, RowResult};
use crate::client::demand::Demand;
use crate::client::span::Span;
use crate::running::job::Ending;
use crate::running::output::{printable, tail};

/// The table for the terminal, and below it what the clients that left too early had printed.
pub(crate) fn text(results: &Results) -> String {
    let mut text = String::new();
    for table in tables(results) {
        let _ = writeln!(text, "\n{}", table.aligned());
    }
    for row in results.rows.iter().filter(|row| !row.passed()) {
        let name = format!("{} on {}", row.row.client, row.on.name);
        let broken = printable(&row.broken.join("; "));
        let _ = writeln!(text, "{name}: {broken}; it printed last:\n{}", tail(&row.output, 5));
    }
    for scan in results.scans.iter().filter(|scan| !scan.passed()) {
        let _ = writeln!(text, "nmap on {}: see {}", scan.scan.on.name, scan.output.display());
    }
    for probe in results.probes.iter().filter(|probe| !probe.passed()) {
        let _ =
            writeln!(text, "scripts on {}: see {}", probe.probe.on.name, probe.output.display());
    }
    text
}

/// Writes the tables as a Markdown page.
pub(crate) fn write(path: &Path, results: &Results) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::write(path, page(results)).with_context(|| format!("cannot write {}", path.display()))?;
    println!("wrote {}", path.display());
    Ok(())
}

fn page(results: &Results) -> String {
    let Span { cap, wanted } = results.span;
    let command = if results.span == Span::FULL {
        "cargo xtask clients --full --write docs/clients.md"
    } else {
        "cargo xtask clients --write docs/clients.md"
    };
    let mut page = format!(
        "# How long real clients stay\n\n\
         Made by `{command}`; do not edit.\n\n\
         Each client runs with its defaults against a tarpit with its defaults, on loopback, all \
         side by side. The test ends a client that is still there after {} seconds. A client that \
         leaves before {} seconds had nothing more to try, or has its own limit (named below), or \
         was not held long enough (see the verdict). Connections and bytes are the totals of its \
         tarpit.\n",
        cap.as_secs(),
        wanted.as_secs(),
    );
    for table in tables(results) {
        let _ = write!(page, "\n{}", table.markdown());
    }
    let limits: BTreeSet<_> = results.rows.iter().flat_map(own_limits).collect();
    if !limits.is_empty() {
        let limits: Vec<_> = limits.into_iter().collect();
        let _ = write!(page, "\nLimits of their own:\n\n{}\n", limits.join("\n"));
    }
    page
}

/// How much the table shows of what masscan records, which may be a whole page.
const RECORDED: usize = 100;

fn own_limits(result: &RowResult) -> impl Iterator<Item = String> {
    result.row.demands.iter().filter_map(|demand| match demand {
        Demand::StaysUntil { why, .. } => Some(format!("- {}: {why}.", result.row.client)),
        _ => None,
    })
}

fn tables(results: &Results) -> Vec<Table> {
    let mut clients = Table::new(&[
        "client",
        "version",
        "pattern",
        "held, s",
        "each, s",
        "wanted",
        "connections",
        "bytes",
        "verdict",
    ]);
    for result in &results.rows {
        let held = match result.stay.ending {
            Ending::Capped => format!(">={}", results.span.cap.as_secs()),
            Ending::Left(_) => seconds(result.stay.held),
        };
        let wanted: Vec<_> =
            result.row.demands.iter().map(|demand| demand.wanted(results.span)).collect();
        let verdict = if result.passed() {
            "held".to_owned()
        } else {
            format!("FAILED: {}", printable(&result.broken.join("; ")).replace('|', "/"))
        };
        clients.row([
            result.row.client.to_owned(),
            result.version.clone(),
            result.on.name.to_owned(),
            held,
            result.each.map(seconds).unwrap_or_default(),
            wanted.join(", "),
            result.seen.connections.to_string(),
            result.seen.sent.to_string(),
            verdict,
        ]);
    }
    let mut scans =
        Table::new(&["scan", "pattern", "persona", "took, s", "wanted", "recorded", "verdict"]);
    for result in &results.scans {
        scans.row([
            "nmap -sV".to_owned(),
            result.scan.on.name.to_owned(),
            result.scan.persona.to_owned(),
            seconds(result.held),
            result.scan.wanted(),
            printable(&result.record.to_string()),
            if result.passed() { "named" } else { "MISSED" }.to_owned(),
        ]);
    }
    let mut probes = Table::new(&["nmap's scripts", "pattern", "took, s", "found", "verdict"]);
    for result in &results.probes {
        probes.row([
            result.probe.scripts.join(", "),
            result.probe.on.name.to_owned(),
            seconds(result.held),
            printable(&result.finding.to_string()).replace('|', "/"),
            if result.passed() { "closed" } else { "FAILED" }.to_owned(),
        ]);
    }
    let mut banners = Table::new(&["scan", "pattern", "each, s", "wanted", "recorded", "verdict"]);
    for result in &results.banners {
        banners.row([
            "masscan --banners".to_owned(),
            result.banner.on.name.to_owned(),
            seconds(result.stood),
            result.banner.wanted.to_owned(),
            printable(&result.recorded).replace('|', "/").chars().take(RECORDED).collect(),
            if result.passed() { "named" } else { "FAILED" }.to_owned(),
        ]);
    }
    [clients, scans, probes, banners].into_iter().filter(|table| table.lines.len() > 1).collect()
}

/// Cells by line, the first of which is the head.
struct Table {
    lines: Vec<Vec<String>>,
}

impl Table {
    fn new(head: &[&str]) -> Self {
        Self { lines: vec![head.iter().map(|&cell| cell.to_owned()).collect()] }
    }

    fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.lines.push(cells.into());
    }

    fn aligned(&self) -> String {
        let width = |column: usize| {
            self.lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<_> = (0..self.lines[0].len()).map(width).collect();
        let mut text = String::new();
        for line in &self.lines {
            let cells = line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
            let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
        }
        text
    }

    fn markdown(&self) -> String {
        let mut text = String::new();
        for (index, line) in self.lines.iter().enumerate() {
            let _ = writeln!(text, "| {} |", line.join(" | "));
            if index == 0 {
                let _ = writeln!(text, "|{}", " --- |".repeat(line.len()));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_by_its_widest_cells() {
        let mut table = Table::new(&["client", "held"]);
        table.row(["a long name".to_owned(), "7".to_owned()]);
        assert_eq!(table.aligned(), "client       held\na long name  7\n");
        assert_eq!(table.markdown(), "| client | held |\n| --- | --- |\n| a long name | 7 |\n");
    }
}
