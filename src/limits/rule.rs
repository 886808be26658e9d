//! One rule of the configuration, and its subjects.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use wildmatch::WildMatch;

use super::bucket::{Quota, QuotaKind};
use super::rate::Rate;
use super::subject::{QuotaList, Subject};
use super::window::Calendar;
use crate::config::{Amount, AtLimit, LimitBy, LimitRule, LimitUnit, Reserve};

/// Models with buckets of their own, per rule and client; later ones share one. Their
/// names come from clients where `provider/model` is allowed.
const MAX_MODELS: usize = 10_000;
/// The subject of callers without a team.
const NO_TEAM: &str = "none";

#[derive(Debug)]
pub(super) struct Rule {
    pub name: Box<str>,
    pub models: Option<Vec<WildMatch>>,
    pub per: Vec<LimitBy>,
    /// Index of the rule that it replaces.
    pub replaces: Option<usize>,
    pub reserve: Reserve,
    /// It refuses nothing.
    pub observes: bool,
    /// It counts tokens or money.
    pub needs_usage: bool,
    pub has_budget: bool,
    zone: String,
    pub quotas: Arc<QuotaList>,
    /// By key and team; without models.
    groups: Mutex<HashMap<Box<str>, Arc<SubjectGroup>>>,
}

/// The subjects of one key, team, or both, or of all.
#[derive(Debug)]
pub(super) struct SubjectGroup {
    /// As errors and the status name it.
    pub label: Box<str>,
    /// Of rules that are not `per` model.
    all: Arc<Subject>,
    by_model: Option<Mutex<HashMap<Box<str>, Arc<Subject>>>>,
}

// === impl Rule ===

impl Rule {
    /// `before` is the rule of this name in the previous generation.
    pub fn new(config: &LimitRule, replaces: Option<usize>, before: Option<&Self>) -> Self {
        let zone = config.time_zone.iana_name().unwrap_or("UTC").to_owned();
        let before = before.filter(|it| it.per == config.per && it.zone == zone);
        let quotas = Arc::new(quota_list(config, before.map(|it| &*it.quotas)));
        let groups = before.map_or_else(HashMap::new, Rule::groups);
        let units = || config.amounts.iter().map(|amount| amount.of);
        Self {
            name: config.name.as_str().into(),
            models: config.models.clone(),
            per: config.per.clone(),
            replaces,
            reserve: config.reserve,
            observes: config.at_limit == AtLimit::Observe,
            needs_usage: units().any(|unit| unit != LimitUnit::Requests),
            has_budget: units().any(|unit| unit == LimitUnit::Budget),
            zone,
            quotas,
            groups: Mutex::new(groups),
        }
    }

    pub fn matches_model(&self, model: &str) -> bool {
        let globs = self.models.as_ref();
        globs.is_none_or(|globs| globs.iter().any(|glob| glob.matches(model)))
    }

    /// The subjects of a caller.
    pub fn group(&self, key: Option<&str>, team: Option<&str>) -> Arc<SubjectGroup> {
        let mut label = Vec::new();
        for by in &self.per {
            match by {
                LimitBy::Key => label.push(format!("key {}", key.unwrap_or(NO_TEAM))),
                LimitBy::Team => label.push(format!("team {}", team.unwrap_or(NO_TEAM))),
                LimitBy::Model | LimitBy::Provider | LimitBy::User => {}
            }
        }
        let label: Box<str> = label.join(", ").into();
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        let group = groups.entry(label.clone()).or_insert_with(|| {
            Arc::new(SubjectGroup {
                label,
                all: Subject::new(&self.quotas),
                by_model: self.per.contains(&LimitBy::Model).then(Mutex::default),
            })
        });
        Arc::clone(group)
    }

    fn groups(&self) -> HashMap<Box<str>, Arc<SubjectGroup>> {
        let groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        groups.clone()
    }
}

/// Begins with the quotas of before: what is no longer configured is retired.
fn quota_list(config: &LimitRule, before: Option<&QuotaList>) -> QuotaList {
    let mut list = QuotaList {
        generation: before.map_or(0, |it| it.generation + 1),
        ..QuotaList::default()
    };
    for kind in before.iter().flat_map(|it| &it.kinds) {
        list.kinds.push(*kind);
        list.quotas.push(Quota::Retired);
    }
    let mut set = |kind: QuotaKind, quota: Quota| {
        let index = list.kinds.iter().position(|it| *it == kind);
        match index.and_then(|index| list.quotas.get_mut(index)) {
            Some(slot) => *slot = quota,
            None => {
                list.kinds.push(kind);
                list.quotas.push(quota);
            }
        }
    };
    for Amount {
        of, amount, period, ..
    } in config.amounts.iter().copied()
    {
        let quota = match period.refill() {
            Some(length) => Quota::Rate(of, Rate::new(amount, length)),
            None => {
                let time_zone = config.time_zone.clone();
                Quota::Window(of, amount, Calendar { period, time_zone })
            }
        };
        set(QuotaKind::Amount(of, period), quota);
    }
    if let Some(limit) = config.concurrent {
        set(QuotaKind::Concurrent, Quota::Concurrent(limit));
    }
    list
}

// === impl SubjectGroup ===

impl SubjectGroup {
    pub fn subject(&self, quotas: &Arc<QuotaList>, model: &str) -> Arc<Subject> {
        let Some(by_model) = &self.by_model else {
            return Arc::clone(&self.all);
        };
        let mut subjects = by_model.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(subject) = subjects.get(model) {
            return Arc::clone(subject);
        }
        if subjects.len() >= MAX_MODELS {
            return Arc::clone(&self.all);
        }
        let subject = Subject::new(quotas);
        subjects.insert(model.into(), Arc::clone(&subject));
        subject
    }

    /// All subjects, with the model of those that have one.
    pub fn each(&self, mut visit: impl FnMut(Option<&str>, &Arc<Subject>)) {
        let Some(by_model) = &self.by_model else {
            return visit(None, &self.all);
        };
        let subjects = by_model.lock().unwrap_or_else(PoisonError::into_inner);
        for (model, subject) in subjects.iter() {
            visit(Some(model), subject);
        }
    }
}
