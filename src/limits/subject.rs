//! The buckets of one rule for one subject.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::bucket::Bucket;
use super::clock::LimitClock;
use super::quota::{LimitUsage, RuleQuota, Shortage, Taken};
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
struct SubjectState {
    terms: Arc<Terms>,
    buckets: Buckets,
}

/// Most subjects of rules that are per user have one or two.
#[derive(Debug)]
enum Buckets {
    One(Bucket),
    Many(Box<[Bucket]>),
}

/// A subject's buckets while they are locked.
pub(super) struct SubjectGuard<'a> {
    subject: &'a Subject,
    state: MutexGuard<'a, SubjectState>,
}

/// Which quota is short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct QuotaShortage {
    pub index: usize,
    pub shortage: Shortage,
}

// === impl Buckets ===

impl Buckets {
    fn new(buckets: impl Iterator<Item = Bucket>) -> Self {
        let buckets: Box<[Bucket]> = buckets.collect();
        match *buckets {
            [bucket] => Self::One(bucket),
            _ => Self::Many(buckets),
        }
    }

    fn get(&self) -> &[Bucket] {
        match self {
            Self::One(bucket) => std::slice::from_ref(bucket),
            Self::Many(buckets) => buckets,
        }
    }

    fn get_mut(&mut self) -> &mut [Bucket] {
        match self {
            Self::One(bucket) => std::slice::from_mut(bucket),
            Self::Many(buckets) => buckets,
        }
    }
}

// === impl Subject ===

impl Subject {
    pub fn new(key: &SubjectKey<'_>, terms: &Arc<Terms>) -> Arc<Self> {
        let buckets = terms.quotas.iter().map(|it| it.quota.new_bucket());
        Arc::new(Self {
            name: SubjectName::new(key),
            last_used: AtomicU32::new(0),
            state: Mutex::new(SubjectState {
                buckets: Buckets::new(buckets),
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
        state.buckets = Buckets::new(buckets);
        state.terms = Arc::clone(terms);
    }

    fn refresh(&mut self, now: LimitClock) {
        let state = &mut *self.state;
        let buckets = state.buckets.get_mut();
        if buckets.iter().any(|bucket| bucket.has_ended(now)) {
            state.terms.refresh(&self.subject.name, buckets, now);
        }
    }

    /// The shortage that lasts longest, if any. `ahead` is what others are to get first, by
    /// quota.
    pub fn check(
        &self,
        now: LimitClock,
        expected: &LimitUsage,
        ahead: &[u64],
    ) -> Option<QuotaShortage> {
        let mut found: Option<QuotaShortage> = None;
        for (index, (entry, bucket)) in self.entries().enumerate() {
            let ahead = ahead.get(index).copied().unwrap_or_default();
            let checked = entry.quota.check(bucket, now, expected, ahead);
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
        for (entry, bucket) in self.entries_mut(now) {
            taken(entry.quota.take(bucket, now, expected, is_over));
        }
    }

    /// `taken` are the amounts of [`take`](Self::take). Quotas that are newer than the
    /// reservation are left alone.
    pub fn settle(&mut self, now: LimitClock, taken: &[Taken], used: &LimitUsage) {
        let used = used.weighted(self.state.terms.cached);
        for ((entry, bucket), taken) in self.entries_mut(now).zip(taken) {
            entry.quota.settle(bucket, now, *taken, &used);
        }
    }

    /// Each quota and its bucket.
    pub fn entries(&self) -> impl Iterator<Item = (&QuotaEntry, &Bucket)> {
        let buckets = self.state.buckets.get();
        self.state.terms.quotas.iter().zip(buckets)
    }

    /// Marks the subject as used.
    pub fn entries_mut(
        &mut self,
        now: LimitClock,
    ) -> impl Iterator<Item = (&QuotaEntry, &mut Bucket)> {
        self.subject
            .last_used
            .store(now.uptime(), Ordering::Relaxed);
        let state = &mut *self.state;
        let buckets = state.buckets.get_mut();
        state.terms.quotas.iter().zip(buckets)
    }

    /// It is as if it were new: nothing is lost with it.
    pub fn is_full(&self, now: LimitClock) -> bool {
        let mut buckets = self.state.buckets.get().iter();
        buckets.all(|bucket| bucket.is_full(now))
    }
}
