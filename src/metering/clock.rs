//! Whose time it is that a request takes.

use std::time::{Duration, Instant};

/// Shares a request's time out between us and those we wait for.
#[derive(Debug)]
pub(super) struct Clock {
    pub(super) started: Instant,
    own_since: Option<Instant>,
    own: Duration,
    waits_since: Option<Instant>,
    waited: Duration,
}

impl Clock {
    /// A clock that starts with our own time.
    pub(super) fn start() -> Self {
        let started = Instant::now();
        Self {
            started,
            own_since: Some(started),
            own: Duration::ZERO,
            waits_since: None,
            waited: Duration::ZERO,
        }
    }

    /// From here on we wait for somebody else.
    pub(super) fn waits(&mut self) {
        if let Some(since) = self.own_since.take() {
            let now = Instant::now();
            self.own += now.duration_since(since);
            self.waits_since = Some(now);
        }
    }

    /// From here on it is our own time again.
    pub(super) fn works(&mut self) {
        let now = Instant::now();
        if let Some(since) = self.waits_since.take() {
            self.waited += now.duration_since(since);
        }
        self.own_since = Some(now);
    }

    /// Ends a wait, if there is one, and our own time.
    pub(super) fn stops(&mut self) {
        if self.waits_since.is_some() {
            self.works();
        }
        self.waits();
    }

    /// What was waited for until now is not to count as waited for.
    pub(super) fn forget_waits(&mut self) {
        self.waited = Duration::ZERO;
    }

    /// When our own time began, or now while it is somebody else's.
    pub(super) fn own_since(&self) -> Instant {
        self.own_since.unwrap_or_else(Instant::now)
    }

    /// Our own time, but for what has not ended.
    pub(super) fn own(&self) -> Duration {
        self.own
    }

    /// The time of others, but for what has not ended.
    pub(super) fn waited(&self) -> Duration {
        self.waited
    }
}
