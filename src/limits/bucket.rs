//! One amount of a rule for one subject: how much is used, and whether more may be.

use std::sync::LazyLock;
use std::time::{Duration, Instant, UNIX_EPOCH};

use super::rate::{ArrivalTime, Rate, Tick};
use super::window::{Calendar, Window};
use crate::config::{LimitUnit, Period};
use crate::wall_clock;

/// What a request uses, or is expected to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitUsage {
    pub requests: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// Picodollars.
    pub cost: u64,
}

/// What a quota counts, and for how long: its identity within a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaKind {
    Amount(LimitUnit, Period),
    Concurrent,
}

/// An amount of a rule.
#[derive(Clone, Debug)]
pub(super) enum Quota {
    Rate(LimitUnit, Rate),
    Window(LimitUnit, u64, Calendar),
    Concurrent(u64),
    /// It was taken out of the configuration.
    Retired,
}

/// The state of one quota for one subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bucket {
    Rate(ArrivalTime),
    Window {
        window: Window,
        used: u64,
        reserved: u64,
    },
    Concurrent {
        held: u64,
    },
    Retired,
}

/// Both clocks at one moment: rates go by the monotonic one, windows by the calendar.
#[derive(Clone, Copy, Debug)]
pub struct LimitClock {
    pub(super) tick: Tick,
    /// Since 1970.
    pub(super) seconds: i64,
}

/// Why a quota has no room for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// A rate: until there is enough.
    Wait(Duration),
    /// Until the window ends, in seconds since 1970.
    UntilEnd(i64),
    /// All permits are held.
    Held,
    /// The amount is 0.
    Blocked,
}

// === impl LimitClock ===

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
}

// === impl LimitUsage ===

impl LimitUsage {
    pub(super) fn of(&self, unit: LimitUnit) -> u64 {
        match unit {
            LimitUnit::Requests => self.requests,
            LimitUnit::Tokens => self.input_tokens.saturating_add(self.output_tokens),
            LimitUnit::InputTokens => self.input_tokens,
            LimitUnit::OutputTokens => self.output_tokens,
            LimitUnit::Budget => self.cost,
        }
    }
}

// === impl Quota ===

impl Quota {
    pub(super) fn new_bucket(&self) -> Bucket {
        match self {
            Self::Rate(..) => Bucket::Rate(ArrivalTime::FULL),
            Self::Window(..) => Bucket::Window {
                // Replaced at its first use.
                window: Window::ENDED,
                used: 0,
                reserved: 0,
            },
            Self::Concurrent(_) => Bucket::Concurrent { held: 0 },
            Self::Retired => Bucket::Retired,
        }
    }

    /// Whether there is room for `expected`. A window that has ended is replaced.
    pub(super) fn check(
        &self,
        bucket: &mut Bucket,
        now: LimitClock,
        expected: &LimitUsage,
    ) -> Result<(), Shortage> {
        match (self, bucket) {
            (Self::Rate(unit, rate), Bucket::Rate(arrival)) => {
                if rate.amount() == 0 {
                    return Err(Shortage::Blocked);
                }
                match rate.wait(*arrival, now.tick, expected.of(*unit)) {
                    Duration::ZERO => Ok(()),
                    wait => Err(Shortage::Wait(wait)),
                }
            }
            (Self::Window(_, 0, _) | Self::Concurrent(0), _) => Err(Shortage::Blocked),
            (Self::Window(unit, limit, calendar), bucket @ Bucket::Window { .. }) => {
                bucket.begin_window(calendar, now);
                let taken = bucket.taken();
                // More than the whole amount counts as the whole amount.
                let expected = expected.of(*unit).min(*limit);
                // What is expected to use nothing passes while anything is left.
                if taken < *limit && taken.saturating_add(expected) <= *limit {
                    return Ok(());
                }
                Err(Shortage::UntilEnd(bucket.window_end()))
            }
            (Self::Concurrent(limit), Bucket::Concurrent { held }) => {
                (*held < *limit).then_some(()).ok_or(Shortage::Held)
            }
            // A bucket is made by its quota.
            _ => Ok(()),
        }
    }

    /// Reserves what [`check`](Self::check) allowed. Returns what was reserved.
    pub(super) fn take(&self, bucket: &mut Bucket, now: LimitClock, expected: &LimitUsage) -> u64 {
        match (self, bucket) {
            (Self::Rate(unit, rate), Bucket::Rate(arrival)) => {
                rate.take(arrival, now.tick, expected.of(*unit))
            }
            (Self::Window(unit, limit, calendar), bucket @ Bucket::Window { .. }) => {
                bucket.begin_window(calendar, now);
                let amount = expected.of(*unit).min(*limit);
                if let Bucket::Window { reserved, .. } = bucket {
                    *reserved = reserved.saturating_add(amount);
                }
                amount
            }
            (_, Bucket::Concurrent { held }) => {
                *held = held.saturating_add(1);
                1
            }
            _ => 0,
        }
    }

    /// Replaces `taken` by what was used. `taken_at` tells the window of the reservation.
    pub(super) fn settle(
        &self,
        bucket: &mut Bucket,
        now: LimitClock,
        taken_at: i64,
        taken: u64,
        used: &LimitUsage,
    ) {
        match (self, bucket) {
            (Self::Rate(unit, rate), Bucket::Rate(arrival)) => {
                rate.settle(arrival, now.tick, taken, used.of(*unit));
            }
            (
                Self::Window(unit, ..),
                Bucket::Window {
                    window,
                    used: sum,
                    reserved,
                },
            ) => {
                // A reservation of an earlier window changes nothing in this one.
                if window.start <= taken_at {
                    *reserved = reserved.saturating_sub(taken);
                    *sum = sum.saturating_add(used.of(*unit));
                }
            }
            (_, Bucket::Concurrent { held }) => *held = held.saturating_sub(1),
            _ => {}
        }
    }

    /// The bucket of this quota's predecessor, which had another amount.
    pub(super) fn adopt(&self, before: &Self, bucket: Bucket, now: LimitClock) -> Bucket {
        match (self, before, bucket) {
            (Self::Rate(_, rate), Self::Rate(_, earlier), Bucket::Rate(arrival)) => {
                Bucket::Rate(rate.adopt(earlier, arrival, now.tick))
            }
            (Self::Window(..), Self::Window(..), bucket)
            | (Self::Concurrent(_), Self::Concurrent(_), bucket) => bucket,
            _ => self.new_bucket(),
        }
    }
}

// === impl Bucket ===

impl Bucket {
    /// Begins a new window when the current one has ended. A clock that was set back does
    /// not begin an old one again.
    pub(super) fn begin_window(&mut self, calendar: &Calendar, now: LimitClock) {
        if let Self::Window {
            window,
            used,
            reserved,
        } = self
            && now.seconds >= window.end
        {
            *window = calendar.window_at(now.seconds);
            *used = 0;
            *reserved = 0;
        }
    }

    fn taken(&self) -> u64 {
        match self {
            Self::Window { used, reserved, .. } => used.saturating_add(*reserved),
            _ => 0,
        }
    }

    fn window_end(&self) -> i64 {
        match self {
            Self::Window { window, .. } => window.end,
            _ => i64::MAX,
        }
    }
}
