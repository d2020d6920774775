//! Agreeing on keys: what both sides can do, and the server's part of it (RFC 4253, sections 7 and
//! 8; RFC 5656, section 4; RFC 8731; RFC 9142).

use alloc::vec::Vec;

use crate::{
    base::{
        host_keys::{HostKeys, Kind, positive},
        rng::Entropy,
    },
    protocols::ssh::{
        group::{GENERATOR, Group},
        hash::Hash,
        lane::{Code, Lane, Material, Suite},
        method::{Exchanged, METHODS, Method},
        names::{CIPHERS, CODES, COMPRESSIONS, HOST_KEYS, chosen, guessed, name_of},
    },
    states,
    wire::ssh::{
        self, ClientOffer, Lists, MSG_GEX_GROUP, MSG_GEX_INIT, MSG_GEX_REPLY, MSG_GEX_REQUEST,
        MSG_KEXDH_INIT, MSG_KEXDH_REPLY, MSG_NEWKEYS, kexinit_payload, packet, string, take_string,
    },
};

states! {
    /// What was agreed on, and the hash over all that was said so far: what the client's offer
    /// leaves to be remembered until its part of the exchange comes.
    #[derive(Clone)]
    pub(crate) boxed struct Agreement {
        hash: Hash,
        method: Method,
        host_key: Kind,
        /// From the client.
        heard: Suite,
        /// To the client.
        sent: Suite,
        /// Whether the next packet was made on a wrong guess.
        pub(super) skips: bool,
        /// What group the client asked for, where it has to.
        choice: Option<Choice>,
    }

    /// The sizes of a group that a client asked for, and the group that it was told.
    #[derive(Clone, Copy)]
    boxed struct Choice {
        least: u32,
        wanted: u32,
        most: u32,
        group: Group,
    }

    /// Both directions of a connection.
    #[derive(Debug)]
    pub(crate) boxed struct Lanes {
        pub(super) heard: Lane,
        pub(super) sent: Lane,
    }
}

impl core::fmt::Debug for Agreement {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Agreement({:?}, {:?})", self.method, self.host_key)
    }
}

/// What both sides said before the exchange.
pub(crate) struct Openings<'a> {
    pub(crate) client_line: &'a [u8],
    pub(crate) server_line: &'a [u8],
    pub(crate) client_offer: &'a [u8],
    pub(crate) cookie: [u8; 16],
}

impl Agreement {
    /// What both sides agree on; `None` if there is nothing.
    pub(crate) fn find(
        openings: &Openings<'_>,
        ours: &Lists,
        keys: Option<&HostKeys>,
    ) -> Option<Self> {
        let theirs = ClientOffer::read(openings.client_offer)?;
        let method = chosen(METHODS, &theirs, ssh::KEY_EXCHANGES, ours)?;
        let host_key = chosen(HOST_KEYS, &theirs, ssh::HOST_KEYS, ours)?;
        if !keys.is_some_and(|keys| keys.have(host_key)) {
            return None;
        }
        let suite = |way: usize| {
            let cipher = chosen(CIPHERS, &theirs, ssh::CIPHERS + way, ours)?;
            let code = match cipher {
                cipher if cipher.is_code() => Code::Sha256 { behind: false },
                // Who goes on without one in common only wants our host key, as nmap's scripts do.
                _ => chosen(CODES, &theirs, ssh::CODES + way, ours)
                    .unwrap_or(Code::Sha256 { behind: false }),
            };
            let compresses = chosen(COMPRESSIONS, &theirs, ssh::COMPRESSIONS + way, ours)?;
            Some(Suite { cipher, code, compresses })
        };
        let (heard, sent) = (suite(0)?, suite(1)?);
        let mut hash = method.hash();
        hash.add_string(openings.client_line);
        hash.add_string(openings.server_line);
        hash.add_string(openings.client_offer);
        hash.add_string(&kexinit_payload(openings.cookie, ours));
        let skips = theirs.guesses && !guessed(&theirs, ours);
        Some(Self { hash, method, host_key, heard, sent, skips, choice: None })
    }

    /// What answering costs, in handshakes of the cheapest kind: those with Curve25519 and Ed25519,
    /// which take 0.26 ms.
    pub(crate) fn cost(&self, keys: &HostKeys) -> u32 {
        self.method.cost(self.choice.map(|choice| choice.group)) + keys.cost(self.host_key)
    }

