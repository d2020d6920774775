//! Caps: a client above one is reset, with an event that names it.

use crate::{
    clock::{now, pause},
    daemon::{Client, Daemon, Directory, Over, processor_time, tarpitd},
    require::is_long,
};

/// A daemon with one tarpit and these lines for it, and these limits.
fn limited(name: &str, tarpit: &str, limits: &str) -> (Daemon, Directory) {
    let directory = Directory::new(name);
    let path = directory.file(
        "c.toml",
        &format!(
            "[tarpits.a]\npattern = \"endless_banner\"\nclient_trace = true\n{tarpit}\n\
             bind = [{{ host = \"127.0.0.1\", port = 0 }}]\n[limits]\n{limits}\n"
        ),
    );
    (Daemon::start(&["-c", &path], 1), directory)
}

#[test]
fn one_address_that_takes_all_places_cannot_keep_others_out() {
    let limits = "clients = 60\nper_address = 0\nper_prefix = 0";
    let (mut daemon, _directory) = limited("noisy", "", limits);
    let mut noisy: Vec<_> = (0..60).map(|_| daemon.connect()).collect();
    for client in &mut noisy {
        client.hear();
    }
    // Its own further clients get nobody's place.
    for _ in 0..200 {
        daemon.refuses();
    }
    let mut quiet: Vec<_> =
        (1..=20).map(|n| Client::from_to([127, 0, n, 1].into(), daemon.addresses[0])).collect();
    for client in &mut quiet {
        client.hear();
    }
    let evicted = daemon.trace_has("close");
    assert_eq!(evicted["reason"], "evicted");
    assert_eq!(evicted["conn_info"]["peername"][0], "127.0.0.1");
    daemon.signal(rustix::process::Signal::USR1);
    let totals = daemon.log_has("totals");
    assert!(totals.contains("held=60 opened=80 refused=200"), "{totals}");
}

#[test]
fn the_oldest_goes_where_that_is_the_policy() {
    let (mut daemon, _directory) =
        limited("oldest", "rate_limit = 64\nmax_clients = 2", "evict = \"oldest\"");
    let mut first = daemon.connect();
    first.hear();
    // Moments are kept to a hundredth of a second.
    let met = daemon.trace_has("open")["session"].clone();
    pause(std::time::Duration::from_millis(30));
    let mut second = daemon.connect();
    second.hear();
    pause(std::time::Duration::from_millis(30));
    daemon.connect().hear();
    first.is_reset();
    let close = daemon.trace_has("close");
    assert_eq!((&close["reason"], &close["session"]), (&"evicted".into(), &met));
    second.hear();
}

#[test]
fn an_allowed_address_is_closed_with_a_fin_and_a_denied_one_with_a_reset() {
    let directory = Directory::new("access");
    let path = directory.file(
        "c.toml",
        "[tarpits.a]\npattern = \"endless_banner\"\nclient_trace = true\n\
         bind = [{ host = \"127.0.0.1\", port = 0 }]\n\
         [access]\nallow = [\"127.0.0.2\"]\ndeny = [\"127.0.3.0/24\"]\n",
    );
    let mut daemon = Daemon::start(&["-c", &path], 1);
    let mut allowed = Client::from_to([127, 0, 0, 2].into(), daemon.addresses[0]);
    let end = std::io::Read::read(&mut allowed.0, &mut [0; 16]).expect("a goodbye, not a reset");
    assert_eq!(end, 0);
    assert_eq!(daemon.trace_has("refuse")["meta"]["reason"], "allowed");
    Client::from_to([127, 0, 3, 9].into(), daemon.addresses[0]).is_reset();
    assert_eq!(daemon.trace_has("refuse")["meta"]["reason"], "denied");
    Client::from_to([127, 0, 0, 3].into(), daemon.addresses[0]).hear();
}

fn is_capped_at_3(mut daemon: Daemon, reason: &str) {
    let mut held: Vec<_> = (0..3).map(|_| daemon.connect()).collect();
    for client in &mut held {
        client.hear();
    }
    daemon.refuses();
    let refusal = daemon.trace_has("refuse");
    assert_eq!(refusal["meta"]["reason"], reason);
    assert!(refusal["conn_info"]["peername"][1].is_u64());
    // A client that leaves makes room once this is noticed; those held are not disturbed.
    drop(held.pop());
    for client in &mut held {
        client.hear();
    }
    daemon.trace_has("close");
    daemon.connect().hear();
}

#[test]
fn who_leaves_while_nothing_may_be_sent_frees_its_place_all_the_same() {
    let limits = "egress_per_day = 1000";
    let (mut daemon, _directory) = limited("leaving", "rate_limit = 0", limits);
    let _greedy = daemon.connect();
    daemon.log_has("egress limit reached");
    let leaving = daemon.connect();
    daemon.trace_has("open");
    daemon.trace_has("open");
    drop(leaving);
    let close = daemon.trace_has("close");
    assert_eq!(close["reason"], "reset");
}

