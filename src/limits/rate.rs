//! Rates by the generic cell rate algorithm (ITU-T I.371, annex A): a token bucket
//! whose whole state is one time, the theoretical arrival time (TAT).

use std::time::Duration;

/// Ticks in a nanosecond. At a thousand million tokens a minute, a unit lasts 960
/// ticks; an `i64` of ticks spans 18 years.
const TICKS_PER_NANOSECOND: i64 = 16;
/// Of the ticks in 1.07 seconds.
const SLOT_BITS: u32 = 34;

/// A point on the monotonic clock, in ticks since the process started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tick(i64);

/// So many units in a period, and at most `burst` at once: in any period, at most both
/// together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Ticks that one unit takes to come back.
    interval: i64,
    amount: u64,
    burst: u64,
}

/// When the bucket is full again. In the future by what is in use; in the past, the
/// bucket is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ArrivalTime(i64);

// === impl Tick ===

impl Tick {
    /// Before all others.
    pub const NEVER: Self = Self(i64::MIN);

    pub fn after_start(elapsed: Duration) -> Self {
        let nanoseconds = i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX);
        Self(nanoseconds.saturating_mul(TICKS_PER_NANOSECOND))
    }

    pub fn since_start(self) -> Duration {
        duration(self.0)
    }

    pub fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(Self::after_start(time).0))
    }

    /// About a second, numbered.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "of 136 years"
    )]
    pub fn slot(self) -> u32 {
        (self.0 >> SLOT_BITS) as u32
    }
}

/// Rounded up.
fn duration(ticks: i64) -> Duration {
    let ticks = ticks.max(0).unsigned_abs();
    Duration::from_nanos(ticks.div_ceil(TICKS_PER_NANOSECOND as u64))
}

// === impl ArrivalTime ===

impl ArrivalTime {
    pub const FULL: Self = Self(0);

    /// It will be full after this time.
    pub fn full_after(now: Tick, busy: Duration) -> Self {
        Self(now.after(busy).0)
    }

    /// Ticks until the bucket is full.
    fn busy(self, now: Tick) -> i64 {
        self.0.saturating_sub(now.0).max(0)
    }

    /// How long until the bucket is full.
    pub fn reset(self, now: Tick) -> Duration {
        duration(self.busy(now))
    }

    pub fn is_full(self, now: Tick) -> bool {
        self.0 <= now.0
    }
}

// === impl Rate ===

impl Rate {
    /// Without a burst, the amount of a whole period, as providers have it.
    pub fn new(amount: u64, period: Duration, burst: Option<u64>) -> Self {
        let period = i64::try_from(period.as_nanos()).unwrap_or(i64::MAX);
        let period = period.saturating_mul(TICKS_PER_NANOSECOND);
        let amount_ticks = i64::try_from(amount).unwrap_or(i64::MAX).max(1);
        Self {
            interval: (period / amount_ticks).max(1),
            amount,
            burst: burst.unwrap_or(amount).min(amount),
        }
    }

    /// What one of so many has of it.
    pub fn share(&self, parts: u32) -> Self {
        Self {
            interval: self.interval.saturating_mul(parts.max(1).into()),
            amount: (self.amount / u64::from(parts.max(1))).max(1),
            burst: (self.burst / u64::from(parts.max(1))).max(1),
        }
    }

    pub fn amount(&self) -> u64 {
        self.amount
    }

    /// Units of a full bucket.
    pub fn burst(&self) -> u64 {
        self.burst
    }

    /// What is free, in ticks; below 0 while there is a debt.
    fn free_ticks(&self, arrival: ArrivalTime, now: Tick) -> i64 {
        self.ticks(self.burst).saturating_sub(arrival.busy(now))
    }

    /// Units that may be taken at once.
    pub fn free(&self, arrival: ArrivalTime, now: Tick) -> u64 {
        let free = self.free_ticks(arrival, now).max(0).unsigned_abs();
        free / self.interval.unsigned_abs()
    }

    /// How long until `units` are free: zero if they are now.
    pub fn wait(&self, arrival: ArrivalTime, now: Tick, units: u64) -> Duration {
        let missing = self.ticks(units);
        duration(missing.saturating_sub(self.free_ticks(arrival, now)))
    }

    pub fn take(&self, arrival: &mut ArrivalTime, now: Tick, units: u64) {
        arrival.0 = arrival.0.max(now.0).saturating_add(self.ticks(units));
    }

    /// Replaces `taken` units by `used`. More than was taken becomes a debt, which later
    /// requests wait for; less is given back, up to a full bucket.
    pub fn settle(&self, arrival: &mut ArrivalTime, now: Tick, taken: u64, used: u64) {
        if used >= taken {
            self.take(arrival, now, used - taken);
        } else {
            // What is given back to a bucket that has been full since has no effect.
            arrival.0 = arrival.0.saturating_sub(self.ticks(taken - used));
        }
    }

    /// The arrival time at which so many units are in use.
    pub fn with_used(&self, now: Tick, units: u64) -> ArrivalTime {
        ArrivalTime(now.0.saturating_add(self.ticks(units)))
    }

    /// Units in use; more than a full bucket while there is a debt.
    pub fn used(&self, arrival: ArrivalTime, now: Tick) -> u64 {
        let busy = arrival.busy(now).unsigned_abs();
        busy.div_ceil(self.interval.unsigned_abs())
    }

    fn ticks(&self, units: u64) -> i64 {
        let units = i64::try_from(units).unwrap_or(i64::MAX);
        units.saturating_mul(self.interval)
    }
}
