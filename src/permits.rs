//! So many at once, where the number may change while places are taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Places of which there are so many. They are given out in the order in which
/// they were asked for.
#[derive(Debug)]
pub struct Places {
    free: Arc<Semaphore>,
    most: AtomicUsize,
    /// Places to be taken away as soon as they are given back.
    owed: AtomicUsize,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub struct Place {
    permit: Option<OwnedSemaphorePermit>,
    places: Arc<Places>,
}

impl Places {
    /// `most` places, all of them free.
    #[must_use]
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            free: Arc::new(Semaphore::new(most)),
            most: AtomicUsize::new(most),
            owed: AtomicUsize::new(0),
        })
    }

    /// A place, if one is free.
    #[must_use]
    pub fn try_take(self: &Arc<Self>) -> Option<Place> {
        let permit = Arc::clone(&self.free).try_acquire_owned().ok()?;
        Some(self.place(permit))
    }

    /// Waits for a place.
    pub async fn take(self: &Arc<Self>) -> Place {
        loop {
            // It fails when it is closed, which it never is.
            if let Ok(permit) = Arc::clone(&self.free).acquire_owned().await {
                return self.place(permit);
            }
        }
    }

    /// Changes how many there are. Nobody loses a place: where more are taken
    /// than there are to be, none is given out until enough came back. Not to
    /// be called from two threads at once.
    pub fn resize(&self, most: usize) {
        let before = self.most.swap(most, Ordering::Relaxed);
        if let Some(fewer) = before.checked_sub(most) {
            let gone = self.free.forget_permits(fewer);
            self.owed.fetch_add(fewer - gone, Ordering::Relaxed);
            return;
        }
        let mut more = most - before;
        while more > 0 && self.settle() {
            more -= 1;
        }
        self.free.add_permits(more);
    }

    fn place(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Place {
        Place {
            permit: Some(permit),
            places: Arc::clone(self),
        }
    }

    /// Takes one off what is owed; false when nothing is.
    fn settle(&self) -> bool {
        let owed = &self.owed;
        owed.load(Ordering::Relaxed) > 0
            && owed
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |owed| {
                    owed.checked_sub(1)
                })
                .is_ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.places.settle()
            && let Some(permit) = self.permit.take()
        {
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Places;

    #[test]
    fn fewer_places_are_in_force_when_enough_came_back() {
        let places = Places::new(3);
        let mut taken: Vec<_> = (0..3).map(|_| places.try_take().unwrap()).collect();
        places.resize(1);
        taken.pop();
        taken.pop();
        assert!(places.try_take().is_none(), "one is still taken");
        taken.pop();
        let last = places.try_take();
        assert!(last.is_some());
        assert!(places.try_take().is_none());
    }

    #[test]
    fn more_places_are_there_at_once() {
        let places = Places::new(1);
        let _held = places.try_take().unwrap();
        places.resize(2);
        let _more = places.try_take().unwrap();
        assert!(places.try_take().is_none());
    }

    #[test]
    fn what_is_owed_is_made_up_for_before_places_are_added() {
        let places = Places::new(2);
        let taken = (places.try_take().unwrap(), places.try_take().unwrap());
        places.resize(1);
        places.resize(2);
        assert!(places.try_take().is_none());
        drop(taken);
        let _taken = (places.try_take().unwrap(), places.try_take().unwrap());
        assert!(places.try_take().is_none());
    }
}
