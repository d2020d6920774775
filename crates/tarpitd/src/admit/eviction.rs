//! Which client goes when there is no room for a newcomer.
//!
//! A search looks at every client. So one search finds victims for many newcomers, and there are at
//! most ten a second. A newcomer that comes when none is left is refused.

use std::time::Duration;

use tarpit_proto::time::Time;

use crate::settings::Evict;

/// Clients that may have to go, found by one search.
#[derive(Debug, Default)]
pub(crate) struct Eviction {
    /// When that search was.
    looked: Time,
    victims: Vec<u32>,
    /// Of the noisiest prefix: how many it had, and its hash.
    noisiest: (u32, u64),
    /// How many the next one had.
    runner_up: u32,
}

/// A client as eviction sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub(crate) index: u32,
    pub(crate) opened: Time,
    /// How many its prefix has, and the prefix's hash.
    pub(crate) prefix: (u32, u64),
}

/// The most victims that one search prepares.
const BATCH: usize = 256;

/// The least time between two searches, for whichever ports.
pub(crate) const PAUSE: Duration = Duration::from_millis(100);

impl Eviction {
    /// Whether no victim is left, so that another search is due.
    pub(crate) fn is_empty(&self) -> bool {
        self.victims.is_empty()
    }

    /// Looks at all clients, or at those of one port.
    pub(crate) fn look(
        &mut self,
        now: Time,
        policy: Evict,
        clients: &mut dyn Iterator<Item = Candidate>,
    ) {
        self.looked = now;
        self.victims.clear();
        match policy {
            Evict::NoisiestPrefix => {
                (self.noisiest, self.runner_up) = ((0, 0), 0);
                for client in clients {
                    if client.prefix.0 > self.noisiest.0 {
                        self.runner_up = self.noisiest.0;
                        self.noisiest = client.prefix;
                        self.victims.clear();
                    } else if client.prefix.1 != self.noisiest.1 {
                        self.runner_up = self.runner_up.max(client.prefix.0);
                    }
                    if client.prefix.1 == self.noisiest.1 && self.victims.len() < BATCH {
                        self.victims.push(client.index);
                    }
                }
            }
            Evict::Oldest => {
                let mut all: Vec<_> = clients.map(|one| (one.opened, one.index)).collect();
                if all.len() > BATCH {
                    all.select_nth_unstable(BATCH);
                    all.truncate(BATCH);
                }
                all.sort_unstable();
                self.victims.extend(all.into_iter().rev().map(|(_, index)| index));
            }
            Evict::Refuse => {}
        }
    }

    /// A client that has to go for a newcomer, whose prefix is given. `present` describes a client
    /// as it is now, since it may have left and another one may have its slot.
    pub(crate) fn victim(
        &mut self,
        policy: Evict,
        newcomer: (u32, u64),
        present: impl Fn(u32) -> Option<Candidate>,
    ) -> Option<u32> {
        while let Some(index) = self.victims.pop() {
            let Some(client) = present(index) else { continue };
            match policy {
                Evict::NoisiestPrefix if client.prefix.1 != self.noisiest.1 => {}
                Evict::NoisiestPrefix => {
                    let enough = client.prefix.0 > newcomer.0 + 1;
                    if client.prefix.0 * 4 < self.runner_up * 3 {
                        // Another prefix is much noisier by now: time for another search.
                        self.victims.clear();
                    } else if !enough {
                        // With the newcomer its own prefix would have as many; others may come in.
                        self.victims.push(index);
                    }
                    return enough.then_some(index);
                }
                Evict::Oldest if client.opened > self.looked => {}
                Evict::Oldest => return Some(index),
                Evict::Refuse => return None,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(index: u32, prefix: (u32, u64)) -> Candidate {
        Candidate { index, opened: Time::from_millis(1_000 - u64::from(index)), prefix }
    }

    /// Eight of prefix 7, and two of prefix 5 in front and behind.
    fn crowd() -> Vec<Candidate> {
        (0..10).map(|i| candidate(i, if i % 9 == 0 { (2, 5) } else { (8, 7) })).collect()
    }

    fn look(policy: Evict) -> (Eviction, Vec<Candidate>) {
        let (mut eviction, crowd) = (Eviction::default(), crowd());
        let now = Time::from_millis(2_000);
        assert!(eviction.is_empty());
        eviction.look(now, policy, &mut crowd.clone().into_iter());
        (eviction, crowd)
    }

    #[test]
    fn the_noisiest_prefix_makes_room_for_others_but_not_for_its_own() {
        let policy = Evict::NoisiestPrefix;
        let victim = |newcomer| {
            let (mut eviction, crowd) = look(policy);
            let present = |index: u32| crowd.get(index as usize).copied();
            eviction.victim(policy, newcomer, present).map(|index| crowd[index as usize].prefix.1)
        };
        assert_eq!(victim((0, 9)), Some(7));
        assert_eq!(victim((8, 7)), None);
        // A newcomer whose prefix would then have as many gets no place.
        assert_eq!(victim((7, 4)), None);
    }

    #[test]
    fn when_another_prefix_has_become_the_noisiest_everybody_is_looked_at_again() {
        let (mut eviction, crowd) = look(Evict::NoisiestPrefix);
        // Of its eight one is left, where the next prefix has two.
        let present = |index: u32| {
            crowd.get(index as usize).map(|&client| Candidate { prefix: (1, 7), ..client })
        };
        assert_eq!(eviction.victim(Evict::NoisiestPrefix, (0, 9), present), None);
        assert!(eviction.is_empty());
    }

    #[test]
    fn the_oldest_go_in_their_order() {
        let (mut eviction, crowd) = look(Evict::Oldest);
        let present = |index: u32| crowd.get(index as usize).copied();
        let order: Vec<_> =
            std::iter::from_fn(|| eviction.victim(Evict::Oldest, (0, 0), present)).collect();
        assert_eq!(order, (0..10).rev().collect::<Vec<_>>());
    }

    #[test]
    fn a_place_that_another_client_has_got_is_left_alone() {
        let (mut eviction, _) = look(Evict::NoisiestPrefix);
        let others = |index| Some(candidate(index, (1, 3)));
        assert_eq!(eviction.victim(Evict::NoisiestPrefix, (0, 9), others), None);
        assert!(eviction.is_empty());
    }
}
