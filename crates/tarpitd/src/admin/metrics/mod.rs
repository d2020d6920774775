//! The surface for Prometheus and for those who ask whether the daemon is well.

mod endlessh_go;
mod exposition;
pub(crate) mod families;
pub(crate) mod saved;

use std::sync::Arc;

use hyper::{Request, StatusCode};

use self::{
    exposition::{Form, Page},
    families::{Samples, Tarpit, View},
};
use super::{
    answer::{Answer, json, line, pieces, stuck},
    host,
    server::Peer,
    world::World,
};
use crate::{report::totals::TarpitCounts, worker::Command};

/// How long a piece of the page is at least, so that a page takes few of them.
const PIECE: usize = 4 * 1024;

/// All metrics, in the form that the client accepts.
///
/// The page is made piece by piece, and the numbers are read when their piece is made: so a reader
/// that stops costs one piece, however many tarpits there are.
///
/// With the names of `compat` there are clients' addresses on it. So where only this machine reaches
/// it, no web page that this machine's browser shows may read it.
pub(super) async fn scrape(request: &Request<Vec<u8>>, world: Arc<World>) -> Answer {
    let is_near = request.extensions().get::<Peer>().is_some_and(|peer| peer.is_near);
    if is_near && !host::is_address(request) {
        let what = "at a loopback address metrics must be asked for by an address or as localhost";
        return line(StatusCode::FORBIDDEN, what);
    }
    let busiest = world.busiest().await;
    let compat = world.metrics.count_ports();
    // The names of endlessh-go are not valid in OpenMetrics.
    let form = if compat { Form::Classic } else { Form::accepted(request.headers()) };
    let now = world.clock.now();
    let mut lines = Lines { family: 0, tarpit: 0 };
    let mut others = compat.then(|| endlessh_go::Lines::new(busiest));
    pieces(form.media_type(), move || {
        let mut page = Page::new(form);
        let view = View { world: &world, now };
        while page.len() < PIECE && lines.next(&view, &mut page) {}
        if let Some(others) = others.as_mut().filter(|_| page.len() < PIECE) {
            while page.len() < PIECE && others.next(&world, &mut page) {}
        }
        let text = page.into_text();
        (!text.is_empty()).then(|| text.into())
    })
}

/// How far a page is.
struct Lines {
    /// The place in [`families::ALL`]; beyond it comes the end.
    family: usize,
    /// The next tarpit.
    tarpit: usize,
}

impl Lines {
    /// Writes the next lines; says whether there may be more.
    fn next(&mut self, view: &View<'_>, page: &mut Page) -> bool {
        let Some(family) = families::ALL.get(self.family) else {
            if self.family == families::ALL.len() {
                page.end();
                self.family += 1;
            }
            return false;
        };
        if self.tarpit == 0 {
            page.family(family.name, family.kind, family.help);
        }
        match family.samples {
            Samples::Once(samples) => samples(family, view, page),
            Samples::Each(samples) => {
                if let Some(tally) = view.world.tallies.get(self.tarpit) {
                    let own = tally.counts(view.now);
                    let told = TarpitCounts { opened: tally.opened_told(own.opened), ..own };
                    let counts = view.world.tarpit_counts(tally, told);
                    let tarpit = Tarpit { name: &tally.name, held: own.held(), counts };
                    samples(family, &tarpit, page);
                    self.tarpit += 1;
                    return true;
                }
            }
        }
        (self.family, self.tarpit) = (self.family + 1, 0);
        true
    }
}

/// That the process answers, and since when it serves.
pub(super) fn health(world: &World) -> Answer {
    let uptime = world.clock.since_start().as_secs();
    json(StatusCode::OK, &serde_json::json!({ "status": "ok", "uptime": uptime }))
}

/// Whether every worker's loop turns.
pub(super) async fn ready(world: &World) -> Answer {
    match world.ask_all(Command::Answer).await {
        Some(_) => line(StatusCode::OK, "ready"),
        None => stuck(),
    }
}
