//! What one request holds of all rules that match it.

use std::sync::Arc;

use smallvec::SmallVec;

use super::acquire::take_leased;
use super::clock::LimitClock;
use super::estimate::ExpectedUsage;
use super::held::Held;
use super::quota::{LimitUsage, Shortage};
use super::report::QuotaReport;
use super::rule::CallerRule;
use super::take::{Candidate, Candidates, Refused, Turn, take};

/// Reserved amounts, until [`settle`](Self::settle); given back on drop without it.
#[derive(Debug, Default)]
pub struct Reservation {
    pub(super) held: Held,
    /// A rule that only observes would have refused the request.
    pub would_refuse: Option<Box<LimitRefusal>>,
    /// Where some rules hold for each attempt.
    pub(super) attempts: Option<Box<AttemptRules>>,
}

/// What one attempt holds of the rules that are judged for each attempt. Given back on
/// drop, unless [`settle`](Self::settle) replaces it by what the attempt used.
#[derive(Debug, Default)]
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
        let taken = self.take_attempt(provider, now, usage, Turn::NEW);
        taken.map_err(|refused| refused.refusal)
    }

    /// As [`for_attempt`](Self::for_attempt), after a wait for the store where too little is
    /// leased.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn lease_attempt(
        &self,
        provider: &str,
        usage: &ExpectedUsage,
    ) -> Result<AttemptReservation, Box<LimitRefusal>> {
        let take = |turn| self.take_attempt(provider, LimitClock::now(), usage, turn);
        let taken = match take(Turn::NEW) {
            Err(refused) if !refused.leases.is_empty() => {
                let waited = |asked| take(Turn { asked, ..Turn::NEW });
                take_leased(refused, waited).await
            }
            taken => taken,
        };
        taken.map_err(|refused| refused.refusal)
    }

    /// Whether a rule for attempts goes by a store, so that one may have to wait.
    #[must_use]
    pub fn leases_attempts(&self) -> bool {
        let rules = self.attempts.iter().flat_map(|it| &it.rules);
        rules.into_iter().any(|it| it.rule.terms.link.is_some())
    }

    fn take_attempt(
        &self,
        provider: &str,
        now: LimitClock,
        usage: &ExpectedUsage,
        turn: Turn,
    ) -> Result<AttemptReservation, Box<Refused>> {
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
        let (held, would_refuse) = take(candidates, now, turn)?;
        Ok(AttemptReservation { held, would_refuse })
    }

    /// Whether [`for_attempt`](Self::for_attempt) can find a rule.
    #[must_use]
    pub fn has_attempt_rules(&self) -> bool {
        self.attempts.is_some()
    }

    /// Whether no rule holds for the request, nor for its attempts.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.subjects().is_empty() && self.attempts.is_none()
    }

    /// Adds what a request has used that goes on, beside what it reserved.
    pub fn charge(&self, now: LimitClock, used: &LimitUsage) {
        self.held.charge(now, used);
    }

    /// Replaces what was reserved by what was used.
    pub fn settle(mut self, now: LimitClock, used: &LimitUsage) {
        self.held.settle(now, used);
    }

    /// The current state of each quota, by rule.
    pub fn visit(&self, now: LimitClock, mut visit: impl FnMut(&str, QuotaReport)) {
        for subject in self.held.subjects() {
            let guard = subject.lock_now(now);
            for report in guard.reports(now) {
                visit(&guard.terms().rule, report);
            }
        }
    }
}

// === impl AttemptReservation ===

impl AttemptReservation {
    /// As [`Reservation::charge`].
    pub fn charge(&self, now: LimitClock, used: &LimitUsage) {
        self.held.charge(now, used);
    }

    /// Replaces what was reserved by what the attempt used.
    pub fn settle(mut self, now: LimitClock, used: &LimitUsage) {
        self.held.settle(now, used);
    }
}
