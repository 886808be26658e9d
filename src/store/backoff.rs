//! When a store that is away is tried again.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LAST: Duration = Duration::from_secs(30);

/// A wait that doubles with each failure.
#[derive(Debug)]
pub struct Backoff(Duration);

impl Backoff {
    #[must_use]
    pub fn new() -> Self {
        Self(FIRST)
    }

    /// The wait after one more failure.
    pub fn next_wait(&mut self) -> Duration {
        let wait = self.0;
        self.0 = wait.saturating_mul(2).min(LAST);
        wait
    }

    pub fn reset(&mut self) {
        self.0 = FIRST;
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}
