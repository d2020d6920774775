//! What an author of a pattern may rely on, shown with patterns made for it.

use std::{fmt::Write as _, time::Duration};

use tarpit_proto::{
    fact::Fact,
    handshake_budget::LoadLevel,
    pacer::{Pace, Rate, Unit},
    protocols::SSH,
    script::{About, Chunk, Cx, Heard, Manner, Script, Security, Step, Uses},
    session::{Cause, Session},
    states,
    time::{Time, Wall},
};

use crate::stage::Stage;

const EVERY_SECOND: Pace = Pace { unit: Unit::Chunk, interval: Duration::from_secs(1) };

states! {
    /// What a toy remembers.
    #[derive(Clone, Copy, Debug, Default)]
    struct Toys {
        phase: u8,
        position: u32,
        mark: u32,
    }
}

/// A pattern whose step is a function.
struct Toy {
    about: &'static About,
    step: fn(&mut Toys, Heard<'_, '_>, &mut Cx<'_>) -> Step,
    speak: fn(&Toys, &mut Vec<u8>),
}

static OPEN: About =
    About { uses: Uses { tls: true, ..Uses::NOTHING }, ..About::new("toy", "made for a test") };

static OF_SSH: About = About {
    protocol: Some(&SSH),
    refuse: Some(|_, _, out| out.extend_from_slice(b"who?\r\n")),
    null_probe_after: Some(Duration::from_secs(2)),
    ..About::new("toy", "made for a test")
};

impl Script for Toy {
    type State = Toys;

    fn about(&self) -> &'static About {
        self.about
    }

    fn pace(&self, _toys: &Toys) -> Pace {
        EVERY_SECOND
    }

    fn step(&self, toys: &mut Toys, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        (self.step)(toys, heard, cx)
    }

    fn speak(&self, toys: &Toys, _cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        (self.speak)(toys, out);
    }
}

fn number(toys: &Toys, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{}\n", toys.position).as_bytes());
}

/// Counts on, a line a turn.
#[expect(clippy::needless_pass_by_value, reason = "it stands where a step does")]
fn count(toys: &mut Toys, heard: Heard<'_, '_>, _cx: &mut Cx<'_>) -> Step {
    match heard {
        Heard::Opened => Step::DRIP,
        Heard::Sent => {
            toys.position += 1;
            Step::DRIP
        }
        _ => Step::KEEP,
    }
}

static COUNTER: Toy = Toy { about: &OPEN, step: count, speak: number };

#[test]
fn under_load_a_pace_is_half_as_fast() {
    let mut stage = Stage::with(&COUNTER).open();
    stage.budget.press(LoadLevel::Slow);
    stage.pass_secs(60);
    // The first interval was begun before.
    let gaps = stage.gaps();
    assert!((28..=33).contains(&gaps.len()), "{gaps:?}");
    assert!(gaps[1..].iter().all(|gap| (1_800..=2_200).contains(gap)), "{gaps:?}");
}

#[test]
fn a_parked_client_is_sent_nothing_and_is_served_again_later() {
    for rate in [None, Some(0), Some(50), Some(-2)] {
        let mut stage = Stage::with(&COUNTER);
        stage.profile.rate = rate.and_then(Rate::from_number);
        stage.budget.press(LoadLevel::Parked);
        let mut stage = stage.open();
        stage.pass_secs(3_600);
        assert_eq!(stage.text(), "", "{rate:?}");
        assert!(stage.inputs < 600, "{rate:?}: {} times", stage.inputs);
        stage.budget.press(LoadLevel::Ease);
        for _ in 0..12 {
            if stage.sent.is_empty() {
                stage.pass_secs(1);
            }
        }
        assert!(stage.bytes().starts_with(b"0"), "{rate:?}");
    }
}

#[test]
fn what_a_step_learns_is_told() {
    static LEARNER: Toy = Toy {
        about: &OPEN,
        step: |_, heard, cx| {
            if let Heard::Said(said) = heard {
                cx.learn(Fact::User, said.take_all());
            }
            Step::REST
        },
        speak: number,
    };
    let mut stage = Stage::with(&LEARNER).open();
    stage.says("root\n");
    assert_eq!(stage.news, ["learnt user root\\n"]);
}

#[test]
fn a_handshake_is_made_as_long_as_the_budget_lasts() {
    static SHAKER: Toy = Toy {
        about: &OPEN,
        step: |toys, heard, cx| {
            if let Heard::Said(said) = heard {
                said.take_all();
                toys.position += u32::from(cx.budget.handshake(1));
                return Step::WHOLE;
            }
            Step::REST
        },
        speak: number,
    };
    let mut stage = Stage::with(&SHAKER).open();
    stage.says("a").says("b");
    stage.budget.press(LoadLevel::Plain);
    stage.says("c");
    assert_eq!(stage.text(), "1\\n2\\n2\\n");
}

