//! What a process has leased of each bucket from the store that replicas share.
//!
//! No I/O: [`LeaseLink`] says which calls are due, and [`LeaseCall::finish`] applies the
//! responses. A request takes what is leased without any call. Only one that finds too
//! little of it waits for a call, at most [`LeaseLink::timeout`].
//!
//! The store lets go of what a replica has leased when there was no call of it for 10 s
//! (`ALIVE` in the scripts of `store_sync`). The replica takes its leases for lost before
//! that, [`VALID`] after it sent the call, so nothing is spent twice.

mod calls;
mod counter;
mod demand;
mod guard;
mod link;
mod message;
mod rate;
mod wait;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::bucket::Bucket;
use super::clock::LimitClock;
use super::quota::{LimitUsage, RuleQuota, Shortage, Taken};
use super::rate::Tick;
use super::terms::{QuotaEntry, Terms};
use crate::config::WithoutStore;

pub(super) use guard::{keep_for, kept_after};
pub use link::LeaseLink;
pub use message::{
    AdjustAmounts, AdjustCall, LeaseAmounts, LeaseCall, LeaseId, LeaseResponse, RestoreCall,
};
pub(super) use message::{LeaseWindow, MAX_STORE_UNITS, scale};
pub(super) use wait::LeaseWait;

use counter::CounterLease;
use demand::{Demand, Wanted};
use rate::RateLease;

/// How long a lease holds after the call that got it was sent.
const VALID: Duration = Duration::from_secs(8);
/// A bucket that is idle so long is handed back.
const IDLE: Duration = Duration::from_secs(2);
/// How long a response counts that says there is not enough.
const FRESH: Duration = Duration::from_millis(250);

/// The lease of one bucket.
#[derive(Debug)]
pub(super) struct BucketLease {
    holding: Holding,
    times: LeaseTimes,
    demand: Demand,
    wanted: Wanted,
    /// Sequence number of the call that is under way; 0 if there is none.
    call: u64,
    /// A call is to be made even if nothing is wanted.
    must_report: bool,
    /// Wakes those that wait, where any do.
    waiting: Option<Arc<Notify>>,
}

#[derive(Debug)]
enum Holding {
    Counter(CounterLease),
    Rate(RateLease),
}

#[derive(Clone, Copy, Debug)]
struct LeaseTimes {
    valid_until: Tick,
    /// The last response.
    received: Tick,
    /// The last call that was made.
    reported: Tick,
    used: Tick,
}

/// The terms of one bucket's lease.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeaseTerms<'t> {
    pub link: &'t LeaseLink,
    pub without: WithoutStore,
    /// It refuses nothing, and so leases nothing.
    pub observes: bool,
}

/// What a request asks of a bucket.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeaseDemand<'b> {
    pub quota: &'b RuleQuota,
    pub bucket: &'b Bucket,
    pub now: LimitClock,
    /// The request's own part, at least 1.
    pub own: u64,
    /// With that of others before it.
    pub wanted: u64,
    /// When the request asked the store, if it has waited for the response as long as it
    /// may.
    pub asked: Option<Tick>,
}

// === impl LeaseDemand ===

impl LeaseDemand<'_> {
    /// It has waited, and the store has responded since.
    fn has_response(&self, times: &LeaseTimes) -> bool {
        self.asked.is_some_and(|asked| times.received >= asked)
    }
}

// === impl LeaseTimes ===

impl LeaseTimes {
    fn is_valid(&self, now: LimitClock) -> bool {
        now.tick < self.valid_until
    }

    fn is_fresh(&self, now: LimitClock) -> bool {
        self.has_received() && now.tick <= self.received.after(FRESH)
    }

    fn has_received(&self) -> bool {
        self.received > Tick::NEVER
    }

    fn is_idle(&self, now: LimitClock) -> bool {
        now.tick >= self.used.after(IDLE)
    }
}

impl Default for LeaseTimes {
    fn default() -> Self {
        Self {
            valid_until: Tick::NEVER,
            received: Tick::NEVER,
            reported: Tick::NEVER,
            used: Tick::NEVER,
        }
    }
}

// === impl LeaseTerms ===

impl<'t> LeaseTerms<'t> {
    /// `None` without a store.
    pub fn of(terms: &'t Terms, entry: &QuotaEntry) -> Option<Self> {
        Some(Self {
            link: terms.link.as_deref()?,
            without: terms.without,
            observes: terms.observes || entry.is_retired,
        })
    }
}

// === impl BucketLease ===

impl BucketLease {
    pub fn new(quota: &RuleQuota) -> Self {
        Self {
            holding: match quota {
                RuleQuota::Rate(..) => Holding::Rate(RateLease::default()),
                RuleQuota::Window(..) | RuleQuota::Concurrent(_) => {
                    Holding::Counter(CounterLease::default())
                }
            },
            times: LeaseTimes::default(),
            demand: Demand::default(),
            wanted: Wanted::default(),
            call: 0,
            must_report: false,
            waiting: None,
        }
    }

    /// A new window has begun, of which earlier processes have used so much by the ledger.
    pub fn begin_window(&mut self, restored: u64) {
        self.wake();
        self.holding = Holding::Counter(CounterLease::new(restored));
        self.times = LeaseTimes {
            used: self.times.used,
            ..LeaseTimes::default()
        };
        self.call = 0;
    }

    /// The limit has changed.
    pub fn adopt(&mut self, quota: &RuleQuota) {
        if let (Holding::Rate(lease), RuleQuota::Rate(_, rate)) = (&mut self.holding, quota) {
            lease.adopt(rate);
        }
    }