#[test]
fn a_port_has_a_cap() {
    let (daemon, _directory) =
        limited("port", "rate_limit = 64\nmax_clients = 3", "evict = \"refuse\"");
    is_capped_at_3(daemon, "max_clients");
}

#[test]
fn all_together_have_a_cap() {
    let (daemon, _directory) = limited("all", "rate_limit = 64", "clients = 3\nevict = \"refuse\"");
    is_capped_at_3(daemon, "clients");
}

#[test]
fn an_address_has_a_cap() {
    let (daemon, _directory) = limited("address", "rate_limit = 64", "per_address = 3");
    is_capped_at_3(daemon, "per_address");
}

#[test]
fn a_prefix_has_a_cap() {
    let (daemon, _directory) = limited("prefix", "rate_limit = 64", "per_prefix = 3");
    is_capped_at_3(daemon, "per_prefix");
}

#[test]
fn what_may_be_sent_in_a_day_ends_in_silence_and_not_in_a_goodbye() {
    let (mut daemon, _directory) = limited("day", "rate_limit = 0", "egress_per_day = 100000");
    let mut client = daemon.connect();
    let mut got = 0;
    while got < 100_000 {
        got += client.hear().len();
    }
    assert_eq!(got, 100_000);
    daemon.log_has("egress limit reached");
    // Held all the same.
    let mut other = daemon.connect();
    let short = std::time::Duration::from_millis(300);
    other.0.set_read_timeout(Some(short)).expect("a bound");
    let silence = std::io::Read::read(&mut other.0, &mut [0; 16]).expect_err("silence");
    assert_eq!(silence.kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn what_may_be_sent_in_a_second_is_sent_in_each() {
    const EGRESS: f64 = 20_000.0;
    let clock = now;
    let (daemon, _directory) = limited("second", "rate_limit = 0", "egress = 20000");
    let start = clock();
    let mut client = daemon.connect();
    let mut got = 0;
    while start.elapsed().as_secs() < 4 {
        got += client.hear().len();
    }
    // What a second brings may have been saved up before.
    let budget = EGRESS * (start.elapsed().as_secs_f64() + 1.0);
    let got = f64::from(u32::try_from(got).unwrap_or(u32::MAX));
    assert!((3.0 * EGRESS..=1.25 * budget).contains(&got), "{got} of {budget}");
}

#[test]
fn a_process_that_may_open_no_more_files_says_so_and_holds_whom_it_has() {
    let directory = Directory::new("files");
    // Without a cap of ours, so that it is accept itself that runs out.
    let config = directory.file(
        "c.toml",
        "[tarpits.a]\npattern = \"endless_banner\"\nrate_limit = 64\n\
         bind = [{ host = \"127.0.0.1\", port = 0 }]\n[limits]\nclients = 0\n",
    );
    let program = tarpitd().get_program().to_string_lossy().into_owned();
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &format!("ulimit -n 60; exec '{program}' -c '{config}'")]);
    command.stdin(std::process::Stdio::null());
    let mut daemon = Daemon::spawn(command, 1);
    let mut first = daemon.connect();
    first.hear();
    let crowd: Vec<_> = (0..100).map(|_| daemon.connect()).collect();
    let line = daemon.log_has("accept paused");
    assert!(line.contains("ulimit -n"), "{line}");
    first.hear();
    // Those who wait come in as soon as others have left.
    drop(crowd);
    daemon.connect().hear();
    first.hear();
    let (_, log, status) = daemon.stop();
    assert_eq!(status.code(), Some(0));
    assert!(!log.iter().any(|line| line.contains("accept paused")), "said once: {log:?}");
}

#[test]
fn where_files_are_few_somebody_makes_room_before_they_run_out() {
    let directory = Directory::new("few_files");
    let binds = vec!["\"127.0.0.1:0\""; 30].join(", ");
    let config = directory.file(
        "c.toml",
        &format!(
            "[tarpits.a]\npattern = \"endless_banner\"\nrate_limit = 64\nclient_trace = true\n\
             bind = [{binds}]\n[limits]\nper_address = 0\nper_prefix = 0\n"
        ),
    );
    let program = tarpitd().get_program().to_string_lossy().into_owned();
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &format!("ulimit -n 120; exec '{program}' -c '{config}'")]);
    command.stdin(std::process::Stdio::null());
    let mut daemon = Daemon::spawn(command, 30);
    // 120 files, less 30 listeners and 64.
    let mut crowd: Vec<_> = (0..26).map(|_| daemon.connect()).collect();
    for client in &mut crowd {
        client.hear();
    }
    Client::from_to([127, 0, 9, 1].into(), daemon.addresses[0]).hear();
    let evicted = daemon.trace_has("close");
    assert_eq!(evicted["reason"], "evicted");
    let (_, log, _) = daemon.stop();
    assert!(!log.iter().any(|line| line.contains("accept paused")), "{log:?}");
}

