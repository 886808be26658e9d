//! Remaining rate limit of a credential at one model, by the upstream's own reports.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::breaker::millis;
use crate::wire::rate_limit::RateLimitReport;

/// Below this fraction of its limit, a target's weight falls in proportion.
const LOW_RATIO: f64 = 0.05;
/// Validity of a report without a time of reset.
const DEFAULT_RESET: Duration = Duration::from_secs(1);

const FULL_WEIGHT: u64 = u8::MAX as u64;
const COUNT_BITS: u32 = 16;
const MAX_COUNT: u64 = (1 << COUNT_BITS) - 1;

/// Times are milliseconds since the fleet's start.
#[derive(Debug, Default)]
pub(super) struct Quota {
    /// A packed [`RemainingQuota`]; 0 when nothing is limited.
    remaining: AtomicU64,
    /// Time of the last report.
    reported_at: AtomicU64,
    /// Requests that were sent and have no response yet: no report includes them.
    in_flight: AtomicU32,
}

/// Counts a request as sent until it is dropped, at the response's head.
#[derive(Debug, Default)]
pub struct QuotaPermit<'q>(Option<&'q AtomicU32>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RemainingQuota {
    /// End of its validity.
    until: u64,
    /// Remaining requests.
    count: u64,
    /// The part of the target's weight that remains, of [`FULL_WEIGHT`].
    weight: u64,
}

// === impl Quota ===

impl Quota {
    /// Records the report of a response to a request sent at `sent`. Returns the
    /// duration of the exclusion that begins here, if one does.
    ///
    /// Responses arrive out of order: one to a request that was in flight when the
    /// last report arrived may only lower the quota. If that makes it too low, the
    /// reset corrects it.
    pub(super) fn record(
        &self,
        sent: u64,
        now: u64,
        report: &RateLimitReport,
        max_exclusion: Duration,
    ) -> Option<Duration> {
        let overlaps = sent <= self.reported_at.load(Ordering::Relaxed);
        let reported = RemainingQuota::from_report(report, now, max_exclusion);
        let mut is_exhausted = false;
        let _ = self
            .remaining
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |packed| {
                let known = RemainingQuota::unpack(packed).filter(|known| known.until > now);
                let next = match known {
                    Some(known) if overlaps => known.min_with(reported),
                    _ => reported,
                };
                is_exhausted = next.count == 0 && known.is_none_or(|known| known.count > 0);
                let next = next.pack();
                (next != packed).then_some(next)
            });
        self.reported_at.fetch_max(now, Ordering::Relaxed);
        is_exhausted.then(|| Duration::from_millis(reported.until.saturating_sub(now)))
    }

    /// Whether the quota allows one more request.
    pub(super) fn has_room(&self, now: u64) -> bool {
        self.current(now)
            .is_none_or(|quota| quota.count > self.in_flight.load(Ordering::Relaxed).into())
    }

    /// 0 while the quota is not exhausted.
    pub(super) fn exhausted_until(&self, now: u64) -> u64 {
        let exhausted = self.current(now).filter(|quota| quota.count == 0);
        exhausted.map_or(0, |quota| quota.until)
    }

    /// What remains of the target's weight, at least 1.
    pub(super) fn weight(&self, full: u64, now: u64) -> u64 {
        self.current(now)
            .map_or(full, |quota| (full * quota.weight / FULL_WEIGHT).max(1))
    }

    /// A permit, if the quota allows one more request. Of two concurrent requests
    /// for the last one, one gets it.
    pub(super) fn try_acquire(&self, now: u64) -> Option<QuotaPermit<'_>> {
        let Some(quota) = self.current(now) else {
            return Some(self.acquire());
        };
        let relaxed = Ordering::Relaxed;
        let increment = |in_flight: u32| (quota.count > in_flight.into()).then(|| in_flight + 1);
        let acquired = self.in_flight.fetch_update(relaxed, relaxed, increment);
        acquired.is_ok().then(|| QuotaPermit(Some(&self.in_flight)))
    }

    /// A permit, regardless of the quota.
    pub(super) fn acquire(&self) -> QuotaPermit<'_> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        QuotaPermit(Some(&self.in_flight))
    }

    fn current(&self, now: u64) -> Option<RemainingQuota> {
        let quota = RemainingQuota::unpack(self.remaining.load(Ordering::Relaxed));
        quota.filter(|quota| quota.until > now)
    }
}

