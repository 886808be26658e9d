//! The buckets of one rule for one subject.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::bucket::Bucket;
use super::buckets::Buckets;
use super::clock::LimitClock;
use super::lease::{LeaseDemand, LeaseTerms};
use super::quota::{LimitUsage, RuleQuota, Shortage, Taken};
use super::rate::Tick;
use super::subject_key::{SubjectKey, SubjectName};
use super::terms::{QuotaEntry, Terms};

/// Shared by all workers. Its lock is held for a few instructions.
#[derive(Debug)]
pub(super) struct Subject {
    pub name: SubjectName,
    /// [`LimitClock::uptime`]
    last_used: AtomicU32,
    state: Mutex<SubjectState>,
}

#[derive(Debug)]
pub(super) struct SubjectState {
    pub terms: Arc<Terms>,
    pub buckets: Buckets,
}

/// A subject's buckets while they are locked.
pub(super) struct SubjectGuard<'a> {
    subject: &'a Subject,
    pub(super) state: MutexGuard<'a, SubjectState>,
}

/// Which quota is short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct QuotaShortage {
    pub index: usize,
    pub shortage: Shortage,
}

// === impl Subject ===

impl Subject {
    pub fn new(key: &SubjectKey<'_>, terms: &Arc<Terms>) -> Arc<Self> {
        Arc::new(Self {
            name: SubjectName::new(key),
            last_used: AtomicU32::new(0),
            state: Mutex::new(SubjectState {
                buckets: Buckets::new(terms),
                terms: Arc::clone(terms),
            }),
        })
    }

    /// Locks for a request that goes by these terms. If they are newer than those of the
    /// subject, it goes by them from now on, and what was used stays.
    pub fn lock(&self, terms: &Arc<Terms>, now: LimitClock) -> SubjectGuard<'_> {
        let mut guard = self.lock_any();
        if guard.state.terms.generation < terms.generation {
            guard.reconfigure(terms, now);
        }
        guard.refresh(now);
        guard
    }

    /// Locks by the terms that it goes by already.
    pub fn lock_now(&self, now: LimitClock) -> SubjectGuard<'_> {
        let mut guard = self.lock_any();
        guard.refresh(now);
        guard
    }

    /// Locks for a reservation that was made before.
    pub fn lock_any(&self) -> SubjectGuard<'_> {
        SubjectGuard {
            subject: self,
            // A panic elsewhere cannot leave a bucket half written.
            state: self.state.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// [`LimitClock::uptime`] of the last change.
    pub fn last_used(&self) -> u32 {
        self.last_used.load(Ordering::Relaxed)
    }
}

// === impl SubjectGuard ===