/// Echoes each line back, whole.
static ECHO: Toy = Toy {
    about: &OPEN,
    step: |_, heard, _| match heard {
        Heard::Opened | Heard::Sent => Step::REST,
        Heard::Said(said) => match said.line() {
            Some(line) => Step::send(Manner::Whole, Chunk::Boxed(line.into())),
            None => Step::KEEP,
        },
        _ => Step::KEEP,
    },
    speak: |_, _| unreachable!("all it says is boxed"),
};

#[test]
fn a_drip_keeps_its_pace_and_nobody_speaks_it_up() {
    let mut stage = Stage::with(&COUNTER).open();
    for _ in 0..40 {
        stage.says("hurry").pass(Duration::from_millis(100));
    }
    assert!((4..=5).contains(&stage.sent.len()), "{:?}", stage.moments());
}

#[test]
fn under_a_rate_many_short_chunks_go_out_together_and_in_order() {
    let mut stage = Stage::with(&COUNTER).rate(2_000).open();
    stage.pass_secs(10);
    let mut wanted = String::new();
    for number in 0..100_000 {
        writeln!(wanted, "{number}").expect("a string takes all");
    }
    let got = String::from_utf8(stage.bytes()).expect("text");
    assert!(got.len() > 19_000 && wanted.starts_with(&got));
    assert!(stage.sent.len() < 60, "{} transmissions", stage.sent.len());
}

#[test]
fn a_connection_that_takes_nothing_costs_one_write_per_turn() {
    let mut stage = Stage::with(&COUNTER).open();
    let (writes, count) = (std::rc::Rc::new(std::cell::Cell::new(0)), 0);
    let counter = std::rc::Rc::clone(&writes);
    stage.room = Box::new(move |_| {
        counter.set(counter.get() + 1);
        count
    });
    stage.pass_secs(600);
    assert!((500..=700).contains(&writes.get()), "{}", writes.get());
}

#[test]
fn lines_that_come_together_are_answered_one_after_the_other() {
    let mut stage = Stage::with(&ECHO).open();
    stage.says("one\ntwo\nthr");
    assert_eq!(stage.heard(), "one\\ntwo\\n");
    stage.says("ee\n");
    assert_eq!(stage.heard(), "three\\n");
}

#[test]
fn a_boxed_chunk_is_kept_until_its_last_byte() {
    let mut stage = Stage::with(&ECHO).open();
    stage.room = Box::new(|wanted| wanted.min(2));
    stage.says("a longer line\n");
    stage.hand_over().pass_secs(10);
    assert_eq!(stage.heard(), "a longer line\\n");
}

/// Says each line back under the rate, and a full stop of its own behind it.
static RETORT: Toy = Toy {
    about: &OPEN,
    step: |toys, heard, _| match heard {
        Heard::Opened => Step::REST,
        Heard::Said(said) if toys.phase == 0 => match said.line() {
            Some(line) => {
                toys.phase = 1;
                Step::send(Manner::Prompt, Chunk::Boxed(line.into()))
            }
            None => Step::KEEP,
        },
        Heard::Sent if toys.phase == 1 => {
            toys.phase = 2;
            Step::DRIP
        }
        Heard::Sent => {
            toys.phase = 0;
            Step::REST
        }
        _ => Step::KEEP,
    },
    speak: |_, out| out.push(b'.'),
};

#[test]
fn what_was_said_during_a_chunk_is_heard_behind_it_at_any_rate() {
    for rate in [-1, 3, 1_000, 0] {
        let mut stage = Stage::with(&RETORT).rate(rate).open();
        stage.says("one\ntwo\n").pass_secs(60);
        assert_eq!(stage.text(), "one\\n.two\\n.", "{rate}");
    }
}

#[test]
fn what_waits_to_be_heard_is_bounded_and_asks_for_no_more() {
    static MUTE: Toy = Toy {
        about: &OPEN,
        step: |_, heard, _| if matches!(heard, Heard::Opened) { Step::REST } else { Step::KEEP },
        speak: |_, _| {},
    };
    let mut stage = Stage::with(&MUTE).open();
    for _ in 0..1_000 {
        if stage.listens() {
            stage.says([b'x'; 700]);
        }
    }
    // Nothing is ever taken, so what may wait is dropped whenever it is full.
    assert!(stage.save().len() < 6_000);

    // Amid a chunk the script cannot hear; then nothing more is read.
    let mut stage = Stage::with(&ECHO).open();
    stage.room = Box::new(|_| 0);
    stage.says("first\n");
    let mut portions = 0;
    while stage.listens() {
        stage.says([b'x'; 700]);
        portions += 1;
    }
    assert!(portions <= 4_096 / 700 + 1, "{portions}");
    stage.room = Box::new(|wanted| wanted);
    stage.pass_secs(1);
    assert!(stage.listens(), "what waited has been heard");
}

