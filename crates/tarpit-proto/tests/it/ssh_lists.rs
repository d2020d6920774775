//! What SSH offers, against the published lists of `tests/data/ssh_lists.txt`.

use std::collections::BTreeSet;

use tarpit_proto::{persona::Persona, rng::Seed};

use crate::{
    ssh::{CLIENT, client_offer, offer},
    ssh_client::host_keys,
    stage::Stage,
};

/// A block: the persona and the setting of its server, and the ten lists of an offer.
struct Published {
    persona: &'static str,
    setting: &'static str,
    lists: [&'static str; 10],
}

fn published() -> Vec<Published> {
    let lines = include_str!("../data/ssh_lists.txt").lines();
    let lines: Vec<_> = lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let mut all = Vec::new();
    for block in lines.chunks(6) {
        let [head, lines @ ..] = block else { panic!("{block:?}") };
        let (persona, setting) = head.split_once(' ').expect("a persona and a setting");
        let keys = ["KexAlgorithms", "HostKeyAlgorithms", "Ciphers", "MACs", "Compression"];
        let value = |(key, line): (&&str, &&'static str)| {
            line.strip_prefix(key).and_then(|rest| rest.strip_prefix(' ')).expect("the key")
        };
        let values: Vec<_> = keys.iter().zip(lines).map(value).collect();
        let mut lists = [""; 10];
        // Ciphers and what follows them are the same in both directions.
        for (list, value) in lists.iter_mut().zip([0, 1, 2, 2, 3, 3, 4, 4].map(|at| values[at])) {
            *list = value;
        }
        all.push(Published { persona, setting, lists });
    }
    all
}

/// The lists that a client of today's is offered.
fn offered(pattern: &str, persona: Persona) -> Vec<String> {
    let mut stage = Stage::new(pattern);
    stage.profile.persona = persona;
    stage.profile.host_keys = Some(host_keys());
    let mut stage = stage.open();
    stage.says(CLIENT).says(client_offer()).pass_secs(1);
    let sent = stage.bytes();
    let line = sent.iter().position(|&byte| byte == b'\n').expect("the identification") + 1;
    let packet = &sent[line..];
    let length = u32::from_be_bytes(packet[..4].try_into().expect("a length")) as usize;
    let payload = &packet[5..4 + length - usize::from(packet[4])];
    offer(payload).1.into_iter().map(str::to_owned).collect()
}

#[test]
fn every_persona_offers_what_was_published_of_its_server_with_each_pattern() {
    let published = published();
    for name in Persona::names() {
        let mut settings = BTreeSet::new();
        for number in 0..16 {
            for pattern in ["ssh_auth_hold", "ssh_kex_hold", "ssh_trans_hold"] {
                let persona = Persona::named(name, &Seed([number; 32])).expect("a persona");
                let lists = offered(pattern, persona);
                let known = published
                    .iter()
                    .find(|known| known.persona == name && known.lists[..] == lists);
                let known = known.unwrap_or_else(|| panic!("{name}, {pattern}: {lists:?}"));
                settings.insert(known.setting);
            }
        }
        // Not all installations have the same.
        let all = published.iter().filter(|known| known.persona == name);
        assert_eq!(settings, all.map(|known| known.setting).collect(), "{name}");
    }
}
