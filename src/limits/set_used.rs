//! What an operator sets by hand.

use std::sync::Arc;

use thiserror::Error;

use super::bucket::Bucket;
use super::clock::LimitClock;
use super::quota::QuotaKind;
use super::report::RuleReport;
use super::rule_set::LimitSet;
use super::stored::WindowId;
use super::subject_key::SubjectKey;
use crate::config::{LimitUnit, Period};

/// An amount of a subject, and what is to be taken for used of it.
#[derive(Clone, Copy, Debug)]
pub struct UsedAmount<'a> {
    pub rule: &'a str,
    /// As in a [`RuleReport`].
    pub subject: &'a str,
    pub model: Option<&'a str>,
    pub user: Option<&'a str>,
    pub provider: Option<&'a str>,
    pub of: LimitUnit,
    pub period: Period,
    /// In units of the amount; picodollars of a budget. What running requests have
    /// reserved of a day or longer is not part of it.
    pub used: u64,
}

/// What was not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SetUsedError {
    #[error("there is no such rule")]
    Rule,
    #[error("the rule has no such subject, or it has used nothing yet")]
    Subject,
    #[error("the rule has no such amount")]
    Amount,
}

impl LimitSet {
    /// Sets what was used of an amount. Repeating it changes nothing.
    ///
    /// # Errors
    ///
    /// There is no such amount.
    pub fn set_used(
        &self,
        amount: &UsedAmount<'_>,
        now: LimitClock,
    ) -> Result<RuleReport, SetUsedError> {
        let rule = self.rule(amount.rule).ok_or(SetUsedError::Rule)?;
        let key = SubjectKey {
            label: amount.subject,
            model: amount.model.unwrap_or_default(),
            user: amount.user.unwrap_or_default(),
            provider: amount.provider.unwrap_or_default(),
        };
        let subject = rule.subjects.find(&key.bounded());
        let subject = subject.ok_or(SetUsedError::Subject)?;
        let mut guard = subject.lock(&rule.terms, now);
        let kind = QuotaKind::Amount(amount.of, amount.period);
        let mut entries = guard.entries_mut(now);
        let found = entries.find(|(entry, _)| entry.kind == kind && !entry.is_retired);
        let (entry, bucket) = found.ok_or(SetUsedError::Amount)?;
        entry.quota.set_used(bucket, now, amount.used);
        drop(entries);
        let report = RuleReport::new(&subject, &guard, now);
        drop(guard);
        rule.terms.queues.wake(&subject);
        Ok(report)
    }

    /// Adds what another process has used of a window, or takes it back. False if this one
    /// has no such subject, or it is in another window: what is stored will be found when
    /// it begins.
    #[must_use]
    pub fn add_used(&self, id: &WindowId, change: i64, now: LimitClock) -> bool {
        let key = SubjectKey {
            label: &id.subject,
            model: id.model.as_deref().unwrap_or_default(),
            user: id.user.as_deref().unwrap_or_default(),
            provider: id.provider.as_deref().unwrap_or_default(),
        };
        let Some(rule) = self.rule(&id.rule) else {
            return false;
        };
        let Some(subject) = rule.subjects.find(&key.bounded()) else {
            return false;
        };
        let mut guard = subject.lock(&rule.terms, now);
        let terms = Arc::clone(guard.terms());
        for (entry, bucket) in guard.entries_mut(now) {
            let window = bucket.window();
            let found = window.and_then(|it| terms.window_id(&subject.name, entry, it.start));
            if let Bucket::Window { used, .. } = bucket
                && found.as_ref() == Some(id)
            {
                *used = used.saturating_add_signed(change);
                return true;
            }
        }
        false
    }
}
