//! A key exchange of `ssh_auth_hold`, from our offer to the keys (RFC 4253, sections 7 and 8).
//!
//! ```text
//!          line             offer               the client's part            it is time
//! Offered ─────► Introduced ─────────► Agreed ────────────────────► Asked ────────────► keys
//!                                       ▲                             │ it asked for a group
//!                                       └─────────────────────────────┘
//! ```
//! Whatever does not fit ends it: then there will be no keys.

use alloc::vec::Vec;

use crate::{
    base::{said::Said, time::Time},
    protocols::ssh::{
        agreement::{Agreement, Lanes, Openings},
        auth_hold::idle,
        clients::{Client, Wait},
        course::{self, Line},
        group, server,
    },
    script::{Chunk, Cx, Heard, Manner, Step},
    states,
    wire::ssh::{self, Malformed, Plain},
};

states! {
    /// A key exchange under way.
    #[derive(Debug)]
    pub(crate) boxed struct Exchange {
        /// Packets of the client so far, modulo 2^32.
        heard: u32,
        /// Packets to the client so far, modulo 2^32.
        sent: u32,
        stage: Stage,
    }

    /// How far it has come.
    #[derive(Debug)]
    boxed enum Stage {
        /// Our offer has this cookie. The client has not said its line.
        Offered { cookie: [u8; 16] },
        Introduced { client: Client, cookie: [u8; 16], line: Vec<u8> },
        Agreed { client: Client, agreement: Agreement },
        /// The client's part is answered at that moment; at most [`LONGEST_REQUEST`] bytes of it.
        Asked { client: Client, agreement: Agreement, request: Vec<u8>, due: Time },
    }
}

/// The longest part of a key exchange: a number of the largest group, with its length.
const LONGEST_REQUEST: usize = 1 + 4 + group::LONGEST;

/// What comes of something heard.
pub(super) enum Outcome {
    /// The packets that bring keys into use, and the keys.
    Keys { client: Client, packets: Vec<u8>, lanes: Lanes },
    /// There will be none.
    NoKeys,
    /// It goes on.
    Step(Step),
}

impl Exchange {
    /// Begins with our offer, whose cookie must be new.
    pub(super) fn begin(line: Option<Line<'_>>, cx: &mut Cx<'_>) -> Self {
        let mut cookie = [0; 16];
        cx.entropy.fill(&mut cookie);
        let stage = match line {
            None => Stage::Offered { cookie },
            Some(line) => Stage::introduced(&line, cookie, cx),
        };
        Self { heard: 0, sent: 0, stage }
    }

