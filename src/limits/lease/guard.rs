//! The leases of a subject while it is locked.

use std::sync::Arc;
use std::time::Duration;

use super::{BucketLease, LeaseCall, LeaseDemand, LeaseLink, LeaseTerms, LeaseWait};
use crate::limits::bucket::Bucket;
use crate::limits::clock::LimitClock;
use crate::limits::quota::{LimitUsage, Shortage, Taken};
use crate::limits::report::QuotaReport;
use crate::limits::subject::{Subject, SubjectGuard};
use crate::limits::terms::QuotaEntry;

/// Windows are kept after their end: clocks may differ.
const WINDOW_GRACE: Duration = Duration::from_secs(24 * 60 * 60);
/// Rates and permits are kept after their last use.
const KEPT_IDLE: Duration = Duration::from_secs(2 * 60 * 60);

impl SubjectGuard<'_> {
    pub(in crate::limits) fn is_leased(&self) -> bool {
        self.state.buckets.leased().is_some()
    }

    /// As [`take`](Self::take).
    pub(in crate::limits) fn take_leased(
        &mut self,
        now: LimitClock,
        expected: &LimitUsage,
        is_over: bool,
        mut taken: impl FnMut(Taken),
    ) {
        self.mark_used(now);
        self.each(|entry, bucket, lease, terms| {
            taken(lease.take(&entry.quota, bucket, now, expected, is_over, terms));
        });
    }

    /// As [`settle`](Self::settle).
    pub(in crate::limits) fn settle_leased(
        &mut self,
        now: LimitClock,
        taken: &[Taken],
        used: &LimitUsage,
    ) {
        self.mark_used(now);
        let mut taken = taken.iter();
        self.each(|entry, bucket, lease, terms| {
            if let Some(taken) = taken.next() {
                lease.settle(&entry.quota, bucket, now, *taken, used, terms);
            }
        });
    }

    /// After a change: the link is to know that the subject is in use, and where little is
    /// left.
    pub(in crate::limits) fn notify_link(&mut self, subject: &Arc<Subject>, now: LimitClock) {
        let state = &mut *self.state;
        let Some(leased) = state.buckets.leased_mut() else {
            return;
        };
        let Some(link) = &state.terms.link else {
            return;
        };
        if !leased.is_in_use {
            leased.is_in_use = true;
            link.add_in_use(subject);
        }
        if leased.is_urgent || !link.is_up() {
            return;
        }
        let mut all = state
            .terms
            .quotas
            .iter()
            .zip(&leased.buckets)
            .zip(&leased.leases);
        let is_low = all.any(|((entry, bucket), lease)| {
            let terms = LeaseTerms::of(&state.terms, entry);
            terms.is_some_and(|terms| lease.is_low(&entry.quota, bucket, now, &terms))
        });
        if is_low {
            leased.is_urgent = true;
            link.add_urgent(subject);
        }
    }

    /// The request waits for the store wherever too little is leased. `ahead` as in
    /// [`check`](Self::check).
    pub(in crate::limits) fn wait_for_leases(
        &mut self,
        subject: &Arc<Subject>,
        now: LimitClock,
        expected: &LimitUsage,
        ahead: &[u64],
        mut waits: impl FnMut(LeaseWait),
    ) {
        let mut is_any = false;
        let mut index = 0;
        self.each(|entry, bucket, lease, terms| {
            let own = entry.quota.wanted(expected).max(1);
            let ahead = ahead.get(index).copied().unwrap_or_default();
            let demand = LeaseDemand {
                quota: &entry.quota,
                bucket,
                now,
                own,
                wanted: own.saturating_add(ahead),
                asked: None,
            };
            if lease.check(&demand, terms) == Err(Shortage::Lease) {
                let timeout = terms.link.timeout();
                waits(lease.wait((subject, index), now, demand.wanted, timeout));
                is_any = true;
            }
            index += 1;
        });
        let state = &mut *self.state;
        if let (true, Some(leased), Some(link)) =
            (is_any, state.buckets.leased_mut(), &state.terms.link)
        {
            // Also while a call is under way, which may be of less.
            leased.is_urgent = true;
            link.add_urgent(subject);
            if !leased.is_in_use {
                leased.is_in_use = true;
                link.add_in_use(subject);
            }
        }
    }

    /// Reports to the store at once, and waits for the response. `None` after one to a call
    /// that was made since `asked`.
    pub(in crate::limits) fn report_to_store(
        &mut self,
        subject: &Arc<Subject>,
        index: usize,
        asked: LimitClock,
    ) -> Option<LeaseWait> {
        let link = Arc::clone(self.state.terms.link.as_ref()?);
        let lease = self.lease_mut(index)?;
        if lease.has_reported(asked) {
            return None;
        }
        lease.must_report = true;
        let wait = lease.wait((subject, index), asked, 0, link.timeout());
        link.add_urgent(subject);
        Some(wait)
    }

    #[inline]
    pub(in crate::limits) fn lease(&self, index: usize) -> Option<&BucketLease> {
        self.state.buckets.leased()?.leases.get(index)
    }

    pub(in crate::limits) fn lease_mut(&mut self, index: usize) -> Option<&mut BucketLease> {
        self.state.buckets.leased_mut()?.leases.get_mut(index)
    }

    /// What is used and free of a quota in all replicas, as far as it is known.
    fn used_and_free(&self, index: usize, now: LimitClock) -> Option<(u64, u64)> {
        let lease = self.lease(index)?;
        let (entry, bucket) = self.entries().nth(index)?;
        let terms = LeaseTerms::of(self.terms(), entry)?;
        Some(lease.used_and_free(&entry.quota, bucket, now, &terms))
    }

    pub(in crate::limits) fn report(&self, index: usize, now: LimitClock) -> Option<QuotaReport> {
        let (entry, bucket) = self.entries().nth(index)?;
        QuotaReport::new(entry, bucket, self.used_and_free(index, now), now)
    }

    /// Of all quotas that are configured.
    pub(in crate::limits) fn reports(&self, now: LimitClock) -> impl Iterator<Item = QuotaReport> {
        let entries = self.entries().enumerate();
        entries.filter_map(move |(index, (entry, bucket))| {
            QuotaReport::new(entry, bucket, self.used_and_free(index, now), now)
        })
    }

    /// The leases with their buckets.
    pub(super) fn leased(&self) -> impl Iterator<Item = (&BucketLease, &Bucket)> {
        let leased = self.state.buckets.leased().into_iter();
        leased.flat_map(|it| it.leases.iter().zip(&it.buckets))
    }

    pub(super) fn leased_mut(
        &mut self,
        index: usize,
    ) -> Option<(&QuotaEntry, &mut Bucket, &mut BucketLease)> {
        let state = &mut *self.state;
        let leased = state.buckets.leased_mut()?;
        let entry = state.terms.quotas.get(index)?;
        Some((
            entry,
            leased.buckets.get_mut(index)?,
            leased.leases.get_mut(index)?,
        ))
    }

    pub(in crate::limits) fn leases_are_clean(&self, now: LimitClock) -> bool {
        self.leased()
            .all(|(lease, bucket)| lease.is_clean(bucket, now))
    }

    pub(super) fn is_of(&self, link: &LeaseLink) -> bool {
        let own = self.terms().link.as_deref();
        own.is_some_and(|own| std::ptr::eq(own, link))
    }

    pub(super) fn set_urgent(&mut self, is_urgent: bool) {
        if let Some(leased) = self.state.buckets.leased_mut() {
            leased.is_urgent = is_urgent;
        }
    }

    pub(super) fn set_in_use(&mut self, is_in_use: bool) {
        if let Some(leased) = self.state.buckets.leased_mut() {
            leased.is_in_use = is_in_use;
        }
    }

    /// The store has lost what it knew of this subject.
    pub(super) fn forget_known(&mut self, subject: &Arc<Subject>, now: LimitClock) {
        self.each(|_, _, lease, _| lease.forget_known());
        if !self.leases_are_clean(now) {
            self.notify_link(subject, now);
        }
    }

    /// Makes the calls of those leases for which `is_due` says so.
    pub(super) fn calls(
        &mut self,
        subject: &Arc<Subject>,
        now: LimitClock,
        calls: &mut Vec<LeaseCall>,
        is_due: impl Fn(&BucketLease, &QuotaEntry, &Bucket, &LeaseTerms<'_>) -> bool,
    ) {
        let all_terms = Arc::clone(self.terms());
        let mut index = 0;
        self.each(|entry, bucket, lease, terms| {
            if is_due(lease, entry, bucket, terms)
                && let Some((sequence, amounts)) = lease.call(entry, bucket, now, terms)
            {
                calls.push(LeaseCall {
                    id: all_terms.lease_id(&subject.name, entry, bucket),
                    sequence,
                    amounts,
                    keep_for: keep_for(bucket, now),
                    subject: Arc::downgrade(subject),
                    index,
                    sent: now.tick,
                    is_finished: false,
                });
            }
            index += 1;
        });
    }

    fn each(
        &mut self,
        mut each: impl FnMut(&QuotaEntry, &mut Bucket, &mut BucketLease, &LeaseTerms<'_>),
    ) {
        let state = &mut *self.state;
        let Some(own) = state.buckets.leased_mut() else {
            return;
        };
        let pairs = own.leases.iter_mut().zip(own.buckets.iter_mut());
        for (entry, (lease, bucket)) in state.terms.quotas.iter().zip(pairs) {
            if let Some(terms) = LeaseTerms::of(&state.terms, entry) {
                each(entry, bucket, lease, &terms);
            }
        }
    }
}

/// See [`LeaseCall::keep_for`].
pub(in crate::limits) fn keep_for(bucket: &Bucket, now: LimitClock) -> Option<Duration> {
    match bucket.window() {
        None => Some(KEPT_IDLE),
        Some(window) => kept_after(window.end, now),
    }
}

/// The same, of a window that ends then.
pub(in crate::limits) fn kept_after(end: i64, now: LimitClock) -> Option<Duration> {
    (end < i64::MAX).then(|| now.seconds_until(end) + WINDOW_GRACE)
}