    /// Whether the client's next part of the exchange is a message of this number.
    pub(super) fn awaits(&self, number: u8) -> bool {
        number
            == match (self.method, self.choice) {
                (Method::GroupExchange, None) => MSG_GEX_REQUEST,
                (Method::GroupExchange, Some(_)) => MSG_GEX_INIT,
                _ => MSG_KEXDH_INIT,
            }
    }

    /// Whether the client has been told the group that it asked for.
    pub(super) fn has_group(&self) -> bool {
        self.choice.is_some()
    }

    /// Makes the packet with the group that the client asks for, if that is what it does. `None`:
    /// there is none for it.
    pub(super) fn choose(&mut self, request: &[u8]) -> Option<Vec<u8>> {
        let sizes: [u8; 12] = request.strip_prefix(&[MSG_GEX_REQUEST])?.try_into().ok()?;
        let [least, wanted, most] = core::array::from_fn(|size| {
            sizes[4 * size..].first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
        });
        let group = Group::asked(least, wanted, most)?;
        self.choice = Some(Choice { least, wanted, most, group });
        let mut payload = Vec::with_capacity(1_024);
        payload.push(MSG_GEX_GROUP);
        string(&positive(&group.prime()), &mut payload);
        string(&[GENERATOR], &mut payload);
        let mut out = Vec::with_capacity(1_024);
        packet(&payload, |_| {}, &mut out);
        Some(out)
    }

    /// Makes the server's part: the packets that say so, and the keys, for packets behind as many
    /// as `heard` and `sent` count. `None`: the client's part is none.
    pub(crate) fn answer(
        &self,
        request: &[u8],
        (heard, sent): (u32, u32),
        keys: &HostKeys,
        entropy: &mut dyn Entropy,
    ) -> Option<(Vec<u8>, Lanes)> {
        let chosen = self.method == Method::GroupExchange;
        let (heard_as, told_as) =
            if chosen { (MSG_GEX_INIT, MSG_GEX_REPLY) } else { (MSG_KEXDH_INIT, MSG_KEXDH_REPLY) };
        let (public, after) = take_string(request.strip_prefix(&[heard_as])?)?;
        if !after.is_empty() {
            return None;
        }
        let group = self.choice.map(|choice| choice.group);
        let Exchanged { own, shared } = self.method.exchange(public, group, entropy)?;
        let host_key = self.host_key_blob(keys)?;
        let mut hash = self.hash.clone();
        hash.add_string(&host_key);
        if let Some(Choice { least, wanted, most, group }) = self.choice {
            for bits in [least, wanted, most] {
                hash.add(&bits.to_be_bytes());
            }
            hash.add_string(&positive(&group.prime()));
            hash.add_string(&[GENERATOR]);
        }
        for part in [public, &own, &shared] {
            hash.add_string(part);
        }
        let id = hash.end();
        let mut signature = Vec::with_capacity(300);
        string(name_of(HOST_KEYS, &self.host_key).as_bytes(), &mut signature);
        string(&keys.sign(self.host_key, &id, entropy)?, &mut signature);
        let mut reply = Vec::with_capacity(2_048);
        reply.push(told_as);
        for part in [&host_key, &own, &signature] {
            string(part, &mut reply);
        }
        let mut out = Vec::with_capacity(2_304);
        packet(&reply, |_| {}, &mut out);
        packet(&[MSG_NEWKEYS], |_| {}, &mut out);
        let derive = |letter: u8, length: usize| {
            let mut base = self.method.hash();
            base.add_string(&shared);
            base.add(&id);
            let mut first = base.clone();
            first.add(&[letter]);
            first.add(&id);
            let mut bytes = first.end();
            while bytes.len() < length {
                let mut next = base.clone();
                next.add(&bytes);
                bytes.extend(next.end());
            }
            bytes
        };
        let lane = |suite, [counter, key, code]: [u8; 3], number| {
            let material = Material {
                counter: derive(counter, 16),
                key: derive(key, Lane::LONGEST_KEY),
                code: derive(code, Lane::LONGEST_CODE),
            };
            Lane::new(suite, &material, number)
        };
        let lanes =
            Lanes { heard: lane(self.heard, *b"ACE", heard), sent: lane(self.sent, *b"BDF", sent) };
        Some((out, lanes))
    }

    fn host_key_blob(&self, keys: &HostKeys) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(300);
        let name = match self.host_key {
            Kind::RsaSha256 | Kind::RsaSha512 => name_of(HOST_KEYS, &Kind::RsaSha1),
            kind => name_of(HOST_KEYS, &kind),
        };
        string(name.as_bytes(), &mut out);
        for part in keys.public(self.host_key)? {
            string(&part, &mut out);
        }
        Some(out)
    }
}
