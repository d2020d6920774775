//! What metrics cost: memory, and time with a crowd.

use std::{fs, net::Ipv4Addr, sync::PoisonError, time::Duration};

use super::{page, samples};
use crate::{
    clock::now,
    crowd::ONE_AT_A_TIME,
    daemon::{Client, Daemon, Directory, until},
    require::{open_many_files, require_files},
};

/// The tarpits of the built-in default, on ports that the kernel chooses.
fn tarpits() -> String {
    let patterns = ["ssh", "http", "tls", "smtp", "ftp", "telnet"];
    let tarpit =
        |pattern| format!("[tarpits.{pattern}]\npattern = '{pattern}'\nbind = '127.0.0.1:0'\n");
    patterns.map(tarpit).concat()
}

fn threads(daemon: &Daemon) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.pid().as_raw_nonzero()));
    let tasks = tasks.expect("it is running").flatten();
    let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).ok();
    tasks.filter_map(name).map(|name| name.trim().to_owned()).collect()
}

#[test]
fn an_idle_daemon_takes_two_megabytes_and_with_all_surfaces_four() {
    const PAGES: u64 = 64 * 1_024;

    let directory = Directory::new("metrics-memory");
    let without = directory.file("without.toml", &tarpits());
    let all = "[metrics]\nbind = '127.0.0.1:0'\ncompat = 'endlessh-go'\ntop_clients = 500\n";
    let with = directory.file("with.toml", &(tarpits() + all));
    let without = Daemon::start(&["-c", &without], 6);
    let with = Daemon::start(&["-c", &with], 7);
    for _ in 0..20 {
        samples(with.addresses[6]);
    }
    let is_there = |daemon: &Daemon| threads(daemon).iter().any(|name| name == "admin");
    assert!(is_there(&with) && !is_there(&without));
    let (less, more) = (without.private(), with.private());
    eprintln!("idle: {less} bytes without metrics, {more} with them");
    assert!(less <= 2_000_000 + PAGES, "{less} bytes without metrics");
    assert!(more <= 4_000_000 + PAGES, "{more} bytes with metrics");
}

#[test]
fn ten_thousand_addresses_make_no_series_and_a_scrape_takes_a_moment() {
    const CROWD: usize = 10_000;
    const TOP: usize = 100;

    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let size = if require_files(CROWD + 800) { CROWD } else { open_many_files() - 800 };
    let directory = Directory::new("metrics-crowd");
    let text = format!(
        "[tarpits.a]\npattern = 'endless_banner'\nbind = '127.0.0.1:0'\nmax_clients = 0\n\
         [limits]\nper_address = 0\nper_prefix = 0\n\
         [metrics]\nbind = '127.0.0.1:0'\ncompat = 'endlessh-go'\ntop_clients = {TOP}\n"
    );
    let daemon = Daemon::start(&["-c", &directory.file("tarpitd.toml", &text)], 2);
    let [tarpit, address] = daemon.addresses[..] else { panic!("two ports") };
    let series = samples(address).len();
    let mut crowd = Vec::with_capacity(size);
    let held = "tarpitd_clients_held{tarpit=\"a\"}";
    while crowd.len() < size {
        let next = crowd.len()..size.min(crowd.len() + 2_000);
        crowd.extend(next.map(|number| {
            let [.., high, low] = number.to_be_bytes();
            Client::from_to(Ipv4Addr::new(127, 1 + high, low, 9), tarpit)
        }));
        let all = f64::from(u32::try_from(crowd.len()).expect("thousands"));
        until("all of them", || samples(address).get(held) == Some(&all));
    }
    let now_there = samples(address);
    let of_addresses = now_there.keys().filter(|name| name.contains("{ip=")).count();
    assert_eq!((now_there.len() - of_addresses, of_addresses), (series, 2 * TOP));
    let mut times: Vec<Duration> = (0..20)
        .map(|_| {
            let start = now();
            page(address, "*/*");
            start.elapsed()
        })
        .collect();
    times.sort();
    eprintln!("a scrape takes {:?}, at most {:?}", times[10], times[19]);
    // The middle one: whatever else runs on this machine may hold up one of them.
    assert!(times[10] < Duration::from_millis(50), "{times:?}");
}
