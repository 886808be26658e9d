//! The rules that hold for one caller.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::acquire::Acquired;
use super::clock::LimitClock;
use super::estimate::{ExpectedUsage, LearnedUsage};
use super::model_rules::{FoundRules, RulePlan, UserSource};
use super::reservation::{AttemptRules, LimitRefusal, Reservation};
use super::rule::CallerRule;
use super::take::{Candidate, Candidates, Refused, Turn, take};
use crate::config::Unmetered;

/// Models of a caller whose usage is learned; their names may come from clients.
const MAX_LEARNED: usize = 1_000;

/// The rules that can hold for a caller, in the order of their names, which is the order
/// of locking.
#[derive(Debug, Default)]
pub struct CallerLimits {
    /// Taken from once for a request.
    rules: Box<[CallerRule]>,
    /// Taken from for each attempt.
    attempt_rules: Box<[Arc<CallerRule>]>,
    /// None without a rule.
    plan: Option<Arc<RulePlan>>,
    /// What its requests have used, by model.
    learned: Mutex<HashMap<Box<str>, Arc<LearnedUsage>>>,
}

/// What tells a request's subject apart from others of the same caller.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestSubject<'r> {
    /// The alias that the client named.
    pub model: &'r str,
    pub user: Option<&'r str>,
}

/// The rules that hold for a caller's requests for one model.
#[derive(Debug)]
pub struct ModelLimits<'c> {
    caller: &'c CallerLimits,
    rules: FoundRules<'c>,
    name: &'c str,
}

// === impl CallerLimits ===

impl CallerLimits {
    pub(super) fn new(
        rules: impl Iterator<Item = CallerRule>,
        plan: Arc<RulePlan>,
        before: Option<&Self>,
    ) -> Self {
        let (of_attempts, of_requests): (Vec<_>, Vec<_>) =
            rules.partition(|it| it.rule.config.is_per_attempt());
        Self {
            rules: of_requests.into(),
            attempt_rules: of_attempts.into_iter().map(Arc::new).collect(),
            plan: Some(plan),
            learned: Mutex::new(before.map(Self::learned).unwrap_or_default()),
        }
    }

    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.attempt_rules.is_empty()
    }

    /// The rules for the model that the client names, whose `id` this is if it is
    /// configured. `None` if the caller has no rule at all.
    #[must_use]
    #[inline]
    pub fn for_model<'c>(&'c self, id: Option<usize>, name: &'c str) -> Option<ModelLimits<'c>> {
        let plan = self.plan.as_deref().filter(|_| !self.is_empty())?;
        Some(ModelLimits {
            caller: self,
            rules: plan.find(id, name),
            name,
        })
    }

    /// Reserves of all rules that hold for the request, or of none.
    ///
    /// # Errors
    ///
    /// A rule is short, or others wait for it.
    pub fn reserve(
        &self,
        subject: &RequestSubject<'_>,
        now: LimitClock,
        usage: &ExpectedUsage,
    ) -> Result<Reservation, Box<LimitRefusal>> {
        let Some(limits) = self.for_model(None, subject.model) else {
            return Ok(Reservation::default());
        };
        let taken = limits.take(subject.user, now, usage, Turn::NEW);
        taken.map_err(|refused| refused.refusal)
    }

    /// As [`ModelLimits::acquire`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn acquire(
        &self,
        subject: &RequestSubject<'_>,
        usage: &ExpectedUsage,
    ) -> Result<Acquired, Box<LimitRefusal>> {
        match self.for_model(None, subject.model) {
            Some(limits) => limits.acquire(subject.user, usage).await,
            None => Ok(Acquired::default()),
        }
    }

    /// Only of models that were called: callers times models can be tens of millions.
    fn learned_usage(&self, model: &str) -> Arc<LearnedUsage> {
        let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = learned.get(model) {
            return Arc::clone(found);
        }
        let new = Arc::new(LearnedUsage::default());
        if learned.len() < MAX_LEARNED {
            learned.insert(model.into(), Arc::clone(&new));
        }
        new
    }

    fn learned(&self) -> HashMap<Box<str>, Arc<LearnedUsage>> {
        let learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        learned.clone()
    }

    pub(super) fn all_rules(&self) -> impl Iterator<Item = &CallerRule> {
        let of_attempts = self.attempt_rules.iter().map(|it| &**it);
        self.rules.iter().chain(of_attempts)
    }
}

// === impl ModelLimits ===

impl ModelLimits<'_> {
    /// Whether a rule counts tokens or money.
    #[must_use]
    pub fn needs_usage(&self) -> bool {
        self.rules.needs_usage
    }

    /// Whether a rule counts what a request costs at this provider, and refuses what cannot
    /// be counted.
    #[must_use]
    pub fn has_budget(&self, provider: &str) -> bool {
        self.rules.has_budget(provider)
    }

    /// Whether a rule reserves the most that a request can use.
    #[must_use]
    pub fn reserves_worst(&self) -> bool {
        self.rules.reserves_worst
    }

    /// Where a rule has amounts for each user.
    #[must_use]
    pub fn user_source(&self) -> Option<&UserSource> {
        self.rules.user.as_ref()
    }

    /// What the strictest rule that counts tokens or money at one of these providers says of
    /// calls whose usage is not reported.
    #[must_use]
    pub fn unmetered<'p>(&self, providers: &(impl Iterator<Item = &'p str> + Clone)) -> Unmetered {
        self.rules.unmetered(providers)
    }

    /// What the caller's requests for this model have used so far.
    #[must_use]
    pub fn learned_usage(&self) -> Arc<LearnedUsage> {
        self.caller.learned_usage(self.name)
    }

    pub(super) fn take(
        &self,
        user: Option<&str>,
        now: LimitClock,
        usage: &ExpectedUsage,
        turn: Turn,
    ) -> Result<Reservation, Box<Refused>> {
        let rules = self.rules.of_requests.iter();
        let rules = rules.filter_map(|index| self.caller.rules.get(*index));
        let candidates = rules.map(|rule| {
            let subject = rule.subject(self.name, user, "", now);
            Candidate::new(rule, subject, usage)
        });
        let candidates: Candidates<'_> = candidates.collect();
        let (held, would_refuse) = take(candidates, now, turn)?;
        Ok(Reservation {
            held,
            would_refuse,
            attempts: self.attempts(user),
        })
    }

    #[inline]
    fn attempts(&self, user: Option<&str>) -> Option<Box<AttemptRules>> {
        if self.rules.of_attempts.is_empty() {
            return None;
        }
        let rules = self.rules.of_attempts.iter();
        let rules = rules.filter_map(|index| self.caller.attempt_rules.get(*index));
        Some(Box::new(AttemptRules {
            rules: rules.cloned().collect(),
            model: self.name.into(),
            user: user.map(Into::into),
        }))
    }
}