impl SubjectGuard<'_> {
    pub fn terms(&self) -> &Arc<Terms> {
        &self.state.terms
    }

    pub fn name(&self) -> &SubjectName {
        &self.subject.name
    }

    /// The quotas begin with those of before.
    fn reconfigure(&mut self, terms: &Arc<Terms>, now: LimitClock) {
        let state = &mut *self.state;
        let earlier = state.terms.quotas.iter().zip(state.buckets.get());
        let earlier = earlier.map(Some).chain(std::iter::repeat(None));
        let pairs = terms.quotas.iter().zip(earlier);
        let buckets = pairs.map(|(entry, earlier)| match earlier {
            Some((before, bucket)) => entry.quota.adopt(&before.quota, *bucket, now),
            None => entry.quota.new_bucket(),
        });
        let buckets = buckets.collect();
        let old = std::mem::replace(&mut state.buckets, Buckets::Many(Box::default()));
        state.buckets = old.reconfigured(&state.terms, terms, buckets);
        state.terms = Arc::clone(terms);
    }

    fn refresh(&mut self, now: LimitClock) {
        let buckets = self.state.buckets.get();
        if buckets.iter().any(|bucket| bucket.has_ended(now)) {
            self.begin_windows(now);
        }
    }

    fn begin_windows(&mut self, now: LimitClock) {
        let (state, name) = (&mut *self.state, &self.subject.name);
        let terms = &state.terms;
        for (index, entry) in terms.quotas.iter().enumerate() {
            let Some(bucket) = state.buckets.get_mut().get_mut(index) else {
                continue;
            };
            if !terms.refresh(name, entry, bucket, now) {
                continue;
            }
            let restored = terms.restored(name, entry, bucket);
            let leases = state.buckets.leased_mut();
            if let Some(lease) = leases.and_then(|it| it.leases.get_mut(index)) {
                lease.begin_window(restored);
            }
        }
    }

    /// The shortage that lasts longest, if any. `ahead` is what others are to get first, by
    /// quota. `asked` as in [`LeaseDemand`].
    pub fn check(
        &self,
        now: LimitClock,
        expected: &LimitUsage,
        ahead: &[u64],
        asked: Option<Tick>,
    ) -> Option<QuotaShortage> {
        let mut found: Option<QuotaShortage> = None;
        for (index, (entry, bucket)) in self.entries().enumerate() {
            let ahead = ahead.get(index).copied().unwrap_or_default();
            let checked = match self.lease(index) {
                None => entry.quota.check(bucket, now, expected, ahead),
                Some(lease) => {
                    let own = entry.quota.wanted(expected).max(1);
                    let demand = LeaseDemand {
                        quota: &entry.quota,
                        bucket,
                        now,
                        own,
                        wanted: own.saturating_add(ahead),
                        asked,
                    };
                    let terms = LeaseTerms::of(&self.state.terms, entry);
                    terms.map_or(Ok(()), |terms| lease.check(&demand, &terms))
                }
            };
            let Some(shortage) = checked.err().filter(|_| !entry.is_retired) else {
                continue;
            };
            if found.is_none_or(|it| shortage.rank(now) > it.shortage.rank(now)) {
                found = Some(QuotaShortage { index, shortage });
            }
        }
        found
    }

    /// The first quota that can never have room for this.
    pub fn never_fits(&self, expected: &LimitUsage) -> Option<usize> {
        let mut entries = self.state.terms.quotas.iter();
        entries.position(|it| {
            let is_amount = !matches!(it.quota, RuleQuota::Concurrent(_));
            let capacity = it.quota.capacity();
            let never = it.quota.demand(expected) > capacity && capacity > 0;
            never && is_amount && !it.is_retired
        })
    }

    /// Reserves; passes on what was reserved of each quota. `is_over` as in
    /// [`RuleQuota::take`].
    pub fn take(
        &mut self,
        now: LimitClock,
        expected: &LimitUsage,
        is_over: bool,
        mut taken: impl FnMut(Taken),
    ) {
        if self.is_leased() {
            return self.take_leased(now, expected, is_over, taken);
        }
        for (entry, bucket) in self.entries_mut(now) {
            taken(entry.quota.take(bucket, now, expected, is_over));
        }
    }

    /// `taken` are the amounts of [`take`](Self::take). Quotas that are newer than the
    /// reservation are left alone.
    pub fn settle(&mut self, now: LimitClock, taken: &[Taken], used: &LimitUsage) {
        let used = used.weighted(self.state.terms.cached);
        if self.is_leased() {
            return self.settle_leased(now, taken, &used);
        }
        for ((entry, bucket), taken) in self.entries_mut(now).zip(taken) {
            entry.quota.settle(bucket, now, *taken, &used);
        }
    }

    /// Adds what a request has used that goes on. The quotas are up to date.
    pub fn charge(&mut self, now: LimitClock, taken: &[Taken], used: &LimitUsage) {
        let pairs = self.entries().zip(taken);
        let beside = pairs.map(|((entry, bucket), taken)| taken.beside(&entry.quota, bucket));
        let beside: Vec<Taken> = beside.collect();
        self.settle(now, &beside, used);
    }

    /// Each quota and its bucket.
    pub fn entries(&self) -> impl Iterator<Item = (&QuotaEntry, &Bucket)> {
        let buckets = self.state.buckets.get();
        self.state.terms.quotas.iter().zip(buckets)
    }

    /// Marks the subject as used.
    pub(super) fn mark_used(&self, now: LimitClock) {
        (self.subject.last_used).store(now.uptime(), Ordering::Relaxed);
    }

    /// As [`entries`](Self::entries); marks the subject as used.
    pub fn entries_mut(
        &mut self,
        now: LimitClock,
    ) -> impl Iterator<Item = (&QuotaEntry, &mut Bucket)> {
        self.mark_used(now);
        let state = &mut *self.state;
        let buckets = state.buckets.get_mut();
        state.terms.quotas.iter().zip(buckets)
    }

    /// It is as if it were new: nothing is lost with it.
    pub fn is_full(&self, now: LimitClock) -> bool {
        let mut buckets = self.state.buckets.get().iter();
        buckets.all(|bucket| bucket.is_full(now)) && self.leases_are_clean(now)
    }
}
