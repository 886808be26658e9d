//! Waiting for causes, never for time to pass.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Longest wait for anything; only a failing test ever spends it.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Pause between two looks at an observable that cannot be waited on.
pub const POLL: Duration = Duration::from_millis(10);

/// Looks until `observe` yields something, or fails the test naming `what`.
#[track_caller]
pub fn until<T>(what: &str, mut observe: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = observe() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain for: {what}");
        std::thread::sleep(POLL);
    }
}

/// A value that other threads change and tests wait on.
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

    /// Reads or changes the value, and wakes whoever waits for it.
    pub fn with<R>(&self, act: impl FnOnce(&mut T) -> R) -> R {
        let result = act(&mut self.lock());
        self.changed.notify_all();
        result
    }

    /// Waits until `observe` yields something; none when the deadline passed.
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

    /// Waits until `observe` yields something, or fails the test naming `what`.
    #[track_caller]
    pub fn wait<R>(&self, what: &str, observe: impl FnMut(&T) -> Option<R>) -> R {
        let found = self.try_wait(observe);
        assert!(found.is_some(), "waited in vain for: {what}");
        found.unwrap()
    }

    fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A gate that one side opens, step by step, and the other waits at.
#[derive(Debug, Default)]
pub struct Gate {
    steps: Watched<usize>,
}

impl Gate {
    /// Lets one more waiter pass.
    pub fn open(&self) {
        self.steps.with(|steps| *steps += 1);
    }

    /// Lets everyone pass from now on.
    pub fn open_for_good(&self) {
        self.steps.with(|steps| *steps = usize::MAX / 2);
    }

    /// Passes if there is leave to; false if there is none.
    pub fn pass_now(&self) -> bool {
        self.steps.with(|steps| {
            let free = *steps > 0;
            *steps -= usize::from(free);
            free
        })
    }

    /// Waits for leave to pass; false when none was given in time.
    pub fn pass(&self) -> bool {
        let passed = self.steps.try_wait(|steps| (*steps > 0).then_some(()));
        if passed.is_some() {
            self.steps.with(|steps| *steps -= 1);
        }
        passed.is_some()
    }
}
