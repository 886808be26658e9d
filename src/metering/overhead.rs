//! Whose time it is that a request takes.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// Shares a request's time out between us and those we wait for. Two attempts
/// at a time may tell it what they do, hence the cells.
#[derive(Debug)]
pub(super) struct Clock {
    pub(super) started: Instant,
    own_since: Cell<Option<Instant>>,
    own: Cell<Duration>,
    waits_since: Cell<Option<Instant>>,
    waited: Cell<Duration>,
}

impl Clock {
    /// A clock that starts with our own time.
    pub(super) fn start() -> Self {
        let started = Instant::now();
        Self {
            started,
            own_since: Cell::new(Some(started)),
            own: Cell::default(),
            waits_since: Cell::default(),
            waited: Cell::default(),
        }
    }

    /// From here on we wait for somebody else.
    pub(super) fn waits(&self) {
        if let Some(since) = self.own_since.take() {
            let now = Instant::now();
            self.own.set(self.own.get() + now.duration_since(since));
            self.waits_since.set(Some(now));
        }
    }

    /// From here on it is our own time again.
    pub(super) fn works(&self) {
        let now = Instant::now();
        if let Some(since) = self.waits_since.take() {
            self.waited
                .set(self.waited.get() + now.duration_since(since));
        }
        self.own_since.set(Some(now));
    }

    /// Ends a wait, if there is one, and our own time.
    pub(super) fn stops(&self) {
        if self.waits_since.get().is_some() {
            self.works();
        }
        self.waits();
    }

    /// What was waited for until now is not to count as waited for.
    pub(super) fn forget_waits(&self) {
        self.waited.set(Duration::ZERO);
    }

    /// When our own time began, or now while it is somebody else's.
    pub(super) fn own_since(&self) -> Instant {
        self.own_since.get().unwrap_or_else(Instant::now)
    }

    /// Our own time, but for what has not ended.
    pub(super) fn own(&self) -> Duration {
        self.own.get()
    }

    /// The time of others, but for what has not ended.
    pub(super) fn waited(&self) -> Duration {
        self.waited.get()
    }
}
