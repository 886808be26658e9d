//! Waiting for observable state instead of sleeping.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Upper bound of every wait; reached only by a failing test.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Interval between two polls.
pub const POLL: Duration = Duration::from_millis(10);

/// Polls `observe` until it returns a value; panics at [`DEADLINE`].
#[track_caller]
pub fn until<T>(what: &str, mut observe: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = observe() {
            return found;
        }
        assert!(Instant::now() < end, "timed out waiting for: {what}");
        std::thread::sleep(POLL);
    }
}

/// A value that other threads change and tests wait for.
#[derive(Debug, Default)]
pub struct Watched<T> {
    value: Mutex<T>,
    changed: Condvar,
}

impl<T> Watched<T> {
    pub fn new(value: T) -> Self {
        Self {
            value: Mutex::new(value),
            changed: Condvar::new(),
        }
    }

    /// Accesses the value and wakes all waiters.
    pub fn with<R>(&self, act: impl FnOnce(&mut T) -> R) -> R {
        let result = act(&mut self.lock());
        self.changed.notify_all();
        result
    }

    /// Waits until `observe` returns a value; `None` at [`DEADLINE`].
    pub fn try_wait<R>(&self, mut observe: impl FnMut(&T) -> Option<R>) -> Option<R> {
        let end = Instant::now() + DEADLINE;
        let mut value = self.lock();
        loop {
            if let Some(found) = observe(&value) {
                return Some(found);
            }
            let left = end.checked_duration_since(Instant::now())?;
            value = self
                .changed
                .wait_timeout(value, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// As [`Watched::try_wait`], but panics at [`DEADLINE`].
    #[track_caller]
    pub fn wait<R>(&self, what: &str, observe: impl FnMut(&T) -> Option<R>) -> R {
        let found = self.try_wait(observe);
        assert!(found.is_some(), "timed out waiting for: {what}");
        found.unwrap()
    }

    fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A counting semaphore by which a test lets an upstream's script continue.
#[derive(Debug, Default)]
pub struct Semaphore {
    permits: Watched<usize>,
}

impl Semaphore {
    pub fn release(&self) {
        self.permits.with(|permits| *permits += 1);
    }

    /// Lets every present and later waiter pass.
    pub fn release_all(&self) {
        self.permits.with(|permits| *permits = usize::MAX / 2);
    }

    /// Takes a permit if there is one.
    pub fn try_acquire(&self) -> bool {
        self.permits.with(|permits| {
            let available = *permits > 0;
            *permits -= usize::from(available);
            available
        })
    }

    /// Waits for a permit; false at [`DEADLINE`].
    pub fn acquire(&self) -> bool {
        let acquired = self
            .permits
            .try_wait(|permits| (*permits > 0).then_some(()));
        if acquired.is_some() {
            self.permits.with(|permits| *permits -= 1);
        }
        acquired.is_some()
    }
}
