//! The time of day, which jumps when somebody sets it. So nothing is timed by
//! it: how long something took, or may take, is for [`std::time::Instant`] to
//! say. The time of day tells others when something was, and reads their dates.

use std::time::SystemTime;

/// The time of day; for everybody, so that tests can let it jump.
#[must_use]
pub fn now() -> SystemTime {
    #[cfg(test)]
    let read = jumping::now;
    #[cfg(not(test))]
    let read = SystemTime::now;
    read()
}

#[cfg(test)]
pub(crate) use jumping::jump;

/// A time of day that is put forward or back, for one thread.
#[cfg(test)]
mod jumping {
    use std::cell::Cell;
    use std::time::{Duration, SystemTime};

    thread_local! {
        static AHEAD_S: Cell<i64> = const { Cell::new(0) };
    }

    pub(super) fn now() -> SystemTime {
        let ahead = AHEAD_S.get();
        let far = Duration::from_secs(ahead.unsigned_abs());
        let now = SystemTime::now();
        if ahead < 0 { now - far } else { now + far }
    }

    /// Puts the time of day forward by so many seconds, or back.
    pub(crate) fn jump(seconds: i64) {
        AHEAD_S.set(AHEAD_S.get() + seconds);
    }
}
