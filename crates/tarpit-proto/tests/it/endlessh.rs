//! Transcripts of `endlessh`.

use crate::stage::Stage;

const IDENTIFICATION: &str = r"SSH-2.0-OpenSSH_8.9p1 Ubuntu-3ubuntu0.4\r\n";

#[test]
fn an_ssh_client_gets_lines_for_thirty_days_that_never_begin_as_ssh_does() {
    let mut stage = Stage::new("endlessh").open();
    stage.says("SSH-2.0-Go\r\n").pass_secs(30 * 86_400);
    let text = String::from_utf8(stage.bytes()).expect("text");
    assert!(text.lines().count() > 160_000);
    assert!(text.lines().all(|line| line.bytes().all(|byte| byte.is_ascii_hexdigit())));
    assert_eq!(stage.moments()[0], 0);
    assert!(stage.gaps().iter().all(|gap| (13_500..=16_500).contains(gap)));
    assert_eq!(stage.news, ["validated true SSH-"]);
}

#[test]
fn a_client_that_only_listens_is_told_the_identification_line_after_two_seconds() {
    let mut stage = Stage::new("endlessh").open();
    stage.pass_secs(86_400);
    assert_eq!((stage.text().as_str(), stage.moments()), (IDENTIFICATION, vec![2_000]));
    // By then it is no place for banner lines any more.
    stage.says("SSH-2.0-Go\r\n").pass_secs(86_400);
    assert_eq!(stage.text(), IDENTIFICATION);
    assert_eq!(stage.closed, None);
}

#[test]
fn a_client_that_shows_itself_late_does_not_wait_for_the_probes_moment() {
    for rate in [None, Some(64)] {
        let mut stage = Stage::new("endlessh");
        if let Some(rate) = rate {
            stage = stage.rate(rate);
        }
        let mut stage = stage.open();
        for byte in b"SSH" {
            stage.says([*byte]);
        }
        stage.pass(std::time::Duration::from_millis(900)).says("-2.0-x\r\n").pass_secs(1);
        // Under a rate the first turn comes a fifth of a second later.
        assert!(stage.moments()[0] <= 1_100, "{:?}", stage.moments());
    }
}

#[test]
fn a_client_of_another_protocol_is_told_the_identification_line_and_held() {
    let mut stage = Stage::new("endlessh").open();
    stage.says("GET / HTTP/1.0\r\n\r\n").pass_secs(30 * 86_400);
    assert_eq!(stage.text(), IDENTIFICATION);
    assert_eq!((stage.moments(), stage.closed), (vec![0], None));
}

#[test]
fn ten_seconds_at_a_rate_bring_ten_times_the_rate() {
    let mut stage = Stage::new("endlessh").rate(1_024).open();
    stage.says("SSH-2.0-Go\r\n").pass_secs(10);
    assert!(stage.bytes().len().abs_diff(10_240) < 512, "{}", stage.bytes().len());
}
