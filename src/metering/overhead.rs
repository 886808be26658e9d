//! Splits a request's time into the gateway's own time and waits.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::Meter;

/// Runs from the start, and is paused while the request waits for its client or an
/// upstream. Cells, since two concurrent attempts share it.
#[derive(Debug)]
pub(super) struct OverheadTimer {
    pub(super) started: Instant,
    resumed_at: Cell<Option<Instant>>,
    own_time: Cell<Duration>,
    paused_at: Cell<Option<Instant>>,
    waited: Cell<Duration>,
}

/// Resumes our own time when dropped.
#[derive(Debug)]
pub struct WaitGuard<'a>(&'a Meter);

// === impl OverheadTimer ===

impl OverheadTimer {
    pub(super) fn start() -> Self {
        let started = Instant::now();
        Self {
            started,
            resumed_at: Cell::new(Some(started)),
            own_time: Cell::default(),
            paused_at: Cell::default(),
            waited: Cell::default(),
        }
    }

    pub(super) fn pause(&self) {
        if let Some(since) = self.resumed_at.take() {
            let now = Instant::now();
            self.own_time
                .set(self.own_time.get() + now.duration_since(since));
            self.paused_at.set(Some(now));
        }
    }

    pub(super) fn resume(&self) {
        let now = Instant::now();
        if let Some(since) = self.paused_at.take() {
            self.waited
                .set(self.waited.get() + now.duration_since(since));
        }
        self.resumed_at.set(Some(now));
    }

    /// Ends a wait, if there is one, and our own time.
    pub(super) fn stop(&self) {
        if self.paused_at.get().is_some() {
            self.resume();
        }
        self.pause();
    }

    /// Waits until now do not count as waits for an upstream.
    pub(super) fn reset_waited(&self) {
        self.waited.set(Duration::ZERO);
    }

    /// When the last wait ended, or now while paused.
    pub(super) fn resumed_at(&self) -> Instant {
        self.resumed_at.get().unwrap_or_else(Instant::now)
    }

    /// Our own time up to the last pause.
    pub(super) fn own_time(&self) -> Duration {
        self.own_time.get()
    }

    /// Time of waits up to the last resume.
    pub(super) fn waited(&self) -> Duration {
        self.waited.get()
    }
}

// === impl Meter ===

impl Meter {
    /// Call this before a wait for the client or an upstream.
    pub fn pause_overhead(&self) {
        self.overhead.pause();
    }

    pub fn resume_overhead(&self) {
        self.overhead.resume();
    }

    /// A wait for the client or an upstream, until the guard is dropped.
    #[must_use]
    pub fn wait(&self) -> WaitGuard<'_> {
        self.pause_overhead();
        WaitGuard(self)
    }

    /// The gateway's own time until the last wait, and the time waited for upstreams.
    #[must_use]
    pub fn times(&self) -> (Duration, Option<Duration>) {
        let upstream = Some(self.overhead.waited()).filter(|time| !time.is_zero());
        (self.overhead.own_time(), upstream)
    }
}

impl Drop for WaitGuard<'_> {
    fn drop(&mut self) {
        self.0.resume_overhead();
    }
}
