//! `tarpitd report`: figures, damage, memory.

use std::{
    fs::{self, File},
    io::{BufWriter, Write as _},
    process::{Command, Output, Stdio},
};

use serde_json::Value;

use crate::{
    daemon::{Client, Daemon, Directory, tarpitd},
    made_trace::MadeTrace,
    require::require,
};

/// One line of a client, which has the number of its session in its address, too. `end`: further
/// keys, with a comma in front.
pub(crate) fn line(time: u64, event: &str, pattern: &str, session: u32, end: &str) -> String {
    format!(
        "{{\"time\":{time},\"event\":\"{event}\",\"name\":\"a\",\"pattern\":\"{pattern}\",\
         \"conn_info\":{{\"peername\":[\"192.0.2.{session}\",1],\"sockname\":[\"::\",2]}},\
         \"meta\":null,\"session\":\"{session}\"{end}}}\n"
    )
}

/// Runs the report with these arguments, and `input` on standard input.
fn report(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = tarpitd();
    command.arg("report").args(arguments).env("LC_ALL", "C.UTF-8");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    // A report that fails early does not read all.
    let _ = child.stdin.take().expect("a pipe").write_all(input);
    child.wait_with_output().expect("it ends")
}

/// The figures, of which nothing was said and nothing refused.
#[track_caller]
fn figures(arguments: &[&str]) -> Value {
    let output = report(&[&["--json"], arguments].concat(), b"");
    let (said, code) = (String::from_utf8_lossy(&output.stderr), output.status.code());
    assert_eq!((&*said, code), ("", Some(0)));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn said(output: &Output) -> Vec<String> {
    String::from_utf8_lossy(&output.stderr).lines().map(str::to_owned).collect()
}

/// So many clients' lines.
fn made(clients: u64) -> Vec<u8> {
    let mut lines = Vec::new();
    MadeTrace::new().write(&mut lines, clients).expect("memory");
    lines
}

fn write(directory: &Directory, name: &str, bytes: &[u8]) -> String {
    let path = directory.path(name);
    fs::write(&path, bytes).expect("written");
    path
}

/// What a program makes of a file.
fn made_by(program: &str, arguments: &[&str], path: &str) -> Vec<u8> {
    let output = Command::new(program).args(arguments).arg(path).output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

#[test]
fn the_figures_are_those_of_jq() {
    if !require("jq") {
        return;
    }
    let directory = Directory::new("jq");
    let path = write(&directory, "trace.jsonl", &made(8_000));
    let figures = figures(&["--top", "5", &path]);
    let jq = |program: &str| -> Value {
        serde_json::from_slice(&made_by("jq", &["-cs", program], &path)).expect("JSON")
    };
    for (program, pointer) in [
        ("map(select(.event == \"open\")) | length", "/clients/held"),
        ("length", "/trace/lines"),
        ("map(.sent // 0) | add", "/sent"),
        ("map(.received // 0) | add", "/received"),
        (
            "map(select(.event == \"open\")) | unique_by(.conn_info.peername[0]) | length",
            "/addresses/distinct",
        ),
        (
            "map(select(.event == \"open\") | .conn_info.peername[0]) | group_by(.) \
             | map(length) | max",
            "/addresses/rows/0/count",
        ),
        (
            "map(select(.event == \"open\") | .conn_info.peername[0] | split(\".\")[0:3] \
             | join(\".\") + \".0/24\") | group_by(.) | sort_by(-length) | .[0][0]",
            "/networks/rows/0/name",
        ),
    ] {
        assert_eq!(figures.pointer(pointer), Some(&jq(program)), "{program}");
    }
    let table = |fact: &str| {
        let facts = figures["facts"].as_array().expect("an array");
        facts.iter().find(|it| it["fact"] == fact).expect("it was learnt").clone()
    };
    for fact in ["user", "ssh_ident", "method"] {
        let program = format!(
            "map(.meta.{fact}? // empty) | group_by(.) | map({{n: .[0], c: length}}) \
             | sort_by([-.c, .n]) | .[0:5]"
        );
        let ours: Vec<_> = table(fact)["rows"]
            .as_array()
            .expect("rows")
            .iter()
            .map(|row| serde_json::json!({ "n": row["name"], "c": row["count"] }))
            .collect();
        assert_eq!(Value::from(ours), jq(&program), "{fact}");
    }
    // Who was closed was held for the duration, who was not until the last line.
    let held = jq("(map(.duration // 0) | add) as $closed | (map(.time) | max) as $last \
         | (map(select(.event == \"close\") | .session)) as $gone \
         | $closed + (map(select(.event == \"open\")) | map({(.session): .time}) | add \
         | to_entries | map(select(.key as $it | $gone | index([$it]) | not)) \
         | map($last - .value) | add)");
    let (ours, theirs) = (figures["held_seconds"].as_f64(), held.as_f64());
    let (ours, theirs) = (ours.expect("a number"), theirs.expect("a number"));
    assert!((ours - theirs).abs() < 0.1, "{ours} {theirs}");
    let by_hour: f64 = figures["hours"]
        .as_array()
        .expect("hours")
        .iter()
        .map(|hour| hour["held_seconds"].as_f64().expect("a number"))
        .sum();
    assert!((ours - by_hour).abs() < 0.1, "{ours} {by_hour}");
}

#[test]
fn rotated_compressed_overlapping_and_repeated_files_are_one_trace() {
    let directory = Directory::new("rotated");
    let all = made(6_000);
    let whole = write(&directory, "whole.jsonl", &all);
    let wanted = figures(&[&whole]);
    let cut =
        |at: usize| at + all[at..].iter().position(|byte| *byte == b'\n').expect("a line") + 1;
    let (first, second) = (cut(all.len() / 3), cut(2 * all.len() / 3));
    let one = write(&directory, "trace.jsonl.2", &all[..first]);
    let two = write(&directory, "trace.jsonl.1", &all[first..second]);
    let three = write(&directory, "trace.jsonl", &all[second..]);
    let zipped = write(&directory, "trace.jsonl.2.gz", &made_by("gzip", &["-c"], &one));
    let again = write(
        &directory,
        "trace.jsonl.3.gz",
        &[&made_by("gzip", &["-c"], &two)[..], &made_by("gzip", &["-c"], &three)].concat(),
    );
    let mut packed = zipped.clone();
    if require("zstd") {
        packed = write(&directory, "trace.jsonl.2.zst", &made_by("zstd", &["-qc"], &one));
    }
    // Whatever the order, and whether or not a part is there twice.
    let lines = |figures: &Value| figures["trace"]["lines"].clone();
    for files in [
        &[&three, &one, &two][..],
        &[&zipped, &two, &three],
        &[&packed, &again],
        &[&whole, &one, &again, &packed],
    ] {
        let files: Vec<_> = files.iter().map(|path| path.as_str()).collect();
        let mut ours = figures(&files);
        assert_eq!(lines(&ours), lines(&wanted), "{files:?}");
        let repeated = ours["trace"]["repeated"].as_u64().expect("a number");
        assert_eq!(repeated > 0, files.contains(&&*whole), "{files:?}");
        ours["trace"] = wanted["trace"].clone();
        assert_eq!(ours, wanted, "{files:?}");
    }
    let output = report(&["--json", &three, &three], b"");
    assert_eq!(said(&output), [format!("tarpitd: {three}: named twice, read once")]);
    assert_eq!(report(&["--json", "-"], &all).stdout, report(&["--json", &whole], b"").stdout);
}

#[test]
fn damage_is_named_and_the_rest_is_read() {
    let directory = Directory::new("damage");
    let all = String::from_utf8(made(50)).expect("text");
    let mut lines: Vec<_> = all.lines().map(|line| line.as_bytes().to_vec()).collect();
    let count = lines.len();
    let long = vec![b'x'; 3_000_000];
    let torn = lines[7][..80].to_vec();
    for (at, rubbish) in [
        (3, &b"\x00\xFF\xFE rubbish"[..]),
        (5, b"{}"),
        (8, &torn),
        (9, &long),
        (11, b"{\"time\":-1,\"event\":\"open\",\"name\":\"\",\"pattern\":\"\",\"conn_info\":{}}"),
        (13, b"[[[[[[[["),
        (15, b"18:52:13 127.0.0.1:42746 ssh: opened"),
    ] {
        lines.insert(at, rubbish.to_vec());
    }
    let mut text = lines.join(&b'\n');
    text.extend(b"\n{\"time\":1790000000.1,\"eve");
    let path = write(&directory, "trace.jsonl", &text);
    let output = report(&["--json", &path], b"");
    let figures: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(figures["trace"]["lines"], count);
    assert_eq!(figures["trace"]["damaged"], 7);
    assert_eq!(output.status.code(), Some(0));
    let said = said(&output);
    let at = |line: usize| format!("tarpitd: {path}:{line}: not a line of a trace: ");
    assert_eq!(said[0], at(4) + "no JSON from column 1 on");
    assert_eq!(said[1], at(6) + "missing field `time`");
    assert_eq!(said[2], at(9) + "it ends too early");
    assert_eq!(said[3], at(10) + "it is longer than 1 MiB");
    assert!(said[4].starts_with(&at(12)), "{said:?}");
    let last = count + 8;
    assert_eq!(
        said[5],
        format!("tarpitd: {path}:{last}: the last line has no end and is left out")
    );
    assert_eq!(said[6..], ["tarpitd: 2 more lines: not a line of a trace"]);
}

#[test]
fn files_that_end_early_or_cannot_be_read_do_not_hide_the_others() {
    let directory = Directory::new("broken");
    let path = write(&directory, "trace.jsonl", &made(2_000));
    let zipped = made_by("gzip", &["-c"], &path);
    let half = write(&directory, "half.gz", &zipped[..zipped.len() / 2]);
    let gone = directory.path("gone.jsonl");
    let folder = directory.path(".");
    let output = report(&["--json", &half, &gone, &folder, &path], b"");
    let said = said(&output);
    assert_eq!(said.len(), 3, "{said:?}");
    let wanted =
        format!("tarpitd: {gone}: cannot be read: No such file or directory; check its name");
    assert_eq!(said[0], wanted);
    assert!(said[1].contains(": cannot be read: it is a directory"), "{said:?}");
    assert!(said[2].starts_with(&format!("tarpitd: {half}: the compressed data end")), "{said:?}");
    assert_eq!(output.status.code(), Some(1), "the system refused a file");
    let figures: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(figures["clients"]["held"], 2_000);
    // A path without a name of its own, too.
    assert_eq!(report(&[".."], b"").status.code(), Some(1));
    // Half of a file is damage, and no refusal.
    assert_eq!(report(&[&half], b"").status.code(), Some(0));
    assert_eq!(report(&[&gone], b"").status.code(), Some(1));
    assert_eq!(report(&[], b"").status.code(), Some(2));
    assert_eq!(report(&["--since", "yesterday", &path], b"").status.code(), Some(2));
}

#[test]
fn a_window_without_any_time_is_a_usage_error() {
    let directory = Directory::new("no-window");
    let path = write(&directory, "trace.jsonl", &made(2));
    for (since, until) in [
        ("2h", "3h"),
        ("2026-11-01", "2026-11-01"),
        ("2026-11-30", "2026-11-01"),
        ("9999-12-31T23:59:59Z", "0"),
    ] {
        let output = report(&["--since", since, "--until", until, &path], b"");
        let [line] = &said(&output)[..] else { panic!("{output:?}") };
        assert!(line.starts_with("tarpitd: --until must be later than --since"), "{line}");
        assert_eq!(output.status.code(), Some(2));
    }
    // No time is too far away, in either direction.
    for window in [
        ["--since", "18446744073709551615s"],
        ["--since", "30500568904943w"],
        ["--until", "253402300799"],
        ["--since", "1e11"],
        ["--until", "1e-9"],
    ] {
        let output = report(&[&window[..], &["--top", "10000", &path]].concat(), b"");
        assert!(matches!(output.status.code(), Some(0 | 2)), "{window:?}: {output:?}");
    }
}

#[test]
fn a_file_that_is_no_trace_is_an_error() {
    let directory = Directory::new("no-trace");
    let no_trace = write(&directory, "a.toml", b"[tarpits.a]\npattern = 'ssh'\n");
    let trace = write(&directory, "trace.jsonl", &made(2));
    let empty = write(&directory, "empty.jsonl", b"");
    for (paths, code) in [
        (&[&*no_trace][..], 1),
        (&[&no_trace, &empty], 1),
        (&[&no_trace, &trace], 0),
        (&[&empty], 0),
    ] {
        for form in [&["--json"][..], &["--html", "-"], &[]] {
            let output = report(&[form, paths].concat(), b"");
            assert_eq!(output.status.code(), Some(code), "{paths:?} {output:?}");
            let is_told =
                said(&output).iter().any(|line| line.contains("no line of a trace in all"));
            assert_eq!(is_told, code == 1, "{output:?}");
        }
    }
}

#[test]
fn time_outside_of_the_window_does_not_count() {
    let directory = Directory::new("window");
    let line = |time, event, session, end: &str| line(time, event, "endlessh", session, end);
    let close = |duration: u64| format!(",\"duration\":{duration},\"reason\":\"left\"");
    let text = [
        line(1_000, "open", 1, ""),
        line(1_500, "close", 9, &close(1_400)),
        line(2_000, "open", 2, ""),
        line(4_000, "close", 1, &close(3_000)),
        line(6_000, "close", 2, &close(3_900)),
        line(7_000, "open", 3, ""),
        line(8_000, "open", 4, ""),
    ];
    let path = write(&directory, "trace.jsonl", text.concat().as_bytes());
    for (arguments, held, clients, before, still, at_once) in [
        (&[][..], 1_400 + 3_000 + 3_900 + 1_000, 5, 1, 2, (500 + 3_000 + 3_900 + 1_000, 7_000)),
        (&["--since", "1970-01-01T00:50:00Z"], 1_000 + 2_900 + 1_000, 4, 2, 2, (4_900, 5_000)),
        (&["--until", "3000"], 1_400 + 2_000 + 1_000, 3, 1, 0, (3_500, 2_000)),
        (&["--since", "3000", "--until", "5000"], 1_000 + 2_000, 2, 2, 0, (3_000, 2_000)),
    ] {
        let figures = figures(&[arguments, &[&path]].concat());
        assert_eq!(figures["held_seconds"], f64::from(held), "{arguments:?}");
        let of = &figures["clients"];
        assert_eq!(
            (&of["held"], &of["before"]),
            (&clients.into(), &before.into()),
            "{arguments:?}"
        );
        assert_eq!(of["still"], still, "{arguments:?}");
        // Time held before the first line is that of a longer trace.
        let (within, span) = at_once;
        assert_eq!(figures["held_at_once"], f64::from(within) / f64::from(span), "{arguments:?}");
    }
}

#[test]
fn a_trace_that_begins_with_an_end_has_no_hour_before_it() {
    let directory = Directory::new("first");
    let line = "{\"time\":90000.5,\"event\":\"close\",\"name\":\"a\",\"pattern\":\"endlessh\",\
                \"conn_info\":{\"peername\":[\"192.0.2.1\",1],\"sockname\":[\"::\",2]},\
                \"meta\":null,\"session\":\"1\",\"duration\":86400,\"reason\":\"left\"}\n";
    let figures = figures(&[&write(&directory, "trace.jsonl", line.as_bytes())]);
    assert_eq!(figures["held_seconds"], 86_400.0);
    assert_eq!(figures["held_at_once"], 0.0);
    assert_eq!(figures["hours"].as_array().map(Vec::len), Some(0), "{}", figures["hours"]);
}

#[test]
fn a_client_that_is_still_there_has_the_protocol_that_a_line_says() {
    let directory = Directory::new("present");
    let line = |time, event, session, end| line(time, event, "auto", session, end);
    let text = [
        line(1_000, "open", 1, ""),
        line(1_001, "open", 2, ""),
        line(1_002, "validate", 1, ",\"protocol\":\"http\""),
        line(1_003, "open", 3, ""),
        line(1_004, "learn", 3, ",\"protocol\":\"tls\""),
        line(1_005, "learn", 3, ",\"protocol\":\"http\""),
    ];
    let figures = figures(&[&write(&directory, "trace.jsonl", text.concat().as_bytes())]);
    let rows = figures["protocols"].as_array().expect("rows").iter();
    let rows: Vec<_> = rows.map(|row| (row["name"].as_str(), row["count"].as_u64())).collect();
    assert_eq!(rows, [(Some("http"), Some(2)), (Some("any"), Some(1))]);
}

#[test]
fn a_daemon_s_own_trace_is_reported() {
    let directory = Directory::new("own");
    let path = directory.path("trace.jsonl");
    let daemon = Daemon::start(&["-s", "ssh:127.0.0.1:0", "-t", &path], 1);
    for _ in 0..3 {
        let mut client = Client::of(daemon.addresses[0]);
        client.0.write_all(b"SSH-2.0-\x1b[2Jevil\r\n").expect("sent");
        client.hear();
    }
    drop(daemon.stop());
    let output = report(&[&path], b"");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.starts_with("tarpitd held "), "{text}");
    assert!(text.contains(" of our CPU time.\n"), "{text}");
    assert!(text.contains("3 clients from 1 address in 1 network"), "{text}");
    assert!(!text.contains('\x1b'), "{text}");
    assert_eq!(said(&report(&[&path], b"")), [""; 0]);
}

/// The most memory that a child had at once, in bytes.
fn peak(mut command: Command) -> u64 {
    let mut child = command.stdout(Stdio::null()).spawn().expect("it runs");
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().expect("ours").is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        peak = peak.max(kib.unwrap_or(0) * 1024);
        std::thread::yield_now();
    }
    peak
}

