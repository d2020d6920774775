//! Transcripts of `endless_banner`.

use crate::stage::Stage;

#[test]
fn a_silent_client_gets_a_line_at_once_and_one_every_eight_seconds() {
    let mut stage = Stage::new("endless_banner").open();
    stage.pass_secs(60);
    let gaps: Vec<_> = stage.moments().windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(stage.moments()[0], 0);
    assert!(gaps.len() >= 6 && gaps.iter().all(|gap| (7_200..=8_800).contains(gap)), "{gaps:?}");
}

#[test]
fn lines_are_random_digits_and_never_begin_as_ssh_does() {
    let mut stage = Stage::new("endless_banner").open();
    stage.pass_secs(8_000);
    let text = String::from_utf8(stage.bytes()).expect("text");
    let lines: Vec<_> = text.split_terminator("\r\n").collect();
    assert!(lines.len() > 900);
    assert!(
        lines.iter().all(|line| (8..=32).contains(&line.len())
            && line.bytes().all(|byte| byte.is_ascii_hexdigit()))
    );
    assert!(lines.windows(2).all(|pair| pair[0] != pair[1]));
}

#[test]
fn whatever_the_client_says_is_dropped() {
    let mut stage = Stage::new("endless_banner").open();
    let quiet = stage.session.save(stage.now).len();
    for _ in 0..100 {
        stage.says([b'x'; 4_096]);
    }
    assert_eq!(stage.session.save(stage.now).len(), quiet);
    assert_eq!(stage.session.heard(), 409_600);
}
