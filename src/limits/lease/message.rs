//! What the store is asked, and what it responds.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::oneshot;

use super::LeaseLink;
use crate::config::LimitUnit;
use crate::limits::clock::LimitClock;
use crate::limits::quota::QuotaKind;
use crate::limits::rate::Tick;
use crate::limits::stored::WindowId;
use crate::limits::subject::Subject;

/// Numbers of the store are doubles: whole ones are exact up to here.
pub const MAX_STORE_UNITS: u64 = 1 << 53;

/// What one bucket is called in the store. What it is not split by is empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LeaseId {
    pub rule: Box<str>,
    /// Such as `key alice`.
    pub subject: Box<str>,
    pub model: Box<str>,
    /// As the client names it: the store is to get a hash of it.
    pub user: Box<str>,
    pub provider: Box<str>,
    pub kind: QuotaKind,
    /// Only of what is counted by the calendar.
    pub window: Option<LeaseWindow>,
}

/// A window of the calendar: another one is another bucket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LeaseWindow {
    /// Name of the time zone.
    pub zone: Box<str>,
    pub month_starts_on: i8,
    /// Seconds since 1970; `i64::MIN` if it has no start.
    pub start: i64,
}

/// What a replica says of one bucket, and what it asks for. Repeating the call changes
/// nothing in the store. Dropped, it counts as one without a response.
#[derive(Debug)]
pub struct LeaseCall {
    pub id: LeaseId,
    /// Increases from call to call of this process, over all buckets. A rate is asked with
    /// the same number again until there is a response.
    pub sequence: u64,
    pub amounts: LeaseAmounts,
    /// When the store may forget the bucket, from now on; a rate no sooner than it is full.
    /// `None` for never.
    pub keep_for: Option<Duration>,
    pub(in crate::limits) subject: Weak<Subject>,
    pub(in crate::limits) index: usize,
    pub(in crate::limits) sent: Tick,
    pub(in crate::limits) is_finished: bool,
}

/// In the store's units: nano-dollars of money, which a limit rounds down and all else up;
/// else requests, tokens or permits. None is more than [`MAX_STORE_UNITS`].
///
/// `want` is what the replica would like to have in addition, `needed` of it what waits
/// for it now, and `least` the smallest part of that which is of use. The store grants
/// `min(want, max(min(needed, free), free / (4 × replicas)))`, or nothing if that is less
/// than `least` or more than is free. So `least <= needed <= want`, and with a `needed` of
/// 0 (a refill, or a report with a `want` of 0) `least` is at most 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseAmounts {
    /// A budget, a quota of the calendar, or requests at a time. Absolute totals of this
    /// replica; what is free is the limit less the adjustment and, of each replica, `taken`
    /// or, while it is alive, the larger of `taken` and `granted`.
    Counter {
        limit: u64,
        /// Used and reserved.
        taken: u64,
        /// Of this, by requests that run.
        reserved: u64,
        /// What may have been taken without another call.
        granted: u64,
        want: u64,
        needed: u64,
        least: u64,
        /// The `settled` of the last response, 0 before there was one. A store that knows
        /// nothing of this replica may have lost its data: then no less than this counts as
        /// settled from now on, until an operator sets it.
        settled: u64,
        /// Whether `taken` counts after the death of the replica. Not of requests at a
        /// time: they die with it.
        outlives_replica: bool,
    },
    /// An amount in a period, by the generic cell rate algorithm.
    Rate {
        amount: u64,
        period: Duration,
        /// The most that can be free.
        burst: u64,
        /// Above 0: used without a lease. Below 0: given back, up to a full bucket.
        take: i64,
        want: u64,
        needed: u64,
        least: u64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseResponse {
    Counter {
        /// In addition to what was said to be granted.
        granted: u64,
        /// After that; 0 where more than the limit is taken.
        free: u64,
        /// Taken by other replicas, dead ones included where it outlives them, and the
        /// adjustment, which may be below 0.
        others: i64,
        /// Of all replicas: taken, less reserved, and the adjustment.
        settled: i64,
        /// The store knew nothing of this replica in this bucket.
        is_new: bool,
    },
    Rate {
        granted: u64,
        /// After that, how long until the bucket is full.
        busy: Duration,
    },
    /// The sequence number is not newer than the last one (of a rate: older). Nothing was
    /// changed.
    Late,
}

/// What an earlier process has used of a window, as this one's ledger knows it. The store
/// takes the larger of this and what it has for `replica`. Dropped, it is asked again.
#[derive(Debug)]
pub struct RestoreCall {
    pub id: LeaseId,
    /// Its id.
    pub replica: Box<str>,
    /// Used and reserved, in the store's units.
    pub taken: u64,
    /// As in [`LeaseCall`].
    pub keep_for: Option<Duration>,
    pub(in crate::limits) link: Arc<LeaseLink>,
    pub(in crate::limits) window: WindowId,
    pub(in crate::limits) is_finished: bool,
}

/// An operator sets what all replicas have used of a bucket.
#[derive(Debug)]
pub struct AdjustCall {
    pub id: LeaseId,
    pub amounts: AdjustAmounts,
    /// As in [`LeaseCall`].
    pub keep_for: Option<Duration>,
    pub(in crate::limits) done: oneshot::Sender<()>,
}

/// In the store's units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdjustAmounts {
    /// Makes the sum over all replicas of taken less reserved, and the adjustment, `used`,
    /// by changing the adjustment.
    Counter { used: u64 },
    /// Makes so many units be in use.
    Rate {
        amount: u64,
        period: Duration,
        used: u64,
    },
}

