//! What an operator sets by hand.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::bucket::Bucket;
use super::clock::LimitClock;
use super::lease::{AdjustAmounts, AdjustCall, LeaseId, MAX_STORE_UNITS, keep_for, scale};
use super::quota::{QuotaKind, RuleQuota};
use super::report::RuleReport;
use super::rule::Rule;
use super::rule_set::LimitSet;
use super::stored::WindowId;
use super::subject::Subject;
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
    #[error("the store does not respond")]
    StoreAway,
}

/// How long an operator waits for the store, for each of three calls.
const STORE_TIMEOUT: Duration = Duration::from_secs(1);

impl<'a> UsedAmount<'a> {
    fn key(&self) -> SubjectKey<'a> {
        SubjectKey {
            label: self.subject,
            model: self.model.unwrap_or_default(),
            user: self.user.unwrap_or_default(),
            provider: self.provider.unwrap_or_default(),
        }
    }
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
        let subject = rule.subjects.find(&amount.key().bounded());
        let subject = subject.ok_or(SetUsedError::Subject)?;
        let mut guard = subject.lock(&rule.terms, now);
        let kind = QuotaKind::Amount(amount.of, amount.period);
        let mut entries = guard.entries_mut(now);
        let found = entries.find(|(entry, _)| entry.kind == kind && !entry.is_retired);
        let (entry, bucket) = found.ok_or(SetUsedError::Amount)?;
        entry.quota.set_used(bucket, now, amount.used);
        drop(entries);
        let report = RuleReport::new(rule, &subject, &guard, now);
        drop(guard);
        rule.terms.queues.wake(&subject);
        Ok(report)
    }

    /// As [`set_used`](Self::set_used); where there is a store, of what all replicas have
    /// used.
    ///
    /// # Errors
    ///
    /// There is no such amount, or the store does not respond.
    pub async fn set_used_by_all(
        &self,
        amount: &UsedAmount<'_>,
    ) -> Result<RuleReport, SetUsedError> {
        let now = LimitClock::now();
        let rule = self.rule(amount.rule).ok_or(SetUsedError::Rule)?;
        let Some(link) = rule.terms.link.as_ref() else {
            return self.set_used(amount, now);
        };
        let subject = rule.subjects.find(&amount.key().bounded());
        let subject = subject.ok_or(SetUsedError::Subject)?;
        let (index, adjusted) = adjustment(&subject, rule, amount, now)?;
        if !link.is_up() {
            return Err(SetUsedError::StoreAway);
        }
        // The store is to know what was used here until now, and this process the sum.
        report_now(&subject, index).await?;
        let (done, is_done) = oneshot::channel();
        let (id, amounts, keep_for) = adjusted;
        link.adjust(AdjustCall {
            id,
            amounts,
            keep_for,
            done,
        });
        let adjusted = timeout(STORE_TIMEOUT, is_done).await;
        let is_adjusted = adjusted.is_ok_and(|it| it.is_ok());
        if !is_adjusted {
            return Err(SetUsedError::StoreAway);
        }
        report_now(&subject, index).await?;
        rule.terms.queues.wake(&subject);
        let now = LimitClock::now();
        let guard = subject.lock(&rule.terms, now);
        Ok(RuleReport::new(rule, &subject, &guard, now))
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

/// What the store is asked to set, and of which quota.
type Adjustment = (LeaseId, AdjustAmounts, Option<Duration>);

fn adjustment(
    subject: &Subject,
    rule: &Rule,
    amount: &UsedAmount<'_>,
    now: LimitClock,
) -> Result<(usize, Adjustment), SetUsedError> {
    let guard = subject.lock(&rule.terms, now);
    let kind = QuotaKind::Amount(amount.of, amount.period);
    let mut entries = guard.entries().enumerate();
    let found = entries.find(|(_, (entry, _))| entry.kind == kind && !entry.is_retired);
    let (index, (entry, bucket)) = found.ok_or(SetUsedError::Amount)?;
    let used = amount.used.div_ceil(scale(kind)).min(MAX_STORE_UNITS);
    let amounts = match &entry.quota {
        RuleQuota::Rate(_, rate) => AdjustAmounts::Rate {
            amount: rate.amount(),
            period: amount.period.refill().unwrap_or_default(),
            used,
        },
        RuleQuota::Window(..) | RuleQuota::Concurrent(_) => AdjustAmounts::Counter { used },
    };
    let id = guard.terms().lease_id(&subject.name, entry, bucket);
    Ok((index, (id, amounts, keep_for(bucket, now))))
}

/// Until the store knows what this process has used, and this process the sum.
async fn report_now(subject: &Arc<Subject>, index: usize) -> Result<(), SetUsedError> {
    let deadline = Instant::now() + STORE_TIMEOUT;
    let asked = LimitClock::now();
    loop {
        let wait = subject
            .lock_now(asked)
            .report_to_store(subject, index, asked);
        let Some(mut wait) = wait else {
            return Ok(());
        };
        if Instant::now() >= deadline {
            return Err(SetUsedError::StoreAway);
        }
        wait.wait(deadline).await;
    }
}
