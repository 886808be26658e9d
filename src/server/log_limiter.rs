//! Limits a message that would otherwise be logged for every connection.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

/// Time between two lines of one limiter.
const INTERVAL: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub struct LogLimiter {
    last_line: Cell<Option<Instant>>,
    /// Events since then.
    events: Cell<u64>,
}

impl LogLimiter {
    /// Counts an event. If a line is due, returns the number of events that it stands
    /// for: this one, and those since the last line.
    pub fn record(&self) -> Option<u64> {
        let events = self.events.get() + 1;
        self.events.set(events);
        let now = Instant::now();
        let last_line = self.last_line.get();
        if last_line.is_some_and(|at| now < at + INTERVAL) {
            return None;
        }
        self.last_line.set(Some(now));
        self.events.set(0);
        Some(events)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::{INTERVAL, LogLimiter};

    #[tokio::test(start_paused = true)]
    async fn the_first_event_is_logged_and_the_rest_once_an_interval() {
        let limiter = LogLimiter::default();
        assert_eq!(limiter.record(), Some(1));
        assert_eq!(limiter.record(), None);
        advance(INTERVAL / 2).await;
        assert_eq!(limiter.record(), None);
        advance(INTERVAL / 2).await;
        assert_eq!(limiter.record(), Some(3));
        assert_eq!(limiter.record(), None);
    }
}
