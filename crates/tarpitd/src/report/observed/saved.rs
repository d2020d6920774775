//! What came most often, for the next daemon.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Frequent, PLACES, Tried};
use crate::{
    report::sketch::{Counted, merged},
    settings::Network,
};

/// A [`Frequent`] of all workers together.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct SavedFrequent {
    users: Vec<SavedWord>,
    secrets: Vec<SavedWord>,
    /// Each by its first address.
    networks: Vec<(IpAddr, Times)>,
    /// How addresses are shown.
    anonymize: String,
}

/// The beginning of a text, and whether there was more.
type SavedWord = (Vec<u8>, bool, Times);

/// How often a thing came, and by how much that may be too high.
type Times = (u64, u64);

/// No count of ours comes near it, so sums of such counts have room.
const MOST: u64 = 1 << 48;

impl SavedFrequent {
    /// What all workers observed; addresses are shown in this way. `None`: nothing was.
    pub(crate) fn of(
        of_workers: impl IntoIterator<Item = Frequent>,
        anonymize: &str,
    ) -> Option<Self> {
        let (mut users, mut secrets, mut networks) = (Vec::new(), Vec::new(), Vec::new());
        for frequent in of_workers {
            users.push(frequent.users);
            secrets.push(frequent.secrets);
            networks.push(frequent.networks);
        }
        let words = |all| merged(all, PLACES).iter().map(save).collect();
        let networks: Vec<_> = merged(networks, PLACES)
            .into_iter()
            .map(|it| (it.thing.first(), (it.count, it.over)))
            .collect();
        let (users, secrets) = (words(users), words(secrets));
        (!networks.is_empty()).then(|| Self {
            users,
            secrets,
            networks,
            anonymize: anonymize.into(),
        })
    }

    /// The same for workers that show addresses in this way; `None`: it begins anew, since what was
    /// shown otherwise says too much or too little.
    pub(crate) fn load(self, anonymize: &str) -> Option<Frequent> {
        if self.anonymize != anonymize {
            return None;
        }
        let networks = self.networks.into_iter();
        let networks = networks.map(|(ip, times)| counted(Network::around(ip), times));
        Some(Frequent {
            users: self.users.into_iter().map(load).collect(),
            secrets: self.secrets.into_iter().map(load).collect(),
            networks: networks.collect(),
        })
    }
}

impl Frequent {
    /// The share of one of so many workers: every one of them counts on from some.
    pub(crate) fn share(&self, worker: usize, workers: usize) -> Self {
        fn some<K: Clone>(all: &[Counted<K>], worker: usize, workers: usize) -> Vec<Counted<K>> {
            all.iter().skip(worker).step_by(workers.max(1)).cloned().collect()
        }
        Self {
            users: some(&self.users, worker, workers),
            secrets: some(&self.secrets, worker, workers),
            networks: some(&self.networks, worker, workers),
        }
    }
}

fn save(it: &Counted<Tried>) -> SavedWord {
    let (bytes, is_cut) = it.thing.bytes();
    (bytes.to_vec(), is_cut, (it.count, it.over))
}

fn load((bytes, is_cut, times): SavedWord) -> Counted<Tried> {
    counted(Tried::saved(&bytes, is_cut), times)
}

fn counted<K>(thing: K, (count, over): Times) -> Counted<K> {
    let count = count.min(MOST);
    Counted { thing, count, over: over.min(count) }
}
