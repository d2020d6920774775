//! The real binary on loopback: one test for each promise of the manual.

#![expect(clippy::expect_used, reason = "a test that finds nothing has failed")]

mod admin;
mod admin_readers;
mod blocks;
mod browser;
mod check;
mod clock;
mod command_line;
mod control;
mod crowd;
mod daemon;
mod data;
mod files;
mod first_answers;
mod first_minute;
mod flood;
mod formats;
mod geoip;
#[path = "../../../tarpit-proto/tests/it/http_rows.rs"]
mod http_rows;
mod lawful;
mod life;
mod limits;
mod made_trace;
mod memory;
mod metrics;
mod mmdb;
mod namespace;
mod page;
mod peers;
mod pid_file;
mod ports;
mod proxied;
mod rates;
mod readable;
mod readers;
mod redirect;
mod report;
mod report_page;
mod require;
mod sandbox;
mod secrets;
mod shortages;
mod ssh;
#[path = "../../../tarpit-proto/tests/it/ssh_packets.rs"]
mod ssh_packets;
mod start;
mod systemd;
#[path = "../../../tarpit-proto/tests/it/talks.rs"]
mod talks;
mod terminal;
mod tidy;
mod tls;
mod top;
mod trace;
mod tutorial;
mod upgrade;
mod web_servers;
mod word_servers;
mod workers;
