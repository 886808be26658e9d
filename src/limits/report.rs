//! What clients and operators learn of a limit.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use super::bucket::Bucket;
use super::caller::CallerLimits;
use super::clock::LimitClock;
use super::quota::{QuotaKind, RuleQuota};
use super::rule::Rule;
use super::rule_set::LimitSet;
use super::subject::{Subject, SubjectGuard};
use super::terms::QuotaEntry;
use super::window::Calendar;

/// The state of one quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaReport {
    pub kind: QuotaKind,
    /// In units of the kind; picodollars of a budget.
    pub limit: u64,
    /// Reserved amounts included. More than the limit, if requests used more than was
    /// expected.
    pub used: u64,
    /// Of this, by requests that run; of a day or longer only.
    pub reserved: Option<u64>,
    /// What may be taken at once: less than the rest of a rate with a smaller burst.
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
    /// Of a window whose time zone is not UTC.
    pub offset: Option<Offset>,
}

/// A rule and the state of its amounts for one subject.
#[derive(Clone, Debug)]
pub struct RuleReport {
    pub rule: Box<str>,
    /// Whose limit it is, such as `key alice`; empty if it is everyone's.
    pub subject: Box<str>,
    /// Where each model has amounts of its own.
    pub model: Option<Box<str>>,
    pub user: Option<Box<str>>,
    pub provider: Option<Box<str>>,
    /// It refuses nothing.
    pub observes: bool,
    pub quotas: Vec<QuotaReport>,
}

// === impl QuotaReport ===

impl QuotaReport {
    /// `None` of what is no longer configured. `leased` is what is used and free of it in
    /// all replicas, where there is a store.
    pub(super) fn new(
        entry: &QuotaEntry,
        bucket: &Bucket,
        leased: Option<(u64, u64)>,
        now: LimitClock,
    ) -> Option<Self> {
        if entry.is_retired {
            return None;
        }
        let (used, remaining) = leased.unwrap_or_else(|| {
            let used = match (&entry.quota, bucket) {
                (RuleQuota::Rate(_, rate), Bucket::Rate(arrival)) => rate.used(*arrival, now.tick),
                _ => bucket.taken(),
            };
            (used, entry.quota.free(bucket, now))
        });
        let reset = match bucket {
            Bucket::Rate(arrival) => Some(LimitReset::after(arrival.reset(now.tick), now)),
            Bucket::Window { .. } | Bucket::Concurrent { .. } => {
                let window = bucket.window();
                window.and_then(|window| LimitReset::at(window.end, &entry.quota, now))
            }
        };
        let reserved = match bucket {
            Bucket::Window { reserved, .. } => Some(*reserved),
            Bucket::Rate(_) | Bucket::Concurrent { .. } => None,
        };
        Some(Self {
            kind: entry.kind,
            limit: entry.quota.limit(),
            used,
            reserved,
            remaining,
            reset,
        })
    }
}

// === impl LimitReset ===

impl LimitReset {
    fn after(after: Duration, now: LimitClock) -> Self {
        let whole = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        let at_seconds = now.seconds.saturating_add_unsigned(whole);
        Self {
            after,
            at_seconds,
            offset: None,
        }
    }

    /// `None` if the window never ends.
    fn at(end: i64, quota: &RuleQuota, now: LimitClock) -> Option<Self> {
        (end < i64::MAX).then(|| Self {
            after: now.seconds_until(end),
            at_seconds: end,
            offset: offset_at(end, quota),
        })
    }
}

fn offset_at(seconds: i64, quota: &RuleQuota) -> Option<Offset> {
    let RuleQuota::Window(.., Calendar { time_zone, .. }) = quota else {
        return None;
    };
    if *time_zone == TimeZone::UTC {
        return None;
    }
    Some(time_zone.to_offset(Timestamp::from_second(seconds).ok()?))
}

// === impl RuleReport ===

impl RuleReport {
    pub(super) fn new(
        rule: &Rule,
        subject: &Subject,
        guard: &SubjectGuard<'_>,
        now: LimitClock,
    ) -> Self {
        let [label, model, user, provider] = subject.name.parts();
        let some = |part: &str| (!part.is_empty()).then(|| Box::from(part));
        let quotas = guard.reports(now);
        Self {
            rule: guard.terms().rule.clone(),
            subject: label.into(),
            model: some(model),
            user: some(user),
            provider: some(provider),
            observes: rule.observes(),
            quotas: quotas.collect(),
        }
    }
}

// === impl CallerLimits ===

impl CallerLimits {
    /// All rules of this caller, with the subjects that its requests share; no users but
    /// the one of requests without a user.
    #[must_use]
    pub fn report(&self, now: LimitClock) -> Vec<RuleReport> {
        let mut reports = Vec::new();
        for caller_rule in self.all_rules() {
            let rule = &caller_rule.rule;
            for subject in caller_rule.subjects() {
                let guard = subject.lock(&rule.terms, now);
                reports.push(RuleReport::new(rule, &subject, &guard, now));
            }
        }
        reports.sort_by(|one, other| one.rule.cmp(&other.rule));
        reports
    }
}

// === impl LimitSet ===

impl LimitSet {
    /// Every subject of every rule.
    #[must_use]
    pub fn report(&self, now: LimitClock) -> Vec<RuleReport> {
        let mut reports = Vec::new();
        for rule in self.rules() {
            for subject in rule.subjects.all() {
                let guard = subject.lock(&rule.terms, now);
                reports.push(RuleReport::new(rule, &subject, &guard, now));
            }
        }
        reports
    }
}
