//! Wall-clock time, which jumps when it is set. It is only for timestamps and the
//! dates of others; durations and timeouts use [`std::time::Instant`].

use std::time::SystemTime;

/// The only source of wall-clock time, so that tests can make it jump.
#[must_use]
pub fn now() -> SystemTime {
    #[cfg(test)]
    let clock = test_clock::now;
    #[cfg(not(test))]
    let clock = SystemTime::now;
    clock()
}

#[cfg(test)]
pub(crate) use test_clock::jump;

/// A wall clock that can be set, per thread.
#[cfg(test)]
mod test_clock {
    use std::cell::Cell;
    use std::time::{Duration, SystemTime};

    thread_local! {
        static OFFSET_S: Cell<i64> = const { Cell::new(0) };
    }

    pub(super) fn now() -> SystemTime {
        let offset = OFFSET_S.get();
        let distance = Duration::from_secs(offset.unsigned_abs());
        let now = SystemTime::now();
        if offset < 0 {
            now - distance
        } else {
            now + distance
        }
    }

    /// Moves the clock forward or back.
    pub(crate) fn jump(seconds: i64) {
        OFFSET_S.set(OFFSET_S.get() + seconds);
    }
}
