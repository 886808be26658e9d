//! One rule of the configuration, and whom it holds for.

use std::sync::Arc;

use super::clock::LimitClock;
use super::rule_set::LimitMemory;
use super::subject::Subject;
use super::subject_key::SubjectKey;
use super::subjects::Subjects;
use super::terms::Terms;
use crate::config::{AtLimit, LimitBy, LimitClient, LimitRule, LimitUnit};

/// The subject of callers without a team, and of requests without a user.
const NONE: &str = "none";

#[derive(Debug)]
pub(super) struct Rule {
    pub config: LimitRule,
    /// Index of the rule that it replaces.
    pub replaces: Option<usize>,
    pub terms: Arc<Terms>,
    pub subjects: Arc<Subjects>,
}

/// A rule that can hold for a caller.
#[derive(Debug)]
pub(super) struct CallerRule {
    pub rule: Arc<Rule>,
    /// Key and team, where the rule is split by them.
    label: Box<str>,
    /// Of a rule that is split by nothing else.
    subject: Option<Arc<Subject>>,
}

// === impl Rule ===

impl Rule {
    /// `before` is the rule of this name in the previous generation.
    pub fn new(
        config: &LimitRule,
        replaces: Option<usize>,
        before: Option<&Self>,
        memory: LimitMemory<'_>,
    ) -> Self {
        let before = before.filter(|it| it.continues_as(config));
        let terms = Terms::new(config, before.map(|it| &*it.terms), memory);
        let subjects = before.map_or_else(Arc::default, |it| Arc::clone(&it.subjects));
        if let Some(link) = memory.link {
            link.add_table(&subjects);
        }
        Self {
            config: config.clone(),
            replaces,
            terms: Arc::new(terms),
            subjects,
        }
    }

    /// Whether what was used under it counts under the rule of `config`.
    pub fn continues_as(&self, config: &LimitRule) -> bool {
        self.config.name == config.name
            && self.config.per == config.per
            && self.terms.continues_as(config)
    }

    /// A rule that is no longer configured, for requests that wait under it, and for the
    /// case that it is put back: it refuses nothing, and goes on counting.
    pub fn without_amounts(&self, memory: LimitMemory<'_>) -> Arc<Self> {
        let config = LimitRule {
            amounts: Vec::new(),
            concurrent: None,
            ..self.config.clone()
        };
        Arc::new(Self::new(&config, None, Some(self), memory))
    }

    /// See [`without_amounts`](Self::without_amounts).
    pub fn has_amounts(&self) -> bool {
        !self.config.amounts.is_empty() || self.config.concurrent.is_some()
    }

    pub fn observes(&self) -> bool {
        self.config.at_limit == AtLimit::Observe
    }

    pub fn fallback(&self) -> Option<&str> {
        match &self.config.at_limit {
            AtLimit::Fallback(alias) => Some(alias),
            AtLimit::Refuse | AtLimit::Observe => None,
        }
    }

    pub fn is_per(&self, by: LimitBy) -> bool {
        self.config.per.contains(&by)
    }

    pub fn counts(&self, unit: LimitUnit) -> bool {
        self.config.amounts.iter().any(|amount| amount.of == unit)
    }

    /// It counts tokens or money.
    pub fn needs_usage(&self) -> bool {
        let mut amounts = self.config.amounts.iter();
        amounts.any(|amount| amount.of != LimitUnit::Requests)
    }

    pub fn holds_for(&self, key: Option<&str>, team: Option<&str>) -> bool {
        let client = LimitClient {
            name: key,
            team,
            models: None,
            may_name_users: false,
        };
        self.config.holds_for(&client)
    }

    fn label(&self, key: Option<&str>, team: Option<&str>) -> Box<str> {
        let parts = [(LimitBy::Key, "key", key), (LimitBy::Team, "team", team)];
        let parts = parts.into_iter().filter(|(by, ..)| self.is_per(*by));
        let parts = parts.map(|(_, kind, name)| format!("{kind} {}", name.unwrap_or(NONE)));
        parts.collect::<Vec<_>>().join(", ").into()
    }
}

// === impl CallerRule ===

impl CallerRule {
    pub fn new(rule: &Arc<Rule>, key: Option<&str>, team: Option<&str>) -> Self {
        let label = rule.label(key, team);
        let others = [LimitBy::Model, LimitBy::User, LimitBy::Provider];
        let is_fixed = !others.into_iter().any(|by| rule.is_per(by));
        let subject = is_fixed.then(|| {
            let key = SubjectKey {
                label: &label,
                ..SubjectKey::default()
            };
            rule.subjects.get_fixed(&key, &rule.terms)
        });
        Self {
            rule: Arc::clone(rule),
            label,
            subject,
        }
    }

    /// Those of the caller's requests so far. Of users, who may be many, only the one that
    /// requests without a user share.
    pub fn subjects(&self) -> Vec<Arc<Subject>> {
        if let Some(subject) = &self.subject {
            return vec![Arc::clone(subject)];
        }
        let rule = &self.rule;
        if rule.is_per(LimitBy::User) {
            let key = SubjectKey {
                label: &self.label,
                user: NONE,
                ..SubjectKey::default()
            };
            return rule.subjects.find(&key).into_iter().collect();
        }
        let own = rule.subjects.all();
        let own = own.filter(|it| it.name.key().label == &*self.label);
        own.collect()
    }

    pub fn subject(
        &self,
        model: &str,
        user: Option<&str>,
        provider: &str,
        now: LimitClock,
    ) -> Arc<Subject> {
        if let Some(subject) = &self.subject {
            return Arc::clone(subject);
        }
        let rule = &self.rule;
        let part = |by, name| if rule.is_per(by) { name } else { "" };
        let user = user.filter(|name| !name.is_empty()).unwrap_or(NONE);
        let key = SubjectKey {
            label: &self.label,
            model: part(LimitBy::Model, model),
            user: part(LimitBy::User, user),
            provider: part(LimitBy::Provider, provider),
        };
        let max = rule.config.max_subjects;
        rule.subjects.get(&key.bounded(), &rule.terms, max, now)
    }
}
