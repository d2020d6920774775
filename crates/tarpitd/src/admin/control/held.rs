//! The list of held clients: sorted, and streamed in bounded memory however many there are.
//!
//! The workers rank their clients piece by piece. Of all ranks the first [`RANKS`] are kept, then
//! their clients are described and sent in small groups. Where there are more clients, the next
//! pass keeps the ranks behind those.

use std::{collections::BinaryHeap, sync::Arc};

use hyper::{Uri, body::Bytes};
use tokio::sync::mpsc;

use super::{parameter, whom, wrong};
use crate::{
    admin::{
        answer::{Answer, stream},
        world::World,
    },
    report::held::HeldClient,
    worker::{
        Command,
        roster::{DESCRIBED, Order, Question, Whom},
    },
};

/// The most ranks that are kept at one time.
const RANKS: usize = 65_536;

// While the heap grows to that size, it stands beside the half of it.
const _: () = assert!(RANKS * size_of::<Rank>() * 3 / 2 <= 3_000_000, "ranks take at most 3 MB");

/// A JSON object a line.
const LINES: &str = "application/x-ndjson";

/// A client's rank, the number of its worker and its place there.
type Rank = (u64, usize, u32);

/// What is asked for.
#[derive(Clone, Copy)]
struct List {
    whom: Whom,
    order: Order,
    limit: usize,
}

/// Lists held clients.
pub(crate) fn held(uri: &Uri, world: Arc<World>) -> Answer {
    let list = match read(uri) {
        Ok(list) => list,
        Err(what) => return wrong(what),
    };
    stream(LINES, |pieces| async move {
        if send_all(list, &world, &pieces).await.is_none() && !pieces.is_closed() {
            let line = "{\"error\":\"a worker thread does not answer\"}\n";
            // If the reader is gone, nobody misses it.
            let _ = pieces.send(line.into()).await;
        }
    })
}

fn read(uri: &Uri) -> Result<List, String> {
    let order = parameter(uri, "order").unwrap_or("oldest");
    let known = Order::ALL.iter().find(|(_, name)| *name == order);
    let (order, _) = *known.ok_or("order= is one of newest, oldest, received, sent")?;
    let whom = parameter(uri, "whom").map_or(Ok(Whom::All), whom)?;
    let limit = match parameter(uri, "limit") {
        None => usize::MAX,
        Some(limit) => limit.parse().map_err(|_| "limit= is a number of clients")?,
    };
    Ok(List { whom, order, limit })
}

/// The first clients in an order, at most [`DESCRIBED`] of them; `None` if a worker is stuck.
pub(in crate::admin) async fn first(
    world: &World,
    order: Order,
    limit: usize,
) -> Option<Vec<HeldClient>> {
    let list = List { whom: Whom::All, order, limit: limit.min(DESCRIBED) };
    let ranks = rank(list, world, None, list.limit).await?;
    describe(list.whom, world, &ranks).await
}

/// Sends all that is asked for; `None` if a worker is stuck or the reader is gone.
async fn send_all(list: List, world: &World, pieces: &mpsc::Sender<Bytes>) -> Option<()> {
    let (mut left, mut after) = (list.limit, None);
    while left > 0 {
        let ranks = rank(list, world, after, left.min(RANKS)).await?;
        let Some(&greatest) = ranks.last() else { break };
        // Neighbours in the list may be of different workers.
        for group in ranks.chunks(DESCRIBED) {
            let mut text = Vec::with_capacity(group.len() * 320);
            for client in describe(list.whom, world, group).await? {
                serde_json::to_writer(&mut text, &client).ok()?;
                text.push(b'\n');
            }
            pieces.send(text.into()).await.ok()?;
        }
        left -= ranks.len();
        after = Some(greatest);
    }
    Some(())
}

/// The first ranks behind `after`, in order, and at most so many.
async fn rank(list: List, world: &World, after: Option<Rank>, most: usize) -> Option<Vec<Rank>> {
    let mut first = BinaryHeap::new();
    let List { whom, order, .. } = list;
    for worker in 0..world.workers.len() {
        let mut next = Some(0);
        while let Some(from) = next {
            let ask = |answer| Command::Ask(Question::Rank { from, whom, order, answer });
            let ranked = world.ask(worker, ask).await?;
            next = ranked.next;
            let ranks = ranked.clients.into_iter().map(|(rank, place)| (rank, worker, place));
            for rank in ranks.filter(|rank| after.is_none_or(|after| *rank > after)) {
                if first.len() < most {
                    first.push(rank);
                } else if let Some(mut greatest) = first.peek_mut()
                    && rank < *greatest
                {
                    *greatest = rank;
                }
            }
        }
    }
    Some(first.into_sorted_vec())
}

/// These clients, those that have gone in the meantime left out.
async fn describe(whom: Whom, world: &World, group: &[Rank]) -> Option<Vec<HeldClient>> {
    let mut described = Vec::with_capacity(world.workers.len());
    for worker in 0..world.workers.len() {
        let places = group.iter().filter(|(_, other, _)| *other == worker);
        let places: Vec<_> = places.map(|&(_, _, place)| place).collect();
        let clients = if places.is_empty() {
            Vec::new()
        } else {
            let ask = |answer| Command::Ask(Question::Describe { places, whom, answer });
            world.ask(worker, ask).await?
        };
        described.push(clients.into_iter().peekable());
    }
    // Who has gone in the meantime is missing, so that the order is found by place.
    let mut all = Vec::with_capacity(group.len());
    for &(_, worker, place) in group {
        let next = described.get_mut(worker)?.next_if(|(known, _)| *known == place);
        all.extend(next.map(|(_, client)| client));
    }
    Some(all)
}