// === impl RemainingQuota ===

impl RemainingQuota {
    fn from_report(report: &RateLimitReport, now: u64, max_exclusion: Duration) -> Self {
        let weight = (report.remaining_ratio / LOW_RATIO).clamp(0.0, 1.0) * FULL_WEIGHT as f64;
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is from 0 to 255"
        )]
        let weight = weight as u64;
        let count = report
            .remaining_requests
            .unwrap_or(MAX_COUNT)
            .min(MAX_COUNT);
        let count = if report.remaining_ratio > 0.0 {
            count
        } else {
            0
        };
        let max_validity = if count == 0 {
            max_exclusion
        } else {
            Duration::MAX
        };
        let validity = report
            .reset_after
            .unwrap_or(DEFAULT_RESET)
            .min(max_validity);
        Self {
            until: now + millis(validity),
            count,
            weight,
        }
    }

    fn unpack(packed: u64) -> Option<Self> {
        (packed != 0).then_some(Self {
            until: packed >> (COUNT_BITS + 8),
            count: packed >> 8 & MAX_COUNT,
            weight: packed & FULL_WEIGHT,
        })
    }

    fn pack(self) -> u64 {
        if self.count == MAX_COUNT && self.weight == FULL_WEIGHT {
            return 0;
        }
        // 40 bits of milliseconds are 34 years.
        self.until.min(u64::MAX >> (COUNT_BITS + 8)) << (COUNT_BITS + 8)
            | self.count << 8
            | self.weight
    }

    fn min_with(self, other: Self) -> Self {
        if other.count >= self.count && other.weight >= self.weight {
            return self;
        }
        Self {
            until: self.until.max(other.until),
            count: self.count.min(other.count),
            weight: self.weight.min(other.weight),
        }
    }
}

// === impl QuotaPermit ===