// === impl LeaseCall ===

impl LeaseCall {
    /// Applies the response, and wakes requests that wait for it. `None` if the store did
    /// not respond in time, or with an error.
    pub fn finish(mut self, response: Option<LeaseResponse>, now: LimitClock) {
        self.apply(response, now);
    }

    /// Whether requests wait for it.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        let (LeaseAmounts::Counter { needed, .. } | LeaseAmounts::Rate { needed, .. }) =
            self.amounts;
        needed > 0
    }

    fn apply(&mut self, response: Option<LeaseResponse>, now: LimitClock) {
        self.is_finished = true;
        if let Some(subject) = self.subject.upgrade() {
            subject.finish_call(self, response, now);
        }
    }
}

impl Drop for LeaseCall {
    fn drop(&mut self) {
        if !self.is_finished {
            self.apply(None, LimitClock::now());
        }
    }
}

// === impl RestoreCall ===

impl RestoreCall {
    /// The store has it.
    pub fn finish(mut self) {
        self.is_finished = true;
    }
}

impl Drop for RestoreCall {
    fn drop(&mut self) {
        if !self.is_finished {
            let (window, replica) = (&self.window, &self.replica);
            self.link.stored().restore_again(window, replica);
        }
    }
}

// === impl AdjustCall ===

impl AdjustCall {
    /// The store has it. Dropped instead, the operator learns that it failed.
    pub fn finish(self) {
        // The operator may have gone.
        let _ = self.done.send(());
    }
}

// === impl LeaseId ===

impl From<&WindowId> for LeaseId {
    fn from(id: &WindowId) -> Self {
        let part = |part: &Option<Box<str>>| part.clone().unwrap_or_default();
        Self {
            rule: id.rule.clone(),
            subject: id.subject.clone(),
            model: part(&id.model),
            user: part(&id.user),
            provider: part(&id.provider),
            kind: QuotaKind::Amount(id.of, id.period),
            window: Some(LeaseWindow {
                zone: id.zone.clone(),
                month_starts_on: id.month_starts_on,
                start: id.start,
            }),
        }
    }
}

/// How many of the amount's own units are one of the store's.
pub(in crate::limits) fn scale(kind: QuotaKind) -> u64 {
    match kind {
        // Picodollars of a nano-dollar.
        QuotaKind::Amount(LimitUnit::Budget, _) => 1_000,
        QuotaKind::Amount(..) | QuotaKind::Concurrent => 1,
    }
}
