//! Which calls are due, and what their responses change.

use std::sync::Arc;
use std::time::Duration;

use super::demand::Ask;
use super::{
    BucketLease, Holding, IDLE, LeaseAmounts, LeaseCall, LeaseLink, LeaseResponse, LeaseTerms,
    VALID, scale,
};
use crate::limits::bucket::Bucket;
use crate::limits::clock::LimitClock;
use crate::limits::quota::{QuotaKind, RuleQuota};
use crate::limits::rate::{ArrivalTime, Tick};
use crate::limits::subject::Subject;
use crate::limits::terms::QuotaEntry;

/// What a response changes besides the bucket.
#[derive(Clone, Copy, Debug, Default)]
struct Changes {
    /// There may be more than before.
    has_more: bool,
    /// The store has lost what it knew.
    is_lost: bool,
}

// === impl BucketLease ===

impl BucketLease {
    /// Whether a call is to be made although no request waits for it.
    fn is_due(
        &self,
        bucket: &Bucket,
        now: LimitClock,
        interval: Duration,
        terms: &LeaseTerms<'_>,
    ) -> bool {
        if self.call != 0 {
            return false;
        }
        if terms.link.is_closing() {
            return !self.is_clean(bucket, now);
        }
        // What is idle is handed back at once.
        let times = &self.times;
        let became_idle = times.is_idle(now) && times.reported < times.used.after(IDLE);
        let is_soon = now.tick < times.reported.after(interval) && !became_idle;
        !is_soon && self.is_active(bucket, now)
    }

    /// Whether there will be something to say.
    fn is_active(&self, bucket: &Bucket, now: LimitClock) -> bool {
        // A permit that is held dies with a replica that is silent.
        let is_held = matches!(bucket, Bucket::Concurrent { held } if *held > 0);
        is_held || !self.times.is_idle(now) || !self.is_clean(bucket, now)
    }

    /// Makes a call, and notes what it says.
    pub(super) fn call(
        &mut self,
        entry: &QuotaEntry,
        bucket: &Bucket,
        now: LimitClock,
        terms: &LeaseTerms<'_>,
    ) -> Option<(u64, LeaseAmounts)> {
        let ask = Ask {
            now,
            is_valid: self.times.is_valid(now),
            target: self.target(&entry.quota, bucket, now, terms),
            wanted: self.wanted,
        };
        let (sequence, amounts) = match (&mut self.holding, &entry.quota, bucket) {
            (Holding::Counter(lease), quota, _) => {
                let amounts = lease.call(quota, scale(entry.kind), bucket, &ask, terms);
                (LeaseLink::next_sequence(), amounts)
            }
            (Holding::Rate(lease), RuleQuota::Rate(_, rate), Bucket::Rate(arrival)) => {
                let QuotaKind::Amount(_, period) = entry.kind else {
                    return None;
                };
                let call = lease.call(rate, *arrival, &ask, terms);
                (call.sequence, call.amounts(rate, period.refill()?))
            }
            (Holding::Rate(_), ..) => return None,
        };
        self.call = sequence;
        self.must_report = false;
        self.times.reported = now.tick;
        Some((sequence, amounts))
    }

    fn on_response(
        &mut self,
        entry: &QuotaEntry,
        bucket: &mut Bucket,
        sent: Tick,
        response: Option<LeaseResponse>,
        now: LimitClock,
    ) -> Changes {
        self.call = 0;
        self.wake();
        let is_first = !self.times.has_received();
        let changes = match (&mut self.holding, response, bucket) {
            (
                Holding::Counter(lease),
                Some(LeaseResponse::Counter {
                    granted,
                    free,
                    others,
                    settled,
                    is_new,
                }),
                _,
            ) => {
                let scale = scale(entry.kind);
                lease.on_response(scale, granted, free, (others, settled));
                Changes {
                    has_more: granted > 0 || free > 0,
                    is_lost: is_new && !is_first,
                }
            }
            (
                Holding::Rate(lease),
                Some(LeaseResponse::Rate { granted, busy }),
                Bucket::Rate(arrival),
            ) => {
                *arrival = ArrivalTime::full_after(now.tick, busy);
                lease.on_response(granted);
                Changes {
                    has_more: granted > 0,
                    is_lost: false,
                }
            }
            (Holding::Counter(lease), ..) => {
                // What the store has of it is not known.
                lease.known = None;
                return Changes::default();
            }
            (Holding::Rate(lease), Some(LeaseResponse::Late), _) => {
                lease.unconfirmed = None;
                return Changes::default();
            }
            _ => return Changes::default(),
        };
        self.times.received = now.tick;
        self.times.valid_until = sent.after(VALID);
        changes
    }

    /// The store has lost what it knew: it is to hear all of it again.
    pub(in crate::limits) fn forget_known(&mut self) {
        if let Holding::Counter(lease) = &mut self.holding {
            lease.known = None;
        }
    }
}

// === impl Subject ===

impl Subject {
    pub(super) fn urgent_calls(
        self: &Arc<Self>,
        link: &LeaseLink,
        now: LimitClock,
        calls: &mut Vec<LeaseCall>,
    ) {
        let mut guard = self.lock_now(now);
        if guard.is_of(link) {
            guard.set_urgent(false);
            guard.calls(self, now, calls, |lease, entry, bucket, terms| {
                let is_wanted = lease.wanted.sum > 0 || lease.must_report;
                (is_wanted && lease.call == 0) || lease.is_low(&entry.quota, bucket, now, terms)
            });
        }
    }

    /// Returns whether there will be more.
    pub(super) fn due_calls(
        self: &Arc<Self>,
        link: &LeaseLink,
        now: LimitClock,
        interval: Duration,
        calls: &mut Vec<LeaseCall>,
    ) -> bool {
        let mut guard = self.lock_now(now);
        if !guard.is_of(link) {
            return false;
        }
        guard.calls(self, now, calls, |lease, _, bucket, terms| {
            lease.is_due(bucket, now, interval, terms)
        });
        let is_active = (guard.leased()).any(|(lease, bucket)| lease.is_active(bucket, now));
        guard.set_in_use(is_active);
        is_active
    }

    /// See [`LeaseLink::restore_again`].
    pub(super) fn forget_known(self: &Arc<Self>, link: &LeaseLink, now: LimitClock) {
        let mut guard = self.lock_now(now);
        if guard.is_of(link) {
            guard.forget_known(self, now);
        }
    }

    pub(super) fn finish_call(
        self: &Arc<Self>,
        call: &LeaseCall,
        response: Option<LeaseResponse>,
        now: LimitClock,
    ) {
        let mut guard = self.lock_any();
        let terms = Arc::clone(guard.terms());
        let Some((entry, bucket, lease)) = guard.leased_mut(call.index) else {
            return;
        };
        // The window has ended since, or the store is another one.
        if lease.call != call.sequence {
            return;
        }
        let changes = lease.on_response(entry, bucket, call.sent, response, now);
        drop(guard);
        if changes.has_more {
            terms.queues.wake(self);
        }
        if let Some(link) = terms.link.as_ref().filter(|_| changes.is_lost) {
            link.restore_again();
        }
    }
}
