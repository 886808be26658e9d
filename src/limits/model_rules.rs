//! Which rules hold for each model: lists that are made at load, or at the first request for
//! a name that is not configured.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use http::HeaderName;

use super::rule::Rule;
use crate::config::{LimitBy, LimitUnit, Reserve, Unmetered};

/// Names that are not configured, whose rules are remembered: they come from clients.
const MAX_NAMED: usize = 1_000;

/// Rules that can hold for a caller, by model. Shared by the callers with the same ones.
#[derive(Debug)]
pub(super) struct RulePlan {
    /// In the order of their names.
    rules: PlannedRules,
    /// Where no rule is about some models only.
    of_all: Option<ModelRules>,
    index: OnceLock<ModelIndex>,
    by_name: Mutex<HashMap<Box<str>, Arc<ModelRules>>>,
}

#[derive(Debug)]
struct PlannedRules {
    of_requests: Box<[IndexedRule]>,
    of_attempts: Box<[IndexedRule]>,
}

/// A rule and its index in the configuration.
pub(super) type IndexedRule = (usize, Arc<Rule>);

/// The rules of the models of a catalog.
#[derive(Debug)]
struct ModelIndex {
    /// Indexes of `lists` by the id of the model.
    by_id: Box<[Option<u32>]>,
    /// Most models have the same rules.
    lists: Box<[ModelRules]>,
}

/// The rules that hold for one model, less those that another one replaces.
#[derive(Debug)]
pub(super) struct ModelRules {
    /// Indexes of the caller's rules that are taken from once for a request.
    pub of_requests: Box<[usize]>,
    /// Indexes of those that are taken from for each attempt.
    pub of_attempts: Box<[usize]>,
    all: Box<[Arc<Rule>]>,
    /// One of them counts tokens or money.
    pub needs_usage: bool,
    /// One of them reserves the most that a request can use.
    pub reserves_worst: bool,
    /// Where one of them has amounts for each user.
    pub user: Option<UserSource>,
}

/// How clients name their users, where a rule has amounts for each user.
#[derive(Debug)]
pub struct UserSource {
    pub header: Option<HeaderName>,
}

/// Rules that were looked up.
#[derive(Debug)]
pub(super) enum FoundRules<'p> {
    Listed(&'p ModelRules),
    Named(Arc<ModelRules>),
}

// === impl RulePlan ===

impl RulePlan {
    pub fn new(rules: &[IndexedRule]) -> Self {
        let is_for_all = rules.iter().all(|(_, rule)| rule.config.models.is_none());
        let (of_attempts, of_requests): (Vec<_>, Vec<_>) = rules
            .iter()
            .cloned()
            .partition(|(_, rule)| rule.config.is_per_attempt());
        let rules = PlannedRules {
            of_requests: of_requests.into(),
            of_attempts: of_attempts.into(),
        };
        Self {
            of_all: is_for_all.then(|| rules.of_model("")),
            rules,
            index: OnceLock::new(),
            by_name: Mutex::default(),
        }
    }

    /// Lists the rules of models by their ids. Only the first call counts.
    pub fn index_models(&self, names: &[Option<&str>]) {
        let mut lists: Vec<ModelRules> = Vec::new();
        let mut known = HashMap::new();
        let by_id = names.iter().map(|name| {
            let rules = self
                .rules
                .of_model((*name).filter(|_| self.of_all.is_none())?);
            let key = (rules.of_requests.clone(), rules.of_attempts.clone());
            let index = *known.entry(key).or_insert_with(|| {
                lists.push(rules);
                lists.len() - 1
            });
            u32::try_from(index).ok()
        });
        let by_id = by_id.collect();
        let index = ModelIndex {
            by_id,
            lists: lists.into(),
        };
        // Fails if it was called before.
        let _ = self.index.set(index);
    }