#[test]
fn memory_has_a_bound_whatever_the_number_of_addresses() {
    let directory = Directory::new("memory");
    let path = directory.path("trace.jsonl");
    let mut file = BufWriter::new(File::create(&path).expect("made"));
    // More addresses, and more clients that never leave, than there is room for.
    let all = 1_000_000_u64;
    for client in 0..all {
        let (a, b) = (client >> 8, (client & 0xFF) << 8);
        writeln!(
            file,
            "{{\"time\":{}.5,\"event\":\"open\",\"name\":\"a\",\"pattern\":\"endlessh\",\"conn_info\":\
             {{\"peername\":[\"2001:db8:{a:x}:{b:x}::1\",1],\"sockname\":[\"::\",2]}},\"meta\":null,\
             \"session\":\"{client:x}\"}}",
            1_790_000_000 + client / 100,
        )
        .expect("written");
    }
    file.flush().expect("written");
    let mut command = tarpitd();
    command.args(["report", "--json", &path]);
    let peak = peak(command);
    assert!((20_000_000..=200_000_000).contains(&peak), "{peak}");
    let figures = figures(&[&path]);
    assert_eq!(figures["clients"]["held"], all);
    let networks = figures["networks"]["distinct"].as_u64().expect("a number");
    // Clients that are not followed and never end are in no table.
    let followed = all - figures["clients"]["unfollowed"].as_u64().expect("a number");
    assert!(followed > 900_000 && networks.abs_diff(followed) < all / 30, "{networks}");
    assert!(figures["networks"]["too_low_by"].as_u64() > Some(0));
}
