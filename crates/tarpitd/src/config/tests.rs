//! Tests of configurations: what a text means, or what is wrong with it, line by line.

use std::{
    collections::BTreeSet,
    num::{NonZeroU32, NonZeroU64},
    path::PathBuf,
};

use tarpit_proto::{pacer::Rate, script::Pattern};

use super::*;
use crate::settings::{
    AccessLists, Anonymize, Certificate, ClientLimit, Evict, Limits, Logging, Network, Placed,
    Settings, Sink, SocketName, Tarpit, TimeForm, TraceFormat, User,
};

/// Checks what is wrong with `text`; each line of `wanted` is a problem without the file's name.
#[track_caller]
fn check(text: &str, wanted: &str) {
    let problems = parse("x", text).expect_err("problems").problems;
    let got: Vec<_> = problems.iter().map(Problem::to_string).collect();
    let wanted: Vec<_> = wanted.trim().lines().map(|line| format!("x:{}", line.trim())).collect();
    assert!(got == wanted, "\ngot:\n{}\nwanted:\n{}", got.join("\n"), wanted.join("\n"));
}

/// Checks what is wrong with a tarpit that is well but for `line`, which is the third.
#[track_caller]
fn check_line(line: &str, wanted: &str) {
    let bind = if line.starts_with("bind") { "" } else { "bind = [{ host = '::1', port = 1 }]" };
    check(&format!("[tarpits.a]\npattern = 'endless_banner'\n{line}\n{bind}"), wanted);
}

