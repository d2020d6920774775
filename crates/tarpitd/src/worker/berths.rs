//! What clients have in common, kept once for all of them: the settings they are held under, and
//! the address of ours that they connected to.

use std::{collections::HashMap, net::SocketAddr, sync::Arc};

use tarpit_proto::script::Profile;

use crate::admit::admission::Port;

/// What clients of one listener are held under. Never changed; a reload makes a new one, and the
/// old one lives until its last client is gone.
#[derive(Debug)]
pub(crate) struct Post {
    /// The tarpit's name.
    pub(crate) name: String,
    pub(crate) profile: Profile,
    /// The most clients on the port; 0: no cap.
    pub(crate) max_clients: u32,
    pub(crate) traced: bool,
    /// Whether it is for data connections: only those come in who have been asked to.
    pub(crate) data: bool,
    pub(crate) port: Arc<Port>,
}

/// What many clients have in common: the post, and the address that they connected to.
#[derive(Debug)]
pub(crate) struct Berth {
    pub(crate) post: Arc<Post>,
    pub(crate) server: SocketAddr,
    clients: u32,
}

/// A worker's berths, by a number that a slot has room for.
#[derive(Debug, Default)]
pub(crate) struct Berths {
    all: Vec<Option<Berth>>,
    /// Where the berth of a post (by its address in memory) and an address of ours is.
    places: HashMap<(usize, SocketAddr), u16>,
    free: Vec<u16>,
}

impl Berths {
    /// The berth for one more client of `post` that connected to `server`; `None` where there are
    /// 65,536 berths already.
    pub(crate) fn enter(&mut self, post: &Arc<Post>, server: SocketAddr) -> Option<u16> {
        let key = (Arc::as_ptr(post).addr(), server);
        let index = if let Some(&index) = self.places.get(&key) {
            index
        } else {
            let berth = Some(Berth { post: Arc::clone(post), server, clients: 0 });
            let index = self.free.pop().or_else(|| u16::try_from(self.all.len()).ok())?;
            match self.all.get_mut(usize::from(index)) {
                Some(place) => *place = berth,
                None => self.all.push(berth),
            }
            self.places.insert(key, index);
            index
        };
        if let Some(Some(berth)) = self.all.get_mut(usize::from(index)) {
            berth.clients += 1;
        }
        Some(index)
    }

    /// One client less in the berth, which is given up with the last one.
    pub(crate) fn leave(&mut self, index: u16) {
        let Some(place) = self.all.get_mut(usize::from(index)) else { return };
        let Some(berth) = place else { return };
        berth.clients -= 1;
        if berth.clients == 0 {
            self.places.remove(&(Arc::as_ptr(&berth.post).addr(), berth.server));
            *place = None;
            self.free.push(index);
        }
    }

    /// The berth with that number.
    pub(crate) fn get(&self, index: u16) -> Option<&Berth> {
        self.all.get(usize::from(index))?.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use tarpit_proto::{patterns, persona::Persona, rng::Seed};

    use super::*;

    fn post() -> Arc<Post> {
        let persona = Persona::default_for(&Seed([0; 32]));
        let profile = Profile::new(patterns::ALL[0], persona);
        let port = Arc::new(Port::new("127.0.0.1:22".parse().unwrap()));
        Arc::new(Post {
            name: "a".into(),
            profile,
            max_clients: 0,
            traced: false,
            data: false,
            port,
        })
    }

    fn server(number: u32) -> SocketAddr {
        (std::net::Ipv4Addr::from_bits(number), 22).into()
    }

    #[test]
    fn clients_with_the_same_in_common_share_a_berth_until_the_last_has_left() {
        let (mut berths, one, two) = (Berths::default(), post(), post());
        let first = berths.enter(&one, server(1)).unwrap();
        assert_eq!(berths.enter(&one, server(1)), Some(first));
        assert_ne!(berths.enter(&two, server(1)), Some(first));
        assert_ne!(berths.enter(&one, server(2)), Some(first));
        berths.leave(first);
        assert_eq!(berths.get(first).unwrap().server, server(1));
        berths.leave(first);
        assert!(berths.get(first).is_none());
        assert_eq!(berths.enter(&two, server(9)), Some(first), "the place is used again");
        assert_eq!(Arc::strong_count(&one), 2);
    }

    #[test]
    fn there_are_as_many_as_a_slot_can_number() {
        let (mut berths, post) = (Berths::default(), post());
        for number in 0..=u32::from(u16::MAX) {
            assert!(berths.enter(&post, server(number)).is_some());
        }
        assert_eq!(berths.enter(&post, server(1 << 20)), None);
        berths.leave(7);
        assert!(berths.enter(&post, server(1 << 20)).is_some());
    }
}
