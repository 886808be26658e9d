//! The current time by both clocks, for the times in the status.

use std::time::{Duration, Instant, UNIX_EPOCH};

use crate::wall_clock;

pub struct StatusClock {
    wall: Duration,
    pub monotonic: Instant,
}

impl StatusClock {
    pub fn read() -> Self {
        Self {
            wall: wall_clock::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
            monotonic: Instant::now(),
        }
    }

    /// Times are recorded by the monotonic clock, which requests read anyway, and shown
    /// by the wall clock.
    pub fn unix_millis(&self, at: Instant) -> u64 {
        let ago = self.monotonic.saturating_duration_since(at);
        as_millis(self.wall.saturating_sub(ago))
    }

    pub fn unix_millis_in(&self, delay: Duration) -> u64 {
        as_millis(self.wall.saturating_add(delay))
    }
}

fn as_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