fn settings(text: &str) -> Settings {
    parse("x", text).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn request(origin: Origin) -> Request {
    Request {
        json: false,
        origin,
        rate: None,
        client_validation: None,
        trace: None,
        level: None,
        user: None,
        pid_file: None,
        keep_going: false,
    }
}

const SOUND: &str =
    "[tarpits.a]\npattern = 'endless_banner'\nbind = [{ host = '::1', port = 1 }]\n";

fn warnings(settings: &Settings) -> Vec<String> {
    settings.warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn every_key_is_read() {
    let settings = settings(
        "workers = 3\nstate_dir = '/var/lib/tarpitd'\nuser = '65534:100'\npersona = 'debian-12'\n\
         [limits]\nclients = 1\nper_address = 2\nper_prefix = 0\negress = 4\negress_per_day = 5\n\
         handshakes_per_second = 6\ncpu = 0\n\
         evict = 'oldest'\n[access]\nallow = ['192.0.2.7', '2001:db8::/32']\ndeny = ['198.51.100.0/24']\n\
         forwarded_from = ['10.0.0.0/8']\n\
         [logging]\nmain = '<stdout>'\nlevel = 'WARNING'\nclient_trace = './x'\n\
         log_secrets = true\nlog_users = false\ntime = 'rfc3339'\nformat = 'cowrie'\nanonymize = 'prefix'\n\
         trace_per_second = 7\n\
         [tarpits.z]\npattern = 'Telnet_Login'\nrate_limit = -2\nmax_clients = 7\n\
         client_validation = false\nclient_trace = true\npersona = 'ip-camera'\npoison = true\n\
         bind = [{ host = '127.0.0.1', port = '22' }, { host = 'localhost', port = 0 }]\n\
         [tarpits.a]\npattern = 'endless_banner'\nbind = [{ host = '*', port = '80-81' }]",
    );
    assert_eq!(settings.workers.get(), 3);
    assert_eq!(settings.state_dir, Some(PathBuf::from("/var/lib/tarpitd").into()));
    assert_eq!(settings.user, Some(User::Ids { uid: 65534, gid: Some(100) }.into()));
    assert_eq!(
        settings.limits,
        Limits {
            clients: ClientLimit::AtMost(NonZeroU32::MIN).into(),
            per_address: NonZeroU32::new(2).into(),
            per_prefix: None.into(),
            egress: NonZeroU64::new(4).into(),
            egress_per_day: NonZeroU64::new(5).into(),
            handshakes_per_second: NonZeroU32::new(6).into(),
            cpu: None.into(),
            evict: Evict::Oldest,
        }
    );
    let network = |ip: &str, length| Network::of(ip.parse().unwrap(), length);
    assert_eq!(
        settings.access,
        AccessLists {
            allow: [network("192.0.2.7", 32), network("2001:db8::", 32)].into(),
            deny: [network("198.51.100.0", 24)].into(),
            forwarded_from: [network("10.0.0.0", 8)].into(),
            health: BTreeSet::new(),
        }
    );
    assert_eq!(
        settings.logging,
        Logging {
            main: Sink::Stdout.into(),
            level: Level::Warning,
            client_trace: Sink::File("./x".into()).into(),
            log_secrets: true.into(),
            log_users: false,
            format: TraceFormat::Cowrie.into(),
            time: TimeForm::Rfc3339.into(),
            anonymize: Anonymize::Prefix.into(),
            trace_per_second: NonZeroU32::new(7).into(),
            json: false,
        }
    );
    let [z, a] = &settings.tarpits[..] else { panic!("{:?}", settings.tarpits) };
    assert_eq!((z.name.as_str(), a.name.as_str()), ("z", "a"));
    assert_eq!(z.pattern.name(), "telnet_login");
    assert_eq!(z.rate, Rate::from_number(-2));
    assert_eq!(z.max_clients, NonZeroU32::new(7).into());
    assert_eq!((z.client_validation, z.client_trace), (false, true));
    assert_eq!((z.persona, z.poison), ("ip-camera", true));
    assert_eq!((a.persona, a.poison), ("debian-12", false));
    let addresses =
        |tarpit: &Tarpit| -> Vec<_> { tarpit.addresses().map(|it| it.to_string()).collect() };
    assert_eq!(addresses(z), ["127.0.0.1:22", "127.0.0.1:0", "[::1]:0"]);
    assert_eq!(addresses(a), ["0.0.0.0:80", "0.0.0.0:81", "[::]:80", "[::]:81"]);
    assert!(settings.warnings.is_empty());
}

#[test]
fn what_is_inside_tls_and_its_certificate_are_read() {
    let settings = settings(
        "[tarpits.a]\npattern = 'tls'\ninner = 'SMTP_endless_ehlo'\ncert = 'c.pem'\nkey = 'k.pem'\n\
         bind = [{ host = '::1', port = 1 }]",
    );
    let [tarpit] = &settings.tarpits[..] else { panic!("{:?}", settings.tarpits) };
    assert_eq!(tarpit.inner.map(<dyn Pattern>::name), Some("smtp_endless_ehlo"));
    let path = |path: &str| Placed::from(PathBuf::from(path));
    let files = Certificate { cert: path("c.pem"), key: path("k.pem") };
    assert_eq!(tarpit.certificate, Some(files));
    for (lines, wanted) in [
        ("cert = 'c.pem'", "`cert` needs `key`"),
        ("key = 'c.pem'", "`key` needs `cert`"),
        ("inner = 'endlessh'", "`endless_banner` has nothing inside"),
        ("passive_ports = 40000", "`endless_banner` has no data connections"),
        ("passive_address = '192.0.2.7'", "`passive_address` needs `passive_ports`"),
        ("passive_address = 'x'", "`x` is not an IPv4 address"),
        ("pattern = 'tls'\ninner = 'tls'", "`tls` cannot be inside TLS"),
        ("pattern = 'tls'\ninner = 'tls_slow_hello'", "`tls_slow_hello` cannot be inside TLS"),
    ] {
        let pattern =
            if lines.starts_with("pattern") { "" } else { "pattern = 'endless_banner'\n" };
        let text = format!("[tarpits.a]\n{pattern}{lines}\nbind = [{{ host = '::1', port = 1 }}]");
        let problems = parse("f", &text).unwrap_err().problems;
        let problems: Vec<_> = problems.iter().map(Problem::to_string).collect();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains(wanted), "{problems:?}");
    }
}

#[test]
fn ports_for_data_are_addresses_like_all_others() {
    check(
        "[tarpits.a]\npattern = 'ftp_hold'\npassive_ports = '2120-2130'\n\
         bind = [{ host = '::1', port = 2121 }]",
        "3:17: [::1]:2121 is already used by tarpit `a` at x:4:9: give one of them another port",
    );
    check(
        "[tarpits.a]\npattern = 'ftp_hold'\npassive_ports = '20000-60000'\n\
         bind = [{ host = '::1', port = 2121 }]",
        "3:17: more than 16384 addresses: listen on a few and redirect the other ports to them",
    );
}

#[test]
fn what_is_written_as_its_default_changes_nothing() {
    let unwritten = format!("{:?}", settings(SOUND));
    let mut written = 0;
    for section in sections() {
        for entry in section.entries {
            let Unset::Is(default) = entry.unset else { continue };
            let line = format!("{} = {default}\n", entry.name);
            let text = match section.title {
                "at the top of the file" => line + SOUND,
                "in [tarpits.NAME]" => SOUND.to_owned() + &line,
                "in [limits]" => format!("{SOUND}[limits]\n{line}"),
                "in [access]" => format!("{SOUND}[access]\n{line}"),
                "in [control]" => format!("{SOUND}[control]\n{line}"),
                "in [geoip]" => format!("{SOUND}[geoip]\n{line}"),
                "in [logging]" => format!("{SOUND}[logging]\n{line}"),
                "in [metrics]" => format!("{SOUND}[metrics]\n{line}"),
                "in [sandbox]" => format!("{SOUND}[sandbox]\n{line}"),
                other => panic!("{other}"),
            };
            assert_eq!(format!("{:?}", settings(&text)), unwritten, "{text}");
            written += 1;
        }
    }
    assert!(written > 9, "{written}");
}

#[test]
fn the_embedded_default_is_sound() {
    let settings =
        request(Origin::Embedded).settings().unwrap_or_else(|problems| panic!("{problems:?}"));
    assert!(settings.warnings.is_empty());
    let mut addresses = settings.tarpits.iter().flat_map(|tarpit| &tarpit.bind);
    assert!(addresses.all(|address| address.ip().is_loopback()));
    assert!(settings.tarpits.iter().all(|tarpit| tarpit.client_trace));
}

#[test]
fn the_reference_s_published_example_loads() {
    let settings = settings(
        "[tarpits]
        [tarpits.my_cool_ssh_tarpit]
        pattern = \"ssh_trans_hold\"
        client_trace = true
        client_valiation = true
        max_clients = 8152
        rate_limit = -2
        bind = [{ host = \"127.0.0.1\", port = \"2222\" }]
        [tarpits.http_tarpit]
        pattern = \"http_endless_header\"
        bind = [ { host = \"127.0.0.1\", port = \"8080\" }, { host = \"::1\", port = \"8888\" } ]
        [tarpits.tls_tarpit]
        pattern = \"tls_slow_hello\"
        rate_limit = 1
        bind = [ { host = \"127.0.0.1\", port = \"8443\" } ]
        [logging]
        client_trace = \"./client_trace.log\"",
    );
    assert_eq!(
        warnings(&settings),
        ["x:5:9: `client_valiation` is a misspelling: write `client_validation`"]
    );
    let served = |tarpit: &Tarpit| (tarpit.pattern.name(), tarpit.bind.len());
    let served: Vec<_> = settings.tarpits.iter().map(served).collect();
    assert_eq!(served, [("ssh_trans_hold", 1), ("http_endless_header", 2), ("tls_slow_hello", 1)]);
}

#[test]
fn the_reference_s_log_format_is_read_with_a_warning() {
    let settings = settings(&format!("{SOUND}[logging]\nfmt = '%(message)s'"));
    assert_eq!(
        warnings(&settings),
        ["x:5:1: `fmt` has no effect, since the log has one format: remove it, and use `level`"]
    );
}

#[test]
fn unknown_names_are_told_with_the_nearest_one() {
    check(
        &format!("worker = 2\nfrobnicate = 1\nper_prefix = 1\n[loging]\n{SOUND}"),
        "1:1: unknown key `worker`; did you mean `workers`?
         2:1: unknown key `frobnicate`; see tarpitd --manual tarpitd.toml.5
         3:1: unknown key `per_prefix`; it belongs in [limits]
         4:2: unknown key `loging`; did you mean `logging`?",
    );
    check_line("rate = 1", "3:1: unknown key `rate`; did you mean `rate_limit`?");
    check_line(
        "bind = [{ hots = '::1', host = '::1', port = 1 }]",
        "3:11: unknown key `hots`; did you mean `host`?",
    );
    check(
        "[tarpits.a]\npattern = 'endless_baner'\nbind = [{ host = '::1', port = 1 }]",
        "2:11: there is no pattern `endless_baner`: did you mean `endless_banner`?",
    );
    check(
        &format!("persona = 'windows'\n[logging]\nlevel = 'inf'\n{SOUND}"),
        "1:11: there is no persona `windows`: write one of debian-12, ip-camera, ubuntu-22.04, windows-server-2019
         3:9: there is no level `inf`: did you mean `info`?",
    );
}

#[test]
fn a_misspelt_key_is_not_missed_as_well() {
    check(
        "[tarpits.a]\npatern = 'endless_banner'\n\
         bind = [{ hots = '::1', prot = 1 }, { Host = '::1', x = 1 }]",
        "2:1: unknown key `patern`; did you mean `pattern`?
         3:11: unknown key `hots`; did you mean `host`?
         3:25: unknown key `prot`; did you mean `port`?
         3:37: `port` is missing (number, or a string with a number or a range such as `\"8000-8010\"`)
         3:39: unknown key `Host`; did you mean `host`?
         3:53: unknown key `x`; see tarpitd --manual tarpitd.toml.5",
    );
    check(
        "[tarpit.a]\npattern = 'endless_banner'",
        "1:2: unknown key `tarpit`; did you mean `tarpits`?",
    );
}

#[test]
fn both_spellings_of_a_key_are_one_too_many() {
    check_line(
        "client_validation = true\nclient_valiation = false",
        "4:1: `client_valiation` is a misspelling of `client_validation`, \
         which stands at x:3:1: remove one of them",
    );
    check_line(
        "client_valiation = true\nclient_validation = true",
        "3:1: `client_valiation` is a misspelling of `client_validation`, \
         which stands at x:4:1: remove one of them",
    );
}

#[test]
fn values_of_another_type_are_told() {
    check_line("rate_limit = 'x'", "3:14: this must be a whole number, but it is a string");
    check_line(
        "max_clients = 1.5",
        "3:15: this must be a whole number, but it is a number with a fraction",
    );
    check_line("client_trace = 1", "3:16: this must be true or false, but it is a whole number");
    let bind = "this must be a string \"HOST:PORT\", or";
    check_line(
        "bind = 22",
        &format!("3:8: {bind} an array of such strings or of tables, but it is a whole number"),
    );
    check_line(
        "bind = [22]",
        &format!("3:9: {bind} a table with `host` and `port`, but it is a whole number"),
    );
    check_line(
        "bind = [{ host = '::1', port = 22.5 }]",
        "3:32: this must be a number, or a string such as \"8000-8010\", \
         but it is a number with a fraction",
    );
    check(
        &format!("user = 1.5\n{SOUND}"),
        "1:8: this must be a name, or a number such as 65534, but it is a number with a fraction",
    );
    check("tarpits = 1", "1:11: this must be a table, but it is a whole number");
    check("[[tarpits]]", "1:1: this must be a table, but it is an array");
    check(
        &format!("limits = 1979-05-27\n{SOUND}"),
        "1:10: this must be a table, but it is a date or time",
    );
}

#[test]
fn numbers_out_of_bounds_are_told() {
    check_line("rate_limit = -86401", "3:14: -86401 is not between -86400 and 4294967295");
    check_line("max_clients = -1", "3:15: -1 is not between 0 and 4294967295");
    check_line(
        "max_clients = 99999999999999999999",
        "3:15: 99999999999999999999 is not between 0 and 4294967295",
    );
    check(&format!("workers = 257\n{SOUND}"), "1:11: 257 is not between 0 and 256");
    check(
        &format!("{SOUND}[limits]\nclients = 10000001\negress = -1"),
        "5:11: 10000001 is not between 0 and 10000000
         6:10: -1 is not between 0 and 9223372036854775807",
    );
}

#[test]
fn wrong_addresses_are_told() {
    let port = "write a number from 0 to 65535, or a range such as 8000-8010";
    check_line(
        "bind = [{ host = 'example.org', port = 70000 }, { host = '::1', port = -1 },\n\
         { host = '10.0.0.1', port = 'x' }, { host = 5 }]",
        &format!(
            "3:18: `example.org` is not an IP address: names are not looked up, \
             write an address, `localhost` or `*`
             3:40: 70000 is not between 0 and 65535
             3:72: -1 is not between 0 and 65535
             4:29: `x` is not a port: {port}
             4:36: `port` is missing (number, or a string with a number or a range such as `\"8000-8010\"`)
             4:45: this must be a string, but it is a whole number"
        ),
    );
    check_line(
        "bind = [{ host = '::', port = '20-10' }]",
        "3:31: the range 20-10 is not valid: write the lower port first, from 1 on",
    );
    check_line(
        "bind = [{ host = '::1', port = '1-9999' }, { host = '*', port = '10000-19999' }]",
        "3:44: more than 16384 addresses: listen on a few and redirect the other ports to them",
    );
}

#[test]
fn addresses_are_also_read_as_strings() {
    let bind = |bind: &str| {
        let settings = settings(&format!("[tarpits.a]\npattern = 'endlessh'\nbind = {bind}\n"));
        settings.tarpits[0].addresses().map(|it| it.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(bind("'0.0.0.0:2222'"), ["0.0.0.0:2222"]);
    assert_eq!(bind("['*:22', '[::1]:2222']"), ["0.0.0.0:22", "[::]:22", "[::1]:2222"]);
    assert_eq!(
        bind("['localhost:1', { host = '10.0.0.1', port = '2-3' }]"),
        ["127.0.0.1:1", "[::1]:1", "10.0.0.1:2", "10.0.0.1:3"]
    );
    // An IPv4-mapped address is its IPv4 form, wherever it is written.
    assert_eq!(bind("'[::ffff:10.0.0.1]:22'"), ["10.0.0.1:22"]);
    assert_eq!(bind("[{ host = '::ffff:10.0.0.1', port = 22 }]"), ["10.0.0.1:22"]);
    check_line(
        "bind = 'example.org:x'",
        "3:8: `example.org` is not an IP address: names are not looked up, \
         write an address, `localhost` or `*`
         3:8: `x` is not a port: write a number from 0 to 65535, or a range such as 8000-8010",
    );
    check_line("bind = '0.0.0.0'", "3:8: the port is missing: write \"HOST:PORT\"");
    check_line("bind = '80'", "3:8: the host is missing: write \"HOST:PORT\", as in *:80");
    check_line(
        "bind = '224.0.0.1:80'",
        "3:8: no client can connect to 224.0.0.1: write an address of one machine",
    );
    check_line("bind = ['::1:22']", "3:9: write \"HOST:PORT\", with an IPv6 host in brackets");
}

#[test]
fn mapped_addresses_are_taken_in_their_ipv4_form() {
    let settings = settings(&format!(
        "{SOUND}[access]\nallow = ['::ffff:192.0.2.0/120']\ndeny = ['::ffff:198.51.100.9']\n\
         [tarpits.f]\npattern = 'ftp_hold'\nbind = '*:21'\npassive_ports = 40000\n\
         passive_address = '::ffff:192.0.2.7'"
    ));
    let written = |networks: &BTreeSet<Network>| -> Vec<_> {
        networks.iter().map(ToString::to_string).collect()
    };
    assert_eq!(written(&settings.access.allow), ["192.0.2.0/24"]);
    assert_eq!(written(&settings.access.deny), ["198.51.100.9/32"]);
    assert_eq!(settings.tarpits[1].passive_address, Some([192, 0, 2, 7].into()));
    check(
        &format!("{SOUND}[access]\nallow = ['::ffff:10.0.0.0/64']"),
        "5:10: `::ffff:10.0.0.0/64` is an IPv4-mapped network shorter than /96, which contains \
         IPv4 \
         addresses and others: write the IPv4 network itself, such as 10.0.0.0/8",
    );
}

#[test]
fn the_number_that_changes_nobody_is_no_user() {
    // To setresuid(2) it means that the user stays, which would be root.
    for user in ["'4294967295'", "'1:4294967295'", "4294967295"] {
        let text = format!("user = {user}\n{SOUND}");
        assert!(parse("x", &text).is_err(), "{user}");
    }
}

#[test]
fn a_user_may_be_a_number_and_a_level_short() {
    let settings = settings(&format!("user = 65534\n{SOUND}[logging]\nlevel = 'Warn'"));
    assert_eq!(settings.user, Some(User::Ids { uid: 65534, gid: None }.into()));
    assert_eq!(settings.logging.level, Level::Warning);
}

#[test]
fn an_address_that_is_taken_names_both_places() {
    check_line(
        "bind = [{ host = '::1', port = 1 }, { host = '::1', port = '1' }]",
        "3:37: [::1]:1 is already used by tarpit `a` at x:3:9: give one of them another port",
    );
    check(
        &format!(
            "{SOUND}[tarpits.b]\npattern = 'endless_banner'\n\
             bind = [{{ host = '127.0.0.1', port = 1 }}, {{ host = '*', port = '1-5' }}]"
        ),
        "6:43: [::]:1 covers [::1]:1, which is used by tarpit `a` at x:3:9: give one of them another port",
    );
}

#[test]
fn what_must_be_there_is_missed() {
    check("", "1:1: `tarpits` is missing (tables, one for each tarpit, as in `[tarpits.ssh]`)");
    check("\n[tarpits]", "2:1: there is no tarpit: add a table such as [tarpits.ssh]");
    check_line("bind = []", "3:8: there is no address: add one, such as \"0.0.0.0:2222\"");
    check(
        "[tarpits.a]\nmax_clients = 1",
        "1:10: `pattern` is missing (name of a pattern, in any case)
         1:10: `bind` is missing (array of strings `\"HOST:PORT\"` or of tables with `host` and `port`, or one string)",
    );
    check(
        &format!("state_dir = ''\nuser = 'a b'\n[logging]\nmain = '<stdot>'\n{SOUND}"),
        "1:13: the path is empty
         2:8: `a b` is not a user: write a name, or numbers as in 65534 or 65534:65534
         4:8: `<stdot>` is neither <stdout> nor <stderr>; write ./<stdot> for a file of that name",
    );
}

#[test]
fn wrong_syntax_hides_only_what_it_damaged() {
    check(
        "[tarpits.a]\npattern = endless_banner\nmax_client = 1\nbind = [{ host = 'x', port = 1 }]",
        "2:11: this is not TOML: string values must be quoted, expected literal string
         3:1: unknown key `max_client`; did you mean `max_clients`?
         4:18: `x` is not an IP address: names are not looked up, \
         write an address, `localhost` or `*`",
    );
    check("[tarpits.a", "1:11: this is not TOML: unclosed table, expected `]`");
    check(&format!("{SOUND}bind = []"), "4:1: this is not TOML: duplicate key");
}

#[test]
fn columns_count_characters() {
    check_line("'ü' = 1", "3:1: unknown key `ü`; see tarpitd --manual tarpitd.toml.5");
    check_line(
        "'ü' = 'ü', x",
        "3:10: this is not TOML: unexpected key or value, expected newline, `#`",
    );
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let problems = load(Path::new("/nonexistent/tarpitd.toml")).unwrap_err().problems;
    assert_eq!(
        problems[0].to_string(),
        "/nonexistent/tarpitd.toml: cannot read this file: No such file or directory (os error 2); \
         check its name"
    );
    let problems = load(Path::new("/dev/zero")).unwrap_err().problems;
    assert_eq!(
        problems[0].to_string(),
        "/dev/zero: cannot read this file: file too large; \
         a configuration has at most 1 MiB; name another file"
    );
    let path = std::env::temp_dir().join(format!("tarpitd-latin1-{}", std::process::id()));
    std::fs::write(&path, b"# ok\n# \xfc\n").unwrap();
    let problems = load(&path).unwrap_err().problems;
    std::fs::remove_file(&path).unwrap();
    assert_eq!(
        problems[0].to_string(),
        format!(
            "{}:2:3: this is not UTF-8, as TOML must be: save the file in that encoding",
            path.display()
        )
    );
}

#[test]
fn the_command_line_serves_its_arguments() {
    let arguments = ["ENDLESS_BANNER:*:22", "endless_banner:[::1]:2222"].map(String::from).to_vec();
    let mut request = request(Origin::Arguments(arguments));
    let settings = request.settings().unwrap();
    assert_eq!(settings.logging.level, Level::Warning);
    let [one, other] = &settings.tarpits[..] else { panic!("{:?}", settings.tarpits) };
    assert_eq!((one.name.as_str(), other.name.as_str()), ("cli_0", "cli_1"));
    assert_eq!(one.bind.len(), 2);
    let addresses: Vec<_> = other.addresses().collect();
    assert_eq!(addresses, ["[::1]:2222".parse().unwrap()]);
    assert_eq!((one.client_trace, one.client_validation, one.rate), (false, true, None));

    request.rate = Rate::from_number(64);
    request.client_validation = Some(false);
    request.trace = Some(Sink::File("t".into()));
    request.level = Some(Level::Debug);
    let settings = request.settings().unwrap();
    let one = &settings.tarpits[0];
    assert_eq!(settings.logging.level, Level::Debug);
    assert_eq!(settings.logging.client_trace, Sink::File("t".into()).into());
    assert_eq!(
        (one.client_trace, one.client_validation, one.rate),
        (true, false, Rate::from_number(64))
    );
}

#[test]
fn sockets_of_the_service_manager_have_one_user_each() {
    let both = |one: &str, other: &str| {
        format!(
            "[tarpits.a]\npattern = 'ssh'\nbind = {one}\n\
             [tarpits.b]\npattern = 'http'\nbind = ['127.0.0.1:8080', {other}]\n"
        )
    };
    let settings = parse("x", &both("'systemd:ssh'", "'systemd'")).unwrap();
    let sockets = |index: usize| {
        let names = settings.tarpits[index].sockets.iter();
        names.map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!((sockets(0), sockets(1)), (vec!["systemd:ssh".into()], vec!["systemd".into()]));
    for (name, shown) in [("'systemd'", "systemd"), ("'systemd:ssh'", "systemd:ssh")] {
        check(
            &both(name, name),
            &format!(
                "6:27: `{shown}` is already used by tarpit `a` at x:3:8: give each tarpit sockets \
                 with a name of their own (FileDescriptorName= in the socket unit)"
            ),
        );
    }
    check(
        &both("'systemd:'", "'systemd'"),
        "3:8: write `systemd:NAME` with the FileDescriptorName= of the socket unit, or `systemd` \
         alone",
    );
    let arguments = ["ssh:systemd:a", "http:systemd"].map(String::from).to_vec();
    let settings = request(Origin::Arguments(arguments)).settings().unwrap();
    assert_eq!(settings.tarpits[0].sockets[0].value, SocketName::Named("a".into()));
    assert_eq!(settings.tarpits[1].sockets[0].value, SocketName::Rest);
}

#[test]
fn wrong_arguments_are_all_told() {
    let arguments = [
        "foo",
        "endless_bannr:example.org:70000",
        "endless_banner::::1:22",
        "endless_banner:::1:22",
        "endless_banner:1.2.3.4",
        "endless_banner:*:5",
        "endless_banner:[::1]:5",
    ];
    let arguments = arguments.map(String::from).to_vec();
    let problems = request(Origin::Arguments(arguments)).settings().unwrap_err().problems;
    let got: Vec<_> = problems.iter().map(Problem::to_string).collect();
    assert_eq!(
        got,
        [
            "-s foo: write PATTERN:HOST:PORT; -c FILE serves a configuration",
            "-s endless_bannr:example.org:70000: there is no pattern `endless_bannr`: \
             did you mean `endless_banner`?",
            "-s endless_bannr:example.org:70000: `example.org` is not an IP address: \
             names are not looked up, write an address, `localhost` or `*`",
            "-s endless_bannr:example.org:70000: `70000` is not a port: \
             write a number from 0 to 65535, or a range such as 8000-8010",
            "-s endless_banner::::1:22: write PATTERN:HOST:PORT, with an IPv6 host in brackets",
            "-s endless_banner:::1:22: write PATTERN:HOST:PORT, with an IPv6 host in brackets",
            "-s endless_banner:1.2.3.4: the port is missing: write PATTERN:HOST:PORT",
            "-s endless_banner:[::1]:5: [::1]:5 is covered by [::]:5, which is used by tarpit `cli_5` \
             at -s endless_banner:*:5: give one of them another port",
        ]
    );
}

#[test]
fn a_slip_in_a_short_name_is_told_with_the_right_one() {
    for (slip, name) in [("shs", "ssh"), ("sh", "ssh"), ("fpt", "ftp"), ("smpt", "smtp")] {
        check(
            &SOUND.replace("endless_banner", slip),
            &format!("2:11: there is no pattern `{slip}`: did you mean `{name}`?"),
        );
    }
    check(
        &SOUND.replace("endless_banner", "xyz"),
        "2:11: there is no pattern `xyz`: `tarpitd patterns` lists them",
    );
}

#[test]
fn settings_that_hold_hardly_anybody_are_warned_of() {
    let poison = "[tarpits.a]\npattern = 'ftp_hold'\npoison = true\nbind = '127.0.0.1:21'\n";
    let told = warnings(&settings(poison));
    assert!(told.len() == 1 && told[0].starts_with("x:3:10: without `passive_ports`"), "{told:?}");
    let whole = poison.replace("poison", "passive_ports = 0\npoison");
    assert!(settings(&whole).warnings.is_empty());
    assert!(settings(&poison.replace("ftp_hold", "auto")).warnings.is_empty());
    let inside = "[tarpits.a]\npattern = 'tls'\ninner = 'ssh'\nbind = '127.0.0.1:22'\n";
    let told = warnings(&settings(inside));
    assert!(told.len() == 1 && told[0].starts_with("x:3:9: SSH clients do not use"), "{told:?}");
    assert!(settings(&inside.replace("'ssh'", "'smtp'")).warnings.is_empty());
}

#[test]
fn dangerous_patterns_are_cautioned_against_only_in_public() {
    for name in ["http_bad_site", "http_deflate_html_bomb", "http_deflate_size_bomb"] {
        for (host, wanted) in [("*", 1), ("203.0.113.5", 1), ("localhost", 0), ("10.1.1.1", 0)] {
            let text = format!(
                "[tarpits.a]\npattern = '{name}'\nbind = [{{ host = '{host}', port = 80 }}]"
            );
            assert_eq!(settings(&text).warnings.len(), wanted, "{text}");
        }
    }
}

#[test]
fn networks_and_policies_that_make_no_sense_are_named() {
    check(
        &format!("{SOUND}[access]\nallow = ['example.org', '10.0.0.1/8']\ndeny = 'x'\n"),
        "5:10: `example.org` is not a network: write an address, or one with a prefix length as \
         in 192.0.2.0/24 or 2001:db8::/32
         5:25: `10.0.0.1/8` has bits set after its prefix: write 10.0.0.0/8
         6:8: this must be an array, but it is a string",
    );
    check(
        &format!("{SOUND}[limits]\nevict = 'youngest'\n"),
        "5:9: there is no policy `youngest`: write `noisiest-prefix`, `oldest` or `refuse`",
    );
}

#[test]
fn settings_that_a_pattern_has_no_use_for_are_told() {
    let text = "[tarpits.a]\npattern = 'endless_banner'\npoison = true\nstrict_lock = true\n\
                cert = 'c.pem'\nkey = 'k.pem'\nbind = [{ host = '::1', port = 1 }]\n";
    let told = warnings(&settings(text));
    let wanted: Vec<_> = [
        ("3:10", "`poison`: remove it"),
        ("4:15", "`strict_lock`: remove it"),
        ("5:8", "`cert` and `key`: remove them"),
    ]
    .map(|(place, what)| format!("x:{place}: `endless_banner` has no use for {what}"))
    .into();
    assert_eq!(told, wanted);
    for (inner, wanted) in [("endless_banner", 1), ("ftp_hold", 0)] {
        let lines = format!("'tls'\ninner = '{inner}'\npoison = true");
        let text = SOUND.replace("'endless_banner'", &lines);
        assert_eq!(settings(&text).warnings.len(), wanted, "{text}");
    }
    let text = text.replace("poison = true\n", "");
    for pattern in ["auto", "ftp_hold"] {
        let told = settings(&text.replace("endless_banner", pattern)).warnings;
        assert_eq!(told.len(), usize::from(pattern != "auto"), "{told:?}");
    }
    let off = text.replace("true", "false").replace("endless_banner", "ftp_hold");
    assert!(settings(&off).warnings.is_empty());
}

#[test]
fn a_lock_that_is_not_named_is_left_to_the_port() {
    for (line, wanted) in
        [("", None), ("strict_lock = true\n", Some(true)), ("strict_lock = false\n", Some(false))]
    {
        let text = format!("[tarpits.a]\npattern = 'auto'\n{line}bind = '[::1]:2222'\n");
        assert_eq!(settings(&text).tarpits[0].strict_lock, wanted, "{line}");
    }
}
