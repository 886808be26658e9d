//! All rules of a configuration, by the callers that they hold for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use smallvec::SmallVec;
use wildmatch::WildMatch;

use super::bucket::{LimitClock, LimitUsage};
use super::estimate::LearnedUsage;
use super::reservation::{LimitRefusal, Reservation, RuleSubject, reserve};
use super::rule::{Rule, SubjectGroup};
use crate::config::{Access, LimitRule, Reserve};

/// Rules of most requests, without an allocation.
pub(super) const INLINE_RULES: usize = 4;
/// Models of a caller whose usage is learned; their names may come from clients.
const MAX_LEARNED: usize = 1_000;

/// The rules of one generation.
#[derive(Debug, Default)]
pub struct LimitSet {
    rules: Vec<Arc<Rule>>,
    /// By the id of the key or certificate.
    callers: Vec<Arc<CallerLimits>>,
    /// While access is open.
    anyone: Arc<CallerLimits>,
}

/// The rules that can hold for a caller.
#[derive(Debug, Default)]
pub struct CallerLimits {
    /// In the order of their names, which is the order of locking.
    rules: Box<[CallerRule]>,
    /// What its requests have used, by model.
    learned: Mutex<HashMap<Box<str>, Arc<LearnedUsage>>>,
}

#[derive(Debug)]
pub(super) struct CallerRule {
    pub index: usize,
    pub rule: Arc<Rule>,
    pub group: Arc<SubjectGroup>,
}

/// What a request may be asked for before it is sent.
#[derive(Clone, Copy, Debug)]
pub struct ExpectedUsage {
    pub expected: LimitUsage,
    pub worst: LimitUsage,
}

type MatchingRules<'c> = SmallVec<[&'c CallerRule; INLINE_RULES]>;

// === impl LimitSet ===

impl LimitSet {
    /// Keeps what was used of the rules of the previous generation.
    #[must_use]
    pub fn new(config: &[LimitRule], access: &Access, before: Option<&Self>) -> Self {
        let mut rules = Vec::with_capacity(config.len());
        for rule in config {
            let replaces = rule.replaces.as_deref();
            let replaces = replaces.and_then(|name| config.iter().position(|it| it.name == name));
            let before = before.and_then(|it| it.rule(&rule.name));
            rules.push(Arc::new(Rule::new(rule, replaces, before)));
        }
        let caller =
            |name: Option<&str>, team: Option<&str>, before: Option<&Arc<CallerLimits>>| {
                let of_caller = config.iter().zip(&rules).enumerate();
                let of_caller = of_caller.filter(|(_, (config, _))| holds_for(config, name, team));
                let of_caller = of_caller.map(|(index, (_, rule))| CallerRule {
                    index,
                    group: rule.group(name, team),
                    rule: Arc::clone(rule),
                });
                Arc::new(CallerLimits {
                    rules: of_caller.collect(),
                    learned: Mutex::new(before.map(|it| it.learned()).unwrap_or_default()),
                })
            };
        let keys = access.keys.iter().map(|it| (&it.name, &it.team));
        let certificates = access.certificates.iter().map(|it| (&it.name, &it.team));
        let clients = keys.chain(certificates);
        // Ids of a new generation may belong to others; what was learned only estimates.
        let callers = clients.enumerate().map(|(id, (name, team))| {
            let before = before.and_then(|it| it.callers.get(id));
            caller(Some(name), team.as_deref(), before)
        });
        Self {
            callers: callers.collect(),
            anyone: caller(None, None, before.map(|it| &it.anyone)),
            rules,
        }
    }

    /// The rules of the client with this key or certificate.
    #[must_use]
    pub fn caller(&self, key_id: Option<usize>) -> &Arc<CallerLimits> {
        let caller = key_id.and_then(|id| self.callers.get(id));
        caller.unwrap_or(&self.anyone)
    }

    fn rule(&self, name: &str) -> Option<&Rule> {
        let rule = self.rules.iter().find(|rule| *rule.name == *name);
        rule.map(|rule| &**rule)
    }
}

fn holds_for(rule: &LimitRule, key: Option<&str>, team: Option<&str>) -> bool {
    let matches = |globs: &Option<Vec<WildMatch>>, name: Option<&str>| {
        globs.as_ref().is_none_or(|globs| {
            name.is_some_and(|name| globs.iter().any(|glob| glob.matches(name)))
        })
    };
    matches(&rule.keys, key) && matches(&rule.teams, team)
}

// === impl CallerLimits ===

impl CallerLimits {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether a rule for this model counts tokens or money.
    #[must_use]
    pub fn needs_usage(&self, model: &str) -> bool {
        self.matching(model).iter().any(|it| it.rule.needs_usage)
    }

    /// Whether a rule for this model counts money.
    #[must_use]
    pub fn has_budget(&self, model: &str) -> bool {
        self.matching(model).iter().any(|it| it.rule.has_budget)
    }

    /// Reserves of all rules that hold for the model, or of none.
    ///
    /// # Errors
    ///
    /// A rule is short.
    pub fn reserve(
        &self,
        model: &str,
        now: LimitClock,
        usage: &ExpectedUsage,
    ) -> Result<Reservation, Box<LimitRefusal>> {
        let matching = self.matching(model);
        let subjects = matching.iter().map(|caller_rule| {
            let CallerRule { rule, group, .. } = caller_rule;
            let expected = match rule.reserve {
                Reserve::Expected => usage.expected,
                Reserve::Worst => usage.worst,
            };
            RuleSubject::new(rule, group, model, expected)
        });
        reserve(subjects.collect(), now)
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
    fn matching(&self, model: &str) -> MatchingRules<'_> {
        let matching = self.rules.iter().filter(|it| it.rule.matches_model(model));
        let mut matching: MatchingRules<'_> = matching.collect();
        let replaced = matching.iter().filter_map(|it| it.rule.replaces);
        let replaced: SmallVec<[usize; INLINE_RULES]> = replaced.collect();
        if !replaced.is_empty() {
            matching.retain(|it| !replaced.contains(&it.index));
        }
        matching
    }

    /// All rules, with the subjects that this caller shares.
    pub(super) fn rules(&self) -> &[CallerRule] {
        &self.rules
    }
}
