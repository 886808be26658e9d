//! The lease of a budget, of a quota of the calendar, or of requests at a time.

use super::demand::Ask;
use super::message::MAX_STORE_UNITS;
use super::{LeaseAmounts, LeaseDemand, LeaseTerms, LeaseTimes};
use crate::config::{LimitUnit, WithoutStore};
use crate::limits::bucket::Bucket;
use crate::limits::clock::LimitClock;
use crate::limits::quota::{RuleQuota, Shortage};
use crate::limits::rate::Tick;

/// Of what was free at the last response, so much may be used without the store, by all
/// replicas: one in so many.
const FREE_PARTS: u64 = 20;

/// In units of the amount.
#[derive(Debug, Default)]
pub(super) struct CounterLease {
    /// What this process may have taken while the lease is valid, of which used and
    /// reserved amounts are taken.
    pub granted: u64,
    /// Of the last response; the first three are of the whole store.
    pub free: u64,
    pub settled: i64,
    pub others: i64,
    /// What earlier processes have used by the ledger. Counts until there is a response.
    restored: u64,
    /// The part that may be used without the store, once it was needed.
    allowance: Option<Allowance>,
    /// Taken, reserved and granted, as the last call said.
    pub sent: [u64; 3],
    /// The same, as the store is known to have it.
    pub known: Option<[u64; 3]>,
}

#[derive(Clone, Copy, Debug)]
struct Allowance {
    left: u64,
    whole: u64,
}

// === impl CounterLease ===

impl CounterLease {
    pub fn new(restored: u64) -> Self {
        Self {
            restored,
            ..Self::default()
        }
    }

    /// What may still be taken of the lease.
    pub fn left(&self, times: &LeaseTimes, bucket: &Bucket, now: LimitClock) -> u64 {
        if times.is_valid(now) {
            self.granted.saturating_sub(bucket.taken())
        } else {
            0
        }
    }

    /// Taken by all replicas.
    pub fn used(&self, times: &LeaseTimes, taken: u64) -> u64 {
        if times.has_received() {
            taken.saturating_add_signed(self.others)
        } else {
            taken.saturating_add(self.restored)
        }
    }

    pub fn check(
        &self,
        times: &LeaseTimes,
        demand: &LeaseDemand<'_>,
        terms: &LeaseTerms<'_>,
    ) -> Result<(), Shortage> {
        let LeaseDemand {
            quota,
            bucket,
            now,
            wanted,
            ..
        } = *demand;
        let left = if terms.observes {
            let used = self.used(times, bucket.taken());
            quota.limit().saturating_sub(used)
        } else {
            self.left(times, bucket, now)
        };
        if wanted <= left {
            return Ok(());
        }
        let is_there = wanted <= self.free.saturating_add(left);
        let is_known = times.is_fresh(now) && !is_there;
        if terms.observes || is_known || demand.has_response(times) {
            return Err(self.shortage(times, demand, is_there));
        }
        if demand.asked.is_none() && terms.link.is_up() {
            return Err(Shortage::Lease);
        }
        let is_allowed = match terms.without {
            WithoutStore::Open => true,
            WithoutStore::Refuse => false,
            WithoutStore::Share => {
                wanted <= left.saturating_add(self.without_store(times, quota, bucket, terms))
                    || has_own_share(quota, bucket, wanted, terms)
            }
        };
        if is_allowed {
            Ok(())
        } else {
            Err(Shortage::StoreAway)
        }
    }

    /// The store has not enough; or it is there, and others were faster.
    fn shortage(&self, times: &LeaseTimes, demand: &LeaseDemand<'_>, is_there: bool) -> Shortage {
        let RuleQuota::Window(unit, limit, _) = demand.quota else {
            return Shortage::Held;
        };
        // Own requests may have ended since the last call.
        let own = |[taken, reserved]: [u64; 2]| taken.saturating_sub(reserved);
        let [taken, reserved, _] = self.sent;
        let others = self.settled.saturating_sub_unsigned(own([taken, reserved]));
        let settled = own(amounts(demand.bucket)).saturating_add_signed(others);
        // That a request is one is no estimate: nothing of it comes back, but for what others
        // have leased and do not use.
        let gone = if *unit == LimitUnit::Requests {
            self.used(times, demand.bucket.taken())
        } else {
            settled
        };
        let comes_back = demand.own <= limit.saturating_sub(gone);
        if is_there || comes_back {
            return Shortage::Held;
        }
        Shortage::UntilEnd(demand.bucket.window().map_or(i64::MAX, |it| it.end))
    }

