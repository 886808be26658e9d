//! All rules of a configuration, by the callers that they hold for.

use std::sync::Arc;

use super::caller::CallerLimits;
use super::clock::LimitClock;
use super::rule::{CallerRule, Rule};
use super::stored::StoredWindows;
use crate::config::{Access, LimitRule};

/// The rules of one generation.
#[derive(Debug, Default)]
pub struct LimitSet {
    rules: Vec<Arc<Rule>>,
    /// By the id of the key or certificate.
    callers: Vec<Arc<CallerLimits>>,
    /// While access is open.
    anyone: Arc<CallerLimits>,
}

// === impl LimitSet ===

impl LimitSet {
    /// Keeps what was used of the rules of the previous generation. What is new begins with
    /// what is `stored` of it, such as a rule that was removed and is put back.
    #[must_use]
    pub fn new(
        config: &[LimitRule],
        access: &Access,
        before: Option<&Self>,
        stored: Option<&Arc<StoredWindows>>,
    ) -> Self {
        if let (Some(before), Some(stored)) = (before, stored) {
            stored.update(before.windows(LimitClock::now()));
        }
        let rules = rules(config, before, stored);
        let caller = |name: Option<&str>, team: Option<&str>, before: Option<&CallerLimits>| {
            let of_caller = rules.iter().enumerate();
            let of_caller = of_caller.filter(|(_, rule)| rule.holds_for(name, team));
            let of_caller = of_caller.map(|(index, rule)| CallerRule::new(index, rule, name, team));
            Arc::new(CallerLimits::new(of_caller, before))
        };
        let keys = access.keys.iter().map(|it| (&it.name, &it.team));
        let certificates = access.certificates.iter().map(|it| (&it.name, &it.team));
        let clients = keys.chain(certificates);
        // Ids of a new generation may belong to others; what was learned only estimates.
        let callers = clients.enumerate().map(|(id, (name, team))| {
            let before = before.and_then(|it| it.callers.get(id));
            caller(Some(name), team.as_deref(), before.map(|it| &**it))
        });
        let callers = callers.collect();
        // While keys are required, no other caller has a subject.
        let anyone = if access.is_open() {
            caller(None, None, before.map(|it| &*it.anyone))
        } else {
            Arc::default()
        };
        Self {
            rules,
            callers,
            anyone,
        }
    }

    /// The rules of the client with this key or certificate.
    #[must_use]
    pub fn caller(&self, key_id: Option<usize>) -> &Arc<CallerLimits> {
        let caller = key_id.and_then(|id| self.callers.get(id));
        caller.unwrap_or(&self.anyone)
    }

    pub fn rule_names(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|rule| &*rule.terms.rule)
    }

    /// By rule: subjects that were dropped for others, with what they had used.
    pub fn dropped_subjects(&self) -> impl Iterator<Item = (&str, u64)> {
        let rules = self.rules.iter();
        rules.map(|rule| (&*rule.terms.rule, rule.subjects.dropped()))
    }

    /// By rule: requests that wait.
    pub fn waiting(&self) -> impl Iterator<Item = (&str, usize)> {
        let rules = self.rules.iter();
        rules.map(|rule| (&*rule.terms.rule, rule.terms.queues.waiting()))
    }

    pub(super) fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    pub(super) fn rule(&self, name: &str) -> Option<&Rule> {
        let rule = self.rules.iter().find(|rule| *rule.terms.rule == *name);
        rule.map(|rule| &**rule)
    }
}

fn rules(
    config: &[LimitRule],
    before: Option<&LimitSet>,
    stored: Option<&Arc<StoredWindows>>,
) -> Vec<Arc<Rule>> {
    let rules = config.iter().map(|rule| {
        let replaces = rule.replaces.as_deref();
        let replaces = replaces.and_then(|name| config.iter().position(|it| it.name == name));
        let before = before.and_then(|it| it.rule(&rule.name));
        let rule = Rule::new(rule, replaces, before, stored);
        rule.subjects.prune(LimitClock::now());
        Arc::new(rule)
    });
    rules.collect()
}
