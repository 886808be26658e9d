//! One amount of a rule: how much of it is free, and what a request takes.

use std::time::Duration;

use super::bucket::Bucket;
use super::clock::LimitClock;
use super::rate::{ArrivalTime, Rate};
use super::window::Calendar;
use crate::config::{LimitUnit, Period};

/// What a request uses, or is expected to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitUsage {
    pub requests: u64,
    /// Those read from a cache included.
    pub input_tokens: u64,
    pub cached_tokens: u64,
    pub output_tokens: u64,
    /// Picodollars.
    pub cost: u64,
}

/// What a quota counts, and for how long: its identity within a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QuotaKind {
    Amount(LimitUnit, Period),
    Concurrent,
}

/// An amount of a rule.
#[derive(Clone, Debug)]
pub(super) enum RuleQuota {
    Rate(LimitUnit, Rate),
    Window(LimitUnit, u64, Calendar),
    Concurrent(u64),
}

/// Why a quota has no room for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// A rate: until there is enough.
    Wait(Duration),
    /// Until the window ends, in seconds since 1970.
    UntilEnd(i64),
    /// Requests that run hold all permits, or have reserved what is missing, of which they may
    /// give back a part.
    Held,
    /// The amount is 0.
    Blocked,
    /// What this replica has leased; the store was not asked for more yet.
    Lease,
    /// The store is away, and what holds without it is used up.
    StoreAway,
}

/// What was reserved of one quota.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    amount: u64,
    /// [`Bucket::window_number`]
    window: u32,
    /// False of a request that an observing rule would have refused.
    counts: bool,
}

// === impl Taken ===

impl Taken {
    /// For what a request that goes on has used: what it holds of the quota stays reserved.
    pub(super) fn beside(self, quota: &RuleQuota, bucket: &Bucket) -> Self {
        Self {
            amount: 0,
            window: bucket.window_number(),
            counts: self.counts && !matches!(quota, RuleQuota::Concurrent(_)),
        }
    }

    /// Of a rate.
    pub(super) fn of_rate(amount: u64, counts: bool) -> Self {
        Self {
            amount,
            window: 0,
            counts,
        }
    }

    pub(super) fn amount(self) -> u64 {
        self.amount
    }

    pub(super) fn counts(self) -> bool {
        self.counts
    }
}

// === impl QuotaKind ===

impl QuotaKind {
    /// The key that it is configured under.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Amount(unit, _) => unit.key(),
            Self::Concurrent => "concurrent",
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

    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            cached_tokens: self.cached_tokens.saturating_add(other.cached_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            cost: self.cost.saturating_add(other.cost),
        }
    }

    /// What is more than was charged before.
    #[must_use]
    pub fn less(&self, charged: &Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(charged.requests),
            input_tokens: self.input_tokens.saturating_sub(charged.input_tokens),
            cached_tokens: self.cached_tokens.saturating_sub(charged.cached_tokens),
            output_tokens: self.output_tokens.saturating_sub(charged.output_tokens),
            cost: self.cost.saturating_sub(charged.cost),
        }
    }

    /// With cached tokens counted as so many thousandths of a token.
    pub(super) fn weighted(mut self, cached: u16) -> Self {
        if cached == 1_000 || self.cached_tokens == 0 {
            return self;
        }
        let free = u128::from(self.cached_tokens.min(self.input_tokens))
            * u128::from(1_000_u16.saturating_sub(cached))
            / 1_000;
        self.input_tokens -= u64::try_from(free).unwrap_or_default();
        self
    }
}

// === impl Quota ===

impl RuleQuota {
    pub fn new_bucket(&self) -> Bucket {
        match self {
            Self::Rate(..) => Bucket::Rate(ArrivalTime::FULL),
            Self::Window(..) => Bucket::NEW_WINDOW,
            Self::Concurrent(_) => Bucket::Concurrent { held: 0 },
        }
    }

    /// The amount as it is configured.
    pub fn limit(&self) -> u64 {
        match self {
            Self::Rate(_, rate) => rate.amount(),
            Self::Window(_, limit, _) | Self::Concurrent(limit) => *limit,
        }
    }

    /// The most that can be free.
    pub fn capacity(&self) -> u64 {
        match self {
            Self::Rate(_, rate) => rate.burst(),
            Self::Window(..) | Self::Concurrent(_) => self.limit(),
        }
    }

    /// What may be taken now. Every check and every report goes by this number.
    pub fn free(&self, bucket: &Bucket, now: LimitClock) -> u64 {
        match (self, bucket) {
            (Self::Rate(_, rate), Bucket::Rate(arrival)) => rate.free(*arrival, now.tick),
            _ => self.limit().saturating_sub(bucket.taken()),
        }
    }

    /// What a request takes. More than the whole amount counts as the whole amount.
    pub fn wanted(&self, expected: &LimitUsage) -> u64 {
        self.demand(expected).min(self.capacity())
    }

