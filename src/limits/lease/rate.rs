//! The lease of a rate. The bucket itself has the arrival time of the store.

use std::time::Duration;

use super::demand::{Ask, Wish};
use super::message::MAX_STORE_UNITS;
use super::{LeaseAmounts, LeaseDemand, LeaseLink, LeaseTerms, LeaseTimes};
use crate::config::WithoutStore;
use crate::limits::bucket::Bucket;
use crate::limits::clock::LimitClock;
use crate::limits::quota::Shortage;
use crate::limits::rate::{ArrivalTime, Rate};

/// After which a request may come again that others were faster than.
const CONTENDED: Duration = Duration::from_millis(25);

#[derive(Debug)]
pub(super) struct RateLease {
    /// Units; below 0, they were used beyond what was leased.
    available: i64,
    /// Units that are to be handed back, up to a full bucket: as far as is known here, they
    /// have come back by themselves.
    returned: i64,
    /// What was used without a lease, by the replica's [part] of the rate.
    without: ArrivalTime,
    /// A call to which there was no response. It is repeated as it was, since the store may
    /// have carried it out.
    pub unconfirmed: Option<RateCall>,
}

/// What a call says; the words are those of [`LeaseAmounts::Rate`].
#[derive(Clone, Copy, Debug)]
pub(super) struct RateCall {
    pub sequence: u64,
    take: i64,
    wish: Wish,
}

impl Default for RateLease {
    fn default() -> Self {
        Self {
            available: 0,
            returned: 0,
            without: ArrivalTime::FULL,
            unconfirmed: None,
        }
    }
}

// === impl RateLease ===

impl RateLease {
    pub fn adopt(&mut self, rate: &Rate) {
        self.available = self.available.min(signed(rate.burst()));
    }

    pub fn left(&self) -> u64 {
        u64::try_from(self.available).unwrap_or_default()
    }

    pub fn check(
        &self,
        times: &LeaseTimes,
        rate: &Rate,
        demand: &LeaseDemand<'_>,
        terms: &LeaseTerms<'_>,
    ) -> Result<(), Shortage> {
        let LeaseDemand {
            bucket,
            now,
            own,
            wanted,
            ..
        } = *demand;
        let is_valid = times.is_valid(now);
        let units = signed(wanted);
        if !terms.observes && is_valid && units <= self.available {
            return Ok(());
        }
        let Bucket::Rate(arrival) = bucket else {
            return Ok(());
        };
        let own_part = part(rate, terms);
        let missing = units.saturating_sub(self.available).max(0).unsigned_abs();
        if terms.observes {
            let used = own_part.used(self.without, now.tick);
            return until(rate.wait(*arrival, now.tick, missing.saturating_add(used)));
        }
        let wait = rate.wait(*arrival, now.tick, missing);
        if (times.is_fresh(now) && !wait.is_zero()) || demand.has_response(times) {
            return Err(Shortage::Wait(wait.max(CONTENDED)));
        }
        if demand.asked.is_none() && terms.link.is_up() {
            return Err(Shortage::Lease);
        }
        match terms.without {
            WithoutStore::Open => Ok(()),
            WithoutStore::Refuse => Err(Shortage::StoreAway),
            WithoutStore::Share => {
                // A request that is larger than the part is the whole part.
                let wanted = own.min(own_part.burst()).saturating_add(wanted - own);
                until(own_part.wait(self.without, now.tick, wanted))
            }
        }
    }

    pub fn take(
        &mut self,
        times: &LeaseTimes,
        rate: &Rate,
        now: LimitClock,
        amount: u64,
        terms: &LeaseTerms<'_>,
    ) {
        let is_valid = times.is_valid(now);
        let is_leased = signed(amount) <= self.available;
        if is_valid && (is_leased || terms.observes) {
            self.available = self.available.saturating_sub(signed(amount));
            return;
        }
        if terms.without == WithoutStore::Open && !terms.observes {
            terms.link.count_unchecked();
        }
        let own_part = part(rate, terms);
        own_part.take(&mut self.without, now.tick, amount.min(own_part.burst()));
    }

