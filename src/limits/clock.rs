//! The two clocks of limits.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

// Tests can stop this one.
use tokio::time::Instant;

use super::rate::Tick;
use crate::wall_clock;

/// See [`LimitClock::set_offset`].
static OFFSET_MS: AtomicI64 = AtomicI64::new(0);

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
        let since_1970 = since_1970.unwrap_or_default();
        let offset = OFFSET_MS.load(Ordering::Relaxed);
        let seconds = if offset == 0 {
            i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX)
        } else {
            let milliseconds = i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX);
            milliseconds.saturating_add(offset).div_euclid(1_000)
        };
        Self {
            tick: Tick::after_start(START.elapsed()),
            seconds,
        }
    }

    /// Windows go by the clock of the store, which is so many milliseconds ahead of the own
    /// one: replicas begin and end them together.
    pub fn set_offset(milliseconds: i64) {
        OFFSET_MS.store(milliseconds, Ordering::Relaxed);
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
