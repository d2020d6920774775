//! Settings in `[logging]` that contradict each other or have no effect.

use super::same_file::FileId;
use crate::{
    keys::state_dir::Touch,
    settings::{
        Anonymize, Logging, Settings, Sink, TraceFormat,
        finding::{Finding, Gravity},
    },
};

/// All such settings. `check` ignores its own streams, which say nothing about the daemon's.
pub(super) fn findings(settings: &Settings, touch: Touch) -> Vec<Finding> {
    let is_traced = settings.is_traced();
    let mut findings: Vec<_> = one_file(settings, is_traced, touch).into_iter().collect();
    if !is_traced {
        findings.extend(idle(settings));
    }
    findings.extend(useless_time(settings));
    findings.extend(fleeting_hashes(settings));
    findings
}

/// Reports a form of moments for a format that has its own.
fn useless_time(settings: &Settings) -> Option<Finding> {
    let Logging { format, time, .. } = &settings.logging;
    let is_useless = **format != TraceFormat::Jsonl && time.place.is_some();
    is_useless.then(|| {
        let what = format!(
            "`time` has no effect, since the format `{}` has one form of times: remove it",
            format.name()
        );
        Finding::new(Gravity::Warning, time.place.as_ref(), what)
    })
}

/// Reports hashes of addresses that no two starts share.
fn fleeting_hashes(settings: &Settings) -> Option<Finding> {
    let anonymize = &settings.logging.anonymize;
    let is_fleeting = **anonymize == Anonymize::Keyed && settings.state_dir.is_none();
    is_fleeting.then(|| {
        let what = "without `state_dir` an address has another hash after each start: set \
                    `state_dir`";
        Finding::new(Gravity::Warning, anonymize.place.as_ref(), what)
    })
}

/// Reports if log and trace would be one file.
fn one_file(settings: &Settings, is_traced: bool, touch: Touch) -> Option<Finding> {
    let (main, trace) = (&settings.logging.main, &settings.logging.client_trace);
    let are_files = matches!((&main.value, &trace.value), (Sink::File(_), Sink::File(_)));
    // A shell may have redirected both streams to one file. That does no harm if no trace is
    // written.
    if !are_files && (touch == Touch::Look || !is_traced) {
        return None;
    }
    if FileId::of_sink(main)? != FileId::of_sink(trace)? {
        return None;
    }
    let at = main.place.as_ref().map(|place| format!(" ({place})")).unwrap_or_default();
    let names = if main.value == trace.value {
        format!("{main}{at}")
    } else {
        format!("{main}{at} and {trace}")
    };
    let cure = if are_files {
        "name another one for `client_trace` or -t"
    } else {
        "name another one for `client_trace` or -t, or send the log elsewhere, as by 2>tarpitd.log"
    };
    let what = format!("the log and the trace are the same file, {names}: {cure}");
    let place = trace.place.as_ref().or(main.place.as_ref());
    Some(Finding::new(Gravity::Wrong, place, what))
}

/// Reports trace settings if no tarpit has a trace.
fn idle(settings: &Settings) -> Vec<Finding> {
    let logging = &settings.logging;
    let cure = "set `client_trace = true` in a tarpit's table, or remove this";
    let mut findings = Vec::new();
    if let (Sink::File(_), Some(place)) = (&logging.client_trace.value, &logging.client_trace.place)
    {
        let what = format!("no tarpit writes to this trace: {cure}");
        findings.push(Finding::new(Gravity::Warning, Some(place), what));
    }
    if *logging.log_secrets {
        let what = format!("`log_secrets` has no effect, since no tarpit has a trace: {cure}");
        findings.push(Finding::new(Gravity::Warning, logging.log_secrets.place.as_ref(), what));
    }
    findings
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;
    use crate::config;

    /// What is found in a configuration with these lines in a tarpit's table and in `[logging]`.
    fn found(tarpit: &str, logging: &str) -> Vec<String> {
        let text = format!(
            "[logging]\n{logging}\n[tarpits.a]\npattern = 'endlessh'\nbind = '127.0.0.1:1'\n{tarpit}"
        );
        let settings = config::parse("x", &text).unwrap();
        findings(&settings, Touch::Look).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn one_file_is_found_however_it_is_named_and_whether_it_is_there() {
        let folder = std::env::temp_dir().join(format!("tarpitd-one-{}", std::process::id()));
        fs::create_dir_all(folder.join("sub")).unwrap();
        fs::write(folder.join("there"), "").unwrap();
        fs::hard_link(folder.join("there"), folder.join("hard")).unwrap();
        symlink("there", folder.join("soft")).unwrap();
        symlink("new", folder.join("to_new")).unwrap();
        for (main, trace, same) in [
            ("there", "there", true),
            ("there", "sub/../there", true),
            ("hard", "there", true),
            ("there", "soft", true),
            ("new", "new", true),
            ("new", "./new", true),
            ("new", "to_new", true),
            ("there", "new", false),
            ("new", "newer", false),
            ("new", "sub/new", false),
            // Nothing is mixed there.
            ("/dev/null", "/dev/null", false),
        ] {
            let path = |name: &str| folder.join(name).display().to_string();
            let logging = format!("main = '{}'\nclient_trace = '{}'", path(main), path(trace));
            let found = found("client_trace = true", &logging);
            assert_eq!(found.len(), usize::from(same), "{main} {trace}: {found:?}");
            if same {
                assert!(
                    found[0].starts_with("x:3:16: the log and the trace are the same file"),
                    "{found:?}"
                );
                assert!(found[0].contains("(x:2:8)"), "{found:?}");
            }
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_form_of_times_and_hashes_that_do_not_last_are_told() {
        let [time] = &found("client_trace = true", "format = 'ecs'\ntime = 'epoch'")[..] else {
            panic!("one finding")
        };
        assert!(time.starts_with("x:3:8: `time` has no effect"), "{time}");
        let [hashes] = &found("client_trace = true", "anonymize = 'keyed'")[..] else {
            panic!("one finding")
        };
        assert!(hashes.starts_with("x:2:13: without `state_dir`"), "{hashes}");
        for logging in ["format = 'ecs'", "time = 'rfc3339'", "anonymize = 'prefix'"] {
            assert_eq!(found("client_trace = true", logging), [""; 0], "{logging}");
        }
    }

    #[test]
    fn what_has_no_effect_without_a_trace_is_told() {
        let idle = "client_trace = '/nowhere/x'\nlog_secrets = true";
        let [file, secrets] = &found("", idle)[..] else { panic!("{:?}", found("", idle)) };
        assert!(file.starts_with("x:2:16: no tarpit writes to this trace: set "), "{file}");
        assert!(secrets.starts_with("x:3:15: `log_secrets` has no effect"), "{secrets}");
        for (tarpit, logging) in [
            ("client_trace = true", idle),
            ("", "log_secrets = false"),
            ("", "client_trace = '<stdout>'"),
            ("", ""),
        ] {
            assert_eq!(found(tarpit, logging), [""; 0], "{tarpit} {logging}");
        }
    }
}
