//! What an alias stands for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use http::HeaderName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{OwnTimeouts, Provider};

/// Most targets of one model, over all its fallbacks and credentials: a plan
/// marks the tried ones in the bits of a `u64`.
pub const MOST_TARGETS: usize = 64;

/// One alias, `[models.NAME]`.
#[derive(Debug, Clone)]
pub struct Model {
    /// Name that callers use.
    pub alias: String,
    /// Where it goes: at least one place.
    pub targets: Vec<Target>,
    /// Aliases to try after those; checked to exist and to lead in no circle.
    pub fallbacks: Vec<String>,
    /// Tokens that it can take, question and answer together, where known.
    pub context: Option<usize>,
    /// How its targets of one priority share the requests.
    pub balance: Balance,
    /// Which of its requests go to the same target, if any.
    pub affinity: Option<Affinity>,
    /// When and how often they are tried.
    pub retry: Retry,
    /// Limits in time that it sets over those of its providers.
    pub timeouts: OwnTimeouts,
    /// When a second one is tried beside the first, if ever.
    pub hedge: Option<Hedge>,
    /// True when it comes from the built-in table.
    pub builtin: bool,
}

/// One place that a model's requests can go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Key into [`super::Config::providers`]; checked to exist.
    pub provider: String,
    /// Name that the provider uses.
    pub upstream_model: String,
    /// Share of the requests among targets of the same priority, at least 1.
    pub weight: u32,
    /// The lowest number is tried first.
    pub priority: u32,
}

/// How targets of one priority share the requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// By their weights.
    #[default]
    Weighted,
    /// The less busy of two that are drawn by weight: requests in flight, times the time to the first byte.
    LeastLoaded,
}

/// Which requests go to the same target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Affinity {
    /// What they have in common.
    pub by: AffinityBy,
    /// Most requests in flight at one target, in percent of its share, at least
    /// 100, or none for no bound.
    pub max_load: Option<u32>,
}

/// What requests that belong together have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AffinityBy {
    /// What they say of whom they are for.
    User,
    /// How their prompts begin.
    Prompt,
    /// The value of this header.
    Header(HeaderName),
}

/// What requests that belong together have in common, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AffinityKind {
    /// The body's `prompt_cache_key`, else its `user`, else its `safety_identifier`.
    User,
    /// How the prompt begins: the system prompt and the first message.
    Prompt,
    /// The value of a header.
    Header,
}

/// When a request is tried again, or somewhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Most attempts for one request, at least 1.
    pub attempts: usize,
    /// Whether to try again what may have been processed.
    pub processed: bool,
    /// Longest time, in all, to wait for targets that are tried once more.
    pub max_wait: Duration,
}

/// When a second attempt is begun although the first one still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hedge {
    /// After this time without an answer having begun.
    After(Duration),
    /// After a time that most of the last answers did not need.
    Quantile {
        /// How many of them, in percent.
        percent: u32,
        /// Shortest time, whatever they needed.
        floor: Duration,
        /// Least answers for them to count; before, nothing is hedged.
        samples: usize,
    },
}

/// When a target is left out, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// Faults in a row, or 0 to count none.
    pub failures: u32,
    /// Share of faults in a window, in percent, or 0 for none.
    pub error_rate: u32,
    /// Least attempts in a window for that share to count.
    pub min_requests: u32,
    /// Length of a window.
    pub window: Duration,
    /// First time out.
    pub cooldown: Duration,
    /// Longest time out.
    pub max_cooldown: Duration,
}

impl Target {
    /// A target without others beside it.
    #[must_use]
    pub fn new(provider: impl Into<String>, upstream_model: impl Into<String>) -> Self {
        Self {
            provider: provider.into(),
            upstream_model: upstream_model.into(),
            weight: 1,
            priority: 0,
        }
    }
}

impl fmt::Display for AffinityBy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User => formatter.write_str("user"),
            Self::Prompt => formatter.write_str("prompt"),
            Self::Header(name) => write!(formatter, "header {name}"),
        }
    }
}

impl Model {
    /// Its targets in the order in which they are tried, those of its
    /// fallbacks behind its own. Targets of one step take turns by weight.
    #[must_use]
    pub fn steps<'c>(&'c self, models: &'c BTreeMap<String, Self>) -> Vec<Step<'c>> {
        let mut steps = Vec::new();
        self.add_steps(models, &mut BTreeSet::new(), &mut steps);
        steps
    }

    fn add_steps<'c>(
        &'c self,
        models: &'c BTreeMap<String, Self>,
        seen: &mut BTreeSet<&'c str>,
        steps: &mut Vec<Step<'c>>,
    ) {
        if !seen.insert(&self.alias) {
            return;
        }
        let priorities: BTreeSet<u32> = self.targets.iter().map(|it| it.priority).collect();
        for priority in priorities {
            let targets = self.targets.iter().filter(|it| it.priority == priority);
            steps.push(Step {
                model: self,
                targets: targets.collect(),
            });
        }
        for fallback in self.fallbacks.iter().filter_map(|name| models.get(name)) {
            fallback.add_steps(models, seen, steps);
        }
    }

    /// True when any of its targets, or of its fallbacks', can be called.
    #[must_use]
    pub fn is_ready(
        &self,
        models: &BTreeMap<String, Self>,
        providers: &BTreeMap<String, Provider>,
    ) -> bool {
        let steps = self.steps(models);
        let mut targets = steps.iter().flat_map(|step| &step.targets);
        targets.any(|target| {
            let provider = providers.get(&target.provider);
            provider.is_some_and(Provider::is_ready)
        })
    }
}

/// Targets that are tried before those of the next step.
#[derive(Debug, Clone)]
pub struct Step<'c> {
    /// The alias whose targets they are: a fallback's where it is not the
    /// model's own.
    pub model: &'c Model,
    /// At least one.
    pub targets: Vec<&'c Target>,
}
