//! The two clocks of limits.

use std::sync::LazyLock;
use std::time::{Duration, UNIX_EPOCH};

// Tests can stop this one.
use tokio::time::Instant;

use super::rate::Tick;
use crate::wall_clock;

/// Both clocks at one moment: rates go by the monotonic one, windows by the calendar.
#[derive(Clone, Copy, Debug)]
pub struct LimitClock {
    pub(super) tick: Tick,
    /// Since 1970.
    pub(super) seconds: i64,
}

impl LimitClock {
    #[must_use]
    pub fn now() -> Self {
        // A bucket that is full has an arrival time of 0 at the latest.
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        let since_1970 = wall_clock::now().duration_since(UNIX_EPOCH);
        let seconds = since_1970.map_or(0, |it| it.as_secs());
        Self {
            tick: Tick::after_start(START.elapsed()),
            seconds: i64::try_from(seconds).unwrap_or(i64::MAX),
        }
    }

    /// Seconds of the monotonic clock.
    #[must_use]
    pub fn uptime(self) -> u32 {
        u32::try_from(self.tick.since_start().as_secs()).unwrap_or(u32::MAX)
    }

    pub(super) fn seconds_until(self, end: i64) -> Duration {
        Duration::from_secs(end.saturating_sub(self.seconds).max(0).unsigned_abs())
    }
}
