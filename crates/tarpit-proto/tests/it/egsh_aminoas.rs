//! Transcripts of `egsh_aminoas`.

use crate::stage::Stage;

const PHRASES: [&str; 4] = ["Egsh Aminoas", "Aminoas", "Ama Cinoas", "Yegm Laminoas"];

/// The lines that were sent, and the phrases that were told.
fn lines_and_news(stage: &Stage) -> (Vec<String>, Vec<String>) {
    let text = String::from_utf8(stage.bytes()).expect("text");
    let lines = text.split_terminator("\r\n").map(|line| format!("uttered {line}"));
    (lines.collect(), stage.news.clone())
}

#[test]
fn for_thirty_days_each_line_is_a_phrase_and_each_phrase_is_told() {
    let mut stage = Stage::new("egsh_aminoas").open();
    stage.pass_secs(30 * 86_400);
    let (lines, news) = lines_and_news(&stage);
    assert!(lines.len() > 300_000);
    assert_eq!(lines, news);
    for phrase in PHRASES {
        let count = lines.iter().filter(|line| line.ends_with(&format!("d {phrase}"))).count();
        assert!(count > lines.len() / 5, "{phrase}: {count}");
    }
    assert!(stage.gaps().iter().all(|gap| (7_200..=8_800).contains(gap)));
}

#[test]
fn under_a_rate_a_phrase_is_told_when_its_line_is_whole() {
    let mut stage = Stage::new("egsh_aminoas").rate(1_024).open();
    stage.pass_secs(10);
    let (mut lines, news) = lines_and_news(&stage);
    if !stage.bytes().ends_with(b"\n") {
        lines.pop();
    }
    assert!(lines.len() > 500);
    assert_eq!(lines, news);
}