    /// What may be used in addition to the lease while the store is away.
    fn without_store(
        &self,
        times: &LeaseTimes,
        quota: &RuleQuota,
        bucket: &Bucket,
        terms: &LeaseTerms<'_>,
    ) -> u64 {
        if matches!(quota, RuleQuota::Concurrent(_)) {
            return 0;
        }
        self.allowance.map_or_else(
            || {
                let free = if times.has_received() {
                    self.free
                } else {
                    let used = bucket.taken().saturating_add(self.restored);
                    quota.limit().saturating_sub(used)
                };
                free / FREE_PARTS / u64::from(terms.link.replicas())
            },
            |allowance| allowance.left,
        )
    }

    /// Before so much is taken: what the lease does not cover is taken all the same, by
    /// what holds without the store.
    pub fn cover(
        &mut self,
        times: &LeaseTimes,
        quota: &RuleQuota,
        bucket: &Bucket,
        now: LimitClock,
        amount: u64,
        terms: &LeaseTerms<'_>,
    ) {
        if terms.observes {
            return;
        }
        let missing = amount.saturating_sub(self.left(times, bucket, now));
        if missing == 0 {
            return;
        }
        match terms.without {
            WithoutStore::Open => terms.link.count_unchecked(),
            WithoutStore::Share | WithoutStore::Refuse => {
                let left = self.without_store(times, quota, bucket, terms);
                let allowance = self
                    .allowance
                    .get_or_insert(Allowance { left, whole: left });
                allowance.left = left.saturating_sub(missing);
            }
        }
        self.granted = self.granted.max(bucket.taken().saturating_add(amount));
    }

    /// What a request gives back may be used again. While the lease is valid, it is left of
    /// that.
    pub fn give_back(&mut self, times: &LeaseTimes, now: LimitClock, amount: u64) {
        if let Some(allowance) = self.allowance.as_mut().filter(|_| !times.is_valid(now)) {
            allowance.left = allowance.left.saturating_add(amount).min(allowance.whole);
        }
    }

    /// Notes what the call says. What is more than is to be kept is handed back with it.
    pub fn call(
        &mut self,
        quota: &RuleQuota,
        scale: u64,
        bucket: &Bucket,
        ask: &Ask,
        terms: &LeaseTerms<'_>,
    ) -> LeaseAmounts {
        let [taken, reserved] = amounts(bucket);
        let granted = if ask.is_valid && !terms.observes {
            self.granted.max(taken)
        } else {
            taken
        };
        let granted = granted.min(taken.saturating_add(ask.kept(granted - taken)));
        self.granted = granted;
        self.sent = [taken, reserved, granted];
        let wish = ask.wish(granted - taken, scale);
        let outlives_replica = !matches!(quota, RuleQuota::Concurrent(_));
        let settled = if outlives_replica {
            u64::try_from(self.settled).unwrap_or_default() / scale
        } else {
            0
        };
        let up = |amount: u64| amount.div_ceil(scale).min(MAX_STORE_UNITS);
        LeaseAmounts::Counter {
            limit: (quota.limit() / scale).min(MAX_STORE_UNITS),
            taken: up(taken),
            reserved: (reserved / scale).min(MAX_STORE_UNITS),
            granted: up(granted),
            want: wish.want,
            needed: wish.needed,
            least: wish.least,
            settled: settled.min(MAX_STORE_UNITS),
            outlives_replica,
        }
    }

    /// All in the store's units; `sums` are those of others, and what is settled.
    pub fn on_response(&mut self, scale: u64, granted: u64, free: u64, sums: (i64, i64)) {
        let granted = granted.saturating_mul(scale);
        let [taken, reserved, before] = self.sent;
        self.known = Some([taken, reserved, before.saturating_add(granted)]);
        self.granted = self.granted.saturating_add(granted);
        self.free = free.saturating_mul(scale);
        let scale = i64::try_from(scale).unwrap_or(i64::MAX);
        self.others = sums.0.saturating_mul(scale);
        self.settled = sums.1.saturating_mul(scale);
        self.allowance = None;
    }

    /// The store knows it all.
    pub fn is_clean(&self, times: &LeaseTimes, bucket: &Bucket) -> bool {
        let [taken, reserved] = amounts(bucket);
        match self.known {
            Some(known) => known == [taken, reserved, taken],
            None => taken == 0 && times.reported == Tick::NEVER,
        }
    }
}

/// Of requests at a time, each replica has a part of the limit.
fn has_own_share(quota: &RuleQuota, bucket: &Bucket, wanted: u64, terms: &LeaseTerms<'_>) -> bool {
    let RuleQuota::Concurrent(limit) = quota else {
        return false;
    };
    let share = (limit / u64::from(terms.link.replicas())).max(1);
    bucket.taken().saturating_add(wanted) <= share
}

/// Taken, and reserved of it.
fn amounts(bucket: &Bucket) -> [u64; 2] {
    let reserved = match bucket {
        Bucket::Window { reserved, .. } => *reserved,
        Bucket::Rate(_) | Bucket::Concurrent { .. } => 0,
    };
    [bucket.taken(), reserved]
}
