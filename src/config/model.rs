//! Aliases, their targets, and how these are tried.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use http::HeaderName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::raw::{self, Count, DurationOrZero};
use super::{ProviderConfig, Retirement, SystemMessages, TimeoutOverrides};

/// Maximum number of targets of one model, fallbacks and credentials included:
/// a plan marks the tried ones in the bits of a `u64`.
pub const MAX_TARGETS: usize = 64;

/// One alias, `[models.NAME]`.
#[derive(Debug, Clone)]
pub struct ModelConfig {
    /// Name that clients use, or a pattern of names.
    pub alias: String,
    /// At least one.
    pub targets: Vec<TargetConfig>,
    /// Aliases to try after the targets; they exist and form no cycle.
    pub fallbacks: Vec<String>,
    /// Context window in tokens, prompt and completion together, if known.
    pub context: Option<usize>,
    /// Maximum tokens of a completion, if known.
    pub max_output: Option<usize>,
    /// Name for people.
    pub display_name: Option<String>,
    pub balance: Balance,
    pub affinity: Option<Affinity>,
    pub retry: Retry,
    pub timeouts: TimeoutOverrides,
    /// Overrides that of its providers.
    pub system_messages: Option<SystemMessages>,
    pub count_tokens: TokenCounting,
    pub hedge: Option<Hedge>,
    /// True when it comes from the built-in table.
    pub builtin: bool,
    /// Of the model that a built-in alias is named after; none once the configuration
    /// sets its target.
    pub retirement: Option<Retirement>,
}

/// A provider and its model, to which an alias's requests may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetConfig {
    /// Key in [`super::Config::providers`]; it exists.
    pub provider: String,
    /// The provider's name for the model; a pattern where clients name it.
    pub upstream_model: String,
    /// Whether a request's own name for the model is sent.
    pub named_by_client: bool,
    /// Share of the requests among targets of the same priority, at least 1.
    pub weight: u32,
    /// The lowest number is tried first.
    pub priority: u32,
}

/// How targets of the same priority share requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// By weight.
    #[default]
    Weighted,
    /// The less loaded of two drawn by weight: requests in flight, times the time to the first byte.
    LeastLoaded,
}

/// Who counts the tokens of a prompt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenCounting {
    /// The provider; refused where it has no call for it.
    #[default]
    Provider,
    /// The provider, or else an estimate, which the header `x-trunkline-estimate` marks.
    Estimate,
}

/// Which requests go to the same target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Affinity {
    pub by: AffinityBy,
    /// Maximum number of requests in flight at one target, in percent of its
    /// share, at least 100; none for no bound.
    pub max_load: Option<u32>,
}

/// What related requests have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AffinityBy {
    /// The end user they name.
    User,
    /// The beginning of their prompts.
    Prompt,
    /// The session that they name, in one of `log.session_headers`.
    Session,
    /// The value of this header.
    Header(HeaderName),
}

/// What related requests have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AffinityKind {
    /// The body's `prompt_cache_key`, else its `user`, else its `safety_identifier`.
    User,
    /// The beginning of the prompt: the system prompt and the first message.
    Prompt,
    /// The session that the client names in one of `log.session_headers`.
    Session,
    /// The value of a header.
    Header,
}

/// When a request is retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Maximum number of attempts per request, at least 1.
    pub attempts: usize,
    /// Whether to retry requests that may have been processed.
    pub non_idempotent: bool,
    /// Maximum total time to wait for a failed or busy target.
    pub max_wait: Duration,
}

/// When a second attempt starts while the first is still running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hedge {
    /// After this time without the start of a response.
    After(Duration),
    /// After a percentile of the target's recent times to the start of a response.
    Quantile {
        percent: u32,
        /// Minimum delay.
        floor: Duration,
        /// Responses required; with fewer, nothing is hedged.
        samples: usize,
    },
}

/// When a target is ejected, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// Consecutive failures; 0 disables the rule.
    pub failures: u32,
    /// Failure rate in a window, in percent; 0 disables the rule.
    pub error_rate: u32,
    /// Consecutive responses of one kind that break off; 0 disables the rule.
    pub broken_responses: u32,
    /// Minimum number of attempts in a window for the failure rate to apply.
    pub min_requests: u32,
    pub window: Duration,
    /// Duration of a first ejection.
    pub cooldown: Duration,
    /// Maximum duration of an ejection or cooldown.
    pub max_cooldown: Duration,
}

impl TargetConfig {
    /// A single target.
    #[must_use]
    pub fn new(provider: impl Into<String>, upstream_model: impl Into<String>) -> Self {
        Self {
            provider: provider.into(),
            upstream_model: upstream_model.into(),
            named_by_client: false,
            weight: 1,
            priority: 0,
        }
    }
}

impl Retry {
    #[must_use]
    pub fn with_overrides(self, raw: &raw::ModelRetry) -> Self {
        Self {
            attempts: raw.attempts.map_or(self.attempts, Count::size),
            non_idempotent: raw.non_idempotent.unwrap_or(self.non_idempotent),
            max_wait: raw.max_wait.map_or(self.max_wait, DurationOrZero::get),
        }
    }
}

impl From<&raw::Retry> for Retry {
    fn from(raw: &raw::Retry) -> Self {
        Self {
            attempts: raw.attempts.size(),
            non_idempotent: raw.non_idempotent,
            max_wait: raw.max_wait.get(),
        }
    }
}

impl fmt::Display for AffinityBy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User => formatter.write_str("user"),
            Self::Prompt => formatter.write_str("prompt"),
            Self::Session => formatter.write_str("session"),
            Self::Header(name) => write!(formatter, "header {name}"),
        }
    }
}

/// Whether an alias stands for all names that match it.
#[must_use]
pub fn is_pattern(alias: &str) -> bool {
    alias.contains(['*', '?'])
}

impl ModelConfig {
    #[must_use]
    pub fn is_pattern(&self) -> bool {
        is_pattern(&self.alias)
    }

    /// Its targets in the order in which they are tried, then those of its
    /// fallbacks. Targets of one step share requests by weight.
    #[must_use]
    pub fn plan_steps<'c>(&'c self, models: &'c BTreeMap<String, Self>) -> Vec<Step<'c>> {
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

    /// True when any of its targets, or its fallbacks' targets, is ready.
    #[must_use]
    pub fn is_ready(
        &self,
        models: &BTreeMap<String, Self>,
        providers: &BTreeMap<String, ProviderConfig>,
    ) -> bool {
        let steps = self.plan_steps(models);
        let mut targets = steps.iter().flat_map(|step| &step.targets);
        targets.any(|target| {
            let provider = providers.get(&target.provider);
            provider.is_some_and(ProviderConfig::is_ready)
        })
    }
}

/// Targets that are tried before those of the next step.
#[derive(Debug, Clone)]
pub struct Step<'c> {
    /// The alias these targets belong to: the model itself or a fallback.
    pub model: &'c ModelConfig,
    /// At least one.
    pub targets: Vec<&'c TargetConfig>,
}
