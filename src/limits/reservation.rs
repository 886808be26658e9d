//! What one request holds of all rules that match it.

use std::sync::Arc;

use smallvec::SmallVec;

use super::clock::LimitClock;
use super::estimate::ExpectedUsage;
use super::held::Held;
use super::quota::{LimitUsage, Shortage};
use super::report::QuotaReport;
use super::rule::CallerRule;
use super::take::{Candidate, Candidates, take};

/// Reserved amounts, until [`settle`](Self::settle); given back on drop without it.
#[derive(Debug)]
pub struct Reservation {
    pub(super) held: Held,
    /// A rule that only observes would have refused the request.
    pub would_refuse: Option<Box<LimitRefusal>>,
    /// Where some rules hold for each attempt.
    pub(super) attempts: Option<Box<AttemptRules>>,
}

/// What one attempt holds of the rules that are judged for each attempt. Given back on
/// drop, unless [`settle`](Self::settle) replaces it by what the attempt used.
#[derive(Debug)]
pub struct AttemptReservation {
    held: Held,
    /// A rule that only observes would have refused the attempt.
    pub would_refuse: Option<Box<LimitRefusal>>,
}

/// The rules for the attempts of one request, and whose it is.
#[derive(Debug)]
pub(super) struct AttemptRules {
    pub rules: SmallVec<[Arc<CallerRule>; 1]>,
    pub model: Box<str>,
    pub user: Option<Box<str>>,
}

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
    /// The alias to try instead.
    pub fallback: Option<Box<str>>,
    /// The request's own limit of output is more than the whole amount.
    pub can_never_fit: bool,
}

// === impl Reservation ===

impl Reservation {
    /// Reserves of the rules that hold for attempts at this provider, of all or of none.
    ///
    /// # Errors
    ///
    /// A rule is short: leave this provider out.
    pub fn for_attempt(
        &self,
        provider: &str,
        now: LimitClock,
        usage: &ExpectedUsage,
    ) -> Result<AttemptReservation, Box<LimitRefusal>> {
        let Some(attempts) = &self.attempts else {
            return Ok(AttemptReservation {
                held: Held::default(),
                would_refuse: None,
            });
        };
        let rules = attempts.rules.iter();
        let rules = rules.filter(|it| it.rule.config.matches_provider(provider));
        let candidates = rules.map(|rule| {
            let user = attempts.user.as_deref();
            let subject = rule.subject(&attempts.model, user, provider, now);
            Candidate::new(rule, subject, usage)
        });
        let candidates: Candidates<'_> = candidates.collect();
        match take(candidates, now, true) {
            Ok((held, would_refuse)) => Ok(AttemptReservation { held, would_refuse }),
            Err(refused) => Err(refused.refusal),
        }
    }

    /// Whether no rule holds for the request, nor for its attempts.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.subjects().is_empty() && self.attempts.is_none()
    }

    /// Replaces what was reserved by what was used.
    pub fn settle(mut self, now: LimitClock, used: &LimitUsage) {
        self.held.settle(now, used);
    }

    /// The current state of each quota, by rule.
    pub fn visit(&self, now: LimitClock, mut visit: impl FnMut(&str, QuotaReport)) {
        for subject in self.held.subjects() {
            let guard = subject.lock_now(now);
            for (entry, bucket) in guard.entries() {
                if let Some(report) = QuotaReport::new(entry, bucket, now) {
                    visit(&guard.terms().rule, report);
                }
            }
        }
    }
}

// === impl AttemptReservation ===

impl AttemptReservation {
    /// Replaces what was reserved by what the attempt used.
    pub fn settle(mut self, now: LimitClock, used: &LimitUsage) {
        self.held.settle(now, used);
    }
}