#[test]
fn an_overlong_line_comes_in_the_same_parts_however_it_was_cut() {
    let line = [b'y'; 5_000];
    let parts = |size: usize| {
        let mut stage = Stage::with(&ECHO).open();
        for portion in line.chunks(size) {
            stage.says(portion);
        }
        stage.bytes()
    };
    assert_eq!(parts(5_000), parts(1));
    assert_eq!(parts(5_000), parts(999));
}

#[test]
fn a_paused_read_mode_stalls_the_client_until_it_delivers_again() {
    static DOZER: Toy = Toy {
        about: &OPEN,
        step: |_, heard, cx| match heard {
            Heard::Opened => Step::wait(cx.later(Duration::from_secs(9))).pausing(),
            Heard::Silence => Step::REST.delivering(),
            _ => Step::KEEP,
        },
        speak: |_, _| {},
    };
    let mut stage = Stage::with(&DOZER).open();
    assert!(!stage.listens());
    stage.pass_secs(8);
    assert!(!stage.listens());
    stage.pass_secs(2);
    assert!(stage.listens());
    stage.half_closes();
    assert!(!stage.listens() && stage.session.is_half_closed());
}

#[test]
fn a_listener_without_certificate_or_ports_says_so_and_the_script_goes_on() {
    static ASKER: Toy = Toy {
        about: &OPEN,
        step: |toys, heard, _| match heard {
            Heard::Opened => Step::SECURE,
            Heard::Secured(Security::Unavailable) => Step::OPEN_DATA,
            Heard::DataPort(None) => {
                toys.position = 42;
                Step::WHOLE
            }
            Heard::Sent => Step::close(Cause::Finished),
            _ => Step::KEEP,
        },
        speak: number,
    };
    let stage = Stage::with(&ASKER).open();
    assert_eq!((stage.text().as_str(), stage.closed), ("42\\n", Some(Cause::Finished)));
}

#[test]
fn more_than_four_gibibytes_are_counted() {
    let mut stage = Stage::with(&COUNTER).open();
    let portion = vec![b'z'; 1 << 24];
    for _ in 0..300 {
        stage.says(&portion);
    }
    assert_eq!(stage.session.heard(), 300 << 24);
    let saved = stage.save().len();
    assert!(saved < 200, "{saved}");
    stage.hand_over();
    assert_eq!(stage.session.heard(), 300 << 24);
}

#[test]
fn a_pattern_hears_nothing_in_front_of_its_opening() {
    static GREETS: About = About {
        greet: Some(|_, _, out| out.extend_from_slice(b"welcome\r\n")),
        ..About::new("toy", "made for a test")
    };
    static TWICE: Toy = Toy {
        about: &GREETS,
        step: |toys, heard, cx| {
            match heard {
                Heard::Opened => toys.position += 1,
                Heard::Said(said) => {
                    said.take_all();
                    return Step::hand_on(&TWICE);
                }
                _ if toys.position == 0 => cx.learn(Fact::Command, b"too early"),
                _ => {}
            }
            Step::REST
        },
        speak: number,
    };
    let mut stage = Stage::with(&TWICE).unvalidated().open();
    let mut rooms = 0;
    // The greeting goes out in parts, as to a client whose window is small.
    stage.room = Box::new(move |length| {
        rooms += 1;
        if rooms < 3 { 2 } else { length }
    });
    stage.says("go").half_closes().pass_secs(60);
    assert_eq!(stage.text(), "welcome\\r\\nwelcome\\r\\n");
    assert_eq!(stage.learnt, Vec::<String>::new());
}

#[test]
fn a_greeting_that_went_out_in_part_has_the_same_date_by_the_next_daemons_clock() {
    let greeting = |hand_over: bool| {
        let mut stage = Stage::new("smtp_hold");
        let mut rooms = 0;
        stage.room = Box::new(move |length| {
            rooms += 1;
            if rooms == 1 { 10 } else { length }
        });
        let mut stage = stage.after(Duration::from_secs(86_400)).open();
        if hand_over {
            let start = stage.start.0 + stage.now.as_millis() / 1_000;
            stage.start = Wall(start);
            stage.hand_over_at(Time::START);
        }
        stage.pass_secs(2);
        stage.text()
    };
    assert!(greeting(false).contains("ESMTP"), "{}", greeting(false));
    assert_eq!(greeting(true), greeting(false));
}