    /// Hears something.
    pub(super) fn hear(&mut self, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Outcome {
        match (&mut self.stage, heard) {
            (_, Heard::Said(said)) => self.read(said, cx),
            (_, Heard::Sent) => {
                self.sent = self.sent.wrapping_add(1);
                Outcome::Step(idle(self.due(), self.client(), cx))
            }
            (Stage::Asked { due, .. }, Heard::Silence) if *due <= cx.now => self.answer(cx),
            (_, Heard::Silence) => Outcome::Step(Step::PROMPT),
            _ => Outcome::Step(Step::KEEP),
        }
    }

    /// Makes the present packet: our offer, and later ones to be ignored.
    pub(super) fn speak(&self, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        match &self.stage {
            Stage::Offered { cookie } | Stage::Introduced { cookie, .. } if self.sent == 0 => {
                ssh::offer(*cookie, &server::lists(cx.profile), out);
            }
            _ => ssh::ignore(&mut cx.rng, out),
        }
    }

    /// The client, if it has said its line.
    pub(super) fn client(&self) -> Option<Client> {
        match &self.stage {
            Stage::Offered { .. } => None,
            Stage::Introduced { client, .. }
            | Stage::Agreed { client, .. }
            | Stage::Asked { client, .. } => Some(*client),
        }
    }

    /// Reads the client's line and packets, until something has to be done.
    fn read(&mut self, said: &mut Said<'_>, cx: &mut Cx<'_>) -> Outcome {
        if let Stage::Offered { cookie } = self.stage {
            let Some(line) = course::line(said, cx) else { return Outcome::Step(Step::KEEP) };
            self.stage = Stage::introduced(&line, cookie, cx);
            if !line.is_genuine {
                said.take_all();
                return Outcome::NoKeys;
            }
        }
        if matches!(self.stage, Stage::Asked { .. }) && !said.is_full() {
            // It has said its part. What it adds is heard behind the reply.
            return Outcome::Step(Step::KEEP);
        }
        let malformed = loop {
            let payload = match ssh::plain(said) {
                Plain::Broken(malformed) => break Some(malformed),
                Plain::Incomplete => return Outcome::Step(Step::KEEP),
                Plain::Payload(payload) => payload,
            };
            self.heard = self.heard.wrapping_add(1);
            if payload[0] == ssh::MSG_KEXINIT {
                let Some(offer) = ssh::ClientOffer::read(payload) else {
                    break Some(Malformed::Offer);
                };
                course::learn(&offer, cx);
            }
            self.stage = match (payload[0], &mut self.stage) {
                (ssh::MSG_KEXINIT, Stage::Introduced { client, cookie, line }) => {
                    let Some(agreement) = agree(*cookie, line, payload, cx) else { break None };
                    Stage::Agreed { client: *client, agreement }
                }
                (number, Stage::Agreed { agreement, .. })
                    if agreement.skips && ssh::MSGS_OF_METHOD.contains(&number) =>
                {
                    agreement.skips = false;
                    continue;
                }
                (number, Stage::Agreed { client, agreement })
                    if agreement.awaits(number) && payload.len() <= LONGEST_REQUEST =>
                {
                    let due = match client.limits().exchange {
                        Wait::Never => break None,
                        // It has waited for its group. Both waits together may be too long.
                        Wait::For(_) | Wait::AtOnce if agreement.has_group() => cx.now,
                        Wait::For(wait) => cx.now.after(cx.rng.jitter(wait)),
                        Wait::AtOnce => cx.now,
                    };
                    let (client, agreement) = (*client, agreement.clone());
                    self.stage = Stage::Asked { client, agreement, request: payload.to_vec(), due };
                    return if due <= cx.now {
                        self.answer(cx)
                    } else {
                        Outcome::Step(idle(Some(due), Some(client), cx))
                    };
                }
                (ssh::MSG_KEXINIT, _) => break Some(Malformed::Offer),
                (number, _) if ssh::MSGS_OF_METHOD.contains(&number) => {
                    break Some(Malformed::KeyExchange);
                }
                _ => continue,
            };
        };
        if let Some(malformed) = malformed {
            course::tell(malformed, cx);
        }
        said.take_all();
        Outcome::NoKeys
    }

    /// Answers the client's part, if that can be afforded.
    fn answer(&mut self, cx: &mut Cx<'_>) -> Outcome {
        let Stage::Asked { client, agreement, request, .. } = &mut self.stage else {
            return Outcome::NoKeys;
        };
        if request.first() == Some(&ssh::MSG_GEX_REQUEST) {
            let Some(packet) = agreement.choose(request) else { return Outcome::NoKeys };
            self.stage = Stage::Agreed { client: *client, agreement: agreement.clone() };
            return Outcome::Step(Step::send(Manner::Prompt, Chunk::Boxed(packet.into())));
        }
        let keys = cx.profile.host_keys.as_ref();
        let Some(keys) = keys.filter(|keys| cx.budget.handshake(agreement.cost(keys))) else {
            return Outcome::NoKeys;
        };
        // Behind the client's NEWKEYS, and behind our part of the exchange and our own.
        let numbers = (self.heard.wrapping_add(1), self.sent.wrapping_add(2));
        let Some((packets, lanes)) = agreement.answer(request, numbers, keys, cx.entropy) else {
            course::tell(Malformed::KeyExchange, cx);
            return Outcome::NoKeys;
        };
        Outcome::Keys { client: *client, packets, lanes }
    }

    fn due(&self) -> Option<Time> {
        match self.stage {
            Stage::Asked { due, .. } => Some(due),
            _ => None,
        }
    }
}

impl Stage {
    fn introduced(line: &Line<'_>, cookie: [u8; 16], cx: &mut Cx<'_>) -> Self {
        Self::Introduced { client: line.told(cx), cookie, line: line.text.to_vec() }
    }
}

fn agree(cookie: [u8; 16], line: &[u8], payload: &[u8], cx: &Cx<'_>) -> Option<Agreement> {
    let openings = Openings {
        client_line: line,
        server_line: server::identification(&cx.profile.persona).as_bytes(),
        client_offer: payload,
        cookie,
    };
    Agreement::find(&openings, &server::lists(cx.profile), cx.profile.host_keys.as_ref())
}
