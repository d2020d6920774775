//! Places for connections: a bounded number for each surface, so that a crowd at one of them neither
//! grows the daemon nor shuts out another.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, task::AbortHandle, time::timeout};

use super::connection::Progress;
use crate::settings::Surface;

/// How many connections a surface has at one time.
pub(super) const EACH: usize = 16;

/// How many of them the page's streams may have, so that there is always a place for the page.
const STREAMS: usize = EACH / 2;

/// How long a connection with an answer under way has its place for certain. A scrape takes a tenth
/// of this, and a probe that waits for a place does not give up yet.
const FAIR: Duration = Duration::from_millis(500);

/// The connections of all surfaces.
#[derive(Debug, Default)]
pub(super) struct Places([Row; Surface::ALL.len()]);

/// The places of a surface.
#[derive(Debug, Default)]
struct Row {
    /// The oldest first.
    taken: Mutex<VecDeque<Taken>>,
    /// Told of each place that is given back.
    freed: Notify,
}

/// A place that is taken.
#[derive(Debug)]
struct Taken {
    progress: Arc<Progress>,
    /// Since when, as the daemon's clock counts.
    since: Duration,
    /// `None` until the connection's task runs.
    task: Option<AbortHandle>,
}

/// A connection's place, free once this is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    surface: Surface,
    progress: Arc<Progress>,
}

impl Places {
    /// Takes a place. Where none is free, another connection gives up its own: the one that has
    /// waited longest for a request, or else the oldest whose reader takes its answer, streams last.
    /// So neither slow requests nor slow readers keep others out. `Err`: all places are too young
    /// for that, and how long at most it takes until one is not.
    pub(super) fn take(
        self: &Arc<Self>,
        surface: Surface,
        now: Duration,
    ) -> Result<Place, Duration> {
        let mut all = self.of(surface);
        if all.len() >= EACH {
            let leaving = leaving(&all, now)?;
            if let Some(task) = all.remove(leaving).and_then(|taken| taken.task) {
                task.abort();
            }
        }
        let progress = Arc::new(Progress::default());
        all.push_back(Taken { progress: Arc::clone(&progress), since: now, task: None });
        Ok(Place { places: Arc::clone(self), surface, progress })
    }

    /// Waits until a place is given back, and no longer than this.
    pub(super) async fn freed(&self, surface: Surface, most: Duration) {
        // Either way it is worth another try.
        let _ = timeout(most, self.0[surface as usize].freed.notified()).await;
    }

    /// Names the task that holds the place of `progress`.
    pub(super) fn name(&self, surface: Surface, progress: &Arc<Progress>, task: AbortHandle) {
        let mut all = self.of(surface);
        if let Some(taken) = all.iter_mut().find(|taken| Arc::ptr_eq(&taken.progress, progress)) {
            taken.task = Some(task);
        }
    }

    /// Ends the oldest streams where there are more than their places, but not the newest.
    pub(super) fn limit_streams(&self, surface: Surface, newest: &Arc<Progress>) {
        let all = self.of(surface);
        let streams = || all.iter().filter(|taken| taken.progress.streams());
        let excess = streams().count().saturating_sub(STREAMS);
        let others = streams().filter(|taken| !Arc::ptr_eq(&taken.progress, newest));
        for task in others.take(excess).filter_map(|taken| taken.task.as_ref()) {
            task.abort();
        }
    }

    /// Ends the connections whose answer may go on for ever.
    pub(super) fn end_streams(&self, surface: Surface) {
        for taken in self.of(surface).iter().filter(|taken| taken.progress.streams()) {
            if let Some(task) = &taken.task {
                task.abort();
            }
        }
    }

    fn of(&self, surface: Surface) -> std::sync::MutexGuard<'_, VecDeque<Taken>> {
        // Nobody panics with the lock, and the places would be whole all the same.
        self.0[surface as usize].taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which connection gives up its place. `Err`: none does yet, and for how long at most.
fn leaving(all: &VecDeque<Taken>, now: Duration) -> Result<usize, Duration> {
    let oldest = |is: fn(&Progress) -> bool| all.iter().position(|taken| is(&taken.progress));
    if let Some(idle) = oldest(Progress::listens) {
        return Ok(idle);
    }
    let slow = oldest(Progress::sends).or_else(|| oldest(Progress::streams)).ok_or(FAIR)?;
    let wait = (all[slow].since + FAIR).saturating_sub(now);
    if wait.is_zero() { Ok(slow) } else { Err(wait) }
}

impl Place {
    /// How far the connection is.
    pub(super) fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.of(self.surface).retain(|taken| !Arc::ptr_eq(&taken.progress, &self.progress));
        self.places.0[self.surface as usize].freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_house_gives_the_place_of_the_oldest_that_waits() {
        let places = Arc::new(Places::default());
        let take = |now| places.take(Surface::Metrics, now);
        let mut all: Vec<_> = (0..EACH).map(|_| take(Duration::ZERO).unwrap()).collect();
        all[0].progress().answers(false);
        let newest = take(Duration::ZERO).unwrap();
        let held: Vec<_> =
            places.of(Surface::Metrics).iter().map(|it| it.progress.clone()).collect();
        assert_eq!(held.len(), EACH);
        assert!(Arc::ptr_eq(&held[0], all[0].progress()));
        assert!(!held.iter().any(|it| Arc::ptr_eq(it, all[1].progress())), "the oldest idle one");
        // The place that was given up is not given back twice.
        all.remove(1);
        assert_eq!(places.of(Surface::Metrics).len(), EACH);
        for place in all.iter().chain([&newest]) {
            place.progress().answers(true);
        }
        assert!(take(Duration::ZERO).is_err(), "all are being answered");
        all[3].progress().ends();
        assert!(take(Duration::ZERO).is_ok());
        drop((all, newest));
        assert!(places.of(Surface::Metrics).is_empty());
    }

    #[test]
    fn where_all_are_answered_the_oldest_gives_way_after_a_fair_time() {
        let places = Arc::new(Places::default());
        let take = |now| places.take(Surface::Web, now);
        let all: Vec<_> = (0..EACH).map(|_| take(Duration::ZERO).unwrap()).collect();
        for place in &all {
            place.progress().works();
        }
        assert!(take(FAIR * 9).is_err(), "an answer that is being made waits for no reader");
        for (number, place) in all.iter().enumerate() {
            place.progress().answers(number < 2);
        }
        assert_eq!(take(FAIR / 4).err(), Some(FAIR * 3 / 4));
        let newest = take(FAIR).unwrap();
        let has = |place: &Place| {
            places.of(Surface::Web).iter().any(|it| Arc::ptr_eq(&it.progress, place.progress()))
        };
        assert!(has(&all[0]) && has(&all[1]), "streams go last");
        assert!(!has(&all[2]) && has(&all[3]) && has(&newest));
    }
}