    pub fn settle(
        &mut self,
        times: &LeaseTimes,
        quota: (&Rate, ArrivalTime),
        now: LimitClock,
        amounts: (u64, u64),
        terms: &LeaseTerms<'_>,
    ) {
        let ((rate, arrival), (taken, used)) = (quota, amounts);
        if !times.is_valid(now) {
            let own_part = part(rate, terms);
            let in_use = own_part.used(self.without, now.tick);
            own_part.settle(&mut self.without, now.tick, taken, used);
            // What was taken from a lease that has ended since.
            let leased = taken.saturating_sub(used).saturating_sub(in_use);
            self.returned = self.returned.saturating_add(signed(leased));
        } else if used >= taken {
            self.available = self.available.saturating_sub(signed(used - taken));
        } else {
            self.available = self.available.saturating_add(signed(taken - used));
            self.limit_available(rate, arrival, now);
        }
    }

    /// No more than what is in use can be leased.
    fn limit_available(&mut self, rate: &Rate, arrival: ArrivalTime, now: LimitClock) {
        let in_use = signed(rate.used(arrival, now.tick));
        let excess = self.available.saturating_sub(in_use).max(0);
        self.available -= excess;
        self.returned = self.returned.saturating_add(excess);
    }

    /// Used in all replicas, with what others have leased.
    pub fn used_and_free(
        &self,
        times: &LeaseTimes,
        rate: &Rate,
        arrival: ArrivalTime,
        now: LimitClock,
        terms: &LeaseTerms<'_>,
    ) -> (u64, u64) {
        let own = if times.is_valid(now) {
            self.available
        } else {
            self.available.min(0)
        };
        let without = part(rate, terms).used(self.without, now.tick);
        let used = rate.used(arrival, now.tick).saturating_add(without);
        let used = used.saturating_add_signed(own.saturating_neg());
        (used, rate.burst().saturating_sub(used))
    }

    /// Notes what the call says, and what is handed back with it.
    pub fn call(
        &mut self,
        rate: &Rate,
        arrival: ArrivalTime,
        ask: &Ask,
        terms: &LeaseTerms<'_>,
    ) -> RateCall {
        let returned = self.returned;
        self.limit_available(rate, arrival, ask.now);
        if !ask.is_valid {
            // What was leased too long ago has come back by itself, or is handed back.
            self.returned = returned.saturating_add(self.available.max(0));
            self.available = self.available.min(0);
        }
        if let Some(call) = self.unconfirmed {
            return call;
        }
        let debt = self.take_debt(rate, ask.now, terms);
        let surplus = signed(self.left().saturating_sub(ask.kept(self.left())));
        self.available -= surplus;
        let returned = surplus.saturating_add(std::mem::take(&mut self.returned));
        let call = RateCall {
            sequence: LeaseLink::next_sequence(),
            take: debt.saturating_sub(returned),
            wish: ask.wish(self.left(), 1),
        };
        self.unconfirmed = Some(call);
        call
    }

    pub fn on_response(&mut self, granted: u64) {
        self.available = self.available.saturating_add(signed(granted));
        self.unconfirmed = None;
    }

    /// What was used without a lease and has not come back since. It is the store's to
    /// count then.
    fn take_debt(&mut self, rate: &Rate, now: LimitClock, terms: &LeaseTerms<'_>) -> i64 {
        let debt = self.available.min(0).saturating_neg();
        let own_part = part(rate, terms);
        let without = own_part.used(self.without, now.tick).min(rate.burst());
        self.available = self.available.max(0);
        self.without = ArrivalTime::FULL;
        debt.saturating_add(signed(without))
    }

    pub fn is_clean(&self, now: LimitClock) -> bool {
        let has_debt = self.available < 0 || !self.without.is_full(now.tick);
        let is_empty = self.available == 0 && self.returned == 0;
        !has_debt && is_empty && self.unconfirmed.is_none()
    }
}

// === impl RateCall ===

impl RateCall {
    pub fn amounts(&self, rate: &Rate, period: Duration) -> LeaseAmounts {
        LeaseAmounts::Rate {
            amount: rate.amount().min(MAX_STORE_UNITS),
            period,
            burst: rate.burst().min(MAX_STORE_UNITS),
            take: self.take,
            want: self.wish.want,
            needed: self.wish.needed,
            least: self.wish.least,
        }
    }
}

/// What this replica may use without the store.
fn part(rate: &Rate, terms: &LeaseTerms<'_>) -> Rate {
    rate.share(terms.link.replicas())
}

fn until(wait: Duration) -> Result<(), Shortage> {
    if wait.is_zero() {
        Ok(())
    } else {
        Err(Shortage::Wait(wait))
    }
}

pub(super) fn signed(units: u64) -> i64 {
    i64::try_from(units).unwrap_or(i64::MAX)
}