    /// `id` is that of the model whose name it is, if it is configured.
    #[inline]
    pub fn find(&self, id: Option<usize>, name: &str) -> FoundRules<'_> {
        if let Some(rules) = &self.of_all {
            return FoundRules::Listed(rules);
        }
        let listed = || self.index.get()?.get(id?);
        match listed() {
            Some(rules) => FoundRules::Listed(rules),
            None => FoundRules::Named(self.find_by_name(name)),
        }
    }

    fn find_by_name(&self, name: &str) -> Arc<ModelRules> {
        let mut by_name = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = by_name.get(name) {
            return Arc::clone(found);
        }
        let rules = Arc::new(self.rules.of_model(name));
        if by_name.len() < MAX_NAMED {
            by_name.insert(name.into(), Arc::clone(&rules));
        }
        rules
    }
}

// === impl ModelIndex ===

impl ModelIndex {
    fn get(&self, id: usize) -> Option<&ModelRules> {
        let list = (*self.by_id.get(id)?)?;
        self.lists.get(list as usize)
    }
}

// === impl PlannedRules ===

impl PlannedRules {
    fn of_model(&self, model: &str) -> ModelRules {
        let all = || self.of_requests.iter().chain(&self.of_attempts);
        let matching = all().filter(|(_, rule)| rule.config.matches_model(model));
        let replaced: Vec<usize> = matching.filter_map(|(_, rule)| rule.replaces).collect();
        let holds = |(index, rule): &IndexedRule| {
            rule.config.matches_model(model) && !replaced.contains(index)
        };
        let indexes = |rules: &[IndexedRule]| {
            let rules = rules.iter().enumerate();
            rules
                .filter(|(_, it)| holds(it))
                .map(|(at, _)| at)
                .collect()
        };
        let held = all().filter(|it| holds(it));
        let held: Box<[_]> = held.map(|(_, rule)| Arc::clone(rule)).collect();
        ModelRules {
            of_requests: indexes(&self.of_requests),
            of_attempts: indexes(&self.of_attempts),
            needs_usage: held.iter().any(|it| it.needs_usage()),
            reserves_worst: held.iter().any(|it| it.config.reserve == Reserve::Worst),
            user: UserSource::of(&held),
            all: held,
        }
    }
}

// === impl ModelRules ===

impl ModelRules {
    /// Whether a rule counts what a request costs at this provider, and refuses what cannot
    /// be counted.
    pub fn has_budget(&self, provider: &str) -> bool {
        self.all.iter().any(|it| {
            let counts = it.counts(LimitUnit::Budget) && !it.observes();
            counts && it.config.matches_provider(provider)
        })
    }

    /// What the strictest rule that counts tokens or money at one of these providers says of
    /// calls whose usage is not reported.
    pub fn unmetered<'p>(&self, providers: &(impl Iterator<Item = &'p str> + Clone)) -> Unmetered {
        // A rule that observes refuses nothing.
        let rules = self.all.iter();
        let rules = rules.filter(|it| it.needs_usage() && !it.observes());
        let rules = rules.filter(|it| {
            let mut providers = providers.clone();
            providers.any(|name| it.config.matches_provider(name))
        });
        let all = rules.map(|it| it.config.unmetered);
        let strictest = all.reduce(|one, other| match (one, other) {
            (Unmetered::Refuse, _) | (_, Unmetered::Refuse) => Unmetered::Refuse,
            (Unmetered::Cost(one), Unmetered::Cost(other)) => Unmetered::Cost(one.max(other)),
            (cost @ Unmetered::Cost(_), _) | (_, cost @ Unmetered::Cost(_)) => cost,
            (Unmetered::Allow, Unmetered::Allow) => Unmetered::Allow,
        });
        strictest.unwrap_or(Unmetered::Allow)
    }
}

// === impl UserSource ===

impl UserSource {
    /// If several rules have a header, the first one counts.
    fn of(rules: &[Arc<Rule>]) -> Option<Self> {
        let mut rules = rules.iter().filter(|it| it.is_per(LimitBy::User));
        let first = rules.next()?.config.user_header.as_ref();
        let header = first.or_else(|| rules.find_map(|it| it.config.user_header.as_ref()));
        Some(Self {
            header: header.cloned(),
        })
    }
}

impl Deref for FoundRules<'_> {
    type Target = ModelRules;

    #[inline]
    fn deref(&self) -> &ModelRules {
        match self {
            Self::Listed(rules) => rules,
            Self::Named(rules) => rules,
        }
    }
}
