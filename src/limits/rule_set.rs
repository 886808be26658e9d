//! All rules of a configuration, by the callers that they hold for.

use std::collections::HashMap;
use std::sync::Arc;

use super::caller::CallerLimits;
use super::clock::LimitClock;
use super::lease::LeaseLink;
use super::model_rules::RulePlan;
use super::rule::{CallerRule, Rule};
use super::stored::StoredWindows;
use crate::catalog::Catalog;
use crate::config::{Access, LimitRule};

/// The rules of one generation.
#[derive(Debug, Default)]
pub struct LimitSet {
    rules: Vec<Arc<Rule>>,
    /// By the id of the key or certificate.
    callers: Vec<Arc<CallerLimits>>,
    /// While access is open.
    anyone: Arc<CallerLimits>,
    plans: RulePlans,
    /// With a store: rules that are no longer configured, or by others' amounts. It knows
    /// one amount of this process, so one that is put back goes on as it was.
    removed: Vec<Arc<Rule>>,
}

/// Where what was used is known from, besides the generation before.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LimitMemory<'m> {
    stored: Option<&'m Arc<StoredWindows>>,
    pub link: Option<&'m Arc<LeaseLink>>,
}

/// By the indexes of the rules in them: many callers have the same ones.
type RulePlans = HashMap<Vec<usize>, Arc<RulePlan>>;

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
        let memory = LimitMemory { stored, link: None };
        Self::with_memory(config, access, before, memory)
    }

    /// As [`new`](Self::new), over all replicas that use a store. A reload with another
    /// link gives up all leases.
    #[must_use]
    pub fn with_link(
        config: &[LimitRule],
        access: &Access,
        before: Option<&Self>,
        link: &Arc<LeaseLink>,
    ) -> Self {
        let memory = LimitMemory {
            stored: Some(link.stored()),
            link: Some(link),
        };
        Self::with_memory(config, access, before, memory)
    }

    fn with_memory(
        config: &[LimitRule],
        access: &Access,
        before: Option<&Self>,
        memory: LimitMemory<'_>,
    ) -> Self {
        if let (Some(before), Some(stored)) = (before, memory.stored) {
            stored.update(before.windows(LimitClock::now()));
        }
        let rules = rules(config, before, memory);
        let removed = before.filter(|_| memory.link.is_some());
        let removed = removed.map(|before| before.removed_by(&rules, memory));
        let mut plans = RulePlans::new();
        let mut caller = |name: Option<&str>, team: Option<&str>, before: Option<&CallerLimits>| {
            let own = rules.iter().enumerate();
            let own: Vec<_> = own
                .filter(|(_, rule)| rule.holds_for(name, team))
                .map(|(index, rule)| (index, Arc::clone(rule)))
                .collect();
            let indexes = own.iter().map(|(index, _)| *index).collect();
            let plan = plans.entry(indexes);
            let plan = plan.or_insert_with(|| Arc::new(RulePlan::new(&own)));
            let own = own.iter();
            let own = own.map(|(_, rule)| CallerRule::new(rule, name, team));
            Arc::new(CallerLimits::new(own, Arc::clone(plan), before))
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
            plans,
            removed: removed.unwrap_or_default(),
        }
    }

    /// The rules of this generation that `rules` does not continue, and have been used.
    fn removed_by(&self, rules: &[Arc<Rule>], memory: LimitMemory<'_>) -> Vec<Arc<Rule>> {
        let all = self.rules.iter().chain(&self.removed);
        let removed = all.filter(|it| {
            let is_same = |other: &Arc<Rule>| Arc::ptr_eq(&other.subjects, &it.subjects);
            !rules.iter().any(is_same)
        });
        let removed = removed.filter(|it| {
            it.subjects.prune(LimitClock::now());
            !it.subjects.are_empty()
        });
        let has_link_of = |it: &Arc<Rule>| {
            let link = it.terms.link.as_ref();
            link.zip(memory.link)
                .is_some_and(|(one, other)| Arc::ptr_eq(one, other))
        };
        // Requests that wait under one may make its terms those of its subjects, so they are
        // the ones that a rule that is put back comes after.
        let removed = removed.map(|it| {
            if it.has_amounts() || !has_link_of(it) {
                it.without_amounts(memory)
            } else {
                Arc::clone(it)
            }
        });
        removed.collect()
    }

    /// Lists the rules of each model of the catalog, so that no request has to find them by
    /// the model's name.
    pub fn index_models(&self, catalog: &Catalog) {
        let mut names = vec![None; catalog.model_count()];
        for model in catalog.models() {
            if let Some(name) = names.get_mut(model.id) {
                *name = Some(&*model.label);
            }
        }
        for plan in self.plans.values() {
            plan.index_models(&names);
        }
    }

    /// Lets requests that wait under the rules of `before` go by these ones, which may have
    /// more room, or not be there.
    pub fn wake_waiting(&self, before: &Self) {
        let now = LimitClock::now();
        let earlier = before.rules.iter();
        for earlier in earlier.filter(|it| !it.terms.queues.are_empty()) {
            let mut rules = self.rules.iter().chain(&self.removed);
            let rule = rules.find(|it| Arc::ptr_eq(&it.subjects, &earlier.subjects));
            let rule = rule.map_or_else(
                || earlier.without_amounts(LimitMemory::default()),
                Arc::clone,
            );
            let terms = &rule.terms;
            for subject in earlier.subjects.all() {
                if terms.queues.ahead(&subject).is_some() {
                    drop(subject.lock(terms, now));
                    terms.queues.wake(&subject);
                }
            }
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

    /// The rule of which this one is the next generation.
    fn continued_by(&self, config: &LimitRule) -> Option<&Rule> {
        let mut all = self.rules.iter().chain(&self.removed);
        let rule = all.find(|it| it.continues_as(config));
        rule.map(|rule| &**rule)
    }

    pub(super) fn rule(&self, name: &str) -> Option<&Rule> {
        let rule = self.rules.iter().find(|rule| *rule.terms.rule == *name);
        rule.map(|rule| &**rule)
    }
}

impl<'m> LimitMemory<'m> {
    pub fn stored(&self) -> Option<&'m Arc<StoredWindows>> {
        self.stored
    }
}

fn rules(
    config: &[LimitRule],
    before: Option<&LimitSet>,
    memory: LimitMemory<'_>,
) -> Vec<Arc<Rule>> {
    let rules = config.iter().map(|rule| {
        let replaces = rule.replaces.as_deref();
        let replaces = replaces.and_then(|name| config.iter().position(|it| it.name == name));
        let before = before.and_then(|it| it.continued_by(rule));
        let rule = Rule::new(rule, replaces, before, memory);
        rule.subjects.prune(LimitClock::now());
        Arc::new(rule)
    });
    rules.collect()
}
