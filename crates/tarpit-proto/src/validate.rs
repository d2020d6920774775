//! The first script of every client: greets, looks at its first bytes, and lets it through.
//!
//! ```text
//!            greeting, if any                first bytes match
//! Opened ──► Greeting ──────────► Listening ──────────────────► the listener's pattern
//!                                    │  ▲ │ they do not
//!              silence, if the       │  │ └────────────► Refusing ──► Stranger: held in silence
//!              pattern answers it    ▼  │
//!                                 Probed, told what a stranger is told
//! ```
//! Where the user has switched validation off, the pattern follows the greeting at once.

use alloc::vec::Vec;

use crate::{
    base::{pace::Pace, said::Said},
    identify::{Sighting, sight},
    phases,
    script::{Cx, Heard, Pattern, ReadMode, Run, Step},
};

/// The gate in front of the listener's pattern.
pub(crate) struct Gate;

phases! {
    enum Phase { Greeting, Listening, Probing, Probed, Refusing, Stranger }
}

impl Pattern for Gate {
    fn name(&self) -> &'static str {
        "gate"
    }

    fn summary(&self) -> &'static str {
        "lets a client through to the listener's pattern"
    }

    fn protocol(&self) -> Option<crate::identify::Protocol> {
        None
    }

    fn pace(&self, _run: &Run) -> Pace {
        // Nothing of the gate's drips.
        crate::base::pace::EVERY_8_SECONDS
    }

    fn step(&self, run: &mut Run, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        let pattern = cx.profile.pattern;
        match (Phase::of(run), heard) {
            (Phase::Greeting, Heard::Opened) if pattern.greet(cx, &mut Vec::new()) => Step::WHOLE,
            (Phase::Greeting, Heard::Opened | Heard::Sent) => {
                if !cx.profile.validate || pattern.protocol().is_none() {
                    return Step::Become(pattern);
                }
                run.enter(Phase::Listening);
                Step::Wait(pattern.null_probe_after().and_then(|patience| cx.later(patience)))
            }
            (Phase::Listening, Heard::Silence) => {
                run.enter(Phase::Probing);
                answer(run, cx)
            }
            (Phase::Listening | Phase::Probed, Heard::Said(said)) => look(run, said, cx),
            (Phase::Probing, Heard::Sent) => {
                run.enter(Phase::Probed);
                Step::REST
            }
            (Phase::Refusing, Heard::Sent) => {
                run.enter(Phase::Stranger);
                Step::REST
            }
            _ => Step::Keep,
        }
    }

    fn speak(&self, run: &Run, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        match Phase::of(run) {
            Phase::Greeting => {
                cx.profile.pattern.greet(cx, out);
            }
            _ => cx.profile.pattern.refuse(cx, out),
        }
    }
}

/// Looks at the client's first bytes and decides.
fn look(run: &mut Run, said: &mut Said<'_>, cx: &mut Cx<'_>) -> Step {
    let pattern = cx.profile.pattern;
    let Some(protocol) = pattern.protocol() else {
        return Step::Become(pattern);
    };
    match sight(protocol, said.rest()) {
        // Whoever has begun to speak is silent no longer, and is waited for as long as more can
        // come.
        Sighting::Incomplete if !said.is_full() && cx.read_mode != ReadMode::Ended => Step::REST,
        Sighting::Matches => {
            cx.validated(true, "");
            // Whoever has been told what strangers are told has no use for the pattern's course.
            if Phase::of(run) == Phase::Probed {
                hold(run, said, cx)
            } else {
                Step::Become(pattern)
            }
        }
        Sighting::Differs | Sighting::Incomplete => {
            cx.validated(false, "the first bytes are of another protocol");
            let told = Phase::of(run) == Phase::Probed;
            let step = hold(run, said, cx);
            if told {
                return step;
            }
            run.enter(Phase::Refusing);
            answer(run, cx)
        }
    }
}

/// Holds the client in silence, whatever else it says.
fn hold(run: &mut Run, said: &mut Said<'_>, cx: &mut Cx<'_>) -> Step {
    said.take_all();
    cx.read_mode = ReadMode::Discard;
    run.enter(Phase::Stranger);
    Step::REST
}

/// Says what strangers are told, if that is anything.
fn answer(run: &mut Run, cx: &mut Cx<'_>) -> Step {
    let mut words = Vec::new();
    cx.profile.pattern.refuse(cx, &mut words);
    if words.is_empty() {
        run.enter(if Phase::of(run) == Phase::Probing { Phase::Probed } else { Phase::Stranger });
        return Step::REST;
    }
    Step::WHOLE
}
