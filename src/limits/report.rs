//! What clients and operators are told of a limit.

use std::time::Duration;

use super::bucket::{Bucket, LimitClock, Quota, QuotaKind};
use super::rule_set::CallerLimits;

/// The state of one quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaReport {
    pub kind: QuotaKind,
    /// In units of the kind; picodollars of a budget.
    pub limit: u64,
    /// Reserved amounts included. More than the limit, if requests used more than was
    /// expected.
    pub used: u64,
    pub remaining: u64,
    /// `None` if time alone changes nothing.
    pub reset: Option<LimitReset>,
}

/// When all of a quota is there again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitReset {
    pub after: Duration,
    /// Since 1970, rounded up.
    pub at_seconds: i64,
}

/// A rule that holds for a caller.
#[derive(Clone, Debug)]
pub struct RuleReport {
    pub rule: Box<str>,
    /// Whose limit it is, such as `key alice`; empty if it is everyone's.
    pub subject: Box<str>,
    /// Where each model has amounts of its own.
    pub model: Option<Box<str>>,
    pub quotas: Vec<QuotaReport>,
}

// === impl QuotaReport ===

impl QuotaReport {
    /// `None` of what is no longer configured.
    pub(super) fn new(
        kind: QuotaKind,
        quota: &Quota,
        bucket: &Bucket,
        now: LimitClock,
    ) -> Option<Self> {
        let (limit, used, reset) = match (quota, bucket) {
            (Quota::Rate(_, rate), Bucket::Rate(arrival)) => {
                let reset = Some(LimitReset::after(rate.reset(*arrival, now.tick), now));
                (rate.amount(), rate.used(*arrival, now.tick), reset)
            }
            (
                Quota::Window(_, limit, _),
                Bucket::Window {
                    window,
                    used,
                    reserved,
                },
            ) => {
                let reset = LimitReset::at(window.end, now);
                (*limit, used.saturating_add(*reserved), reset)
            }
            (Quota::Concurrent(limit), Bucket::Concurrent { held }) => (*limit, *held, None),
            _ => return None,
        };
        Some(Self {
            kind,
            limit,
            used,
            remaining: limit.saturating_sub(used),
            reset,
        })
    }
}

impl QuotaReport {
    /// Whether a smaller share of it is left.
    #[must_use]
    pub fn has_less_left_than(&self, other: &Self) -> bool {
        let left = u128::from(self.remaining) * u128::from(other.limit);
        left < u128::from(other.remaining) * u128::from(self.limit)
    }
}

// === impl LimitReset ===

impl LimitReset {
    fn after(after: Duration, now: LimitClock) -> Self {
        let whole = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        let at_seconds = now.seconds.saturating_add_unsigned(whole);
        Self { after, at_seconds }
    }

    /// `None` if the window never ends.
    fn at(end: i64, now: LimitClock) -> Option<Self> {
        let left = end.saturating_sub(now.seconds).max(0).unsigned_abs();
        (end < i64::MAX).then(|| Self {
            after: Duration::from_secs(left),
            at_seconds: end,
        })
    }
}

// === impl CallerLimits ===

impl CallerLimits {
    /// All rules of this caller.
    #[must_use]
    pub fn report(&self, now: LimitClock) -> Vec<RuleReport> {
        let mut reports = Vec::new();
        for caller_rule in self.rules() {
            let rule = &caller_rule.rule;
            caller_rule.group.each(|model, subject| {
                let mut guard = subject.lock(&rule.quotas, now);
                let quotas = guard.current(now);
                let quotas = quotas
                    .filter_map(|(kind, quota, bucket)| QuotaReport::new(kind, quota, bucket, now));
                reports.push(RuleReport {
                    rule: rule.name.clone(),
                    subject: caller_rule.group.label.clone(),
                    model: model.map(Box::from),
                    quotas: quotas.collect(),
                });
            });
        }
        reports
    }
}
