//! Transcripts of `endless_banner`.

use std::{collections::HashSet, time::Duration};

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
    let quiet = stage.save().len();
    for _ in 0..100 {
        stage.says([b'x'; 4_096]);
    }
    assert_eq!(stage.save().len(), quiet);
    assert_eq!(stage.session.heard(), 409_600);
}

#[test]
fn clients_of_a_group_are_soon_spoken_to_together_whenever_they_came() {
    // 64 clients come within one interval; when are they spoken to in a later one?
    let moments = |group: fn(u64) -> u32| -> HashSet<u64> {
        let spoken = (0..64).flat_map(|number| {
            let late = Duration::from_millis(number * 125);
            let mut stage = Stage::new("endless_banner").numbered(number).after(late);
            stage = stage.grouped(group(number)).open();
            stage.pass_secs(120);
            stage.moments().into_iter().filter(|at| (80_000..88_000).contains(at))
        });
        spoken.collect()
    };
    let together = moments(|_| 7).len();
    let apart = moments(|number| number as u32).len();
    assert!(together <= 11 && apart > 50, "{together} {apart}");
}
