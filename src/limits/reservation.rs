//! What one request holds of all rules that match it.

use std::sync::Arc;

use smallvec::SmallVec;

use super::bucket::{LimitClock, LimitUsage, QuotaKind, Shortage};
use super::report::QuotaReport;
use super::rule::{Rule, SubjectGroup};
use super::rule_set::INLINE_RULES;
use super::subject::{Subject, SubjectGuard};

/// Quotas of most requests, without an allocation.
const INLINE_QUOTAS: usize = 8;

/// Reserved amounts, until [`settle`](Self::settle).
#[derive(Debug)]
pub struct Reservation {
    subjects: RuleSubjects,
    /// Of all quotas of all subjects, in order.
    taken: SmallVec<[u64; INLINE_QUOTAS]>,
    /// Seconds since 1970.
    taken_at: i64,
    /// A rule that only observes would have refused the request.
    pub would_refuse: Option<Box<LimitRefusal>>,
}

/// A rule and its buckets for one request.
#[derive(Debug)]
pub(super) struct RuleSubject {
    pub rule: Arc<Rule>,
    pub group: Arc<SubjectGroup>,
    pub subject: Arc<Subject>,
    expected: LimitUsage,
    /// How many of the amounts taken are its own.
    quotas: usize,
}

pub(super) type RuleSubjects = SmallVec<[RuleSubject; INLINE_RULES]>;

/// Why a request is refused.
#[derive(Clone, Debug)]
pub struct LimitRefusal {
    pub rule: Box<str>,
    /// Whose limit it is, such as `key alice`; empty if it is everyone's.
    pub subject: Box<str>,
    pub quota: QuotaReport,
    pub shortage: Shortage,
    /// Units that the request was expected to use.
    pub requested: u64,
}

// === impl RuleSubject ===

impl RuleSubject {
    pub fn new(
        rule: &Arc<Rule>,
        group: &Arc<SubjectGroup>,
        model: &str,
        expected: LimitUsage,
    ) -> Self {
        Self {
            subject: group.subject(&rule.quotas, model),
            rule: Arc::clone(rule),
            group: Arc::clone(group),
            expected,
            quotas: 0,
        }
    }

    fn refusal(
        &self,
        guard: &mut SubjectGuard<'_>,
        index: usize,
        shortage: Shortage,
        now: LimitClock,
    ) -> Option<Box<LimitRefusal>> {
        let (kind, quota, bucket) = guard.current(now).nth(index)?;
        Some(Box::new(LimitRefusal {
            rule: self.rule.name.clone(),
            subject: self.group.label.clone(),
            quota: QuotaReport::new(kind, quota, bucket, now)?,
            shortage,
            requested: match kind {
                QuotaKind::Amount(unit, _) => self.expected.of(unit),
                QuotaKind::Concurrent => 1,
            },
        }))
    }
}

/// Takes from all subjects, or from none. They are in one order for all requests.
pub(super) fn reserve(
    mut subjects: RuleSubjects,
    now: LimitClock,
) -> Result<Reservation, Box<LimitRefusal>> {
    let mut taken = SmallVec::new();
    let mut would_refuse = None;
    {
        // All are locked before any is changed, so that no request is refused for what
        // a refused one would hold for a moment.
        let guards = subjects
            .iter()
            .map(|it| it.subject.lock(&it.rule.quotas, now));
        let mut guards: SmallVec<[SubjectGuard<'_>; INLINE_RULES]> = guards.collect();
        for (subject, guard) in subjects.iter().zip(&mut guards) {
            let Some(short) = guard.check(now, &subject.expected) else {
                continue;
            };
            if let Some(refusal) = subject.refusal(guard, short.index, short.shortage, now) {
                if !subject.rule.observes {
                    return Err(refusal);
                }
                would_refuse.get_or_insert(refusal);
            }
        }
        let mut counts: SmallVec<[usize; INLINE_RULES]> = SmallVec::new();
        for (subject, guard) in subjects.iter().zip(&mut guards) {
            let before = taken.len();
            guard.take(now, &subject.expected, |amount| taken.push(amount));
            counts.push(taken.len() - before);
        }
        drop(guards);
        for (subject, count) in subjects.iter_mut().zip(counts) {
            subject.quotas = count;
        }
    }
    Ok(Reservation {
        subjects,
        taken,
        taken_at: now.seconds,
        would_refuse,
    })
}

// === impl Reservation ===

impl Reservation {
    /// Replaces what was reserved by what was used.
    pub fn settle(self, now: LimitClock, used: &LimitUsage) {
        let mut rest = &*self.taken;
        for it in &self.subjects {
            let (taken, others) = rest.split_at_checked(it.quotas).unwrap_or_default();
            rest = others;
            let mut guard = it.subject.lock_any();
            guard.settle(now, self.taken_at, taken, used);
        }
    }

    /// The current state of each quota, by rule.
    pub fn visit(&self, now: LimitClock, mut visit: impl FnMut(&str, QuotaReport)) {
        for it in &self.subjects {
            let mut guard = it.subject.lock_any();
            for (kind, quota, bucket) in guard.current(now) {
                if let Some(report) = QuotaReport::new(kind, quota, bucket, now) {
                    visit(&it.rule.name, report);
                }
            }
        }
    }
}