impl Drop for QuotaPermit<'_> {
    fn drop(&mut self) {
        if let Some(count) = self.0.take() {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;
    use std::time::Duration;

    use super::{FULL_WEIGHT, Quota};
    use crate::wire::rate_limit::RateLimitReport;

    const MINUTE: Duration = Duration::from_secs(60);

    fn report(ratio: f64, requests: u64, reset_s: u64) -> RateLimitReport {
        RateLimitReport {
            remaining_ratio: ratio,
            remaining_requests: Some(requests),
            reset_after: Some(Duration::from_secs(reset_s)),
        }
    }

    #[test]
    fn a_low_quota_reduces_the_weight_until_the_reset() {
        let quota = Quota::default();
        assert_eq!(quota.weight(1000, 0), 1000);
        for (at, ratio, expected) in [
            (1, 0.5, 1000),
            (2, 0.051, 1000),
            (3, 0.025, 498),
            (4, 1e-9, 1),
        ] {
            let report = report(ratio, 10_000, 30);
            assert_eq!(quota.record(at, at, &report, MINUTE), None);
            assert_eq!(quota.weight(1000, at), expected, "{ratio}");
            assert!(quota.has_room(at));
        }
        assert_eq!(
            (quota.weight(1000, 30_003), quota.weight(1000, 30_004)),
            (1, 1000)
        );
        // A reset in two hours is accepted, but a later response overrides it.
        quota.record(40_000, 40_001, &report(0.01, 9, 7200), MINUTE);
        assert!(quota.weight(1000, 5_000_000) < 1000);
        quota.record(5_000_000, 5_000_001, &report(1.0, 900, 0), MINUTE);
        assert_eq!(quota.weight(1000, 5_000_001), 1000);
    }

    #[test]
    fn an_exhausted_quota_excludes_until_the_reset_but_within_the_limit() {
        let quota = Quota::default();
        let seconds = Duration::from_secs;
        assert_eq!(
            quota.record(1, 1, &report(0.0, 0, 20), MINUTE),
            Some(seconds(20))
        );
        // Reported once.
        assert_eq!(quota.record(1, 2, &report(0.0, 0, 20), MINUTE), None);
        assert!(!quota.has_room(20_000) && quota.has_room(20_002));
        let of_tokens = RateLimitReport {
            remaining_requests: None,
            ..report(0.0, 0, 3600)
        };
        assert_eq!(
            quota.record(30_000, 30_001, &of_tokens, MINUTE),
            Some(MINUTE)
        );
        assert!(!quota.has_room(90_000) && quota.has_room(90_001));
        let without_reset = RateLimitReport {
            reset_after: None,
            ..of_tokens
        };
        assert_eq!(
            quota.record(95_000, 95_001, &without_reset, MINUTE),
            Some(seconds(1))
        );
    }

    #[test]
    fn a_response_that_was_overtaken_does_not_raise_the_quota() {
        let quota = Quota::default();
        quota.record(5, 10, &report(0.03, 3, 60), MINUTE);
        quota.record(5, 11, &report(0.05, 5, 60), MINUTE);
        assert_eq!(quota.weight(FULL_WEIGHT, 12), FULL_WEIGHT * 3 / 5);
        quota.record(5, 12, &report(0.01, 1, 60), MINUTE);
        quota.record(6, 13, &report(0.02, 2, 60), MINUTE);
        let held = quota.acquire();
        assert!(!quota.has_room(13));
        drop(held);
        assert!(quota.has_room(13));
        // Sent after the last report.
        quota.record(14, 15, &report(0.04, 4, 60), MINUTE);
        assert!(quota.weight(FULL_WEIGHT, 15) > FULL_WEIGHT * 3 / 4);
        // A lowered quota lasts no longer than the report that lowered it.
        quota.record(15, 16, &report(1.0, 100, 1), MINUTE);
        assert!(quota.weight(FULL_WEIGHT, 60_014) < FULL_WEIGHT);
        assert_eq!(quota.weight(FULL_WEIGHT, 60_015), FULL_WEIGHT);
    }

    #[test]
    fn of_concurrent_requests_one_gets_the_last_permit() {
        const LEFT: u64 = 3;
        let quota = Quota::default();
        quota.record(1, 1, &report(0.5, LEFT, 60), MINUTE);
        for _ in 0..500 {
            let barrier = Barrier::new(4);
            let acquire = || {
                barrier.wait();
                let acquired = [quota.try_acquire(2), quota.try_acquire(2)];
                barrier.wait();
                acquired.iter().flatten().count() as u64
            };
            let acquired = thread::scope(|scope| {
                let threads = [(); 4].map(|()| scope.spawn(acquire));
                threads.map(|thread| thread.join().unwrap())
            });
            assert_eq!(acquired.iter().sum::<u64>(), LEFT);
            assert!(quota.has_room(2), "permits were not released");
        }
        let unlimited = Quota::default();
        let acquired: Vec<_> = (0..100).map_while(|_| unlimited.try_acquire(2)).collect();
        assert_eq!(acquired.len(), 100);
    }

    #[test]
    fn requests_in_flight_count_against_the_quota() {
        let quota = Quota::default();
        quota.record(1, 1, &report(0.5, 2, 60), MINUTE);
        let first = quota.acquire();
        assert!(quota.has_room(2));
        let second = quota.acquire();
        assert!(!quota.has_room(2));
        drop((first, second));
        assert!(quota.has_room(2));
    }
}
