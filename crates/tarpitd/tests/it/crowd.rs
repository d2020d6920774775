//! Thousands held at once: what each costs, and how fast they are closed.

use std::{net::Ipv4Addr, sync::Mutex, time::Duration};

use crate::{
    clock::now,
    daemon::{Client, Daemon, Directory, Over},
    require::{open_many_files, require_files},
};

/// Two crowds together would need more files than there are.
pub(crate) static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

#[test]
fn nineteen_thousand_from_a_hundred_addresses_cost_a_hundred_bytes_each_and_end_in_two_seconds() {
    holds_a_crowd("crowd", |number| [127, 1, 0, 1 + (number % 100) as u8].into());
}

#[test]
fn nineteen_thousand_networks_cost_no_more() {
    holds_a_crowd("strangers", |number| {
        let [.., high, low] = number.to_be_bytes();
        // Of each /24 one address.
        [127, high, low, 2].into()
    });
}

/// How many are held.
const CROWD: usize = 19_000;

/// How many come before their lines are waited for.
const PORTION: usize = 4_000;

fn holds_a_crowd(name: &str, source: impl Fn(usize) -> Ipv4Addr) {
    // What one crowd proves the other's failure does not touch.
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    // As many as a busy server holds, or else as the machine of the test allows.
    let size = if require_files(CROWD + 800) { CROWD } else { open_many_files() - 800 };
    let directory = Directory::new(name);
    let trace = directory.path("trace.jsonl");
    let path = directory.file(
        "c.toml",
        &format!(
            "[tarpits.a]\npattern = \"endless_banner\"\nclient_trace = true\nmax_clients = 0\n\
             bind = [{{ host = \"127.0.0.1\", port = 0 }}]\n\
             [limits]\nper_address = 0\nper_prefix = 0\n\
             [logging]\nclient_trace = \"{trace}\"\n"
        ),
    );
    let daemon = Daemon::start(&["-c", &path], 1);
    // Warm, so that what the first client costs once is not counted for all.
    daemon.connect().hear();
    let before = daemon.private();
    let mut crowd = Vec::with_capacity(size);
    while crowd.len() < size {
        let many = (size - crowd.len()).min(PORTION);
        let clients = crowd.len()..crowd.len() + many;
        crowd.extend(clients.map(|number| Client::from_to(source(number), daemon.addresses[0])));
        // Lines that a busy machine has yet to write are no part of what a client costs.
        crate::daemon::file_gets(&trace, |text| text.lines().count() > crowd.len());
    }
    let each = (daemon.private() - before) / size as u64;
    let start = now();
    let (_, log, status) = daemon.stop();
    let took = start.elapsed();
    assert_eq!(status.code(), Some(0), "{log:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    let text = std::fs::read_to_string(&trace).expect("the trace");
    let closed = text.lines().filter(|line| line.contains("\"event\":\"close\"")).count();
    assert_eq!(closed, size + 1);
    eprintln!("{each} bytes for each of {size}");
    assert!(each <= 100, "{each} bytes for each of {size}");
    drop(crowd);
}

#[test]
fn an_address_with_five_thousand_connections_keeps_nobody_out_for_a_second() {
    const PLACES: usize = 5_000;
    const NEWCOMERS: u8 = 20;

    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if !require_files(PLACES + 1_000) {
        return;
    }
    let directory = Directory::new("hog");
    let trace = directory.path("trace.jsonl");
    let path = directory.file(
        "c.toml",
        &format!(
            "[tarpits.a]\npattern = \"endless_banner\"\nclient_trace = true\nmax_clients = 0\n\
             bind = [{{ host = \"127.0.0.1\", port = 0 }}]\n\
             [limits]\nclients = {PLACES}\nper_address = 0\nper_prefix = 0\n\
             [logging]\nclient_trace = \"{trace}\"\n"
        ),
    );
    let daemon = Daemon::start(&["-c", &path], 1);
    let mut hog = Vec::with_capacity(PLACES);
    while hog.len() < PLACES {
        hog.extend((0..500).map(|_| Client::from_to([127, 7, 7, 7].into(), daemon.addresses[0])));
        crate::daemon::file_gets(&trace, |text| text.lines().count() >= hog.len());
    }
    // It is not content with what it has, while others come.
    let (address, done) = (daemon.addresses[0], std::sync::atomic::AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                // It is refused, perhaps before the call returns.
                if let Ok(stream) = std::net::TcpStream::connect(address) {
                    let _ = std::io::Read::read(&mut &stream, &mut [0; 64]);
                }
            }
        });
        let _over = Over(&done);
        for number in 1..=NEWCOMERS {
            let start = now();
            let mut newcomer = Client::from_to([127, 8, number, 1].into(), address);
            let first = newcomer.0.set_read_timeout(Some(Duration::from_secs(2)));
            first.expect("a bound");
            let came = std::io::Read::read(&mut newcomer.0, &mut [0; 64]);
            let took = start.elapsed();
            assert!(came.is_ok_and(|count| count > 0) && took < Duration::from_secs(1), "{took:?}");
            hog.push(newcomer);
        }
    });
    let (_, log, status) = daemon.stop();
    assert_eq!(status.code(), Some(0), "{log:?}");
    let text = std::fs::read_to_string(&trace).expect("the trace");
    let with = |words: [&str; 2]| {
        text.lines().filter(|line| words.iter().all(|word| line.contains(word))).count()
    };
    // Each eviction and each refusal is a line that says why.
    assert!(with(["\"reason\":\"evicted\"", "\"127.7.7.7\""]) >= usize::from(NEWCOMERS));
    assert_eq!(with(["\"reason\":\"evicted\"", "\"127.8."]), 0);
    let refused = with(["\"event\":\"refuse\"", "\"127.0.0.1\""]);
    assert_eq!(refused, with(["\"event\":\"refuse\"", "\"reason\":\"clients\""]));
}
