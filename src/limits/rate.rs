//! Rates by the generic cell rate algorithm (ITU-T I.371, annex A): a token bucket
//! whose whole state is one time, the theoretical arrival time (TAT).

use std::time::Duration;

/// Ticks in a nanosecond. At a thousand million tokens a minute, a unit lasts 960
/// ticks; an `i64` of ticks spans 18 years.
const TICKS_PER_NANOSECOND: i64 = 16;

/// A point on the monotonic clock, in ticks since the process started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tick(i64);

/// So many units in a period, and at most so many at once: in any period, at most
/// twice as many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Ticks that one unit takes to come back.
    interval: i64,
    amount: u64,
}

/// When the bucket is full again. In the future by what is in use; in the past, the
/// bucket is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ArrivalTime(i64);

// === impl Tick ===

impl Tick {
    pub fn after_start(elapsed: Duration) -> Self {
        let nanoseconds = i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX);
        Self(nanoseconds.saturating_mul(TICKS_PER_NANOSECOND))
    }
}

// === impl ArrivalTime ===

impl ArrivalTime {
    pub const FULL: Self = Self(0);
}

// === impl Rate ===

impl Rate {
    /// Its burst is the amount of a whole period, as providers have it.
    pub fn new(amount: u64, period: Duration) -> Self {
        let period = i64::try_from(period.as_nanos()).unwrap_or(i64::MAX);
        let period = period.saturating_mul(TICKS_PER_NANOSECOND);
        let amount_ticks = i64::try_from(amount).unwrap_or(i64::MAX).max(1);
        Self {
            interval: (period / amount_ticks).max(1),
            amount,
        }
    }

    pub fn amount(&self) -> u64 {
        self.amount
    }

    /// How long until `units` are there: zero if they are now. More than the whole
    /// bucket counts as the whole bucket.
    pub fn wait(&self, arrival: ArrivalTime, now: Tick, units: u64) -> Duration {
        let units = units.min(self.amount);
        let after = arrival.0.max(now.0).saturating_add(self.ticks(units));
        let early = after
            .saturating_sub(now.0)
            .saturating_sub(self.ticks(self.amount));
        let nanoseconds = early
            .max(0)
            .unsigned_abs()
            .div_ceil(TICKS_PER_NANOSECOND as u64);
        Duration::from_nanos(nanoseconds)
    }

    /// Takes units that [`wait`](Self::wait) allows. Returns those that were taken.
    pub fn take(&self, arrival: &mut ArrivalTime, now: Tick, units: u64) -> u64 {
        let units = units.min(self.amount);
        arrival.0 = arrival.0.max(now.0).saturating_add(self.ticks(units));
        units
    }

    /// Replaces `taken` units by `used`. More than was taken becomes a debt, which later
    /// requests wait for; less is given back, up to a full bucket.
    pub fn settle(&self, arrival: &mut ArrivalTime, now: Tick, taken: u64, used: u64) {
        // What is given back to a bucket that has been full since has no effect.
        arrival.0 = if used >= taken {
            arrival
                .0
                .max(now.0)
                .saturating_add(self.ticks(used - taken))
        } else {
            arrival.0.saturating_sub(self.ticks(taken - used))
        };
    }

    /// The arrival time that says of this rate what `arrival` says of `before`: as many
    /// units are in use.
    pub fn adopt(&self, before: &Self, arrival: ArrivalTime, now: Tick) -> ArrivalTime {
        let busy = arrival.0.saturating_sub(now.0).max(0).unsigned_abs();
        let units = busy.div_ceil(before.interval.unsigned_abs());
        ArrivalTime(now.0.saturating_add(self.ticks(units)))
    }

    /// Units in use; more than the amount while there is a debt.
    pub fn used(&self, arrival: ArrivalTime, now: Tick) -> u64 {
        let busy = arrival.0.saturating_sub(now.0).max(0).unsigned_abs();
        busy.div_ceil(self.interval.unsigned_abs())
    }

    /// How long until the bucket is full.
    pub fn reset(&self, arrival: ArrivalTime, now: Tick) -> Duration {
        let ticks = arrival.0.saturating_sub(now.0).max(0).unsigned_abs();
        Duration::from_nanos(ticks.div_ceil(TICKS_PER_NANOSECOND as u64))
    }

    fn ticks(&self, units: u64) -> i64 {
        let units = i64::try_from(units).unwrap_or(i64::MAX);
        units.saturating_mul(self.interval)
    }
}