    /// What a request asks for.
    pub fn demand(&self, expected: &LimitUsage) -> u64 {
        match self {
            Self::Rate(unit, _) | Self::Window(unit, ..) => expected.of(*unit),
            Self::Concurrent(_) => 1,
        }
    }

    /// Whether there is room for a request, with `ahead` for those before it. What is
    /// expected to use nothing passes while anything is left. Windows are up to date.
    pub fn check(
        &self,
        bucket: &Bucket,
        now: LimitClock,
        expected: &LimitUsage,
        ahead: u64,
    ) -> Result<(), Shortage> {
        if self.capacity() == 0 {
            return Err(Shortage::Blocked);
        }
        let own = self.wanted(expected).max(1);
        let wanted = own.saturating_add(ahead);
        match (self, bucket) {
            (Self::Rate(_, rate), Bucket::Rate(arrival)) => {
                match rate.wait(*arrival, now.tick, wanted) {
                    Duration::ZERO => Ok(()),
                    wait => Err(Shortage::Wait(wait)),
                }
            }
            _ if wanted <= self.free(bucket, now) => Ok(()),
            (Self::Concurrent(_), _) => Err(Shortage::Held),
            // That a request is one is no estimate: nothing of it comes back.
            (Self::Window(unit, limit, _), Bucket::Window { used, .. })
                if *unit != LimitUnit::Requests && own <= limit.saturating_sub(*used) =>
            {
                Err(Shortage::Held)
            }
            _ => Err(Shortage::UntilEnd(
                bucket.window().map_or(i64::MAX, |it| it.end),
            )),
        }
    }

    /// Reserves what [`check`](Self::check) allowed; or, if `is_over`, what a rule that only
    /// observes would have refused. That uses no rate and no permit, as if it had been
    /// refused: else one request too many would make all later ones look so. A window tells
    /// all that was used.
    pub fn take(
        &self,
        bucket: &mut Bucket,
        now: LimitClock,
        expected: &LimitUsage,
        is_over: bool,
    ) -> Taken {
        let counts = !is_over || matches!(self, Self::Window(..));
        let amount = self.wanted(expected);
        match (self, &mut *bucket) {
            _ if !counts => {}
            (Self::Rate(_, rate), Bucket::Rate(arrival)) => rate.take(arrival, now.tick, amount),
            (_, Bucket::Window { reserved, .. }) => *reserved = reserved.saturating_add(amount),
            (_, Bucket::Concurrent { held }) => *held = held.saturating_add(1),
            // A bucket is made by its quota.
            (_, Bucket::Rate(_)) => {}
        }
        Taken {
            amount,
            window: bucket.window_number(),
            counts,
        }
    }

    /// Replaces what was taken by what was used. What was taken of an earlier window
    /// changes nothing in this one.
    pub fn settle(&self, bucket: &mut Bucket, now: LimitClock, taken: Taken, used: &LimitUsage) {
        let is_of_window = bucket.window_number() == taken.window;
        match (self, bucket) {
            _ if !taken.counts => {}
            (Self::Rate(unit, rate), Bucket::Rate(arrival)) => {
                rate.settle(arrival, now.tick, taken.amount, used.of(*unit));
            }
            (
                Self::Window(unit, ..),
                Bucket::Window {
                    used: sum,
                    reserved,
                    ..
                },
            ) if is_of_window => {
                *reserved = reserved.saturating_sub(taken.amount);
                *sum = sum.saturating_add(used.of(*unit));
            }
            (_, Bucket::Concurrent { held }) => *held = held.saturating_sub(1),
            _ => {}
        }
    }

    /// Sets what is used, but for reserved amounts. False for what is held by requests.
    pub fn set_used(&self, bucket: &mut Bucket, now: LimitClock, amount: u64) -> bool {
        match (self, bucket) {
            (Self::Rate(_, rate), Bucket::Rate(arrival)) => {
                *arrival = rate.with_used(now.tick, amount);
            }
            (_, Bucket::Window { used, .. }) => *used = amount,
            _ => return false,
        }
        true
    }

    /// The bucket of this quota's predecessor, which had another amount.
    pub fn adopt(&self, before: &Self, bucket: Bucket, now: LimitClock) -> Bucket {
        match (self, before, bucket) {
            (Self::Rate(_, rate), Self::Rate(_, earlier), Bucket::Rate(arrival)) => {
                let used = earlier.used(arrival, now.tick);
                Bucket::Rate(rate.with_used(now.tick, used))
            }
            _ => bucket,
        }
    }
}

// === impl Shortage ===

impl Shortage {
    /// Shortages that no wait cures are the longest.
    pub(super) fn rank(self, now: LimitClock) -> (u8, Duration) {
        match self {
            Self::Lease => (0, Duration::ZERO),
            Self::Held => (1, Duration::ZERO),
            Self::Wait(wait) => (2, wait),
            Self::StoreAway => (3, Duration::ZERO),
            Self::UntilEnd(end) => (4, now.seconds_until(end)),
            Self::Blocked => (5, Duration::ZERO),
        }
    }
}
