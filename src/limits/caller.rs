//! The rules that hold for one caller.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderName;
use smallvec::SmallVec;

use super::clock::LimitClock;
use super::estimate::{ExpectedUsage, LearnedUsage};
use super::held::INLINE_RULES;
use super::reservation::{AttemptRules, LimitRefusal, Reservation};
use super::rule::CallerRule;
use super::take::{Candidate, Candidates, Refused, take};
use crate::config::{LimitBy, LimitUnit, Reserve, Unmetered};

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

/// How clients name their users, where a rule has amounts for each user.
#[derive(Clone, Copy, Debug)]
pub struct UserSource<'c> {
    pub header: Option<&'c HeaderName>,
}

/// Indexes of rules that others replace.
type Replaced = SmallVec<[usize; INLINE_RULES]>;

// === impl CallerLimits ===

impl CallerLimits {
    pub(super) fn new(rules: impl Iterator<Item = CallerRule>, before: Option<&Self>) -> Self {
        let (of_attempts, of_requests): (Vec<_>, Vec<_>) =
            rules.partition(|it| it.rule.config.is_per_attempt());
        Self {
            rules: of_requests.into(),
            attempt_rules: of_attempts.into_iter().map(Arc::new).collect(),
            learned: Mutex::new(before.map(Self::learned).unwrap_or_default()),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.attempt_rules.is_empty()
    }

    /// Whether a rule for this model counts tokens or money.
    #[must_use]
    pub fn needs_usage(&self, model: &str) -> bool {
        self.matching(model).any(|it| it.rule.needs_usage())
    }

    /// Whether a rule for this model counts what it costs at this provider, and refuses
    /// what cannot be counted.
    #[must_use]
    pub fn has_budget(&self, model: &str, provider: &str) -> bool {
        let mut rules = self.matching(model);
        rules.any(|it| {
            let counts = it.rule.counts(LimitUnit::Budget) && !it.rule.observes();
            counts && it.rule.config.matches_provider(provider)
        })
    }

    /// Whether a rule for this model reserves the most that a request can use.
    #[must_use]
    pub fn reserves_worst(&self, model: &str) -> bool {
        let mut rules = self.matching(model);
        rules.any(|it| it.rule.config.reserve == Reserve::Worst)
    }

    /// Where a rule for this model has amounts for each user. If several have a header, the
    /// first one counts.
    #[must_use]
    pub fn wants_user(&self, model: &str) -> Option<UserSource<'_>> {
        let mut rules = self
            .matching(model)
            .filter(|it| it.rule.is_per(LimitBy::User));
        let first = rules.next()?.rule.config.user_header.as_ref();
        let header = first.or_else(|| rules.find_map(|it| it.rule.config.user_header.as_ref()));
        Some(UserSource { header })
    }

    /// What the strictest rule for this model that counts tokens or money at one of these
    /// providers says of calls whose usage is not reported.
    #[must_use]
    pub fn unmetered<'p>(
        &self,
        model: &str,
        providers: &(impl Iterator<Item = &'p str> + Clone),
    ) -> Unmetered {
        // A rule that observes refuses nothing.
        let rules = self.matching(model);
        let rules = rules.filter(|it| it.rule.needs_usage() && !it.rule.observes());
        let rules = rules.filter(|it| {
            let mut providers = providers.clone();
            providers.any(|name| it.rule.config.matches_provider(name))
        });
        let all = rules.map(|it| it.rule.config.unmetered);
        let strictest = all.reduce(|one, other| match (one, other) {
            (Unmetered::Refuse, _) | (_, Unmetered::Refuse) => Unmetered::Refuse,
            (Unmetered::Cost(one), Unmetered::Cost(other)) => Unmetered::Cost(one.max(other)),
            (cost @ Unmetered::Cost(_), _) | (_, cost @ Unmetered::Cost(_)) => cost,
            (Unmetered::Allow, Unmetered::Allow) => Unmetered::Allow,
        });
        strictest.unwrap_or(Unmetered::Allow)
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
        let taken = self.take(subject, now, usage, true);
        taken.map_err(|refused| refused.refusal)
    }

    pub(super) fn take(
        &self,
        subject: &RequestSubject<'_>,
        now: LimitClock,
        usage: &ExpectedUsage,
        is_new: bool,
    ) -> Result<Reservation, Box<Refused>> {
        let RequestSubject { model, user } = *subject;
        let replaced = self.replaced(model);
        let rules = self.rules.iter();
        let rules = rules.filter(|it| it.holds(model, &replaced));
        let candidates = rules.map(|rule| {
            let subject = rule.subject(model, user, "", now);
            Candidate::new(rule, subject, usage)
        });
        let candidates: Candidates<'_> = candidates.collect();
        let (held, would_refuse) = take(candidates, now, is_new)?;
        Ok(Reservation {
            held,
            would_refuse,
            attempts: self.attempts(subject, &replaced),
        })
    }

    fn attempts(
        &self,
        subject: &RequestSubject<'_>,
        replaced: &[usize],
    ) -> Option<Box<AttemptRules>> {
        let rules = self.attempt_rules.iter();
        let mut rules = rules
            .filter(|it| it.holds(subject.model, replaced))
            .peekable();
        rules.peek()?;
        Some(Box::new(AttemptRules {
            rules: rules.cloned().collect(),
            model: subject.model.into(),
            user: subject.user.map(Into::into),
        }))
    }

    /// What requests for this model have used so far.
    #[must_use]
    pub fn learned_usage(&self, model: &str) -> Arc<LearnedUsage> {
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

    /// The rules that hold for this model, less those that another one replaces.
    fn matching(&self, model: &str) -> impl Iterator<Item = &CallerRule> {
        let replaced = self.replaced(model);
        self.all_rules()
            .filter(move |it| it.holds(model, &replaced))
    }

    fn replaced(&self, model: &str) -> Replaced {
        let replacing = self.all_rules().filter(|it| it.rule.replaces.is_some());
        let replacing = replacing.filter(|it| it.rule.config.matches_model(model));
        replacing.filter_map(|it| it.rule.replaces).collect()
    }

    pub(super) fn all_rules(&self) -> impl Iterator<Item = &CallerRule> {
        let of_attempts = self.attempt_rules.iter().map(|it| &**it);
        self.rules.iter().chain(of_attempts)
    }
}