#[test]
fn a_session_that_this_binary_does_not_know_is_held_in_silence() {
    let mut stage = Stage::new("ssh_trans_hold").open();
    stage.says("SSH-2.0-x\r\n").pass_secs(100);
    let (sent, held) = (stage.session.sent(), stage.session.held(stage.now));
    let saved = stage.save();
    let name = &b"ssh_trans_hold"[..];
    let place = saved.windows(name.len()).position(|window| window == name).expect("by name");
    let mut of_another = saved.clone();
    of_another[place] = b'z';
    let mut of_another_form = saved.clone();
    of_another_form[0] = 99;
    for (changed, is_counted) in
        [(of_another, true), (saved[..saved.len() - 1].to_vec(), true), (of_another_form, false)]
    {
        let resumed = Session::resume(stage.now, &stage.profile, &changed);
        assert!(!resumed.is_known);
        let now = stage.now;
        let mut stage = Stage::new("ssh_trans_hold");
        stage.now = now;
        stage.session = resumed.session;
        stage.heard();
        stage.says("SSH-2.0-x\r\n").pass_secs(30 * 86_400);
        assert_eq!((stage.heard(), stage.closed), (String::new(), None));
        if is_counted {
            assert_eq!(stage.session.sent(), sent);
            let month = Duration::from_secs(30 * 86_400);
            assert_eq!(stage.session.held(stage.now), held + month);
        }
    }
}

static GUARDED: Toy = Toy { about: &OF_SSH, step: count, speak: number };

#[test]
fn a_client_of_the_protocol_is_let_through_and_no_sooner() {
    let mut stage = Stage::with(&GUARDED).open();
    stage.says("SS").pass_secs(1);
    assert_eq!(stage.heard(), "");
    stage.says("H-2.0-x\r\n");
    assert_eq!(stage.heard(), "0\\n");
    assert_eq!(stage.news, ["validated true SSH-"]);
}

#[test]
fn a_client_that_speaks_slowly_is_let_through_and_not_taken_for_silent() {
    let mut stage = Stage::with(&GUARDED).open();
    for byte in b"SSH-2.0-x" {
        stage.says([*byte]).pass(Duration::from_millis(1_900));
    }
    assert!(stage.heard().starts_with("0\\n"));
    assert_eq!(stage.news, ["validated true SSH-"]);
}

#[test]
fn a_client_that_speaks_after_days_of_silence_is_answered_at_once() {
    for pattern in [&ECHO, &GUARDED] {
        let mut stage = Stage::with(pattern).open();
        for days in [1, 2, 3, 30, 60] {
            stage.pass_secs(days * 86_400 + 5);
            stage.heard();
            stage.says("SSH-2.0-x\n");
            if pattern.about.protocol.is_none() {
                assert_eq!(stage.heard(), "SSH-2.0-x\\n", "{days}");
            }
        }
    }
}

#[test]
fn a_stranger_is_told_so_once_and_held_in_silence() {
    let mut stage = Stage::with(&GUARDED).open();
    stage.says("GET / HTTP/1.0\r\n\r\n").pass_secs(86_400);
    stage.says("SSH-2.0-x\r\n").pass_secs(86_400);
    assert_eq!(stage.heard(), "who?\\r\\n");
    assert_eq!((stage.news, stage.closed), (vec!["validated false GET ".to_owned()], None));
}

#[test]
fn a_null_probe_is_answered_and_a_client_that_speaks_later_is_held_all_the_same() {
    let mut stage = Stage::with(&GUARDED).open();
    stage.pass(Duration::from_millis(1_900));
    assert_eq!(stage.heard(), "");
    stage.pass_secs(1);
    assert_eq!(stage.heard(), "who?\\r\\n");
    stage.says("SSH-2.0-late\r\n").pass_secs(3_600);
    assert_eq!(stage.heard(), "");
    assert_eq!((stage.news, stage.closed), (vec!["validated true SSH-".to_owned()], None));
}

#[test]
fn without_validation_the_pattern_begins_at_once() {
    let stage = Stage::with(&GUARDED).unvalidated().open();
    assert_eq!((stage.text().as_str(), stage.news.len()), ("0\\n", 0));
}

#[test]
fn a_script_asks_for_a_data_connection_and_hears_when_it_comes() {
    static ASKER: Toy = Toy {
        about: &OPEN,
        step: |toys, heard, _| match heard {
            Heard::Opened => Step::OPEN_DATA,
            Heard::DataPort(port) => {
                toys.mark = port.map_or(0, u32::from);
                Step::PROMPT
            }
            Heard::DataOpened => {
                toys.mark = 1;
                Step::PROMPT
            }
            _ => Step::REST,
        },
        speak: |toys, out| out.extend_from_slice(format!("{}.", toys.mark).as_bytes()),
    };
    let mut stage = Stage::with(&ASKER);
    stage.data_port = Some(40_001);
    let mut stage = stage.open();
    assert_eq!(stage.text(), "40001.");
    stage.pass_secs(10).opens_data();
    assert_eq!(stage.text(), "40001.1.");
    // Where there is no port the script is told so.
    assert_eq!(Stage::with(&ASKER).open().text(), "0.");
}