    /// Whether there is room for a request.
    pub fn check(&self, demand: &LeaseDemand<'_>, terms: &LeaseTerms<'_>) -> Result<(), Shortage> {
        if demand.quota.capacity() == 0 {
            return Err(Shortage::Blocked);
        }
        match (&self.holding, demand.quota) {
            (Holding::Counter(lease), _) => lease.check(&self.times, demand, terms),
            (Holding::Rate(lease), RuleQuota::Rate(_, rate)) => {
                lease.check(&self.times, rate, demand, terms)
            }
            // A lease is made by its quota.
            (Holding::Rate(_), _) => Ok(()),
        }
    }

    /// Reserves what [`check`](Self::check) allowed; `is_over` as in [`RuleQuota::take`].
    pub fn take(
        &mut self,
        quota: &RuleQuota,
        bucket: &mut Bucket,
        now: LimitClock,
        expected: &LimitUsage,
        is_over: bool,
        terms: &LeaseTerms<'_>,
    ) -> Taken {
        let amount = quota.wanted(expected);
        self.times.used = now.tick;
        self.demand.add(now.tick, amount);
        match (&mut self.holding, quota) {
            (Holding::Rate(lease), RuleQuota::Rate(_, rate)) => {
                let taken = Taken::of_rate(amount, !is_over);
                if taken.counts() {
                    lease.take(&self.times, rate, now, amount, terms);
                }
                taken
            }
            (Holding::Counter(lease), _) => {
                if !is_over {
                    lease.cover(&self.times, quota, bucket, now, amount, terms);
                }
                quota.take(bucket, now, expected, is_over)
            }
            (Holding::Rate(_), _) => quota.take(bucket, now, expected, is_over),
        }
    }

    /// Replaces what was taken by what was used.
    pub fn settle(
        &mut self,
        quota: &RuleQuota,
        bucket: &mut Bucket,
        now: LimitClock,
        taken: Taken,
        used: &LimitUsage,
        terms: &LeaseTerms<'_>,
    ) {
        match (&mut self.holding, quota, &*bucket) {
            (Holding::Rate(lease), RuleQuota::Rate(unit, rate), Bucket::Rate(arrival)) => {
                if taken.counts() {
                    let amounts = (taken.amount(), used.of(*unit));
                    lease.settle(&self.times, (rate, *arrival), now, amounts, terms);
                }
            }
            (Holding::Counter(lease), ..) => {
                let before = bucket.taken();
                quota.settle(bucket, now, taken, used);
                let given_back = before.saturating_sub(bucket.taken());
                lease.give_back(&self.times, now, given_back);
            }
            (Holding::Rate(_), ..) => quota.settle(bucket, now, taken, used),
        }
    }

    /// What this bucket has used in all replicas, as far as it is known; and what is free.
    pub fn used_and_free(
        &self,
        quota: &RuleQuota,
        bucket: &Bucket,
        now: LimitClock,
        terms: &LeaseTerms<'_>,
    ) -> (u64, u64) {
        match (&self.holding, quota, bucket) {
            (Holding::Counter(lease), ..) => {
                let used = lease.used(&self.times, bucket.taken());
                (used, quota.limit().saturating_sub(used))
            }
            (Holding::Rate(lease), RuleQuota::Rate(_, rate), Bucket::Rate(arrival)) => {
                lease.used_and_free(&self.times, rate, *arrival, now, terms)
            }
            (Holding::Rate(_), ..) => (0, quota.free(bucket, now)),
        }
    }

    /// Nothing is lost with it.
    pub fn is_clean(&self, bucket: &Bucket, now: LimitClock) -> bool {
        self.call == 0
            && self.wanted.sum == 0
            && match &self.holding {
                Holding::Counter(lease) => lease.is_clean(&self.times, bucket),
                Holding::Rate(lease) => lease.is_clean(now),
            }
    }

    /// Whether so little is left that more is to be asked for before it is gone.
    pub fn is_low(
        &self,
        quota: &RuleQuota,
        bucket: &Bucket,
        now: LimitClock,
        terms: &LeaseTerms<'_>,
    ) -> bool {
        if self.call != 0 || terms.observes || !self.times.is_valid(now) {
            return false;
        }
        let left = match &self.holding {
            Holding::Counter(lease) => lease.left(&self.times, bucket, now),
            Holding::Rate(lease) => lease.left(),
        };
        let target = self.target(quota, bucket, now, terms);
        left < target / 2
    }

    /// What is to be held without being used: two seconds' demand, less where little is
    /// free.
    fn target(
        &self,
        quota: &RuleQuota,
        bucket: &Bucket,
        now: LimitClock,
        terms: &LeaseTerms<'_>,
    ) -> u64 {
        if terms.observes || terms.link.is_closing() || self.times.is_idle(now) {
            return 0;
        }
        let peak = self.demand.peak(now.tick).saturating_mul(2);
        let free = match (&self.holding, quota, bucket) {
            _ if !self.times.has_received() => return peak,
            (Holding::Counter(lease), ..) => {
                lease
                    .free
                    .saturating_add(lease.left(&self.times, bucket, now))
            }
            (Holding::Rate(lease), RuleQuota::Rate(_, rate), Bucket::Rate(arrival)) => {
                rate.free(*arrival, now.tick).saturating_add(lease.left())
            }
            (Holding::Rate(_), ..) => 0,
        };
        peak.min(free / (4 * u64::from(terms.link.replicas())))
    }

    /// There was a response to a call that was made then or later.
    fn has_reported(&self, since: LimitClock) -> bool {
        self.call == 0 && self.times.reported >= since.tick && self.times.received >= since.tick
    }

    /// Wakes those that wait.
    fn wake(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            waiting.notify_waiters();
        }
    }
}
