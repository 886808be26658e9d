//! The buckets of one rule for one subject: a key, a team, a model.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::bucket::{Bucket, LimitClock, LimitUsage, Quota, QuotaKind, Shortage};

/// The quotas of a rule. One that is taken out of the configuration keeps its index, so
/// that reservations of before find theirs.
#[derive(Debug, Default)]
pub(super) struct QuotaList {
    /// Of the configuration; the newest one is in force for all.
    pub generation: u64,
    pub kinds: Vec<QuotaKind>,
    pub quotas: Vec<Quota>,
}

/// Shared by all workers. Its lock is held for a few instructions.
#[derive(Debug)]
pub(super) struct Subject(Mutex<SubjectState>);

#[derive(Debug)]
struct SubjectState {
    quotas: Arc<QuotaList>,
    buckets: Box<[Bucket]>,
}

/// A subject's buckets while they are locked.
pub(super) struct SubjectGuard<'a>(MutexGuard<'a, SubjectState>);

/// Which quota is short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct QuotaShortage {
    pub index: usize,
    pub shortage: Shortage,
}

// === impl Subject ===

impl Subject {
    pub fn new(quotas: &Arc<QuotaList>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(SubjectState {
            buckets: quotas.quotas.iter().map(Quota::new_bucket).collect(),
            quotas: Arc::clone(quotas),
        })))
    }

    /// Locks for a request that goes by these quotas. If they are newer than those of the
    /// subject, it goes by them from now on, and what was used stays.
    pub fn lock(&self, quotas: &Arc<QuotaList>, now: LimitClock) -> SubjectGuard<'_> {
        let mut guard = self.lock_any();
        if guard.0.quotas.generation < quotas.generation {
            guard.reconfigure(quotas, now);
        }
        guard
    }

    /// Locks for a reservation that was made before.
    pub fn lock_any(&self) -> SubjectGuard<'_> {
        // A panic elsewhere cannot leave a bucket half written.
        SubjectGuard(self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

// === impl SubjectGuard ===

impl SubjectGuard<'_> {
    /// The quotas begin with those of before.
    fn reconfigure(&mut self, quotas: &Arc<QuotaList>, now: LimitClock) {
        let before = Arc::clone(&self.0.quotas);
        let earlier = before.quotas.iter().zip(&self.0.buckets);
        let earlier = earlier.map(Some).chain(std::iter::repeat(None));
        let pairs = quotas.quotas.iter().zip(earlier);
        let buckets = pairs.map(|(quota, earlier)| match earlier {
            Some((before, bucket)) => quota.adopt(before, *bucket, now),
            None => quota.new_bucket(),
        });
        self.0.buckets = buckets.collect();
        self.0.quotas = Arc::clone(quotas);
    }

    /// The shortage that lasts longest, if any.
    pub fn check(&mut self, now: LimitClock, expected: &LimitUsage) -> Option<QuotaShortage> {
        let mut found: Option<QuotaShortage> = None;
        for (index, (quota, bucket)) in self.pairs().enumerate() {
            let Err(shortage) = quota.check(bucket, now, expected) else {
                continue;
            };
            if found.is_none_or(|it| shortage.rank(now) > it.shortage.rank(now)) {
                found = Some(QuotaShortage { index, shortage });
            }
        }
        found
    }

    /// Reserves; passes on what was reserved of each quota.
    pub fn take(&mut self, now: LimitClock, expected: &LimitUsage, mut taken: impl FnMut(u64)) {
        for (quota, bucket) in self.pairs() {
            taken(quota.take(bucket, now, expected));
        }
    }

    /// `taken` are the amounts of [`take`](Self::take). Quotas that are newer than the
    /// reservation are left alone.
    pub fn settle(&mut self, now: LimitClock, taken_at: i64, taken: &[u64], used: &LimitUsage) {
        for ((quota, bucket), taken) in self.pairs().zip(taken) {
            quota.settle(bucket, now, taken_at, *taken, used);
        }
    }

    /// Each quota and its bucket, with windows that have ended replaced.
    pub fn current(
        &mut self,
        now: LimitClock,
    ) -> impl Iterator<Item = (QuotaKind, &Quota, &Bucket)> {
        let state = &mut *self.0;
        for (quota, bucket) in state.quotas.quotas.iter().zip(state.buckets.iter_mut()) {
            if let Quota::Window(.., calendar) = quota {
                bucket.begin_window(calendar, now);
            }
        }
        let quotas = state.quotas.kinds.iter().zip(&state.quotas.quotas);
        let all = quotas.zip(state.buckets.iter());
        all.map(|((kind, quota), bucket)| (*kind, quota, bucket))
    }

    fn pairs(&mut self) -> impl Iterator<Item = (&Quota, &mut Bucket)> {
        let state = &mut *self.0;
        state.quotas.quotas.iter().zip(state.buckets.iter_mut())
    }
}

// === impl Shortage ===

impl Shortage {
    /// Shortages that no wait cures are the longest.
    fn rank(self, now: LimitClock) -> (u8, u64) {
        match self {
            Self::Held => (0, 0),
            Self::Wait(wait) => (1, u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX)),
            Self::UntilEnd(end) => (2, end.saturating_sub(now.seconds).max(0).unsigned_abs()),
            Self::Blocked => (3, 0),
        }
    }
}