#[test]
fn room_is_made_again_and_again_as_the_noisiest_change() {
    let limits = "clients = 10\nper_address = 0\nper_prefix = 0";
    let (mut daemon, _directory) = limited("wedge", "rate_limit = 64", limits);
    let connect =
        |network, host| Client::from_to([127, 0, network, host].into(), daemon.addresses[0]);
    let mut held: Vec<_> = (1..=6).map(|host| connect(1, host)).collect();
    held.extend((1..=4).map(|host| connect(2, host)));
    for client in &mut held {
        client.hear();
    }
    // Each from a network of its own, a little apart, as newcomers are.
    let mut newcomers = 0;
    for network in 10..18 {
        crate::daemon::until("room", || {
            let mut newcomer = connect(network, 1);
            let came = std::io::Read::read(&mut newcomer.0, &mut [0; 64]).is_ok_and(|n| n > 0);
            newcomers += u32::from(came);
            if came {
                held.push(newcomer);
            }
            came
        });
    }
    assert_eq!(newcomers, 8);
    daemon.signal(rustix::process::Signal::USR1);
    assert!(daemon.log_has("totals").contains("held=10 "));
}

#[test]
fn who_uses_more_of_the_processor_than_allowed_slows_down_and_recovers_by_itself() {
    let directory = Directory::new("cpu");
    let tarpit = |name: &str, rate: u8| {
        format!(
            "[tarpits.{name}]\npattern = \"endless_banner\"\nrate_limit = {rate}\n\
             bind = [{{ host = \"127.0.0.1\", port = 0 }}]\n"
        )
    };
    // So much that what is used up to the greedy one's end does not count in the next span.
    let text = tarpit("a", 0) + &tarpit("b", 1) + "[limits]\ncpu = 20\n";
    let mut daemon = Daemon::start(&["-c", &directory.file("c.toml", &text)], 2);
    let mut held = Client::of(daemon.addresses[1]);
    held.hear();
    // It takes as much as there is, until it is said that this is too much.
    let greedy = daemon.connect();
    let mut ours = greedy.0.try_clone().expect("it is a socket");
    let reader = std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while std::io::Read::read(&mut ours, &mut buffer).is_ok_and(|count| count > 0) {}
    });
    daemon.log_has("CPU use is above [limits] cpu");
    greedy.0.shutdown(std::net::Shutdown::Both).expect("it is connected");
    reader.join().expect("it ends");
    drop(greedy);
    daemon.log_has("CPU use is back below [limits] cpu");
    held.hear();
    let (_, log, _) = daemon.stop();
    assert!(!log.iter().any(|line| line.contains("CPU use")), "said once: {log:?}");
}

#[test]
fn newcomers_are_refused_while_a_storm_uses_more_of_the_processor_than_allowed() {
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    let directory = Directory::new("pressed");
    let tarpit = |name: &str, traced: bool| {
        format!(
            "[tarpits.{name}]\npattern = \"endless_banner\"\nclient_trace = {traced}\n\
             bind = [{{ host = \"127.0.0.1\", port = 0 }}]\n"
        )
    };
    let text = tarpit("a", true)
        + &tarpit("b", false)
        + "[limits]\ncpu = 1\nper_address = 0\nper_prefix = 0\n";
    let mut daemon = Daemon::start(&["-c", &directory.file("c.toml", &text)], 2);
    let (storm, is_over) = (daemon.addresses[1], &AtomicBool::new(false));
    std::thread::scope(|scope| {
        let over = Over(is_over);
        // Whatever is given up, coming and going goes on.
        scope.spawn(|| {
            while !is_over.load(Relaxed) {
                drop(std::net::TcpStream::connect(storm));
            }
        });
        daemon.log_has("CPU use is above [limits] cpu");
        if !is_long() {
            // The first of five steps, of ten seconds each.
            return;
        }
        // What becomes of one newcomer after the other, until one is treated so.
        let treats = |daemon: &mut Daemon, wanted: &str| {
            for _ in 0..300 {
                let newcomer = std::net::TcpStream::connect(daemon.addresses[0]);
                let line = loop {
                    let line = daemon.trace_line();
                    if line["event"] == "open" || line["event"] == "refuse" {
                        break line;
                    }
                };
                if line["event"] == wanted {
                    return line;
                }
                drop(newcomer);
                pause(std::time::Duration::from_millis(500));
            }
            panic!("nobody met with {wanted}");
        };
        let refused = treats(&mut daemon, "refuse");
        // Now the storm costs next to nothing: most of it waits where it is not looked at.
        let used = processor_time(&daemon);
        pause(std::time::Duration::from_secs(3));
        let spent = processor_time(&daemon).saturating_sub(used);
        drop(over);
        assert!(spent < std::time::Duration::from_millis(300), "{spent:?} of three seconds");
        assert_eq!(refused["meta"]["reason"], "cpu");
        treats(&mut daemon, "open");
    });
}
