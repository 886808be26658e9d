//! The amounts of a rule that are in force for a subject.

use std::sync::Arc;
use std::time::Duration;

use super::bucket::Bucket;
use super::clock::LimitClock;
use super::lease::{LeaseId, LeaseLink, LeaseWindow, MAX_STORE_UNITS, scale};
use super::quota::{QuotaKind, RuleQuota};
use super::rate::Rate;
use super::rule_set::LimitMemory;
use super::stored::{StoredWindows, WindowId};
use super::subject_key::SubjectName;
use super::wait_queue::WaitQueues;
use super::window::{Calendar, CalendarWindow};
use crate::config::{Amount, AtLimit, LimitRule, WithoutStore};

/// Of one generation of the configuration; the newest one is in force for all.
#[derive(Debug)]
pub(super) struct Terms {
    pub generation: u64,
    pub rule: Box<str>,
    /// Of the time zone.
    zone: Box<str>,
    month_starts_on: i8,
    /// What cached tokens count, in thousandths.
    pub cached: u16,
    /// How long a request may wait.
    pub wait: Duration,
    pub max_waiting: usize,
    pub queues: Arc<WaitQueues>,
    stored: Option<Arc<StoredWindows>>,
    /// To the store that replicas share, if there is one.
    pub link: Option<Arc<LeaseLink>>,
    /// While that is away.
    pub without: WithoutStore,
    /// It refuses nothing.
    pub observes: bool,
    /// They begin with those of the generation before, so that its reservations find
    /// theirs.
    pub quotas: Vec<QuotaEntry>,
}

#[derive(Clone, Debug)]
pub(super) struct QuotaEntry {
    pub kind: QuotaKind,
    pub quota: RuleQuota,
    /// It was taken out of the configuration: it refuses nothing, and goes on counting, for
    /// the case that it comes back.
    pub is_retired: bool,
}

// === impl Terms ===

impl Terms {
    pub fn new(config: &LimitRule, before: Option<&Self>, memory: LimitMemory<'_>) -> Self {
        Self {
            generation: before.map_or(0, |it| it.generation + 1),
            rule: config.name.as_str().into(),
            zone: zone_name(config).into(),
            month_starts_on: config.month_starts_on,
            cached: config.cached,
            wait: config.wait,
            max_waiting: config.max_waiting,
            queues: before.map_or_else(Arc::default, |it| Arc::clone(&it.queues)),
            stored: memory.stored().cloned(),
            link: memory.link.cloned(),
            without: config.without,
            observes: config.at_limit == AtLimit::Observe,
            quotas: quotas(config, before, memory.link.is_some()),
        }
    }

    /// Whether what was used under these terms counts under those of `config`.
    pub fn continues_as(&self, config: &LimitRule) -> bool {
        *self.zone == *zone_name(config) && self.month_starts_on == config.month_starts_on
    }

    pub fn window_id(
        &self,
        name: &SubjectName,
        entry: &QuotaEntry,
        start: i64,
    ) -> Option<WindowId> {
        let QuotaKind::Amount(of, period) = entry.kind else {
            return None;
        };
        let [subject, model, user, provider] = name.parts();
        let some = |part: &str| (!part.is_empty()).then(|| Box::from(part));
        Some(WindowId {
            rule: self.rule.clone(),
            subject: subject.into(),
            model: some(model),
            user: some(user),
            provider: some(provider),
            of,
            period,
            zone: self.zone.clone(),
            month_starts_on: self.month_starts_on,
            start,
        })
    }

    /// What this bucket is called in the store.
    pub fn lease_id(&self, name: &SubjectName, entry: &QuotaEntry, bucket: &Bucket) -> LeaseId {
        let [subject, model, user, provider] = name.parts().map(Box::from);
        let window = bucket.window().map(|window| LeaseWindow {
            zone: self.zone.clone(),
            month_starts_on: self.month_starts_on,
            start: window.start,
        });
        LeaseId {
            rule: self.rule.clone(),
            subject,
            model,
            user,
            provider,
            kind: entry.kind,
            window,
        }
    }

    /// Both are of the same store, or of none.
    pub fn has_link_of(&self, other: &Self) -> bool {
        match (&self.link, &other.link) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        }
    }

    /// Begins a new window if the current one has ended. Returns whether it had.
    pub fn refresh(
        &self,
        name: &SubjectName,
        entry: &QuotaEntry,
        bucket: &mut Bucket,
        now: LimitClock,
    ) -> bool {
        let RuleQuota::Window(.., calendar) = &entry.quota else {
            return false;
        };
        if !bucket.has_ended(now) {
            return false;
        }
        let restored = |window: CalendarWindow| {
            let stored = self.stored.as_ref()?;
            stored.used(&self.window_id(name, entry, window.start)?)
        };
        bucket.refresh(calendar, now, |window| restored(window).unwrap_or_default());
        true
    }

    /// What earlier processes have used of the window, where the store counts it.
    pub fn restored(&self, name: &SubjectName, entry: &QuotaEntry, bucket: &Bucket) -> u64 {
        let restored = || {
            let stored = self.stored.as_ref().filter(|_| self.link.is_some())?;
            let window = bucket.window()?;
            Some(stored.used_before(&self.window_id(name, entry, window.start)?))
        };
        restored().unwrap_or_default()
    }
}

fn zone_name(config: &LimitRule) -> &str {
    config.time_zone.iana_name().unwrap_or("UTC")
}

fn quotas(config: &LimitRule, before: Option<&Terms>, is_leased: bool) -> Vec<QuotaEntry> {
    let mut entries = before.map(|it| it.quotas.clone()).unwrap_or_default();
    for entry in &mut entries {
        entry.is_retired = true;
    }
    let mut set = |kind: QuotaKind, quota: RuleQuota| {
        let entry = QuotaEntry {
            kind,
            quota,
            is_retired: false,
        };
        match entries.iter_mut().find(|it| it.kind == kind) {
            Some(before) => *before = entry,
            None => entries.push(entry),
        }
    };
    for amount in &config.amounts {
        let kind = QuotaKind::Amount(amount.of, amount.period);
        let amount = if is_leased {
            in_store_units(kind, amount)
        } else {
            *amount
        };
        set(kind, quota(config, &amount));
    }
    if let Some(limit) = config.concurrent {
        let limit = if is_leased {
            limit.min(MAX_STORE_UNITS)
        } else {
            limit
        };
        set(QuotaKind::Concurrent, RuleQuota::Concurrent(limit));
    }
    entries
}

/// An amount that the store can count: what is smaller than its units is cut off.
fn in_store_units(kind: QuotaKind, amount: &Amount) -> Amount {
    let scale = scale(kind);
    let units = |amount: u64| (amount / scale).min(MAX_STORE_UNITS) * scale;
    Amount {
        amount: units(amount.amount),
        burst: amount.burst.map(units),
        ..*amount
    }
}

fn quota(config: &LimitRule, amount: &Amount) -> RuleQuota {
    if let Some(length) = amount.period.refill() {
        let rate = Rate::new(amount.amount, length, amount.burst);
        return RuleQuota::Rate(amount.of, rate);
    }
    let calendar = Calendar {
        period: amount.period,
        time_zone: config.time_zone.clone(),
        month_starts_on: config.month_starts_on,
    };
    RuleQuota::Window(amount.of, amount.amount, calendar)
}
