//! Places for connections: a bounded number for each surface, so that a crowd at one of them neither
//! grows the daemon nor shuts out another.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::task::AbortHandle;

use super::connection::Progress;
use crate::settings::Surface;

/// How many connections a surface has at one time.
pub(super) const EACH: usize = 16;

/// The connections of all surfaces, each surface's oldest first.
#[derive(Debug, Default)]
pub(super) struct Places([Mutex<VecDeque<Taken>>; Surface::ALL.len()]);

/// A place that is taken.
#[derive(Debug)]
struct Taken {
    progress: Arc<Progress>,
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
    /// Takes a place. Where none is free, the connection that has waited longest without an answer
    /// under way gives up its own, so that slow requests cannot keep others out; `None`: all are
    /// being answered.
    pub(super) fn take(self: &Arc<Self>, surface: Surface) -> Option<Place> {
        let mut all = self.of(surface);
        if all.len() >= EACH {
            let idle = all.iter().position(|taken| taken.progress.listens())?;
            if let Some(task) = all.remove(idle).and_then(|taken| taken.task) {
                task.abort();
            }
        }
        let progress = Arc::new(Progress::default());
        all.push_back(Taken { progress: Arc::clone(&progress), task: None });
        Some(Place { places: Arc::clone(self), surface, progress })
    }

    /// Names the task that holds the place of `progress`.
    pub(super) fn name(&self, surface: Surface, progress: &Arc<Progress>, task: AbortHandle) {
        let mut all = self.of(surface);
        if let Some(taken) = all.iter_mut().find(|taken| Arc::ptr_eq(&taken.progress, progress)) {
            taken.task = Some(task);
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
        self.0[surface as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_house_gives_the_place_of_the_oldest_that_waits() {
        let places = Arc::new(Places::default());
        let mut all: Vec<_> = (0..EACH).map(|_| places.take(Surface::Metrics).unwrap()).collect();
        all[0].progress().answers(false);
        let newest = places.take(Surface::Metrics).unwrap();
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
        assert!(places.take(Surface::Metrics).is_none(), "all are being answered");
        all[3].progress().ends();
        assert!(places.take(Surface::Metrics).is_some());
        drop((all, newest));
        assert!(places.of(Surface::Metrics).is_empty());
    }
}
